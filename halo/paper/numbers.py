"""The paper's numbers of two components: one body for our fit, its replicates, and a mock's truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..fits.apply import Application
from ..fits.fit import HE, LE, Fit
from ..products.boundary import Boundary
from ..products.crossings import crossings, interpolate
from ..products.densities import densities
from ..products.profile import MIN_STARS
from ..products.tracks import PERCENTILES, percentiles, track
from ..replicates.table import key
from ..stars.published_line import belokurov_kravtsov
from .amounts import amount
from .quoted import Number, numbers
from .scoreboard import Value

Products = Mapping[str, np.ndarray]
"""Products of a fit by name, as `replicates.products.reduced` names them, without the axis of replicates."""

LINE_MEAN = -1.56e5
"""Mean of the line of Belokurov & Kravtsov (2023) as the paper quotes it, km2 / s2; LE's fraction is read off there."""
POOR = -1.5
"""[Fe/H] below which the paper finds the tracks still apart."""
SPAN = (-2.0, 0.5)
"""[Fe/H] over which it compares them."""
LEVELS = {"chemically-pure": (50, 90, 10), "kinematically-pure": (50, 90)}
"""Per cent of HE whose energies the paper gives."""
LEAST_REPLICATES = 20
"""An interval of fewer replicates would say nothing."""


def products_of(fit: Fit, applications: Mapping[str, Application], line: Boundary | None) -> dict[str, np.ndarray]:
    """Return those products of a fit that numbers are read off, from its applications by variable."""
    found = {key("mass_fraction"): fit.mass_fractions, key("mean_fraction"): fit.mean_fractions}
    for name, application in applications.items():
        found[key("fraction", name)] = application.fractions
    if line is not None:
        found[key("boundary_smoothed")] = line.smoothed
    chemistry = fit.mixtures.chemistry
    for name in chemistry.variables:
        found[key("percentile", name)] = percentiles(fit, name)
    for i, plane in enumerate(chemistry.planes):
        found[key("track", str(plane))] = np.array([track(fit, j, i).median for j in range(len(fit.names))])
    return found


def two_components(selection: str, products: Products, coordinates: Products) -> dict[str, float]:
    """Return the paper's numbers of a fit of two components by id; NaN where the products have none.

    Parameters
    ----------
    selection : str
        ``chemically-pure`` or ``kinematically-pure``.
    products, coordinates : mapping
        As `replicates.Base` holds them.
    """
    found: dict[str, float] = {}
    if key("fraction", "E") in products:
        half = np.nan
        for level in LEVELS[selection]:
            at = crossing(products, coordinates, "E", level / 100, near=half)
            half = at if level == 50 else half
            found[f"R9.{selection}.{level}"] = at
    for name in "rzR":
        if key("fraction", name) in products:
            found[f"R10.{selection}.{name}"] = crossing(products, coordinates, name, 0.5)
    if selection == "kinematically-pure":
        far = _fraction(products, coordinates, "r")
        if far is not None:
            x, fraction = far
            beyond = fraction[(x > 12) & np.isfinite(fraction)]
            found["R11.in_situ"] = float(1 - beyond.min()) if len(beyond) else np.nan
        return found
    for i, name in ((0, LE), (-1, HE)):
        found[f"R1.mass.{name}"] = 100 * float(products[key("mass_fraction")][i])
        for abundance in ("FE_H", "AL_FE", "MG_FE"):
            if key("percentile", abundance) in products:
                for q, x in zip(PERCENTILES, products[key("percentile", abundance)][i], strict=True):
                    found[f"R6.{name}.{abundance}.{q:g}"] = float(x)
    if key("boundary_smoothed") in products:
        below = offsets(products[key("boundary_smoothed")], coordinates)
        found["R2.offset.prograde"], found["R2.offset.retrograde"] = _mean(below[1]), _least(below[0])
    if key("fraction", "E") in products:
        found["R2.low_energy"] = 1 - _spline(products, coordinates, "E", LINE_MEAN)
    for y in ("AL_FE", "MG_FE"):
        if key("track", f"{y}:FE_H") in products:
            edges = coordinates["edges_FE_H"]
            x, tracks = 0.5 * (edges[:-1] + edges[1:]), products[key("track", f"{y}:FE_H")]
            found[f"R3.apart.{y}"] = _apart(tracks, (x > SPAN[0]) & (x < SPAN[1]))
            if y == "AL_FE":
                found[f"R3.apart.{y}.poor"] = _apart(tracks, (x > SPAN[0]) & (x < POOR))
    return found


def offsets(smoothed: np.ndarray, coordinates: Products) -> tuple[np.ndarray, np.ndarray]:
    """Return a boundary minus the line of Belokurov & Kravtsov (2023) in retrograde and in prograde columns."""
    edges = coordinates["edges_boundary"]
    Lz = 0.5 * (edges[:-1] + edges[1:])
    off = smoothed - belokurov_kravtsov(Lz)
    return off[(Lz < 0) & np.isfinite(off)], off[(Lz > 0) & np.isfinite(off)]


def distance_to_line(smoothed: np.ndarray, coordinates: Products) -> float:
    """Return the mean distance of a boundary to that line over the columns that have one, km2 / s2."""
    return _mean(np.abs(np.concatenate(offsets(smoothed, coordinates))))


def crossing(products: Products, coordinates: Products, name: str, level: float, near: float = np.nan) -> float:
    """Return where HE's fraction crosses a level: the lowest place, or with `near` the one nearest to it."""
    found = _fraction(products, coordinates, name)
    places = crossings(*found, level) if found is not None else ()
    if not places:
        return np.nan
    return min(places, key=lambda at: abs(at - near)) if np.isfinite(near) else places[0]


def values(
    ours: Mapping[str, float],
    replicates: Sequence[Mapping[str, float]] = (),
    truth: Mapping[str, float] | None = None,
    noise_free: Mapping[str, float] | None = None,
) -> dict[str, Value]:
    """Return our numbers as the scoreboard takes them: with intervals from replicates, the truth, and a bias's note."""
    known = {number.id: number for number in numbers()}
    found = {}
    for name, x in ours.items():
        spread = np.array([replicate[name] for replicate in replicates if np.isfinite(replicate.get(name, np.nan))])
        low = high = None
        if len(spread) >= LEAST_REPLICATES and np.isfinite(x):
            low, middle, high = np.percentile(spread, [16, 50, 84])
            # about our value: replicates scatter as it does, but about what the method makes of resampled stars
            low, high = float(x + low - middle), float(x + high - middle)
        true = None if truth is None or name not in truth else float(truth[name])
        quiet = np.nan if noise_free is None else noise_free.get(name, np.nan)
        found[name] = Value(
            value=float(x) if np.isfinite(x) else None,
            low=low,
            high=high,
            interval=f"16 to 84 % of {len(spread)} bootstraps about their median" if low is not None else "",
            truth=true,
            note=bias_note(known[name], quiet, true),
        )
    return found


def bias_note(number: Number, quiet: float, true: float | None) -> str:
    """Return what a fit of a mock without noise says of a number of ours; empty where it has none (NaN)."""
    if not np.isfinite(quiet):
        return ""
    note = f"A fit of the mock's expected counts, without noise, gives {amount(quiet, number.unit)}"
    missed = true is not None and abs(quiet - true) > number.allowed(true)
    return f"{note}: the method's bias, not the sample's noise." if missed else f"{note}."


def of_parts(parts: Sequence[Fit]) -> dict[str, float]:
    """Return the paper's numbers of four components by id, from the fits of the two parts: R5, R6 and R7."""
    found: dict[str, float] = {}
    for part in parts:
        for name, fraction in zip(part.names, part.mass_fractions, strict=True):
            found[f"R5.mass.{name}"] = 100 * float(fraction)
        for abundance in part.mixtures.chemistry.variables:
            for name, row in zip(part.names, percentiles(part, abundance), strict=True):
                for q, x in zip(PERCENTILES, row, strict=True):
                    found[f"R6.{name}.{abundance}.{q:g}"] = float(x)
    return found | falls(parts)


def falls(parts: Sequence[Fit]) -> dict[str, float]:
    """Return where the densities of four components peak or fall off, by id: R7."""
    of = {(each.component, each.variable): each for each in densities(parts)}
    found = {f"R7.edge.{name}": of[name, "AL_FE"].edge() for name in ("LE1", "LE2")}
    return found | {"R7.peak.HE2": of["HE2", "FE_H"].peak}


def _fraction(products: Products, coordinates: Products, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    if key("fraction", name) not in products:
        return None
    edges = coordinates[f"edges_{name}"]
    enough = coordinates[f"n_stars_{name}"] >= MIN_STARS
    return 0.5 * (edges[:-1] + edges[1:]), np.where(enough, products[key("fraction", name)][:, -1], np.nan)


def _spline(products: Products, coordinates: Products, name: str, at: float) -> float:
    found = _fraction(products, coordinates, name)
    assert found is not None
    return interpolate(*found, at)


def _apart(tracks: np.ndarray, where: np.ndarray) -> float:
    both = where & np.isfinite(tracks).all(axis=0)
    return float((tracks[0, both] > tracks[-1, both]).mean()) if both.any() else np.nan


def _mean(x: np.ndarray) -> float:
    return float(x.mean()) if len(x) else np.nan


def _least(x: np.ndarray) -> float:
    return float(x.min()) if len(x) else np.nan
