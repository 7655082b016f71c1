"""A fit of an observed simulated galaxy compared with its truth: purity, completeness and fractions of HE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import QTable, vstack

from ..errors import InputError, UsageError
from ..fits.fit import Fit
from ..fits.reading import ACCRETED
from ..fits.settings import FitSettings
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.settings import DEFAULT_PLANES, Chemistry, parse_axes
from ..products.memberships import memberships
from ..products.profile import Profile, profile
from ..products.settings import ApplySettings
from ..stars.catalogue import StarsLike, as_table
from ..stars.selection import choose
from ..stars.variables import values

AXES = ("r:10:2:14", "z:10:0:10", "R:10:2:14")
"""Bins of the profiles, kpc; the paper's. Against E there are as many of equal counts."""
ENERGY = "E:12"
LIKELY = 0.5
"""Stars above this probability are called accreted."""


@dataclass(frozen=True)
class Score:
    """How well stars that are called accreted are.

    Attributes
    ----------
    purity, completeness : float
        Accreted fraction of the stars that count as HE, each by its probability; fraction of the accreted stars that
        count as HE.
    likely_purity, likely_completeness : float
        The same of the stars whose probability is above `LIKELY`.
    """

    purity: float
    completeness: float
    likely_purity: float
    likely_completeness: float


@dataclass(frozen=True, repr=False)
class GalaxyRecovery(InWords):
    """What a fit of an observed galaxy finds, and the truth.

    Attributes
    ----------
    fit : Fit
        Of the observed stars.
    stars : Table
        The fitted stars.
    accreted : ndarray of bool, shape (N,)
        Their truth.
    score, best : Score
        Of the fit; and of components that are known, the counts of the true populations in the same bins and pixels of
        one half of the stars, which the other half is judged by: what its chemistry and orbits allow.
    probability, best_probability : ndarray, shape (N,)
        Of being accreted, by the fit and by those known components.
    known : Fit
        The fit with the known components in place of its own.
    profiles : dict of str to Profile
        Of the fit, by variable.
    true_fractions : dict of str to ndarray
        Accreted fraction of the same stars in the same bins; NaN where a bin is empty.
    before : str
        What became of the particles until the stars were there, to be described with the rest.
    """

    fit: Fit
    stars: Any
    accreted: np.ndarray
    score: Score
    best: Score
    probability: np.ndarray
    best_probability: np.ndarray
    known: Fit
    profiles: dict[str, Profile]
    true_fractions: dict[str, np.ndarray]
    before: str = ""

    @property
    def true_fraction(self) -> float:
        """Accreted fraction of the fitted stars, which is the purity of any sample that is drawn blindly."""
        return float(self.accreted.mean())

    def rms(self, variable: str) -> float:
        """Return the rms difference of the accreted fractions along a variable, over bins of enough stars."""
        found = self.profiles[variable]
        difference = found.application.accreted_fractions - self.true_fractions[variable]
        return float(np.sqrt(np.nanmean(np.where(self._enough(variable), difference, np.nan) ** 2)))

    def _enough(self, variable: str) -> np.ndarray:
        found = self.profiles[variable]
        return found.application.mixtures.n_stars >= found.min_stars

    def table(self) -> QTable:
        """Return the profiles as one table, a row per bin; the scores are in the metadata.

        Columns ``variable``, ``lower``, ``upper``, ``centre`` (in the variable's unit), ``n_stars``,
        ``fraction_accreted`` of the fit and ``true_fraction`` of the stars.
        """
        parts = []
        for name, found in self.profiles.items():
            bounds = found.application.mixtures.bins.bounds[:, 0]
            part = QTable({"variable": np.full(len(bounds), name)})
            part["lower"], part["upper"] = bounds.T
            part["centre"] = bounds.mean(axis=-1)
            part["n_stars"] = found.application.mixtures.n_stars
            part["fraction_accreted"] = found.application.accreted_fractions
            part["true_fraction"] = self.true_fractions[name]
            parts.append(part)
        table = vstack(parts)
        table.meta = {
            "n_stars": len(self.accreted),
            "accreted_fraction": self.fit.accreted_fraction,
            "true_fraction": self.true_fraction,
            "fit": vars(self.score),
            "known_components": vars(self.best),
            "rms": {name: self.rms(name) for name in self.profiles},
            "status": self.fit.status,
        }
        return described(table, "observe")

    def describe(self) -> str:
        """Return the cut-flow, purity and completeness, and how far the profiles are from the truth."""
        label = self.fit.reading.label

        def said(score: Score) -> str:
            return (
                f"purity {100 * score.purity:.1f} %, completeness {100 * score.completeness:.1f} %; above probability "
                f"{LIKELY:g} {100 * score.likely_purity:.1f} % and {100 * score.likely_completeness:.1f} %"
            )

        rms = ", ".join(f"{name} {self.rms(name):.3f}" for name in self.profiles)
        before = f"{self.before}\n" if self.before else ""
        return (
            f"{before}{self.fit.cutflow}\n{self.fit.mixtures.describe()}\n{self.fit.verdict.describe()}\n"
            f"planes: {', '.join(map(str, self.fit.mixtures.chemistry.planes))}\n"
            f"with the true components: {said(self.best)}\n"
            f"accreted fraction {100 * self.fit.accreted_fraction:.1f} % found, {100 * self.true_fraction:.1f} % true; "
            f"rms of the profiles {rms}\n"
            f"{label}: {said(self.score)}"
        )

    def problems(self) -> str:
        """Return what did not converge; empty where all did."""
        return next((x for x in (self.fit.problems(), *(p.problems() for p in self.profiles.values())) if x), "")


def available(stars: Any, chemistry: Chemistry) -> Chemistry:
    """Return the images that stars have: of the default planes those whose abundances are there; others as they are.

    Raises
    ------
    InputError
        None of the default planes is there.
    """
    if chemistry.planes != DEFAULT_PLANES:
        return chemistry
    planes = tuple(p for p in chemistry.planes if {p.x, p.y} <= set(stars.colnames))
    if not planes:
        found = ", ".join(n for n in stars.colnames if n.endswith(("_FE", "FE_H"))) or "none"
        raise InputError(f"the stars have none of the planes {', '.join(map(str, chemistry.planes))}; found {found}.")
    kept = {name: pair for name, pair in chemistry.ranges if name in {x for p in planes for x in (p.x, p.y)}}
    return Chemistry.of(planes, kept, chemistry.pixels)


def recover(fit: Fit, stars: StarsLike, axes: Sequence[str] = (*AXES, ENERGY)) -> GalaxyRecovery:
    """Return how well a fit of an observed galaxy finds its accreted stars.

    Parameters
    ----------
    fit : Fit
        Of the stars.
    stars : Table, Catalogue or path
        As `observe.observe` gives them, with the column ``accreted``.
    axes : sequence of str
        Bins of the profiles, one variable each.

    Returns
    -------
    GalaxyRecovery

    Raises
    ------
    UsageError
        Stars without the truth.
    InputError
        Stars of one origin alone.

    Examples
    --------
    >>> from halonmf import halo
    >>> stars = halo.observe(halo.read_galaxy("snapshot_600.hdf5", "fire2"))  # doctest: +SKIP
    >>> found = halo.recover(halo.fit(stars, planes="MG_FE:FE_H"), stars)  # doctest: +SKIP
    >>> found.score.purity, found.best.purity  # doctest: +SKIP
    """
    table = as_table(stars)
    if ACCRETED not in table.colnames:
        raise UsageError("the stars have no column accreted, their truth; make them with halonmf observe.")
    chosen, _ = choose(table, fit.settings.selection)
    truth = values(chosen, ACCRETED) > 0
    if truth.all() or not truth.any():
        raise InputError(f"all {len(truth):,} chosen stars are {'accreted' if truth.all() else 'in situ'}.")
    ours = memberships(fit, table).P_accreted
    # a star has no part in the counts that judge it
    even, best = np.arange(len(truth)) % 2 == 0, np.empty(len(truth))
    for half in (even, ~even):
        best[half] = memberships(_known(fit, truth, ~half), table).P_accreted[half]
    known = _known(fit, truth, np.ones(len(truth), dtype=bool))
    profiles = {axis.variable: profile(fit, table, [axis], min_stars=ApplySettings.min_stars)
                for text in axes for axis in parse_axes(text)}  # fmt: skip
    true = {}
    for name, each in profiles.items():
        rows, m = each.application.mixtures.rows, len(each.application.W)
        n = np.bincount(rows[rows >= 0], minlength=m).astype(float)
        hits = np.bincount(rows[(rows >= 0) & truth], minlength=m)
        true[name] = np.divide(hits, n, out=np.full(m, np.nan), where=n > 0)
    return GalaxyRecovery(fit, chosen, truth, score(ours, truth), score(best, truth), ours, best, known, profiles, true)


def score(probability: np.ndarray, truth: np.ndarray) -> Score:
    """Return purity and completeness of probabilities; stars without one count as not called accreted.

    Purities are NaN where no star is called accreted.
    """
    p = np.nan_to_num(probability)
    likely = p > LIKELY

    def ratio(hits: Any, of: Any) -> float:
        return float(hits / of) if of else float("nan")

    return Score(
        purity=ratio((p * truth).sum(), p.sum()),
        completeness=ratio((p * truth).sum(), truth.sum()),
        likely_purity=ratio((likely & truth).sum(), likely.sum()),
        likely_completeness=ratio((likely & truth).sum(), truth.sum()),
    )


def _known(fit: Fit, truth: np.ndarray, among: np.ndarray) -> Fit:
    """Return the fit that knows the origin of some stars: their counts in its bins and images, by population."""
    mixtures = fit.mixtures
    parts = []
    for chosen in (~truth & among, truth & among):
        rows, columns = mixtures.rows[chosen], mixtures.columns[chosen]
        seen = (rows[:, None] >= 0) & (columns >= 0)
        cells = (rows[:, None] * mixtures.chemistry.n + columns)[seen]
        parts.append(np.bincount(cells, minlength=mixtures.V.size).reshape(mixtures.V.shape).astype(float))
    H = np.stack([part.sum(axis=0) for part in parts])
    total = H.sum(axis=1, keepdims=True)
    H = np.divide(H, total, out=np.zeros_like(H), where=total > 0)
    W = np.stack([part.sum(axis=1) for part in parts], axis=1)
    return replace(fit, W=W, H=H, names=("LE", "HE"), judged=None)


def settings_for(stars: Any, settings: FitSettings) -> FitSettings:
    """Return the settings of a fit with the planes that the stars have."""
    return settings.replace(chemistry=available(as_table(stars), settings.chemistry))
