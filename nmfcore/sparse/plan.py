"""Which solver a `SharedPattern` gets: a compiled kernel, on the CPU or on GPUs, or dense chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from ..dense import Dense, Solver
from ..kernels.compiling import switched_off
from ..kernels.cuda.devices import visible_devices
from ..late import is_tensor, torch
from ..losses import BetaDivergence
from ..pattern import SharedPattern
from ..problem import outline
from ..request import Request
from ..result import Result
from ..rules.newton import AcceleratedNewtonKL, NewtonKL
from ..rules.rank_two import AcceleratedRankTwo, RankTwo
from ..rules.resolve import OURS, UpdateRule, resolve_rule
from .gpu import Cuda, holds
from .solve import Compiled, Kernel, precision_of


def plan_pattern(request: Request) -> Solver:
    """Return the solver of a request whose V is a `SharedPattern`.

    Raises
    ------
    ProblemError
        If the rule cannot solve the problem, or the loss would divide by zeros of V.
    """
    pattern, loss = request.V, request.loss
    if request.device is None and pattern.on_device is not None:
        request = request.with_data(pattern, device=pattern.on_device)
    # Whether a rule supports the problem does not depend on the data, which therefore need not be made dense.
    stand_in = outline(loss, request.weight, request.penalty, request.hold)
    if request.weight is None and isinstance(loss, BetaDivergence) and loss.beta <= 0:
        pattern.require_positive(loss.beta)
    rule = resolve_rule(request.update, stand_in, request.n_components)
    devices = [] if request.on_cpu else visible_devices(request.device)
    if devices and request.update == "auto" and isinstance(rule, AcceleratedNewtonKL):
        # The kernels for GPUs have the plain steps alone.
        rule = NewtonKL()
    if refusal(request, rule, devices) is not None:
        return Dense(request)
    assert isinstance(loss, BetaDivergence), "checked by `refusal`"
    dtype = precision_of(request)
    kernel = Kernel(pattern, rule, loss.beta, request.penalty, request.stop, dtype, tuple(devices))
    return Cuda(request, kernel) if devices else Compiled(request, kernel)


def refusal(request: Request, rule: UpdateRule, devices: Sequence[int]) -> str | None:
    """Return why no kernel solves a request for a `SharedPattern`, or None if one does.

    `devices` are the GPUs to use; none on the CPU, or where no GPU is visible.
    """
    if switched_off():
        return "numba compiles nothing here"
    if not request.on_cpu:
        if not devices:
            return "there is no such CUDA device"
        if not holds(request.n_components):
            return "the kernels are for at most 16 components"
        if isinstance(rule, AcceleratedNewtonKL):
            return "the kernels have no accelerated Newton steps"
    if request.weight is not None:
        return "no kernel has weights"
    if request.hold is not None:
        return "no kernel holds a factor"
    beta = request.loss.beta if isinstance(request.loss, BetaDivergence) else None
    if beta not in (1, 2):
        return "no kernel minimises the loss"
    if request.stop.criterion != "change":
        return "no kernel has the stopping test"
    if request.stop.max_iter == 0:
        return "no iteration is asked for"
    if not isinstance(rule, OURS):
        return "the rule has no compiled form"
    if isinstance(rule, (RankTwo, AcceleratedRankTwo)) and request.n_components != 2:
        return "the rule is for two components"
    if request.V.extreme:
        return "data of extreme scale are rescaled first"
    return None


# Where torch sees the GPU too, larger matrices are left to its products: one block would take longer for them.
LARGEST = 2**20


@dataclass(frozen=True)
class Returned:
    """A solver of a pattern for data that were tensors: its answers are tensors."""

    solver: Solver

    def solve(self) -> Result:
        """Return the solution."""
        return self.solver.solve().map(torch.from_numpy)


def plan_on_gpu(request: Request) -> Solver | None:
    """Return the solver by the GPU's kernels of a request whose V is on the host, dense or sparse; None if none can.

    Each matrix becomes the pattern of its filled cells.
    """
    V, beta = request.V, request.loss.beta if isinstance(request.loss, BetaDivergence) else None
    known = isinstance(request.update, (str, *OURS))
    if request.weight is not None or request.hold is not None or beta not in (1, 2) or not known:
        return None
    if is_tensor(V) and (V.device.type != "cpu" or V.layout != torch.strided):
        return None
    if not visible_devices(request.device):
        return None
    filled = int(V.count_nonzero()) if is_tensor(V) or scipy.sparse.issparse(V) else None
    filled = int(np.count_nonzero(V)) if filled is None else filled
    B = len(V) if len(V.shape) == 3 else 1
    if torch.cuda.is_available() and filled > B * LARGEST:
        return None
    make = SharedPattern.from_scipy if scipy.sparse.issparse(V) else SharedPattern.from_dense
    wide = str(V.dtype) not in ("float32", "torch.float32")
    pattern = make(V)
    if wide and pattern.values.dtype == np.float32:
        pattern = make(V, dtype=np.float64)
    dtype = request.dtype or (torch.float64 if wide else torch.float32)
    solver = plan_pattern(request.with_data(pattern, dtype=dtype))
    if isinstance(solver, Dense):
        return None
    return Returned(solver) if is_tensor(V) else solver
