"""What to say of each figure: what is drawn, what was cut, how many stars there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..fits.apply import Application
from ..fits.engine import CONVERGED
from ..fits.fit import Fit
from ..mixtures.settings import Chemistry
from ..products.boundary import CROSSES, TWICE, Boundary
from ..products.profile import MIN_STARS, Profile
from ..products.published_line import BK23_OFFSET
from ..stars.variables import unit_of

if TYPE_CHECKING:
    from ..ensembles.spread import Spread
    from ..mixtures.counts import Mixtures
    from ..products.densities import Density
    from ..products.eccentricity import Eccentricities
    from ..products.four import Four
    from ..stars.cutflow import CutFlow

TIMES = " \N{MULTIPLICATION SIGN} "


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


def components(fit: Fit, application: Application | None, boundary: Boundary | None, tracks: Any) -> str:
    """Return the caption of `figures.components`."""
    mixtures, planes = fit.mixtures, _planes(fit.mixtures.chemistry)
    parts = [
        f"{headline(fit)}. {_cut(fit.cutflow, mixtures)}",
        "Top: weights of the bins, each component divided by its maximum. "
        f"Below: the components' images in {planes} ({mixtures.chemistry.pixels}{TIMES}{mixtures.chemistry.pixels} "
        "pixels), square-root stretch from zero to each image's maximum.",
        "Titles: mass fractions, "
        + ", ".join(f"{name} {100 * share:.2f} %" for name, share in zip(fit.names, fit.mass_fractions, strict=True))
        + ".",
    ]
    if not all(axis.regular for axis in mixtures.bins.axes):
        parts.append("The outermost equal-count bins may reach beyond the frame.")
    if mixtures.empty_bins:
        parts.append(f"{mixtures.empty_bins} bins without stars are hatched.")
    parts += _map(application, boundary)
    if tracks is not None:
        parts.append("Median tracks of the components, with bands of the median absolute deviation.")
    return " ".join([*parts, _ended(fit)]).strip()


def fractions(profile: Profile, bands: bool = False, truth: bool = False) -> str:
    """Return the caption of `figures.fractions`."""
    return f"{_cut(profile.application.cutflow, profile.application.mixtures)} {_fractions(profile, bands, truth)}"


def _fractions(profile: Profile, bands: bool, truth: bool) -> str:
    application = profile.application
    stars = int(application.mixtures.n_stars.sum())
    parts = [
        f"Fractional contribution of {_and(application.names)} against {profile.variable} to {stars:,} stars in bins, "
        f"and the stars of each; the curve is the monotone spline through bins of {profile.min_stars} stars or more, "
        "open symbols have fewer.",
        f"{application.names[-1]}: {'; '.join(c.describe(unit_of(profile.variable)) for c in profile.crossings)}.",
        *_unconverged(application),
    ]
    if bands:
        parts.append("Shaded: the given lower and upper limits.")
    if truth:
        parts.append(f"Thin dashed: the true fraction of {application.names[-1]}.")
    return " ".join(parts)


def sample(titles: Sequence[str], numbers: Sequence[int], outside: Sequence[int]) -> str:
    """Return the caption of `figures.sample`."""
    listed = "; ".join(
        f"{t}: {n:,} stars, {o:,} of them outside the frame" for t, n, o in zip(titles, numbers, outside, strict=True)
    )
    return f"Stars in energy and angular momentum (prograde positive). {listed}."


def chemistry(n: int, images: Chemistry, outside: Sequence[int], max_fe_h: float) -> str:
    """Return the caption of `figures.chemistry`."""
    left = ", ".join(f"{o:,} in {plane.y} against {plane.x}" for o, plane in zip(outside, images.planes, strict=True))
    return f"{n:,} stars in {_planes(images)}; outside the frames: {left}. Dashed: [Fe/H] = {max_fe_h:g}."


def summary(fit: Fit, application: Application, boundary: Boundary | None, profile: Profile, truth: bool) -> str:
    """Return the caption of `figures.summary`."""
    return f"{components(fit, application, boundary, None)} {_fractions(profile, False, truth)}"


def densities(found: Sequence[Density], fits: Sequence[Fit]) -> str:
    """Return the caption of `curves.densities`."""
    names = list(dict.fromkeys(d.component for d in found))
    variables = list(dict.fromkeys(d.variable for d in found))
    parts = [
        f"Densities of {_and(variables)} in the components {_and(names)}, each integrating to one over the images; an "
        "abundance that stands in two planes counts once."
    ]
    parts += [f"{_and(fit.names[::-1])}: {headline(fit)}. {_cut(fit.cutflow, fit.mixtures)}" for fit in fits]
    return " ".join([*parts, *(_ended(fit) for fit in fits if not fit.converged)])


def eccentricities(result: Eccentricities, fit: Fit | None) -> str:
    """Return the caption of `curves.eccentricities`."""
    parts = [
        "Eccentricities of the components: distributions in the fit's bins, weighted by the component's weight, over "
        f"those bins in which it is above {100 * result.cut:g} % of its maximum.",
        *(
            f"{name}: {kept} bins, {stars:,} stars, peak at {peak:.2f}"
            + (f" ({low:.2f} to {high:.2f})." if low == low else ".")
            for name, kept, stars, peak, low, high in zip(
                result.names, result.kept, result.n_stars, result.peaks, *result.peak_intervals, strict=True
            )
        ),
    ]
    if (result.bands == result.bands).any():
        parts.append(f"Bands and ranges: {100 * result.level:g} % of bootstrap replicates.")
    if fit is not None:
        parts.append(f"{headline(fit)}. {_cut(fit.cutflow, fit.mixtures)}")
    return " ".join(parts)


def selection_maps(fit: Fit, application: Application, boundary: Boundary, other: str | None) -> str:
    """Return the caption of `fourplots.selection_maps`."""
    shares = ", ".join(f"{name} {100 * x:.2f} %" for name, x in zip(fit.names, fit.mass_fractions, strict=True))
    parts = [
        f"{headline(fit)}. {_cut(fit.cutflow, fit.mixtures)}",
        "Left: weights of the bins, each component divided by its maximum; the outermost equal-count bins may reach "
        f"beyond the frame. Mass fractions: {shares}.",
        *_map(application, boundary),
    ]
    if other is not None:
        parts.append(f"Dotted: the boundary of the {other} halo.")
    return " ".join([*parts, _ended(fit)])


def four_components(four: Four) -> str:
    """Return the caption of `fourplots.four_components`."""
    chemistry = four.fit.settings.chemistry
    parts = [
        f"Components of the parts above (HE1, HE2) and below (LE1, LE2) the boundary: weights in {four.settings.bins}"
        f"{TIMES}{four.settings.bins} equal-count bins of E, Lz, each divided by its maximum, and images in "
        f"{_planes(chemistry)} ({chemistry.pixels}{TIMES}{chemistry.pixels} pixels), square-root stretch from zero to "
        "each image's maximum. The outermost bins may reach beyond the frame. Titles: shares within the part.",
        f"Line: where the sample was split; {four.filled:,} stars lie in Lz columns without a boundary of their own "
        + ("and were left out." if four.settings.fill == "drop" else "and were split at that of the nearest columns."),
    ]
    for part in four.parts:
        parts.append(f"{_and(part.names[::-1])}: {_cut(part.cutflow, part.mixtures)} {_ended(part)}")
    if four.disagree:
        parts.append(
            f"Ordered by {four.settings.order}; otherwise the order would be another in {_and(four.disagree)}."
        )
    return " ".join(parts)


def spreads(found: Mapping[str, Mapping[str, Spread]], fits: Mapping[str, Fit] | None) -> str:
    """Return the caption of `curves.energy_fractions`, `distance_fractions` and `four_fractions`."""
    one = next(iter(next(iter(found.values())).values()))
    variables = list(dict.fromkeys(name for of in found.values() for name in of))
    parts = [
        f"Fractional contribution of {_and(one.names[::-1])} against {_and(variables)}: the mean over {one.setups} "
        f"set-ups{' and the monotone spline through it' if len(one.names) == 2 else ''}; dark bands are the standard "
        "deviation over set-ups, which is no sampling error"
    ]
    parts[0] += (
        f"; light bands hold {100 * one.level:g} % of {one.replicates} bootstrap replicates." if one.replicates else "."
    )
    parts.append(f"Open symbols: bins of fewer than {one.min_stars} stars.")
    for selection, of in found.items():
        words = selection.replace("-", " ")
        stars = ", ".join(f"{int(s.n_stars.sum()):,} in bins of {name}" for name, s in of.items())
        parts.append(f"{words.capitalize()}: stars {stars}.")
        if fits is not None and selection in fits:
            parts.append(_cut(fits[selection].cutflow, fits[selection].mixtures))
        if len(one.names) == 2:
            for name, s in of.items():
                at = "; ".join(c.describe(unit_of(name)) for c in s.crossings)
                parts.append(f"{s.names[-1]} against {name}: {at}.")
    return " ".join(parts)


def _map(application: Application | None, boundary: Boundary | None) -> list[str]:
    if application is None:
        return []
    names = application.names
    axes = " and ".join(f"{axis.count} bins of {axis.variable}" for axis in application.mixtures.bins.axes)
    shown = " + ".join(names[:-1]) or names[0]
    parts = [
        f"Map: {shown} fraction of {int(application.mixtures.n_stars.sum()):,} stars in {axes}; hatched: no "
        f"stars; dots: fewer than {MIN_STARS} stars.",
        *_unconverged(application),
    ]
    if boundary is None:
        return parts
    columns = boundary.status
    none = len(columns) - columns.count(CROSSES) - columns.count(TWICE)
    parts.append(
        f"Solid: where {names[-1]}, coming from high energy, first falls below {100 * boundary.level:g} %, smoothed "
        f"by a Gaussian of sigma {boundary.smoothing:g} columns; of {len(columns)} columns "
        f"{columns.count(TWICE)} cross more than once (open symbols) and {none} have no boundary."
    )
    parts.append(
        f"Dashed: Belokurov & Kravtsov (2023), shifted by {BK23_OFFSET / 1e5:g}e5 km2/s2 to McMillan (2017) energies, "
        "an offset inferred from the public flags of globular clusters, not published."
    )
    return parts


def _cut(flow: CutFlow, mixtures: Mixtures) -> str:
    cuts = ", ".join(flow.names)
    text = f"{flow.passed:,} of {flow.total:,} stars pass the selection{f' ({cuts})' if cuts else ''}"
    outside = [f"{mixtures.outside_bins:,} of them outside the bins"]
    outside += [
        f"{n:,} outside {plane.y}-{plane.x}"
        for n, plane in zip(mixtures.outside_images, mixtures.chemistry.planes, strict=True)
    ]
    return f"{text}; {', '.join(outside)}."


def _unconverged(application: Application) -> list[str]:
    # what is wrong with the fit is said beside its components
    number = len(application.unconverged)
    parts = [f"The weights of {number} bins did not converge."] if number else []
    if application.fit_status != CONVERGED:
        parts.append(f"The fit behind them did not converge ({application.fit_status}).")
    return parts


def _ended(fit: Fit) -> str:
    said = "" if fit.converged else f": {fit.message.rstrip('.')}"
    return f"The fit ended after {fit.n_iter} iterations, {fit.status}, with KKT residual {fit.kkt:.2g}{said}."


def _planes(chemistry: Chemistry) -> str:
    return _and([f"{plane.y} against {plane.x}" for plane in chemistry.planes])


def _and(names: Sequence[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))
