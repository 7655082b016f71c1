"""The map of a fit's bins on a page, where a reader chooses bins and sees their chemistry."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ..figures import style as look
from ..figures.panels import frame, oriented
from ..fits.fit import Fit, fractions
from ..fits.intervals import COVERAGE
from ..mixtures.bins import Bins
from ..paper.amounts import amount, readable, unit_text
from ..paper.blocks import Live, Sheet
from ..paper.report import environment
from ..stars.variables import unit_of

ID = "explorer"
Line = tuple[np.ndarray, np.ndarray]
"""Lz and E of a boundary's columns."""
MOST_CELLS = 400_000
"""Cells of V with stars above which the page would be too large: such a fit is shown in figures only."""
MOST_BINS = 4096
NO_STARS = "#dddddd"
_LEFT, _TOP, _INNER, _BELOW = 58, 8, 360, 46
_FOLDER = Path(__file__).parent
_POWERS = {1e3: "10³ ", 1e5: "10⁵ "}


@dataclass(frozen=True)
class _Frame:
    """Places in the drawing, in its own pixels."""

    left: int = _LEFT
    top: int = _TOP
    inner: int = _INNER
    bottom: int = _TOP + _INNER
    width: int = _LEFT + _INNER + 12
    height: int = _TOP + _INNER + _BELOW


@dataclass(frozen=True)
class _Side:
    """An axis of the map: its limits in drawn units, and where its bins lie between them, shape (m, 2), from 0 to 1."""

    label: str
    low: float
    high: float
    bounds: np.ndarray
    ticks: tuple[dict[str, Any], ...]


def explorer(fit: Fit, boundary: Line | None = None, limits: np.ndarray | None = None) -> Live | None:
    """Return the interactive map of a fit; None of one with too many bins or counts for a page.

    Parameters
    ----------
    fit : Fit
        Bins on one or two variables.
    boundary : (Lz, E) of ndarray, shapes (columns,), optional
        In kpc km / s and km2 / s2; drawn in a map of E and Lz.
    limits : ndarray, shape (2, m), optional
        Of the intervals of the accreted fraction in each bin.
    """
    mixtures = fit.mixtures
    if np.count_nonzero(mixtures.V) > MOST_CELLS or len(mixtures.bins) > MOST_BINS:
        return None
    across, up = _sides(mixtures.bins)
    accreted = fit.reading.of(fractions(fit.W))
    colours = [
        NO_STARS if not np.isfinite(x) else shade for x, shade in zip(accreted, look.shades(1 - accreted), strict=True)
    ]
    template = environment(_FOLDER).get_template("explorer.html")
    markup = template.render(
        id=ID,
        frame=_Frame(),
        x=across,
        y=up,
        bins=[
            {"text": text, "colour": colour, **place}
            for text, colour, place in zip(_texts(fit, accreted, limits), colours, _places(across, up), strict=True)
        ],
        line=_line(boundary, mixtures.bins, across, up),
        key=look.shades(1 - np.linspace(0, 1, 20)),
        fraction=f"{fit.reading.label} fraction",
        names=fit.names,
        planes=[
            {"index": i, "x": readable(plane.x), "y": readable(plane.y)}
            | {f"{side}_low": amount(limits[0]) for side, limits in _limits(fit, plane)}
            | {f"{side}_high": amount(limits[1]) for side, limits in _limits(fit, plane)}
            for i, plane in enumerate(mixtures.chemistry.planes)
        ],
        pixels=mixtures.chemistry.pixels,
        data=_data(fit, across, up),
    )
    script, style = ((_FOLDER / f"explorer.{suffix}").read_text(encoding="utf-8") for suffix in ("js", "css"))
    return Live(ID, Markup(markup), script, style.rstrip())


def _limits(fit: Fit, plane: Any) -> tuple[tuple[str, tuple[float, float]], ...]:
    limits = fit.mixtures.chemistry.limits
    return ("x", limits[plane.x]), ("y", limits[plane.y])


def _sides(bins: Bins) -> tuple[_Side, _Side]:
    """Return the axis across and the one upwards; bins on one variable fill the whole height."""
    if len(bins.axes) == 1:
        bounds = np.broadcast_to([0.0, 1.0], (len(bins), 2))
        return _side(bins, 0, upright=False), _Side("", 0.0, 1.0, bounds, ())
    x, y = oriented(bins)
    return _side(bins, x, upright=False), _side(bins, y, upright=True)


def _side(bins: Bins, index: int, *, upright: bool) -> _Side:
    name = bins.axes[index].variable
    factor = look.scale(name).factor
    low, high = frame(bins, index)
    ticks = []
    for value in look.round_numbers(low, high, 5):
        at = (value - low) / (high - low) * _INNER
        text = f"{value:.6g}".replace("-", "\N{MINUS SIGN}")
        ticks.append({"at": round(_TOP + _INNER - at if upright else _LEFT + at, 1), "text": text})
    bounds = np.clip((bins.bounds[:, index] / factor - low) / (high - low), 0, 1)
    return _Side(_label(name), low, high, bounds, tuple(ticks))


def _places(across: _Side, up: _Side) -> list[dict[str, float]]:
    """Return the rectangle of every bin in the drawing."""
    x, y = across.bounds * _INNER, (1 - up.bounds) * _INNER
    return [
        {"x": round(a, 2), "y": round(d, 2), "width": round(b - a, 2), "height": round(c - d, 2)}
        for (a, b), (c, d) in zip(x.tolist(), y.tolist(), strict=True)
    ]


def _texts(fit: Fit, accreted: np.ndarray, limits: np.ndarray | None) -> list[str]:
    """Return what is said of every bin."""
    bins = fit.mixtures.bins
    found = []
    ends = _ends(limits, len(bins))
    for bounds, stars, fraction, end in zip(bins.bounds, fit.mixtures.n_stars, accreted, ends, strict=True):
        ranges = []
        for axis, (low, high) in zip(bins.axes, bounds, strict=True):
            unit = unit_of(axis.variable)
            ranges.append(f"{readable(axis.variable)} {amount(low, digits=4)} to {amount(high, unit, digits=4)}")
        within = f" ({end} %)" if end else ""
        said = (
            f"{100 * fraction:.0f} % {fit.reading.label}{within}" if np.isfinite(fraction) else "no stars in the planes"
        )
        found.append(f"{'; '.join(ranges)}: {stars:,} stars, {said}")
    return found


def _ends(limits: np.ndarray | None, number: int, form: str = ".0f") -> list[str]:
    """Return the interval of each bin in per cent; an empty text where it has none."""
    if limits is None:
        return [""] * number
    return [f"{100 * a:{form}} to {100 * b:{form}}" if np.isfinite(a + b) else "" for a, b in limits.T]


def bins_table(fit: Fit, limits: np.ndarray | None = None) -> Sheet:
    """Return what the map shows as a table: the limits of each bin, its stars, and the components' fractions."""
    mixtures, parts = fit.mixtures, fractions(fit.W)
    variables = [axis.variable for axis in mixtures.bins.axes]
    factors = [look.scale(name).factor for name in variables]
    header = ("bin", *map(_label, variables), "stars", *(f"{name} [%]" for name in fit.names))
    within: list[tuple[str, ...]] = [()] * len(mixtures.bins)
    if limits is not None:
        header += (f"{fit.reading.label}: interval of {100 * COVERAGE:.0f} % [%]",)
        within = [(end,) for end in _ends(limits, len(mixtures.bins), ".1f")]
    rows = []
    for i, bounds in enumerate(mixtures.bins.bounds):
        ranges = (f"{a / f:.4g} to {b / f:.4g}" for (a, b), f in zip(bounds, factors, strict=True))
        shown = (f"{100 * x:.1f}" if np.isfinite(x) else "" for x in parts[i])
        signed = (text.replace("-", "\N{MINUS SIGN}") for text in ranges)
        rows.append((str(i + 1), *signed, f"{mixtures.n_stars[i]:,}", *shown, *within[i]))
    said = "The bins of the map: limits, stars, fractions of the components."
    return Sheet("bins", said, header, tuple(rows), folded=f"The map as a table of {len(rows):,} bins")


def _label(name: str) -> str:
    unit = (_POWERS.get(look.scale(name).factor, "") + unit_text(unit_of(name))).strip()
    return f"{readable(name)} [{unit}]" if unit else readable(name)


def _line(boundary: Line | None, bins: Bins, across: _Side, up: _Side) -> str:
    """Return the boundary's points in the drawing; empty where there is none or the map is of other variables."""
    if boundary is None or [axis.variable for axis in bins.axes] not in (["E", "Lz"], ["Lz", "E"]):
        return ""
    Lz, E = boundary
    good = np.isfinite(E)
    x = (Lz[good] / look.scale("Lz").factor - across.low) / (across.high - across.low)
    y = (E[good] / look.scale("E").factor - up.low) / (up.high - up.low)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x * _INNER, (1 - y) * _INNER, strict=True))


def _data(fit: Fit, across: _Side, up: _Side) -> dict[str, Any]:
    """Return the numbers that the script draws from, packed: V by its cells with stars, W and H in single precision."""
    mixtures, chemistry = fit.mixtures, fit.mixtures.chemistry
    rows, columns = np.nonzero(mixtures.V)
    values = mixtures.V[rows, columns]
    return {
        "pixels": chemistry.pixels,
        "planes": len(chemistry.planes),
        "names": list(fit.names),
        "colours": look.hexes(look.colours(len(fit.names))),
        "stars": mixtures.n_stars.tolist(),
        "limits": [across.low, across.high, up.low, up.high],
        "upright": bool(up.label),
        "axes": [
            [
                {"label": readable(name), "low": chemistry.limits[name][0], "high": chemistry.limits[name][1]}
                for name in (plane.x, plane.y)
            ]
            for plane in chemistry.planes
        ],
        "filled": _packed(np.bincount(rows, minlength=len(mixtures.V))),
        "columns": _packed(columns),
        "values": _packed(values),
        "W": _packed(fit.W, whole=False),
        "H": _packed(fit.H, whole=False),
    }


def _packed(x: Sequence[float] | np.ndarray, *, whole: bool = True) -> dict[str, str]:
    """Return numbers in base64: whole ones in two or four bytes as they need, others in single precision."""
    x = np.asarray(x).ravel()
    kind = "f4"
    if whole and not np.any(x % 1) and x.max(initial=0) < 2**32:
        kind = "u2" if x.max(initial=0) < 2**16 else "u4"
    return {"kind": kind, "data": base64.b64encode(x.astype(f"<{kind}").tobytes()).decode()}
