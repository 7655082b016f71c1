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

from ..rules.newton import INNER, KEPT, LEAST, LOOSE, NEGLIGIBLE
from .lanes import LANES, _splat, vector_of
from .loops import _cell, _cells, _local, _places

CONTRACT = ["contract"]


def sums_of(k: int, narrow: bool) -> int:
    """Return how many sums over cells a Newton step for k shares takes; `narrow` if no lane is loose."""
    return 2 if k == 2 and narrow else k + k * (k + 1) // 2


def _constant(builder: Any, value: float, kind: Any) -> Any:
    return _splat(builder, ir.Constant(kind.element, value), kind)


def _over(builder: Any, above: Any, y: Any, kind: Any) -> Any:
    # The reciprocal may be an estimate that is refined: a division takes longer than all else.
    floor = _constant(builder, LEAST, kind)
    y = builder.select(builder.fcmp_ordered("<", y, floor), floor, y)
    one = _constant(builder, 1.0, kind)
    return builder.fmul(above, builder.fdiv(one, y, flags=["arcp"]))


def _mixture(builder: Any, parts: list[Any], shares: list[Any]) -> Any:
    y = builder.fmul(parts[0], shares[0], flags=CONTRACT)
    for x, u in zip(parts[1:], shares[1:], strict=True):
        y = builder.fadd(y, builder.fmul(x, u, flags=CONTRACT), flags=CONTRACT)
    return y


def _terms(builder: Any, cell: Any, parts: list[Any], shares: list[Any], narrow: bool, kind: Any) -> list[Any]:
    # What a cell adds: each is a product that the sums may contract.
    y = _mixture(builder, parts, shares)
    if len(parts) == 2 and narrow:
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


def _along(builder: Any, slope: Any, curvature: Any, old: list[Any], least: list[Any], kind: Any) -> list[Any]:
    # Two shares after a step that leaves their sum.
    bent = builder.fcmp_ordered(">", curvature, ir.Constant(kind, None))
    step = builder.fdiv(slope, builder.select(bent, curvature, _constant(builder, 1.0, kind)), flags=["arcp"])
    step = builder.select(bent, step, ir.Constant(kind, None))
    low, high = builder.fsub(least[0], old[0]), builder.fsub(old[1], least[1])
    step = builder.select(builder.fcmp_ordered("<", step, low), low, step)
    step = builder.select(builder.fcmp_ordered(">", step, high), high, step)
    return [builder.fadd(old[0], step), builder.fsub(old[1], step)]


def _minimum(builder: Any, sums: list[Any], mass: Any, old: list[Any], loose: Any, kind: Any) -> list[Any]:
    # Shares after a Newton step, not at unit sum yet: see `rules.newton.mixed`. No lane is loose if that is None.
    k = len(old)
    zero, one = ir.Constant(kind, None), _constant(builder, 1.0, kind)
    kept, negligible = (_constant(builder, x, kind) for x in (KEPT, NEGLIGIBLE))
    least = [builder.select(builder.fcmp_ordered("<", negligible, u), builder.fmul(kept, u), zero) for u in old]
    if loose is None and k == 2:
        return _along(builder, *sums, old, least, kind)
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
    new, early = list(old), list(old)
    for sweep in range(LOOSE if k == 2 else INNER):
        for c in range(k):
            value = goal[c]
            for d in range(k):
                if d != c and moved[d] is not None:
                    value = builder.fsub(value, builder.fmul(scaled[c, d], moved[d], flags=CONTRACT), flags=CONTRACT)
            value = builder.select(builder.fcmp_ordered("<", value, least[c]), least[c], value)
            new[c] = builder.select(bent[c], value, idle[c])
            moved[c] = builder.fsub(new[c], old[c])
        if sweep == LOOSE - 1:
            early = list(new)
    if k == 2:
        cross = builder.fadd(curvature[0, 1], curvature[0, 1])
        across = builder.fsub(builder.fadd(curvature[0, 0], curvature[1, 1]), cross)
        new = _along(builder, builder.fsub(sums[0], sums[1]), across, old, least, kind)
    if loose is None:
        return new
    is_loose = builder.fcmp_ordered(">", loose, zero)
    return [builder.select(is_loose, x, y) for x, y in zip(early, new, strict=True)]


def _unit(builder: Any, values: list[Any], loose: Any, kind: Any) -> list[Any]:
    # At unit sum but in loose lanes; zeros stay zeros.
    total = values[0]
    for x in values[1:]:
        total = builder.fadd(total, x)
    zero, one = ir.Constant(kind, None), _constant(builder, 1.0, kind)
    some = builder.fcmp_ordered(">", total, zero)
    if loose is not None:
        some = builder.and_(some, builder.fcmp_ordered("<=", loose, zero))
    per = builder.fdiv(one, builder.select(some, total, one), flags=["arcp"])
    return [builder.fmul(x, per) for x in values]


def _sum_cells(
    context: Any, builder: Any, values: Any, index: Any, args: Any, place: Any, shares: list[Any], narrow: bool,
    wanted: Any,
) -> list[Any]:  # fmt: skip
    # args begins with values, index, first and last.
    k, kind = len(shares), vector_of(wanted)
    sums = [_local(builder, wanted) for _ in range(sums_of(k, narrow))]
    with _cells(builder, args[2], args[3]) as p:
        cell, offset = _cell(context, builder, values, index, args, p, wanted, k)
        parts = [place.read(offset, c) for c in range(k)]
        for total, term in zip(sums, _terms(builder, cell, parts, shares, narrow, kind), strict=True):
            builder.store(builder.fadd(builder.load(total), term, flags=CONTRACT), total)
    return [builder.load(total) for total in sums]


# Intrinsics take every array and index by itself; numba adds the typing context. `loose` is a vector, or None if no
# lane is loose.
@intrinsic
def mix_column(
    typingctx: Any, values: Any, rows: Any, first: Any, last: Any, Y: Any, H: Any, at: Any, scale: Any, mass: Any,
    per: Any, loose: Any, units: Any,
) -> Any:  # fmt: skip
    """Take one Newton step for the shares of one column of V, cells [first, last), in the components Y of unit sum.

    The shares are as H[at + c] times scale[c], `per` one over the column's `mass`; H[at:] becomes the new ones times
    the mass. In lanes that are `loose` > 0 shares need not have unit sum.
    """
    k = len(units)
    wanted = Y.dtype
    narrow = isinstance(loose, types.NoneType)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, none = vector_of(wanted), ir.Constant(ir.IntType(64), 0)
        points, factor, scales = (
            _places(context, builder, *pair, wanted) for pair in ((Y, args[4]), (H, args[5]), (scale, args[7]))
        )
        slack = None if narrow else args[10]
        old = [builder.fmul(factor.read(args[6], c), scales.read(none, c)) for c in range(k)]
        old = _unit(builder, [builder.fmul(x, args[9]) for x in old], slack, kind)
        sums = _sum_cells(context, builder, values, rows, args, points, old, narrow, wanted)
        new = _unit(builder, _minimum(builder, sums, args[8], old, slack, kind), slack, kind)
        for c in range(k):
            factor.write(args[6], c, builder.fmul(new[c], args[8]))
        return context.get_dummy_value()

    at = types.intp
    return types.void(values, rows, at, at, Y, H, at, scale, mass, per, loose, units), codegen


@intrinsic
def mix_stretch(
    typingctx: Any, values: Any, columns: Any, first: Any, last: Any, H: Any, shares: Any, at: Any, out: Any, to: Any,
    loose: Any, units: Any,
) -> Any:  # fmt: skip
    """Add to out[to:] what cells [first, last) of one row say of its shares, shares[at:], in the rows of H."""
    k = len(units)
    wanted = H.dtype
    narrow = isinstance(loose, types.NoneType)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        factor, given, sums = (
            _places(context, builder, *pair, wanted) for pair in ((H, args[4]), (shares, args[5]), (out, args[7]))
        )
        old = [given.read(args[6], c) for c in range(k)]
        for c, value in enumerate(_sum_cells(context, builder, values, columns, args, factor, old, narrow, wanted)):
            sums.write(args[8], c, builder.fadd(sums.read(args[8], c), value))
        return context.get_dummy_value()

    at = types.intp
    return types.void(values, columns, at, at, H, shares, at, out, at, loose, units), codegen


@intrinsic
def mix_row(
    typingctx: Any, sums: Any, at: Any, mass: Any, shares: Any, place: Any, loose: Any, units: Any
) -> Any:
    """Set shares[place:] to what a Newton step makes of them by sums[at:], times the row's `mass`."""
    k = len(units)
    wanted = shares.dtype
    narrow = isinstance(loose, types.NoneType)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = vector_of(wanted)
        found, factor = (_places(context, builder, *pair, wanted) for pair in ((sums, args[0]), (shares, args[3])))
        slack = None if narrow else args[5]
        old = [factor.read(args[4], c) for c in range(k)]
        known = [found.read(args[1], c) for c in range(sums_of(k, narrow))]
        new = _unit(builder, _minimum(builder, known, args[2], old, slack, kind), slack, kind)
        for c, value in enumerate(new):
            factor.write(args[4], c, builder.fmul(value, args[2]))
        return context.get_dummy_value()

    return types.void(sums, types.intp, mass, shares, types.intp, loose, units), codegen


@intrinsic
def share_row(typingctx: Any, Y: Any, at: Any, scale: Any, per: Any, target: Any, loose: Any, units: Any) -> Any:
    """Write to target[at:] the shares of one row: Y[at + c] times scale[c] `per` mass, loose or at unit sum."""
    k = len(units)
    wanted = target.dtype
    narrow = isinstance(loose, types.NoneType)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given, scales, out = (
            _places(context, builder, *pair, wanted) for pair in ((Y, args[0]), (scale, args[2]), (target, args[4]))
        )
        none = ir.Constant(ir.IntType(64), 0)
        values = [builder.fmul(given.read(args[1], c), scales.read(none, c)) for c in range(k)]
        values = [builder.fmul(x, args[3]) for x in values]
        for c, value in enumerate(_unit(builder, values, None if narrow else args[5], vector_of(wanted))):
            out.write(args[1], c, value)
        return context.get_dummy_value()

    return types.void(Y, types.intp, scale, per, target, loose, units), codegen


@intrinsic
def pull_cells(
    typingctx: Any, values: Any, index: Any, first: Any, last: Any, table: Any, fixed: Any, at: Any, out: Any, to: Any,
    units: Any,
) -> Any:  # fmt: skip
    """Add to out[to:] the sums over cells [first, last) of v / y table[index], y being table[index] . fixed[at:]."""
    k = len(units)
    wanted = table.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, none = vector_of(wanted), ir.Constant(ir.IntType(64), 0)
        place, given, target = (
            _places(context, builder, *pair, wanted) for pair in ((table, args[4]), (fixed, args[5]), (out, args[7]))
        )
        shares = [given.read(args[6], c) for c in range(k)]
        sums = [_local(builder, wanted) for _ in range(k)]
        with _cells(builder, args[2], args[3]) as p:
            cell, offset = _cell(context, builder, values, index, args, p, wanted, k)
            parts = [place.read(offset, c) for c in range(k)]
            ratio = _over(builder, cell, _mixture(builder, parts, shares), kind)
            for total, part in zip(sums, parts, strict=True):
                product = builder.fmul(ratio, part, flags=CONTRACT)
                builder.store(builder.fadd(builder.load(total), product, flags=CONTRACT), total)
        for c, total in enumerate(sums):
            target.write(args[8], c, builder.fadd(target.read(args[8], c), builder.load(total)))
        return context.get_dummy_value()

    at = types.intp
    return types.void(values, index, at, at, table, fixed, at, out, at, units), codegen
