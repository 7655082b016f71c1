"""Profiles: the fractions of a fit's components along one variable, with crossings and the stars of each bin."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import UsageError
from ..products.profile import Profile, unit_of
from . import captions, panels
from .picture import Picture, styled


@styled
def fractions(profile: Profile, extra_bands: np.ndarray | None = None, truth: np.ndarray | None = None) -> Picture:
    """Draw the components' fractions along a variable, their crossings, and the stars of each bin.

    Parameters
    ----------
    profile : Profile
        What to draw.
    extra_bands : ndarray, shape (2, m, k), optional
        Lower and upper limits of the fractions, such as an ensemble gives.
    truth : ndarray, shape (m,), optional
        True fraction of the last component, known of a mock survey.

    Returns
    -------
    Picture

    Raises
    ------
    UsageError
        Bands or truth of another shape.
    """
    m, k = profile.application.W.shape
    check_shape("extra_bands", extra_bands, (2, m, k), "limits, bins, components")
    check_shape("truth", truth, (m,), "bins")
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    profile_rows(figure, figure.add_gridspec(2, 1, height_ratios=[4, 1]), profile, extra_bands, truth)
    given = extra_bands is not None, truth is not None
    return Picture(figure, _caption(profile, *given), _alt(profile, *given), profile.table())


def _caption(profile: Profile, bands: bool, truth: bool) -> str:
    application = profile.application
    cut = captions.selected(application.cutflow, application.mixtures)
    return f"{cut} {fractions_caption(profile, bands, truth)}"


def _alt(profile: Profile, bands: bool, truth: bool) -> str:
    names, read = profile.application.names, profile.application.reading.label
    return (
        f"Fractions of {captions.listed(names)} against {captions.spoken([profile.variable])}, points with a curve "
        f"through them{', with bands' if bands else ''}{f', and the true fraction of {read}' if truth else ''}; "
        f"where {read} crosses a level is marked. Below: the stars of each bin."
    )


def fractions_caption(profile: Profile, bands: bool, truth: bool) -> str:
    """Return the sentences on a profile's fractions, their crossings, and what did not converge."""
    application = profile.application
    stars = int(application.mixtures.n_stars.sum())
    parts = [
        f"Fractional contribution of {captions.listed(application.names)} against {profile.variable} to {stars:,} "
        f"stars in bins, and the stars of each; the curve is the monotone spline through bins of "
        f"{profile.min_stars} stars or more, open symbols have fewer.",
        f"{application.reading.label}: {'; '.join(c.describe(unit_of(profile.variable)) for c in profile.crossings)}.",
        *captions.unconverged(application),
    ]
    if bands:
        parts.append("Shaded: the given lower and upper limits.")
    if truth:
        parts.append(f"Thin dashed: the true fraction of {application.reading.label}.")
    return " ".join(parts)


def profile_rows(figure: Any, grid: Any, profile: Profile, bands: np.ndarray | None, truth: np.ndarray | None) -> None:
    """Fill two rows of a grid: fractions above, stars of each bin below."""
    upper = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=upper)
    handles = panels.profile_lines(upper, profile, bands, truth)
    panels.star_counts(lower, profile)
    upper.tick_params(labelbottom=False)
    upper.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(5, len(handles)))
    figure.align_ylabels([upper, lower])


def check_shape(name: str, array: np.ndarray | None, shape: tuple[int, ...], meaning: str) -> None:
    """Raise where an optional array has another shape.

    Raises
    ------
    UsageError
        It has.
    """
    if array is not None and np.shape(array) != shape:
        raise UsageError(f"{name} must have shape {shape} ({meaning}), got {np.shape(array)}.")
