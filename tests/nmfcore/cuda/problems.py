"""Small problems for the kernels: counts with an empty row and columns, and starts of them."""

from __future__ import annotations

import numpy as np
import torch

from nmfcore.kernels.cuda.arguments import KL_MU
from nmfcore.kernels.settings import ACCELERATED, MU, NEWTON, RANK2, SWEEPS
from nmfcore.problem import Factors, Problem
from nmfcore.rules.hals import HALS, ExtrapolatedHALS
from nmfcore.rules.multiplicative import MultiplicativeUpdate
from nmfcore.rules.newton import NewtonKL
from nmfcore.rules.rank_two import AcceleratedRankTwo, RankTwo

from .emulation import Build, Layout, Task

ROWS, COLUMNS = 7, 45
# The build of each rule, and the rule itself.
RULES = {
    "mu": ({"kind": MU}, MultiplicativeUpdate(), "frobenius"),
    "amu": ({"kind": MU, "sweeps": (3, 3)}, MultiplicativeUpdate(inner=3), "frobenius"),
    "hals": ({"kind": SWEEPS}, HALS(), "frobenius"),
    "ehals": ({"kind": SWEEPS, "sweeps": (4, 2), "extrapolated": True}, ExtrapolatedHALS(4, 2), "frobenius"),
    "rank2": ({"kind": RANK2}, RankTwo(), "frobenius"),
    "arank2": ({"kind": ACCELERATED}, AcceleratedRankTwo(), "frobenius"),
    "kl-mu": ({"kind": KL_MU}, MultiplicativeUpdate(), "kullback-leibler"),
    "newton": ({"kind": NEWTON, "sweeps": (2, 2)}, NewtonKL(), "kullback-leibler"),
}


def data(replicates: int = 2, seed: int = 0, empty: bool = True) -> np.ndarray:
    """Return counts (replicates, ROWS, COLUMNS); one row and two columns are empty, a third in one replicate alone."""
    rng = np.random.default_rng(seed)
    V = rng.poisson(rng.gamma(1.0, 2.0, (ROWS, 3)) @ rng.gamma(0.5, 1.5, (3, COLUMNS)), (replicates, ROWS, COLUMNS))
    V[:, rng.integers(ROWS), :] = 0
    V[:, :, [5, 17]] = 0
    V[0, :, 8] = 0
    return V.clip(0, 255)


def task(
    V: np.ndarray, build: Build, seed: int = 1, penalties: tuple[float, ...] = (), **values
) -> tuple[Task, Factors]:
    """Return the launch for one start that all replicates share, and this start."""
    rng = np.random.default_rng(seed)
    replicates, m, n = V.shape
    cells = np.argwhere(V.any(axis=0).T)
    columns, inverse = np.unique(cells[:, 0], return_inverse=True)
    start = np.concatenate([[0], np.cumsum(np.bincount(inverse))])
    layout = Layout.of(cells[:, 1], start, m, build.row, build.entry)
    W, H = (rng.random(shape) + 0.1 for shape in ((m, build.k), (build.k, n)))
    W, H = (x.astype(np.float32).astype(np.float64) for x in (W, H))
    outside = np.delete(H, columns, axis=1)
    given = {
        "counts": layout.place(V[:, cells[:, 1], cells[:, 0]], build.counts),
        "W0": W[None],
        "H0": H[None][:, :, columns[layout.order]],
        "extra": np.concatenate([outside @ outside.T, outside.sum(axis=1)[None]])[None],
        "column": columns[layout.order],
        **dict(zip(("l1_W", "l2_W", "l1_H", "l2_H"), penalties, strict=False)),
    }
    factors = Factors(torch.as_tensor(W).expand(replicates, -1, -1), torch.as_tensor(H).expand(replicates, -1, -1))
    return Task(build, layout, n, replicates, given | values), factors


def iterated(rule, problem: Problem, factors: Factors, iterations: int) -> Factors:
    """Return the factors after some iterations of a rule in float64."""
    if not hasattr(rule, "begin"):
        for _ in range(iterations):
            factors = rule(problem, factors)
        return factors
    memory = rule.begin(problem, factors)
    for _ in range(iterations):
        factors, memory = rule(problem, factors, memory)
    return factors
