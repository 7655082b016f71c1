"""Leading singular triplets of every replicate of a pattern, by subspace iteration, not one decomposition each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import initialise
from .pattern import LANES, SharedPattern

# Vectors carried beside the wanted ones, which then converge faster; how far from eigenvectors they may be, relative to
# the largest eigenvalue; and when to give up.
BESIDE = 6
TOLERANCE = 1e-13
MOST = 40
# Beyond so many rows and columns V V^T is no small matrix: each replicate then gets a sparse decomposition.
WIDEST = 1024


def leading_svd(pattern: SharedPattern, replicates: np.ndarray, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the k leading singular triplets of some replicates.

    V V^T of every replicate is summed from the cells; its leading eigenvectors come from a subspace iteration that
    begins at those of the replicates' mean. Replicates that do not converge, or whose k-th singular value is too small
    for V V^T, get a decomposition of their own.

    Parameters
    ----------
    pattern : SharedPattern
        The batch.
    replicates : ndarray of int, shape (B,)
        Which.
    k : int
        Number of triplets, at most min(m, n).

    Returns
    -------
    U, S, Vh : Tensor, shapes (B, m, k), (B, k), (B, k, n)
        float64; signs are arbitrary.
    """
    m, n = pattern.shape[1:]
    if min(m, n) > WIDEST:
        one_by_one = [initialise.leading_svd(pattern.matrix(b), k) for b in replicates]
        U, S, Vh = (torch.cat(parts) for parts in zip(*one_by_one, strict=True))
        return U, S, Vh
    if m > n:
        dense = torch.from_numpy(pattern.to_dense(replicates, dtype=np.float64))
        return initialise.leading_svd(dense, k)
    gram = _gram(pattern, replicates)
    width = min(m, k + BESIDE)
    size = gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(torch.finfo(torch.float64).tiny)
    mean = (gram / size[:, None, None]).mean(dim=0)
    guess = torch.linalg.eigh(mean).eigenvectors.flip(-1)[:, :width]
    vectors, squares, found = _subspace(gram, guess.expand(len(gram), m, width), k)
    U, S = vectors[..., :k], squares[:, :k].clamp_min(0).sqrt()
    poor = ~found | (S[:, -1] <= initialise.GRAM_RANGE * S[:, 0])
    Vh = torch.zeros(len(gram), k, n, dtype=torch.float64)
    columns = torch.from_numpy(pattern.columns)
    Vh[:, :, columns] = _project(pattern, replicates, U) / torch.where(S > 0, S, 1.0)[..., None]
    if bool(poor.any()):
        rows = poor.nonzero()[:, 0]
        dense = torch.from_numpy(pattern.to_dense(np.asarray(replicates)[rows.numpy()], dtype=np.float64))
        U[rows], S[rows], Vh[rows] = initialise.leading_svd(dense, k)
    return U, S, Vh


def _subspace(gram: Tensor, start: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    # Orthogonal iteration with Rayleigh-Ritz; all replicates go on until the slowest is done, or too slow.
    # The fourth power of the matrix converges four times faster, at the price of two products.
    power = gram / gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(torch.finfo(torch.float64).tiny)[:, None, None]
    power = power @ power
    power = power @ power
    basis = start
    found = torch.zeros(len(gram), dtype=torch.bool)
    vectors, squares = basis, gram.new_zeros(len(gram), basis.shape[-1])
    for _ in range(MOST):
        basis = torch.linalg.qr(power @ basis).Q
        image = gram @ basis
        squares, turn = torch.linalg.eigh(basis.mT @ image)
        squares, turn = squares.flip(-1), turn.flip(-1)
        vectors, image = basis @ turn, image @ turn
        away = (image - vectors * squares[:, None])[..., :k].norm(dim=-2).amax(-1)
        found = away <= TOLERANCE * squares[:, 0].clamp_min(torch.finfo(torch.float64).tiny) * len(gram[0])
        if bool(found.all()):
            break
        basis = vectors
    return vectors.clone(), squares, found


def _gram(pattern: SharedPattern, replicates: np.ndarray) -> Tensor:
    from .kernels import sampling
    from .kernels.parallel import in_parallel

    m = pattern.shape[1]
    out = np.zeros((len(replicates), m, m))
    chosen = np.asarray(replicates, dtype=np.int64)
    in_parallel(
        lambda first, last: sampling.grams(pattern.values, pattern.rows, pattern.start, chosen, first, last, out),
        len(chosen),
        grain=LANES,
    )
    return torch.from_numpy(out)


def _project(pattern: SharedPattern, replicates: np.ndarray, U: Tensor) -> Tensor:
    # U^T V on the filled columns, a few replicates at a time.
    from .kernels import sampling
    from .kernels.parallel import in_parallel

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
