"""factorize(): validate the request, plan how to solve it, solve, finish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from .alternating.solve import Alternating
from .alternating.solve import refusal as not_alternating
from .dense import Dense, Products, Solver
from .late import torch
from .losses import BetaDivergence, Loss, as_loss
from .matrix import DENSE_ENTRIES, SparseMatrix
from .pattern import SharedPattern
from .problem import Penalty
from .request import Request
from .result import Result
from .rules.resolve import OURS, UpdateRule
from .sparse.batch import Tiled, suits
from .sparse.plan import plan_on_gpu, plan_pattern
from .stopping import Status, Stop
from .surroundings import undisturbed


@undisturbed()
def factorize(
    V: Any,
    n_components: int,
    *,
    init: Any = "auto",
    loss: str | float | Loss = "frobenius",
    update: str | UpdateRule = "auto",
    weight: Any = None,
    penalty: Penalty | None = None,
    hold: str | None = None,
    stop: Stop | None = None,
    starts: int | None = None,
    seed: int = 0,
    first_replicate: int = 0,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Factorise V ~ W H with all entries non-negative, for one matrix or a batch of them.

    The one function with many parameters: it is the front door, and all others take a `Request`, which holds them.

    Parameters
    ----------
    V : array or Tensor, shape (m, n) or (B, m, n), or SharedPattern, or scipy.sparse matrix, shape (m, n)
        Non-negative data; replicates are independent of each other. float32 and float64 are kept, integers become
        float64. NaN is allowed where `weight` is 0.
    n_components : int
        k.
    init : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar"} or (W, H)
        Start. A given pair may have None for one factor, which then starts at sqrt(mean(V) / k). "auto" is "nndsvda",
        "random" where k exceeds m or n, and the full sample's solution for the replicates of a `SharedPattern` that
        were drawn from one.
    loss : {"frobenius", "kullback-leibler", "itakura-saito"}, float or object
        A beta divergence by name or beta, or an object with ``value`` and ``split`` (see `Loss`).
    update : {"auto", "mu", "amu", "hals", "ehals", "rank2", "arank2", "newton"} or callable
        The rule: multiplicative updates, those with several sweeps per product with V, HALS, extrapolated HALS, exact
        least squares for two components, the same accelerated, coordinate descent for Kullback-Leibler. "auto" is
        "arank2" for the Frobenius loss with two components, none held, without weights and penalties, "ehals" with
        others, "hals" with penalties, "newton" for Kullback-Leibler, "mu" otherwise. A callable takes a `Problem` and
        `Factors` and returns `Factors` (see `UpdateRule`).
    weight : array or Tensor, broadcastable to V, optional
        Non-negative weight of each entry in the loss; 0 marks a missing one.
    penalty : Penalty, optional
        Elastic-net penalties, with scikit-learn's scaling.
    hold : {None, "W", "H"}
        A factor to leave as given in `init`.
    stop : Stop, optional
        Convergence test; the default asks for a converged solution.
    starts : int, optional
        Starts per replicate, of which the best is kept: `init`, then random ones. By default 1 for two components, with
        given factors and with a rule of the user's own, else 8; replicates drawn from a sample begin at the best of
        its 8, and one in 16 of them tries the random ones too (`Result.start` tells which won).
    seed, first_replicate : int
        Replicate b draws from a stream named by (seed, first_replicate + b), so that a batch done in parts gives
        the same results.
    device : str or torch.device, optional
        Where to compute; by default where V is. The result comes back to where V is.
    dtype : torch.dtype, optional
        Compute in this precision; by default V's.
    progress : callable, optional
        Called with (finished replicates, B x starts) at every convergence test.

    Returns
    -------
    Result

    Raises
    ------
    ProblemError
        If the data are negative, NaN or infinite, or an argument makes no sense; the message says which and where.
    RuntimeError
        If `device` is CUDA and there is none.

    Examples
    --------
    >>> import numpy as np, nmfcore
    >>> V = np.random.default_rng(0).random((6, 4)) @ np.eye(4)
    >>> result = nmfcore.factorize(V, 2)
    >>> result.W.shape, result.H.shape, bool(result.converged)
    ((6, 2), (2, 4), True)
    """
    request = Request(
        V, n_components, init=init, loss=as_loss(loss), update=update, weight=weight, hold=hold, starts=starts,
        penalty=Penalty() if penalty is None else penalty, stop=Stop() if stop is None else stop, seed=seed,
        first_replicate=first_replicate, device=device, dtype=dtype, progress=progress,
    )  # fmt: skip
    return finish(V, plan(request).solve())


def plan(request: Request) -> Solver:
    """Return the solver of a request: what the form of V, the loss, the rule and the device allow."""
    if isinstance(request.V, SharedPattern):
        return plan_pattern(request)
    on_gpu = None if request.on_cpu else plan_on_gpu(request)
    if on_gpu is not None:
        return on_gpu
    if scipy.sparse.issparse(request.V):
        return plan_matrix(request)
    one_by_one: Solver = Alternating(request) if not_alternating(request) is None else Dense(request)
    return Tiled(request, one_by_one) if suits(request) else one_by_one


def plan_matrix(request: Request) -> Solver:
    """Return the solver of one scipy.sparse matrix, which where possible never makes it dense.

    Least squares need the products with V alone. Kullback-Leibler needs the quotients V / W H in the cells, for which
    there is the compiled loop; its compilation pays only where V is large.
    """
    matrix = SparseMatrix.of(request.V, request.dtype)
    beta = request.loss.beta if isinstance(request.loss, BetaDivergence) else None
    known = isinstance(request.update, (str, *OURS))
    if known and request.weight is None and request.on_cpu:
        if beta == 2:
            request = request.with_data(matrix)
            return Alternating(request) if not_alternating(request) is None else Products(request)
        if beta == 1 and np.prod(matrix.shape) > DENSE_ENTRIES:
            pattern = SharedPattern.from_scipy(request.V)
            if pattern.values.dtype == np.float32 and matrix.dtype != torch.float32:
                pattern = SharedPattern.from_scipy(request.V, dtype=np.float64)
            return plan_pattern(request.with_data(pattern, device=None, dtype=matrix.dtype))
    return Dense(request.with_data(matrix.to_dense()[0].numpy()))


def finish(V: Any, result: Result) -> Result:
    """Return the result without the replicate axis where V had none; no status hides a number that is not finite."""
    finite = abs(result.loss + result.kkt) < float("inf")
    result.status[~finite] = int(Status.NON_FINITE)
    single = V.ndim == 2 if hasattr(V, "ndim") else len(result.W) == 1
    return result.map(lambda x: x[0, ...]) if single else result
