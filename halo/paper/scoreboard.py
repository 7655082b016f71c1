"""Every number of the paper beside ours: what it may differ by, which was fixed before, and what came of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..io.provenance import plain
from .quoted import COMPONENTS, MOCK, SURVEY, Number, numbers

PASS, FAIL, NOT_COMPARABLE, MISPRINTED, UNDEFINED = "PASS", "FAIL", "NOT COMPARABLE", "MISPRINTED", "UNDEFINED"
STATUSES = (PASS, FAIL, NOT_COMPARABLE, MISPRINTED, UNDEFINED)
"""What can come of a number."""
_FAULTS = {"": "", "misprinted": MISPRINTED, "undefined": UNDEFINED}


@dataclass(frozen=True)
class Value:
    """Our number.

    Attributes
    ----------
    value : float or None
        None where the data have none, such as a crossing that never happens: a miss where one was expected.
    low, high : float or None
        Its interval.
    interval : str
        What the interval is, such as "16th to 84th percentile of 200 bootstraps".
    truth : float or None
        What is true of the mock; None where the mock has no truth of this.
    note : str
        Said beside it, such as a bias that explains a miss.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    truth: float | None = None
    note: str = ""

    @property
    def error(self) -> float | None:
        """The standard error: half of the interval, which holds 68 %; None where there is none."""
        if self.low is None or self.high is None or not self.high > self.low:
            return None
        return 0.5 * (self.high - self.low)


@dataclass(frozen=True)
class Row:
    """A line of the scoreboard.

    Attributes
    ----------
    number : Number
        The paper's.
    value : Value or None
        Ours; None where it was not made.
    expected : float or None
        What ours was held to: the paper's, on a mock its truth.
    expected_is : str
        ``paper``, ``truth`` or empty.
    status : str
        One of `STATUSES`.
    reason : str
        Why that.
    """

    number: Number
    value: Value | None
    expected: float | None
    expected_is: str
    status: str
    reason: str

    @property
    def off_in_errors(self) -> float | None:
        """Ours minus what it is held to, in standard errors of ours; None where either is missing."""
        value, expected = self.value, self.expected
        if value is None or value.value is None or value.error is None or expected is None:
            return None
        off = (value.value - expected) / value.error
        return off if math.isfinite(off) else None


@dataclass(frozen=True)
class Component:
    """How a component fares over all numbers that are of it alone.

    Attributes
    ----------
    name : str
        One of `quoted.COMPONENTS`.
    compared, missed : int
        Numbers that were held to something, and those of them beyond their tolerance.
    off_in_errors : float or None
        Median over them of the size of `Row.off_in_errors`.
    """

    name: str
    compared: int
    missed: int
    off_in_errors: float | None

    @property
    def trusted(self) -> bool:
        """Whether at least half of its numbers are within their tolerances."""
        return 2 * self.missed <= self.compared

    def describe(self) -> str:
        """Return how many of its numbers miss, in words."""
        return f"{self.name}: {self.missed} of its {self.compared} numbers are beyond their tolerance"


@dataclass(frozen=True)
class Scoreboard:
    """All lines, and what they say of.

    Attributes
    ----------
    rows : tuple of Row
        In the paper's order.
    sample : str
        ``mock``, ``survey`` or ``sub-sample``.
    stars : int
        Chemically pure stars of the sample.
    provenance : dict
        As `provenance.provenance` makes it.
    """

    rows: tuple[Row, ...]
    sample: str
    stars: int
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many lines have each status."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in STATUSES}

    @property
    def components(self) -> tuple[Component, ...]:
        """How each component fares, of those that any number was compared of."""
        made = []
        for name in COMPONENTS:
            rows = [row for row in self.rows if row.number.component == name and row.status in (PASS, FAIL)]
            off = [abs(row.off_in_errors) for row in rows if row.off_in_errors is not None]
            if rows:
                missed = sum(row.status == FAIL for row in rows)
                made.append(Component(name, len(rows), missed, median(off) if off else None))
        return tuple(made)

    def record(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        rows = []
        for row in self.rows:
            number, value = row.number, row.value or Value(None)
            rows.append(
                {
                    "id": number.id,
                    "product": number.product,
                    "what": number.what,
                    "unit": number.unit,
                    "ours": value.value,
                    "low": value.low,
                    "high": value.high,
                    "interval": value.interval,
                    "paper": number.paper,
                    "truth": value.truth,
                    "held_to": row.expected_is,
                    "off_in_errors": row.off_in_errors,
                    "revised": number.revised,
                    "bound": number.bound,
                    "tolerance": number.tolerance if math.isfinite(number.tolerance) else None,
                    "tolerance_is_relative": number.relative,
                    "why": number.why,
                    "status": row.status,
                    "reason": row.reason,
                    "note": value.note,
                }
            )
        return plain(
            {
                "sample": self.sample,
                "chemically_pure": self.stars,
                "counts": self.counts,
                "components": [vars(each) | {"trusted": each.trusted} for each in self.components],
                "numbers": rows,
                "provenance": self.provenance,
            }
        )


def board(
    values: Mapping[str, Value],
    sample: str,
    stars: int,
    *,
    skipped: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Scoreboard:
    """Return the scoreboard of our numbers.

    Parameters
    ----------
    values : mapping of str to Value
        By `Number.id`; those not made are absent.
    sample : str
        ``mock``, ``survey`` or ``sub-sample``.
    stars : int
        Chemically pure stars.
    skipped : mapping of str to str
        Why products or single numbers were not made.
    provenance : mapping, optional
        How all this came to be.

    Raises
    ------
    ValueError
        A value that is no number of the paper.
    """
    known = {number.id for number in numbers()}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"no such number: {', '.join(unknown)}")
    why = skipped or {}
    rows = [
        judge(number, values.get(number.id), sample, why.get(number.id) or why.get(number.product, ""))
        for number in numbers()
    ]
    return Scoreboard(tuple(rows), sample, stars, dict(provenance or {}))


def judge(number: Number, value: Value | None, sample: str, skipped: str = "") -> Row:
    """Return what comes of one number on a sample; `skipped` is why it was not made."""
    if number.fault:
        reason = number.note if value is not None else f"{number.note} Not made: {skipped or 'no reason given'}."
        return Row(number, value, None, "", _FAULTS[number.fault], reason)
    if value is None:
        return Row(number, None, None, "", NOT_COMPARABLE, f"not made: {skipped or 'no reason given'}")
    if number.of_method or sample == SURVEY:
        expected, expected_is = number.paper, "paper"
    elif sample == MOCK:
        if number.unplanned:
            return Row(number, value, None, "", NOT_COMPARABLE, f"mock: {number.unplanned}")
        expected, expected_is = value.truth, "truth"
        if expected is None:
            return Row(number, value, None, "", NOT_COMPARABLE, "mock: it has no truth of this number")
    else:
        return Row(number, value, None, "", NOT_COMPARABLE, "sub-sample: other stars than the paper's")
    assert expected is not None
    if not math.isfinite(expected):
        agrees = value.value is None or not math.isfinite(value.value)
        return Row(number, value, None, expected_is, PASS if agrees else FAIL, "in truth there is none")
    if value.value is None or not math.isfinite(value.value):
        return Row(number, value, expected, expected_is, FAIL, "ours does not exist")
    return Row(number, value, expected, expected_is, *_compare(number, value.value, expected, expected_is))


def _compare(number: Number, ours: float, expected: float, expected_is: str) -> tuple[str, str]:
    if number.bound and expected_is == "truth":
        # a limit that the paper gives: it must hold of ours if it holds in truth, and else not
        assert number.paper is not None
        holds, truly = (_off(number, x, number.paper)[1] for x in (ours, expected))
        said = f"{number.bound} {number.paper:.4g}: {_yes(holds)} of ours, {_yes(truly)} of the truth"
        return (PASS if holds == truly else FAIL), said
    off, inside = _off(number, ours, expected)
    against = "the truth" if expected_is == "truth" else "the paper's"
    return (PASS if inside else FAIL), f"{off:+.4g} against {against}, tolerance {number.allowed(expected):.4g}"


def _off(number: Number, ours: float, expected: float) -> tuple[float, bool]:
    """Return how far ours is off, and whether that is within the tolerance."""
    off = ours - expected
    beyond = {"": abs(off), "at least": -off, "at most": off}[number.bound]
    return off, beyond <= number.allowed(expected) + 1e-9 * max(1.0, abs(expected))  # rounding is no miss


def _yes(holds: bool) -> str:
    return "true" if holds else "not true"


def missing(values: Mapping[str, Value], products: Sequence[str]) -> list[str]:
    """Return the numbers of products that no value was given for."""
    return [number.id for number in numbers() if number.product in products and number.id not in values]
