"""One fit or one ensemble on one page that works without a network and can be sent to somebody else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .. import figures
from ..ensembles.rows import Summary
from ..ensembles.run import SETTINGS
from ..ensembles.summary import summarise
from ..errors import InputError, UsageError
from ..fits.fit import Fit
from ..fits.settings import Bootstrap
from ..fits.store import FitLike, as_fit
from ..fits.verdict import LIMITS, Verdict
from ..io.hdf5 import said as said_in
from ..io.provenance import plain, provenance
from ..io.reading import cleaned
from ..io.tables import load_table, save_text
from ..paper.amounts import amount, readable
from ..paper.blocks import Block, Facts, Plate, Report, Section, Sheet
from ..paper.page import sheet_of
from ..paper.report import page
from ..products.boundary import boundary as find_boundary
from ..products.classifier import Classifier
from ..products.four import check_whole
from ..products.overview import products
from ..progress import Progress, announce, silent, stage
from ..stars.catalogue import StarsLike, as_table
from .explorer import bins_table, explorer
from .numbers import bias_range, ensemble_numbers, fit_numbers

CITE = (
    "The method: E. Y. Davies, V. Belokurov, A. Kravtsov, S. Monty, GyuChul Myeong, N. W. Evans and S. G. Kane, Blind "
    "source separation of the stellar halo.",
    "This software: the halonmf developers, halonmf: blind source separation of the stellar halo, version {version}. "
    "Give the SHA-256 of the settings and of the inputs below, so that the result can be made again.",
    "Cite the survey that the stars are from too, as it asks to be.",
)
TITLES = {
    "components": "Components", "fractions": "Fractions against energy", "sample": "Sample", "chemistry": "Chemistry",
    "boundary": "Boundary", "tracks": "Median tracks", "setups": "Configurations",
}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Page:
    """A page.

    Attributes
    ----------
    html : str
        All of it: styles, pictures, data and script stand in it.
    title : str
        Its heading.
    unwell : str
        What did not converge; empty where all did.
    provenance : dict
        How it was made.
    """

    html: str
    title: str
    unwell: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the page.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        return save_text(path, self.html, overwrite=overwrite)

    def describe(self) -> str:
        """Return the title and the size."""
        return f"{self.title}: {len(self.html.encode()) / 1e6:.1f} MB"

    def problems(self) -> str:
        """Return what did not converge; empty where all did."""
        return self.unwell

    def __repr__(self) -> str:
        return f"Page, {self.describe()}"


def report(
    result: FitLike | Summary,
    stars: StarsLike | None = None,
    *,
    boundary: str | Path | None = None,
    bootstrap: Bootstrap | int = Bootstrap.replicates,
    progress: Progress = silent,
) -> Page:
    """Return one fit or ensemble as a page.

    It has the verdict, the numbers with intervals, an interactive map of the bins and their chemistry, figures, the
    range of the bias, the cut-flow, settings, provenance and how to cite. Nothing is fetched when it is read.

    Parameters
    ----------
    result : Fit, Summary or path
        A fit with its `stars`; or an ensemble: its summary, its folder, or the ``summary.h5`` in it.
    stars : Table, Catalogue or path, optional
        The prepared stars that the fit was made of; none of an ensemble.
    boundary : path, optional
        Table of ``halonmf boundary``, to show with its intervals.
    bootstrap : Bootstrap or int
        Replicates behind the intervals of a fit; 0 for none.
    progress : callable
        Told how far it is.

    Returns
    -------
    Page

    Raises
    ------
    InputError
        A file that is neither, stars other than the fit's, or a table that is no boundary.
    UsageError
        A fit without stars, or an ensemble with them; four components, which are of two fits.

    Examples
    --------
    >>> from halonmf import halo
    >>> halo.report("fit.h5", "stars.fits").save("report.html")  # doctest: +SKIP
    """
    summary = as_summary(result)
    many = Bootstrap(bootstrap) if isinstance(bootstrap, int) else bootstrap
    line = None if boundary is None else _boundary(boundary)
    if summary is not None:
        if stars is not None:
            raise UsageError("an ensemble has its own stars; give it alone.")
        return _ensemble(summary, line, boundary, progress)
    fit = as_fit(result)  # type: ignore[arg-type]
    check_whole(fit)
    if stars is None:
        raise UsageError("the page of a fit needs its stars; give the prepared catalogue too.")
    return _fit(fit, stars, line, boundary, many, progress)


def as_summary(result: Any) -> Summary | None:
    """Return the summary of an ensemble, also of its folder or the summary's file in it; None of anything else.

    Raises
    ------
    InputError
        The file of a summary that is not in its ensemble's folder.
    """
    if isinstance(result, Summary):
        return result
    if not isinstance(result, str | Path):
        return None
    path = Path(result)
    if path.is_dir():
        return summarise(path)
    if path.suffix.lower() in (".h5", ".hdf5") and '"halonmf": "summary"' in said_in(path, "record"):
        if not (path.parent / SETTINGS).is_file():
            raise InputError(f"{path}: the page of an ensemble needs its folder, in which this file is no more.")
        return summarise(path.parent)
    return None


def _boundary(path: str | Path) -> Classifier:
    return Classifier.from_table(load_table(path), str(path))


def _fit(
    fit: Fit, stars: StarsLike, line: Classifier | None, boundary: Any, bootstrap: Bootstrap, progress: Progress
) -> Page:
    steps = _steps(progress)
    next(steps)
    verdict = fit.verdict
    next(steps)
    table = as_table(stars)
    shown = products(fit, table)
    next(steps)
    numbers = fit_numbers(fit, table, bootstrap, progress)
    next(steps)
    plates = _plates(figures.every(shown))
    next(steps)
    edge = shown.boundary if shown.boundary is not None else find_boundary(fit, table) if len(fit.names) > 1 else None
    live = explorer(fit, edge)
    solver = fit.settings.solver
    inputs = [each for each in (stars, boundary) if isinstance(each, str | Path)]
    record = provenance("report", {"fit": fit.settings, "bootstrap": bootstrap}, inputs=inputs, seeds=[bootstrap.seed])
    made = (
        Section("verdict", "Verdict", tuple(_verdict(verdict, fit.problems()))),
        Section("numbers", "Fractions and crossings", (*numbers, *_line(line))),
        Section("explore", "Bins and their chemistry", _explored(fit, live)),
        Section("figures", "Figures", tuple(plates)),
        Section("bias-range", "Range of the bias", bias_range(solver.loss, len(fit.names))),
        Section(
            "cuts", "Cut-flow", (sheet_of(fit.cutflow.to_table(), "cutflow", "Stars that each cut removed and left."),)
        ),
        *_ending(plain(fit.settings), {"fit": fit.provenance, "page": record}),
    )
    stars_in = int(fit.mixtures.n_stars.sum())
    lead = (
        f"{stars_in:,} stars{f' on the scale of {cleaned(fit.survey)}' if fit.survey else ''}, selection "
        f"{cleaned(fit.settings.selection.name)}, in {len(fit.mixtures.bins):,} bins; loss {solver.loss}.",
        f"{fit.composition[:1].upper()}{fit.composition[1:]}.",
    )
    title = f"A fit of {len(fit.names)} component{'s' * (len(fit.names) != 1)}"
    html = page(Report(title, "halonmf \N{MIDDLE DOT} fit", lead, made, {}, _footer(record)))
    next(steps, None)
    return Page(html, title, shown.problems(), record)


def _ensemble(summary: Summary, line: Classifier | None, boundary: Any, progress: Progress) -> Page:
    steps = _steps(progress)
    for _ in range(4):
        next(steps)
    plates = _plates(figures.ensemble(summary))
    next(steps)
    inputs = [] if boundary is None else [boundary]
    settings = plain(summary.parts[0].setup)
    record = provenance("report", {"ensemble": summary.run}, inputs=inputs)
    fit = summary.parts[0].setup.fit
    said = [text.strip() for text in summary.describe().splitlines() if text.strip()]
    judged = tuple(_verdict(summary.verdict, summary.problems()))
    made = (
        Section("verdict", "Verdict", judged),
        Section("numbers", "Fractions and crossings", (*ensemble_numbers(summary), *_line(line))),
        Section("figures", "Figures", tuple(plates)),
        Section("bias-range", "Range of the bias", bias_range(fit.solver.loss, fit.solver.components)),
        Section("summary", "Summary in lines", tuple(said)),
        *_ending(settings, {"ensemble": {"run": summary.run}, "page": record}),
    )
    number = len(summary.parts)
    title = f"An ensemble of {number:,} configuration{'s' * (number != 1)}"
    replicates = sum(part.replicates for part in summary.parts)
    lead = (f"{replicates:,} replicates of {', '.join(cleaned(part.label or 'base') for part in summary.parts[:6])}.",)
    html = page(Report(title, "halonmf \N{MIDDLE DOT} ensemble", lead, made, {}, _footer(record)))
    next(steps, None)
    return Page(html, title, summary.problems(), record)


def _steps(progress: Progress) -> Iterator[None]:
    """Tell of five steps: each begins, and the one before it ends, when it is asked for."""
    steps = ("verdict", "products", "intervals", "figures", "page")
    announce(progress, *steps)
    for step in steps:
        with stage(progress, step):
            yield


def _verdict(verdict: Verdict | None, problems: str) -> Iterator[Block]:
    if verdict is None:
        yield "The ensemble's base configuration has not been judged."
    else:
        yield f"This fit is {verdict.word}."
        yield from (f"{reason[:1].upper()}{reason[1:]}." for reason in verdict.reasons)
        if verdict.advice:
            yield f"Advice: {verdict.advice}."
        rows = [
            (name.replace("_", " "), amount(value, digits=3), _limit(name, "doubtful"), _limit(name, "unsound"),
             LIMITS[name].word(value) if name in LIMITS else "")
            for name, value in verdict.measures.items()
        ]  # fmt: skip
        if rows:
            caption = "What the verdict is made of; the worst measure decides."
            yield Sheet("measures", caption, ("measure", "value", "doubtful", "not to be trusted", "says"), tuple(rows))
    if problems:
        yield f"Not well: {problems}."


def _limit(name: str, which: str) -> str:
    limit = LIMITS.get(name)
    value = getattr(limit, which, float("inf"))
    if limit is None or value in (float("inf"), float("-inf")):
        return "never"
    return f"{'above' if limit.above else 'below'} {value:g}"


def _line(line: Classifier | None) -> Iterator[Block]:
    if line is not None:
        yield sheet_of(line.table(), "boundary", "The boundary in columns of Lz, from the table given.")


def _explored(fit: Fit, live: Any) -> tuple[Block, ...]:
    said = "Each rectangle is a bin. Choose bins to see the chemistry of their stars, and which part of it is whose."
    if live is None:
        return ("This fit has too many bins or counts for an interactive map.",)
    return (said, live, bins_table(fit))


def _plates(pictures: Mapping[str, Any]) -> Iterator[Plate]:
    with TemporaryDirectory() as folder:
        for name, picture in pictures.items():
            figures.save(picture, Path(folder) / name, ("png",))
            data = (Path(folder) / f"{name}.png").read_bytes()
            stem, _, number = name.partition("-")
            title = f"{TITLES.get(stem, stem)}{f' ({number})' if number else ''}"
            yield Plate(f"figure-{name}", title, readable(picture.caption), readable(picture.alt), data)


def _ending(settings: Any, records: Mapping[str, Mapping[str, Any]]) -> Iterator[Section]:
    yield Section("settings", "Settings", (Facts(tuple(_flat(settings))),))
    facts = [
        (f"{what}: {name}", value if isinstance(value, str) else json.dumps(value))
        for what, record in records.items()
        for name, value in record.items()
        if name != "settings"
    ]
    yield Section("provenance", "Provenance", (Facts(tuple(facts)),))
    version = records["page"]["version"]
    yield Section("cite", "How to cite", tuple(text.format(version=version) for text in CITE))


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for inner, each in value.items():
            yield from _flat(each, f"{name}.{inner}" if name else str(inner))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _footer(record: Mapping[str, Any]) -> str:
    return f"Made by {record['software']} {record['version']} on {record['time']}, command {record['command']}."
