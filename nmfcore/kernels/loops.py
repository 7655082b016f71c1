"""The inner loops over cells and over rows, written for vectors of LANES values: their sums stay in registers.

All working arrays of a tile lie in one array, `work`; places in it are given as indices of LANES-wide entries' first.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .lanes import LANES, pointer_to, read, vector_of

# Components whose Gram sums fit in the registers together, and entries of rows that do with what they are made of.
SHARED = 4
TOGETHER = 8


@intrinsic
def dot_column(
    typingctx: Any, values: Any, rows: Any, first: Any, last: Any, factor: Any, at: Any, out: Any, to: Any, units: Any
) -> Any:
    """Write the sums over cells p in [first, last) of values[p] * factor[at + (rows[p], c)], c < k, to out[to:].

    `values` (cells, LANES) is flat; the factor (m, k, LANES) begins at factor[at]; `units` is any tuple of length k.
    The k sums stay in registers.
    """
    k = len(units)
    wanted = factor.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place, answer = (Places(context, builder, *pair, wanted) for pair in ((factor, args[4]), (out, args[6])))
        sums = [local(builder, wanted) for _ in range(k)]
        with each_cell(builder, args[2], args[3]) as p:
            cell, offset = cell_at(context, builder, values, rows, args, p, wanted, k)
            base = builder.add(args[5], offset)
            for c in range(k):
                product = builder.fmul(cell, place.read(base, c), flags=["contract"])
                add_to(builder, sums[c], product)
        for c in range(k):
            answer.write(args[7], c, builder.load(sums[c]))
        return context.get_dummy_value()

    signature = types.void(values, rows, types.intp, types.intp, factor, types.intp, out, types.intp, units)
    return signature, codegen


@intrinsic
def scatter_column(
    typingctx: Any, values: Any, rows: Any, first: Any, last: Any, work: Any, factor: Any, source: Any, units: Any
) -> Any:
    """Add values[p] * work[source + c] to factor[rows[p], c] for cells p in [first, last) and every component c."""
    k = len(units)
    wanted = work.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = Places(context, builder, work, args[4], wanted)
        held = [place.read(args[6], c) for c in range(k)]
        with each_cell(builder, args[2], args[3]) as p:
            cell, offset = cell_at(context, builder, values, rows, args, p, wanted, k)
            base = builder.add(args[5], offset)
            for c in range(k):
                product = builder.fmul(cell, held[c], flags=["contract"])
                place.write(base, c, builder.fadd(place.read(base, c), product, flags=["contract"]))
        return context.get_dummy_value()

    signature = types.void(values, rows, types.intp, types.intp, work, types.intp, types.intp, units)
    return signature, codegen


@intrinsic
def gram_rows(
    typingctx: Any, factor: Any, at: Any, first: Any, last: Any, out: Any, to: Any, sums: Any, place: Any, units: Any
) -> Any:
    """Add the Gram matrix of some rows of the factor at factor[at:] to out[to:], and their sums to sums[place:].

    All sums of up to SHARED components run side by side, so that none waits for its own last addition.
    """
    k = len(units)
    wanted = factor.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = (factor, args[0]), (out, args[4]), (sums, args[6])
        rows, squared, summed = (Places(context, builder, *pair, wanted) for pair in pairs)
        groups = [range(k)] if k <= SHARED else [range(c, c + 1) for c in range(k)]
        for group in groups:
            plain = {c: local(builder, wanted) for c in group}
            squares = {(c, d): local(builder, wanted) for c in group for d in range(c + 1)}
            with each_cell(builder, args[2], args[3]) as i:
                at = builder.add(args[1], builder.mul(i, ir.Constant(i.type, k * LANES)))
                row = {c: rows.read(at, c) for c in range(max(group) + 1)}
                for c, total in plain.items():
                    builder.store(builder.fadd(builder.load(total), row[c]), total)
                for (c, d), total in squares.items():
                    product = builder.fmul(row[c], row[d], flags=["contract"])
                    add_to(builder, total, product)
            for c, total in plain.items():
                summed.write(args[7], c, builder.fadd(summed.read(args[7], c), builder.load(total)))
            for (c, d), total in squares.items():
                value = builder.fadd(squared.read(args[5], c * k + d), builder.load(total))
                squared.write(args[5], c * k + d, value)
                if c != d:
                    squared.write(args[5], d * k + c, value)
        return context.get_dummy_value()

    at = types.intp
    return types.void(factor, at, at, at, out, at, sums, at, units), codegen


# Intrinsics take every place by itself; numba adds the typing context.
@intrinsic
def sweep_rows(
    typingctx: Any, rows: Any, work: Any, r: Any, slopes: Any, shrink: Any, source: Any, target: Any, alive: Any,
    sweeps: Any, units: Any,
) -> Any:  # fmt: skip
    """Write `sweeps` sweeps of coordinate descent over some rows of a factor to work[target:]; idle lanes are copied.

    `rows` is any tuple as long as there are rows. work[r:] is the product with the data (rows, k, LANES), work[source:]
    the rows as they are. work[slopes:] holds, for every component c, the reciprocal of its curvature, then for every
    pair (c, d) what d counts in the minimum of c: minus the Gram matrix over the curvature; zeros where there is none,
    which leaves an entry as it is. The rows of a group stay in registers, side by side, as each entry waits for
    another.
    """
    k, number = len(units), len(rows)
    wanted = work.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = Places(context, builder, work, args[1], wanted)
        zero = ir.Constant(vector_of(wanted), None)
        per = [place.read(args[3], c) for c in range(k)]
        curved = [builder.fcmp_ordered(">", x, zero) for x in per]
        living = builder.fcmp_ordered(">", args[7], zero)
        together = max(1, min(number, TOGETHER // k))
        for first in range(0, number, together):
            group = [(q, c) for q in range(first, min(first + together, number)) for c in range(k)]
            old = {(q, c): place.read(args[5], q * k + c) for q, c in group}
            goal, entry = {}, {}
            for q, c in group:
                above = builder.fsub(place.read(args[2], q * k + c), args[4])
                # Without an effect an entry stays, unless an L1 penalty makes zero its minimum.
                kept = builder.select(builder.fcmp_ordered(">", args[4], zero), zero, old[q, c])
                goal[q, c] = builder.select(curved[c], builder.fmul(above, per[c]), kept)
                entry[q, c] = local(builder, wanted)
                builder.store(old[q, c], entry[q, c])
            with cgutils.for_range(builder, args[8]):
                for c in range(k):
                    sums = {q: goal[q, c] for q, d in group if d == c}
                    for d in range(k):
                        if d != c:
                            slope = place.read(args[3], k + c * k + d)
                            for q in sums:
                                part = builder.fmul(slope, builder.load(entry[q, d]), flags=["contract"])
                                sums[q] = builder.fadd(sums[q], part, flags=["contract"])
                    for q, total in sums.items():
                        positive = builder.select(builder.fcmp_ordered("<", total, zero), zero, total)
                        builder.store(positive, entry[q, c])
            for q, c in group:
                place.write(args[6], q * k + c, builder.select(living, builder.load(entry[q, c]), old[q, c]))
        return context.get_dummy_value()

    intp = types.intp
    return types.void(rows, work, intp, intp, shrink, intp, intp, alive, intp, units), codegen


@intrinsic
def multiply_rows(
    typingctx: Any, rows: Any, work: Any, r: Any, G: Any, penalty: Any, source: Any, target: Any, alive: Any,
    sweeps: Any, bounds: Any, units: Any,
) -> Any:  # fmt: skip
    """Write `sweeps` multiplicative updates of some rows of a factor to work[target:]; idle lanes are copied.

    As `sweep_rows`; work[G:] is the Gram matrix of the other factor with l2 on its diagonal, `penalty` l1. `bounds` are
    the least that a denominator counts for, and the least that a positive entry becomes.
    """
    k, number = len(units), len(rows)
    wanted = work.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = Places(context, builder, work, args[1], wanted)
        zero = ir.Constant(vector_of(wanted), None)
        living = builder.fcmp_ordered(">", args[7], zero)
        floor, least = (builder.extract_value(args[9], i) for i in range(2))
        together = max(1, min(number, TOGETHER // k))
        for first in range(0, number, together):
            group = [(q, c) for q in range(first, min(first + together, number)) for c in range(k)]
            old = {(q, c): place.read(args[5], q * k + c) for q, c in group}
            negative = {(q, c): place.read(args[2], q * k + c) for q, c in group}
            entry = {one: local(builder, wanted) for one in group}
            for one in group:
                builder.store(old[one], entry[one])
            with cgutils.for_range(builder, args[8]):
                before = {one: builder.load(entry[one]) for one in group}
                for c in range(k):
                    sums = {q: args[4] for q, d in group if d == c}
                    for d in range(k):
                        weight = place.read(args[3], c * k + d)
                        for q in sums:
                            part = builder.fmul(weight, before[q, d], flags=["contract"])
                            sums[q] = builder.fadd(sums[q], part, flags=["contract"])
                    for q, total in sums.items():
                        positive = builder.select(builder.fcmp_ordered(">", total, zero), total, floor)
                        value = builder.fmul(builder.fdiv(negative[q, c], positive), before[q, c])
                        # Positive entries stay positive where there are data.
                        stays = builder.and_(
                            builder.fcmp_ordered(">", negative[q, c], zero),
                            builder.fcmp_ordered(">", before[q, c], zero),
                        )
                        lowest = builder.select(stays, least, zero)
                        value = builder.select(builder.fcmp_ordered("<", value, lowest), lowest, value)
                        builder.store(value, entry[q, c])
            for q, c in group:
                place.write(args[6], q * k + c, builder.select(living, builder.load(entry[q, c]), old[q, c]))
        return context.get_dummy_value()

    intp = types.intp
    return types.void(rows, work, intp, intp, penalty, intp, intp, alive, intp, bounds, units), codegen


class Places:
    """Emit reads and writes of LANES values of one array."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any, wanted: Any) -> None:
        self._builder, self._wanted = builder, wanted
        self._data = context.make_array(kind)(context, builder, array).data

    def _pointer(self, base: Any, entry: int) -> Any:
        index = self._builder.add(base, ir.Constant(base.type, entry * LANES))
        pointer = self._builder.gep(self._data, [index], inbounds=True)
        return self._builder.bitcast(pointer, ir.PointerType(vector_of(self._wanted)))

    def read(self, base: Any, entry: int) -> Any:
        """Emit a load of entry number `entry` after index `base`."""
        return read(self._builder, self._pointer(base, entry), self._wanted, self._wanted)

    def add(self, base: Any, totals: list[Any]) -> None:
        """Emit the addition of sums on the stack to the entries from number 0 on after index `base`."""
        for entry, total in enumerate(totals):
            self.write(base, entry, self._builder.fadd(self.read(base, entry), self._builder.load(total)))

    def write(self, base: Any, entry: int, value: Any) -> None:
        """Emit a store."""
        self._builder.store(value, self._pointer(base, entry), align=self._wanted.bitwidth // 8)


def local(builder: Any, dtype: types.Float) -> Any:
    """Emit room for LANES values on the stack, zero at first; return its address."""
    kind = vector_of(dtype)
    with builder.goto_entry_block():
        place = builder.alloca(kind)
    builder.store(ir.Constant(kind, None), place)
    return place


def add_to(builder: Any, total: Any, term: Any) -> None:
    """Emit the addition of a product to a sum on the stack."""
    builder.store(builder.fadd(builder.load(total), term, flags=["contract"]), total)


class each_cell:  # noqa: N801 - used as a context manager, like the functions of contextlib
    """Emit a loop over cells; the body is the with block."""

    def __init__(self, builder: Any, first: Any, last: Any) -> None:
        self._loop = cgutils.for_range_slice(
            builder, first, last, ir.Constant(ir.IntType(64), 1), intp=ir.IntType(64), inc=True
        )

    def __enter__(self) -> Any:
        p, _ = self._loop.__enter__()
        return p

    def __exit__(self, *error: Any) -> Any:
        return self._loop.__exit__(*error)


def cell_at(
    context: Any, builder: Any, values: Any, rows: Any, args: Any, p: Any, wanted: Any, k: int
) -> tuple[Any, Any]:
    """Emit what cell `p` holds, as the factors' type, and where in a factor of k components its row begins."""
    at = builder.mul(p, ir.Constant(p.type, LANES))
    cell = read(builder, pointer_to(context, builder, values, args[0], at), values.dtype, wanted)
    data = context.make_array(rows)(context, builder, args[1]).data
    row = builder.load(builder.gep(data, [p], inbounds=True))
    row = row if row.type.width == 64 else builder.zext(row, ir.IntType(64))
    return cell, builder.mul(row, ir.Constant(row.type, k * LANES))
