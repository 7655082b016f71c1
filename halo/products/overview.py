"""The main products of a fit, all at once: the map, the boundary, the profile against energy, the samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..fits.apply import Application, apply
from ..fits.engine import not_converged
from ..fits.fit import Fit
from ..mixtures.settings import parse_axes
from ..stars.selection import choose
from .boundary import Boundary, boundary
from .profile import Profile, profile
from .settings import PROFILES as PROFILES

PROFILE_AXES = PROFILES["E"]
"""Bins of the profile that is drawn."""
MAP_AXES = "Lz:20:-2000:2000,E:20:-3e5:-1e5"
"""Bins of the map, kpc km / s and km2 / s2."""
SAMPLES = ("chemically-pure", "kinematically-pure")
"""Selections that are shown together with the fit's own."""


@dataclass(frozen=True)
class Products:
    """The main products of a fit.

    Attributes
    ----------
    fit : Fit
        The components.
    map : Application
        The fit applied to a grid of Lz and E, `MAP_AXES`.
    profile : Profile
        Fractions against energy, `PROFILE_AXES`.
    boundary : Boundary or None
        Between the components; None where there is only one.
    samples : dict of str to Table
        Prepared stars by selection, "all" first.
    stars : Table
        The fit's own selection.
    """

    fit: Fit
    map: Application
    profile: Profile
    boundary: Boundary | None
    samples: dict[str, Any]
    stars: Any

    @property
    def applications(self) -> tuple[Application, ...]:
        """Every application behind the products."""
        line = () if self.boundary is None else (self.boundary.application,)
        return (self.map, self.profile.application, *line)

    def problems(self) -> str:
        """Return what did not converge, the fit or the weights of bins of any application; empty where all did."""
        return not_converged(self.fit.status, self.fit.kkt, sum(len(a.unconverged) for a in self.applications))


def products(fit: Fit, table: Any) -> Products:
    """Return the main products of a fit for the stars of its own selection.

    Parameters
    ----------
    fit : Fit
        Any number of components.
    table : Table
        Prepared stars.

    Raises
    ------
    InputError
        No star of the selection inside the bins and the images.
    """
    names = [name for name in dict.fromkeys((*SAMPLES, fit.settings.selection.name)) if name != "all"]
    samples = {"all": table}
    for name in names:
        samples[name], _ = choose(table, replace(fit.settings.selection, name=name))
    return Products(
        fit=fit,
        map=apply(fit, table, parse_axes(MAP_AXES)),
        profile=profile(fit, table, parse_axes(PROFILE_AXES)),
        boundary=boundary(fit, table) if len(fit.names) > 1 else None,
        samples=samples,
        stars=samples[fit.settings.selection.name],
    )
