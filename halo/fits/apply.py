"""A fit's components in stars binned another way, and factors that are held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable

from ..errors import InputError, UsageError
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.bins import BinsLike
from ..mixtures.counts import Mixtures, mix
from ..stars.catalogue import StarsLike, as_table, read_catalogue
from ..stars.cutflow import CutFlow
from ..stars.selection import choose
from ..stars.settings import Selection, as_selection
from ..stars.weights import weights_of
from .conventions import checked
from .engine import not_converged, resolve_device, solve
from .fit import Fit, fractions
from .intervals import COVERAGES, RECOMMENDED, Ordered, interval_type
from .reading import LAST, Reading
from .settings import Solver
from .store import FitLike, as_fit
from .tables import convergence, weights_table
from .transfer import DRAWS
from .zeropoints import ZeroPoints, ZeroPointsLike, on_scale

CELLS_AT_ONCE = 2**23
"""Cells of V, over the draws of zero points, that are weighed at once: 64 MB."""


@dataclass(frozen=True, repr=False)
class Application(InWords):
    """Components of a fit found in stars binned another way.

    Attributes
    ----------
    W : ndarray, shape (m, k)
        Weights in counts, as `Fit.W`; zero where a bin is empty.
    mixtures : Mixtures
        The bins and counts.
    names : tuple of str
        Component names.
    cutflow : CutFlow
        From the catalogue to these stars.
    converged : ndarray of bool, shape (m,)
        Whether each bin's weights converged.
    fit_status : str
        Status of the fit whose components these are.
    fit_kkt : float
        Its residual of the optimality conditions.
    accreted : tuple of int
        Components that the fit reads as accreted.
    zeropoints : ZeroPoints, optional
        Those that put the stars on the scale of the fit's survey.
    drawn : ndarray, shape (draws, m, k), optional
        Fractions by zero points drawn from the normal distribution of theirs.
    """

    W: np.ndarray
    mixtures: Mixtures
    names: tuple[str, ...]
    cutflow: CutFlow
    converged: np.ndarray
    fit_status: str
    fit_kkt: float
    accreted: tuple[int, ...] = LAST
    zeropoints: ZeroPoints | None = None
    drawn: np.ndarray | None = None

    @property
    def reading(self) -> Reading:
        """Which of the components are read as accreted."""
        return Reading(self.names, self.accreted)

    @property
    def accreted_fractions(self) -> np.ndarray:
        """Fraction of the accreted components in each bin, NaN where it has nothing; shape (m,)."""
        return self.reading.of(self.fractions)

    @property
    def unconverged(self) -> np.ndarray:
        """Indices of the bins whose weights did not converge; int, shape (bins,)."""
        return np.flatnonzero(~self.converged)

    @property
    def fractions(self) -> np.ndarray:
        """Fraction of each component in each bin, NaN where it has nothing; shape (m, k)."""
        return fractions(self.W)

    def table(self) -> QTable:
        """Return weights and fractions as a table, one row per bin; see `tables.weights_table`.

        With zero points also the like of ``fraction_HE_low`` and ``fraction_HE_high``: intervals of 68 % from draws of
        the zero points, which have no other error in them. The metadata record the zero points.
        """
        table = weights_table(self.mixtures, self.W, self.fractions, self.names, self.ended())
        if self.zeropoints is not None:
            table.meta["zeropoints"] = self.zeropoints.brief() | {"draws": 0 if self.drawn is None else len(self.drawn)}
        if self.drawn is not None:
            for name, edge in zip(("low", "high"), self.interval(), strict=True):
                for component, column in zip(self.names, edge.T, strict=True):
                    table[f"fraction_{component}_{name}"] = column
        return described(table)

    def interval(self, coverage: float = COVERAGES[0]) -> tuple[np.ndarray, np.ndarray]:
        """Return the limits of the fractions from the draws of the zero points, both (m, k).

        Raises
        ------
        UsageError
            There are no draws.
        """
        if self.drawn is None:
            raise UsageError("there are no draws of zero points; apply the fit with zeropoints.")
        low, high = interval_type(RECOMMENDED)(Ordered.of(self.drawn), self.fractions, coverage)
        return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)

    def describe(self) -> str:
        """Return what was counted and left out, and the numbers of variables and bins."""
        bins = self.mixtures.bins
        said = f"{self.mixtures.describe()}\n{len(bins.axes)} variables, {len(bins)} bins"
        return said if self.zeropoints is None else f"{said}\n{self.zeropoints.describe()}"

    def problems(self) -> str:
        """Return what did not converge, the fit or the weights of bins; empty where all did."""
        return not_converged(self.fit_status, self.fit_kkt, len(self.unconverged))

    def ended(self) -> dict[str, Any]:
        """Return what metadata say of convergence: the fit's status and residual, and the bins that failed."""
        return convergence(self.fit_status, self.fit_kkt, self.unconverged)


def apply(
    fit: FitLike,
    stars: StarsLike,
    bins: BinsLike,
    *,
    selection: Selection | str | None = None,
    device: str | None = None,
    zeropoints: ZeroPointsLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Application:
    """Find a fit's components in stars binned another way: H held, W' minimises the loss (paper, section 3.4).

    Each bin is solved by itself, without the penalties of the fit: the paper's equation 4 has none, and at unit sum of
    H they would weigh otherwise than they did in the fit.

    Parameters
    ----------
    fit : Fit or path
        Whose components to apply; loss, rule, tolerance and images are the fit's.
    stars : Table, Catalogue or path
        Prepared stars; of a fit with weights, with the column of theirs. Those of another survey need `zeropoints`.
    bins : Bins, str, Axis or sequence of Axis
        The new bins, such as ``"Lz:20:-2000:2000,E:20:-3e5:-1e5"``.
    selection : Selection or str, optional
        Another than the fit's; a name keeps the fit's limits and cuts.
    device : str, optional
        Another than the fit's.
    zeropoints : ZeroPoints, path or "none", optional
        What puts stars of another survey on the scale of the fit's; ``"none"`` takes their abundances as they are.
    draws : int
        Draws of the zero points behind intervals of the fractions; 0 for no intervals.
    seed : int
        Of the draws.

    Returns
    -------
    Application

    Raises
    ------
    InputError
        No star, or none inside the bins and the images; energies of another convention than the fit's.
    UsageError
        Settings that make no sense; or stars of another survey without zero points, or with those of others.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.apply("fit.h5", "stars.fits", "Lz:20:-2000:2000,E:20:-3e5:-1e5")  # doctest: +SKIP
    >>> found.fractions.shape  # doctest: +SKIP
    (400, 2)
    """
    fit = as_fit(fit)
    own = stars = read_catalogue(stars) if isinstance(stars, str | Path) else stars
    checked(fit, own, any_survey=True)
    chemistry, wanted = fit.mixtures.chemistry, as_selection(selection, fit.settings.selection)
    stars, moved_by = on_scale(stars, fit.survey, chemistry.variables, zeropoints)
    chosen, flow = choose(stars, wanted)
    mixtures = mix(chosen, bins, chemistry, weights_of(chosen, fit.settings.weights))
    found = apply_mixtures(fit, mixtures, flow, device=device)
    if moved_by is None or not draws:
        return replace(found, zeropoints=moved_by)
    counted = []
    for one in moved_by.draws(draws, seed):
        some, _ = choose(one.moved(as_table(own)), wanted)
        counted.append(mix(some, mixtures.bins, chemistry, weights_of(some, fit.settings.weights)).V)
    where = resolve_device(fit.settings.solver.device if device is None else device)
    at_once = max(1, CELLS_AT_ONCE // mixtures.V.size)
    drawn = []
    for some in (counted[i : i + at_once] for i in range(0, draws, at_once)):
        W, _ = held_weights(np.concatenate(some), fit.H, fit.settings.solver, device=where)
        drawn.append(fractions(W).reshape(len(some), *found.W.shape))
    return replace(found, zeropoints=moved_by, drawn=np.concatenate(drawn))


def apply_mixtures(fit: Fit, mixtures: Mixtures, flow: CutFlow, *, device: str | None = None) -> Application:
    """Find a fit's components in mixtures that were made already; on the fit's device unless another is given.

    Raises
    ------
    InputError
        The mixtures have other pixels than the fit.
    """
    if mixtures.V.shape[1] != fit.H.shape[1]:
        raise InputError(f"the fit has {fit.H.shape[1]} pixels, these mixtures {mixtures.V.shape[1]}.")
    where = resolve_device(fit.settings.solver.device if device is None else device)
    W, converged = held_weights(mixtures.V, fit.H, fit.settings.solver, device=where)
    return Application(W, mixtures, fit.names, flow, converged, fit.status, fit.kkt, fit.reading.accreted)


def held_weights(V: np.ndarray, H: np.ndarray, solver: Solver, *, device: str = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """Return the weights W (m, k) of held components in V, zero where a bin is empty, and which bins converged (m,)."""
    W = np.zeros((len(V), len(H)))
    converged = np.ones(len(W), dtype=bool)
    filled = V.any(axis=1)  # an empty bin has no chemistry to weigh
    if filled.any():
        # One replicate per bin: a poor bin converges on its own scale, not on that of the richest.
        result = solve(V[filled][:, None], solver, init=(None, H), hold="H", penalised=False, device=device)
        W[filled], converged[filled] = result.W[:, 0], result.converged
    return W, converged


def held_components(V: np.ndarray, W: np.ndarray, solver: Solver, *, device: str = "cpu") -> tuple[np.ndarray, bool]:
    """Return the components H (k, n) that held weights W (m, k) have in V (m, n), and whether they converged."""
    result = solve(V, solver, init=(W, None), hold="W", penalised=False, device=device)
    return result.H, bool(result.converged)
