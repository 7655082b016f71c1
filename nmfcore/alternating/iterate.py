"""Alternating least squares for one matrix, accelerated: one start, iterated until it has converged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from types import ModuleType
from typing import Any

import numpy as np

from ..course import Course
from ..kernels.compiling import has_folder, switched_off
from ..stopping import KKT_MARGIN, MASS_ROUNDING, ROUNDING, SLOWEST, STEADY, Status, Stop
from .halfsteps import fit
from .memory import FEW, MOST, TINY, TRUST, Memory, Momentum
from .products import Matrix

# Steps before the last that an extrapolation uses: of two components, which each half-step solves exactly, and of more.
DEPTH_PAIR, DEPTH = 2, 6
# Sweeps over either factor for one product with V.
SWEEPS_W, SWEEPS_H = 4, 4
# By this fraction of the sum of squares a loss may rise by rounding: with products in double precision, and in single.
SLACK, SLACK_SINGLE = 1e-14, 2e-7
# How many times as far as an extrapolation reaches the limit may be: it sees but the directions of the last steps.
# That of two components remembers two of them alone.
UNSEEN, UNSEEN_PAIR = 3.0, 6.0
# A loss that falls by more than so many squared tolerances of the sum of squares is that of factors far from rest.
FALLING = 100.0
# Compiled sweeps and extrapolations are loaded for factors of so many entries: smaller ones take less time than that.
COMPILED = 2**12
# Single precision that has not come closer for so many iterations has come as close as it can.
PATIENCE = 8


class Point:
    """Factors with components as rows, W (k, m) of unit sum and H (k, n), and what was computed on the way.

    H is made of `raw` when it is asked for, as are `target_W`, which is H V^T, and `gram_H`, H H^T. `target_H` is W V,
    once it is known.

    Parameters
    ----------
    W : ndarray, shape (k, m)
    raw : ndarray, shape (k, n)
        H over `total`.
    target, gram : ndarray, shapes (k, m), (k, k)
        Products of `raw` with V^T and with itself.
    loss : float
    total : ndarray, shape (k, 1)

    Attributes
    ----------
    weight : ndarray, shape (k, 1)
        The sums of H.
    """

    def __init__(
        self, W: np.ndarray, raw: np.ndarray, target: np.ndarray, gram: np.ndarray, loss: float, total: np.ndarray
    ) -> None:
        self.W, self.raw, self.loss, self.total = W, raw, loss, total
        self.weight = np.add.reduce(raw, axis=1, keepdims=True) * total
        self._target, self._gram = target, gram
        self.target_H: np.ndarray | None = None
        self.kkt: float | None = None

    @classmethod
    def start(cls, W: np.ndarray, H: np.ndarray) -> Point:
        """Return a point of which nothing is known yet."""
        return cls(W, H, np.zeros_like(W), np.zeros((len(W), len(W))), np.inf, np.ones((len(W), 1)))

    @cached_property
    def H(self) -> np.ndarray:
        """Return H."""
        return self.raw * self.total

    @property
    def target_W(self) -> np.ndarray:
        """H V^T."""
        return self._target * self.total

    @property
    def gram_H(self) -> np.ndarray:
        """H H^T."""
        return self._gram * (self.total * self.total.T)


@dataclass
class Ended:
    """Where a start ended, how, and what is left of the optimality conditions."""

    W: np.ndarray
    H: np.ndarray
    loss: float
    n_iter: int
    status: Status
    kkt: float


def iterate(run: Run, stop: Stop, seen: Course) -> Ended:
    """Return where a start ends; `seen` is given the number of each iteration."""
    every = stop.every or run.every
    for n_iter in range(1, stop.max_iter + 1):
        new = run.step()
        seen.n_iter = n_iter
        if not isfinite(new.loss):
            return Ended(new.W, new.H, np.nan, n_iter, Status.NON_FINITE, np.nan)
        if not run.accepts(new):
            continue
        previous, move = run.advance(new)
        if stop.tol > 0 and n_iter % every == 0:
            status = run.verdict(previous, move)
            if status is not None:
                return run.end(n_iter, status)
    return run.end(stop.max_iter, Status.MAX_ITER)


class Run:
    """One start from W (k, m) and H (k, n): the best point, the W that comes next, and what is remembered.

    Each iteration fits H to W, then W to that H. What this makes of W is extrapolated by Anderson's method. An
    extrapolation after which the loss is higher is dropped: the best W so far goes on by momentum for a while.

    References
    ----------
    Anderson (1965), Journal of the ACM 12, 547; Ang & Gillis (2019), Neural Computation 31, 417 (momentum); Gillis &
    Glineur (2012), Neural Computation 24, 1085 (sweeps).
    """

    every = 1

    def __init__(self, V: Matrix, W: np.ndarray, H: np.ndarray, stop: Stop) -> None:
        self.V, self.stop = V, stop
        total = positive(W.sum(axis=1))[:, None]
        self.ahead = W / total
        self.best = Point.start(self.ahead, H * total)
        self.slack = (SLACK_SINGLE if V.single else SLACK) * V.squared
        self.eps = float(np.finfo(np.float32 if V.single else np.float64).eps)
        self.kernels = compiled(len(W), W.size + H.size)
        depth = DEPTH_PAIR if len(W) == 2 else DEPTH
        self.memory = Memory(depth, W.size, sloped=len(W) == 2, kernels=self.kernels)
        self.momentum = Momentum()
        self.ceiling = np.inf  # of the loss
        self.unseen = UNSEEN_PAIR if len(W) == 2 else UNSEEN
        self.careful, self.distrust = 0, float(FEW)
        self.falls: list[float] = []
        self.step_before = np.inf
        self.waited, self.nearest = 0, np.inf

    def begin(self) -> None:
        """Fit W to the H that is given; without this H counts but as where sweeps begin."""
        H = self.best.H
        W = self.fit(self.V.across(H), H @ H.T, self.best.W, SWEEPS_W)
        total = positive(W.sum(axis=1))[:, None]
        self.best = Point.start(W / total, H * total)
        self.ahead = self.best.W

    def fit(self, target: np.ndarray, gram: np.ndarray, factor: np.ndarray, sweeps: int) -> np.ndarray:
        """Return what `halfsteps.fit` does, by compiled sweeps where they are loaded."""
        if self.kernels is None:
            return fit(target, gram, factor, sweeps)
        found: np.ndarray = self.kernels.sweep(*map(np.ascontiguousarray, (target, gram, factor)), sweeps)
        return found

    def step(self) -> Point:
        """Return H fitted to the W that comes next, and W fitted to that H."""
        W, best = self.ahead, self.best
        target = best.target_H if W is best.W and best.target_H is not None else self.V.down(W)
        # Two components are solved for good: where they begin counts but where one has no effect, whatever its size.
        H = self.fit(target, np.dot(W, W.T), best.raw if len(W) == 2 else best.H, SWEEPS_H)
        target, gram = self.V.across(H), np.dot(H, H.T)
        W = self.fit(target, gram, W, SWEEPS_W)
        loss = 0.5 * (self.V.squared - 2 * float(np.vdot(W, target)) + float(np.vdot(np.dot(W, W.T), gram)))
        total = positive(np.add.reduce(W, axis=1, keepdims=True))
        return Point(W / total, H, target, gram, loss, total)

    def accepts(self, new: Point) -> bool:
        """Tell whether an extrapolation has held; if not, go back to the best W and be careful for a while."""
        if self.careful or new.loss <= self.ceiling + self.slack:
            return True
        # The step from the best W itself is a plain one, which never raises the loss.
        self.careful = int(self.distrust)
        self.distrust = min(2 * self.distrust, MOST)
        self.memory.clear()
        self.ahead, self.ceiling = self.best.W, np.inf
        return False

    def advance(self, new: Point) -> tuple[Point, np.ndarray]:
        """Take a step; return the point before it, and how far it moved W."""
        before, self.best = self.best, new
        self.falls = [*self.falls[-1:], before.loss - new.loss]
        self.ceiling = new.loss
        weight = new.weight
        move = new.W - self.ahead
        found = self.memory.extrapolate(new.W, move, weight)
        step = new.W - before.W
        turned = float(np.vdot(move * (weight * weight), step)) < 0
        reach = self.momentum.turn(turned)
        if self.careful:
            self.careful -= 1
            found = np.maximum(new.W + reach * step, 0.0)
        elif found is not None:
            self.distrust = max(FEW, TRUST * self.distrust)
        self.ahead = new.W if found is None else found / positive(np.add.reduce(found, axis=1, keepdims=True))
        return before, move

    def verdict(self, before: Point, move: np.ndarray) -> Status | None:
        """Return how the start has ended, or None if it has not."""
        if self.stop.criterion == "loss":
            # Of a loss that goes to zero the falls are rounding in the end.
            least = 0.0 if self.V.single else self.slack
            return Status.CONVERGED if self.still_to_fall() <= max(self.stop.tol * self.best.loss, least) else None
        if self.falls[-1] > FALLING * self.stop.tol**2 * self.V.squared:
            self.step_before = np.inf
            return None
        distance = self.distance(before, move)
        if distance > self.stop.tol and not self.at_rest(distance):
            return None
        growing, locked = self.missing_mass()
        limit = max(self.stop.tol, MASS_ROUNDING * self.eps)
        if not (growing <= limit and (locked > limit or self.residual() <= KKT_MARGIN * limit)):
            return None
        return Status.CONVERGED if locked <= limit else Status.STUCK

    def still_to_fall(self) -> float:
        """Return by how much the loss is thought to be still above its limit, as the last two falls have it."""
        if len(self.falls) < 2 or not all(np.isfinite(self.falls)):
            return np.inf
        # Momentum may raise the loss, and what rises is not at rest.
        first, last = (abs(x) for x in self.falls)
        ratio = min(max(STEADY, last / first if first > 0 else 0.0), SLOWEST)
        return max(first * ratio, last) * ratio / (1 - ratio)

    def distance(self, before: Point, move: np.ndarray) -> float:
        """Return how far the factors are thought to be from their limit; see `Stop`."""
        new = self.best
        weight = new.weight
        largest = positive((new.W * weight).max())
        step = float(np.abs(move * weight).max()) / largest
        ratio = min(step / self.step_before, SLOWEST) if self.step_before > 0 else SLOWEST
        self.step_before = step
        if self.careful or self.memory.known < min(3, len(self.memory.moves)):
            distance = step / (1 - ratio)
        else:
            distance = self.unseen * max(step, float(np.abs((self.ahead - new.W) * weight).max()) / largest)
        # Two components may lie in a narrow valley, along which steps are short however far the limit is.
        distance = max(distance, step / self.memory.slope)
        if distance > self.stop.tol and step > ROUNDING * self.eps:
            return distance
        # H follows W; it is looked at where W is at rest, and is still to change as W is compared with its last step.
        now = new.H / positive(weight)
        change = float(np.abs(now - before.H / positive(before.weight)).max()) / positive(now.max())
        last = float(np.abs((new.W - before.W) * weight).max()) / largest
        still = change * min(1.0, distance / last) if last > 0 else change
        return 0.0 if max(step, change) <= ROUNDING * self.eps else max(distance, float(still))

    def at_rest(self, distance: float) -> bool:
        """Tell whether single precision allows no more."""
        if not self.V.single or distance > 1e-2:
            return False
        self.waited = 0 if distance < 0.7 * self.nearest else self.waited + 1
        self.nearest = min(self.nearest, distance)
        return self.waited >= PATIENCE

    def end(self, n_iter: int, status: Status) -> Ended:
        """Return where the start ended."""
        return Ended(self.best.W, self.best.H, self.best.loss, n_iter, status, self.residual())

    def sides(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Return for W and for H the factor, the other one, and the halves of the gradient."""
        at = self.best
        if at.target_H is None:
            at.target_H = self.V.down(at.W)
        up_W, up_H = np.dot(at.gram_H, at.W), np.dot(np.dot(at.W, at.W.T), at.H)
        return [(at.W, at.H, at.target_W, up_W), (at.H, at.W, at.target_H, up_H)]

    def missing_mass(self) -> tuple[float, float]:
        """Return what `optimality.missing_mass` does: the fractions of V that growing and locked entries would gain."""
        growing = locked = 0.0
        total, at = positive(float(self.V.sums[0].sum())), self.best
        dead = bool(((at.weight[:, 0] == 0) & ~at.W.any(axis=1)).any())
        for (entry, other, down, up), mass in zip(self.sides(), self.V.sums, strict=True):
            wanted = up / np.maximum(np.maximum(down, up), TINY)
            np.subtract(1.0, wanted, out=wanted)
            wanted *= down > up
            grown = wanted * (entry > 0)
            by_growing, by_locked = np.maximum.reduce(grown), np.maximum.reduce(wanted - grown)
            if dead:
                by_locked = np.where((entry * other.sum(axis=1)[:, None]).sum(axis=0) == 0, 1.0, by_locked)
            growing = max(growing, float(np.dot(by_growing, mass)) / total)
            locked = max(locked, float(np.dot(by_locked, mass)) / total)
        return growing, locked

    def residual(self) -> float:
        """Return what `optimality.kkt_residual` does."""
        at = self.best
        if at.kkt is None:
            at.kkt, total = 0.0, positive(at.weight)
            for (entry, _, down, up), size in zip(self.sides(), (total, 1.0 / total), strict=True):
                share = entry * (size / positive((entry * size).max()))
                slope = np.subtract(up, down)
                slope *= 1.0 / (size * positive((down / size).max()))
                np.minimum(share, slope, out=slope)
                at.kkt = max(at.kkt, float(slope.max()), -float(slope.min()))
        return at.kkt


def compiled(k: int, size: int) -> ModuleType | None:
    """Return the kernels for factors of k components and so many entries, or None where NumPy is to do.

    That is for two components, which are solved for good, for small factors, and where numba may compile nothing or
    could not keep it. The choice depends on no more than this, so that equal calls have equal answers.
    """
    if k <= 2 or size < COMPILED or switched_off() or not has_folder():
        return None
    from ..kernels import single

    return single


def positive(x: np.ndarray | float) -> Any:
    """Return x with ones in place of what is not above zero, to divide by."""
    if isinstance(x, float):
        return x if x > 0 else 1.0
    return np.where(x > 0, x, 1.0)
