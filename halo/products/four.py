"""Four components: the sample split at its boundary E_b(Lz), two components found in each part, then all together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from astropy import units
from astropy.table import QTable

from ..errors import InputError, UsageError
from ..fits.apply import apply_mixtures
from ..fits.conventions import checked
from ..fits.engine import CONVERGED, not_converged
from ..fits.fit import HE, LE, Fit, fit_mixtures, percentages
from ..fits.store import FitLike, as_fit
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.bins import place
from ..mixtures.counts import mix
from ..mixtures.settings import Axis
from ..stars.catalogue import StarsLike
from ..stars.cutflow import CutFlow
from ..stars.selection import choose
from ..stars.variables import values
from ..stars.weights import weights_of
from .boundary import Boundary
from .boundary import boundary as find_boundary
from .settings import FILLS, ORDERS, SplitSettings
from .tracks import percentiles

IRON = "FE_H"
ABOVE, BELOW = "E >= E_b(Lz)", "E < E_b(Lz)"
"""The last cut in the cut-flow of a part."""


@dataclass(frozen=True, repr=False)
class Four(InWords):
    """Four components, from a sample in two parts.

    Attributes
    ----------
    high, low : Fit
        Two components of the stars above and below the boundary, HE2 and HE1, LE2 and LE1: as everywhere in order of
        increasing energy.
    fit : Fit
        The four together, LE2, LE1, HE2, HE1, held while their weights are found in the bins of the fit of two: what
        `fits.apply.apply` re-applies. Its loss is the sum of the parts', its residual the larger of theirs.
    boundary : Boundary
        Where the sample was split.
    settings : SplitSettings
        How.
    filled, dropped : int
        Stars whose Lz column has no boundary of its own, and those of them that were left out.
    disagree : tuple of str
        Parts, HE or LE, whose components come in another order by median [Fe/H] than by mean energy.
    """

    high: Fit
    low: Fit
    fit: Fit
    boundary: Boundary
    settings: SplitSettings = field(default_factory=SplitSettings)
    filled: int = 0
    dropped: int = 0
    disagree: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Fit, Fit]:
        """The part above the boundary and that below."""
        return self.high, self.low

    def table(self) -> QTable:
        """Return the components as a table, one row each, HE1 first.

        Columns ``component``, ``part`` (HE or LE), ``stars`` of the part, ``fraction`` (of the part's mass) and
        ``mean_energy``. The metadata record how the sample was split and how the fits ended.
        """
        rows = [
            (component, name, part.cutflow.passed, fraction, energy)
            for name, part in zip((HE, LE), self.parts, strict=True)
            for component, fraction, energy in zip(
                part.names[::-1], part.mass_fractions[::-1], part.mean_energy[::-1], strict=True
            )
        ]
        table = QTable(rows=rows, names=("component", "part", "stars", "fraction", "mean_energy"))
        table["mean_energy"] = table["mean_energy"] * units.km**2 / units.s**2
        table.meta |= {
            "fit_status": self.fit.status,
            "fit_kkt": self.fit.kkt,
            "stars_without_boundary": self.filled,
            "stars_left_out": self.dropped,
            "ordered_by": self.settings.order,
            "other_order_disagrees": list(self.disagree),
        }
        if self.fit.mixtures.convention is not None:
            table.meta["convention"] = self.fit.mixtures.convention.record()
        return described(table, "four")

    def tables(self) -> dict[str, QTable]:
        """Return all tables by name: ``components`` is that of `table`, ``boundary`` that of the boundary."""
        return {"components": self.table(), "boundary": self.boundary.table()}

    def problems(self) -> str:
        """Return a line on the fit of the four where it did not converge; empty where it did."""
        return not_converged(self.fit.status, self.fit.kkt)

    def describe(self) -> str:
        """Return lines on how the sample was split and what was found."""
        lines = [
            f"boundary in {self.boundary.found} columns; {self.filled:,} stars in the others or outside: "
            + ("left out" if self.settings.fill == "drop" else "split at the nearest columns' boundary")
        ]
        for name, part in zip((HE, LE), self.parts, strict=True):
            said = percentages(part.names[::-1], part.mass_fractions[::-1])
            lines.append(f"{name}: {part.cutflow.passed:,} stars, {said}")
        if self.disagree:
            other = next(name for name in ORDERS if name != self.settings.order)
            parts = " and ".join(self.disagree)
            lines.append(f"ordered by {self.settings.order}; by {other} the two of {parts} would come the other way")
        return "\n".join(lines)


def check_two(fit: Fit) -> None:
    """Raise UsageError where a fit has another number of components than two."""
    if len(fit.H) != 2:
        raise UsageError(f"the sample is split between two components; this fit has {len(fit.H)}. Fit two.")


def split(
    fit: FitLike, stars: StarsLike, settings: SplitSettings | None = None, *, line: Boundary | None = None
) -> Four:
    """Split the stars of a fit of two components at its boundary and find two components in each part (section 4.2).

    Parameters
    ----------
    fit : Fit or path
        Of two components.
    stars : Table, Catalogue or path
        Prepared stars.
    settings : SplitSettings, optional
        The paper's by default.
    line : Boundary, optional
        Where to split; by default the fit's own boundary.

    Returns
    -------
    Four

    Raises
    ------
    InputError
        Too few stars in a part.
    UsageError
        A fit of another number of components, or a boundary that no column has.

    Examples
    --------
    >>> from halonmf import halo
    >>> four = halo.split("fit.h5", "stars.fits", halo.SplitSettings(bins=6))  # doctest: +SKIP
    >>> four.fit.names  # doctest: +SKIP
    ('LE2', 'LE1', 'HE2', 'HE1')
    """
    fit = as_fit(fit)
    table = checked(fit, stars)
    settings = settings or SplitSettings()
    check_two(fit)
    line = line or find_boundary(fit, table)
    sample, flow = choose(table, fit.settings.selection)
    used, above, own = sides(sample, line, settings.fill)
    if not used.all():
        missing = int((~used).sum())
        flow = flow.removing("Lz column with a boundary" if settings.fill == "drop" else "E and Lz", missing)
    axes = (Axis("E", settings.bins), Axis("Lz", settings.bins))
    parts, disagree = [], []
    for name, condition, chosen in ((HE, ABOVE, used & above), (LE, BELOW, used & ~above)):
        number, needed = int(chosen.sum()), settings.min_stars * settings.bins**2
        if number < needed:
            raise InputError(
                f"the {name} part has {number} stars of {int(used.sum())}, too few for two components in "
                f"{settings.bins} x {settings.bins} bins of {settings.min_stars}; use fewer bins or a wider selection."
            )
        part, agrees = _part(
            fit, sample[chosen], flow.removing(condition, int(used.sum()) - number), axes, name, settings
        )
        parts.append(part)
        disagree += [] if agrees else [name]
    high, low = parts
    return Four(
        high=high,
        low=low,
        fit=stack(fit, high, low),
        boundary=line,
        settings=settings,
        filled=int((~own).sum()),
        dropped=int((~used & ~own).sum()),
        disagree=tuple(disagree),
    )


def sides(stars: Any, line: Boundary, fill: str = FILLS[0]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which stars are used, which lie above a boundary, and which have one in their own Lz column.

    Parameters
    ----------
    stars : Table
        Chosen stars.
    line : Boundary
        The boundary.
    fill : str
        As in `SplitSettings`.

    Returns
    -------
    used, above, own : ndarray of bool, shape (N,)
        Stars that are not used are not above.

    Raises
    ------
    UsageError
        A boundary that no column has.
    """
    E, Lz = values(stars, "E"), values(stars, "Lz")
    column = place(Lz, line.Lz_edges)
    own = (column >= 0) & np.isfinite(line.E)[column]
    used = np.isfinite(E) & np.isfinite(Lz) & (own | (fill != "drop"))
    above = np.zeros(len(stars), dtype=bool)
    above[used] = E[used] >= line(Lz[used])
    return used, above, own


def check_whole(fit: Fit) -> None:
    """Raise where a fit is one part of a split sample: its settings do not choose that part's stars.

    Raises
    ------
    UsageError
        The fit is such a part.
    """
    if {ABOVE, BELOW} & set(fit.cutflow.names):
        raise UsageError(
            f"{' and '.join(fit.names[::-1])} are components of the stars on one side of a boundary, which other bins "
            "would not keep to; use the four components together (four.h5)."
        )


def stack(fit: Fit, high: Fit, low: Fit) -> Fit:
    """Return the components of two parts as one fit, their weights found together in the bins of the whole's fit."""
    names, H = (*low.names, *high.names), np.concatenate([low.H, high.H])
    settings = fit.settings.replace(components=len(H))
    apart = next((part.status for part in (high, low) if not part.converged), CONVERGED)
    whole = replace(fit, H=H, names=names, settings=settings, status=apart, provenance={})
    found = apply_mixtures(whole, fit.mixtures, fit.cutflow)
    mass = np.where(np.isfinite(fit.bin_energy)[:, None], found.W, 0.0)
    total = mass.sum(axis=0)
    return replace(
        whole,
        W=found.W,
        mean_energy=np.divide(
            mass.T @ np.nan_to_num(fit.bin_energy), total, out=np.full(len(H), np.nan), where=total > 0
        ),
        loss=high.loss + low.loss,
        kkt=max(high.kkt, low.kkt),
        n_iter=high.n_iter + low.n_iter,
        status=apart if found.converged.all() else "MAX_ITER",
    )


def _part(
    fit: Fit, stars: Any, flow: CutFlow, axes: tuple[Axis, ...], name: str, settings: SplitSettings
) -> tuple[Fit, bool]:
    """Fit one part, its components in the order of the settings; and whether the other order is the same."""
    mixtures = mix(stars, axes, fit.settings.chemistry, weights_of(stars, fit.settings.weights))
    part = fit_mixtures(mixtures, stars, flow, fit.settings.replace(axes=axes))
    if IRON not in fit.settings.chemistry.variables:
        if settings.order == "metallicity":
            raise UsageError(f"no plane shows {IRON}, by which to order; use order energy.")
        agrees = True
    else:
        poor, rich = percentiles(part, IRON, (50.0,))[::-1, 0]
        agrees = not poor > rich
    if settings.order == "metallicity" and not agrees:
        part = replace(part, W=part.W[:, ::-1], H=part.H[::-1], mean_energy=part.mean_energy[::-1])
    return replace(part, names=(f"{name}2", f"{name}1")), agrees
