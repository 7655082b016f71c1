"""Every product of many fits at once: numbers to compare between replicates, and what their axes are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..fits.apply import held_weights
from ..fits.fit import fractions
from ..fits.settings import FitSettings
from ..mixtures.settings import Chemistry
from ..products.boundary import LEVEL, SMOOTHING, boundaries, smooth
from ..products.compiling import compiled
from ..products.crossings import crossings_of_many
from ..products.profile import LEVELS, MIN_STARS
from ..products.tracks import MIN_SHARE, PERCENTILES, percentiles_of, tracks_of
from ..stars.variables import values
from .held import bin_sums, count, weights_of_many
from .sample import Places, Sample

DIVERGENCE = ("kullback-leibler", "1", "1.0")
"""Names of the loss of which columns of H without a star matter by their sum alone."""


def reduced(
    sample: Sample,
    weights: np.ndarray,
    W: np.ndarray,
    H: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    settings: FitSettings,
) -> dict[str, np.ndarray]:
    """Return every product of B fits of the same stars, counted differently often.

    Parameters
    ----------
    sample : Sample
        The N stars.
    weights : ndarray of uint8, shape (B, N)
        How often each star counts in each replicate.
    W : ndarray, shape (B, m, k)
        Weights; H at unit sum.
    H : ndarray, shape (B, k, n)
        Components, in one order.
    rows : ndarray of int, shape (N,)
        Each star's bin in the fit; -1 outside.
    columns : ndarray of int, shape (N, images)
        Each star's pixels.
    settings : FitSettings
        Of the fit.

    Returns
    -------
    dict of str to ndarray
        ``mass_fraction``, ``mean_fraction``, ``mean_energy`` (B, k); for every variable X of `products.PROFILES` that
        the stars have ``fraction_X`` (B, bins, k), ``crossing_X`` (B, levels), NaN unless there is exactly one, and
        ``crossing_X_number``, how many there are, -1 where too few bins have stars; ``boundary``,
        ``boundary_smoothed`` and ``boundary_number`` and ``boundary_status`` (an index into `boundary.STATUSES`), all
        (B, columns), where there are two components; for every abundance A ``percentile_A`` (B, k, percentiles); for
        every plane P ``track_P`` and ``deviation_P`` (B, k, pixels).
    """
    W, H = np.ascontiguousarray(W, np.float64), np.ascontiguousarray(H, np.float64)
    out = {
        "mass_fraction": W.sum(axis=1) / W.sum(axis=(1, 2))[:, None],
        "mean_fraction": _mean(fractions(W)),
        "mean_energy": _mean_energy(sample, weights, W, rows),
    }
    out |= _shares(sample.places, weights, columns, H, settings)
    return out | _chemistry(H, settings.chemistry)


def coordinates(sample: Sample, settings: FitSettings) -> dict[str, np.ndarray]:
    """Return what the axes of the products are.

    Returns
    -------
    dict of str to ndarray
        ``levels`` and ``percentiles``; for every variable X ``edges_X`` (bins + 1,) in its unit and ``n_stars_X``
        (bins,), stars of the full sample; ``edges_boundary``, of the Lz columns; ``edges_A`` of every abundance's
        pixels.
    """
    found: dict[str, np.ndarray] = {"levels": np.array(LEVELS), "percentiles": np.array(PERCENTILES)}
    places = sample.places
    for i, (name, bins) in enumerate(places.bins.items()):
        found[f"edges_{'boundary' if name == 'map' else name}"] = bins.edges[0]
        if name != "map":
            inside = places.index[:, i]
            found[f"n_stars_{name}"] = np.bincount(inside[inside >= 0] - places.first[name], minlength=len(bins))
    for name in settings.chemistry.variables:
        found[f"edges_{name}"] = settings.chemistry.edges(name)
    return found


def _mean(shares: np.ndarray) -> np.ndarray:
    # over bins that have anything
    good = np.isfinite(shares)
    number = good.sum(axis=1)
    return np.where(good, shares, 0.0).sum(axis=1) / np.where(number > 0, number, np.nan)


def _mean_energy(sample: Sample, weights: np.ndarray, W: np.ndarray, rows: np.ndarray) -> np.ndarray:
    x = values(sample.stars, "E") if "E" in sample.stars.colnames else None
    if x is None:
        return np.full((len(W), W.shape[2]), np.nan)
    total, number = np.zeros(W.shape[:2]), np.zeros(W.shape[:2])
    bin_sums(weights, rows, x, total, number)
    held = np.where(number[:, :, None] > 0, W, 0.0)
    mass = held.sum(axis=1)
    mean = total / np.where(number > 0, number, 1.0)
    return (held * mean[:, :, None]).sum(axis=1) / np.where(mass > 0, mass, np.nan)


def _shares(
    places: Places, weights: np.ndarray, columns: np.ndarray, H: np.ndarray, settings: FitSettings
) -> dict[str, np.ndarray]:
    B, k = H.shape[:2]
    W, number = np.zeros((B, len(places), k)), np.zeros((B, len(places)), np.int64)
    columns = columns.astype(np.int32, copy=False)
    if settings.solver.least_squares:
        weights_of_many(weights, columns, places.index, H, W, number, 0, B)
    else:
        for b in range(B):
            V = count(weights[b], columns, places.index, number[b], H.shape[2])
            W[b], _ = held_weights(*_narrow(V, H[b], settings), settings.solver)
    share = fractions(W)
    out, levels = {}, np.array(LEVELS)
    told = np.where(number >= MIN_STARS, share[:, :, -1], np.nan)
    for name, bins in places.bins.items():
        if name == "map":
            continue
        part = places.part(name)
        out[f"fraction_{name}"] = share[:, part]
        at, found = np.empty((B, len(levels))), np.empty((B, len(levels)), np.int64)
        centre = bins.bounds[:, 0].mean(axis=-1)
        compiled(crossings_of_many)(centre, np.ascontiguousarray(told[:, part]), levels, at, found, 0, B)
        out[f"crossing_{name}"], out[f"crossing_{name}_number"] = at, found
    if "map" in places.bins and k > 1:
        out |= _boundary(places, told)
    return out


def _narrow(V: np.ndarray, H: np.ndarray, settings: FitSettings) -> tuple[np.ndarray, np.ndarray]:
    # Where V is zero, Kullback-Leibler sees nothing of H but its sum: all columns without a star are as good as one.
    if settings.solver.loss not in DIVERGENCE:
        return V, H
    filled = V.any(axis=0)
    empty = H[:, ~filled].sum(axis=1, keepdims=True)
    return np.append(V[:, filled], np.zeros((len(V), 1)), axis=1), np.append(H[:, filled], empty, axis=1)


def _boundary(places: Places, told: np.ndarray) -> dict[str, np.ndarray]:
    bins = places.bins["map"]
    columns, cells = (axis.count for axis in bins.axes)
    E = bins.edges[1][0]
    grid = told[:, places.part("map")].reshape(-1, columns, cells)
    at, number, status = boundaries(0.5 * (E[:-1] + E[1:]), grid, LEVEL, run=compiled)
    return {
        "boundary": at,
        "boundary_smoothed": smooth(at, SMOOTHING),
        "boundary_number": number,
        "boundary_status": status,
    }


def _chemistry(H: np.ndarray, chemistry: Chemistry) -> dict[str, np.ndarray]:
    found = percentiles_of(H, chemistry, chemistry.variables, PERCENTILES, run=compiled)
    median, deviation = tracks_of(H, chemistry, MIN_SHARE, run=compiled)
    out: dict[str, Any] = {f"percentile_{name}": found[:, i] for i, name in enumerate(chemistry.variables)}
    for i, plane in enumerate(chemistry.planes):
        out[f"track_{plane}"], out[f"deviation_{plane}"] = median[:, :, i], deviation[:, :, i]
    return out
