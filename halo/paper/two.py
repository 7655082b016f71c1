"""The sample and its two components: R0 to R4, figures 1 to 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import QTable, Table, vstack

from .. import figures
from ..fits.fit import Fit
from ..orbits.frames import SUN_POSITION, SUN_VELOCITY
from ..products.tracks import tracks
from ..replicates.table import key
from ..stars.cutflow import CutFlow
from ..stars.published_line import belokurov_kravtsov
from ..stars.settings import Selection
from ..stars.variables import values as column
from .noise_free import noise_free_numbers
from .numbers import distance_to_line, values
from .part import Part, warned
from .scoreboard import Value
from .study import CHEMICAL, KINEMATIC, SELECTIONS, Study, Two
from .suited import as_in_the_paper, layout

GAP = (-2.3e5, -1.8e5)
"""Where the gap in energies is looked for, km2 / s2; the paper puts it above -2.0e5."""
GAP_BINS = 20


def sample(study: Study) -> Part:
    """R0: the sample in energy and angular momentum, and in abundances (Fig 1 and 2)."""
    chosen = {name: study.stars.sample(Selection(name)) for name in SELECTIONS}
    shown = {"all": study.table, **{name: each.stars for name, each in chosen.items()}}
    chemical = chosen[CHEMICAL].stars
    found = {f"R0.stars.{name}": Value(float(len(each))) for name, each in chosen.items()}
    found["R0.gap"] = Value(gap(column(chemical, "E")))
    found["R0.Lz_sun"] = Value(float(SUN_POSITION[1] * SUN_VELOCITY[0] - SUN_POSITION[0] * SUN_VELOCITY[1]))
    everyone = QTable({"E": study.table["E"], "Lz": study.table["Lz"]})
    ids = study.table["APOGEE_ID"] if "APOGEE_ID" in study.table.colnames else None
    for name, each in chosen.items():
        everyone[name.replace("-", "_")] = np.isin(ids, each.stars["APOGEE_ID"]) if ids is not None else False
    return Part(
        values=found,
        pictures={"fig01": figures.sample(shown), "fig02": figures.chemistry(chemical)},
        data={"fig01-stars": everyone, "fig02-stars": chemical["FE_H", "AL_FE", "MG_FE"]},
        tables={"selections": selections_table({name: each.flow for name, each in chosen.items()})},
    )


def selections_table(flows: Mapping[str, CutFlow]) -> Table:
    """Return the cut-flows of selections as one table."""
    parts = []
    for name, flow in flows.items():
        part = flow.to_table()
        part.add_column([name] * len(part), index=0, name="selection")
        parts.append(part)
    table = vstack(parts, metadata_conflicts="silent")
    table.meta = {"caption": "The two halo selections: stars removed by each cut, and left after it."}
    return table


def gap(E: np.ndarray) -> float:
    """Return the energy between `GAP` at which stars are fewest, km2 / s2: a parabola through the lowest three bins."""
    number, edges = np.histogram(E, GAP_BINS, GAP)
    smooth = np.convolve(number, [0.25, 0.5, 0.25], mode="same")[1:-1]
    centre = (0.5 * (edges[:-1] + edges[1:]))[1:-1]
    i = int(np.argmin(smooth))
    if not 0 < i < len(smooth) - 1:
        return float(centre[i])
    left, middle, right = smooth[i - 1 : i + 2]
    bend = left - 2 * middle + right
    return float(centre[i] + (0.5 * (left - right) / bend if bend > 0 else 0.0) * (centre[1] - centre[0]))


def chemically_pure(study: Study) -> Part:
    """R1, R2, R3: two components of the chemically pure halo, their boundary, their tracks (Fig 3)."""
    two = study.two(CHEMICAL)
    m, n = two.fit.mixtures.V.shape
    found = two_values(study, CHEMICAL, ("R1", "R2", "R3"))
    skipped = {}
    if as_in_the_paper(two.fit.settings):
        found |= {"R1.rows": Value(float(m)), "R1.columns": Value(float(n))}
    else:
        skipped = dict.fromkeys(("R1.rows", "R1.columns"), f"made with {layout(two.fit.settings)}")
    Lz = np.linspace(-2000, 2000, 4001)
    found["R2.bk23"] = Value(float(belokurov_kravtsov(Lz).mean()))
    return Part(
        values=found,
        pictures={"fig03": figures.components(two.fit, two.map, two.line)},
        data=fit_data("fig03", two),
        fits={CHEMICAL: two.fit},
        said=(verdict(two.fit),),
        headlines=(verdict_line(CHEMICAL, two.fit),),
        skipped=skipped,
        warnings=warned(two.fit, two.map, two.line.application),
    )


def kinematically_pure(study: Study) -> Part:
    """R4: the same for the kinematically pure halo (Fig 4)."""
    two, other = study.two(KINEMATIC), study.two(CHEMICAL)
    closer = [distance_to_line(each.line.smoothed, each.base.coordinates) for each in (two, other)]
    truth = None
    if study.is_mock:
        lines = [study.true_line(name).smoothed for name in (KINEMATIC, CHEMICAL)]
        true = [distance_to_line(line, two.base.coordinates) for line in lines]
        truth = true[0] - true[1]
    pairs = zip(*(_replicate_distances(study, name) for name in (KINEMATIC, CHEMICAL)), strict=False)
    name = "R4.closer"
    return Part(
        values=values(
            {name: closer[0] - closer[1]},
            [{name: one - other} for one, other in pairs],
            None if truth is None else {name: truth},
        ),
        pictures={"fig04": figures.selection_maps(two.fit, two.map, two.line, other.line)},
        data=fit_data("fig04", two),
        fits={KINEMATIC: two.fit},
        said=(verdict(two.fit),),
        headlines=(verdict_line(KINEMATIC, two.fit),),
        warnings=warned(two.fit, two.map, two.line.application),
    )


def _replicate_distances(study: Study, selection: str) -> list[float]:
    """Return the distance of the boundary of each replicate of a selection to the published line, km2 / s2."""
    lines = study.replicates(selection).get(key("boundary_smoothed"), ())
    return [distance_to_line(line, study.two(selection).base.coordinates) for line in lines]


def verdict(fit: Fit) -> str:
    """Return a paragraph on how far a fit is to be trusted."""
    found = fit.verdict
    reasons = f": {'; '.join(found.reasons)}" if found.reasons else ""
    return f"Verdict on this fit: {found.word}{reasons}." + (f" To do: {found.advice}." if found.advice else "")


def verdict_line(selection: str, fit: Fit) -> str:
    """Return the verdict on a selection's fit as a line for the prompt."""
    number, loss = len(fit.names), fit.settings.solver.loss
    return f"verdict on {number} components by {loss}, {selection.replace('-', ' ')}: {fit.verdict.line}"


def two_values(study: Study, selection: str, products: tuple[str, ...]) -> dict[str, Value]:
    """Return our numbers of some products that a fit of two components has, with intervals, truth and bias."""
    found = values(
        study.two(selection).numbers,
        study.replicate_numbers(selection),
        study.true_numbers(selection) if study.is_mock else None,
        noise_free_numbers(study, selection),
    )
    return {name: value for name, value in found.items() if name.split(".")[0] in products}


def fit_data(name: str, two: Two) -> dict[str, Any]:
    """Return the tables behind a picture of two components: weights, images, map, boundary, tracks."""
    fit = two.fit
    return {
        **{f"{name}-{of}": table for of, table in fit.tables().items()},
        f"{name}-map": two.map.table(),
        f"{name}-boundary": two.line.table(),
        f"{name}-tracks": tracks(fit).table(),
    }
