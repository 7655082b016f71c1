"""The boundary between the low- and the high-energy component in the (E, Lz) plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units
from astropy.table import QTable, Table
from scipy.ndimage import gaussian_filter1d

from ..errors import UsageError
from ..fits.apply import Application, apply
from ..fits.fit import Fit
from ..fits.settings import FitSettings
from ..mixtures.settings import Axis
from .compiling import as_python
from .crossings import boundaries, interpolate
from .profile import MIN_STARS, Profile
from .published_line import BK23_OFFSET, belokurov_kravtsov, mean_line

E_RANGE, LZ_RANGE = (-3.0e5, -1.0e5), (-2000.0, 2000.0)
GRID = 10
LEVEL = 0.5
SMOOTHING = 1.0

CROSSES, TWICE, NEVER, EMPTY = "crosses", "crosses more than once", "never crosses", "too few stars"
REVERSED = "crosses the other way only"
STATUSES = (CROSSES, TWICE, NEVER, EMPTY, REVERSED)
"""What can happen in a column, in the order in which `crossings.boundaries_of_many` numbers them."""


@dataclass(frozen=True)
class Boundary:
    """E_b(Lz): per Lz column, coming from high energies, where the last component's share first falls below a level.

    Attributes
    ----------
    Lz_edges : ndarray, shape (columns + 1,)
        Edges of the columns, kpc km/s.
    E : ndarray, shape (columns,)
        The boundary, km2 / s2; NaN where there is none.
    smoothed : ndarray, shape (columns,)
        The same after a Gaussian filter over the columns that have one.
    n_crossings : ndarray of int, shape (columns,)
        How often the share passes the level in each column.
    status : tuple of str
        What happened in each column.
    n_stars : ndarray of int, shape (columns,)
        Stars in each column.
    level : float
        The level.
    smoothing : float
        Width (sigma) of the filter in columns.
    application : Application
        The map behind it.
    """

    Lz_edges: np.ndarray
    E: np.ndarray
    smoothed: np.ndarray
    n_crossings: np.ndarray
    status: tuple[str, ...]
    n_stars: np.ndarray
    level: float
    smoothing: float
    application: Application

    @property
    def Lz(self) -> np.ndarray:
        """Centres of the columns, kpc km/s."""
        return 0.5 * (self.Lz_edges[:-1] + self.Lz_edges[1:])

    @property
    def found(self) -> str:
        """In how many columns there is a boundary, such as "4 of 10"."""
        return f"{int(np.isfinite(self.E).sum())} of {len(self.E)}"

    def __call__(self, Lz: np.ndarray) -> np.ndarray:
        """Return the smoothed boundary at any Lz, linear between columns and constant beyond the last ones.

        Raises
        ------
        UsageError
            If no column has a boundary.
        """
        good = np.isfinite(self.smoothed)
        if not good.any():
            raise UsageError("no Lz column has a boundary; use wider bins or another selection.")
        return np.interp(Lz, self.Lz[good], self.smoothed[good])

    def table(self) -> QTable:
        """Return the boundary as a table: one row per Lz column, with the line of Belokurov & Kravtsov (2023).

        The metadata say how the fit ended and which cells of the map did not converge: cell ``i * grid + j`` is the
        j-th in energy of row i.
        """
        action, energy = units.kpc * units.km / units.s, units.km**2 / units.s**2
        table = QTable()
        table["lower"], table["upper"], table["Lz"] = (
            x * action for x in (self.Lz_edges[:-1], self.Lz_edges[1:], self.Lz)
        )
        table["n_stars"] = self.n_stars
        table["E"] = self.E * energy
        table["E_smoothed"] = self.smoothed * energy
        table["n_crossings"] = self.n_crossings
        table["status"] = list(self.status)
        table["E_BK23"] = belokurov_kravtsov(self.Lz) * energy
        table.meta["level"] = self.level
        table.meta["smoothing_columns"] = self.smoothing
        table.meta.update(self.application.ended())
        table.meta["BK23_offset"] = BK23_OFFSET
        table.meta["BK23_note"] = (
            "Belokurov & Kravtsov (2023), lowered by the offset to McMillan (2017) energies; the offset is inferred "
            "from public globular-cluster flags, not published"
        )
        return table

    def describe(self) -> str:
        """Return the boundary, a line per Lz column, and in how many columns there is one."""
        rows = ["      Lz  stars            E     smoothed  status"]
        for row in zip(self.Lz, self.n_stars, self.E, self.smoothed, self.status, strict=True):
            rows.append("{:8.0f} {:6d} {:12.4g} {:12.4g}  {}".format(*row))
        return "\n".join([*rows, f"boundary in {self.found} columns"])

    def problems(self) -> str:
        """Return what did not converge, the fit or cells of the map; empty where all did."""
        return self.application.problems()


def boundary(
    fit: Fit,
    table: Any,
    *,
    grid: int = GRID,
    E_range: tuple[float, float] = E_RANGE,
    Lz_range: tuple[float, float] = LZ_RANGE,
    level: float = LEVEL,
    smoothing: float = SMOOTHING,
    min_stars: int = MIN_STARS,
    settings: FitSettings | None = None,
) -> Boundary:
    """Return the boundary of a fit's components on a regular (Lz, E) grid.

    Parameters
    ----------
    fit : Fit
        Of two or more components; the last one counts as accreted.
    table : Table
        Prepared stars.
    grid : int
        Bins on either axis.
    E_range, Lz_range : (float, float)
        Limits of the grid, km2 / s2 and kpc km/s.
    level : float
        Share of the last component at the boundary.
    smoothing : float
        Sigma of the Gaussian filter, in columns; 0 for none.
    min_stars : int
        Cells with fewer stars are left out.
    settings : FitSettings, optional
        Another selection than the fit's.

    Returns
    -------
    Boundary

    Raises
    ------
    UsageError
        A fit of one component, or an argument that makes no sense.
    """
    if len(fit.H) < 2:
        raise UsageError("a boundary lies between components; this fit has one. Fit two or more.")
    if grid < 2:
        raise UsageError(f"grid must be >= 2, got {grid}.")
    _check_line(level, smoothing)
    application = apply(fit, table, grid_axes(grid, E_range, Lz_range), settings=settings)
    return boundary_of(application, level=level, smoothing=smoothing, min_stars=min_stars)


def boundary_of(
    application: Application, *, level: float = LEVEL, smoothing: float = SMOOTHING, min_stars: int = MIN_STARS
) -> Boundary:
    """Return the boundary that an application on a regular (Lz, E) grid makes, such as `grid_axes` gives.

    Raises
    ------
    UsageError
        Another grid, or an argument that makes no sense.
    """
    _check_line(level, smoothing)
    bins = application.mixtures.bins
    if [axis.variable for axis in bins.axes] != ["Lz", "E"] or not all(axis.regular for axis in bins.axes):
        raise UsageError(f"a boundary is found on a regular grid of Lz and E; got {', '.join(map(str, bins.axes))}.")
    E_edges = bins.edges[1][0]
    centres = 0.5 * (E_edges[:-1] + E_edges[1:])
    shape = tuple(axis.count for axis in bins.axes)
    n_stars = application.mixtures.n_stars.reshape(shape)
    share = np.where(n_stars >= min_stars, application.fractions[:, -1].reshape(shape), np.nan)
    E, number, status = boundaries(centres, share[None], level, run=as_python)
    return Boundary(
        Lz_edges=bins.edges[0],
        E=E[0],
        smoothed=smooth(E[0], smoothing),
        n_crossings=number[0],
        status=tuple(STATUSES[i] for i in status[0]),
        n_stars=n_stars.sum(axis=1),
        level=level,
        smoothing=smoothing,
        application=application,
    )


def _check_line(level: float, smoothing: float) -> None:
    if not 0 < level < 1:
        raise UsageError(f"level must lie between 0 and 1, got {level:g}.")
    if not 0 <= smoothing < np.inf:
        raise UsageError(f"smoothing must be >= 0, got {smoothing:g}.")


def grid_axes(
    grid: int = GRID, E_range: tuple[float, float] = E_RANGE, Lz_range: tuple[float, float] = LZ_RANGE
) -> tuple[Axis, Axis]:
    """Return the axes of the map behind a boundary: columns of Lz, cells of E in each."""
    return Axis("Lz", grid, *Lz_range), Axis("E", grid, *E_range)


def smooth(E: np.ndarray, sigma: float) -> np.ndarray:
    """Return boundaries after a Gaussian filter of `sigma` columns along the last axis; NaN stay and have no say."""
    good = np.isfinite(E)
    if sigma < 0.125 or not good.any():  # so narrow a filter, cut off at four sigma, reaches no other column
        return E.copy()
    # the filter is renormalised over the columns that have a boundary
    weight = gaussian_filter1d(good.astype(float), sigma, mode="constant")
    total = gaussian_filter1d(np.where(good, E, 0.0), sigma, mode="constant")
    return np.where(good, total / np.where(weight > 0, weight, 1.0), np.nan)


@dataclass(frozen=True)
class Offset:
    """A boundary minus the line of Belokurov & Kravtsov (2023), in the columns that have a boundary.

    Attributes
    ----------
    Lz : ndarray, shape (c,)
        Centres of the columns, kpc km/s.
    difference : ndarray, shape (c,)
        Smoothed boundary minus the line's mean over the column, km2 / s2.
    """

    Lz: np.ndarray
    difference: np.ndarray

    def mean(self, side: int = 0) -> float:
        """Return the mean over the columns of a side: 1 for Lz > 0, -1 for Lz < 0, 0 for both; NaN of none."""
        chosen = self._side(side)
        return float(self.difference[chosen].mean()) if chosen.any() else float("nan")

    def lowest(self, side: int = 0) -> float:
        """Return how far below the line the boundary comes at most (the least difference); NaN of no column."""
        chosen = self._side(side)
        return float(self.difference[chosen].min()) if chosen.any() else float("nan")

    def distance(self) -> float:
        """Return the mean absolute difference; NaN of no column."""
        return float(np.abs(self.difference).mean()) if len(self.difference) else float("nan")

    def columns(self, side: int = 0) -> int:
        """Return how many columns there are on a side."""
        return int(self._side(side).sum())

    def _side(self, side: int) -> np.ndarray:
        return np.ones(len(self.Lz), dtype=bool) if side == 0 else self.Lz * side > 0

    def table(self) -> Table:
        """Return the differences as a table, with their means on either side in the metadata (km2 / s2)."""
        table = Table({"Lz": self.Lz, "difference": self.difference})
        table["Lz"].unit, table["difference"].unit = "kpc km / s", "km2 / s2"
        for name, side in (("prograde", 1), ("retrograde", -1), ("both", 0)):
            table.meta[name] = {
                "columns": self.columns(side),
                "mean": self.mean(side),
                "lowest": self.lowest(side),
            }
        return table

    def describe(self) -> str:
        """Return a line with the mean differences."""
        sides = ((0, "all"), (1, "prograde"), (-1, "retrograde"))
        means = ", ".join(f"{self.mean(side):.4g} ({name}, {self.columns(side)} columns)" for side, name in sides)
        return f"boundary minus the line of Belokurov & Kravtsov (2023), mean in km2 / s2: {means}"

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def offset(line: Boundary, zero_point: float = BK23_OFFSET) -> Offset:
    """Return how far a boundary is from the line of Belokurov & Kravtsov (2023), lowered by `zero_point` (km2 / s2)."""
    good = np.isfinite(line.smoothed)
    published = np.array(
        [mean_line(low, high, zero_point) for low, high in zip(line.Lz_edges[:-1], line.Lz_edges[1:], strict=True)]
    )
    return Offset(line.Lz[good], (line.smoothed - published)[good])


def fraction_at(profile: Profile, at: float, component: int = 0) -> float:
    """Return a component's fraction at a value of the profile's variable, by the spline of its crossings.

    Parameters
    ----------
    profile : Profile
        Such as that against energy.
    at : float
        In the variable's unit.
    component : int
        Which; the first is that of the lowest energy.

    Returns
    -------
    float
        NaN outside the bins with stars enough.
    """
    mixtures = profile.application.mixtures
    share = profile.application.fractions[:, component]
    enough = mixtures.n_stars >= profile.min_stars
    return interpolate(mixtures.bins.bounds[:, 0].mean(axis=-1), np.where(enough, share, np.nan), at)
