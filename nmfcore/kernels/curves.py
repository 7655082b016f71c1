"""Mixtures under the Kullback-Leibler divergence: what cells say of one column's or row's shares, and the Newton step.

Where a column of V is a mixture of the columns of one factor, of unit sum each, its shares u are not negative and add
up to one; its scale is its sum. So it is for rows. Each cell adds v d / y to the slope by u and v d^2 / y^2 to the
curvature, y being the mixture; d is the difference of the two parts where there are two, else there is a d for each.
Written for vectors of LANES values, as `loops` is: sums stay in registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ..losses import FLOOR
from ..rules.newton import INNER, KEPT, LEAST, NEGLIGIBLE
from .lanes import LANES, in_every_lane, vector_of
from .loops import Places, add_to, cell_at, each_cell, local

CONTRACT = ["contract"]


def sums_of(k: int) -> int:
    """Return how many sums over cells a Newton step for k shares takes."""
    return 2 if k == 2 else k + k * (k + 1) // 2


def _constant(builder: Any, value: float, kind: Any) -> Any:
    return in_every_lane(builder, ir.Constant(kind.element, value), kind)


def _over(builder: Any, above: Any, y: Any, kind: Any, least: float = LEAST) -> Any:
    # The reciprocal may be an estimate that is refined: a division takes longer than all else.
    floor = _constant(builder, least, kind)
    y = builder.select(builder.fcmp_ordered("<", y, floor), floor, y)
    one = _constant(builder, 1.0, kind)
    return builder.fmul(above, builder.fdiv(one, y, flags=["arcp"]))


def _mixture(builder: Any, parts: list[Any], shares: list[Any]) -> Any:
    y = builder.fmul(parts[0], shares[0], flags=CONTRACT)
    for x, u in zip(parts[1:], shares[1:], strict=True):
        y = builder.fadd(y, builder.fmul(x, u, flags=CONTRACT), flags=CONTRACT)
    return y


def _terms(builder: Any, cell: Any, parts: list[Any], shares: list[Any], kind: Any) -> list[Any]:
    # What a cell adds: each is a product that the sums may contract.
    y = _mixture(builder, parts, shares)
    if len(parts) == 2:
        q = _over(builder, builder.fsub(parts[0], parts[1]), y, kind)
        first = builder.fmul(cell, q, flags=CONTRACT)
        return [first, builder.fmul(first, q, flags=CONTRACT)]
    one = _over(builder, _constant(builder, 1.0, kind), y, kind)
    ratio = builder.fmul(cell, one)
    second = builder.fmul(ratio, one)
    terms = [builder.fmul(ratio, x, flags=CONTRACT) for x in parts]
    for c, x in enumerate(parts):
        ahead = builder.fmul(second, x)
        terms += [builder.fmul(ahead, parts[d], flags=CONTRACT) for d in range(c + 1)]
    return terms


def _minimum(builder: Any, sums: list[Any], mass: Any, old: list[Any], kind: Any) -> list[Any]:
    # Shares after a Newton step: see `rules.newton.mixed`.
    k = len(old)
    zero, one = ir.Constant(kind, None), _constant(builder, 1.0, kind)
    kept, negligible = (_constant(builder, x, kind) for x in (KEPT, NEGLIGIBLE))
    least = [builder.select(builder.fcmp_ordered("<", negligible, u), builder.fmul(kept, u), zero) for u in old]
    if k == 2:
        slope, curvature = sums
        bent = builder.fcmp_ordered(">", curvature, zero)
        step = builder.fdiv(slope, builder.select(bent, curvature, one), flags=["arcp"])
        step = builder.select(bent, step, zero)
        low, high = builder.fsub(least[0], old[0]), builder.fsub(old[1], least[1])
        step = builder.select(builder.fcmp_ordered("<", step, low), low, step)
        step = builder.select(builder.fcmp_ordered(">", step, high), high, step)
        return [builder.fadd(old[0], step), builder.fsub(old[1], step)]
    curvature, inverse, goal, idle, bent = {}, [], [], [], []
    for c in range(k):
        for d in range(c + 1):
            curvature[c, d] = curvature[d, c] = sums[k + c * (c + 1) // 2 + d]
    for c in range(k):
        bent.append(builder.fcmp_ordered(">", curvature[c, c], zero))
        inverse.append(builder.fdiv(one, builder.select(bent[c], curvature[c, c], one), flags=["arcp"]))
        slope = builder.fsub(mass, sums[c])
        goal.append(builder.fsub(old[c], builder.fmul(slope, inverse[c], flags=CONTRACT), flags=CONTRACT))
        idle.append(builder.select(builder.fcmp_ordered(">", slope, zero), least[c], old[c]))
    scaled = {(c, d): builder.fmul(curvature[c, d], inverse[c]) for c in range(k) for d in range(k) if c != d}
    moved: list[Any] = [None] * k
    new = list(old)
    for _ in range(INNER):
        for c in range(k):
            value = goal[c]
            for d in range(k):
                if d != c and moved[d] is not None:
                    value = builder.fsub(value, builder.fmul(scaled[c, d], moved[d], flags=CONTRACT), flags=CONTRACT)
            value = builder.select(builder.fcmp_ordered("<", value, least[c]), least[c], value)
            new[c] = builder.select(bent[c], value, idle[c])
            moved[c] = builder.fsub(new[c], old[c])
    return new


def _unit(builder: Any, values: list[Any], kind: Any) -> list[Any]:
    # At unit sum; zeros stay zeros.
    total = values[0]
    for x in values[1:]:
        total = builder.fadd(total, x)
    some = builder.fcmp_ordered(">", total, ir.Constant(kind, None))
    one = _constant(builder, 1.0, kind)
    per = builder.fdiv(one, builder.select(some, total, one), flags=["arcp"])
    return [builder.fmul(x, per) for x in values]


def _sum_cells(
    context: Any, builder: Any, values: Any, index: Any, args: Any, place: Any, at: Any, shares: list[Any], wanted: Any
) -> list[Any]:
    # Sums on the stack; args begins with values, index, first and last.
    k, kind = len(shares), vector_of(wanted)
    sums = [local(builder, wanted) for _ in range(sums_of(k))]
    with each_cell(builder, args[2], args[3]) as p:
        cell, offset = cell_at(context, builder, values, index, args, p, wanted, k)
        base = builder.add(at, offset)
        parts = [place.read(base, c) for c in range(k)]
        for total, term in zip(sums, _terms(builder, cell, parts, shares, kind), strict=True):
            add_to(builder, total, term)
    return sums


# Intrinsics take every array and index by itself; numba adds the typing context.
@intrinsic
def mix_column(
    typingctx: Any, values: Any, rows: Any, first: Any, last: Any, Y: Any, H: Any, at: Any, scale: Any, mass: Any,
    units: Any,
) -> Any:  # fmt: skip
    """Take one Newton step for the shares of one column of V, cells [first, last), in the components Y of unit sum.

    The shares are as H[at + c] times scale[c]; H[at:] becomes the new ones times the column's `mass`.
    """
    k = len(units)
    wanted = Y.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, none = vector_of(wanted), ir.Constant(ir.IntType(64), 0)
        points, factor, scales = (
            Places(context, builder, *pair, wanted) for pair in ((Y, args[4]), (H, args[5]), (scale, args[7]))
        )
        before = [factor.read(args[6], c) for c in range(k)]
        old = _unit(builder, [builder.fmul(x, scales.read(none, c)) for c, x in enumerate(before)], kind)
        totals = _sum_cells(context, builder, values, rows, args, points, none, old, wanted)
        sums = [builder.load(total) for total in totals]
        new = _unit(builder, _minimum(builder, sums, args[8], old, kind), kind)
        for c in range(k):
            factor.write(args[6], c, builder.fmul(new[c], args[8]))
        return context.get_dummy_value()

    return types.void(values, rows, types.intp, types.intp, Y, H, types.intp, scale, mass, units), codegen


@intrinsic
def mix_stretch(
    typingctx: Any, values: Any, columns: Any, first: Any, last: Any, H: Any, shares: Any, at: Any, out: Any, to: Any,
    units: Any,
) -> Any:  # fmt: skip
    """Add to out[to:] what cells [first, last) of one row say of its shares, shares[at:], in the rows of H."""
    k = len(units)
    wanted = H.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        factor, given, sums = (
            Places(context, builder, *pair, wanted) for pair in ((H, args[4]), (shares, args[5]), (out, args[7]))
        )
        old = [given.read(args[6], c) for c in range(k)]
        none = ir.Constant(ir.IntType(64), 0)
        sums.add(args[8], _sum_cells(context, builder, values, columns, args, factor, none, old, wanted))
        return context.get_dummy_value()

    at = types.intp
    return types.void(values, columns, at, at, H, shares, at, out, at, units), codegen


@intrinsic
def mix_row(typingctx: Any, sums: Any, at: Any, mass: Any, shares: Any, place: Any, units: Any) -> Any:
    """Set shares[place:] to what a Newton step makes of them by sums[at:], times the row's `mass`."""
    k = len(units)
    wanted = shares.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = vector_of(wanted)
        found, factor = (Places(context, builder, *pair, wanted) for pair in ((sums, args[0]), (shares, args[3])))
        old = [factor.read(args[4], c) for c in range(k)]
        known = [found.read(args[1], c) for c in range(sums_of(k))]
        for c, value in enumerate(_unit(builder, _minimum(builder, known, args[2], old, kind), kind)):
            factor.write(args[4], c, builder.fmul(value, args[2]))
        return context.get_dummy_value()

    return types.void(sums, types.intp, mass, shares, types.intp, units), codegen


@intrinsic
def unit_row(typingctx: Any, source: Any, at: Any, scale: Any, target: Any, units: Any) -> Any:
    """Write source[at + c] times scale[c], at unit sum over c, to target[at:]."""
    k = len(units)
    wanted = target.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given, scales, out = (
            Places(context, builder, *pair, wanted) for pair in ((source, args[0]), (scale, args[2]), (target, args[3]))
        )
        none = ir.Constant(ir.IntType(64), 0)
        values = [builder.fmul(given.read(args[1], c), scales.read(none, c)) for c in range(k)]
        for c, value in enumerate(_unit(builder, values, vector_of(wanted))):
            out.write(args[1], c, value)
        return context.get_dummy_value()

    return types.void(source, types.intp, scale, target, units), codegen


@intrinsic
def pull_cells(
    typingctx: Any, values: Any, index: Any, first: Any, last: Any, table: Any, fixed: Any, at: Any, out: Any, to: Any,
    units: Any,
) -> Any:  # fmt: skip
    """Add to out[to:] the sums over cells [first, last) of v / y table[index], y being table[index] . fixed[at:]."""
    k = len(units)
    wanted = table.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = vector_of(wanted)
        place, given, target = (
            Places(context, builder, *pair, wanted) for pair in ((table, args[4]), (fixed, args[5]), (out, args[7]))
        )
        shares = [given.read(args[6], c) for c in range(k)]
        sums = [local(builder, wanted) for _ in range(k)]
        with each_cell(builder, args[2], args[3]) as p:
            cell, offset = cell_at(context, builder, values, index, args, p, wanted, k)
            parts = [place.read(offset, c) for c in range(k)]
            ratio = _over(builder, cell, _mixture(builder, parts, shares), kind)
            for total, part in zip(sums, parts, strict=True):
                product = builder.fmul(ratio, part, flags=CONTRACT)
                add_to(builder, total, product)
        target.add(args[8], sums)
        return context.get_dummy_value()

    at = types.intp
    return types.void(values, index, at, at, table, fixed, at, out, at, units), codegen


@intrinsic
def lean_cells(
    typingctx: Any, values: Any, index: Any, first: Any, last: Any, table: Any, fixed: Any, at: Any, c: Any, out: Any,
    to: Any, units: Any,
) -> Any:  # fmt: skip
    """Add to out[to:] what cells [first, last) say of entry c of fixed[at:] alone: the sums of v q, then of v q^2.

    q is table[index, c] / y, y being table[index] . fixed[at:].
    """
    k = len(units)
    wanted = table.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = vector_of(wanted)
        place, given, target = (
            Places(context, builder, *pair, wanted) for pair in ((table, args[4]), (fixed, args[5]), (out, args[8]))
        )
        shares = [given.read(args[6], d) for d in range(k)]
        pull, curvature = local(builder, wanted), local(builder, wanted)
        ahead = builder.mul(args[7], ir.Constant(args[7].type, LANES))
        with each_cell(builder, args[2], args[3]) as p:
            cell, offset = cell_at(context, builder, values, index, args, p, wanted, k)
            y = _mixture(builder, [place.read(offset, d) for d in range(k)], shares)
            q = _over(builder, place.read(builder.add(offset, ahead), 0), y, kind, FLOOR)
            term = builder.fmul(cell, q, flags=CONTRACT)
            add_to(builder, pull, term)
            add_to(builder, curvature, builder.fmul(term, q, flags=CONTRACT))
        target.add(args[9], [pull, curvature])
        return context.get_dummy_value()

    at = types.intp
    return types.void(values, index, at, at, table, fixed, at, at, out, at, units), codegen
