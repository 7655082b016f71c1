"""Profile-likelihood intervals of mass fractions: how far a fraction can be moved before the fit becomes worse.

The counts V are taken to be Poisson numbers of mean W H, whose deviance the Kullback-Leibler divergence halves. One
component's fraction s of all counts is held at a value, and everything else is fitted again:

    D(s) = min over W, H of 2 sum(V log(V / W H) - V + W H),    sum_i W_i,c = s sum(W),  rows of H at unit sum.

Were all counts independent, D(s) - D(s_fit) would be of chi-squared with one degree of freedom at the true s (Wilks
1938). But a star counts once in each of P planes, and those counts tell the same: the interval is where

    D(s) - D(s_fit) <= P times the chi-squared quantile

so that for two planes 68 % intervals end where the deviance has risen by 2. That is exact where the planes tell the
same of a star and wide where they tell different things; by how much the data have it, `Likelihood.dependence`, is
measured from the stars' own scores (Varin, Reid & Firth 2011, Statistica Sinica 21, 5). Of weighted stars the counts
are sums of weights; times the sum of the weights over that of their squares they scatter as counts do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from ..errors import UsageError
from ..io.columns import described
from ..io.notebook import Shown, bar
from ..rounding import percent
from .engine import not_converged
from .fit import NAMES, Fit
from .held_fraction import Counts, dependence
from .reading import ACCRETED
from .settings import DIVERGENCE, LikelihoodSettings
from .store import FitLike, as_fit


@dataclass(frozen=True, repr=False)
class Likelihood(Shown):
    """Profile-likelihood intervals of the mass fractions of components.

    Attributes
    ----------
    names : tuple of str
        Components, or groups of them.
    fraction : ndarray, shape (k,)
        Mass fractions at the least deviance: the fit's.
    low, high : ndarray, shape (k,)
        Ends of the intervals; 0 and 1 where the deviance does not rise enough before.
    level : float
        Probability of the intervals.
    threshold : float
        By how much the deviance rises to their ends.
    dependence : ndarray, shape (k,)
        By how much the stars' scores vary, over what independent counts would: 1 where the planes tell different things
        of a star, the number of planes where they tell the same.
    deviance : float
        The least.
    unsettled : tuple of str
        Those for which a held fraction did not converge, or a lower deviance was found than the fit's.
    fit_status : str
        How the fit ended.
    fit_kkt : float
        Its residual of the optimality conditions.
    """

    names: tuple[str, ...]
    fraction: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    threshold: float
    dependence: np.ndarray
    deviance: float
    unsettled: tuple[str, ...]
    fit_status: str
    fit_kkt: float

    def table(self) -> Table:
        """Return a row per component: ``component``, ``fraction``, ``low``, ``high``, ``dependence``."""
        columns = {name: getattr(self, name) for name in ("fraction", "low", "high", "dependence")}
        table = Table({"component": list(self.names), **columns})
        table.meta |= {
            "level": self.level, "threshold": self.threshold, "deviance": self.deviance,
            "unsettled": list(self.unsettled), "fit_status": self.fit_status, "fit_kkt": self.fit_kkt,
        }  # fmt: skip
        return described(table, "likelihood")

    def describe(self) -> str:
        """Return a line per component, and what the intervals are."""
        width = max(map(len, self.names))
        lines = [
            f"{name:<{width}}  {percent(x, interval=(a, b))}"
            for name, x, a, b in zip(self.names, self.fraction, self.low, self.high, strict=True)
        ]
        said = f"{100 * self.level:g} % intervals"
        return "\n".join([*lines, f"{said} of the profile likelihood (deviance + {self.threshold:.2f})"])

    def problems(self) -> str:
        """Return what did not converge, or where the fit was not the best one; empty where all is well."""
        parts = [not_converged(self.fit_status, self.fit_kkt)]
        if self.unsettled:
            parts.append(
                f"the deviance with {', '.join(self.unsettled)} held did not settle, or fell below the fit's: fit "
                "again with more --starts"
            )
        return "; ".join(filter(None, parts))

    def _shown(self) -> tuple[str, dict[str, str], str]:
        facts = {
            name: percent(x, interval=(a, b))
            for name, x, a, b in zip(self.names, self.fraction, self.low, self.high, strict=True)
        }
        facts["status"] = self.problems() or "converged"
        title = f"Profile-likelihood intervals of {100 * self.level:g} %"
        return title, facts, bar(self.fraction.tolist())


def likelihood(
    fit: FitLike,
    *,
    level: float = LikelihoodSettings.level,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Likelihood:
    """Return profile-likelihood intervals of a fit's mass fractions: no replicates, a fraction of a second.

    Parameters
    ----------
    fit : Fit or path
        By Kullback-Leibler and without penalties; the stars that it counted travel with it.
    level : float
        Probability of the intervals.
    groups : mapping of str to sequence of str, optional
        Names of components whose fractions are added up, by the group's name, such as ``{"accreted": ("C3", "C4")}``;
        every component by itself otherwise, and those read as accreted together where they are several.

    Returns
    -------
    Likelihood

    Raises
    ------
    UsageError
        Another loss, penalties, fewer than two components, components that no single fit found, or a group that is
        none.

    Examples
    --------
    >>> from halonmf import halo
    >>> fit = halo.fit("stars.fits", components=3, loss="kullback-leibler", pixels=20)  # doctest: +SKIP
    >>> print(halo.likelihood(fit).describe())  # doctest: +SKIP
    """
    from scipy.special import chdtri

    fit = as_fit(fit)
    solver, mixtures = fit.settings.solver, fit.mixtures
    if fit.names == NAMES or fit.W.shape != (len(mixtures.V), len(fit.H)):
        raise UsageError("a likelihood is of one fit; these components come from several.")
    if solver.loss not in DIVERGENCE or solver.alpha_W or solver.alpha_H:
        raise UsageError(
            "a profile likelihood needs a fit that maximised the likelihood: by --loss kullback-leibler, without "
            f"penalties; this one is by {solver.loss}{' with penalties' if solver.alpha_W or solver.alpha_H else ''}."
        )
    if len(fit.names) < 2:
        raise UsageError("one component has all the counts; an interval needs two or more.")
    if not 0 < level < 1:
        raise UsageError(f"level must lie between 0 and 1, got {level:g}.")
    members = {name: _members(fit.names, some) for name, some in (groups or _groups(fit)).items()}
    threshold = float(mixtures.columns.shape[1] * chdtri(1, 1 - level))
    scale = mixtures.per_weight
    times = None if mixtures.weights is None else scale * mixtures.weights
    counts = Counts.of(scale * mixtures.V, scale * fit.W, fit.H)
    found = {name: counts.ends(group, threshold) for name, group in members.items()}
    return Likelihood(
        names=tuple(found),
        fraction=np.array([counts.fraction(group) for group in members.values()]),
        low=np.array([low.at for low, _ in found.values()]),
        high=np.array([high.at for _, high in found.values()]),
        level=level,
        threshold=threshold,
        dependence=np.array(
            [dependence(counts, ends, mixtures.rows, mixtures.columns, times) for ends in found.values()]
        ),
        deviance=counts.best.deviance,
        unsettled=tuple(name for name, ends in found.items() if not all(end.settled for end in ends)),
        fit_status=fit.status,
        fit_kkt=fit.kkt,
    )


def _groups(fit: Fit) -> dict[str, Sequence[str]]:
    # Every component, and the accreted ones together where they are several
    found: dict[str, Sequence[str]] = {name: (name,) for name in fit.names}
    places = fit.reading.accreted
    if len(places) > 1:
        found[ACCRETED] = [fit.names[j] for j in places]
    return found


def _members(names: Sequence[str], some: Sequence[str]) -> np.ndarray:
    # Which components a group has; bool, shape (k,)
    wanted = (some,) if isinstance(some, str) else tuple(some)
    unknown = [name for name in wanted if name not in names]
    if unknown or not 0 < len(set(wanted)) < len(names):
        raise UsageError(
            f"a group is some of the components {', '.join(names)}, not all and not none; got {', '.join(wanted)}."
        )
    return np.isin(names, wanted)
