"""factorize(): the only loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .errors import ProblemError
from .initialise import start_factors
from .losses import BetaDivergence, Loss, as_loss
from .matrix import DENSE_ENTRIES, SparseMatrix
from .memory import halving
from .optimality import kkt_residual
from .pattern import SharedPattern
from .problem import Factors, Penalty, Problem, Thin, build_problem
from .result import Result
from .solvers import HALS, ExtrapolatedHALS, NewtonKL, RankTwo
from .sparse import MARGIN, SEVERAL, factorize_pattern
from .stopping import PENDING, Status, Stop
from .updates import MultiplicativeUpdate, UpdateRule, smallest

RULES: dict[str, Callable[[], Any]] = {
    "mu": MultiplicativeUpdate,
    "amu": lambda: MultiplicativeUpdate(inner=4),
    "hals": HALS,
    "ehals": ExtrapolatedHALS,
    "rank2": RankTwo,
    "newton": NewtonKL,
}
OURS = (MultiplicativeUpdate, HALS, ExtrapolatedHALS, RankTwo, NewtonKL)

OURS = (MultiplicativeUpdate, HALS, ExtrapolatedHALS, RankTwo, NewtonKL)

# Columns without data are left out where they are more than this leaves.
NARROW = 0.75


@halving
@torch.no_grad()
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

    Parameters
    ----------
    V : array or Tensor, shape (m, n) or (B, m, n), or SharedPattern, or scipy.sparse matrix, shape (m, n)
        Non-negative data; replicates are independent of each other. float32 and float64 are kept, integers become
        float64. NaN is allowed where `weight` is 0.
    n_components : int
        k.
    init : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar"} or (W, H)
        Start. A given pair may have None for one factor, which then starts at sqrt(mean(V) / k). "auto" is "nndsvda",
        and the full sample's solution for the replicates of a `SharedPattern` that were drawn from one.
    loss : {"frobenius", "kullback-leibler", "itakura-saito"}, float or object
        A beta divergence by name or beta, or an object with ``value`` and ``split`` (see `Loss`).
    update : {"auto", "mu", "amu", "hals", "ehals", "rank2", "newton"} or callable
        The rule: multiplicative updates, those with several sweeps per product with V, HALS, extrapolated HALS, exact
        least squares for two components, coordinate descent for Kullback-Leibler. "auto" is "ehals" for the Frobenius
        loss without weights and penalties, "hals" with penalties, "newton" for Kullback-Leibler, "mu" otherwise. A
        callable takes a `Problem` and `Factors` and returns `Factors`; one with a method ``begin`` has a memory (see
        `ExtrapolatedHALS`).
    weight : array or Tensor, broadcastable to V, optional
        Non-negative weight of each entry in the loss; 0 marks a missing one.
    penalty : Penalty, optional
        Elastic-net penalties, with scikit-learn's scaling.
    hold : {None, "W", "H"}
        A factor to leave as given in `init`.
    stop : Stop, optional
        Convergence test; the default asks for a converged answer.
    starts : int, optional
        Starts per replicate, of which the best is kept: `init`, then random ones. By default 1 for two components, with
        given factors and with a rule of the user's own, else 8; replicates drawn from a sample begin at the best of
        its 8, and one in 16 of them tries the random ones too (`Result.start` says which won).
    seed, first_replicate : int
        Replicate b draws from a stream named by (seed, first_replicate + b), so that a batch done in parts gives
        the same answers.
    device : str or torch.device, optional
        Where to compute; by default where V is. The answer comes back to where V is.
    dtype : torch.dtype, optional
        Compute in this precision; by default V's.
    progress : callable, optional
        Called with (finished replicates, B x starts) at every check.

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
    stop = stop or Stop()
    if starts is not None and starts < 1:
        raise ProblemError(f"starts must be >= 1; got {starts}")
    if starts is not None and starts > 1 and hold is not None:
        raise ProblemError("starts > 1 has no use with a held factor: the problem is convex; leave starts at 1")
    if seed < 0 or first_replicate < 0:
        raise ProblemError(f"seed and first_replicate must be >= 0; got {seed} and {first_replicate}")
    if scipy.sparse.issparse(V):
        numbers = torch.float32 if V.dtype == np.float32 else torch.float64
        V = _sparse(V, loss, update, weight, device, dtype)
        if isinstance(V, SharedPattern):
            found = factorize(
                V, n_components, init=init, loss=loss, update=update, penalty=penalty, hold=hold, stop=stop,
                starts=starts, seed=seed, first_replicate=first_replicate, dtype=dtype or numbers, progress=progress,
            )  # fmt: skip
            return Result(**{field.name: getattr(found, field.name)[0] for field in fields(found)})
    if isinstance(V, SharedPattern):
        # What may be asked of the rule does not depend on the data; these need not be made dense for that.
        sample = build_problem(np.ones((1, 1)), loss=loss, penalty=penalty, hold=hold)
        if weight is None and isinstance(sample.loss, BetaDivergence) and sample.loss.beta <= 0:
            V.require_positive(sample.loss.beta)

        device = device or (None if V.on_device is None else "cuda")

        def dense(chunk: Any, start: Any, first: int, number: int, part: Any, device: Any = device) -> Result:
            return factorize(
                chunk, n_components, init=start, loss=loss, update=update, weight=part, penalty=penalty, hold=hold,
                stop=stop, starts=number, seed=seed, first_replicate=first, device=device, dtype=dtype,
            )  # fmt: skip

        return factorize_pattern(
            V, n_components, init=init, loss=sample.loss, rule=resolve_rule(update, sample, weight), weight=weight,
            penalty=penalty, hold=hold, stop=stop, starts=starts, ours=isinstance(update, str), seed=seed,
            first_replicate=first_replicate, device=device, dtype=dtype, progress=progress, dense=dense,
        )  # fmt: skip
    problem = build_problem(V, loss=loss, weight=weight, penalty=penalty, hold=hold, device=device, dtype=dtype)
    rule = resolve_rule(update, problem)
    if starts is None:
        ours = isinstance(init, str) and hold is None and isinstance(update, str)
        starts = SEVERAL if ours and n_components > 2 else 1
    if isinstance(init, str) and init == "auto":
        init = "nndsvda"
    B = problem.V.shape[0]
    best: _Outcome | None = None
    # Small problems spend their time in calls, which are cheaper so; what users bring along may want gradients.
    with torch.inference_mode(isinstance(rule, OURS) and isinstance(problem.loss, BetaDivergence)):
        thin = _without_empty_columns(problem, rule)
        for start in range(starts):
            factors = start_factors(
                problem,
                n_components,
                init if start == 0 else "random",
                seed=seed,
                start=start,
                first_replicate=first_replicate,
                thin=thin,
            )
            outcome = _iterate(problem, thin, factors, rule, stop, start, _offset(progress, start * B, starts * B))
            best = outcome if best is None else best.better_of(outcome)
    assert best is not None
    return _finish(V, problem, best)


def _sparse(
    V: Any, loss: Any, update: Any, weight: Any, device: Any, dtype: torch.dtype | None
) -> SparseMatrix | SharedPattern | np.ndarray:
    # One sparse matrix as what solves it without making it dense: products for least squares, the compiled loop for
    # Kullback-Leibler, whose quotients V / W H need the cells. That loop is compiled first: no gain where V is small.
    measure = as_loss(loss)
    beta = measure.beta if isinstance(measure, BetaDivergence) else None
    ours = isinstance(update, (str, *OURS))
    here = ours and weight is None and (device is None or torch.device(device).type == "cpu")
    matrix = SparseMatrix.of(V, dtype)
    if here and beta == 2:
        return matrix
    if here and beta == 1 and V.shape[0] * V.shape[1] > DENSE_ENTRIES:
        pattern = SharedPattern.from_scipy(V)
        exact = pattern.values.dtype != np.float32 or matrix.dtype == torch.float32
        return pattern if exact else SharedPattern.from_scipy(V, dtype=np.float64)
    return matrix.to_dense()[0].numpy()


def resolve_rule(update: str | UpdateRule, problem: Problem, weight: Any = None) -> UpdateRule:
    """Return the rule that `update` names, after asking whether it can solve `problem`.

    Raises
    ------
    ProblemError
        If the name is unknown or the rule does not support the problem.
    """
    if update == "auto":
        plain = weight is None and ExtrapolatedHALS().supports(problem) is None
        if not plain:
            newton: Any = NewtonKL()
            return newton if newton.supports(problem) is None else MultiplicativeUpdate()
        # Penalties may do away with a component for good while W reaches ahead; HALS by itself is more careful.
        penalised = any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H))
        rule: Any = HALS() if penalised else ExtrapolatedHALS()
        return rule
    if isinstance(update, str):
        if update not in RULES:
            raise ProblemError(f"update must be 'auto', one of {sorted(RULES)} or a callable; got {update!r}")
        rule = RULES[update]()
    elif callable(update):
        rule = update
    else:
        raise TypeError(f"update must be a name or a callable; got {type(update).__name__}")
    refusal = rule.supports(problem) if hasattr(rule, "supports") else None
    if refusal is not None:
        raise ProblemError(refusal)
    return rule


@dataclass
class _Outcome:
    """Where one start of every replicate ended; filled as replicates finish."""

    W: Tensor
    H: Tensor
    n_iter: Tensor
    status: Tensor
    start: Tensor
    divergence: Tensor
    loss: Tensor
    kkt: Tensor

    @classmethod
    def pending(cls, factors: Factors, start: int) -> _Outcome:
        """Return the outcome of no iteration at all."""
        whole = torch.zeros(len(factors.W), dtype=torch.int64, device=factors.W.device)
        return cls(
            W=factors.W.clone(),
            H=factors.H.clone(),
            n_iter=whole.clone(),
            status=torch.full_like(whole, int(Status.MAX_ITER)),
            start=torch.full_like(whole, start),
            divergence=whole.double(),
            loss=whole.double(),
            kkt=whole.double(),
        )

    def record(self, rows: Tensor, factors: Factors, status: Tensor, n_iter: int) -> None:
        """Store where the replicates `rows` ended."""
        self.W[rows], self.H[rows] = factors
        self.n_iter[rows], self.status[rows] = n_iter, status

    def better_of(self, other: _Outcome) -> _Outcome:
        """Return, replicate by replicate, the outcome of clearly lower loss; a finite one beats a non-finite one."""
        wins = other.loss < self.loss * (1 - MARGIN)
        wins |= ~torch.isfinite(self.loss) & torch.isfinite(other.loss)
        pairs = ((field.name, getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return _Outcome(
            **{
                name: torch.where(wins.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)
                for name, mine, theirs in pairs
            }
        )


def _iterate(
    problem: Problem,
    thin: Thin | None,
    factors: Factors,
    rule: UpdateRule,
    stop: Stop,
    start: int,
    progress: Callable[[int], None] | None,
) -> _Outcome:
    whole = problem
    outcome = _Outcome.pending(factors, start)
    rows = torch.arange(problem.V.shape[0], device=problem.V.device)
    pending = torch.ones_like(rows, dtype=torch.bool)
    criterion = stop.criterion_for(problem, factors)
    remembers = hasattr(rule, "begin")
    stepper: Any = rule
    memory = stepper.begin(problem, factors) if remembers else None
    every = stop.interval(rule)
    columns, n = None, problem.V.shape[-1]
    empty = ~problem.filled_columns.any(dim=0)
    for n_iter in range(1, stop.max_iter + 1):
        if remembers:
            factors, memory = stepper(problem, factors, memory)
        else:
            factors = Factors(*rule(problem, factors))
        if n_iter == 1 and thin is not None and not bool((factors.H.amax(dim=(0, 1)) * empty != 0).any()):
            columns, problem = thin
            whole = problem
            factors = Factors(factors.W, factors.H[..., columns])
            outcome.H = outcome.H[..., columns]
            criterion.narrow(columns)
        last, check = n_iter == stop.max_iter, n_iter % every == 0
        if not (last or check):
            continue
        finite = _finite(factors)
        status = criterion.verdict(problem, factors, pending & finite) if check else torch.full_like(rows, PENDING)
        if last:
            status = torch.where(status == PENDING, int(Status.MAX_ITER), status)
        status = torch.where(finite, status, int(Status.NON_FINITE))
        status = torch.where(pending, status, PENDING)
        ending = status != PENDING
        if bool(ending.any()):
            outcome.record(rows[ending], Factors(factors.W[ending], factors.H[ending]), status[ending], n_iter)
            pending = pending & ~ending
        left = int(pending.sum())
        if progress is not None:
            progress(len(outcome.n_iter) - left)
        if left == 0:
            break
        # Finished replicates ride along, unrecorded, until dropping them saves more than copying the others costs.
        if left <= 0.75 * len(pending):
            keep = pending.nonzero()[:, 0]
            problem, rows, pending = problem.select(keep), rows[keep], pending[keep]
            factors = Factors(factors.W[keep], factors.H[keep])
            criterion.select(keep)
            memory = None if memory is None else memory.select(keep)
    places = (("W", outcome.W, whole.filled_rows[:, :, None]), ("H", outcome.H, whole.filled_columns[:, None]))
    for name, factor, filled in places:
        if problem.hold != name and stop.max_iter > 0:
            factor.masked_fill_(factor <= smallest(factor.dtype), 0.0)
            # Where a component has died its other factor stays as it was; what has no data shall be zero all the same.
            factor.mul_(filled)
    found = Factors(outcome.W, outcome.H)
    outcome.divergence, penalties = _losses(whole, found)
    outcome.loss = outcome.divergence + penalties
    outcome.kkt = kkt_residual(whole, found).double()
    if columns is not None:
        outcome.H = outcome.H.new_zeros((*outcome.H.shape[:-1], n)).index_copy_(-1, columns, outcome.H)
    return outcome


def _without_empty_columns(problem: Problem, rule: UpdateRule) -> Thin | None:
    # After its first update H is zero where no replicate has data, and stays so: counts in images leave most columns
    # empty. Rules and losses of the user's own may do otherwise.
    ours = isinstance(rule, OURS)
    known = isinstance(problem.loss, BetaDivergence) and problem.loss.beta >= 1
    if not (ours and known) or problem.hold is not None or problem.weight is not None:
        return None
    filled = problem.filled_columns.any(dim=0)
    columns = filled.nonzero()[:, 0]
    return Thin(columns, problem.narrow(columns)) if 0 < len(columns) <= NARROW * len(filled) else None


def _finite(factors: Factors) -> Tensor:
    # A sum is finite only if all its terms are: cheaper than a test of every entry, and overflow is a failure too.
    return torch.isfinite(factors.W.sum(dim=(-2, -1)) + factors.H.sum(dim=(-2, -1)))


def _losses(problem: Problem, factors: Factors) -> tuple[Tensor, Tensor]:
    # In float64, a few replicates at a time: the reconstruction of a whole batch need not fit in memory.
    B, m, n = problem.V.shape
    size = max(1, 2**23 // (m * n))
    if size >= B:
        return problem.divergence(factors), problem.penalty(factors)
    parts = []
    for first in range(0, B, size):
        rows = torch.arange(first, min(first + size, B), device=problem.V.device)
        part, some = problem.select(rows), Factors(factors.W[rows], factors.H[rows])
        parts.append((part.divergence(some), part.penalty(some)))
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


def _offset(progress: Callable[[int, int], None] | None, before: int, total: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda finished: progress(before + finished, total)


def _finish(V: Any, problem: Problem, outcome: _Outcome) -> Result:
    size = problem.loss_scale
    root = problem.scale.sqrt().to(outcome.W.dtype)[:, None, None]
    values: dict[str, Any] = {
        "W": outcome.W * root,
        "H": outcome.H * root,
        "loss": outcome.loss * size,
        "divergence": outcome.divergence * size,
        # Copies, since tensors of inference mode are not for users.
        "n_iter": outcome.n_iter.clone(),
        "status": outcome.status.clone(),
        "kkt": outcome.kkt.clone(),
        "start": outcome.start.clone(),
    }
    single = isinstance(V, SparseMatrix) or (V.ndim == 2 if hasattr(V, "ndim") else len(problem.V) == 1)
    for name, value in values.items():
        value = value[0] if single else value
        values[name] = value.to(V.device) if isinstance(V, Tensor) else value.cpu().numpy()
    return Result(**values)
