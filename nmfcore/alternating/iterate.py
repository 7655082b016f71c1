"""Alternating least squares for one matrix, accelerated: one start, iterated until it has converged."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..stopping import MASS_ROUNDING, ROUNDING, SLOWEST, Status, Stop
from .halfsteps import fit
from .products import Matrix

# Steps before the last that an extrapolation uses: of two components, which each half-step solves exactly, and of more.
DEPTH_PAIR, DEPTH = 2, 4
# Sweeps over either factor for one product with V: the cheaper they are beside it, the more.
SWEEPS = 8
# By this fraction of the sum of squares a loss may rise by rounding: with products in double precision, and in single.
SLACK, SLACK_SINGLE = 1e-14, 2e-7
# Single precision that has not come closer for so many iterations has come as close as it can.
PATIENCE = 8


@dataclass
class Point:
    """Factors with components as rows, W (k, m) and H (k, n), and what was computed on the way.

    `target_W` is H V^T and `gram_H` is H H^T; the loss leaves out nothing.
    """

    W: np.ndarray
    H: np.ndarray
    target_W: np.ndarray
    gram_H: np.ndarray
    loss: float


@dataclass
class Ended:
    """Where a start ended, how, and what is left by the optimality conditions."""

    W: np.ndarray
    H: np.ndarray
    loss: float
    n_iter: int
    status: Status
    kkt: float


@dataclass
class Memory:
    """The last steps of the iteration on W: where each began, and how far it went."""

    depth: int
    points: list[np.ndarray] = field(default_factory=list)
    moves: list[np.ndarray] = field(default_factory=list)

    def clear(self) -> None:
        """Forget all steps."""
        self.points, self.moves = [], []

    def extrapolate(self, point: np.ndarray, move: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
        """Return where the steps so far lead to (Anderson 1965), at least zero, or None after the first.

        `weight` (k,) puts the components' moves on one scale.
        """
        self.points.append(point)
        self.moves.append(move)
        del self.points[: -self.depth - 1], self.moves[: -self.depth - 1]
        if len(self.moves) < 2:
            return None
        scaled = move * weight
        changes = np.stack([(move - other) * weight for other in self.moves[:-1]]).reshape(len(self.moves) - 1, -1)
        normal = changes @ changes.T
        # A trace of the diagonal keeps steps that point the same way from cancelling each other.
        normal[np.diag_indices_from(normal)] *= 1 + 1e-10
        normal[np.diag_indices_from(normal)] += np.finfo(float).tiny
        try:
            shares = np.linalg.solve(normal, changes @ scaled.ravel())
        except np.linalg.LinAlgError:
            return None
        ahead = point + move
        for share, x, f in zip(shares, self.points, self.moves, strict=False):
            ahead = ahead - share * ((point - x) + (move - f))
        return np.maximum(ahead, 0.0)


def iterate(V: Matrix, W: np.ndarray, H: np.ndarray, stop: Stop) -> Ended:
    """Return where alternating least squares ends, from W (k, m) and H (k, n).

    Each iteration fits H to W, then W to that H. What this makes of W is extrapolated by Anderson's method; an
    extrapolation after which the loss is no lower is dropped, and the iteration begins anew from the best W so far.

    References
    ----------
    Anderson (1965), Journal of the ACM 12, 547; Gillis & Glineur (2012), Neural Computation 24, 1085 (the sweeps).
    """
    run = _Run(V, H, stop)
    ahead, H = _unit(W, H)
    n_iter, status = 0, Status.MAX_ITER
    while n_iter < stop.max_iter:
        n_iter += 1
        new = run.step(ahead, H)
        if not np.isfinite(new.loss):
            return Ended(new.W, new.H, np.nan, n_iter, Status.NON_FINITE, np.nan)
        ended = run.accept(new, ahead, H, n_iter)
        if ended is not None:
            status = ended
            break
        ahead, H = run.ahead, run.best.H
    best = run.best
    return Ended(best.W, best.H, best.loss, n_iter, status, run.residual(best))


class _Run:
    """The state of one start."""

    def __init__(self, V: Matrix, H: np.ndarray, stop: Stop) -> None:
        self.V, self.stop = V, stop
        k, (m, n) = len(H), V.shape
        self.squares = V.squared()
        self.slack = (SLACK_SINGLE if V.single else SLACK) * self.squares
        self.eps = float(np.finfo(np.float32 if V.single else np.float64).eps)
        self.memory = Memory(DEPTH_PAIR if k == 2 else DEPTH)
        self.mass = V.sums()
        self.best: Point
        self.ahead: np.ndarray
        self.loss = np.inf
        self.fall = self.nearest = np.inf
        self.waited = 0

    def step(self, W: np.ndarray, H: np.ndarray) -> Point:
        """Return H fitted to W, and W to that H, with each component of W at unit sum."""
        H = fit(self.V.down(W), W @ W.T, H, SWEEPS)
        target, gram = self.V.across(H), H @ H.T
        W = fit(target, gram, W, SWEEPS)
        loss = 0.5 * (self.squares - 2 * float(np.vdot(W, target)) + float(np.vdot(W @ W.T, gram)))
        total = _positive(W.sum(axis=1))[:, None]
        return Point(W / total, H * total, target * total, gram * total * total.T, loss)

    def accept(self, new: Point, began: np.ndarray, H: np.ndarray, n_iter: int) -> Status | None:
        """Take a step, or drop it where the loss has risen; return how the start has ended, if it has."""
        if new.loss > self.loss + self.slack:
            # The step from the best W itself is a plain one, which never raises the loss.
            self.memory.clear()
            self.ahead, self.loss = self.best.W, np.inf
            return None
        fall, self.loss = self.loss - new.loss, new.loss
        previous, self.best = H, new
        mass = new.H.sum(axis=1)
        weight = mass[:, None]
        move = new.W - began
        found = self.memory.extrapolate(began, move, weight)
        self.ahead = new.W if found is None else _unit_sum(found)
        every = self.stop.every or 1
        if self.stop.tol == 0 or n_iter % every:
            return None
        if self.stop.criterion == "loss":
            ratio = min(max(fall / self.fall, 0.0), SLOWEST) if self.fall > 0 else 0.0
            known = np.isfinite(fall) and np.isfinite(self.fall)
            self.fall = fall
            return Status.CONVERGED if known and fall * ratio / (1 - ratio) <= self.stop.tol * new.loss else None
        return self._settled(new, move, previous, weight)

    def _settled(self, new: Point, move: np.ndarray, H: np.ndarray, weight: np.ndarray) -> Status | None:
        # How far this step went, and how far the extrapolation thinks that the limit is; H has followed.
        largest = _positive((new.W * weight).max())
        step = float(np.abs(move * weight).max()) / largest
        still = float(np.abs((self.ahead - new.W) * weight).max()) / largest
        mass_before = _positive(H.sum(axis=1))[:, None]
        now = new.H / _positive(weight)
        change = float(np.abs(now - H / mass_before).max()) / _positive(now.max())
        distance = max(step, still, change)
        if len(self.memory.moves) <= min(self.memory.depth, 2):
            distance /= 1 - SLOWEST
        if max(step, change) <= ROUNDING * self.eps:
            distance = 0.0
        if distance > self.stop.tol and not self._at_rest(distance):
            return None
        growing, locked = self.missing_mass(new)
        limit = max(self.stop.tol, MASS_ROUNDING * self.eps)
        if growing > limit:
            return None
        return Status.CONVERGED if locked <= limit else Status.STUCK

    def _at_rest(self, distance: float) -> bool:
        # Whether single precision allows no more.
        if not self.V.single or distance > 1e-2:
            return False
        self.waited = 0 if distance < 0.7 * self.nearest else self.waited + 1
        self.nearest = min(self.nearest, distance)
        return self.waited >= PATIENCE

    def halves(self, at: Point) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Return for W and for H: the factor, the other one, the halves of the gradient, and the sums of V."""
        rows, columns = self.mass
        down = self.V.down(at.W)
        return [
            (at.W, at.H, at.target_W, at.gram_H @ at.W, rows),
            (at.H, at.W, down, (at.W @ at.W.T) @ at.H, columns),
        ]

    def missing_mass(self, at: Point) -> tuple[float, float]:
        """Return what `optimality.missing_mass` does: the fractions of V that growing and locked entries would gain."""
        growing = locked = 0.0
        total = _positive(float(self.mass[0].sum()))
        for entry, other, negative, positive, mass in self.halves(at):
            wanted = np.where(negative > positive, 1.0 - positive / _positive(negative), 0.0)
            by_growing = np.where(entry > 0, wanted, 0.0).max(axis=0)
            by_locked = np.where(entry == 0, wanted, 0.0).max(axis=0)
            if ((entry.sum(axis=1) == 0) & (other.sum(axis=1) == 0)).any():
                by_locked = np.where((entry * other.sum(axis=1)[:, None]).sum(axis=0) == 0, 1.0, by_locked)
            growing = max(growing, float(by_growing @ mass) / total)
            locked = max(locked, float(by_locked @ mass) / total)
        return growing, locked

    def residual(self, at: Point) -> float:
        """Return what `optimality.kkt_residual` does."""
        total = _positive(at.H.sum(axis=1))[:, None]
        worst = 0.0
        for (entry, _, negative, positive, _), chain, size in zip(
            self.halves(at), (1.0 / total, total), (total, 1.0 / total), strict=True
        ):
            entry = entry * size
            slope = (positive - negative) * chain / _positive((negative * chain).max())
            worst = max(worst, float(np.abs(np.minimum(entry / _positive(entry.max()), slope)).max()))
        return worst


def _unit(W: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = _positive(W.sum(axis=1))[:, None]
    return W / total, H * total


def _unit_sum(W: np.ndarray) -> np.ndarray:
    return W / _positive(W.sum(axis=1))[:, None]


def _positive(x: np.ndarray | float) -> np.ndarray:
    return np.where(x > 0, x, 1.0)  # type: ignore[return-value]
