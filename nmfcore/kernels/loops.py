"""The inner loops over cells and over rows, written for vectors of LANES values: their sums stay in registers."""

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
                other = read(builder, pointer_to(context, builder, factor, args[4], at), wanted, wanted)
                product = builder.fmul(cell, other, flags=["contract"])
                builder.store(builder.fadd(builder.load(sums[c]), product, flags=["contract"]), sums[c])
        for c in range(k):
            at = builder.add(args[6], ir.Constant(ir.IntType(64), c * LANES))
            place = pointer_to(context, builder, out, args[5], at)
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
            held.append(read(builder, pointer_to(context, builder, source, args[5], at), wanted, wanted))
        with _cells(builder, args[2], args[3]) as p:
            cell, offset = _cell(context, builder, values, rows, args, p, wanted, k)
            for c in range(k):
                at = builder.add(offset, ir.Constant(offset.type, c * LANES))
                place = pointer_to(context, builder, factor, args[4], at)
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
                    row[c] = read(builder, pointer_to(context, builder, factor, args[0], place), wanted, wanted)
                for c, total in plain.items():
                    builder.store(builder.fadd(builder.load(total), row[c]), total)
                for (c, d), total in squares.items():
                    product = builder.fmul(row[c], row[d], flags=["contract"])
                    builder.store(builder.fadd(builder.load(total), product, flags=["contract"]), total)
            for c, total in plain.items():
                place = pointer_to(context, builder, sums, args[4], ir.Constant(ir.IntType(64), c * LANES))
                value = builder.fadd(read(builder, place, wanted, wanted), builder.load(total))
                builder.store(value, place, align=wanted.bitwidth // 8)
            for (c, d), total in squares.items():
                place = pointer_to(context, builder, out, args[3], ir.Constant(ir.IntType(64), (c * k + d) * LANES))
                value = builder.fadd(read(builder, place, wanted, wanted), builder.load(total))
                builder.store(value, place, align=wanted.bitwidth // 8)
                if c != d:
                    place = pointer_to(context, builder, out, args[3], ir.Constant(ir.IntType(64), (d * k + c) * LANES))
                    builder.store(value, place, align=wanted.bitwidth // 8)
        return context.get_dummy_value()

    signature = types.void(factor, types.intp, types.intp, out, sums, units)
    return signature, codegen


# Intrinsics take every array and index by itself; numba adds the typing context.
@intrinsic
def sweep_rows(
    typingctx: Any, rows: Any, r: Any, at: Any, slopes: Any, shrink: Any, source: Any, target: Any, place: Any,
    alive: Any, sweeps: Any, units: Any,
) -> Any:  # fmt: skip
    """Write `sweeps` sweeps of coordinate descent over some rows of a factor to target[place:]; idle lanes are copied.

    `rows` is any tuple as long as there are rows. r[at:] is the product with the data (rows, k, LANES), source[place:]
    the rows as they are. `slopes` holds, for every component c, the reciprocal of its curvature, then for every pair
    (c, d) what d counts in the minimum of c: minus the Gram matrix over the curvature; zeros where there is none, which
    leaves an entry as it is. The rows of a group stay in registers, side by side, as each entry waits for another.
    """
    k, number = len(units), len(rows)
    wanted = slopes.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(vector_of(wanted), None)

        def from_array(position: int, kind: Any, base: Any, offset: int) -> Any:
            index = ir.Constant(ir.IntType(64), offset * LANES)
            index = index if base is None else builder.add(base, index)
            return read(builder, pointer_to(context, builder, kind, args[position], index), wanted, wanted)

        per = [from_array(3, slopes, None, c) for c in range(k)]
        curved = [builder.fcmp_ordered(">", x, zero) for x in per]
        living = builder.fcmp_ordered(">", args[8], zero)
        together = max(1, min(number, TOGETHER // k))
        for first in range(0, number, together):
            group = [(q, c) for q in range(first, min(first + together, number)) for c in range(k)]
            old = {(q, c): from_array(5, source, args[7], q * k + c) for q, c in group}
            goal, entry = {}, {}
            for q, c in group:
                above = builder.fsub(from_array(1, r, args[2], q * k + c), args[4])
                goal[q, c] = builder.select(curved[c], builder.fmul(above, per[c]), old[q, c])
                entry[q, c] = _local(builder, wanted)
                builder.store(old[q, c], entry[q, c])
            with cgutils.for_range(builder, args[9]):
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
                index = builder.add(args[7], ir.Constant(ir.IntType(64), (q * k + c) * LANES))
                pointer = pointer_to(context, builder, target, args[6], index)
                builder.store(value, pointer, align=wanted.bitwidth // 8)
        return context.get_dummy_value()

    signature = types.void(rows, r, types.intp, slopes, shrink, source, target, types.intp, alive, types.intp, units)
    return signature, codegen


def _local(builder: Any, dtype: types.Float) -> Any:
    kind = vector_of(dtype)
    with builder.goto_entry_block():
        place = builder.alloca(kind)
    builder.store(ir.Constant(kind, None), place)
    return place


class _cells:  # noqa: N801 - used as a context manager, like the functions of contextlib
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


def _cell(
    context: Any, builder: Any, values: Any, rows: Any, args: Any, p: Any, wanted: Any, k: int
) -> tuple[Any, Any]:
    at = builder.mul(p, ir.Constant(p.type, LANES))
    cell = read(builder, pointer_to(context, builder, values, args[0], at), values.dtype, wanted)
    data = context.make_array(rows)(context, builder, args[1]).data
    row = builder.load(builder.gep(data, [p], inbounds=True))
    row = row if row.type.width == 64 else builder.zext(row, ir.IntType(64))
    return cell, builder.mul(row, ir.Constant(row.type, k * LANES))
