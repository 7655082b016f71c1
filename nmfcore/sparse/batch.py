"""Dense batches of small problems, solved by the compiled kernels as sparse ones are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..dense import Dense, Solver
from ..kernels import LANES
from ..late import is_tensor, torch
from ..losses import BetaDivergence
from ..pattern import SharedPattern
from ..problem import are_extreme, checked
from ..request import Request
from ..result import Result
from ..rules.resolve import OURS
from .plan import plan_pattern

# Batches of fewer problems are not worth a first call that waits for the compiler.
FEWEST = 2 * LANES
# The values of as many small problems as are solved side by side must stay in the processor's cache, in bytes.
TILE = 2**21


def is_small(shape: tuple[int, int], dtype: np.dtype | torch.dtype) -> bool:
    """Tell whether batches of dense problems of this shape are solved by kernels, and single ones by the same rule."""
    return shape[0] * shape[1] * LANES * dtype.itemsize <= TILE


def suits(request: Request) -> bool:
    """Tell whether a request is for a dense batch on the CPU that kernels may solve: many problems, loss and rule.

    Its replicates' results are those of single fits within the tolerance of the convergence test, since these follow
    the same rule.
    """
    V = request.V
    if not (isinstance(V, np.ndarray) or is_tensor(V)) or V.ndim != 3 or len(V) < FEWEST or 0 in V.shape:
        return False
    if not request.on_cpu or (is_tensor(V) and V.device.type != "cpu"):
        return False
    beta = request.loss.beta if isinstance(request.loss, BetaDivergence) else None
    plain = request.weight is None and request.hold is None and request.stop.criterion == "change"
    return plain and beta in (1, 2) and isinstance(request.update, (str, *OURS)) and request.stop.max_iter > 0


@dataclass(frozen=True)
class Tiled:
    """The compiled loops for a batch of small problems; for others what solves them as they are.

    Attributes
    ----------
    request : Request
        One that suits.
    otherwise : Solver
        For problems that are not small, and for data of extreme scale.
    """

    request: Request
    otherwise: Solver

    def solve(self) -> Result:
        """Return the solution, where V is."""
        V = checked(self.request.V, self.request.dtype)
        if not is_small((V.shape[1], V.shape[2]), V.dtype):
            return self.otherwise.solve()
        data = V.numpy()
        # Kernels know one scale for all; of which the smallest starts would have entries that count as none.
        if are_extreme(data.max(axis=(1, 2))).any():
            return self.otherwise.solve()
        pattern = SharedPattern.from_dense(data, dtype=data.dtype)
        solver = plan_pattern(self.request.with_data(pattern, dtype=V.dtype, device=None))
        if isinstance(solver, Dense):
            return self.otherwise.solve()
        result = solver.solve()
        return result.map(torch.from_numpy) if is_tensor(self.request.V) else result
