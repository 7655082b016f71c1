"""Both analyses beside each other: the paper's two components, and as many as the stars call for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from ..errors import HalonmfError, InputError
from ..io.columns import described
from ..products.memberships import Reliability, memberships, reliability
from ..replicates.table import key
from ..rounding import number, unit_text
from .amounts import amount
from .blocks import Sheet
from .numbers import two_components, values
from .quoted import Number, kind_of_sample, numbers
from .recommended import Recommended
from .scoreboard import FAIL, PASS, Row, Value, judge
from .study import CHEMICAL, SELECTIONS, Study

TWO, OURS = "the paper's analysis", "recommended"
"""What the analyses are called."""
HEADLINES = (
    "R1.mass.HE",
    *(f"R9.{CHEMICAL}.{level}" for level in (50, 90, 10)),
    *(f"R10.{CHEMICAL}.{name}" for name in "rzR"),
    *(f"R9.kinematically-pure.{level}" for level in (50, 90)),
    *(f"R10.kinematically-pure.{name}" for name in "rzR"),
    "R2.offset.prograde",
    "R2.offset.retrograde",
    *(f"R6.HE.{name}.50" for name in ("FE_H", "AL_FE", "MG_FE")),
)
"""Numbers of the page's table; the file beside it has all of them."""


@dataclass(frozen=True)
class Both:
    """A number of the paper as either analysis finds it.

    Attributes
    ----------
    number : Number
        What it is, and what it may differ by.
    two, ours : Row
        As the paper's two components have it, and as the recommended analysis.
    """

    number: Number
    two: Row
    ours: Row

    @property
    def rows(self) -> tuple[Row, Row]:
        """Both, the paper's analysis first."""
        return self.two, self.ours


def selections(study: Study) -> tuple[str, ...]:
    """Return the selections of which both analyses can be made.

    Raises
    ------
    InputError
        There is none.
    """
    found, why = [], []
    for selection in SELECTIONS:
        try:
            _ = study.two(selection), study.recommended(selection)
        except HalonmfError as error:
            why.append(f"{selection.replace('-', ' ')}: {error}")
        else:
            found.append(selection)
    if not found:
        raise InputError("; ".join(why))
    return tuple(found)


def recommended_values(study: Study, selection: str) -> dict[str, Value]:
    """Return the paper's numbers as the recommended analysis of a selection finds them, with intervals and truth."""
    found: Recommended = study.recommended(selection)
    coordinates, drawn = found.base.coordinates, found.merged_replicates
    number = len(drawn[key("mass_fraction")]) if drawn else 0
    replicates = [
        two_components(selection, {name: x[b] for name, x in drawn.items()}, coordinates) for b in range(number)
    ]
    truth = study.true_numbers(selection, found) if study.is_mock else None
    return values(two_components(selection, found.merged, coordinates), replicates, truth)


def both(study: Study) -> tuple[Both, ...]:
    """Return every number of the paper that both analyses make, in the paper's order."""
    two: dict[str, Value] = {}
    ours: dict[str, Value] = {}
    for selection in selections(study):
        ours |= recommended_values(study, selection)
        truth = study.true_numbers(selection) if study.is_mock else None
        two |= values(study.two(selection).numbers, study.replicate_numbers(selection), truth)
    stars = len(study.stars.sample(study.fit_settings(CHEMICAL).selection))
    kind = kind_of_sample(stars, study.is_mock)
    return tuple(
        Both(number, judge(number, two[number.id], kind), judge(number, ours[number.id], kind))
        for number in numbers()
        if number.id in two and number.id in ours
    )


def table(compared: Sequence[Both]) -> Table:
    """Return a row for each number: as both analyses have it, with intervals, truth, tolerance and outcome."""
    columns: dict[str, list[object]] = {"id": [], "what": [], "unit": [], "paper": []}
    sides = ("two", "recommended")
    for side in sides:
        columns |= {f"{side}{end}": [] for end in ("", "_lower", "_upper", "_truth", "_outcome")}
    columns["tolerance"] = []
    for one in compared:
        number = one.number
        columns["id"].append(number.id)
        columns["what"].append(number.what)
        columns["unit"].append(number.unit)
        columns["paper"].append(_known(number.paper))
        for side, row in zip(sides, one.rows, strict=True):
            value = row.value or Value(None)
            columns[side].append(_known(value.value))
            columns[f"{side}_lower"].append(_known(value.low))
            columns[f"{side}_upper"].append(_known(value.high))
            columns[f"{side}_truth"].append(_known(value.truth))
            columns[f"{side}_outcome"].append(row.status)
        expected = one.ours.expected
        columns["tolerance"].append(np.nan if expected is None else number.allowed(expected))
    made = Table(columns)
    made.meta["caption"] = "The paper's numbers as both analyses find them; all that both make."
    return described(made, "analyses")


def sheet(compared: Sequence[Both], mock: bool) -> Sheet:
    """Return the headline numbers as the page shows them."""
    rows = []
    for one in (one for one in compared if one.number.id in HEADLINES):
        unit = one.number.unit
        cells = [one.number.what, *(_cell(row) for row in one.rows)]
        if mock:
            truth = one.ours.value.truth if one.ours.value is not None else None
            cells.append(amount(truth))
        rows.append((*cells, amount(one.number.paper), unit, *(row.status for row in one.rows)))
    header = ("number", "the paper's analysis", "recommended", *(("truth of the mock",) if mock else ()))
    header = (*header, "printed in the paper", "unit", "outcome, the paper's", "outcome, recommended")
    caption = (
        "Headline numbers of both analyses, in brackets their intervals of 16 to 84 %. HE is the accreted part, LE the "
        "other one."
    )
    return Sheet("comparison", caption, header, tuple(rows))


def counted(compared: Sequence[Both]) -> str:
    """Return how many of the numbers are within their tolerance, by analysis."""
    said = []
    for name, rows in ((TWO, [one.two for one in compared]), (OURS, [one.ours for one in compared])):
        passed, failed = (sum(row.status == status for row in rows) for status in (PASS, FAIL))
        if passed + failed:
            said.append(f"{name} {passed} of {passed + failed}")
    if not said:
        return f"{len(compared)} numbers are made by both analyses; none of them can be held to anything here."
    return f"Within the tolerance, of the numbers that both make: {', '.join(said)}."


def lines(compared: Sequence[Both]) -> tuple[str, ...]:
    """Return the first headline numbers for a terminal."""
    found = []
    for one in (one for one in compared if one.number.id in HEADLINES[:4]):
        unit = one.number.unit
        ours, two = (number(row.value.value, unit) if row.value and row.value.value is not None else "none"
                     for row in (one.ours, one.two))  # fmt: skip
        truth = one.ours.value.truth if one.ours.value is not None else None
        true = f", in truth {number(truth, unit)}" if truth is not None else ""
        unit = f" {unit_text(unit)}" if unit else ""
        found.append(f"{one.number.what}: {ours}{unit}, of two components {two}{true}")
    return tuple(found)


def reliabilities(study: Study) -> dict[str, Reliability]:
    """Return how reliable the probabilities of being accreted are, by analysis and selection of a mock."""
    found = {}
    for selection in selections(study):
        true, words = study.truth(selection).accreted, selection.replace("-", " ")
        of_two = memberships(study.two(selection).fit, study.table)
        for name, each in ((TWO, of_two), (OURS, study.recommended(selection).memberships)):
            found[f"{name}, {words}"] = reliability(each.P_accreted, true)
    return found


def _cell(row: Row) -> str:
    value = row.value or Value(None)
    text = amount(value.value)
    return text if value.low is None else f"{text} [{amount(value.low)}, {amount(value.high)}]"


def _known(x: float | None) -> float:
    return np.nan if x is None else float(x)
