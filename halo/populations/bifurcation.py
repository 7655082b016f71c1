"""The two branches of Eos in [Mg/Fe]-[Fe/H]: actions pixel by pixel, radial actions on either side, a scan (R13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.stats import ks_2samp, mannwhitneyu

from ..errors import InputError, UsageError
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.bins import place
from ..stars.catalogue import StarsLike
from ..stars.selection import choose
from ..stars.settings import Selection, as_selection
from ..stars.variables import VARIABLES, values
from ..units import ACTION
from .regions import REFERENCE, Region, named_region
from .settings import BifurcationSettings

ACTIONS = ("J_r", "J_z", "J_phi")
"""What is averaged over the pixels; the paper calls J_z the angular action J_theta."""
STATISTICS = ("median", "mean", "std")
BRANCHES = ("above", "below")
FE_H, MG_FE = BifurcationSettings.fe_h, BifurcationSettings.mg_fe
"""The frame of the bifurcation, dex. The paper says [Fe/H] from about -0.9 to -0.2; of [Mg/Fe] it gives no numbers."""
LINE = BifurcationSettings.line
"""Two points ([Fe/H], [Mg/Fe]) of the line between the branches; the paper draws one and gives no numbers."""
PIXELS = (14, 12)
"""Pixels along [Fe/H] and [Mg/Fe]."""
MIN_STARS = 3
"""Pixels with fewer stars have no mean."""
GIVEN = ("FE_H", "MG_FE", "M_H", "ALPHA_M")
"""Abundances that define the branches, or measure the same."""
DRAWS = BifurcationSettings.draws
"""Bootstrap draws behind the errors."""
ALPHA = 0.01
"""Level at which a property of the scan counts as different, after correction for the number of properties."""


@dataclass(frozen=True)
class Scanned:
    """How one property differs between the branches.

    Attributes
    ----------
    name : str
        Property.
    above, below : float
        Medians.
    distance : float
        Kolmogorov-Smirnov distance.
    p_ks, p_rank : float
        Probability of so large a distance, and of so large a difference in rank (Mann & Whitney 1947), by chance.
    corrected : float
        The smaller of the two after correction for both tests of every property (Holm 1979).
    by_construction : bool
        The branches are defined by it, so that a difference means nothing.
    """

    name: str
    above: float
    below: float
    distance: float
    p_ks: float
    p_rank: float
    corrected: float
    by_construction: bool

    @property
    def differs(self) -> bool:
        """Whether the branches differ in it, at `ALPHA` over all properties, and not by construction."""
        return self.corrected < ALPHA and not self.by_construction


@dataclass(frozen=True, repr=False)
class Bifurcation(InWords):
    """The branches of a bifurcation, and what differs between them.

    Attributes
    ----------
    region : str
        A region that the stars also lie in; empty for no limit.
    edges : tuple of ndarray
        Edges of the pixels along [Fe/H] and [Mg/Fe], dex.
    line : tuple
        Two points of the line between the branches.
    counts : ndarray of int, shape (l_mg, l_fe)
        Stars of each pixel.
    means : ndarray, shape (3, l_mg, l_fe)
        Mean of each of `ACTIONS`, kpc km/s; NaN in pixels of fewer than `MIN_STARS` stars.
    n_stars : ndarray of int, shape (2,)
        Stars above and below the line.
    statistics, error : ndarray, shape (2, 3)
        `STATISTICS` of J_r above and below, kpc km/s, and their bootstrap standard errors.
    difference, difference_interval : ndarray, shape (3,) and (2, 3)
        Above minus below, and the 2.5 and 97.5 percentiles of its bootstrap draws.
    scan : tuple of Scanned
        Every property of the stars, most different first.
    fe_h, mg_fe : ndarray, shape (N,)
        The stars inside the frame, dex.
    """

    region: str
    edges: tuple[np.ndarray, np.ndarray]
    line: tuple[tuple[float, float], tuple[float, float]]
    counts: np.ndarray
    means: np.ndarray
    n_stars: np.ndarray
    statistics: np.ndarray
    error: np.ndarray
    difference: np.ndarray
    difference_interval: np.ndarray
    scan: tuple[Scanned, ...]
    fe_h: np.ndarray
    mg_fe: np.ndarray

    def place(self, name: str) -> int | None:
        """Return the rank of a property by how much the branches differ in it, 1 for most; None if not scanned."""
        names = [row.name for row in self.scan if not row.by_construction]
        return names.index(name) + 1 if name in names else None

    def table(self) -> Table:
        """Return the statistics of J_r as a table: a row per branch and statistic, and one per difference; kpc km/s."""
        rows = []
        for j, statistic in enumerate(STATISTICS):
            for i, branch in enumerate(BRANCHES):
                low, high = np.nan, np.nan
                rows.append((branch, statistic, self.statistics[i, j], self.error[i, j], low, high))
            low, high = self.difference_interval[:, j]
            rows.append(("above - below", statistic, self.difference[j], np.nan, low, high))
        table = Table(rows=rows, names=("branch", "statistic", "J_r", "error", "low_95", "high_95"))
        table.meta |= {
            "region": self.region or "none",
            "stars": dict(zip(BRANCHES, self.n_stars.tolist(), strict=True)),
            "line": [list(point) for point in self.line],
            "fe_h": [float(x) for x in self.edges[0][[0, -1]]],
            "mg_fe": [float(x) for x in self.edges[1][[0, -1]]],
            "unit": ACTION,
            "differ": [s.name for s in self.scan if s.differs],
        }
        return described(table, "bifurcation")

    def tables(self) -> dict[str, Table]:
        """Return all tables by name.

        ``statistics`` is that of `table`; ``scan`` has a row per property, most different first; ``pixels`` a row per
        pixel with its edges (dex), its stars and the mean actions (kpc km/s).
        """
        return {"statistics": self.table(), "scan": self._scan_table(), "pixels": self._pixel_table()}

    def describe(self) -> str:
        """Return the statistics of J_r of both branches, kpc km/s, and in which properties the branches differ."""
        rows = ["branch       stars  J_r: median         mean    std. dev.  [kpc km/s]"]
        for name, n, found, errors in zip(BRANCHES, self.n_stars, self.statistics, self.error, strict=True):
            numbers = " ".join(f"{x:6.0f} +- {e:<3.0f}" for x, e in zip(found, errors, strict=True))
            rows.append(f"{name:<10} {n:7,}  {numbers}")
        low, high = self.difference_interval
        spans = " ".join(f"{f'{a:.0f} to {b:.0f}':>13}" for a, b in zip(low, high, strict=True))
        names = ", ".join(row.name for row in self.scan if row.differs)
        differing = f"of {len(self.scan)} properties the branches differ in {names or 'none'}"
        return "\n".join([*rows, f"difference, 95 %  {spans}", differing])

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""

    def _scan_table(self) -> Table:
        """Return the scan as a table, a row per property, most different first."""
        names = ("name", "above", "below", "distance", "p_ks", "p_rank", "corrected", "by_construction", "differs")
        columns = {column: [getattr(row, column) for row in self.scan] for column in names}
        return described(Table(columns), "bifurcation")

    def _pixel_table(self) -> Table:
        """Return the mean actions as a table, a row per pixel: edges (dex), stars, and means (kpc km/s)."""
        x, y = self.edges
        l_mg, l_fe = self.counts.shape
        table = Table()
        for name, edges, repeat in (("FE_H", x, False), ("MG_FE", y, True)):
            for end, part in (("lower", edges[:-1]), ("upper", edges[1:])):
                table[f"{end}_{name}"] = np.repeat(part, l_fe) if repeat else np.tile(part, l_mg)
        table["n_stars"] = self.counts.ravel()
        for name, mean in zip(ACTIONS, self.means, strict=True):
            table[f"mean_{name}"] = mean.ravel()
        return described(table, "bifurcation")


def bifurcation(
    stars: StarsLike,
    region: Region | str | None = REFERENCE,
    *,
    selection: Selection | str | None = None,
    fe_h: tuple[float, float] = FE_H,
    mg_fe: tuple[float, float] = MG_FE,
    line: tuple[tuple[float, float], tuple[float, float]] = LINE,
    pixels: tuple[int, int] = PIXELS,
    properties: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Bifurcation:
    """Return the branches of the bifurcation of Eos.

    The paper does not say whether its stars are limited in [Al/Fe]. Without a limit GS/E fills the lower branch and
    Splash the upper one, and the former's radial orbits would reverse the paper's finding. So the stars are those of
    Eos unless `region` is another.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars, with actions.
    region : Region, str or None
        A region that the stars must also lie in: itself, the name of one of the package's own, or None for no limit.
    selection : Selection or str, optional
        Which of the stars; the chemically pure halo by default, ``all`` for stars that are chosen already.
    fe_h, mg_fe : tuple of float
        The frame, dex.
    line : two points
        Of the line between the branches.
    pixels : tuple of int
        Along [Fe/H] and [Mg/Fe].
    properties : sequence of str, optional
        What the scan looks at; every variable and abundance of the table by default.
    draws, seed : int
        Bootstrap draws, of each branch by itself, and their seed.

    Returns
    -------
    Bifurcation

    Raises
    ------
    UsageError
        A line that is vertical, a region of another name, or a property that the table lacks.
    InputError
        A branch of fewer than two stars.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.bifurcation("stars.fits", region=None, fe_h=(-1.0, 0.0))  # doctest: +SKIP
    >>> found.difference, found.difference_interval  # kpc km/s  # doctest: +SKIP
    """
    (x1, y1), (x2, y2) = line
    if x1 == x2:
        raise UsageError(f"the line between the branches must not be vertical; both points have [Fe/H] {x1:g}.")
    table, _ = choose(stars, as_selection(selection))
    x, y = values(table, "FE_H"), values(table, "MG_FE")
    chosen = named_region(region) if isinstance(region, str) else region
    within = np.ones(len(table), dtype=bool) if chosen is None else chosen.select(table)
    inside = within & (x >= fe_h[0]) & (x <= fe_h[1]) & (y >= mg_fe[0]) & (y <= mg_fe[1])
    above = y > y1 + (x - x1) * (y2 - y1) / (x2 - x1)
    sides = [inside & above, inside & ~above]
    J_r = [values(table, "J_r")[side] for side in sides]
    J_r = [sample[np.isfinite(sample)] for sample in J_r]
    if min(len(sample) for sample in J_r) < 2:
        raise InputError(
            f"the branches have {len(J_r[0])} and {len(J_r[1])} stars with J_r inside [Fe/H] {fe_h[0]:g} to "
            f"{fe_h[1]:g}, [Mg/Fe] {mg_fe[0]:g} to {mg_fe[1]:g}; two each are needed."
        )
    rng = np.random.default_rng(seed)
    drawn = np.stack([_statistics(sample[rng.integers(0, len(sample), (draws, len(sample)))]) for sample in J_r])
    found = np.stack([_statistics(sample) for sample in J_r])
    edges = np.linspace(*fe_h, pixels[0] + 1), np.linspace(*mg_fe, pixels[1] + 1)
    counts, means = _means(table, np.where(inside, x, np.nan), y, edges)
    return Bifurcation(
        region="" if chosen is None else chosen.name,
        edges=edges,
        line=line,
        counts=counts,
        means=means,
        n_stars=np.array([side.sum() for side in sides]),
        statistics=found,
        error=drawn.std(axis=1, ddof=1),
        difference=found[0] - found[1],
        difference_interval=np.percentile(drawn[0] - drawn[1], [2.5, 97.5], axis=0),
        scan=scan(table, sides, properties),
        fe_h=x[inside],
        mg_fe=y[inside],
    )


def _statistics(sample: np.ndarray) -> np.ndarray:
    """Return `STATISTICS` along the last axis; shape (..., 3)."""
    return np.stack([np.median(sample, axis=-1), sample.mean(axis=-1), sample.std(axis=-1, ddof=1)], axis=-1)


def _means(stars: Any, x: np.ndarray, y: np.ndarray, edges: tuple[np.ndarray, np.ndarray]) -> tuple[Any, Any]:
    i, j = place(x, edges[0]), place(y, edges[1])
    shape = len(edges[1]) - 1, len(edges[0]) - 1
    means, counts = [], np.zeros(shape, dtype=np.int64)
    for name in ACTIONS:
        J = values(stars, name)
        known = (i >= 0) & (j >= 0) & np.isfinite(J)
        pixel = j[known] * shape[1] + i[known]
        number = np.bincount(pixel, minlength=shape[0] * shape[1]).reshape(shape)
        total = np.bincount(pixel, weights=J[known], minlength=shape[0] * shape[1]).reshape(shape)
        means.append(np.divide(total, number, out=np.full(shape, np.nan), where=number >= MIN_STARS))
        counts = np.maximum(counts, number)
    return counts, np.stack(means)


def scan(stars: Any, sides: Sequence[np.ndarray], properties: Sequence[str] | None = None) -> tuple[Scanned, ...]:
    """Return how every property differs between two groups of stars, most different first.

    Two tests of each property: the Kolmogorov-Smirnov distance, which any difference makes larger, and the
    Mann-Whitney sum of ranks, which is sharper for a shift. With h hypotheses in all the i-th smallest probability is
    multiplied by h - i + 1 (Holm 1979), so that the chance of any false alarm among them is below the level.

    Parameters
    ----------
    stars : Table
        Prepared stars.
    sides : two ndarrays of bool, shape (N,)
        The groups.
    properties : sequence of str, optional
        Variables or columns; every variable of the table by default.
    """
    named = [v.name for v in VARIABLES.values() if v.column in stars.colnames]
    rows = []
    for name in named if properties is None else properties:
        x = values(stars, name)
        a, b = (x[side & np.isfinite(x)] for side in sides)
        if len(a) > 1 and len(b) > 1 and np.ptp(np.concatenate([a, b])) > 0:
            distance, rank = ks_2samp(a, b), mannwhitneyu(a, b)
            given = name in GIVEN
            medians = float(np.median(a)), float(np.median(b))
            tests = float(distance.statistic), float(distance.pvalue), float(rank.pvalue)
            rows.append(Scanned(name, *medians, *tests, np.nan, given))
    corrected = holm(np.array([(row.p_ks, row.p_rank) for row in rows]).ravel()).reshape(-1, 2).min(axis=1)
    found = [replace(row, corrected=float(p)) for row, p in zip(rows, corrected, strict=True)]
    return tuple(sorted(found, key=lambda s: (s.corrected, -s.distance)))


def holm(p: np.ndarray) -> np.ndarray:
    """Return probabilities corrected for their number by Holm's (1979) step-down method; shape of `p`."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(steps, 1.0)
    return out
