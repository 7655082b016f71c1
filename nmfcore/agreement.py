"""What many factorisations of the same data agree on: one set of components, and how reproducible each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .align import align
from .errors import ProblemError

NEIGHBOURS = 0.3
"""Fraction of the replicates over whose nearest components a distance is averaged; that of Kotliar et al. (2019)."""
THRESHOLD = 0.5
"""Components farther than this from their neighbours are outliers; that of Kotliar et al. (2019)."""
PASSES = 100
"""Matching all replicates to their mean ends after a few passes; each raises the sum of cosines."""
BLOCK = 1 << 22
"""Distances that are held at once."""


@dataclass(frozen=True, repr=False)
class Consensus:
    """Components that replicates agree on, the most reproducible one first.

    Attributes
    ----------
    H : ndarray, shape (k, n)
        Median of each component over the replicates that are kept, all at unit length; then at unit sum.
    permutation : ndarray of int, shape (B, k)
        Component ``permutation[b, c]`` of replicate b is component c of the consensus.
    distance : ndarray, shape (B, k)
        Mean distance of each replicate's component to its nearest neighbours among all others, between 0 and sqrt(2).
    kept : ndarray of bool, shape (B, k)
        Whether that is below the threshold: others do not enter H.
    silhouette : ndarray, shape (B, k)
        How much nearer a component is to its like than to the others, from -1 to 1 (Rousseeuw 1987); of all
        components, kept or not. NaN for one component.
    """

    H: np.ndarray
    permutation: np.ndarray
    distance: np.ndarray
    kept: np.ndarray
    silhouette: np.ndarray

    @property
    def stability(self) -> float:
        """Mean silhouette of all components of all replicates."""
        return float(self.silhouette.mean())

    @property
    def stabilities(self) -> np.ndarray:
        """Mean silhouette of each component; shape (k,)."""
        return self.silhouette.mean(axis=0)

    def __repr__(self) -> str:
        replicates, k = self.permutation.shape
        lines = [f"nmfcore.Consensus: {k} components of {replicates} replicates, stability {self.stability:.3f}"]
        lines += ["  component  stability  kept"]
        for c, (stability, kept) in enumerate(zip(self.stabilities, self.kept.sum(axis=0), strict=True)):
            lines.append(f"  {c:9d}  {stability:9.3f}  {kept:4d}")
        return "\n".join(lines)


def consensus(H: Any, *, neighbours: float = NEIGHBOURS, threshold: float = THRESHOLD) -> Consensus:
    """Return what the components of many replicates have in common.

    Parameters
    ----------
    H : array, shape (B, k, n)
        Non-negative components of B >= 2 factorisations of the same data, or of resampled data, from random starts;
        their scale and order do not matter.
    neighbours : float
        Fraction of the replicates, above 0 and up to 1: `Consensus.distance` is the mean over so many nearest
        components, one at least, and no more than there are.
    threshold : float
        Components whose distance is not below it are left out of the median; 2 keeps all.

    Returns
    -------
    Consensus

    Raises
    ------
    ProblemError
        If shapes or values make no sense, or of a component nothing is kept.

    Notes
    -----
    The steps are those of consensus NMF (Kotliar et al. 2019, eLife 8, e43803): components at unit length, outliers
    left out by their distance to their neighbours, one cluster for each component, medians, silhouettes by Euclidean
    distance. One step differs: there clusters are those of k-means; here each holds exactly one component of every
    replicate, by `align` to the mean of the cluster, again until nothing changes, from the replicate whose components
    have the nearest neighbours. No random number is drawn. As in that paper, the stability is measured before outliers
    are left out, so that it does not rise by what is discarded.

    The weights that belong to the consensus are those of a fit with H held,
    ``factorize(V, k, init=(None, found.H), hold="H")``.

    Examples
    --------
    >>> import numpy as np, nmfcore
    >>> V = np.random.default_rng(0).random((30, 2)) @ np.eye(2, 8)
    >>> runs = nmfcore.factorize(np.stack([V] * 20), 2, init="random", starts=1)
    >>> round(nmfcore.consensus(runs.H).stability, 2)
    1.0
    """
    unit = _unit(H, neighbours, threshold)
    B, k, n = unit.shape
    number = min(max(1, int(neighbours * B)), B * k - 1)  # of one component there are B - 1 others
    nearest = _neighbour_distance(unit.reshape(B * k, n), number).reshape(B, k)
    permutation = _matched(unit, int(nearest.sum(axis=1).argmin()))
    silhouette = _silhouettes(np.take_along_axis(unit, permutation[:, :, None], axis=1))
    order = np.argsort(-silhouette.mean(axis=0), kind="stable")
    permutation, silhouette = permutation[:, order], silhouette[:, order]
    distance = np.take_along_axis(nearest, permutation, axis=1)
    kept = distance < threshold
    if not kept.any(axis=0).all():
        lost = np.flatnonzero(~kept.any(axis=0))
        raise ProblemError(
            f"of {len(lost)} of {k} components no replicate is within {threshold:g} of its neighbours (the nearest is "
            f"at {distance[:, lost].min(axis=0).max():.2f}): they are not reproducible. Ask for fewer components, or "
            "keep all by threshold=2"
        )
    members = np.take_along_axis(unit, permutation[:, :, None], axis=1)
    middle = np.stack([np.median(members[kept[:, c], c], axis=0) for c in range(k)])
    total = middle.sum(axis=1, keepdims=True)
    return Consensus(middle / (total + (total == 0)), permutation, distance, kept, silhouette)


def _unit(H: Any, neighbours: float, threshold: float) -> np.ndarray:
    """Return the components at unit length, in float64; zero where there is nothing."""
    rows = np.asarray(H.cpu() if hasattr(H, "cpu") else H, dtype=np.float64)
    if rows.ndim != 3 or len(rows) < 2 or 0 in rows.shape:
        raise ProblemError(f"H must have shape (B, k, n) of two replicates or more; got {rows.shape}")
    if not (np.isfinite(rows) & (rows >= 0)).all():
        bad = np.flatnonzero(~(np.isfinite(rows) & (rows >= 0)).all(axis=(1, 2)))
        raise ProblemError(
            f"H must be finite and non-negative; {len(bad)} of {len(rows)} replicates are not, first number {bad[0]}. "
            "Leave them out, such as by result.H[result.converged]"
        )
    if not 0 < neighbours <= 1:
        raise ProblemError(f"neighbours must lie above 0 and be at most 1, got {neighbours:g}")
    if not threshold > 0:
        raise ProblemError(f"threshold must be positive, got {threshold:g}")
    largest = rows.max(axis=2, keepdims=True)
    rows = rows / (largest + (largest == 0))  # squares of extreme scales would leave the range of numbers
    length = np.linalg.norm(rows, axis=2, keepdims=True)
    return rows / (length + (length == 0))


def _distances(unit: np.ndarray) -> Any:
    """Yield blocks of rows of the matrix of distances between all components, each with the first row's number.

    sqrt(2 - 2 cos), which is the Euclidean distance; a component of nothing has nothing in common with any other.
    """
    step = max(1, BLOCK // len(unit))
    for first in range(0, len(unit), step):
        D = np.sqrt(np.maximum(2 - 2 * (unit[first : first + step] @ unit.T), 0))
        own = np.arange(len(D))
        D[own, first + own] = 0
        yield first, D


def _neighbour_distance(unit: np.ndarray, number: int) -> np.ndarray:
    """Return the mean distance of every component to its `number` nearest others; shape (B k,)."""
    parts = [np.partition(D, number, axis=1)[:, : number + 1].sum(axis=1) / number for _, D in _distances(unit)]
    return np.concatenate(parts)


def _matched(unit: np.ndarray, first: int) -> np.ndarray:
    """Return which component of each replicate belongs to which cluster; shape (B, k).

    The mean direction is what maximises the sum of cosines with the members of a cluster, and `align` what maximises
    it over one-to-one matches: neither step lowers the sum, so that the passes end.
    """
    middle, before = unit[first], None
    for _ in range(PASSES):
        permutation = align(unit, middle, floor=0).permutation
        if before is not None and (permutation == before).all():
            break
        middle, before = np.take_along_axis(unit, permutation[:, :, None], axis=1).mean(axis=0), permutation
    return permutation


def _silhouettes(members: np.ndarray) -> np.ndarray:
    """Return the silhouette of every component, clusters along the second axis; shape (B, k)."""
    B, k, n = members.shape
    if k == 1:
        return np.full((B, 1), np.nan)
    parts = []
    for first, D in _distances(members.reshape(B * k, n)):
        own = np.arange(first, first + len(D)) % k
        sums = D.reshape(len(D), B, k).sum(axis=1)
        row = np.arange(len(D))
        within = sums[row, own] / (B - 1)  # its distance to itself is 0
        sums[row, own] = np.inf
        other = sums.min(axis=1) / B
        scale = np.maximum(within, other)
        parts.append((other - within) / (scale + (scale == 0)))
    return np.concatenate(parts).reshape(B, k)
