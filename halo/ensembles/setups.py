"""Configurations of a fit, such as other numbers of pixels, and the fractions along a variable in each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UsageError
from ..fits.fit import Fit
from ..fits.fit import fit as fit_components
from ..fits.reading import LAST
from ..fits.settings import FitSettings
from ..mixtures.settings import Axis, parse_axes
from ..products.overview import PROFILES
from ..products.profile import Profile, profile

PIXELS = (10, 20, 30, 40, 50, 60)
"""l of the configurations: the paper's limits, and steps that it does not give."""


@dataclass(frozen=True)
class Setups:
    """Fractions of the components in every configuration, along one or more variables.

    Attributes
    ----------
    settings : tuple of FitSettings
        S configurations, those that converged.
    failed : tuple of FitSettings
        Those that did not; they are left out.
    names : tuple of str
        Components, in order of increasing energy.
    edges : dict of str to ndarray, shape (m + 1,)
        By variable.
    n_stars : dict of str to ndarray, shape (m,)
    fractions : dict of str to ndarray, shape (S, m, k)
    accreted : tuple of int
        Components that are read as accreted, the same in all.
    """

    settings: tuple[FitSettings, ...]
    failed: tuple[FitSettings, ...]
    names: tuple[str, ...]
    edges: Mapping[str, np.ndarray]
    n_stars: Mapping[str, np.ndarray]
    fractions: Mapping[str, np.ndarray]
    accreted: tuple[int, ...] = LAST


def over_setups(
    table: Any,
    settings: Sequence[FitSettings],
    variables: Sequence[str] | Mapping[str, Sequence[Axis]] = ("E",),
    *,
    find: Callable[[Any, FitSettings], Fit] = fit_components,
) -> Setups:
    """Return the fractions that the components of every configuration have along some variables.

    Parameters
    ----------
    table : Table
        Prepared stars.
    settings : sequence of FitSettings
        Configurations of one selection and as many components, such as `vary_pixels` makes.
    variables : sequence of str, or mapping of str to axes
        Names in `products.PROFILES`, or axes of one's own by name.
    find : callable
        From stars and settings to a fit; for four components one that splits the sample.

    Returns
    -------
    Setups

    Raises
    ------
    UsageError
        No configuration, none that converged, or another number of components in some, or others of them accreted.
    """
    axes = variables if isinstance(variables, Mapping) else {name: parse_axes(PROFILES[name]) for name in variables}
    found: list[dict[str, Profile]] = []
    good, failed = list[FitSettings](), list[FitSettings]()
    for each in settings:
        made = find(table, each)
        profiles = {name: profile(made, table, one) for name, one in axes.items()}
        whole = made.converged and all(p.application.converged.all() for p in profiles.values())
        (good if whole else failed).append(each)
        if whole:
            found.append(profiles)
    if not found:
        raise UsageError(f"none of {len(settings)} configurations converged; raise max_iter or loosen tol.")
    readings = [next(iter(p.values())).application.reading for p in found]
    names = [reading.names for reading in readings]
    if len(set(names)) > 1:
        raise UsageError(
            "configurations must have the same components; these have " + ", ".join(map(str, set(names))) + "."
        )
    if len(set(readings)) > 1:
        labels = ", ".join(sorted({reading.label for reading in readings}))
        raise UsageError(f"configurations must read the same components as accreted; these read {labels}.")
    first = {name: p.application.mixtures for name, p in found[0].items()}
    return Setups(
        settings=tuple(good),
        failed=tuple(failed),
        names=names[0],
        edges={name: mixtures.bins.edges[0] for name, mixtures in first.items()},
        n_stars={name: mixtures.n_stars for name, mixtures in first.items()},
        fractions={name: np.stack([p[name].application.fractions for p in found]) for name in axes},
        accreted=readings[0].accreted,
    )


def vary_pixels(settings: FitSettings, pixels: Sequence[int] = PIXELS) -> tuple[FitSettings, ...]:
    """Return the configurations over which the paper takes its error bars: other numbers of pixels l."""
    return tuple(settings.replace(pixels=l) for l in pixels)  # noqa: E741
