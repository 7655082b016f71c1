"""Every product of many fits at once: numbers to compare between replicates, and what their axes are."""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..fits.reading import LAST
from ..fits.settings import FitSettings
from ..products.histograms import PERCENTILES
from ..products.profile import LEVELS
from . import table
from .many import Many
from .sample import Sample


def reduced(
    sample: Sample,
    weights: np.ndarray,
    W: np.ndarray,
    H: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    settings: FitSettings,
    accreted: tuple[int, ...] = LAST,
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
    accreted : tuple of int
        Components that are read as accreted.

    Returns
    -------
    dict of str to ndarray
        By key, of every product in `table.PRODUCTS` that the stars and the components allow, shape (B, ...).
    """
    W, H = np.ascontiguousarray(W, np.float64), np.ascontiguousarray(H, np.float64)
    fits = Many(sample, weights, W, H, rows, columns, settings, accreted)
    found: dict[str, np.ndarray] = {}
    for product in table.PRODUCTS:
        found |= product.made(fits)
    return found


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
        if name == "boundary" or name in places.bins:
            raise UsageError(
                f"the images are of {name}, against which an ensemble's products have bins of their own; give the "
                "column another name, or leave it out of the planes."
            )
        found[f"edges_{name}"] = settings.chemistry.edges(name)
    return found
