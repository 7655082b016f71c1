"""The boundary as a tool: the published line's shape, moved by one fitted offset, and the probability on either side.

A free curve has a number in each column of Lz that has stars enough, and none elsewhere. The line of Belokurov &
Kravtsov (2023) is defined everywhere; what a fit says of it is how far it has to be moved, one number with an interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from astropy import units
from astropy.table import Column, QTable, Table
from astropy.utils.masked import Masked

from ..errors import InputError, UsageError
from ..io.columns import described
from ..io.notebook import InWords
from ..orbits.convention import UNKNOWN, Convention, stated
from ..rounding import measured
from ..stars.published_line import BK23_OFFSET, belokurov_kravtsov
from ..units import ACTION, ENERGY, Measured, in_unit, like
from .boundary import Boundary
from .settings import LINES


@dataclass(frozen=True, repr=False)
class Classified(InWords):
    """What a boundary says of stars.

    Attributes
    ----------
    P_accreted : ndarray, shape (N,)
        Expected accreted fraction among the survey's stars of such E and Lz; NaN where they are missing.
    accreted : ndarray of bool, shape (N,)
        Above the line.
    in_range : ndarray of bool, shape (N,)
        Whether the boundary was found at that Lz.
    """

    P_accreted: np.ndarray
    accreted: np.ndarray
    in_range: np.ndarray

    def table(self) -> Table:
        """Return the three columns as a table."""
        columns = {"P_accreted": self.P_accreted, "accreted": self.accreted, "in_range": self.in_range}
        return described(Table(columns), "classify")

    def record(self) -> dict[str, Any]:
        """Return how many there are, above the boundary and beyond its range: the rows stand in the table."""
        known = np.isfinite(self.P_accreted)
        return {
            "stars": len(known),
            "classified": int(known.sum()),
            "accreted": int(self.accreted.sum()),
            "accreted_by_probability": float(self.P_accreted[known].sum()),
            "out_of_range": int((known & ~self.in_range).sum()),
        }

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""

    def joined(self, table: Table, E: np.ndarray, Lz: np.ndarray) -> Table:
        """Return a table with these columns, and with E and Lz where it has none of that name, or others."""
        made = table.copy()
        action, energy = units.kpc * units.km / units.s, units.km**2 / units.s**2
        for name, values, unit in (("E", E, energy), ("Lz", Lz, action)):
            own = _plain(made[name], unit) if name in made.colnames else None
            if own is None or not np.array_equal(own, values, equal_nan=True):
                made[name] = Column(values, unit=unit)
        for name, column in self.table().items():
            made[name] = column
        return made

    def describe(self) -> str:
        """Return how many are above the line, and how many lie where it was not found."""
        known = np.isfinite(self.P_accreted)
        outside = int((known & ~self.in_range).sum())
        also = f"; {outside:,} beyond the Lz where the boundary was found" if outside else ""
        lost = f"; {int((~known).sum()):,} without E and Lz" if not known.all() else ""
        return (
            f"{int(self.accreted.sum()):,} of {int(known.sum()):,} above the boundary, "
            f"{float(self.P_accreted[known].sum()):,.1f} accreted by probability{also}{lost}"
        )


@dataclass(frozen=True)
class Interval:
    """Numbers and the limits of their interval, of one shape; NaN where there are none."""

    value: Any
    lower: Any
    upper: Any


@dataclass(frozen=True, repr=False)
class Classifier(InWords, Measured):
    """A boundary with its interval, and the accreted fraction by the energy above the published line.

    Attributes
    ----------
    Lz_edges : ndarray, shape (columns + 1,)
        Edges of the columns of Lz, kpc km / s.
    free : Interval of ndarrays, shape (columns,)
        The boundary in each column, smoothed, km2 / s2.
    offset : Interval of floats
        Of the line of Belokurov & Kravtsov (2023) at McMillan (2017) energies (`published_line.BK23_OFFSET`), km2 / s2.
    dE_edges : ndarray, shape (bins + 1,)
        Edges of the energies above the published line, km2 / s2.
    fraction : Interval of ndarrays, shape (bins,)
        The accreted one, the mean over the replicates; NaN where there are too few stars.
    level, coverage : float
        Of the boundary, and of the intervals.
    replicates, lost : int
        Behind the intervals; and those that did not converge or did not match.
    convention : Convention
        What the energies are measured from.
    found : Boundary, optional
        The boundary as it was found; not in files.
    """

    Lz_edges: np.ndarray
    free: Interval
    offset: Interval
    dE_edges: np.ndarray
    fraction: Interval
    level: float
    coverage: float
    replicates: int
    lost: int
    convention: Convention
    found: Boundary | None = field(default=None, repr=False)
    UNITS: ClassVar[Mapping[str, str]] = {"Lz": ACTION, "Lz_edges": ACTION, "dE_edges": ENERGY}

    @property
    def Lz(self) -> np.ndarray:
        """Centres of the columns, kpc km / s."""
        return 0.5 * (self.Lz_edges[:-1] + self.Lz_edges[1:])

    def line(self, Lz: np.ndarray, which: str = LINES[0]) -> np.ndarray:
        """Return the boundary's energy at any Lz (kpc km / s), km2 / s2; Quantities where Lz is one.

        Raises
        ------
        UsageError
            An unknown line, no column has a boundary, or Lz has a unit of another kind.
        """
        given, Lz = Lz, in_unit(Lz, ACTION, "Lz")
        if which not in LINES:
            raise UsageError(f"line must be {' or '.join(LINES)}, got {which!r}.")
        good = np.isfinite(self.free.value)
        if which == "shifted":
            if not np.isfinite(self.offset.value):
                raise UsageError(
                    f"the fraction does not cross {100 * self.level:g} % once along the energy above the published "
                    "line, so there is no offset; use --line free, or another fit."
                )
            return like(given, belokurov_kravtsov(Lz) + self.offset.value, ENERGY)
        if not good.any():
            raise UsageError("no Lz column has a boundary; use wider bins or another selection.")
        # beyond the outermost columns the published line's shape, from where the curve ends
        centres, Lz = self.Lz[good], np.asarray(Lz, float)
        beyond = belokurov_kravtsov(Lz) - belokurov_kravtsov(np.clip(Lz, centres[0], centres[-1]))
        return like(given, np.interp(Lz, centres, self.free.value[good]) + beyond, ENERGY)

    def classify(self, E: np.ndarray, Lz: np.ndarray, line: str = LINES[0]) -> Classified:
        """Return what the boundary says of stars, whose energies must be of the same convention.

        Parameters
        ----------
        E, Lz : ndarray, shape (N,)
            km2 / s2 and kpc km / s, or Quantities; NaN or masked where missing.
        line : str
            One of `LINES`. Probabilities are read at the energy above it, or above the published line where that has no
            offset; beyond the energies that have stars they are those of the last bin.

        Raises
        ------
        UsageError
            As `line`, units of another kind, no numbers, or arrays of different shapes.
        """
        E, Lz = _plain(E, units.km**2 / units.s**2), _plain(Lz, units.kpc * units.km / units.s)
        if E.shape != Lz.shape or not E.ndim:
            raise UsageError(
                f"E and Lz must be arrays of one shape, a number per star; got shapes {E.shape} and {Lz.shape}."
            )
        known = np.isfinite(E) & np.isfinite(Lz)
        where = np.where(known, Lz, 0.0)
        edge = self.line(where, line)
        shift = self.offset.value if np.isfinite(self.offset.value) else edge - belokurov_kravtsov(where)
        good = np.isfinite(self.fraction.value)
        if not good.any():
            raise UsageError("no bin of the energy above the published line has stars enough; use a wider selection.")
        centre = 0.5 * (self.dE_edges[:-1] + self.dE_edges[1:])
        # between the outermost bins with stars linear, beyond them constant
        probability = np.interp(np.where(known, E, 0.0) - edge + shift, centre[good], self.fraction.value[good])
        columns = np.searchsorted(self.Lz_edges, Lz, side="right") - 1
        inside = known & (columns >= 0) & (columns < len(self.Lz))
        inside[inside] = np.isfinite(self.free.value[columns[inside]])
        return Classified(np.where(known, probability, np.nan), known & (np.where(known, E, -np.inf) > edge), inside)

    def table(self) -> QTable:
        """Return the boundary as a table: a row per column of Lz; everything else stands in the metadata."""
        action, energy = units.kpc * units.km / units.s, units.km**2 / units.s**2
        if self.found is not None:
            table = self.found.table()
        else:
            table = QTable()
            table["lower"], table["upper"] = self.Lz_edges[:-1] * action, self.Lz_edges[1:] * action
            table["Lz"], table["E_smoothed"] = self.Lz * action, self.free.value * energy
            table["E_BK23"] = belokurov_kravtsov(self.Lz) * energy
        table["E_lower"], table["E_upper"] = self.free.lower * energy, self.free.upper * energy
        table["E_shifted"] = (belokurov_kravtsov(self.Lz) + self.offset.value) * energy
        table.meta["level"], table.meta["coverage"] = self.level, self.coverage
        table.meta["convention"] = self.convention.record()
        table.meta["replicates"], table.meta["lost"] = self.replicates, self.lost
        table.meta["offset"] = vars(self.offset) | {
            "unit": ENERGY,
            "of": "the line of Belokurov & Kravtsov (2023) at McMillan (2017) energies, E_BK23",
            "of_their_energies": BK23_OFFSET + self.offset.value,
        }
        above = {name: np.asarray(x).tolist() for name, x in vars(self.fraction).items()}
        table.meta["above_the_line"] = above | {"dE_edges": self.dE_edges.tolist(), "unit": ENERGY}
        return described(table, "boundary")

    @classmethod
    def from_table(cls, table: Table, where: str = "the table") -> Classifier:
        """Return the classifier that a table holds.

        Raises
        ------
        InputError
            It is none, or holds what makes no sense.
        """
        names = ("value", "lower", "upper")
        if "offset" not in table.meta or "E_smoothed" not in table.colnames:
            raise InputError(
                f"{where}: not a boundary with intervals; make one with halonmf boundary (--bootstrap above 0), which "
                "also finds the published line's offset."
            )
        try:
            low, high = (_plain(table[name], units.kpc * units.km / units.s) for name in ("lower", "upper"))
            free = (_plain(table[name], units.km**2 / units.s**2) for name in ("E_smoothed", "E_lower", "E_upper"))
            offset = (float(table.meta["offset"][name]) for name in names)
            above = table.meta["above_the_line"]
            edges = np.asarray(above["dE_edges"], float)
            fraction = Interval(*(np.asarray(above[name], float) for name in names))
            made = cls(
                np.append(low, high[-1:]), Interval(*free), Interval(*offset), edges, fraction,
                float(table.meta["level"]), float(table.meta["coverage"]), int(table.meta["replicates"]),
                int(table.meta["lost"]), stated(table.meta) or Convention(UNKNOWN, UNKNOWN),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, IndexError, UsageError) as error:
            raise InputError(
                f"{where}: holds no boundary to classify with ({error}); make one with halonmf boundary, which also "
                "finds the published line's offset."
            ) from error
        bins = len(edges) - 1
        sound = (
            len(low) > 0
            and np.allclose(low[1:], high[:-1])
            and (np.diff(made.Lz_edges) > 0).all()
            and bins > 0
            and np.isfinite(edges).all()
            and (np.diff(edges) > 0).all()
            and all(x.shape == (bins,) for x in vars(fraction).values())
            and np.isfinite(fraction.value).any()
            and 0 <= np.nanmin(fraction.value) <= np.nanmax(fraction.value) <= 1
            and 0 < made.level < 1
            and 0 < made.coverage < 1
            and 0 <= made.lost <= made.replicates
        )
        if not sound:
            raise InputError(f"{where}: the boundary in it makes no sense; make it again with halonmf boundary.")
        return made

    def describe(self) -> str:
        """Return the boundary by columns, if it was just found, and the offset with its interval."""
        lines = [] if self.found is None else self.found.describe().splitlines()
        if not np.isfinite(self.offset.value):
            said = f"no offset: the fraction does not cross {100 * self.level:g} % once along E - E_BK23(Lz)"
        else:
            limits = (self.offset.lower, self.offset.upper) if self.replicates else ()
            by = measured(self.offset.value, ENERGY, interval=limits)
            said = f"the line of Belokurov & Kravtsov (2023) moved by {by}"
            said += f" at {100 * self.coverage:g} %" if self.replicates else ""
        return "\n".join([*lines[:-1], said, *lines[-1:]])

    def problems(self) -> str:
        """Return what did not converge; empty where all did."""
        return "" if self.found is None else self.found.problems()


def _plain(x: Any, unit: Any) -> np.ndarray:
    # NaN where masked: what lies beneath a mask is no value
    mask = x.mask if isinstance(x, Masked | np.ma.MaskedArray) else False
    x = x.unmasked if isinstance(x, Masked) else x
    try:
        plain = np.asarray(units.Quantity(x, unit).to_value(unit) if hasattr(x, "unit") and x.unit else x, float)
    except units.UnitConversionError as error:
        raise UsageError(f"expected {unit}: {error}.") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"expected numbers in {unit}: {error}.") from error
    return np.where(mask, np.nan, plain)
