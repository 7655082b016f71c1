"""The compiled loop for least squares with entries left out: HALS whose normal equations leave them out too."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .compiling import can_keep

OPTIONS = {"cache": can_keep(), "nogil": True, "error_model": "numpy"}
# Sweeps over a row's or a column's components before the next one's turn.
SWEEPS = 2


class Entries(NamedTuple):
    """One matrix by column, and which of its entries are left out."""

    values: Any  # (cells,); those of column j are start[j] to start[j + 1] - 1
    rows: Any  # (cells,)
    start: Any  # (filled + 1,)
    out_rows: Any  # rows of the entries that are left out, by column
    out_start: Any  # (filled + 1,)
    left_out: Any  # (cells,) of bool: which cells are among them


@njit(**OPTIONS)
def descend(gram, goal, l1, l2, x):
    """Improve x (k,) >= 0 for x gram x / 2 - goal x + l1 sum(x) + l2 x x / 2 by coordinate descent."""
    k = len(x)
    for _ in range(SWEEPS):
        for c in range(k):
            curve = gram[c, c] + l2
            slope = goal[c] - l1
            for d in range(k):
                if d != c:
                    slope -= gram[c, d] * x[d]
            if curve > 0:
                x[c] = max(0.0, slope / curve)
            elif slope < 0:
                x[c] = 0.0  # nothing but an L1 penalty speaks of it


@njit(**OPTIONS)
def balance(penalty, W, H):
    """Divide each component's scale between its column of W and of H (filled, k) so that the penalties are least.

    The product stays as it is. Without it the scale creeps towards that place over thousands of sweeps, or a component
    is given up because it began far from it. Where only one factor is penalised there is no such place.
    """
    l1_W, l2_W, l1_H, l2_H = penalty
    for c in range(W.shape[1]):
        a = b = p = q = 0.0
        for i in range(len(W)):
            a += l1_W * W[i, c]
            b += l2_W * W[i, c] * W[i, c]
        for j in range(len(H)):
            p += l1_H * H[j, c]
            q += l2_H * H[j, c] * H[j, c]
        if a + b <= 0 or p + q <= 0:
            continue
        # a s + b s^2 / 2 + p / s + q / (2 s^2) is convex in u = log s: Newton, with steps that cannot run away
        u = 0.0
        for _ in range(100):
            s = np.exp(u)
            slope = a * s + b * s * s - p / s - q / (s * s)
            curve = a * s + 2 * b * s * s + p / s + 2 * q / (s * s)
            step = min(1.0, max(-1.0, slope / curve))
            u -= step
            if abs(step) < 1e-12:
                break
        s = np.exp(u)
        for i in range(len(W)):
            W[i, c] *= s
        for j in range(len(H)):
            H[j, c] /= s


@njit(**OPTIONS)
def solve(entries, penalty, tol, max_iter, W, H):
    """Fit W (m, k) and H (filled, k) in place; returns the objective, the iterations, and whether it converged.

    `penalty` is l1 and l2 on W, l1 and l2 on H. It has converged where an iteration lowers the objective by no more
    than the fraction `tol` of it.
    """
    values, rows, start, out_rows, out_start, left_out = entries
    (m, k), n = W.shape, len(start) - 1
    l1_W, l2_W, l1_H, l2_H = penalty
    grams, goals = np.empty((m, k, k)), np.empty((m, k))
    gram, goal, whole, HH = np.empty((k, k)), np.empty(k), np.empty((k, k)), np.empty((k, k))
    squares = 0.0
    for p in range(len(values)):
        if not left_out[p]:
            squares += values[p] * values[p]
    before = np.inf
    objective = np.inf
    for n_iter in range(1, max_iter + 1):
        balance(penalty, W, H)
        whole[:] = W.T @ W
        grams[:], goals[:], HH[:] = 0.0, 0.0, 0.0
        for j in range(n):
            for c in range(k):
                goal[c] = 0.0
                for d in range(k):
                    gram[c, d] = whole[c, d]
            for p in range(start[j], start[j + 1]):
                if not left_out[p]:
                    for c in range(k):
                        goal[c] += values[p] * W[rows[p], c]
            for q in range(out_start[j], out_start[j + 1]):
                i = out_rows[q]
                for c in range(k):
                    for d in range(k):
                        gram[c, d] -= W[i, c] * W[i, d]
            descend(gram, goal, l1_H, l2_H, H[j])
            for p in range(start[j], start[j + 1]):
                if not left_out[p]:
                    for c in range(k):
                        goals[rows[p], c] += values[p] * H[j, c]
            for c in range(k):
                for d in range(k):
                    HH[c, d] += H[j, c] * H[j, d]
            for q in range(out_start[j], out_start[j + 1]):
                i = out_rows[q]
                for c in range(k):
                    for d in range(k):
                        grams[i, c, d] -= H[j, c] * H[j, d]
        objective = 0.5 * squares
        for i in range(m):
            for c in range(k):
                for d in range(k):
                    gram[c, d] = HH[c, d] + grams[i, c, d]
            descend(gram, goals[i], l1_W, l2_W, W[i])
            for c in range(k):
                objective += W[i, c] * (l1_W + 0.5 * l2_W * W[i, c] - goals[i, c])
                for d in range(k):
                    objective += 0.5 * W[i, c] * gram[c, d] * W[i, d]
        for j in range(n):
            for c in range(k):
                objective += H[j, c] * (l1_H + 0.5 * l2_H * H[j, c])
        if before - objective <= tol * abs(objective):
            return objective, n_iter, True
        before = objective
    return objective, max_iter, False


@njit(**OPTIONS)
def squared_error(entries, W, H):
    """Return the sum of (V - W H)^2 over the entries left out, over all others, and of V^2 over either."""
    values, rows, start, out_rows, out_start, left_out = entries
    k, n = W.shape[1], len(start) - 1
    out, whole, squares_out, squares = 0.0, 0.0, 0.0, 0.0
    gram = W.T @ W
    for j in range(n):
        for c in range(k):
            for d in range(k):
                whole += H[j, c] * gram[c, d] * H[j, d]
        for q in range(out_start[j], out_start[j + 1]):
            y = 0.0
            for c in range(k):
                y += W[out_rows[q], c] * H[j, c]
            out += y * y
            whole -= y * y
        for p in range(start[j], start[j + 1]):
            y = 0.0
            for c in range(k):
                y += W[rows[p], c] * H[j, c]
            change = values[p] * values[p] - 2 * values[p] * y
            if left_out[p]:
                out += change
                squares_out += values[p] * values[p]
            else:
                whole += change
                squares += values[p] * values[p]
    return out, whole, squares_out, squares


@njit(**OPTIONS)
def fit_many(entries, penalties, tol, max_iter, start, W, H, out, first, last):
    """Fit the problems first to last - 1, which differ in their penalties alone, all from the `start` (W, H).

    `out` (problems, 7) is filled with the objective, the iterations, whether it converged, and what `squared_error`
    returns.
    """
    for b in range(first, last):
        W[b], H[b] = start[0], start[1]
        penalty = (penalties[b, 0], penalties[b, 1], penalties[b, 2], penalties[b, 3])
        objective, n_iter, converged = solve(entries, penalty, tol, max_iter, W[b], H[b])
        errors = squared_error(entries, W[b], H[b])
        out[b, 0], out[b, 1], out[b, 2] = objective, n_iter, converged
        for i in range(4):
            out[b, 3 + i] = errors[i]
