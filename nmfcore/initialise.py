"""Starting factors: random, NNDSVD and its filled variants, or given ones; batched, on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg

from .errors import ProblemError
from .late import torch
from .matrix import SparseMatrix
from .problem import Factors, Problem, Thin, as_tensor
from .streams import half_normals

if TYPE_CHECKING:
    from torch import Tensor

METHODS = ("random", "nndsvd", "nndsvda", "nndsvdar")
# NNDSVD entries below this become zero; scikit-learn's constant.
NNDSVD_FLOOR = 1e-6
# Given factors are used as they are, so that the numbers equal scikit-learn's, unless the largest entry of one, or the
# product of the two over the largest of V, leaves these ranges: intermediate products would overflow in float32.
SAFE_FACTOR = (2.0**-30, 2.0**30)
SAFE_PRODUCT = (2.0**-20, 2.0**20)
# The Gram matrix squares the condition number: below this ratio of singular values the full SVD is used instead.
GRAM_RANGE = 1e-4


def check_init(init: Any, hold: str | None) -> None:
    """Raise unless `init` is a method or a pair of factors, with the held one among them.

    Raises
    ------
    ProblemError
        What was expected and found.
    """
    known = ("auto", *METHODS)
    if isinstance(init, str):
        if hold is not None:
            raise ProblemError(f"hold={hold!r} needs the held factor: pass init=(W, H), None for the free one")
        if init not in known:
            raise ProblemError(f"init must be one of {known} or a pair (W, H); got {init!r}")
        return
    if not (isinstance(init, (tuple, list)) and len(init) == 2):
        raise ProblemError(f"init must be one of {known} or a pair (W, H); got {type(init).__name__}")
    if init[0] is None and init[1] is None:
        raise ProblemError("init=(None, None) makes all components alike; give one, or use init='random'")
    if hold is not None and init["WH".index(hold)] is None:
        raise ProblemError(f"hold={hold!r} needs {hold} in init=(W, H); got None")


def start_factors(
    problem: Problem,
    n_components: int,
    init: Any,
    *,
    seed: int,
    start: int = 0,
    first_replicate: int = 0,
    thin: Thin | None = None,
) -> Factors:
    """Return starting factors for every replicate of `problem`.

    Parameters
    ----------
    problem : Problem
        The checked problem, B replicates of m x n.
    n_components : int
        k.
    init : str or pair
        One that `check_init` accepts, "auto" excepted: one of `METHODS`; or (W, H) of shapes (m, k), (k, n), with or
        without a leading replicate axis, where None in the place of a factor fills it with sqrt(mean(V) / k).
        "nndsvda" fills zeros with mean(V), as scikit-learn does; that is not on the scale of the factors, so of all
        starts it alone depends on the unit of V.
    seed, start, first_replicate : int
        Replicate b draws from a stream of its own, named by (seed, first_replicate + b, start).
    thin : Thin, optional
        The same problem without empty columns: enough for its singular vectors.

    Raises
    ------
    ProblemError
        If k is out of range, or given factors do not fit.
    """
    V = problem.V
    if isinstance(init, str):
        filled = impute(V, problem.weight)
        if init == "random":
            return random_factors(filled, n_components, seed=seed, start=start, first_replicate=first_replicate)
        svd = None
        if thin is not None and problem.weight is None and len(thin.columns) >= n_components:
            U, S, part = leading_svd(thin.problem.V, n_components)
            svd = U, S, part.new_zeros((*part.shape[:-1], V.shape[-1])).index_copy_(-1, thin.columns, part)
        W, H = nndsvd(filled, n_components, svd)
        replicates = range(first_replicate, first_replicate + len(V))
        return fill_zeros(init, Factors(W, H), filled.mean(dim=(-2, -1)), seed, start, replicates)
    return _given(problem, n_components, init)


def impute(V: Tensor, weight: Tensor | None) -> Tensor:
    """Return V with its missing entries (weight 0) replaced by row mean x column mean / mean of the others."""
    if weight is None:
        return V
    present = (weight > 0).to(V.dtype)
    if bool((present == 1).all()):
        return V
    rows = (V * present).sum(-1, keepdim=True) / present.sum(-1, keepdim=True).clamp_min(1)
    columns = (V * present).sum(-2, keepdim=True) / present.sum(-2, keepdim=True).clamp_min(1)
    mean = (V * present).sum((-2, -1), keepdim=True) / present.sum((-2, -1), keepdim=True).clamp_min(1)
    guess = rows * columns / torch.where(mean > 0, mean, 1.0)
    return torch.where(present > 0, V, guess)


def random_factors(V: Tensor, n_components: int, *, seed: int = 0, start: int = 0, first_replicate: int = 0) -> Factors:
    """Return absolute values of normal draws times sqrt(mean(V) / k), as scikit-learn's ``init="random"``.

    H is zero in columns without data.

    Parameters
    ----------
    V : Tensor, shape (B, m, n)
        Data; only means and shape matter.
    n_components : int
        k, at least 1; it may exceed min(m, n).
    seed, start, first_replicate : int
        Name each replicate's stream.
    """
    require_components(n_components)
    means = V.mean(dim=(-2, -1))
    replicates = range(first_replicate, first_replicate + len(V))
    W, H = draw(means, tuple(V.shape[-2:]), n_components, seed, start, replicates)
    return Factors(W, H * (V.amax(dim=-2, keepdim=True) > 0))


def draw(means: Tensor, shape: tuple[int, ...], n_components: int, seed: int, start: int, replicates: Any) -> Factors:
    """Return `random_factors` for data of known means (B,) and shape (m, n); `replicates` are B global numbers."""
    m, n = shape
    size = (means / n_components).sqrt()[:, None, None]
    number = m * n_components
    both = [half_normals(number + n_components * n, b, seed, start) for b in replicates]
    drawn = torch.from_numpy(np.stack(both)).to(means)
    W, H = drawn[:, :number].reshape(-1, m, n_components), drawn[:, number:].reshape(-1, n_components, n)
    return Factors(size * W, size * H)


def nndsvd(V: Tensor, n_components: int, svd: tuple[Tensor, Tensor, Tensor] | None = None) -> Factors:
    """Return the non-negative double singular value decomposition of each replicate.

    Parameters
    ----------
    V : Tensor, shape (B, m, n)
        Non-negative data.
    n_components : int
        k <= min(m, n).
    svd : (U, S, Vh), shapes (B, m, >= k), (B, >= k), (B, >= k, n), optional
        A decomposition to use instead of computing one. The signs of the vectors do not matter.

    Raises
    ------
    ProblemError
        If k exceeds min(m, n).

    References
    ----------
    Boutsidis & Gallopoulos (2008), Pattern Recognition 41, 1350.
    """
    require_components(n_components)
    if n_components > min(V.shape[-2:]):
        raise ProblemError(
            f"NNDSVD gives at most min(m, n) = {min(V.shape[-2:])} components for V of shape "
            f"{tuple(V.shape[-2:])}; n_components is {n_components}. Use init='random'."
        )
    U, S, Vh = leading_svd(V, n_components) if svd is None else svd
    # Columns as rows, so that both sides look alike: (B, k, m) and (B, k, n).
    left, right = U.mT[:, :n_components], Vh[:, :n_components]
    left_up, left_down = left.clamp_min(0), left.neg().clamp_min(0)
    right_up, right_down = right.clamp_min(0), right.neg().clamp_min(0)
    up = left_up.norm(dim=-1) * right_up.norm(dim=-1)
    down = left_down.norm(dim=-1) * right_down.norm(dim=-1)
    choose_up = (up > down)[..., None]
    x, y = torch.where(choose_up, left_up, left_down), torch.where(choose_up, right_up, right_down)
    size = (S[:, :n_components] * torch.maximum(up, down)).sqrt()[..., None]
    W = size * x / _nonzero(x.norm(dim=-1, keepdim=True))
    H = size * y / _nonzero(y.norm(dim=-1, keepdim=True))
    # The leading pair of a non-negative matrix has one sign throughout; taking absolute values heals rounding.
    root = S[:, :1].sqrt()
    W[:, 0], H[:, 0] = root * left[:, 0].abs(), root * right[:, 0].abs()
    W, H = (torch.where(factor < NNDSVD_FLOOR, 0.0, factor) for factor in (W, H))
    return Factors(W.mT.to(V.dtype).contiguous(), H.to(V.dtype).contiguous())


def leading_svd(V: Tensor | SparseMatrix, n_components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the k leading singular triplets, through the Gram matrix of the short side in float64.

    Returns
    -------
    U, S, Vh : Tensor, shapes (B, m, k), (B, k), (B, k, n)
        float64. Replicates whose k-th singular value is too small for the Gram matrix get a full SVD.
    """
    if isinstance(V, SparseMatrix):
        found = V.leading_svd(n_components)
        return leading_svd(V.to_dense(), n_components) if found is None else found
    X = V.double()
    tall = X.shape[-2] > X.shape[-1]
    if tall:
        X = X.mT
    squares, U = _leading_eigenvectors(X, n_components)
    S = squares.clamp_min(0).sqrt()
    Vh = (U.mT @ X) / _nonzero(S)[..., None]
    poor = S[:, -1] <= GRAM_RANGE * S[:, 0]
    if bool(poor.any()):
        rows = poor.nonzero()[:, 0]
        full_U, full_S, full_Vh = torch.linalg.svd(X.index_select(0, rows), full_matrices=False)
        U[rows] = full_U[..., :n_components]
        S[rows] = full_S[:, :n_components]
        Vh[rows] = full_Vh[:, :n_components]
    return (Vh.mT, S, U.mT) if tall else (U, S, Vh)


def _leading_eigenvectors(X: Tensor, number: int) -> tuple[Tensor, Tensor]:
    # Falling eigenvalues (B, number) of X X^T and their vectors (B, m, number).
    m = X.shape[-2]
    number = min(number, m)
    if len(X) == 1 and X.device.type == "cpu":
        # Of one matrix BLAS makes half the square, and LAPACK finds some eigenvectors faster than all.
        half = scipy.linalg.blas.dsyrk(1.0, X[0].numpy().T, trans=1)
        values, vectors = scipy.linalg.eigh(half, lower=False, subset_by_index=(m - number, m - 1), check_finite=False)
        return torch.from_numpy(values[::-1].copy())[None], torch.from_numpy(vectors[:, ::-1].copy())[None]
    values, vectors = torch.linalg.eigh(X @ X.mT)
    return values.flip(-1)[:, :number], vectors.flip(-1)[..., :number]


def fill_zeros(init: str, factors: Factors, means: Tensor, seed: int, start: int, replicates: Any) -> Factors:
    """Return what NNDSVD left zero filled as `init` says; `means` (B,) are V's, `replicates` B global numbers."""
    W, H = factors
    level = means[:, None, None]
    if init == "nndsvda":
        return Factors(torch.where(W == 0, level, W), torch.where(H == 0, level, H))
    if init == "nndsvdar":
        # Small random values: mean(V) / 100 times an absolute normal draw.
        noise_W, noise_H = (x.abs().to(W) for x in _normals((W.shape[1:], H.shape[1:]), replicates, seed, start))
        size = level / 100.0
        return Factors(torch.where(W == 0, size * noise_W, W), torch.where(H == 0, size * noise_H, H))
    return factors


def normals(shapes: tuple[Any, ...], replicate: int, seed: int, start: int) -> list[np.ndarray]:
    """Return normal draws of one replicate's stream, float32: on the host, so that every device has the same."""
    stream = np.random.default_rng([seed, int(replicate), start])
    # Single precision takes less time, and a start needs no more.
    return [stream.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _normals(shapes: tuple[Any, ...], replicates: Any, seed: int, start: int) -> tuple[Tensor, ...]:
    draws = [normals(shapes, b, seed, start) for b in replicates]
    return tuple(torch.from_numpy(np.stack(draw)) for draw in zip(*draws, strict=True))


def _given(problem: Problem, n_components: int, init: Any) -> Factors:
    B, m, n = problem.V.shape
    # The data's scale is divided out of each factor in equal parts.
    root = problem.scale.sqrt().to(problem.V.dtype)[:, None, None]
    factors = []
    for name, x, shape in (("W", init[0], (m, n_components)), ("H", init[1], (n_components, n))):
        if x is None:
            level = (problem.V.mean(dim=(-2, -1)) / n_components).sqrt()[:, None, None]
            factors.append(level.expand(B, *shape).clone())
            continue
        factor = as_tensor(x, name, device=problem.V.device, dtype=problem.V.dtype)
        if tuple(factor.shape[-2:]) != shape or factor.ndim not in (2, 3) or factor.shape[0] not in (1, B, shape[0]):
            raise ProblemError(f"{name} in init must have shape {shape} or {(B, *shape)}; got {tuple(factor.shape)}")
        if not bool(torch.isfinite(factor).all()) or bool((factor < 0).any()):
            raise ProblemError(f"{name} in init must be finite and non-negative")
        try:
            factors.append(factor.broadcast_to((B, *shape)) / root)
        except RuntimeError:
            raise ProblemError(
                f"{name} in init must have shape {shape} or {(B, *shape)}; got {tuple(factor.shape)}"
            ) from None
    if problem.hold is None:
        return _tame(problem, *factors)
    _require_tame(factors[0] if problem.hold == "W" else factors[1], problem.hold)
    return Factors(*factors)


def _tame(problem: Problem, W: Tensor, H: Tensor) -> Factors:
    # Only the start is meant: powers of two are moved, until W and H are alike and W H has the mean of V.
    largest_V, largest_W, largest_H = (x.amax(dim=(-2, -1)).double() for x in (problem.V, W, H))
    product = largest_W * largest_H / _nonzero(largest_V)
    wild = _outside(largest_W, SAFE_FACTOR) | _outside(largest_H, SAFE_FACTOR) | _outside(product, SAFE_PRODUCT)
    wild &= (largest_V > 0) & (largest_W > 0) & (largest_H > 0)
    if not bool(wild.any()):
        return Factors(W, H)
    unit_W = W.double() / _nonzero(largest_W)[:, None, None]
    unit_H = H.double() / _nonzero(largest_H)[:, None, None]
    size = problem.V.double().sum((-2, -1)) / _nonzero((unit_W.sum(-2) * unit_H.sum(-1)).sum(-1))
    factors = []
    for factor, largest in ((W, largest_W), (H, largest_H)):
        # In two steps: the quotient itself may be out of range.
        down, up = _power_of_two(largest, wild), _power_of_two(size.sqrt(), wild)
        factors.append((factor.double() / down * up).to(factor.dtype))
    return Factors(*factors)


def _power_of_two(x: Tensor, where: Tensor) -> Tensor:
    return torch.where(where, torch.exp2(torch.floor(torch.log2(_nonzero(x)))), 1.0)[:, None, None]


def _outside(x: Tensor, limits: tuple[float, float]) -> Tensor:
    return (x < limits[0]) | (x > limits[1])


def _require_tame(held: Tensor, name: str) -> None:
    # A held factor stays as given, but its square times the data must be representable.
    largest, limit = float(held.max()), torch.finfo(held.dtype).max ** 0.3
    if largest > 0 and not 1 / limit <= largest <= limit:
        raise ProblemError(
            f"the held {name} has a largest entry of {largest:.3g}, where the data are scaled to ordinary size; "
            f"{held.dtype} needs {1 / limit:.0e} to {limit:.0e}. Rescale it, or use float64."
        )


def require_components(n_components: int) -> None:
    """Raise unless k is an integer of at least 1."""
    if isinstance(n_components, bool) or not isinstance(n_components, (int, np.integer)) or n_components < 1:
        raise ProblemError(f"n_components must be an integer >= 1; got {n_components!r}")


def _nonzero(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 1.0)
