"""The recommended analysis: as many components as split stars call for, found by the Kullback-Leibler divergence.

How many, `rank` tells; which of them are accreted, `fits.reading`. Everything that the paper reads off two components
is then read off the in-situ and the accreted part, with intervals from bootstrap replicates (docs/recommended.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.table import Table

from ..checks.rank import Rank, rank
from ..checks.settings import RankSettings
from ..ensembles.spread import Spread, spread
from ..errors import InputError, UsageError
from ..fits.apply import Application, apply
from ..fits.bootstrap import Refits
from ..fits.engine import not_converged
from ..fits.fit import Fit
from ..fits.intervals import COVERAGE, RECOMMENDED, Ordered, interval_type
from ..fits.reading import ACCRETED, IN_SITU, Reading
from ..fits.settings import Bootstrap, FitSettings
from ..fits.verdict import fullest_bins
from ..io.columns import described
from ..mixtures.settings import Axis, parse_axes
from ..products.boundary import Boundary
from ..products.classifier import Classifier
from ..products.compiling import compiled
from ..products.histograms import MIN_SHARE, PERCENTILES, percentiles_of, tracks_of
from ..products.memberships import Memberships, memberships
from ..products.overview import MAP_AXES, PROFILES
from ..products.table1 import Table1, table1
from ..products.tracks import Tracks, tracks
from ..progress import Progress, silent
from ..replicates.posterior import classifier
from ..replicates.replicate import Base, begin, reduce, usable
from ..replicates.sample import Stars
from ..replicates.setup import Setup
from ..replicates.table import key, subjects
from ..rounding import measured
from ..stars.catalogue import StarsLike, as_table
from ..stars.variables import unit_of
from ..units import ENERGY

LOSS = "kullback-leibler"
FINE, COARSE, MANY = 20, 12, 3000
"""Pixels of the images from so many stars on, and of fewer stars: with these `rank` finds what there is."""
COMPARED = RankSettings(splits=5, starts=4)
"""How numbers of components are compared: as often as in the trials of docs/rank.md."""
BATCH = 50
"""Replicates between two words on the progress."""


def settings_for(stars: int, settings: FitSettings) -> FitSettings:
    """Return settings with bins and pixels that so many stars fill, never more bins than there were.

    Parameters
    ----------
    stars : int
        Of the selection.
    settings : FitSettings
        Selection, axes, planes and all else; those of a fit of the Kullback-Leibler divergence come back.
    """
    most = fullest_bins(stars, len(settings.axes))
    axes = tuple(Axis(axis.variable, min(axis.count, most), axis.low, axis.high) for axis in settings.axes)
    pixels = FINE if stars >= MANY else COARSE
    return settings.replace(axes=axes, pixels=pixels, loss=LOSS)


@dataclass(frozen=True)
class Recommended:
    """The recommended analysis of one selection, with every product of it.

    Attributes
    ----------
    rank : Rank
        How many components the stars call for.
    base : Base
        Their fit and its products.
    refits : Refits or None
        Bootstrap replicates of the fit; None where none were asked for.
    replicates : dict of str to ndarray
        Every product of the good ones.
    profiles : dict of str to Spread
        In-situ and accreted fraction by variable, with the limits of the bootstrap.
    map : Application
        The fit applied to the grid of E and Lz that is drawn.
    classifier : Classifier
        The boundary and the published line's offset, with intervals.
    memberships : Memberships
        Of every star of the selection.
    table1 : Table1
        Fractions and percentiles of abundances, with intervals.
    """

    rank: Rank
    base: Base
    refits: Refits | None
    replicates: dict[str, np.ndarray]
    profiles: dict[str, Spread]
    map: Application
    classifier: Classifier
    memberships: Memberships
    table1: Table1

    @property
    def fit(self) -> Fit:
        """The components."""
        return self.base.fit

    @property
    def reading(self) -> Reading:
        """Which of them are accreted."""
        return self.fit.reading

    @property
    def boundary(self) -> Boundary:
        """The boundary in the (E, Lz) plane."""
        assert self.classifier.found is not None
        return self.classifier.found

    @cached_property
    def applications(self) -> dict[str, Application]:
        """The fit applied to the bins of each variable of `profiles`."""
        table = self.base.stars.table
        return {name: apply(self.fit, table, parse_axes(PROFILES[name])) for name in self.profiles}

    @property
    def tracks(self) -> Tracks:
        """Median tracks of the in-situ and of the accreted part."""
        return tracks(self.fit.merged)

    @cached_property
    def merged(self) -> dict[str, np.ndarray]:
        """The products of the fit with the in-situ and the accreted part for components, as of a fit of two."""
        one = {name: np.asarray(x)[None] for name, x in self.base.products.items()}
        found = _merged(one, self.reading, self.fit.W[None], self.fit.H[None], self.fit.settings)
        return {name: x[0] for name, x in found.items()}

    @cached_property
    def merged_replicates(self) -> dict[str, np.ndarray]:
        """The same of the good replicates, behind an axis of them; empty for none."""
        if self.refits is None:
            return {}
        good = self.refits.good
        return _merged(self.replicates, self.reading, self.refits.W[good], self.refits.H[good], self.fit.settings)

    def accreted_fraction(self) -> tuple[float, float, float]:
        """Return the accreted mass fraction and the limits of its interval; NaN for none."""
        value = self.fit.accreted_fraction
        if self.refits is None:
            return value, np.nan, np.nan
        drawn = Ordered.of(self.merged_replicates[key("mass_fraction")][:, 1])
        low, high = interval_type(RECOMMENDED)(drawn, np.asarray(value), COVERAGE)
        return value, float(low), float(high)

    def table(self) -> Table:
        """Return the numbers that are quoted, a row each: ``what``, ``value``, ``lower``, ``upper``, ``unit``.

        The accreted fraction, where it crosses each level along each variable, and the published line's offset.
        """
        rows: list[tuple[str, float, float, float, str]] = [
            ("accreted fraction", *self.accreted_fraction(), ""),
        ]
        for name, one in self.profiles.items():
            if name == "dE":  # where it crosses one half is the offset below
                continue
            for i, crossing in enumerate(one.crossings):
                if len(crossing.at) == 1:
                    at = crossing.at[0]
                    low, high = at + one.crossing_noise[:, i]
                    rows.append((f"{100 * crossing.level:g} % in {name}", at, low, high, unit_of(name)))
        off = self.classifier.offset
        rows.append(("offset of the published line", off.value, off.lower, off.upper, ENERGY))
        names = ("what", "value", "lower", "upper", "unit")
        table = Table(rows=rows, names=names)
        table.meta |= {
            "components": len(self.fit.names),
            "accreted": self.reading.label,
            "bins": len(self.fit.mixtures.bins),
            "pixels": self.fit.mixtures.chemistry.pixels,
            "stars": int(self.fit.mixtures.n_stars.sum()),
            "verdict": self.fit.verdict.word,
            "level": COVERAGE,
            "replicates": 0 if self.refits is None else len(self.refits.good),
            "replicates_lost": 0 if self.refits is None else self.refits.lost,
        }
        return described(table, "recommended")

    def describe(self) -> str:
        """Return the choice of components, the verdict, and the quoted numbers with their intervals."""
        lines = [self.rank.sentence(), f"verdict: {self.fit.verdict.line}"]
        for what, value, low, high, unit in self.table().iterrows():
            lines.append(f"{what}: {measured(float(value), str(unit), interval=(float(low), float(high)))}")
        said = f"accreted ({self.reading.label}) {100 * self.fit.accreted_fraction:.2f} %"
        return "\n".join([*lines, f"{len(self.fit.names)} components, {said}"])

    def problems(self) -> str:
        """Return what did not converge; empty where all did."""
        applied = self.map, self.boundary.application
        fit = not_converged(self.fit.status, self.fit.kkt, sum(len(each.unconverged) for each in applied))
        return "; ".join(said for said in (self.rank.problems(), fit) if said)


def recommended(
    stars: StarsLike | Stars,
    settings: FitSettings | None = None,
    *,
    components: int | None = None,
    compared: RankSettings = COMPARED,
    replicates: int = Bootstrap.replicates,
    progress: Progress = silent,
) -> Recommended:
    """Return the recommended analysis of a selection of stars.

    Parameters
    ----------
    stars : Table, Catalogue, path or Stars
        Prepared stars.
    settings : FitSettings, optional
        Selection, bins (as many or fewer are taken), planes, seed and device; the number of components, the loss and
        the pixels are the analysis's.
    components : int, optional
        How many, in place of what `rank` chooses.
    compared : RankSettings
        How numbers of components are compared.
    replicates : int
        Bootstrap replicates behind the intervals; 0 for no intervals.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    Recommended

    Raises
    ------
    InputError
        Too few stars, or stars that call for one component.
    UsageError
        Settings that make no sense.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.recommended("stars.fits")  # doctest: +SKIP
    >>> found.accreted_fraction()  # doctest: +SKIP
    >>> found.memberships.P_accreted  # doctest: +SKIP
    """
    if components is not None and components < 2:
        raise UsageError(f"components must be >= 2, got {components}: in one nothing can be told apart.")
    held = stars if isinstance(stars, Stars) else Stars(as_table(stars))
    given, bootstrap = settings or FitSettings(), Bootstrap(replicates)
    chosen = settings_for(len(held.sample(given.selection)), given)
    how = {**vars(compared), "seed": chosen.solver.seed}
    how["max_components"] = min(how["max_components"], math.prod(axis.count for axis in chosen.axes))
    found = rank(held.table, chosen, **how, progress=progress)
    k = found.choice if components is None else components
    if k < 2:
        raise InputError("these stars call for one component, in which nothing can be told apart; take more stars.")
    base = begin(held, Setup(chosen.replace(components=k)))
    refits, drawn = _replicates(base, replicates, progress)
    table, fit = held.table, base.fit
    line = classifier(fit, table, bootstrap=bootstrap, refits=refits)
    return Recommended(
        rank=found,
        base=base,
        refits=refits,
        replicates=drawn,
        profiles=_profiles(base, drawn),
        map=apply(fit, table, parse_axes(MAP_AXES)),
        classifier=line,
        memberships=memberships(fit, table),
        table1=table1(fit, None if refits is None else [refits]),
    )


def _replicates(base: Base, number: int, progress: Progress) -> tuple[Refits | None, dict[str, np.ndarray]]:
    """Return the replicates of a fit, and every product of the good ones."""
    if not number:
        return None, {}
    parts = []
    for first in range(0, number, BATCH):
        progress("bootstraps", first, number)
        parts.append(reduce(base, first, min(BATCH, number - first), keep_factors=True))
    progress("bootstraps", number, number)
    made = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    W, H, good = made.pop("W"), made.pop("H"), usable(made)
    refits = Refits(base.fit.names, W, H, good, made["similarity"], base.setup.fit.solver.seed)
    return refits, {name: x[good] for name, x in made.items()}


def _profiles(base: Base, replicates: dict[str, np.ndarray]) -> dict[str, Spread]:
    """Return the in-situ and the accreted fraction along every variable."""
    found, both = {}, base.fit.reading.both
    for name in subjects("fraction", base.products):
        own = key("fraction", name)
        found[name] = spread(
            name,
            base.coordinates[f"edges_{name}"],
            (IN_SITU, ACCRETED),
            both(base.products[own])[None],
            base.coordinates[f"n_stars_{name}"],
            replicates=both(replicates[own]) if replicates else None,
        )
    return found


def _merged(
    made: dict[str, np.ndarray], reading: Reading, W: np.ndarray, H: np.ndarray, settings: FitSettings
) -> dict[str, np.ndarray]:
    """Return products, behind an axis of replicates, as those of a fit of the in-situ and the accreted part."""
    _, images = reading.merged(W, H)
    chemistry = settings.chemistry
    found = dict(made)
    for name in (key("mass_fraction"), key("mean_fraction"), *(key("fraction", x) for x in subjects("fraction", made))):
        found[name] = reading.both(made[name])
    q = percentiles_of(images, chemistry, chemistry.variables, PERCENTILES, run=compiled)
    found |= {key("percentile", name): q[:, i] for i, name in enumerate(chemistry.variables)}
    median, _ = tracks_of(images, chemistry, MIN_SHARE, run=compiled)
    return found | {key("track", str(plane)): median[:, :, i] for i, plane in enumerate(chemistry.planes)}
