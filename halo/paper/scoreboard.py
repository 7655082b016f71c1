"""Every number of the paper beside ours: what it may differ by, which was fixed before, and what came of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..io.provenance import plain
from ..io.toml import read_toml

FILE = Path(__file__).with_name("scoreboard.toml")
PASS, FAIL, NOT_COMPARABLE, MISPRINTED, UNDEFINED = "PASS", "FAIL", "NOT COMPARABLE", "MISPRINTED", "UNDEFINED"
STATUSES = (PASS, FAIL, NOT_COMPARABLE, MISPRINTED, UNDEFINED)
"""What can come of a number."""
MOCK, SURVEY, SUB_SAMPLE = "mock", "survey", "sub-sample"
"""What a sample can be."""
_BOUNDS = ("", "at least", "at most")
_FAULTS = {"": "", "misprinted": MISPRINTED, "undefined": UNDEFINED}


@dataclass(frozen=True)
class Number:
    """A number of the paper.

    Attributes
    ----------
    id, product, what : str
        Its name here, R0 to R16 (S for the regularisation search), and what it is.
    unit : str
        As astropy writes it; empty for none.
    paper : float or None
        As printed; None where the paper gives none.
    tolerance : float
        What ours may differ by, in the unit, or as a part of what it is held to; infinite where nothing is compared.
    why : str
        Why so much.
    rule : str
        The tolerance's name, which numbers of a kind share.
    bound : str
        Empty, or ``at least`` or ``at most``: ours may lie beyond.
    of_method : bool
        About the software or the method, so comparable on any sample; else about the sky.
    fault : str
        Empty, ``misprinted`` or ``undefined``.
    note : str
        What the fault is.
    relative : bool
        Whether the tolerance is a part of what the number is held to.
    """

    id: str
    product: str
    what: str
    unit: str
    paper: float | None
    tolerance: float
    why: str
    rule: str = ""
    bound: str = ""
    of_method: bool = False
    fault: str = ""
    note: str = ""
    relative: bool = False

    def allowed(self, expected: float) -> float:
        """Return what ours may differ by from what it is held to, in the unit."""
        return self.tolerance * abs(expected) if self.relative else self.tolerance


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
                "numbers": rows,
                "provenance": self.provenance,
            }
        )


@cache
def numbers() -> tuple[Number, ...]:
    """Return every number of the paper with its tolerance, as `scoreboard.toml` lists them.

    Raises
    ------
    ValueError
        The file contradicts itself: it belongs to the package, so this is a fault of the software.
    """
    content = _content()
    found = [_number(entry, content["tolerance"]) for entry in content["number"]]
    twice = [name for name, count in Counter(number.id for number in found).items() if count > 1]
    if twice:
        raise ValueError(f"{FILE.name}: {', '.join(twice)} stands there more than once")
    return tuple(found)


def kind_of_sample(chemically_pure: int, is_mock: bool) -> str:
    """Return whether a sample is a mock's, the paper's own survey, or another part of it, by its number of stars."""
    if is_mock:
        return MOCK
    own = _content()["sample"]
    return SURVEY if abs(chemically_pure / own["chemically_pure"] - 1) <= own["within"] else SUB_SAMPLE


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


def _number(entry: dict[str, Any], tolerances: dict[str, dict[str, Any]]) -> Number:
    name, fault, bound = entry["id"], entry.get("fault", ""), entry.get("bound", "")
    if fault not in _FAULTS or bound not in _BOUNDS or entry.get("of", "sky") not in ("sky", "method"):
        raise ValueError(f"{FILE.name}: {name} has an unknown fault, bound or of")
    paper = entry.get("paper")
    if not fault and (paper is None or "tolerance" not in entry):
        raise ValueError(f"{FILE.name}: {name} needs the paper's number and a tolerance")
    if fault and "note" not in entry:
        raise ValueError(f"{FILE.name}: {name} needs a note on its fault")
    rule = {} if fault else tolerances[entry["tolerance"]]
    return Number(
        id=name,
        product=entry["product"],
        what=entry["what"],
        unit=entry.get("unit", ""),
        paper=paper,
        tolerance=float(rule.get("absolute", rule.get("relative", math.inf))),
        why=rule.get("why", ""),
        rule=entry.get("tolerance", "") if not fault else "",
        bound=bound,
        of_method=entry.get("of") == "method",
        fault=fault,
        note=entry.get("note", ""),
        relative="relative" in rule,
    )


@cache
def _content() -> dict[str, Any]:
    return read_toml(FILE, "the scoreboard")


def missing(values: Mapping[str, Value], products: Sequence[str]) -> list[str]:
    """Return the numbers of products that no value was given for."""
    return [number.id for number in numbers() if number.product in products and number.id not in values]
