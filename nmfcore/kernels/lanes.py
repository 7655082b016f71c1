"""A numba type for LANES floating-point numbers that are worked on at once.

numba leaves vectorising to LLVM's loop passes, which give up on short inner loops and on arrays that may overlap. Here
the vector is a type of its own, lowered to LLVM vector operations, so that compiled loops keep their accumulators in
registers whatever the processor's vector width. One lane is one replicate.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import register_default as register_model
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, overload

from ..pattern import LANES

# Components whose Gram sums fit in the registers together, and entries of rows that do beside what they are made of.
SHARED = 4
TOGETHER = 8


class LanesType(types.Type):
    """LANES values of one floating-point type."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"lanes({dtype})")


@register_model(LanesType)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, fe_type: LanesType) -> None:
        super().__init__(manager, fe_type, _vector(fe_type.dtype))


def _scalar(dtype: Any) -> ir.Type:
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(dtype.bitwidth)


def _vector(dtype: Any) -> ir.VectorType:
    return ir.VectorType(_scalar(dtype), LANES)


def _pointer(context: Any, builder: Any, array_type: types.Array, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    pointer = builder.gep(data, [index], inbounds=True)
    return builder.bitcast(pointer, ir.PointerType(_vector(array_type.dtype)))


def read(builder: Any, pointer: Any, dtype: Any, wanted: Any) -> Any:
    """Emit a load of LANES values of `dtype`, converted to `wanted`."""
    value = builder.load(pointer, align=dtype.bitwidth // 8)
    return convert(builder, value, dtype, wanted)


def convert(builder: Any, value: Any, dtype: Any, wanted: Any) -> Any:
    """Emit a conversion between vector types."""
    bits: int = dtype.bitwidth
    if isinstance(dtype, types.Integer):
        if bits < 32:  # through 32 bits: one widening, one conversion, both vector instructions
            value = builder.zext(value, ir.VectorType(ir.IntType(32), LANES))
        return builder.sitofp(value, _vector(wanted))
    if bits < wanted.bitwidth:
        return builder.fpext(value, _vector(wanted))
    if bits > wanted.bitwidth:
        return builder.fptrunc(value, _vector(wanted))
    return value


def _splat(builder: Any, scalar: Any, kind: ir.VectorType) -> Any:
    empty = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, mask)


@intrinsic
def load(typingctx: Any, array: Any, index: Any, like: Any) -> Any:
    """Return LANES consecutive values of `array` from `index` on, in the floating-point type of the array `like`."""
    wanted = like.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, array, args[0], args[1])
        return read(builder, pointer, array.dtype, wanted)

    return LanesType(wanted)(array, types.intp, like), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write LANES values into `array` from `index` on, in the array's floating-point type."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, array, args[0], args[1])
        converted = convert(builder, args[2], value.dtype, array.dtype)
        builder.store(converted, pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def splat(typingctx: Any, scalar: Any, like: Any) -> Any:
    """Return `scalar` in every lane, in the floating-point type of the array `like`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = context.cast(builder, args[0], scalar, like.dtype)
        return _splat(builder, value, _vector(like.dtype))

    return LanesType(like.dtype)(scalar, like), codegen


def _binary(emit: Any) -> Any:
    @intrinsic
    def function(typingctx: Any, left: Any, right: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return emit(builder, args[0], args[1])

        return left(left, right), codegen

    return function


_add = _binary(lambda b, x, y: b.fadd(x, y, flags=["contract"]))
_subtract = _binary(lambda b, x, y: b.fsub(x, y, flags=["contract"]))
_times = _binary(lambda b, x, y: b.fmul(x, y, flags=["contract"]))
_divide = _binary(lambda b, x, y: b.fdiv(x, y))
# NaN in the left operand survives both: a comparison with NaN is false and selects it.
lanes_max = _binary(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), y, x))
lanes_min = _binary(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), y, x))


def _overloaded(symbol: Any, function: Any) -> None:
    @overload(symbol)
    def implementation(left, right):  # numba compares the two signatures
        if isinstance(left, LanesType) and isinstance(right, LanesType):
            return lambda left, right: function(left, right)
        return None


_overloaded(operator.add, _add)
_overloaded(operator.sub, _subtract)
_overloaded(operator.mul, _times)
_overloaded(operator.truediv, _divide)


@intrinsic
def where_positive(typingctx: Any, condition: Any, yes: Any, no: Any) -> Any:
    """Return, lane by lane, `yes` where `condition` > 0 and `no` elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(args[0].type, None)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[1], args[2])

    return yes(condition, yes, no), codegen


@intrinsic
def where_less(typingctx: Any, left: Any, right: Any, yes: Any, no: Any) -> Any:
    """Return, lane by lane, `yes` where `left` < `right` and `no` elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return yes(left, right, yes, no), codegen


@intrinsic
def dot_column(
    typingctx: Any, values: Any, rows: Any, first: Any, last: Any, factor: Any, out: Any, to: Any, units: Any
) -> Any:
    """Write sum over cells p in [first, last) of values[p] * factor[rows[p], c], for every component c, to out[to + c].

    `values` (cells, LANES) and `factor` (m, k, LANES) are flat; `units` is any tuple of length k. The k sums stay in
    registers.
    """
    k = len(units)
    wanted = factor.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums = [_local(builder, wanted) for _ in range(k)]
        with _cells(builder, args[2], args[3]) as p:
            cell, offset = _cell(context, builder, values, rows, args, p, wanted, k)
            for c in range(k):
                at = builder.add(offset, ir.Constant(offset.type, c * LANES))
                other = read(builder, _pointer(context, builder, factor, args[4], at), wanted, wanted)
                product = builder.fmul(cell, other, flags=["contract"])
                builder.store(builder.fadd(builder.load(sums[c]), product, flags=["contract"]), sums[c])
        for c in range(k):
            at = builder.add(args[6], ir.Constant(ir.IntType(64), c * LANES))
            place = _pointer(context, builder, out, args[5], at)
            builder.store(builder.load(sums[c]), place, align=wanted.bitwidth // 8)
        return context.get_dummy_value()

    signature = types.void(values, rows, types.intp, types.intp, factor, out, types.intp, units)
    return signature, codegen


@intrinsic
def scatter_column(
    typingctx: Any, values: Any, rows: Any, first: Any, last: Any, factor: Any, source: Any, at: Any, units: Any
) -> Any:
    """Add values[p] * source[at + c] to factor[rows[p], c] for cells p in [first, last) and every component c."""
    k = len(units)
    wanted = factor.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        held = []
        for c in range(k):
            at = builder.add(args[6], ir.Constant(ir.IntType(64), c * LANES))
            held.append(read(builder, _pointer(context, builder, source, args[5], at), wanted, wanted))
        with _cells(builder, args[2], args[3]) as p:
            cell, offset = _cell(context, builder, values, rows, args, p, wanted, k)
            for c in range(k):
                at = builder.add(offset, ir.Constant(offset.type, c * LANES))
                place = _pointer(context, builder, factor, args[4], at)
                product = builder.fmul(cell, held[c], flags=["contract"])
                total = builder.fadd(builder.load(place, align=wanted.bitwidth // 8), product, flags=["contract"])
                builder.store(total, place, align=wanted.bitwidth // 8)
        return context.get_dummy_value()

    signature = types.void(values, rows, types.intp, types.intp, factor, source, types.intp, units)
    return signature, codegen


@intrinsic
def gram_rows(typingctx: Any, factor: Any, first: Any, last: Any, out: Any, sums: Any, units: Any) -> Any:
    """Add the Gram matrix of factor[first:last] to `out` (k, k, LANES) and its sums to `sums` (k, LANES).

    All sums of up to SHARED components run side by side, so that none waits for its own last addition.
    """
    k = len(units)
    wanted = factor.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        groups = [range(k)] if k <= SHARED else [range(c, c + 1) for c in range(k)]
        for group in groups:
            plain = {c: _local(builder, wanted) for c in group}
            squares = {(c, d): _local(builder, wanted) for c in group for d in range(c + 1)}
            with _cells(builder, args[1], args[2]) as i:
                at = builder.mul(i, ir.Constant(i.type, k * LANES))
                row = {}
                for c in range(max(group) + 1):
                    place = builder.add(at, ir.Constant(at.type, c * LANES))
                    row[c] = read(builder, _pointer(context, builder, factor, args[0], place), wanted, wanted)
                for c, total in plain.items():
                    builder.store(builder.fadd(builder.load(total), row[c]), total)
                for (c, d), total in squares.items():
                    product = builder.fmul(row[c], row[d], flags=["contract"])
                    builder.store(builder.fadd(builder.load(total), product, flags=["contract"]), total)
            for c, total in plain.items():
                place = _pointer(context, builder, sums, args[4], ir.Constant(ir.IntType(64), c * LANES))
                value = builder.fadd(read(builder, place, wanted, wanted), builder.load(total))
                builder.store(value, place, align=wanted.bitwidth // 8)
            for (c, d), total in squares.items():
                place = _pointer(context, builder, out, args[3], ir.Constant(ir.IntType(64), (c * k + d) * LANES))
                value = builder.fadd(read(builder, place, wanted, wanted), builder.load(total))
                builder.store(value, place, align=wanted.bitwidth // 8)
                if c != d:
                    place = _pointer(context, builder, out, args[3], ir.Constant(ir.IntType(64), (d * k + c) * LANES))
                    builder.store(value, place, align=wanted.bitwidth // 8)
        return context.get_dummy_value()

    signature = types.void(factor, types.intp, types.intp, out, sums, units)
    return signature, codegen


@intrinsic
def sweep_rows(
    typingctx: Any, rows: Any, r: Any, at: Any, slopes: Any, shrink: Any, source: Any, place: Any, target: Any, to: Any,
    alive: Any, sweeps: Any, units: Any,
) -> Any:  # fmt: skip
    """Write `sweeps` sweeps of coordinate descent over some rows of a factor to target[to:]; idle lanes are copied.

    `rows` is any tuple as long as there are rows. r[at:] is the product with the data (rows, k, LANES), source[place:]
    the rows as they are. `slopes` holds, for every component c, the reciprocal of its curvature, then for every pair
    (c, d) what d counts in the minimum of c: minus the Gram matrix over the curvature; zeros where there is none, which
    leaves an entry as it is. The rows of a group stay in registers, side by side, as each entry waits for another.
    """
    k, number = len(units), len(rows)
    wanted = slopes.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from numba.core import cgutils

        zero = ir.Constant(_vector(wanted), None)

        def from_array(position: int, kind: Any, base: Any, offset: int) -> Any:
            index = ir.Constant(ir.IntType(64), offset * LANES)
            index = index if base is None else builder.add(base, index)
            return read(builder, _pointer(context, builder, kind, args[position], index), wanted, wanted)

        per = [from_array(3, slopes, None, c) for c in range(k)]
        curved = [builder.fcmp_ordered(">", x, zero) for x in per]
        living = builder.fcmp_ordered(">", args[9], zero)
        together = max(1, min(number, TOGETHER // k))
        for first in range(0, number, together):
            group = [(q, c) for q in range(first, min(first + together, number)) for c in range(k)]
            old = {(q, c): from_array(5, source, args[6], q * k + c) for q, c in group}
            goal, entry = {}, {}
            for q, c in group:
                above = builder.fsub(from_array(1, r, args[2], q * k + c), args[4])
                goal[q, c] = builder.select(curved[c], builder.fmul(above, per[c]), old[q, c])
                entry[q, c] = _local(builder, wanted)
                builder.store(old[q, c], entry[q, c])
            with cgutils.for_range(builder, args[10]):
                for c in range(k):
                    sums = {q: goal[q, c] for q, d in group if d == c}
                    for d in range(k):
                        if d != c:
                            slope = from_array(3, slopes, None, k + c * k + d)
                            for q in sums:
                                part = builder.fmul(slope, builder.load(entry[q, d]), flags=["contract"])
                                sums[q] = builder.fadd(sums[q], part, flags=["contract"])
                    for q, total in sums.items():
                        positive = builder.select(builder.fcmp_ordered("<", total, zero), zero, total)
                        builder.store(positive, entry[q, c])
            for q, c in group:
                value = builder.select(living, builder.load(entry[q, c]), old[q, c])
                index = builder.add(args[8], ir.Constant(ir.IntType(64), (q * k + c) * LANES))
                pointer = _pointer(context, builder, target, args[7], index)
                builder.store(value, pointer, align=wanted.bitwidth // 8)
        return context.get_dummy_value()

    signature = types.void(
        rows, r, types.intp, slopes, shrink, source, types.intp, target, types.intp, alive, types.intp, units
    )
    return signature, codegen


def _local(builder: Any, dtype: types.Float) -> Any:
    kind = _vector(dtype)
    with builder.goto_entry_block():
        place = builder.alloca(kind)
    builder.store(ir.Constant(kind, None), place)
    return place


class _cells:  # noqa: N801 - used as a context manager, like the functions of contextlib
    """Emit a loop over cells; the body is the with block."""

    def __init__(self, builder: Any, first: Any, last: Any) -> None:
        from numba.core import cgutils

        self._loop = cgutils.for_range_slice(
            builder, first, last, ir.Constant(ir.IntType(64), 1), intp=ir.IntType(64), inc=True
        )

    def __enter__(self) -> Any:
        p, _ = self._loop.__enter__()
        return p

    def __exit__(self, *error: Any) -> Any:
        return self._loop.__exit__(*error)


def _cell(
    context: Any, builder: Any, values: Any, rows: Any, args: Any, p: Any, wanted: Any, k: int
) -> tuple[Any, Any]:
    at = builder.mul(p, ir.Constant(p.type, LANES))
    cell = read(builder, _pointer(context, builder, values, args[0], at), values.dtype, wanted)
    data = context.make_array(rows)(context, builder, args[1]).data
    row = builder.load(builder.gep(data, [p], inbounds=True))
    row = row if row.type.width == 64 else builder.zext(row, ir.IntType(64))
    return cell, builder.mul(row, ir.Constant(row.type, k * LANES))
