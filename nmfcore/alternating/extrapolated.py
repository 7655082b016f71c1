"""Extrapolated HALS in NumPy: for small problems, whose batches the compiled kernels solve by this very rule."""

from __future__ import annotations

import numpy as np

from ..rules.hals import ExtrapolatedHALS
from ..stopping import ROUNDING, SLOWEST, Stop
from .halfsteps import sweeps_of
from .iterate import Point, Run, positive
from .memory import Momentum
from .products import Matrix

RULE = ExtrapolatedHALS()


class Extrapolated(Run):
    """One start by `rules.hals.ExtrapolatedHALS`, iteration for iteration, and by the same convergence test."""

    every = RULE.every

    def __init__(self, V: Matrix, W: np.ndarray, H: np.ndarray, stop: Stop) -> None:
        super().__init__(V, W, H, stop)
        self.best = Point.start(W, H)
        self.ahead = sweeps_of(V.across(H), H @ H.T, W, RULE.sweeps_W)
        self.momentum, self.one = Momentum(), np.ones((len(W), 1))
        self.seen = _unit_sum(W, H)
        self.change = np.inf

    def begin(self) -> None:
        """Do nothing: this rule always fits W to the given H first."""

    def step(self) -> Point:
        """Return H after its sweeps for the W that comes next, and W after its own for that H."""
        W = self.ahead
        H = sweeps_of(self.V.down(W), W @ W.T, self.best.H, RULE.sweeps_H)
        target, gram = self.V.across(H), H @ H.T
        W = sweeps_of(target, gram, W, RULE.sweeps_W)
        loss = 0.5 * (self.V.squared - 2 * float(np.vdot(W, target)) + float(np.vdot(W @ W.T, gram)))
        return Point(W, H, target, gram, loss, self.one)

    def accepts(self, new: Point) -> bool:
        """Take every step: those that turn are found by their direction."""
        return True

    def advance(self, new: Point) -> tuple[Point, np.ndarray]:
        """Take a step; return the point before it, and how far it moved W."""
        before, self.best = self.best, new
        self.falls = [*self.falls[-1:], before.loss - new.loss]
        move = new.W - self.ahead
        self.ahead = self.momentum.extrapolate(new.W, before.W, move)
        return before, move

    def distance(self, before: Point, move: np.ndarray) -> float:
        """Return what `stopping.Change.distance` does."""
        now, seen = _unit_sum(self.best.W, self.best.H), self.seen
        change = max(float(np.abs(x - y).max()) / float(positive(x.max())) for x, y in zip(now, seen, strict=True))
        ratio = min(change / self.change, SLOWEST) if self.change > 0 else SLOWEST
        self.seen, self.change = now, change
        return 0.0 if change <= ROUNDING * self.eps else change / (1.0 - ratio)


def _unit_sum(W: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = H.sum(axis=1)[:, None]
    return W * total, H / positive(total)
