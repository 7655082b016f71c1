"""Simulated galaxies: their true fractions of mass compared with the components of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import vstack
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..errors import UsageError
from ..products.profile import Profile
from ..simulations.fractions import Simulated
from . import captions
from . import style as look
from .picture import Picture, styled

IN_SITU, ACCRETED = look.BLUE, look.HIGH
GALAXIES = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (5, 1.2, 1, 1.2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (2, 2)),
)
"""Line styles of galaxies, in their order."""


@styled
def simulations(
    galaxies: Sequence[Simulated], fit: Mapping[str, Profile] | None = None, thick: Sequence[str] | None = None
) -> Picture:
    """Draw true mass fractions of simulated galaxies against each variable (Fig 11), compared with those of a fit.

    Parameters
    ----------
    galaxies : sequence of Simulated
        With the same variables.
    fit : mapping of str to Profile, optional
        By variable: fractions of a fit's last and other components, drawn as points.
    thick : sequence of str, optional
        Galaxies drawn thick; none by default.

    Raises
    ------
    UsageError
        No galaxy, or galaxies with other variables.
    """
    if not galaxies or any(list(g.profiles) != list(galaxies[0].profiles) for g in galaxies):
        raise UsageError("simulated galaxies to draw must be one or more, with profiles against the same variables.")
    names = list(galaxies[0].profiles)
    figure = Figure(figsize=(0.6 + 4.3 * len(names), 4.4), layout="constrained")
    panels: Any = np.atleast_1d(figure.subplots(1, len(names), sharey=True))
    for axes, name in zip(panels, names, strict=True):
        axes.axhline(0.5, c="0.45", lw=0.9, ls=(0, (1, 2)), zorder=1)
        for galaxy, style in zip(galaxies, _styles(len(galaxies)), strict=True):
            profile = galaxy.profiles[name]
            wide = galaxy.galaxy.name in (thick or ())
            for j, shade in enumerate((IN_SITU, ACCRETED)):
                y = profile.fractions[:, j]
                axes.plot(profile.centre, y, c=shade, ls=style, lw=3.2 if wide else 1.5)
                band = y - profile.error, y + profile.error
                axes.fill_between(profile.centre, *band, color=shade, alpha=0.15, lw=0)
        if fit is not None and name in fit:
            _points(axes, fit[name])
        look.label(axes, name)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(*galaxies[0].profiles[name].bins.edges[0][[0, -1]])
    panels[0].set_ylabel("fraction of the mass")
    handles: list[Any] = [Patch(fc=shade, label=text) for shade, text in ((IN_SITU, "in situ"), (ACCRETED, "accreted"))]
    for galaxy, style in zip(galaxies, _styles(len(galaxies)), strict=True):
        wide = galaxy.galaxy.name in (thick or ())
        handles.append(Line2D([], [], c="0.3", ls=style, lw=3.2 if wide else 1.5, label=look.words(galaxy.galaxy.name)))
    if fit:
        handles.append(Line2D([], [], c="0.3", marker="o", ls="none", label="components of the fit"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(6, len(handles)))
    parts = "; ".join(
        f"{g.galaxy.name}: {g.cutflow.passed:,} of {g.cutflow.total:,} particles "
        f"({', '.join(g.cutflow.names) or 'all'}), accreted if {g.galaxy.criterion}, half of the mass accreted at "
        + ", ".join(f"{n} = {', '.join(f'{x:.1f}' for x in p.crossing) or 'none'}" for n, p in g.profiles.items())
        + " kpc"
        for g in galaxies
    )
    caption = f"True fractions of the stellar mass born in situ and accreted. {parts}. Bands: errors of counting."
    if fit:
        stars = ", ".join(f"{int(p.application.mixtures.n_stars.sum()):,} against {n}" for n, p in fit.items())
        caption += f" Points: fractions of a fit's components in stars ({stars}); accreted red, the others blue."
    tables = []
    for galaxy in galaxies:
        table = galaxy.table()
        table.add_column(np.full(len(table), galaxy.galaxy.name), index=0, name="galaxy")
        table.meta.clear()
        tables.append(table)
    alt = (
        f"{captions.panels(len(names))} of the true fractions of mass born in situ and accreted against "
        f"{captions.spoken(names)}: lines for {captions.listed([g.galaxy.name for g in galaxies])}"
        f"{', points for the components of the fit' if fit else ''}."
    )
    return Picture(figure, caption, alt, vstack(tables))


def _points(axes: Any, profile: Profile) -> None:
    application = profile.application
    x = application.mixtures.bins.bounds[:, 0].mean(axis=-1)
    both = application.reading.both(application.fractions)
    shown = np.where((application.mixtures.n_stars >= profile.min_stars)[:, None], both, np.nan)
    for y, shade in zip(shown.T, (IN_SITU, ACCRETED), strict=True):
        axes.plot(x, y, "o", c=shade, ms=6, mec="w", mew=0.8, zorder=5)


def _styles(n: int) -> list[Any]:
    return [GALAXIES[i % len(GALAXIES)] for i in range(n)]
