"""The sections that pages of fits and of ensembles have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .. import figures
from ..fits.fit import Fit
from ..fits.verdict import LIMITS, Verdict
from ..io.tables import save_text
from ..paper.amounts import amount, readable
from ..paper.blocks import Block, Facts, Plate, Section, Sheet
from ..paper.page import sheet_of
from ..products.boundary import Boundary
from ..products.classifier import Classifier
from ..progress import Progress, announce, stage
from .explorer import Line as Drawn
from .explorer import bins_table, explorer
from .numbers import boundary_sheet

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


def told(progress: Progress) -> Iterator[None]:
    """Tell of five steps: each begins, and the one before it ends, when it is asked for."""
    steps = ("verdict", "products", "intervals", "figures", "page")
    announce(progress, *steps)
    for step in steps:
        with stage(progress, step):
            yield


def judged(verdict: Verdict | None, problems: str, what: str = "This fit") -> Iterator[Block]:
    """Return the verdict, its reasons and what it is made of."""
    if verdict is None:
        yield "The ensemble's base configuration has not been judged."
    else:
        yield f"{what} is {verdict.word}."
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


def explored(fit: Fit, edge: Boundary | None, line: Classifier | None, limits: np.ndarray | None) -> tuple[Block, ...]:
    """Return the map of the bins, to be explored, and its table.

    The boundary that was given is drawn, where its energies are the fit's, or else the one that was found.
    """
    drawn: Drawn | None = None if edge is None else (edge.Lz, edge.smoothed)
    if line is not None and line.convention == fit.mixtures.convention:
        drawn = line.Lz, line.free.value
    live = explorer(fit, drawn, limits)
    if live is None:
        return ("This fit has too many bins or counts for an interactive map.",)
    said = "Each rectangle is a bin. Choose bins to see the chemistry of their stars, and which part of it is whose."
    return (said, live, bins_table(fit, limits))


def cutflow(fit: Fit) -> Section:
    """Return the cut-flow."""
    caption = "Stars that each cut removed and left."
    return Section("cuts", "Cut-flow", (sheet_of(fit.cutflow.to_table(), "cutflow", caption),))


def line_of(line: Classifier | None) -> tuple[Block, ...]:
    """Return the boundary that was given, if any."""
    return () if line is None else boundary_sheet(line)


def plates(pictures: Mapping[str, Any]) -> Iterator[Plate]:
    """Return pictures by name as figures of the page."""
    with TemporaryDirectory() as folder:
        for name, picture in pictures.items():
            figures.save(picture, Path(folder) / name, ("png",))
            data = (Path(folder) / f"{name}.png").read_bytes()
            stem, _, number = name.partition("-")
            title = f"{TITLES.get(stem, stem)}{f' ({number})' if number else ''}"
            yield Plate(f"figure-{name}", title, readable(picture.caption), readable(picture.alt), data)


def ending(settings: Any, records: Mapping[str, Mapping[str, Any]]) -> Iterator[Section]:
    """Return the last sections: settings, provenance by what was made, and how to cite."""
    yield Section("settings", "Settings", (Facts(tuple(_flat(settings))),))
    facts = [
        (f"{what}: {name}", _said(value))
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
        yield name, _said(value)


def _said(value: Any) -> str:
    """Return a setting or a record in words: E 8, Lz 8 rather than JSON."""
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], list):
            return f"{value[0]} {' to '.join(_said(each) for each in value[1])}"  # a name and its range
        apart = "; " if any(isinstance(each, Mapping | list) for each in value) else ", "
        return apart.join(_said(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)


def footer(record: Mapping[str, Any]) -> str:
    """Return how the page came to be."""
    return f"Made by {record['software']} {record['version']} on {record['time']}, command {record['command']}."
