"""Weights and components as tables: what a fit and its applications have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units
from astropy.table import QTable

from ..io.columns import described
from ..mixtures.counts import Mixtures
from ..mixtures.settings import Chemistry
from ..stars.variables import unit_of


def weights_table(
    mixtures: Mixtures,
    W: np.ndarray,
    fractions: np.ndarray,
    names: tuple[str, ...],
    ended: Mapping[str, Any],
) -> QTable:
    """Return the weights of components as a table: one row per bin.

    Columns ``lower``, ``upper``, ``centre`` (with ``_VARIABLE`` appended when there are two variables), ``n_stars``, of
    weighted stars ``effective`` (their effective number), and for each component ``weight_`` (counts) and ``fraction_``
    with its name, such as ``fraction_HE``, in order of increasing mean energy. The metadata name the components, count
    the stars that were left out, and say how the fit ended and which rows did not converge.

    The weights are in counts as `Fit.W` is: a star counts once per plane, and with the Frobenius loss they do not add
    up to the bin's counts. So they are no numbers of stars.

    Parameters
    ----------
    mixtures : Mixtures
        The bins and counts.
    W, fractions : ndarray, shape (m, k)
        Weights, and the fractions of each bin.
    names : tuple of str
        Components.
    ended : mapping
        As `convergence` gives it.
    """
    table = QTable()
    axes = mixtures.bins.axes
    for i, axis in enumerate(axes):
        suffix = f"_{axis.variable}" if len(axes) > 1 else ""
        lower, upper = mixtures.bins.bounds[:, i].T
        unit = unit_of(axis.variable)
        for name, column in (("lower", lower), ("upper", upper), ("centre", 0.5 * (lower + upper))):
            table[name + suffix] = column * units.Unit(unit) if unit else column
    table["n_stars"] = mixtures.n_stars
    if mixtures.weights is not None:
        table["effective"] = mixtures.effective
    for j, name in enumerate(names):
        table[f"weight_{name}"] = W[:, j]
        table[f"fraction_{name}"] = fractions[:, j]
    table.meta["variables"] = [axis.variable for axis in axes]
    table.meta["components"] = list(names)
    if mixtures.convention is not None:
        table.meta["convention"] = mixtures.convention.record()
    table.meta["stars"] = len(mixtures.rows)
    table.meta["stars_outside_bins"] = mixtures.outside_bins
    table.meta.update(ended)
    planes = (str(plane) for plane in mixtures.chemistry.planes)
    table.meta["stars_outside_images"] = dict(zip(planes, mixtures.outside_images, strict=True))
    return described(table, variable=axes[0].variable if len(axes) == 1 else "")


def convergence(status: str, kkt: float, unconverged: np.ndarray) -> dict[str, Any]:
    """Return what a table's metadata say of convergence: the fit's status and residual, and the bins that failed."""
    return {"fit_status": status, "fit_kkt": kkt, "bins_not_converged": unconverged.tolist()}


def images_table(chemistry: Chemistry, H: np.ndarray, names: tuple[str, ...]) -> QTable:
    """Return the pixels of components that are not zero in all of them, one row each.

    Columns ``plane``, ``x`` and ``y`` (centre of the pixel, dex), and one per component.

    Parameters
    ----------
    chemistry : Chemistry
        What the pixels are.
    H : ndarray, shape (k, n)
        Components.
    names : tuple of str
        Their names.
    """
    l = chemistry.pixels  # noqa: E741 - the paper's letter
    cells = np.flatnonzero(H.any(axis=0))
    plane, y, x = cells // (l * l), cells // l % l, cells % l
    middle = {variable: chemistry.centres(variable) for variable in chemistry.variables}
    table = QTable()
    table["plane"] = [str(chemistry.planes[i]) for i in plane]
    table["x"] = np.array([middle[chemistry.planes[i].x][j] for i, j in zip(plane, x, strict=True)]) * units.dex
    table["y"] = np.array([middle[chemistry.planes[i].y][j] for i, j in zip(plane, y, strict=True)]) * units.dex
    for name, row in zip(names, H, strict=True):
        table[name] = row[cells]
    return described(table, "images")
