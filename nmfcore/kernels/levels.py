"""The one scale in which kernels give factors back; `nmfcore.balance` defines it."""

from __future__ import annotations

import numpy as np
from numba import njit

from .lanes import LANES, lanes_sqrt, load, splat, store, where_positive
from .tiles import INNER


@njit(**INNER)
def levels(G_W, G_H, by, units):
    """Write to `by` (2 k, LANES) what levels W when multiplied by it, and then what levels H.

    Of the Gram matrices of both factors, (k, k, LANES) each.
    """
    k, one = len(units), splat(1.0, by)
    for c in range(k):
        place = (c * k + c) * LANES
        w, h = load(G_W, place, by), load(G_H, place, by)
        ratio = where_positive(w, where_positive(h, h / where_positive(w, w, one), one), one)
        up = lanes_sqrt(lanes_sqrt(ratio))
        store(by, c * LANES, up)
        store(by, (k + c) * LANES, one / up)


@njit(**INNER)
def level_one(W, H, columns):
    """Level the factors of one replicate, W (m, k) and H (k, n), which is zero outside of `columns`."""
    for c in range(W.shape[1]):
        w, h = 0.0, 0.0
        for i in range(W.shape[0]):
            w += np.float64(W[i, c]) ** 2
        for j in range(len(columns)):
            h += np.float64(H[c, columns[j]]) ** 2
        if not (w > 0 and h > 0):
            continue
        up = np.sqrt(np.sqrt(h / w))
        for i in range(W.shape[0]):
            W[i, c] = W[i, c] * up
        for j in range(len(columns)):
            H[c, columns[j]] = H[c, columns[j]] / up
