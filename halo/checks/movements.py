"""How the headline numbers of an analysis move with each of its choices: the result of `sensitivity`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import QTable

from ..fits.intervals import COVERAGE
from ..io.columns import described
from ..io.notebook import Shown
from ..orbits.convention import Convention
from ..rounding import number, titled
from ..units import ENERGY
from .headlines import HEADLINES

BASE, TOGETHER = "base", "together"
SHOWN = ("accreted fraction", "E at 50 %", "r at 50 %", "median FE_H")
"""Headline numbers that are printed and drawn; the table has all."""


@dataclass(frozen=True)
class Row:
    """One analysis.

    Attributes
    ----------
    choice, name : str
        What departs from the base: a choice and its alternative, ``base``, or ``together`` and all that is drawn.
    numbers : mapping
        Headline numbers, NaN where there is none.
    problem : str
        Why there are none, or what did not converge; empty where all is well.
    """

    choice: str
    name: str
    numbers: Mapping[str, float]
    problem: str = ""


@dataclass(frozen=True, repr=False)
class Sensitivity(Shown):
    """The headline numbers under every choice.

    Attributes
    ----------
    rows : tuple of Row
        The base first, then every alternative, then the analyses with all choices drawn together.
    left_out : mapping
        Choices that could not be varied, and why.
    together : tuple of str
        Choices that the draws vary.
    convention : Convention or None
        What the base's energies are measured in.
    """

    rows: tuple[Row, ...]
    left_out: Mapping[str, str]
    together: tuple[str, ...]
    convention: Convention | None

    @property
    def base(self) -> Row:
        """The analysis from which the others depart."""
        return self.rows[0]

    @property
    def alone(self) -> tuple[Row, ...]:
        """The analyses in which one choice departs."""
        return tuple(row for row in self.rows if row.choice not in (BASE, TOGETHER))

    @property
    def drawn(self) -> tuple[Row, ...]:
        """The analyses with all choices drawn."""
        return tuple(row for row in self.rows if row.choice == TOGETHER)

    @property
    def choices(self) -> tuple[str, ...]:
        """The choices, in the order in which they are made."""
        return tuple(dict.fromkeys(row.choice for row in self.alone))

    def moved(self, row: Row, name: str) -> float:
        """Return how far a headline number is from the base's."""
        return row.numbers[name] - self.base.numbers[name]

    def range(self, choice: str, name: str) -> tuple[float, float]:
        """Return the least and greatest movement of a number over a choice's alternatives, the base's zero among them.

        NaN where no alternative has the number.
        """
        moved = np.array([self.moved(row, name) for row in self.alone if row.choice == choice])
        moved = moved[np.isfinite(moved)]
        if not len(moved):
            return float("nan"), float("nan")
        return float(min(moved.min(), 0.0)), float(max(moved.max(), 0.0))

    def interval(self, name: str) -> tuple[float, float]:
        """Return the central 68 % of a number's movement over the analyses with all choices drawn; NaN without any."""
        moved = np.array([self.moved(row, name) for row in self.drawn])
        moved = moved[np.isfinite(moved)]
        if not len(moved):
            return float("nan"), float("nan")
        low, high = np.quantile(moved, [0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2])
        return float(low), float(high)

    def widest(self, name: str) -> tuple[str, ...]:
        """Return the choices that move a number, the one that moves it most first."""
        width = {choice: np.subtract(*self.range(choice, name)[::-1]) for choice in self.choices}
        return tuple(sorted((c for c in width if np.isfinite(width[c])), key=lambda c: -width[c]))

    def table(self) -> QTable:
        """Return a row for each analysis: ``choice``, ``alternative``, every headline number, ``problem``.

        Names of numbers have ``_`` in place of spaces and ``percent`` in place of %.
        """
        table = QTable({"choice": [r.choice for r in self.rows], "alternative": [r.name for r in self.rows]})
        for name, unit in HEADLINES.items():
            column = np.array([row.numbers[name] for row in self.rows])
            table[column_of(name)] = column if not unit else column * _unit(unit)
        table["problem"] = [row.problem for row in self.rows]
        table.meta["left_out"] = dict(self.left_out)
        table.meta["together"] = {
            "choices": list(self.together),
            "analyses": len(self.drawn),
            "coverage": COVERAGE,
            "intervals": {column_of(name): list(self.interval(name)) for name in HEADLINES} if self.drawn else {},
        }
        if self.convention is not None:
            table.meta["convention"] = self.convention.record()
        return described(table, "sensitivity")

    def record(self) -> dict[str, Any]:
        """Return the same for ``--json``; None for what is not a number."""
        return {
            "base": _finite(self.base.numbers),
            "units": dict(HEADLINES),
            "rows": [
                {"choice": r.choice, "alternative": r.name, "numbers": _finite(r.numbers), "problem": r.problem}
                for r in self.rows[1:]
            ],
            "ranges": {
                choice: {name: [_plain(x) for x in self.range(choice, name)] for name in HEADLINES}
                for choice in self.choices
            },
            "together": {
                "choices": list(self.together),
                "analyses": len(self.drawn),
                "coverage": COVERAGE,
                "intervals": {name: [_plain(x) for x in self.interval(name)] for name in HEADLINES},
            },
            "left_out": dict(self.left_out),
            "convention": None if self.convention is None else self.convention.record(),
        }

    def describe(self) -> str:
        """Return the base's numbers, a line for each choice, and which choice moves the crossing energy most."""
        wide = max(len(x) for x in (*self.choices, TOGETHER, "choice"))
        heads = "  ".join(f"{titled(name, HEADLINES[name]):>20}" for name in SHOWN)
        lines = [f"{'choice':<{wide}}  alternatives  {heads}"]
        base = "  ".join(f"{said(self.base.numbers[name], name):>20}" for name in SHOWN)
        lines.append(f"{BASE:<{wide}}  {'':>12}  {base}")
        for choice in self.choices:
            number = sum(row.choice == choice for row in self.alone)
            lines.append(f"{choice:<{wide}}  {number:>12}  " + self._cells(lambda name, c=choice: self.range(c, name)))
        if self.drawn:
            lines.append(f"{TOGETHER:<{wide}}  {len(self.drawn):>12}  " + self._cells(self.interval))
            lines.append(f"{TOGETHER}: the central {100 * COVERAGE:g} % over analyses with all choices drawn")
        lines += [f"left out: {choice}: {why}" for choice, why in self.left_out.items()]
        count = f"{len(self.alone)} alternatives of {len(self.choices)} choices"
        first = {name: self.widest(name)[:1] for name in ("accreted fraction", "E at 50 %")}
        most = [f"{name} moves most with {x[0]}" for name, x in first.items() if x]
        return "\n".join([*lines, "; ".join([count, *most])])

    def problems(self) -> str:
        """Return how many analyses failed or did not converge; empty for none."""
        bad = sum(bool(row.problem) for row in self.rows)
        first = next((f"{row.choice}, {row.name}: {row.problem}" for row in self.rows if row.problem), "")
        return f"{bad} of {len(self.rows)} analyses failed or did not converge (first {first})" if bad else ""

    def _cells(self, limits: Any) -> str:
        cells = []
        for name in SHOWN:
            low, high = limits(name)
            text = "-" if not np.isfinite(low) else f"{said(low, name, signed=True)} {said(high, name, signed=True)}"
            cells.append(f"{text:>20}")
        return "  ".join(cells)

    def _shown(self) -> tuple[str, dict[str, str], str]:
        facts = {name: said(self.base.numbers[name], name) for name in SHOWN}
        return f"Sensitivity to {len(self.choices)} choices", facts, ""


def column_of(name: str) -> str:
    """Return the name of a headline number's column."""
    return name.replace("%", "percent").replace(" ", "_")


def said(x: float, name: str, *, signed: bool = False) -> str:
    """Return a headline number, or its movement, in few characters and without its unit."""
    if not np.isfinite(x):
        return "-"
    sign = "+" if signed else ""
    if name == "accreted fraction":
        return f"{100 * x:{sign}.2f} %"
    if HEADLINES[name] == ENERGY:
        return number(x, ENERGY, signed=signed)
    return f"{x:{sign}.3f}" if HEADLINES[name] else f"{x:{sign},.0f}"


def _unit(text: str) -> Any:
    from astropy import units

    return units.Unit(text)


def _plain(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _plain(x) for name, x in numbers.items()}
