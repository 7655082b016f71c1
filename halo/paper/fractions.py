"""What the components are spread over: R7 to R10, figures 6 to 10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from .. import figures
from ..ensembles.spread import Spread
from ..errors import InputError
from ..fits.bootstrap import refit
from ..products.densities import densities
from ..products.eccentricity import BINS, eccentricities, peak
from ..rounding import measured
from ..stars.variables import values
from ..units import ENERGY
from .four import compared
from .numbers import falls
from .numbers import values as values_of
from .origins import true_fractions_of_four
from .part import Part, refusals, warned, without
from .quoted import numbers
from .scoreboard import Value
from .study import CHEMICAL, DISTANCES, KINEMATIC, SELECTIONS, Study
from .two import two_values

CONFINED = {"r": 4.0, "z": 2.0, "R": 4.0}
"""Within these distances the paper finds LE2, kpc."""
OUTER = 9.0
"""Beyond this r it finds HE1 to dominate, kpc."""
WITHOUT = "the catalogue has no {}"
"""Why a product along a distance is left out."""


def abundances(study: Study) -> Part:
    """R7: one-dimensional densities of the abundances (Fig 6)."""
    fits = (study.two(CHEMICAL).fit, *study.parts)
    made = densities(fits)
    picture = figures.densities(made, fits)
    if study.no_four:
        return Part(pictures={"fig06": picture}, skipped={"R7": study.no_four})
    found, drawn = falls(study.parts), _replicate_falls(study)
    return Part(values=compared(study, values_of(found, drawn)), pictures={"fig06": picture})


def _replicate_falls(study: Study) -> list[dict[str, float]]:
    """Return the numbers of R7 of every good replicate of both parts."""
    if study.settings.bootstrap < 2:
        return []
    high, low = study.refits[1:]
    good = np.flatnonzero(high.good & low.good)
    return [
        falls([replace(part, H=made.H[b]) for part, made in zip(study.parts, (high, low), strict=True)]) for b in good
    ]


def eccentricity(study: Study) -> Part:
    """R8: eccentricities of the components of the kinematically pure halo (Fig 7)."""
    fit = study.two(KINEMATIC).fit
    many = study.settings.bootstrap > 1
    refits = refit(fit, study.settings.bootstrap, seed=study.settings.seed) if many else None
    made = eccentricities(fit, study.table, refits=refits)
    true = _true_peaks(study) if study.is_mock else (None, None)
    found = {}
    for j, name in enumerate(made.names):
        low, high = (float(x) if np.isfinite(x) else None for x in made.peak_intervals[:, j])
        interval = "16 to 84 % of bootstraps of W, each bin's distribution held" if low is not None else ""
        found[f"R8.peak.{name}"] = Value(float(made.peaks[j]), low, high, interval, true[j])
    return Part(values=found, pictures={"fig07": figures.eccentricities(made, fit)}, warnings=warned(fit))


def _true_peaks(study: Study) -> tuple[float, float]:
    """Return the peaks of the eccentricities of a mock's in-situ and accreted stars themselves."""
    e, accreted = values(study.two(KINEMATIC).stars, "e"), study.truth(KINEMATIC).accreted
    known = np.isfinite(e)
    low, high = (np.histogram(e[known & origin], BINS, (0, 1))[0].astype(float) for origin in (~accreted, accreted))
    return peak(low), peak(high)


def energies(study: Study) -> Part:
    """R9: fractions against energy (Fig 8)."""
    found: dict[str, Value] = {}
    refused = refusals(study)
    selections = [selection for selection in SELECTIONS if selection not in refused]
    for selection in selections:
        found |= two_values(study, selection, ("R9",))
    spreads = {selection: study.spreads(selection)["E"] for selection in selections}
    fits = {selection: study.two(selection).fit for selection in selections}
    return Part(
        values=found,
        pictures={"fig08": figures.energy_fractions(spreads, fits)},
        said=tuple(_setups_said(selection, spread) for selection, spread in spreads.items()),
        skipped=without("R9", refused),
        warnings=_failed(study, selections),
    )


def distances(study: Study) -> Part:
    """R10: fractions against r, z and R, of two components and of four (Fig 9 and 10)."""
    found: dict[str, Value] = {}
    refused, there = refusals(study), [name for name in study.variables if name in DISTANCES]
    if not there:
        raise InputError(WITHOUT.format(", ".join(DISTANCES)))
    selections = [selection for selection in SELECTIONS if selection not in refused]
    for selection in selections:
        found |= two_values(study, selection, ("R10",))
    spreads = {s: {name: study.spreads(s)[name] for name in there} for s in selections}
    fits = {selection: study.two(selection).fit for selection in selections}
    two = figures.distance_fractions(spreads, fits)
    absent = {
        number.id: WITHOUT.format(name)
        for number in numbers()
        for name in DISTANCES
        if number.product == "R10" and number.id.endswith(f".{name}") and name not in there
    }
    skipped = without("R10", refused) | absent
    if study.no_four:
        skipped = {"R10": study.no_four, **skipped, "fig10": study.no_four}
        return Part(values=found, pictures={"fig09": two}, skipped=skipped)
    four = study.four_spreads
    return Part(
        values=found | _of_four(study, four),
        pictures={"fig09": two, "fig10": figures.four_fractions(four, study.four.fit)},
        skipped=skipped,
    )


def _of_four(study: Study, four: Mapping[str, Spread]) -> dict[str, Value]:
    """Return how far LE2 reaches and whether HE1 leads, with bootstrap intervals and, of a mock, the truth."""
    found, truth = dict[str, float](), dict[str, float]()
    drawn: list[dict[str, float]] = [{} for _ in range(min(map(len, study.four_noise.values()), default=0))]
    for name, spread in four.items():
        read = partial(reach, name, spread)
        found |= read(spread.mean)
        if study.is_mock:
            truth |= read(true_fractions_of_four(study, name))
        for b, one in enumerate(drawn):
            one |= read(study.four_noise[name][b])
    return values_of(found, drawn, truth or None)


def reach(name: str, spread: Spread, fractions: np.ndarray) -> dict[str, float]:
    """Return the paper's numbers of fractions (bins, 4) along one variable: where LE2 ends, where HE1 leads."""
    of = dict(zip(spread.names, fractions.T, strict=True))
    fraction = of["LE2"][spread.trusted & (spread.centres > CONFINED[name])]
    found = {f"R10.LE2.{name}": float(np.nanmax(fraction)) if np.isfinite(fraction).any() else np.nan}
    if name == "r":
        others = np.max([x for each, x in of.items() if each != "HE1"], axis=0)
        lead = (of["HE1"] - others)[spread.trusted & (spread.centres > OUTER)]
        found["R10.HE1.r"] = float(np.nanmin(lead)) if np.isfinite(lead).any() else np.nan
    return found


def _setups_said(selection: str, spread: Spread) -> str:
    parts = [
        f"{100 * crossing.level:g} % by {measured(sigma, ENERGY, digits=2)}"
        for crossing, sigma in zip(spread.crossings, spread.crossing_sigma, strict=True)
        if np.isfinite(sigma)
    ]
    words = selection.replace("-", " ")
    said = ", ".join(parts) or "none"
    return f"Over {spread.setups} configurations of l the crossings of the {words} halo scatter: {said}."


def _failed(study: Study, selections: Sequence[str]) -> tuple[str, ...]:
    said = []
    for selection in selections:
        failed = study.setups(selection).failed
        if failed:
            pixels = ", ".join(str(settings.chemistry.pixels) for settings in failed)
            said.append(f"not converged: configurations of l = {pixels}, {selection}")
    return tuple(said)
