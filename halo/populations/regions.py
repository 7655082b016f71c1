"""Chemical selections of sub-populations, from an editable region file, and how their energies compare (R12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.table import QTable, Table
from scipy.stats import ks_2samp

from ..errors import InputError, UsageError
from ..io.columns import described
from ..io.notebook import InWords
from ..io.toml import read_toml
from ..mixtures.settings import Plane, parse_plane
from ..stars.catalogue import StarsLike
from ..stars.expressions import parse_cut
from ..stars.selection import choose
from ..stars.settings import Selection, as_selection
from ..stars.variables import values
from ..units import ENERGY, in_unit
from .settings import RegionSettings

REGION_FILE = Path(__file__).with_name("regions.toml")
"""The package's own regions; a user's file has the same form."""
REFERENCE = RegionSettings.reference
"""The region that the others are compared with."""
BINS = RegionSettings.bins
"""Bins of the energy histograms; the paper's."""
E_RANGE = RegionSettings.E_range
"""Their range, km2 / s2; the paper gives none, this is that of its profiles against energy."""
DRAWS = RegionSettings.draws
"""Bootstrap draws behind the support of the nearest region."""


@dataclass(frozen=True)
class Region:
    """A part of an abundance plane, a condition, or a part of a plane where a condition holds.

    Attributes
    ----------
    name : str
        What it selects.
    plane : Plane or None
        Of the polygon.
    polygon : ndarray, shape (vertices, 2) or None
        x and y of the vertices, dex.
    cut : str
        A condition as `expressions.parse_cut` reads it; empty for none.
    """

    name: str
    plane: Plane | None
    polygon: np.ndarray | None
    cut: str = ""

    def select(self, table: Any) -> np.ndarray:
        """Return which stars lie in the region; bool, shape (N,). A missing value never does."""
        keep = parse_cut(self.cut)(table) if self.cut else np.ones(len(table), dtype=bool)
        if self.plane is not None and self.polygon is not None:
            keep &= inside(self.polygon, values(table, self.plane.x), values(table, self.plane.y))
        return keep


def inside(polygon: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which points lie inside a polygon: an odd number of its edges lies above them."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    found = np.zeros(np.shape(x), dtype=bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if x1 != x2:
            across = (x1 <= x) != (x2 <= x)
            found ^= across & (y < y1 + (x - x1) / (x2 - x1) * (y2 - y1))
    return found & known


def read_regions(path: str | Path = REGION_FILE) -> dict[str, Region]:
    """Read a region file: a TOML table per region, with ``plane`` and ``polygon``, or ``cut``, or all three.

    Raises
    ------
    InputError
        The file cannot be read, or a region in it makes no sense.
    """
    path = Path(path)
    tables = read_toml(path, "the regions", "copy halo/populations/regions.toml and edit it", fault="are no TOML")
    if not tables:
        raise InputError(f"{path}: no region in it; expected tables such as [Eos] with plane and polygon.")
    return {name: _region(path, name, table) for name, table in tables.items()}


def named_region(name: str, path: str | Path = REGION_FILE) -> Region:
    """Return one region of a file by its name.

    Raises
    ------
    UsageError
        No region of that name.
    """
    regions = read_regions(path)
    if name not in regions:
        raise UsageError(f"no region {name!r}; {Path(path).name} has {', '.join(regions)}.")
    return regions[name]


def _region(path: Path, name: str, table: Any) -> Region:
    def bad(reason: str) -> InputError:
        return InputError(f"{path}: region {name}: {reason}; expected plane = 'Y:X' with polygon, or cut, or both.")

    if not isinstance(table, Mapping):
        raise bad("no table")
    unknown = sorted(set(table) - {"plane", "polygon", "cut"})
    if unknown:
        raise bad(f"unknown {', '.join(unknown)}")
    if ("plane" in table) != ("polygon" in table) or not table:
        raise bad("plane and polygon belong together" if table else "empty")
    cut = str(table.get("cut", ""))
    try:
        if cut:
            parse_cut(cut)
        if "plane" not in table:
            return Region(name, None, None, cut)
        polygon = np.asarray(table["polygon"], dtype=float)
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3 or not np.isfinite(polygon).all():
            raise bad("a polygon has three or more vertices [x, y]")
        return Region(name, parse_plane(str(table["plane"])), polygon, cut)
    except (UsageError, ValueError, TypeError) as error:
        raise bad(str(error)) from error


@dataclass(frozen=True, repr=False)
class RegionEnergies(InWords):
    """Energies of the stars of each region, and how they compare with those of the reference.

    Attributes
    ----------
    names : tuple of str
        Regions, the reference first.
    edges : ndarray, shape (bins + 1,)
        Of the energy, km2 / s2.
    counts : ndarray of int, shape (regions, bins)
        Stars in each.
    n_stars, outside : ndarray of int, shape (regions,)
        Stars of each region within the range of energies, which are compared, and those outside it.
    distance : ndarray, shape (regions,)
        Kolmogorov-Smirnov distance of the region's energies, unbinned, from the reference's; 0 for itself.
    p_value : ndarray, shape (regions,)
        Probability of so large a distance between samples of one distribution.
    support : ndarray, shape (regions,)
        Fraction of the bootstrap draws in which the region is nearest to the reference; 0 for itself.
    """

    names: tuple[str, ...]
    edges: np.ndarray
    counts: np.ndarray
    n_stars: np.ndarray
    outside: np.ndarray
    distance: np.ndarray
    p_value: np.ndarray
    support: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """Fraction of a region's stars per 1e5 km2/s2; shape (regions, bins)."""
        return self.counts / self.n_stars[:, None] / np.diff(self.edges) * 1e5

    @property
    def density_error(self) -> np.ndarray:
        """Its counting error, sqrt(n) of n stars."""
        return np.sqrt(self.counts) / self.n_stars[:, None] / np.diff(self.edges) * 1e5

    @property
    def ratio(self) -> np.ndarray:
        """Density of the reference divided by that of each region; NaN where either has no star."""
        top, bottom = self.density[:1], self.density
        return np.divide(top, bottom, out=np.full_like(bottom, np.nan), where=(bottom > 0) & (top > 0))

    @property
    def ratio_error(self) -> np.ndarray:
        """Its counting error, sqrt(1/n + 1/n') relative; NaN for the reference itself, whose ratio has none."""
        n = np.where(self.counts > 0, self.counts, 1)
        error = self.ratio * np.sqrt(1 / n[:1] + 1 / n)
        error[0] = np.nan
        return error

    @property
    def places(self) -> dict[str, int]:
        """Rank of each other region by similarity to the reference: 1 for that with the least distance."""
        order = np.argsort(self.distance[1:], kind="stable") + 1
        return {self.names[j]: place for place, j in enumerate(order, start=1)}

    @property
    def nearest(self) -> str:
        """The region with the least distance from the reference."""
        return next(iter(self.places))

    def table(self) -> QTable:
        """Return the histograms as a table, one row per bin of energy; the comparison is in the metadata.

        Columns ``lower``, ``upper``, and for each region ``n_``, ``density_``, ``density_error_``, ``ratio_`` and
        ``ratio_error_`` with its name.
        """
        energy = units.km**2 / units.s**2
        table = QTable()
        table["lower"], table["upper"] = self.edges[:-1] * energy, self.edges[1:] * energy
        for j, name in enumerate(self.names):
            table[f"n_{name}"] = self.counts[j]
            for column in ("density", "density_error", "ratio", "ratio_error"):
                if j > 0 or not column.startswith("ratio"):
                    table[f"{column}_{name}"] = getattr(self, column)[j]
        table.meta["reference"] = self.names[0]
        table.meta["density_unit"] = "fraction of the region's stars per 1e5 km2 / s2"
        table.meta["nearest"] = self.nearest
        for name, numbers in (
            ("stars", self.n_stars),
            ("stars_outside_the_energies", self.outside),
            ("ks_distance", self.distance),
            ("ks_p_value", self.p_value),
            ("bootstrap_support", self.support),
        ):
            table.meta[name] = dict(zip(self.names, numbers.tolist(), strict=True))
        return described(table, "regions")

    def describe(self) -> str:
        """Return the regions, a line each, and which is most like the reference."""
        rows = ["region          stars  outside E  KS distance  p-value  nearest in"]
        for j, name in enumerate(self.names):
            numbers = f"{name:<14} {self.n_stars[j]:6,}  {self.outside[j]:9,}"
            if j > 0:
                numbers += f"  {self.distance[j]:11.3f}  {self.p_value[j]:7.1g}  {100 * self.support[j]:8.1f} %"
            rows.append(numbers)
        return "\n".join([*rows, f"most like {self.names[0]}: {self.nearest}"])

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def region_energies(
    stars: StarsLike,
    regions: Mapping[str, Region] | str | Path | None = None,
    *,
    selection: Selection | str | None = None,
    reference: str = REFERENCE,
    bins: int = BINS,
    E_range: tuple[float, float] = E_RANGE,
    draws: int = DRAWS,
    seed: int = 0,
) -> RegionEnergies:
    """Return the energy distributions of regions compared with that of a reference.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars.
    regions : mapping of str to Region, or path, optional
        Regions, or a file of them; the package's own by default.
    selection : Selection or str, optional
        Which of the stars; the chemically pure halo by default, ``all`` for stars that are chosen already.
    reference : str
        The region to compare with.
    bins : int
        Bins of the histograms.
    E_range : tuple of float, or Quantity
        Their range, plain numbers in km2 / s2.
    draws : int
        Bootstrap draws of both samples behind `RegionEnergies.support`.
    seed : int
        Of the draws.

    Returns
    -------
    RegionEnergies

    Raises
    ------
    UsageError
        No region of the reference's name, or nothing to compare it with.
    InputError
        A region without stars, or a region file that cannot be read.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.regions("stars.fits")  # doctest: +SKIP
    >>> found.nearest, found.places  # doctest: +SKIP
    """
    if regions is None or isinstance(regions, str | Path):
        regions = read_regions(regions or REGION_FILE)
    if reference not in regions or len(regions) < 2:
        raise UsageError(f"{reference!r} must be one of two or more regions; there are {', '.join(regions)}.")
    names = (reference, *(name for name in regions if name != reference))
    sample_stars, _ = choose(stars, as_selection(selection))
    E, E_range = values(sample_stars, "E"), in_unit(E_range, ENERGY, "E_range")
    samples, outside = [], []
    for name in names:
        chosen = E[regions[name].select(sample_stars)]
        sample = np.sort(chosen[(chosen >= E_range[0]) & (chosen <= E_range[1])])
        if len(sample) == 0:
            raise InputError(
                f"region {name}: none of {len(E)} stars lies in it and in energies from {E_range[0]:g} to "
                f"{E_range[1]:g}; use more stars, or edit the region."
            )
        samples.append(sample)
        outside.append(len(chosen) - len(sample))
    edges = np.linspace(*E_range, bins + 1)
    tests = [ks_2samp(samples[0], sample) for sample in samples]
    return RegionEnergies(
        names=names,
        edges=edges,
        counts=np.stack([np.histogram(sample, edges)[0] for sample in samples]),
        n_stars=np.array([len(sample) for sample in samples]),
        outside=np.array(outside),
        distance=np.array([test.statistic for test in tests]),
        p_value=np.array([test.pvalue for test in tests]),
        support=_support(samples, draws, seed),
    )


def _support(samples: Sequence[np.ndarray], draws: int, seed: int) -> np.ndarray:
    """Return how often each sample is nearest to the first when all are drawn again, with replacement."""
    # at the energies of all stars together, cumulative counts of a draw are sums of multinomial numbers
    every = np.unique(np.concatenate(samples))
    rng = np.random.default_rng(seed)
    wins = np.zeros(len(samples))
    spots = [np.searchsorted(every, sample) for sample in samples]
    for _ in range(draws):
        drawn = []
        for sample, spot in zip(samples, spots, strict=True):
            weight = np.bincount(rng.integers(0, len(sample), len(sample)), minlength=len(sample))
            drawn.append(np.cumsum(np.bincount(spot, weights=weight, minlength=len(every))) / len(sample))
        distance = [np.abs(other - drawn[0]).max() for other in drawn[1:]]
        wins[1 + int(np.argmin(distance))] += 1
    return wins / max(draws, 1)


def outlines(regions: Mapping[str, Region], plane: Plane) -> Table:
    """Return the vertices of the regions of one plane: columns ``region``, ``x``, ``y``."""
    rows = [
        (name, float(x), float(y))
        for name, region in regions.items()
        if region.plane == plane and region.polygon is not None
        for x, y in region.polygon
    ]
    return described(Table(rows=rows, names=("region", "x", "y"), dtype=(str, float, float)), "regions")
