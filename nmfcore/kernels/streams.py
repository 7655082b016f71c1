"""Random streams of LANES replicates at once: SplitMix64, whose i-th output is a function of i, and stars' weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from .. import streams
from ..streams import FIRST, GOLDEN, SECOND
from .compiling import switched_off
from .lanes import LANES, pointer_to, vector_of
from .tiles import INNER

# Thresholds of a weight's distribution, and how many of them are compared for every star: larger weights are rare.
THRESHOLDS, USUAL = 13, 5
# Cells are fetched this many stars before they are added to: in large samples they are far from the processor.
AHEAD = 24

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_V8, _V32, _V64 = (ir.VectorType(kind, LANES) for kind in (_I8, _I32, _I64))


mix = njit(**INNER)(streams.mix)


@njit(**INNER)
def stream(seed, replicate):
    """Return the state that begins the stream of (seed, replicate)."""
    return mix(mix(np.uint64(seed) + GOLDEN) ^ mix(np.uint64(replicate) * FIRST + SECOND))


@njit(**INNER)
def weight_of(state, star, thresholds):
    """Return the weight of one star in the stream that `state` begins, as `add_stars` draws it."""
    z = mix(state + np.uint64(star // 2 + 1) * GOLDEN)
    u = z >> np.uint64(32) if star % 2 == 0 else z & np.uint64(0xFFFFFFFF)
    number = 0
    for threshold in thresholds:
        number += u >= np.uint64(threshold)
    return number


def _add_stars_in_numpy(
    values: Any, cells: Any, images: int, thresholds: Any, state: Any, total: Any, stars: int
) -> None:
    # The same numbers where numba compiles nothing.
    outputs = np.arange(1, (stars + 1) // 2 + 1, dtype=np.uint64)
    for lane in range(LANES):
        z = mix(state[lane] + outputs * GOLDEN)
        u = np.stack([z >> np.uint64(32), z & np.uint64(0xFFFFFFFF)], axis=1).reshape(-1)[:stars]
        weight = np.searchsorted(thresholds.astype(np.uint64), u, side="right")
        np.add.at(values[lane::LANES], cells.reshape(stars, images), weight[:, None].astype(values.dtype))
        state[lane] += np.uint64(len(outputs)) * GOLDEN
        total[lane] = weight.sum()


@intrinsic
def _add_stars_in_vectors(
    typingctx: Any, values: Any, cells: Any, images: Any, thresholds: Any, state: Any, total: Any, stars: Any
) -> Any:
    """Draw the weights of all stars in LANES streams, and add each to the star's cells.

    The i-th output of a stream serves two stars: the upper half the first, the lower half the second. The weight is the
    number of `thresholds` (uint32, `THRESHOLDS` of them, not falling) that the half reaches.

    `values` (cells, LANES) is flat, `cells` (stars, images) are int32, `state` (LANES,) is uint64 and is left where the
    stars end; `total` (LANES,), uint32, becomes the sum of the weights.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Stars(context, builder, signature.args, args)
        with cgutils.for_range(builder, builder.lshr(args[6], ir.Constant(_I64, 1))) as loop:
            first = builder.shl(loop.index, ir.Constant(_I64, 1))
            z = emit.advance()
            upper = builder.trunc(builder.lshr(z, _all(_V64, 32)), _V32)
            emit.add(first, upper)
            emit.add(builder.add(first, ir.Constant(_I64, 1)), builder.trunc(z, _V32))
        odd = builder.and_(args[6], ir.Constant(_I64, 1))
        with builder.if_then(builder.icmp_unsigned("==", odd, ir.Constant(_I64, 1))):
            upper = builder.trunc(builder.lshr(emit.advance(), _all(_V64, 32)), _V32)
            emit.add(builder.sub(args[6], ir.Constant(_I64, 1)), upper)
        emit.finish()
        return context.get_dummy_value()

    return types.void(values, cells, types.intp, thresholds, state, total, types.intp), codegen


add_stars = _add_stars_in_numpy if switched_off() else _add_stars_in_vectors


class _Stars:
    """Emits the body of `add_stars`; what does not change from star to star is loaded once."""

    def __init__(self, context: Any, builder: Any, kinds: Any, args: Any) -> None:
        self.context, self.builder, self.kinds, self.args = context, builder, kinds, args
        self.entries = builder.mul(args[6], args[2])
        self.ahead = builder.mul(args[2], ir.Constant(_I64, AHEAD))
        pointer = ir.PointerType(_I8)
        kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
        self.prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        self.thresholds = [self._threshold(c) for c in range(USUAL)]
        with builder.goto_entry_block():
            self.state, self.total, self.weight = (builder.alloca(kind) for kind in (_V64, _V32, _V32))
        builder.store(builder.load(self._place(4, None, _V64), align=8), self.state)
        builder.store(_all(_V32, 0), self.total)

    def advance(self) -> Any:
        """Emit the next output of every stream."""
        b = self.builder
        z = b.add(b.load(self.state), _all(_V64, int(GOLDEN)))
        b.store(z, self.state)
        for shift, factor in ((30, FIRST), (27, SECOND)):
            z = b.mul(b.xor(z, b.lshr(z, _all(_V64, shift))), _all(_V64, int(factor)))
        return b.xor(z, b.lshr(z, _all(_V64, 31)))

    def add(self, star: Any, u: Any) -> None:
        """Emit the weight of a star, and its addition to the star's cells."""
        b = self.builder
        weight = _all(_V32, 0)
        for threshold in self.thresholds:
            weight = self._count(weight, u, threshold)
        b.store(weight, self.weight)
        large = b.bitcast(b.icmp_unsigned("==", weight, _all(_V32, USUAL)), ir.IntType(LANES))
        with b.if_then(b.icmp_unsigned("!=", large, ir.Constant(large.type, 0)), likely=False):
            more = weight
            for c in range(USUAL, THRESHOLDS):
                more = self._count(more, u, self._threshold(c))
            b.store(more, self.weight)
        weight = b.load(self.weight)
        b.store(b.add(b.load(self.total), weight), self.total)
        dtype = self.kinds[0].dtype
        kind = vector_of(dtype)
        if isinstance(dtype, types.Float):
            part = b.uitofp(weight, kind)
        else:
            part = b.trunc(weight, kind) if dtype.bitwidth < 32 else weight
        at = b.mul(star, self.args[2])
        with cgutils.for_range(b, self.args[2]) as loop:
            data = self.context.make_array(self.kinds[1])(self.context, b, self.args[1]).data
            entry = b.add(at, loop.index)
            later = b.add(entry, self.ahead)
            later = b.select(b.icmp_signed("<", later, self.entries), later, entry)
            b.call(self.prefetch, [self._cell(data, later, kind, _I8), *(ir.Constant(_I32, x) for x in (1, 2, 1))])
            place = self._cell(data, entry, kind, None)
            size = dtype.bitwidth // 8
            before = b.load(place, align=size)
            sums = b.fadd(before, part) if isinstance(dtype, types.Float) else b.add(before, part)
            b.store(sums, place, align=size)

    def finish(self) -> None:
        """Emit what is left behind: the states and the sums."""
        b = self.builder
        b.store(b.load(self.state), self._place(4, None, _V64), align=8)
        b.store(b.load(self.total), self._place(5, None, _V32), align=4)

    def _cell(self, data: Any, entry: Any, kind: ir.VectorType, pointee: Any) -> Any:
        # The address of the cell that stands at an entry.
        b = self.builder
        cell = b.sext(b.load(b.gep(data, [entry], inbounds=True)), _I64)
        place = self._place(0, b.mul(cell, ir.Constant(_I64, LANES)), kind)
        return place if pointee is None else b.bitcast(place, ir.PointerType(pointee))

    def _count(self, weight: Any, u: Any, threshold: Any) -> Any:
        b = self.builder
        return b.add(weight, b.zext(b.icmp_unsigned(">=", u, threshold), _V32))

    def _threshold(self, c: int) -> Any:
        b = self.builder
        data = self.context.make_array(self.kinds[3])(self.context, b, self.args[3]).data
        value = b.load(b.gep(data, [ir.Constant(_I64, c)], inbounds=True))
        empty = ir.Constant(_V32, ir.Undefined)
        return b.shuffle_vector(
            b.insert_element(empty, value, ir.Constant(_I32, 0)), empty, ir.Constant(_V32, [0] * LANES)
        )

    def _place(self, which: int, index: Any, kind: ir.VectorType) -> Any:
        index = ir.Constant(_I64, 0) if index is None else index
        return pointer_to(self.context, self.builder, self.kinds[which], self.args[which], index)


def _all(kind: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * LANES)
