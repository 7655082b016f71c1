"""The boundary between in-situ and accreted components in the (E, Lz) plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from astropy import units
from astropy.table import QTable

from ..errors import UsageError
from ..fits.apply import Application, apply
from ..fits.store import FitLike, as_fit
from ..io.columns import described
from ..io.notebook import Shown, curves
from ..mixtures.settings import Axis
from ..rounding import count, measured, number, titled
from ..stars.catalogue import StarsLike
from ..stars.published_line import BK23_OFFSET, belokurov_kravtsov
from ..stars.settings import Selection
from ..units import ACTION, ENERGY, Measured, in_unit, like
from .compiling import as_python
from .crossings import boundaries
from .profile import MIN_STARS
from .settings import BoundarySettings

E_RANGE, LZ_RANGE = BoundarySettings.E_range, BoundarySettings.Lz_range
GRID, LEVEL, SMOOTHING = BoundarySettings.grid, BoundarySettings.level, BoundarySettings.smoothing

CROSSES, TWICE, NEVER, EMPTY = "crosses", "crosses more than once", "never crosses", "too few stars"
REVERSED = "crosses the other way only"
STATUSES = (CROSSES, TWICE, NEVER, EMPTY, REVERSED)
"""What can happen in a column, in the order in which `crossings.boundaries_of_many` numbers them."""


@dataclass(frozen=True, repr=False)
class Boundary(Shown, Measured):
    """E_b(Lz): per Lz column, coming from high energies, where the accreted fraction first falls below a level.

    Attributes
    ----------
    Lz_edges : ndarray, shape (columns + 1,)
        Edges of the columns, kpc km/s.
    E : ndarray, shape (columns,)
        The boundary, km2 / s2; NaN where there is none.
    smoothed : ndarray, shape (columns,)
        The same after a Gaussian filter over the columns that have one.
    n_crossings : ndarray of int, shape (columns,)
        How often the fraction passes the level in each column.
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
    UNITS: ClassVar[Mapping[str, str]] = {"E": ENERGY, "smoothed": ENERGY, "Lz": ACTION, "Lz_edges": ACTION}

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

        Parameters
        ----------
        Lz : array or Quantity
            Plain numbers in kpc km/s give plain ones in km2 / s2, and Quantities Quantities.

        Raises
        ------
        UsageError
            If no column has a boundary, or Lz has a unit of another kind.
        """
        good = np.isfinite(self.smoothed)
        if not good.any():
            raise UsageError("no Lz column has a boundary; use wider bins or another selection.")
        return like(Lz, np.interp(in_unit(Lz, ACTION, "Lz"), self.Lz[good], self.smoothed[good]), ENERGY)

    def table(self) -> QTable:
        """Return the boundary as a table: one row per Lz column, with the line of Belokurov & Kravtsov (2023).

        The metadata record how the fit ended and which cells of the map did not converge: cell ``i * grid + j`` is the
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
        convention = self.application.mixtures.convention
        if convention is not None:
            table.meta["convention"] = convention.record()
        table.meta["BK23_offset"] = BK23_OFFSET
        table.meta["BK23_note"] = (
            "Belokurov & Kravtsov (2023), lowered by the offset to McMillan (2017) energies; the offset is inferred "
            "from public globular-cluster flags, not published"
        )
        return described(table, "boundary")

    def describe(self) -> str:
        """Return the boundary, a line per Lz column, and in how many columns there is one."""
        heads = titled("Lz", ACTION), "stars", titled("E", ENERGY), titled("smoothed", ENERGY)
        rows = [f"{'  '.join(heads)}  status"]
        for Lz, n, E, smoothed, status in zip(self.Lz, self.n_stars, self.E, self.smoothed, self.status, strict=True):
            cells = count(Lz), count(n), number(E, ENERGY), number(smoothed, ENERGY)
            texts = [f"{cell:>{max(len(head), 7)}}" for cell, head in zip(cells, heads, strict=True)]
            rows.append(f"{'  '.join(texts)}  {status}")
        return "\n".join([*rows, f"boundary in {self.found} columns"])

    def problems(self) -> str:
        """Return what did not converge, the fit or cells of the map; empty where all did."""
        return self.application.problems()

    def _shown(self) -> tuple[str, dict[str, str], str]:
        good = np.isfinite(self.smoothed)
        low, high = (f(self.smoothed[good]) if good.any() else np.nan for f in (np.min, np.max))
        facts = {
            "stars": f"{int(self.n_stars.sum()):,} in {len(self.E)} Lz columns",
            "found": f"in {self.found} columns, at {100 * self.level:g} % of {self.application.reading.label}",
            "E": f"{number(low, ENERGY)} to {measured(high, ENERGY)}" if good.any() else "nowhere",
            "status": self.problems() or "converged",
        }
        margin = 0.1 * (high - low)
        picture = curves(self.Lz.tolist(), [self.smoothed.tolist()], (low - margin, high + margin))
        return f"Boundary of {' and '.join(self.application.names)}", facts, picture


def boundary(
    fit: FitLike,
    stars: StarsLike,
    *,
    grid: int = GRID,
    E_range: tuple[float, float] = E_RANGE,
    Lz_range: tuple[float, float] = LZ_RANGE,
    level: float = LEVEL,
    smoothing: float = SMOOTHING,
    min_stars: int = MIN_STARS,
    selection: Selection | str | None = None,
    device: str | None = None,
) -> Boundary:
    """Return the boundary of a fit's components on a regular (Lz, E) grid.

    Parameters
    ----------
    fit : Fit or path
        Of two or more components; which count as accreted, `reading.read` says.
    stars : Table, Catalogue or path
        Prepared stars.
    grid : int
        Bins on either axis.
    E_range, Lz_range : (float, float) or Quantity
        Limits of the grid, plain numbers in km2 / s2 and kpc km/s.
    level : float
        Accreted fraction at the boundary.
    smoothing : float
        Sigma of the Gaussian filter, in columns; 0 for none.
    min_stars : int
        Cells with fewer stars are left out.
    selection, device : optional
        Others than the fit's, as in `apply`.

    Returns
    -------
    Boundary

    Raises
    ------
    UsageError
        A fit of one component, or an argument that makes no sense.

    Examples
    --------
    >>> from halonmf import halo
    >>> line = halo.boundary("fit.h5", "stars.fits")  # doctest: +SKIP
    >>> line([-500.0, 0.0, 500.0])  # km2 / s2, at Lz in kpc km / s  # doctest: +SKIP
    """
    fit = as_fit(fit)
    if len(fit.H) < 2:
        raise UsageError("a boundary lies between components; this fit has one. Fit two or more.")
    if grid < 2:
        raise UsageError(f"grid must be >= 2, got {grid}.")
    _check_line(level, smoothing)
    application = apply(fit, stars, grid_axes(grid, E_range, Lz_range), selection=selection, device=device)
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
    fraction = np.where(n_stars >= min_stars, application.accreted_fractions.reshape(shape), np.nan)
    E, number, status = boundaries(centres, fraction[None], level, run=as_python)
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
    """Return boundaries after a Gaussian filter of `sigma` columns along the last axis; NaN stay and do not count."""
    good = np.isfinite(E)
    if sigma < 0.125 or not good.any():  # so narrow a filter, cut off at four sigma, reaches no other column
        return E.copy()
    # the filter is renormalised over the columns that have a boundary
    weight = _filtered(good.astype(float), sigma)
    total = _filtered(np.where(good, E, 0.0), sigma)
    return np.where(good, total / np.where(weight > 0, weight, 1.0), np.nan)


def _filtered(x: np.ndarray, sigma: float) -> np.ndarray:
    # What scipy.ndimage.gaussian_filter1d(x, sigma, mode="constant") gives, its sums in the same order: to load that
    # module takes longer than all boundaries of an ensemble.
    reach = int(4.0 * sigma + 0.5)
    kernel = np.exp(-0.5 / sigma**2 * np.arange(-reach, reach + 1) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(x, [*[(0, 0)] * (x.ndim - 1), (reach, reach)])
    number = x.shape[-1]
    total = kernel[reach] * x
    for shift in range(reach, 0, -1):
        left, right = padded[..., reach - shift : reach - shift + number], padded[..., reach + shift :][..., :number]
        total += kernel[reach - shift] * (left + right)
    return total
