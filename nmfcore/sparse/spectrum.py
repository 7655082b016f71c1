"""Leading singular triplets of every replicate of a pattern, from V V^T."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from .. import initialise
from ..kernels import LANES
from ..kernels.parallel import in_parallel
from ..late import torch
from ..pattern import SharedPattern

if TYPE_CHECKING:
    from torch import Tensor

# Additional vectors, with which the others converge faster; how far from eigenvectors they may be, relative to
# the largest eigenvalue, in units of rounding; and iterations after which a replicate is left to LAPACK, which then is
# as fast.
ADDITIONAL = 6
ROUNDINGS = 4
MOST = 4
# Up to this many rows LAPACK is faster: the eigenvalues of counts fall slowly, and so the iteration converges.
SHORT = 128
# Beyond so many rows and columns V V^T is no small matrix: each replicate then gets a sparse decomposition.
WIDEST = 256


def leading_svd(
    pattern: SharedPattern, replicates: np.ndarray, k: int, *, precision: torch.dtype | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the k leading singular triplets of some replicates.

    V V^T of every replicate is summed from the cells. Where it is small LAPACK finds its eigenvectors; else a subspace
    iteration that begins at those of the replicates' mean. Replicates that do not converge at once, or whose k-th
    singular value is too small for V V^T, get a decomposition of their own.

    Parameters
    ----------
    pattern : SharedPattern
        The batch.
    replicates : ndarray of int, shape (B,)
        Which.
    k : int
        Number of triplets, at most min(m, n).
    precision : torch.dtype, optional
        Whose rounding the vectors shall reach; float64 by default.

    Returns
    -------
    U, S, Vh : Tensor, shapes (B, m, k), (B, k), (B, k, n)
        float64; signs are arbitrary.
    """
    m, n = pattern.shape[1:]
    precision = precision or torch.float64
    if min(m, n) > WIDEST:
        one_by_one = [_sparse_svd(pattern.matrix(b), k, precision) for b in replicates]
        U, S, Vh = (torch.cat(parts) for parts in zip(*one_by_one, strict=True))
        return U, S, Vh
    if m > n:
        dense = torch.from_numpy(pattern.to_dense(replicates, dtype=np.float64))
        return initialise.leading_svd(dense, k)
    gram = torch.from_numpy(_gram(pattern, replicates))
    if m <= SHORT:
        squares, vectors = torch.linalg.eigh(gram)
        return _triplets(pattern, replicates, vectors.flip(-1)[..., :k].contiguous(), squares.flip(-1)[:, :k])
    width = min(m, k + ADDITIONAL)
    size = gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(torch.finfo(torch.float64).tiny)
    mean = (gram / size[:, None, None]).mean(dim=0)
    guess = torch.linalg.eigh(mean).eigenvectors.flip(-1)[:, :width]
    return _triplets(pattern, replicates, *_subspace(gram, guess, k, ROUNDINGS * m * torch.finfo(precision).eps))


def vectors_of_first(pattern: SharedPattern, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the leading singular vectors of the first replicate alone, without kernels and without torch.

    Returns
    -------
    (U, S, X), shapes (k, m), (k,) and (k, columns), or None
        float64, on the pattern's columns; signs are arbitrary. None where V V^T is not the way to them.
    """
    count = len(pattern.columns)
    if pattern.shape[1] > min(pattern.shape[2], SHORT) or k > min(pattern.shape[1], count):
        return None
    V = np.zeros((pattern.shape[1], count))
    V[pattern.rows, np.repeat(np.arange(count), np.diff(pattern.start))] = pattern.cells(np.zeros(1, np.int64))[0]
    squares, vectors = np.linalg.eigh(V @ V.T)
    S = np.sqrt(np.maximum(squares[::-1][:k], 0.0))
    if S[-1] <= initialise.GRAM_RANGE * S[0]:
        return None
    U = np.array(vectors[:, ::-1].T[:k], order="C")
    return U, S, (U @ V) / S[:, None]


def leading_eigenvectors(
    pattern: SharedPattern, replicates: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the k leading left singular vectors (B, m, k) of some replicates and the singular values (B, k).

    None where V V^T is not the way to them: `leading_svd` knows others.
    """
    m, n = pattern.shape[1:]
    if m > min(n, SHORT):
        return None
    squares, vectors = np.linalg.eigh(_gram(pattern, replicates))
    S = np.sqrt(np.maximum(squares[:, ::-1][:, :k], 0))
    if (S[:, -1] <= initialise.GRAM_RANGE * S[:, 0]).any():
        return None
    return np.ascontiguousarray(vectors[:, :, ::-1][:, :, :k]), S


def _sparse_svd(matrix: scipy.sparse.csr_matrix, k: int, precision: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    if 2 * k >= min(matrix.shape):
        return initialise.leading_svd(matrix.to_dense().double(), k)
    # ARPACK would begin at random: a fixed start, with every direction in it, makes the result repeatable.
    v0 = np.random.default_rng(0).standard_normal(min(matrix.shape))
    rounding = ROUNDINGS * torch.finfo(precision).eps
    U, S, Vh = scipy.sparse.linalg.svds(matrix.astype(np.float64), k, v0=v0, tol=rounding)
    down = np.argsort(-S)
    U, S, Vh = (torch.from_numpy(np.ascontiguousarray(x))[None] for x in (U[:, down], S[down], Vh[down]))
    return U, S, Vh


def _triplets(
    pattern: SharedPattern, replicates: np.ndarray, U: Tensor, squares: Tensor, projected: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    # From the leading eigenvectors of V V^T and their eigenvalues; `projected` is U^T V on the filled columns.
    n, k = pattern.shape[2], U.shape[-1]
    S = squares.clamp_min(0).sqrt()
    poor = S[:, -1] <= initialise.GRAM_RANGE * S[:, 0]
    Vh = torch.zeros(len(U), k, n, dtype=torch.float64)
    columns = torch.from_numpy(pattern.columns)
    projected = _project(pattern, replicates, U) if projected is None else projected
    Vh[:, :, columns] = projected / torch.where(S > 0, S, 1.0)[..., None]
    if bool(poor.any()):
        rows = poor.nonzero()[:, 0]
        dense = torch.from_numpy(pattern.to_dense(np.asarray(replicates)[rows.numpy()], dtype=np.float64))
        U[rows], S[rows], Vh[rows] = initialise.leading_svd(dense, k)
    return U, S, Vh


def _subspace(gram: Tensor, guess: Tensor, k: int, tolerance: float) -> tuple[Tensor, Tensor]:
    # Orthogonal iteration with Rayleigh-Ritz, from one guess (m, width) for all: vectors (B, m, k), eigenvalues (B, k).
    # The fourth power of the matrix converges four times faster, at the price of two products.
    tiny = torch.finfo(torch.float64).tiny
    U, S = gram.new_zeros(len(gram), len(guess), k), gram.new_zeros(len(gram), k)
    left = torch.arange(len(gram))
    power = gram / gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(tiny)[:, None, None]
    power = power @ power
    power = power @ power
    basis = guess.expand(len(gram), *guess.shape)
    for _ in range(MOST):
        basis = torch.linalg.qr(power @ basis).Q
        image = gram[left] @ basis
        squares, turn = torch.linalg.eigh(basis.mT @ image)
        squares, turn = squares.flip(-1), turn.flip(-1)
        basis, image = basis @ turn, image @ turn
        away = (image - basis * squares[:, None])[..., :k].norm(dim=-2).amax(-1)
        found = away <= tolerance * squares[:, 0].clamp_min(tiny)
        U[left[found]], S[left[found]] = basis[found][..., :k], squares[found, :k]
        left, basis, power = left[~found], basis[~found], power[~found]
        if len(left) == 0:
            return U, S
    squares, vectors = torch.linalg.eigh(gram[left])
    U[left], S[left] = vectors.flip(-1)[..., :k], squares.flip(-1)[:, :k]
    return U, S


def _gram(pattern: SharedPattern, replicates: np.ndarray) -> np.ndarray:
    # Of whole tiles, of which then those asked for are taken.
    from ..kernels.spectra import gram_tiles

    m, chosen = pattern.shape[1], np.asarray(replicates, dtype=np.int64)
    tiles, place = np.unique(chosen // LANES, return_inverse=True)
    out = np.zeros((len(tiles), m * m * LANES))
    in_parallel(
        lambda first, last: gram_tiles(pattern.values, pattern.rows, pattern.start, tiles, out, first, last),
        len(tiles),
    )
    lanes = out.reshape(len(tiles), m, m, LANES)
    return np.ascontiguousarray(lanes[place, :, :, chosen % LANES])


def _project(pattern: SharedPattern, replicates: np.ndarray, U: Tensor) -> Tensor:
    # U^T V on the filled columns, a few replicates at a time.
    from ..kernels import sampling

    out = np.zeros((len(replicates), U.shape[-1], len(pattern.columns)))
    chosen, vectors = np.asarray(replicates, dtype=np.int64), U.contiguous().numpy()
    in_parallel(
        lambda first, last: sampling.project(
            pattern.values, pattern.rows, pattern.start, chosen, vectors, first, last, out
        ),
        len(chosen),
        grain=LANES,
    )
    return torch.from_numpy(out)
