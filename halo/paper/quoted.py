"""Every number that the paper quotes, with what ours may differ by, as `scoreboard.toml` lists them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..io.toml import read_toml

FILE = Path(__file__).with_name("scoreboard.toml")
MOCK, SURVEY, SUB_SAMPLE = "mock", "survey", "sub-sample"
"""What a sample can be."""
FAULTS = ("", "misprinted", "undefined")
"""What can be wrong with a number of the paper."""
COMPONENTS = ("HE", "LE", "HE1", "HE2", "LE1", "LE2")
_BOUNDS = ("", "at least", "at most")


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
    revised : (float, float) or None
        The range that the paper's revised abstract quotes.
    unplanned : str
        Why no mock was made to have this; empty where they were.
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
    revised: tuple[float, float] | None = None
    unplanned: str = ""

    @property
    def component(self) -> str:
        """The component that the number is of, one of `COMPONENTS`; empty where it is of none or of several."""
        return next((part for part in self.id.split(".") if part in COMPONENTS), "")

    def allowed(self, expected: float) -> float:
        """Return what ours may differ by from what it is held to, in the unit."""
        return self.tolerance * abs(expected) if self.relative else self.tolerance


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


def _number(entry: dict[str, Any], tolerances: dict[str, dict[str, Any]]) -> Number:
    name, fault, bound = entry["id"], entry.get("fault", ""), entry.get("bound", "")
    if fault not in FAULTS or bound not in _BOUNDS or entry.get("of", "sky") not in ("sky", "method"):
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
        revised=tuple(entry["revised"]) if "revised" in entry else None,
        unplanned=entry.get("unplanned", ""),
    )


@cache
def _content() -> dict[str, Any]:
    return read_toml(FILE, "the scoreboard")
