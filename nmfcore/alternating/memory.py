"""What an accelerated iteration remembers of its steps, and where they lead: Anderson's extrapolation, or momentum."""

from __future__ import annotations

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
    """

    def __init__(self, depth: int, size: int) -> None:
        self.made, self.moves = np.empty((depth, size)), np.empty((depth, size))
        self.known = 0
        self._next = 0

    def clear(self) -> None:
        """Forget all steps."""
        self.known = self._next = 0

    def slope(self, made: np.ndarray, move: np.ndarray, weight: np.ndarray) -> float:
        """Return the least change of a move for a change of its beginning, from the steps remembered to this one.

        Arguments are as in `extrapolate`.
        """
        least = 1.0
        for other, moved in zip(self.made[: self.known], self.moves[: self.known], strict=True):
            turned = move - moved.reshape(move.shape)
            apart = made - other.reshape(made.shape) - turned
            size = float(np.linalg.norm(apart * weight))
            if size > 0:
                least = min(least, float(np.linalg.norm(turned * weight)) / size)
        return max(least, TINY)

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
        if known:
            changes = moved - self.moves[:known]
            weighted = (changes.reshape(known, *move.shape) * (weight * weight)).reshape(known, -1)
            normal = weighted @ changes.T
            normal.flat[:: known + 1] = normal.diagonal() * (1 + RIDGE) + TINY
            try:
                shares = np.linalg.solve(normal, weighted @ moved)
            except np.linalg.LinAlgError:
                shares = np.zeros(known)
            ahead = np.maximum((1.0 - shares.sum()) * flat + shares @ self.made[:known], 0.0).reshape(made.shape)
        at = self._next
        self.made[at], self.moves[at] = flat, moved
        self._next = (at + 1) % len(self.made)
        self.known = min(known + 1, len(self.made))
        return ahead


class Momentum:
    """How far to go on along the last step: farther while it helps, and anew where a step turns (Ang & Gillis 2019)."""

    def __init__(self) -> None:
        self.reach, self.ceiling = MOMENTUM, 1.0

    def extrapolate(self, W: np.ndarray, before: np.ndarray, move: np.ndarray) -> np.ndarray:
        """Return W extrapolated along its step from `before`; `move` is how far the last iteration moved its point."""
        step = W - before
        turned = float(np.vdot(move, step)) < 0
        reach = 0.0 if turned else self.reach
        if turned:
            self.ceiling, self.reach = self.reach, self.reach / SHRINK
        else:
            self.ceiling = min(1.0, GROW_LIMIT * self.ceiling)
            self.reach = min(self.ceiling, GROW * self.reach)
        return np.maximum(W + reach * step, 0.0)
