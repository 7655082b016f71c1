"""Sentences common to captions and alternative texts: which stars, what was cut, what did not converge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..fits.apply import Application
from ..fits.engine import CONVERGED
from ..fits.fit import Fit
from ..mixtures.settings import Chemistry
from ..products.boundary import CROSSES, TWICE, Boundary
from ..products.profile import MIN_STARS
from ..rounding import number
from ..stars.published_line import BK23_OFFSET

if TYPE_CHECKING:
    from ..mixtures.counts import Mixtures
    from ..stars.cutflow import CutFlow

TIMES = " \N{MULTIPLICATION SIGN} "
_SPOKEN = {
    "E": "energy",
    "Lz": "angular momentum",
    "e": "eccentricity",
    "r": "spherical radius",
    "z": "height",
    "R": "cylindrical radius",
    "J_r": "radial action",
    "J_phi": "azimuthal action",
    "J_z": "vertical action",
}


def headline(fit: Fit) -> str:
    """Return one line on a fit: selection, stars, bins, components."""
    mixtures, selection = fit.mixtures, fit.settings.selection.name
    stars, k = f"{int(mixtures.n_stars.sum()):,}", len(fit.names)
    chosen = {"all": f"{stars} stars", "retrograde": f"{stars} retrograde stars"}.get(
        selection, f"{stars} stars of the {selection.replace('-', ' ')} halo"
    )
    bins = TIMES.join(str(axis.count) for axis in mixtures.bins.axes)
    variables = ", ".join(axis.variable for axis in mixtures.bins.axes)
    return f"{chosen} in {bins} bins of {variables}, {k} component{'s' * (k > 1)}"


def of_map(application: Application | None, boundary: Boundary | None) -> list[str]:
    """Return what a map of fractions shows and how its boundary was found; nothing without a map."""
    if application is None:
        return []
    reading = application.reading
    axes = " and ".join(f"{axis.count} bins of {axis.variable}" for axis in application.mixtures.bins.axes)
    parts = [
        f"Map: {reading.label_of_others} fraction of {int(application.mixtures.n_stars.sum()):,} stars in {axes}; "
        f"hatched: no stars; dots: fewer than {MIN_STARS} stars.",
        *unconverged(application),
    ]
    if boundary is None:
        return parts
    columns = boundary.status
    none = len(columns) - columns.count(CROSSES) - columns.count(TWICE)
    parts.append(
        f"Solid: where {reading.label}, coming from high energy, first falls below {100 * boundary.level:g} %, "
        f"smoothed by a Gaussian of sigma {boundary.smoothing:g} columns; of {len(columns)} columns "
        f"{columns.count(TWICE)} cross more than once (open symbols) and {none} have no boundary."
    )
    parts.append(
        f"Dashed: Belokurov & Kravtsov (2023), shifted by {BK23_OFFSET / 1e5:g}e5 km2/s2 to McMillan (2017) energies, "
        "an offset inferred from the public flags of globular clusters, not published."
    )
    return parts


def selected(flow: CutFlow, mixtures: Mixtures) -> str:
    """Return how many stars pass the selection, by which cuts, and how many of them lie outside bins and images."""
    cuts = ", ".join(flow.names)
    text = f"{flow.passed:,} of {flow.total:,} stars pass the selection{f' ({cuts})' if cuts else ''}"
    outside = [f"{mixtures.outside_bins:,} of them outside the bins"]
    outside += [
        f"{n:,} outside {plane.y}-{plane.x}"
        for n, plane in zip(mixtures.outside_images, mixtures.chemistry.planes, strict=True)
    ]
    return f"{text}; {', '.join(outside)}."


def unconverged(application: Application) -> list[str]:
    """Return how many weights of an application, and whether its fit, did not converge."""
    number = len(application.unconverged)
    parts = [f"The weights of {number} bins did not converge."] if number else []
    if application.fit_status != CONVERGED:
        parts.append(f"The fit behind them did not converge ({application.fit_status}).")
    return parts


def ended(fit: Fit) -> str:
    """Return how a fit ended."""
    said = "" if fit.converged else f": {fit.message.rstrip('.')}"
    kkt = number(fit.kkt, digits=2)
    after = f"{fit.n_iter} iteration{'s' * (fit.n_iter != 1)}"
    return f"The fit ended after {after}, {fit.status}, with KKT residual {kkt}{said}."


def planes(chemistry: Chemistry) -> str:
    """Return the planes of the images, such as "AL_FE against FE_H and MG_FE against FE_H"."""
    return listed([f"{plane.y} against {plane.x}" for plane in chemistry.planes])


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence: a, b and c."""
    return " and ".join(", ".join(names).rsplit(", ", 1))


def spoken(variables: Sequence[str]) -> str:
    """Return variables in words, for alternative texts: energy and angular momentum."""
    return listed([_SPOKEN.get(name, name) for name in variables])


def panels(n: int) -> str:
    """Return a number of panels."""
    return f"{n} panel{'s' * (n > 1)}"
