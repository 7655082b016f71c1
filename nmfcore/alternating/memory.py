"""What an accelerated iteration remembers of its steps, and where they lead: Anderson's extrapolation, or momentum."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..rules.hals import GROW, GROW_LIMIT, MOMENTUM, SHRINK

# Steps that point the same way must not cancel each other: this is added to the diagonal of their normal equations.
RIDGE, TINY = 1e-10, float(np.finfo(np.float64).tiny)
# After a dropped extrapolation W goes on by momentum, for so many iterations at first, twice as many each time up to
# most; extrapolations that hold win the trust back.
FEW, MOST, TRUST = 8, 64, 0.9


class Memory:
    """The last steps of an iteration that makes a point of a point.

    Parameters
    ----------
    depth : int
        Steps before the last that count.
    size : int
        Entries of a point.
    sloped : bool
        Whether to watch `slope`: the least change of a move for a change of its beginning so far.
    kernels : module, optional
        `kernels.single`, which does the arithmetic where the slope is not watched; else NumPy does.
    """

    def __init__(self, depth: int, size: int, *, sloped: bool = False, kernels: ModuleType | None = None) -> None:
        self.made, self.moves = np.empty((depth, size)), np.empty((depth, size))
        self.begun = np.empty((depth, size)) if sloped else None
        self.known, self.kernels = 0, None if sloped else kernels
        self.slope = 1.0
        self._next = 0

    def clear(self) -> None:
        """Forget all steps."""
        self.known = self._next = 0

    def extrapolate(self, made: np.ndarray, move: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
        """Return where the steps lead to, which is where none would be made any more, or None after the first.

        Parameters
        ----------
        made, move : ndarray, shape (k, m)
            What the iteration made of the last point, and how far it moved it.
        weight : ndarray, shape (k, 1)
            What puts the components on one scale.

        References
        ----------
        Anderson (1965), Journal of the ACM 12, 547.
        """
        flat, moved, known = made.ravel(), move.ravel(), self.known
        ahead = None
        if known and self.kernels is not None:
            ahead = self.kernels.extrapolate(self.made, self.moves, known, made, move, weight, RIDGE, TINY)
        elif known:
            by = (weight * weight).repeat(move.shape[1])
            changes = moved - self.moves[:known]
            weighted = changes * by
            normal = np.dot(weighted, changes.T)
            if self.begun is not None:
                apart = flat - moved - self.begun[:known]
                self._look(normal.diagonal(), np.dot(apart * apart, by))
            shares = _solved(normal, np.dot(weighted, moved))
            ahead = np.dot(shares, self.made[:known])
            ahead += (1.0 - float(shares.sum())) * flat
            ahead = np.maximum(ahead, 0.0, out=ahead).reshape(made.shape)
        at = self._next
        self.made[at], self.moves[at] = flat, moved
        if self.begun is not None:
            np.subtract(flat, moved, out=self.begun[at])
        self._next = (at + 1) % len(self.made)
        self.known = min(known + 1, len(self.made))
        return ahead

    def _look(self, turned: np.ndarray, apart: np.ndarray) -> None:
        # Squares of the change of moves, and of the change of their beginnings.
        for change, size in zip(turned.tolist(), apart.tolist(), strict=True):
            if size > 0:
                self.slope = max(min(self.slope, (change / size) ** 0.5), TINY)


def _solved(normal: np.ndarray, right: np.ndarray) -> np.ndarray:
    # Zeros where there is no solution.
    known = len(right)
    if known > 2:
        normal.flat[:: known + 1] = normal.diagonal() * (1 + RIDGE) + TINY
        try:
            return np.linalg.solve(normal, right)
        except np.linalg.LinAlgError:
            return np.zeros(known)
    # Few unknowns take less time than the call.
    if known == 1:
        return right / (normal[0] * (1 + RIDGE) + TINY)
    (a, b), (_, c) = normal.tolist()
    x, y = right.tolist()
    a, c = a * (1 + RIDGE) + TINY, c * (1 + RIDGE) + TINY
    determinant = a * c - b * b
    if not determinant > 0:
        return np.zeros(known)
    return np.array([(c * x - b * y) / determinant, (a * y - b * x) / determinant])


class Momentum:
    """How far to go on along the last step: farther while it helps, and anew where a step turns (Ang & Gillis 2019)."""

    def __init__(self) -> None:
        self.reach, self.ceiling = MOMENTUM, 1.0

    def extrapolate(self, W: np.ndarray, before: np.ndarray, move: np.ndarray) -> np.ndarray:
        """Return W extrapolated along its step from `before`; `move` is how far the last iteration moved its point."""
        step = W - before
        reach = self.turn(float(np.vdot(move, step)) < 0)
        return np.maximum(W + reach * step, 0.0)

    def turn(self, turned: bool) -> float:
        """Return how far to go on after a step that `turned` against the last one, or did not."""
        reach = 0.0 if turned else self.reach
        if turned:
            self.ceiling, self.reach = self.reach, self.reach / SHRINK
        else:
            self.ceiling = min(1.0, GROW_LIMIT * self.ceiling)
            self.reach = min(self.ceiling, GROW * self.reach)
        return reach
