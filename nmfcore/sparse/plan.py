"""Which solver a `SharedPattern` gets: a compiled kernel, on the CPU or on GPUs, or dense chunks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..dense import Dense, Solver
from ..kernels.cuda.devices import visible_devices
from ..kernels.cuda.launch import holds
from ..losses import BetaDivergence
from ..problem import SAFE_MAXIMUM, build_problem
from ..request import Request
from ..rules.hals import ExtrapolatedHALS
from ..rules.rank_two import AcceleratedRankTwo, RankTwo
from ..rules.resolve import OURS, UpdateRule, resolve_rule
from .solve import Compiled, Cuda, Kernel, precision_of


def plan_pattern(request: Request) -> Solver:
    """Return the solver of a request whose V is a `SharedPattern`.

    Raises
    ------
    ProblemError
        If the rule cannot solve the problem, or the loss would divide by zeros of V.
    """
    pattern, loss = request.V, request.loss
    if request.device is None and pattern.on_device is not None:
        request = request.with_data(pattern, device="cuda")
    # Whether a rule supports the problem does not depend on the data, which therefore need not be made dense.
    one = np.ones((1, 1))
    stand_in = build_problem(
        one, loss=loss, weight=None if request.weight is None else one, penalty=request.penalty, hold=request.hold
    )
    if request.weight is None and isinstance(loss, BetaDivergence) and loss.beta <= 0:
        pattern.require_positive(loss.beta)
    rule = resolve_rule(request.update, stand_in, request.n_components)
    devices = [] if request.on_cpu else visible_devices(request.device)
    if devices and request.update == "auto" and isinstance(rule, AcceleratedRankTwo):
        rule = ExtrapolatedHALS()  # which has a kernel for GPUs
    if refusal(request, rule, devices) is not None:
        return Dense(request)
    assert isinstance(loss, BetaDivergence), "checked by `refusal`"
    if not devices and pattern.on_device is not None:
        pattern = pattern.to_host()  # counts that a GPU drew, to be solved on the CPU
        request = request.with_data(pattern, device=request.device)
    dtype = precision_of(request)
    kernel = Kernel(pattern, rule, loss.beta, request.penalty, request.stop, dtype, tuple(devices))
    return Cuda(request, kernel) if devices else Compiled(request, kernel)


def refusal(request: Request, rule: UpdateRule, devices: Sequence[int]) -> str | None:
    """Return why no kernel solves a request for a `SharedPattern`, or None if one does.

    `devices` are the GPUs to use; none on the CPU, or where no GPU is visible.
    """
    if not request.on_cpu:
        if not devices:
            return "numba sees no such CUDA device"
        if not holds(request.n_components, precision_of(request).itemsize):
            return "so many components do not fit into a block's shared memory"
    if request.weight is not None:
        return "no kernel has weights"
    if request.hold is not None:
        return "no kernel holds a factor"
    beta = request.loss.beta if isinstance(request.loss, BetaDivergence) else None
    if beta not in (1, 2):
        return "no kernel minimises the loss"
    if beta == 1 and devices:
        return "Kullback-Leibler has no kernel for GPUs"
    if request.stop.criterion != "change":
        return "no kernel has scikit-learn's stopping test"
    if request.stop.max_iter == 0:
        return "no iteration is asked for"
    if not isinstance(rule, OURS):
        return "the rule has no compiled form"
    if isinstance(rule, AcceleratedRankTwo) and devices:
        return "the rule has no kernel for GPUs"
    if isinstance(rule, (RankTwo, AcceleratedRankTwo)) and request.n_components != 2:
        return "the rule is for two components"
    largest = request.V.largest
    low, high = SAFE_MAXIMUM
    if not (largest == 0 or low <= largest <= high):
        return "data of extreme scale are rescaled first"
    return None
