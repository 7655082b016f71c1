"""Which component of a replicate is which of a reference: factorisations leave their order free."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ProblemError

FLOOR = 0.5
# All permutations are tried up to this many components; 24 permutations for four.
FEW = 4
# Sums of cosines that differ by at most this count as equal, in units of rounding.
TIE = 64


@dataclass(frozen=True)
class Alignment:
    """How the components of replicates match those of a reference.

    Attributes
    ----------
    permutation : ndarray of int, shape (B, k)
        Component ``permutation[b, c]`` of replicate b is component c of the reference.
    similarity : ndarray, shape (B, k)
        Cosine between the two, in the reference's order; 0 where either has nothing or is not finite.
    refused : ndarray of bool, shape (B,)
        Whether the least of the similarities is below the floor: the match is the best possible, but not reliable.
    """

    permutation: np.ndarray
    similarity: np.ndarray
    refused: np.ndarray

    def apply(self, W: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the factors, shapes (B, m, k) and (B, k, n), with their components in the reference's order."""
        replicate = np.arange(len(self.permutation))[:, None]
        return np.take_along_axis(W, self.permutation[:, None], axis=2), H[replicate, self.permutation]


def align(H: Any, reference: Any, *, floor: float = FLOOR) -> Alignment:
    """Match the components of every replicate to those of a reference.

    Of all one-to-one matches the one with the largest sum of cosines is taken (Kuhn 1955, the "Hungarian" method; all
    permutations are tried for four components or fewer). Between equal sums the one nearest to the order given wins.

    Parameters
    ----------
    H : array, shape (B, k, n) or (k, n)
        Components of the replicates; their scale does not matter.
    reference : array, shape (k, n)
        Components to match them to.
    floor : float
        Smallest cosine that a match may have; see `Alignment.refused`.

    Returns
    -------
    Alignment

    Raises
    ------
    ProblemError
        If shapes differ, or the floor is not in [0, 1].

    Examples
    --------
    >>> import numpy as np, nmfcore
    >>> H = np.array([[0.0, 1.0, 3.0], [2.0, 1.0, 0.0]])
    >>> nmfcore.align(H[::-1], H).permutation
    array([[1, 0]])
    """
    rows, goal = np.asarray(H), np.asarray(reference)
    rows = rows[None] if rows.ndim == 2 else rows
    if rows.ndim != 3 or goal.ndim != 2 or rows.shape[1:] != goal.shape:
        raise ProblemError(
            f"H must have shape (B, k, n) where the reference has (k, n); got {np.shape(H)} and {goal.shape}"
        )
    if not 0 <= floor <= 1:
        raise ProblemError(f"floor must lie between 0 and 1; got {floor:g}")
    cosine = _cosines(rows, goal)
    k = len(goal)
    order = np.arange(k)
    tie = TIE * np.finfo(np.result_type(rows, np.float32)).eps
    merit = cosine - tie * (order[:, None] - order) ** 2
    if k <= FEW:
        tried = np.array(list(itertools.permutations(range(k))))
        sums = merit[:, order, tried].sum(axis=-1)
        permutation = tried[sums.argmax(axis=1)]
    else:
        # Loaded here: it takes a tenth of a second, and few have so many components.
        from scipy.optimize import linear_sum_assignment

        permutation = np.array([linear_sum_assignment(square, maximize=True)[1] for square in merit], dtype=np.int64)
        permutation = permutation.reshape(-1, k)
    similarity = np.take_along_axis(cosine, permutation[:, :, None], axis=2)[:, :, 0]
    return Alignment(permutation, similarity, similarity.min(axis=1) < floor)


def _cosines(H: np.ndarray, reference: np.ndarray) -> np.ndarray:
    # cosine[b, c, d]: component c of the reference against component d of replicate b.
    goal = _unit(reference.astype(np.float64)).astype(np.result_type(H, np.float32), copy=False)
    length = np.sqrt(np.einsum("bkn,bkn->bk", H, H, dtype=np.float64))
    product = np.matmul(H, goal.T).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        cosine = np.divide(product, length[:, :, None], out=np.zeros_like(product), where=length[:, :, None] > 0)
    return np.where(np.isfinite(cosine), cosine, 0.0).transpose(0, 2, 1)


def _unit(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.divide(x, length, out=np.zeros_like(x), where=length > 0)
