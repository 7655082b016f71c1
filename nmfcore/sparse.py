"""Sparse batches through the compiled kernels; where these do not reach, through dense chunks with the same answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from .errors import ProblemError
from .initialise import METHODS, SAFE_FACTOR, SAFE_PRODUCT, draw, fill_zeros, nndsvd, normals, require_components
from .kernels.cuda.devices import visible_devices
from .kernels.cuda.launch import holds
from .kernels.parallel import in_parallel, kernels_only, number_of_threads
from .losses import BetaDivergence, Loss
from .pattern import LANES, SharedPattern, to_tiles
from .problem import SAFE_MAXIMUM, Penalty
from .result import Result
from .solvers import HALS, ExtrapolatedHALS, NewtonKL, RankTwo
from .spectrum import leading_svd
from .stopping import MASS_ROUNDING, ROUNDING, SLOWEST, Stop
from .updates import MultiplicativeUpdate

# Dense chunks hold at most this many entries of V; those of the kernels as many of the factors, of every start, and of
# V V^T.
CHUNK_ENTRIES = 2**24
# Where starts are given there is nothing beside the answer, and chunks serve only to tell how far it is.
GIVEN_ENTRIES = 2**28
# Entries of the factors that come back from GPUs at once.
DEVICE_ENTRIES = 2**28
# Every so many replicates, one tries the random starts too where starts are left to us: how often they win says whether
# the full sample's optimum is the replicates' own.
SHARE = 16
# Starts per replicate where there are more than two components: one start is then often not the best.
SEVERAL = 8
# A later start must be better by this share of the loss: rounding is not to choose between equals.
MARGIN = 1e-6
# Tiles that a thread should solve in one go: the last ones of each go are not full.
LONG = 32
FIELDS = tuple(field.name for field in fields(Result))


class Plan:
    """A checked sparse problem: the kernel that solves it, or None and why."""

    def __init__(
        self,
        pattern: SharedPattern,
        rule: Any,
        n_components: int,
        *,
        loss: Loss,
        weight: Any,
        penalty: Penalty,
        hold: str | None,
        stop: Stop,
        device: Any,
        dtype: torch.dtype,
    ) -> None:
        self.pattern, self.stop, self.dtype = pattern, stop, dtype
        self.numpy_dtype: np.dtype[Any] = np.dtype(np.float64 if dtype == torch.float64 else np.float32)
        self.penalty = penalty
        self.rule = rule
        self.devices: list[int] = []
        self.beta = 0.0
        self.refusal = self._refusal(n_components, loss, weight, hold, device)

    def on_sample(self, replicates: int) -> Plan:
        """Return the plan for so many copies of the sample that the replicates were drawn from."""
        plan, pattern = copy.copy(self), self.pattern
        assert pattern.base is not None
        cells = np.broadcast_to(pattern.base.astype(pattern.values.dtype), (replicates, len(pattern.base)))
        shape = (replicates, *pattern.shape[1:])
        plan.pattern = replace(pattern, values=to_tiles(cells), shape=shape, base=None)
        return plan

    def _refusal(self, n_components: int, loss: Loss, weight: Any, hold: str | None, device: Any) -> str | None:
        if device is not None and torch.device(device).type != "cpu":
            self.devices = visible_devices(device)
            if not self.devices:
                return "numba sees no such CUDA device"
            if not holds(n_components, self.numpy_dtype.itemsize):
                return "so many components do not fit into a block's shared memory"
        if weight is not None:
            return "weights have no sparse path"
        if hold is not None:
            return "a held factor has no sparse path"
        if not (isinstance(loss, BetaDivergence) and loss.beta in (1, 2)):
            return "the loss has no sparse path"
        self.beta = loss.beta
        if self.beta == 1 and self.devices:
            return "Kullback-Leibler has no kernel for GPUs"
        if self.stop.criterion != "change":
            return "scikit-learn's stopping test has no sparse path"
        if self.stop.max_iter == 0:
            return "no iteration is asked for"
        if not isinstance(self.rule, (MultiplicativeUpdate, HALS, ExtrapolatedHALS, RankTwo, NewtonKL)):
            return "the rule has no compiled form"
        if isinstance(self.rule, RankTwo) and n_components != 2:
            return "the rule is for two components"
        largest = self.pattern.largest
        low, high = SAFE_MAXIMUM
        if not (largest == 0 or low <= largest <= high):
            return "data of extreme scale are rescaled first"
        return None


def factorize_pattern(
    pattern: SharedPattern,
    n_components: int,
    *,
    init: Any,
    loss: Loss,
    rule: Any,
    weight: Any,
    penalty: Penalty | None,
    hold: str | None,
    stop: Stop,
    starts: int | None,
    ours: bool,
    seed: int,
    first_replicate: int,
    device: Any,
    dtype: torch.dtype | None,
    progress: Callable[[int, int], None] | None,
    dense: Callable[..., Result],
) -> Result:
    """Factorise every replicate of a pattern; the arguments are `factorize`'s, checked and resolved.

    `ours` says that the rule is one of the engine's own. `dense` factorises a dense batch; it is called with (V, init,
    first replicate, starts, weight).
    """
    dtype = dtype or (torch.float64 if pattern.float_dtype == np.float64 else torch.float32)
    plan = Plan(
        pattern, rule, n_components, loss=loss, weight=weight, penalty=penalty or Penalty(), hold=hold, stop=stop,
        device=device, dtype=dtype,
    )  # fmt: skip
    B, m, n = pattern.shape
    guided = isinstance(init, str) and init == "auto" and pattern.base is not None and hold is None and weight is None
    if guided:
        init = _full_sample(plan, n_components, dense, starts, ours, seed)
    elif isinstance(init, str) and init == "auto":
        init = "nndsvda"
    given = not isinstance(init, str)
    several = ours and n_components > 2 and hold is None and (guided or not given)
    number = (SEVERAL if several else 1) if starts is None else starts
    if plan.refusal is None and given and not _compilable(init, pattern, n_components):
        plan.refusal = "this start is for the dense path"
    if pattern.on_device is not None and (plan.refusal is not None or not plan.devices or not given):
        pattern = plan.pattern = pattern.to_host()
    parts = []
    if plan.refusal is not None:
        size = max(1, CHUNK_ENTRIES // (m * n))
    elif plan.devices:
        size = max(LANES, DEVICE_ENTRIES // (n_components * (m + n)))
    else:
        entries = number * n_components * (m + len(pattern.columns)) + m * m
        room = GIVEN_ENTRIES if given and number == 1 else CHUNK_ENTRIES
        size = max(LANES, room // entries // LANES * LANES)
    for first in range(0, B, size):
        chosen = np.arange(first, min(first + size, B))
        part = _slice(init, chosen, B) if given else init
        if plan.refusal is not None:
            V = pattern.to_dense(chosen, dtype=plan.numpy_dtype)
            parts.append(dense(V, part, first_replicate + first, number, _part(weight, chosen, B)))
        else:
            parts.append(
                _compiled(
                    plan, chosen, part, n_components, number, seed, first_replicate + first, guided and starts is None
                )
            )
        if progress is not None:
            progress(int(chosen[-1]) + 1, B)
    return _concatenate(parts)


def _full_sample(
    plan: Plan, k: int, dense: Callable[..., Result], starts: int | None, ours: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    # At k = 2 all starts lead to one optimum; beyond, the best of several is where replicates begin.
    number = (SEVERAL if ours and k > 2 else 1) if starts is None else starts
    if plan.refusal is not None or plan.devices:
        # One matrix is no work for a GPU, and torch need not see the one that numba sees.
        where = {"device": "cpu"} if plan.refusal is None else {}
        result = dense(plan.pattern.base_dense(dtype=np.float64), "nndsvda", 0, number, None, **where)
        return result.W, result.H
    return _best_of_sample(plan, k, number, seed)


@kernels_only()
def _best_of_sample(plan: Plan, k: int, number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    # Of one sample from several starts, in lanes side by side.
    sample = plan.on_sample(number)
    alone = np.zeros(1, dtype=np.int64)
    starts_of = [_starts(sample, alone, "random" if s else "nndsvda", k, seed, s, 0) for s in range(number)]
    result = _solve(sample, np.arange(number), _join(starts_of), narrow=False)
    best: Result | None = None
    for s in range(number):
        best = _better(best, _slice_of(result, s, s + 1), alone)
    assert best is not None
    return best.W[0], best.H[0]


def _compilable(init: Any, pattern: SharedPattern, k: int) -> bool:
    if init[0] is None or init[1] is None:
        return False
    W, H = (np.asarray(x.cpu() if isinstance(x, torch.Tensor) else x) for x in init)
    m, n = pattern.shape[1:]
    if W.shape[-2:] != (m, k) or H.shape[-2:] != (k, n):
        return False  # the dense path says what is wrong
    if not (np.isfinite(W).all() and np.isfinite(H).all() and (W >= 0).all() and (H >= 0).all()):
        return False
    largest = [x.max(axis=(-2, -1)) for x in (W, H)]
    product = largest[0] * largest[1] / max(pattern.largest, 1.0)
    tame = all(((x > SAFE_FACTOR[0]) & (x < SAFE_FACTOR[1])).all() for x in largest)
    return bool(tame and ((product > SAFE_PRODUCT[0]) & (product < SAFE_PRODUCT[1])).all() and W.any(axis=-2).all())


def _slice(init: Any, chosen: np.ndarray, B: int) -> Any:
    return _part(init[0], chosen, B), _part(init[1], chosen, B)


def _part(x: Any, chosen: np.ndarray, B: int) -> Any:
    return x if x is None or np.ndim(x) < 3 or len(x) != B or B == 1 else x[chosen]


class Starts(NamedTuple):
    """Where jobs begin: W (J, m, k), H (J, k, n), one for all or one for each.

    `extra` (J, k + 1, k) holds the Gram matrices of the columns of H outside the pattern, and below them their sums:
    they count until the first update of H.
    """

    W: np.ndarray
    H: np.ndarray
    extra: np.ndarray


def _narrow(starts: Starts, columns: np.ndarray, jobs: int) -> Starts:
    # One start for each job, and of H the pattern's columns alone.
    W, H, extra = (np.broadcast_to(x, (jobs, *x.shape[1:])) for x in starts)
    return Starts(np.ascontiguousarray(W), H[:, :, columns], np.ascontiguousarray(extra))


def _widen(result: Result, pattern: SharedPattern) -> Result:
    H = np.zeros((*result.H.shape[:2], pattern.shape[2]), result.H.dtype)
    H[:, :, pattern.columns] = result.H
    return replace(result, H=H)


def _join(starts: Sequence[Starts]) -> Starts:
    return starts[0] if len(starts) == 1 else Starts(*(np.concatenate(parts) for parts in zip(*starts, strict=True)))


@kernels_only()
def _compiled(
    plan: Plan, chosen: np.ndarray, init: Any, k: int, starts: int, seed: int, first: int, sparing: bool
) -> Result:
    everyone = np.arange(len(chosen))
    share = everyone[(first + everyone) % SHARE == 0] if sparing else everyone
    tries = [(start, share if start else everyone) for start in range(starts if len(share) else 1)]
    # One pool of jobs keeps lanes and threads busy to the end; a GPU has blocks to spare, but not the memory.
    pools = [[one] for one in tries] if plan.devices else [tries]
    best: Result | None = None
    for pool in pools:
        given, narrow = [], len(pool) > 1
        for start, tried in pool:
            given.append(_drawn(plan, chosen, init if start == 0 else "random", k, seed, start, first, tried, narrow))
        jobs = np.concatenate([tried for _, tried in pool])
        solved = _solve(plan, chosen[jobs], _join(given), narrow=narrow)
        at = 0
        for start, tried in pool:
            part = _slice_of(solved, at, at + len(tried))
            part.start[:] = start
            best, at = _better(best, part, tried), at + len(tried)
    assert best is not None
    return _widen(best, plan.pattern) if narrow else best


def _slice_of(result: Result, begin: int, end: int) -> Result:
    return Result(**{name: getattr(result, name)[begin:end] for name in FIELDS})


def _better(best: Result | None, other: Result, tried: np.ndarray) -> Result:
    # `other` has the replicates `tried` of `best`; a finite loss beats one that is not.
    if best is None:
        return other
    before = best.loss[tried]
    wins = (other.loss < before * (1 - MARGIN)) | (~np.isfinite(before) & np.isfinite(other.loss))
    for name in FIELDS:
        getattr(best, name)[tried[wins]] = getattr(other, name)[wins]
    return best


def _drawn(
    plan: Plan,
    chosen: np.ndarray,
    init: Any,
    k: int,
    seed: int,
    start: int,
    first: int,
    tried: np.ndarray,
    narrow: bool,
) -> Starts:
    # The starts of the replicates `tried` of `chosen`, on all threads; `narrow` as in `_solve`.
    if not isinstance(init, str):
        one = _starts(plan, chosen[tried], init, k, seed, start, first, tried)
        return _narrow(one, plan.pattern.columns, len(tried)) if narrow else one
    parts: dict[int, Starts] = {}

    def work(begin: int, end: int) -> None:
        some = tried[begin:end]
        if narrow and init == "random":
            parts[begin] = _random(plan, chosen[some], k, seed, start, first + some)
        else:
            one = _starts(plan, chosen[some], init, k, seed, start, first, some)
            parts[begin] = _narrow(one, plan.pattern.columns, len(some)) if narrow else one

    in_parallel(work, len(tried), grain=LANES)
    return _join([parts[begin] for begin in sorted(parts)])


def _starts(
    plan: Plan,
    chosen: np.ndarray,
    init: Any,
    k: int,
    seed: int,
    start: int,
    first: int,
    tried: np.ndarray | None = None,
) -> Starts:
    pattern, (m, n) = plan.pattern, plan.pattern.shape[1:]
    if isinstance(init, str):
        if init not in METHODS:
            raise ProblemError(f"init must be 'auto', one of {METHODS} or a pair (W, H); got {init!r}")
        require_components(k)
        numbers = first + (np.arange(len(chosen)) if tried is None else tried)
        means = torch.from_numpy(pattern.cells(chosen).sum(axis=1, dtype=np.float64) / (m * n)).to(plan.dtype)
        if init == "random":
            factors = draw(means, (m, n), k, seed, start, numbers)
        else:
            svd = leading_svd(pattern, chosen, min(k, m, n), precision=plan.dtype)
            like = torch.empty((len(chosen), m, n), dtype=plan.dtype, device="meta")
            factors = fill_zeros(init, nndsvd(like, k, svd=svd), means, seed, start, numbers)
        W, H = factors.W.numpy(), factors.H.numpy()
    else:
        W, H = (
            np.ascontiguousarray(np.reshape(np.asarray(x), (-1, *np.shape(x)[-2:])), dtype=plan.numpy_dtype)
            for x in init
        )
    return Starts(W, H, _extra(H[:, :, _empty(pattern)].astype(np.float64)))


def _random(plan: Plan, chosen: np.ndarray, k: int, seed: int, start: int, numbers: np.ndarray) -> Starts:
    # What `_starts` draws, of H the pattern's columns alone.
    pattern, (m, n), kind = plan.pattern, plan.pattern.shape[1:], plan.numpy_dtype
    empty = np.flatnonzero(_empty(pattern))
    means = (pattern.cells(chosen).sum(axis=1, dtype=np.float64) / (m * n)).astype(kind)
    size = np.sqrt(means / kind.type(k))
    W, H = np.empty((len(chosen), m, k), kind), np.empty((len(chosen), k, len(pattern.columns)), kind)
    extra = np.empty((len(chosen), k + 1, k))

    for i, number in enumerate(numbers):
        components, weights = (np.abs(x, out=x) for x in normals(((k, n), (m, k)), number, seed, start))
        np.multiply(weights, size[i], out=W[i])
        components = components * size[i]
        H[i] = components.take(pattern.columns, axis=1)
        extra[i] = _extra(components.take(empty, axis=1))
    return Starts(W, H, extra)


def _empty(pattern: SharedPattern) -> np.ndarray:
    # Columns without cells; bool, shape (n,).
    empty = np.ones(pattern.shape[2], dtype=bool)
    empty[pattern.columns] = False
    return empty


def _extra(outside: np.ndarray) -> np.ndarray:
    # See `Starts.extra`.
    return np.concatenate([outside @ outside.swapaxes(-1, -2), outside.sum(-1)[..., None, :]], axis=-2)


def _solve(plan: Plan, chosen: np.ndarray, starts: Starts, *, narrow: bool) -> Result:
    # `narrow` says that H has the pattern's columns alone, there and in the result.
    from .kernels.cuda import launch
    from .kernels.kullback_leibler import kullback_leibler
    from .kernels.least_squares import frobenius
    from .kernels.settings import Limits, rule_of
    from .kernels.tiles import Answers, Cells, Jobs

    pattern, stop, k = plan.pattern, plan.stop, starts.W.shape[-1]
    jobs, (m, n) = len(chosen), pattern.shape[1:]
    eps = torch.finfo(plan.dtype).eps
    every = stop.interval(plan.rule)
    limits = Limits(stop.tol, SLOWEST, ROUNDING * eps, MASS_ROUNDING * eps, stop.max_iter, every)
    rule = rule_of(plan.rule, [float(x) for x in plan.penalty.coefficients(m, n)])
    solve = kullback_leibler if plan.beta == 1 else frobenius
    if plan.devices:
        W, H, n_iter, status, numbers = launch.frobenius(pattern, chosen, *starts, rule, limits, plan.devices)
    else:
        columns = np.arange(len(pattern.columns)) if narrow else pattern.columns
        width = len(columns) if narrow else n
        W, H = np.zeros((jobs, m, k), plan.numpy_dtype), np.zeros((jobs, k, width), plan.numpy_dtype)
        if number_of_threads() > 1:
            # New pages that several threads touch at once cost more than writing them twice.
            H.fill(0)
        n_iter, status, numbers = np.zeros(jobs, np.int64), np.zeros(jobs, np.int64), np.zeros((jobs, 3))

        cells, given = Cells(pattern.values, pattern.rows, pattern.start, columns), Jobs(chosen, *starts)
        answers = Answers(W, H, n_iter, status, numbers)

        def work(first: int, last: int) -> None:
            solve(cells, given, first * LANES, min(last * LANES, jobs), rule, limits, (0,) * k, answers)

        in_parallel(work, -(-jobs // LANES), grain=LONG)
    return Result(
        W=W, H=H, loss=numbers[:, 0].copy(), divergence=numbers[:, 1].copy(), n_iter=n_iter, status=status,
        kkt=numbers[:, 2].copy(), start=np.zeros(jobs, np.int64),
    )  # fmt: skip


def _concatenate(parts: list[Result]) -> Result:
    if len(parts) == 1:
        return parts[0]
    return Result(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS})
