"""Two fits compared: the numbers of both, their differences with intervals, and the components' cosines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table

from ..fits.intervals import COVERAGE
from ..io.columns import described
from ..io.notebook import Shown
from ..rounding import number, unit_text

FAR = 2.0
"""Standard errors beyond which a difference is counted."""


@dataclass(frozen=True)
class Difference:
    """A number that both fits have.

    Attributes
    ----------
    name, unit : str
        What it is; fractions have no unit.
    a, b : float
        In the first and in the second fit; NaN where a fit has none.
    low, high : float
        Interval of b - a; NaN without replicates.
    se : float
        Its standard error.
    """

    name: str
    unit: str
    a: float
    b: float
    low: float = float("nan")
    high: float = float("nan")
    se: float = float("nan")

    @property
    def value(self) -> float:
        """The second less the first."""
        return self.b - self.a


@dataclass(frozen=True)
class Curve:
    """The accreted fraction of one fit along a variable, with the interval of its replicates; shapes (bins,)."""

    variable: str
    centre: np.ndarray
    fraction: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Two fits compared.

    Attributes
    ----------
    names : tuple of tuple of str
        The components of either fit.
    settings : tuple of str
        Choices that differ, such as ``loss: frobenius | kullback-leibler``.
    cosine : ndarray, shape (k of the first, k of the second)
        Between their components, on the coarser one's pixels; NaN where the planes or their ranges differ.
    differences : tuple of Difference
        Numbers of both.
    paired : bool
        Both fits have the same stars, drawn alike in each replicate: the intervals are of the difference itself.
        Otherwise they are as if the samples were independent, too wide where they have stars in common.
    curves : tuple of Curve
        The accreted fraction along E of the first and of the second fit; empty without stars.
    problems_of : tuple of str
        What did not converge in either.
    lost : int
        Replicates of both that no interval counts.
    read : tuple of str
        Which components either fit reads as accreted.
    """

    names: tuple[tuple[str, ...], tuple[str, ...]]
    settings: tuple[str, ...]
    cosine: np.ndarray
    differences: tuple[Difference, ...]
    paired: bool
    curves: tuple[Curve, ...] = ()
    problems_of: tuple[str, ...] = ()
    lost: int = 0
    read: tuple[str, str] = ("", "")

    def table(self) -> Table:
        """Return the numbers as a table, a row each: ``name``, ``unit``, ``a``, ``b``, ``difference``, its interval."""
        rows = self.differences
        table = Table({"name": [row.name for row in rows], "unit": [row.unit for row in rows]})
        for name in ("a", "b", "value", "se", "low", "high"):
            table["difference" if name == "value" else name] = [getattr(row, name) for row in rows]
        table.meta |= {
            "components": [list(each) for each in self.names],
            "settings": list(self.settings),
            "cosine": np.round(self.cosine, 6).tolist() if np.isfinite(self.cosine).all() else [],
            "coverage": COVERAGE,
            "paired": self.paired,
            "lost": self.lost,
        }
        return described(table, "compare")

    def record(self) -> dict[str, Any]:
        """Return the comparison for ``--json``; None for what is not a number."""
        rows = [
            {name: _finite(getattr(row, name)) for name in ("name", "unit", "a", "b", "value", "se", "low", "high")}
            for row in self.differences
        ]
        cosine = [[_finite(x) for x in row] for row in self.cosine.tolist()]
        return {
            "components": [list(each) for each in self.names],
            "settings": list(self.settings),
            "cosine": cosine,
            "differences": rows,
            "coverage": COVERAGE,
            "paired": self.paired,
            "lost": self.lost,
        }

    def describe(self) -> str:
        """Return the choices, the cosines and the numbers in lines."""
        lines = [
            "settings that differ (a | b):" if self.settings else "the same settings",
            *map("  {}".format, self.settings),
        ]
        if np.isfinite(self.cosine).all():
            wide = max(len(name) for name in (*self.names[0], *self.names[1], "cosine"))
            lines += [
                f"{'cosine':>{wide}}  " + "  ".join(f"{name:>7}" for name in self.names[1]),
                *(
                    f"{name:>{wide}}  " + "  ".join(f"{x:7.4f}" for x in row)
                    for name, row in zip(self.names[0], self.cosine, strict=True)
                ),
            ]
        else:
            lines.append("no cosines: the planes or their ranges differ")
        wide = max((len(row.name) for row in self.differences), default=0)
        known = any(np.isfinite(row.se) for row in self.differences)
        how = "the same draws of the same stars" if self.paired else "as of independent samples"
        lines.append(
            f"{'':<{wide}}  {'a':>10}  {'b':>10}  {'b - a':>10}"
            + (f"  {100 * COVERAGE:g} % interval, {how}" if known else "")
        )
        for row in self.differences:
            a, b = (_said(x, row) for x in (row.a, row.b))
            value, low, high = (_said(x, row, signed=True) for x in (row.value, row.low, row.high))
            said = f"{row.name:<{wide}}  {a:>10}  {b:>10}  {value:>10}"
            said += f"  ({low} to {high})" if np.isfinite(row.low) else ""
            lines.append(f"{said} {_unit(row)}".rstrip())
        far = sum(abs(row.value) > FAR * row.se for row in self.differences)
        if self.lost:
            lines.append(f"{self.lost:,} replicates did not converge or could not be matched; no interval counts them")
        number = f"{len(self.differences)} number{'s' * (len(self.differences) != 1)} compared"
        beyond = f", {far} differ{'s' * (far == 1)} by more than {FAR:g} standard errors"
        lines.append(number + beyond * bool(known))
        return "\n".join(lines)

    def problems(self) -> str:
        """Return which of the two did not converge; empty where both did."""
        return "; ".join(self.problems_of)

    def _shown(self) -> tuple[str, dict[str, str], str]:
        facts = {row.name: f"{_said(row.a, row)}, {_said(row.b, row)}" for row in self.differences[:6]}
        return "Comparison of two fits", {"settings": f"{len(self.settings)} differ", **facts}, ""


def _said(x: float, row: Difference, *, signed: bool = False) -> str:
    """Return one of a row's numbers, rounded by the standard error of their difference; that, signed, without unit."""
    if _is_fraction(row) and np.isfinite(x):
        return number(100 * x, signed=signed, error=100 * row.se) + " %" * (not signed)
    return number(x, row.unit, signed=signed, error=row.se)


def _unit(row: Difference) -> str:
    """Return the unit of a row's difference; that of two fractions is none of their per cent."""
    return "points" if _is_fraction(row) and np.isfinite(row.value) else unit_text(row.unit)


def _is_fraction(row: Difference) -> bool:
    return "fraction" in row.name


def _finite(x: Any) -> Any:
    return None if isinstance(x, float) and not np.isfinite(x) else x
