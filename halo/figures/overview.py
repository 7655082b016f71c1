"""A fit on one page, and every figure of a fit's products."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ..errors import UsageError
from ..fits.apply import Application
from ..fits.fit import Fit
from ..products.boundary import Boundary
from ..products.overview import Products
from ..products.profile import Profile
from . import captions, panels
from . import style as look
from .fit import component_block, components, components_caption, fraction_map
from .picture import Picture, styled
from .profiles import check_shape, fractions, fractions_caption, profile_rows
from .stars import chemistry, sample

NAMES = ("components", "fractions", "sample", "chemistry")
"""The figures that `every` draws; a fit alone makes the first."""


def every(products: Products) -> dict[str, Picture]:
    """Draw all of a fit's products; pictures by name, as in `NAMES`."""
    drawn = (
        components(products.fit, products.map, products.boundary),
        fractions(products.profile),
        sample(products.samples),
        chemistry(products.stars),
    )
    return dict(zip(NAMES, drawn, strict=True))


@styled
def summary(
    fit: Fit,
    map_application: Application | None,
    boundary: Boundary | None,
    profile: Profile,
    *,
    truth: np.ndarray | None = None,
    title: str | None = None,
) -> Picture:
    """Draw a fit on one page: its components, a map of their fractions, and their fractions along one variable.

    Parameters
    ----------
    fit : Fit
        The components.
    map_application : Application or None
        The fit applied to a grid of two variables; None takes the one behind the boundary.
    boundary : Boundary or None
        Drawn on the map.
    profile : Profile
        Fractions against one variable.
    truth : ndarray, shape (m,), optional
        True fraction of the last component in the profile's bins, known of a mock survey.
    title : str, optional
        A line above; by default the selection, the number of stars and of bins.

    Returns
    -------
    Picture

    Raises
    ------
    UsageError
        Neither map nor boundary, a map on one variable, or a truth of another shape.
    """
    check_shape("truth", truth, (len(profile.application.W),), "bins")
    if map_application is None:
        if boundary is None:
            raise UsageError("summary needs a map_application or a boundary, got neither.")
        map_application = boundary.application
    k, planes = len(fit.names), len(fit.mixtures.chemistry.planes)
    shades = look.colours(k)
    height = 1.0 + 2.6 * (1 + planes)
    left, right = 0.7 + 2.7 * k, 6.0
    figure = Figure(figsize=(left + right, height), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
    figure.suptitle(captions.headline(fit) if title is None else title, fontsize="x-large")
    parts: Any = figure.subfigures(1, 2, width_ratios=[left, right])
    grid = parts[0].add_gridspec(1 + planes, k + 1, width_ratios=[1.0] * k + [0.06])
    component_block(parts[0], grid, fit, shades)
    grid = parts[1].add_gridspec(2, 2, width_ratios=[1.0, 0.04])
    axes = parts[1].add_subplot(grid[0, 0])
    fraction_map(parts[1], axes, parts[1].add_subplot(grid[0, 1]), map_application, boundary)
    profile_rows(parts[1], grid[1, :].subgridspec(2, 1, height_ratios=[4, 1]), profile, None, truth)
    caption = _caption(fit, map_application, boundary, profile, truth is not None)
    return Picture(figure, caption, _alt(fit, boundary, profile, truth is not None))


def _caption(fit: Fit, application: Application, boundary: Boundary | None, profile: Profile, truth: bool) -> str:
    return f"{components_caption(fit, application, boundary, None)} {fractions_caption(profile, False, truth)}"


def _alt(fit: Fit, boundary: Boundary | None, profile: Profile, truth: bool) -> str:
    names = captions.listed(fit.names)
    axes = captions.spoken([axis.variable for axis in fit.mixtures.bins.axes])
    line = " with the boundary and the line of Belokurov & Kravtsov (2023)" if boundary is not None else ""
    return (
        f"Left: a column each for {names}, weights of the bins in {axes} above images of "
        f"{captions.planes(fit.mixtures.chemistry)}. Right: a map of the {panels.fraction_name(fit.reading)}"
        f"{line}; below it the fractions of {names} against "
        f"{captions.spoken([profile.variable])}{f', with the true fraction of {fit.reading.label}' if truth else ''}, "
        "and the stars of each bin."
    )
