"""The page of an ensemble; with its stars, the map of its base configuration too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import figures
from ..ensembles.archive import is_summary
from ..ensembles.rows import Summary
from ..ensembles.run import SETTINGS, Run, open_run
from ..ensembles.summary import summarise
from ..errors import InputError
from ..fits.settings import Bootstrap
from ..io.provenance import describe_input, plain, provenance
from ..io.reading import cleaned
from ..paper.blocks import Block, Lines, Report, Section, Sheet
from ..paper.report import page
from ..products.boundary import boundary as find_boundary
from ..products.classifier import Classifier
from ..progress import Progress
from ..replicates.replicate import Base, begin, reduce, usable
from ..replicates.table import key
from ..stars.catalogue import StarsLike, as_table
from .numbers import bias_range, bin_intervals, configurations, ensemble_numbers
from .sections import Page, cutflow, ending, explored, footer, judged, line_of, plates, told

SAME = 1e-4
"""Mass fractions of the base fit, made again, by more than which it was made of other stars."""


@dataclass(frozen=True)
class Ensemble:
    """An ensemble: its summary, and its run where its folder was given."""

    summary: Summary
    run: Run | None = None


def as_ensemble(result: Any) -> Ensemble | None:
    """Return an ensemble by its summary, its folder or the summary's file in it; None of anything else.

    Raises
    ------
    InputError
        The file of a summary that is not in its ensemble's folder.
    """
    if isinstance(result, Summary):
        return Ensemble(result)
    if not isinstance(result, str | Path):
        return None
    path = Path(result)
    if is_summary(path):
        path = path.parent
        if not (path / SETTINGS).is_file():
            raise InputError(f"{result}: the page of an ensemble needs its folder, in which this file is no more.")
    if not path.is_dir():
        return None
    run = open_run(path)
    return Ensemble(summarise(run), run)


def ensemble_page(
    ensemble: Ensemble,
    stars: StarsLike | None,
    line: Classifier | None,
    given: Sequence[str | Path],
    bootstrap: Bootstrap,
    progress: Progress,
) -> Page:
    """Return the page of an ensemble.

    Raises
    ------
    InputError
        Other stars than the ensemble's.
    """
    steps, summary = told(progress), ensemble.summary
    next(steps)
    part = summary.parts[0]
    next(steps)
    base = None if stars is None else _base(ensemble, stars)
    next(steps)
    limits, said = (None, "") if base is None else _limits(base, min(part.replicates, bootstrap.replicates))
    next(steps)
    drawn = tuple(plates(figures.ensemble(summary)))
    next(steps)
    record = provenance("report", {"ensemble": summary.run, "bootstrap": bootstrap}, inputs=given)
    solver = part.setup.fit.solver
    made = (
        Section(
            "verdict",
            "Verdict",
            tuple(judged(summary.verdict, summary.problems(), "The fit of the base configuration")),
        ),
        Section("numbers", "Fractions and crossings", (*ensemble_numbers(summary), *line_of(line))),
        *_several(summary),
        *(() if base is None else _map(base, line, limits, said)),
        Section("figures", "Figures", drawn),
        Section("bias-range", "Range of the bias", bias_range(solver.loss, solver.components)),
        *(() if base is None else (cutflow(base.fit),)),
        *ending(plain(part.setup), {"ensemble": _known(ensemble), "page": record}),
    )
    number = len(summary.parts)
    title = f"An ensemble of {number:,} configuration{'s' * (number != 1)}"
    replicates = sum(each.replicates for each in summary.parts)
    labels = ", ".join(cleaned(each.label or "base") for each in summary.parts[:6])
    lead = (f"{replicates:,} replicates of {labels}{' and others' if number > 6 else ''}.",)
    html = page(Report(title, "halonmf \N{MIDDLE DOT} ensemble", lead, made, {}, footer(record)))
    next(steps, None)
    return Page(html, title, summary.problems(), record)


def _known(ensemble: Ensemble) -> dict[str, Any]:
    stars = {} if ensemble.run is None else {"stars": plain(ensemble.run.stars)}
    return {"run": ensemble.summary.run, **stars}


def _base(ensemble: Ensemble, stars: StarsLike) -> Base:
    """Return the fit of the first configuration, made again, of the very stars of the ensemble."""
    part, run = ensemble.summary.parts[0], ensemble.run
    named = "" if run is None else f", {run.stars['name']}"
    other = InputError(f"the stars are not those of the ensemble; give the catalogue that it was made of{named}.")
    if run is not None and isinstance(stars, str | Path) and describe_input(stars)["sha256"] != run.stars["sha256"]:
        raise other
    made = begin(as_table(stars), part.setup)
    name = key("mass_fraction")
    then, now = part(name, "base"), made.products[name]
    if then.shape != now.shape or not np.allclose(then, now, rtol=0, atol=SAME):
        raise other
    return made


def _limits(base: Base, number: int) -> tuple[np.ndarray | None, str]:
    """Return the intervals of the bins' accreted fraction from the ensemble's own replicates, and how they are made."""
    if base.setup.edges != "fixed":
        return None, "The replicates have bins of their own, so that these bins have no intervals."
    if number < 2:
        return None, "Without replicates the bins have no intervals."
    drawn = reduce(base, 0, number, keep_factors=True)
    good = usable(drawn)
    if good.sum() < 2:
        return None, "Of the replicates made again none counts, so that the bins have no intervals."
    limits = bin_intervals(base.fit, drawn["W"][good], float(base.coordinates["delete_factor"]))
    return limits, f"Intervals of the bins are from the first {number:,} replicates of the ensemble, made again."


def _map(base: Base, line: Classifier | None, limits: np.ndarray | None, said: str) -> Iterator[Section]:
    fit = base.fit
    edge = find_boundary(fit, base.stars.table) if len(fit.names) > 1 else None
    about = f"The first configuration's fit of all stars, made again from the catalogue. {said}"
    yield Section("explore", "Bins and their chemistry", (about, *explored(fit, edge, line, limits)))


def _several(summary: Summary) -> Iterator[Section]:
    """Return the configurations and the spread over them, and what a terminal shows of all of it."""
    sheets: tuple[Sheet, ...] = configurations(summary) if len(summary.parts) > 1 else ()
    lines: Block = Lines("The summary as `halonmf summary` prints it", summary.describe())
    yield Section("summary", "Configurations" if sheets else "Summary", (*sheets, lines))
