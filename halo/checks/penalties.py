"""The search for penalties: random draws from a grid, judged by their own error and by entries left out of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable

from ..errors import UsageError
from ..fits.fit import fit_mixtures
from ..fits.settings import FitSettings
from ..io.columns import described
from ..io.notebook import InWords
from ..io.unfinished import Unfinished
from ..mixtures.counts import mix
from ..progress import Progress, silent
from ..rounding import measured
from ..stars.catalogue import StarsLike
from ..stars.selection import choose
from .settings import SearchSettings
from .work import Work, do, record_of

DRAWS, FOLDS = SearchSettings.draws, SearchSettings.folds
ALPHAS = (0.0, *np.linspace(1e-3, 1.0, 50).tolist())
"""Strengths of either penalty: the paper's 50 linear steps, and zero, which it kept but did not have on its grid."""
L1_RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0)
STREAM = 0x5EA2C4
"""Tells the random numbers of the search from others of the same seed."""
NOUN = "settings"
"""What progress is told of."""
BATCH, SAMPLE = 128, 96
"""Settings whose factors are in memory at once, which are then saved, and those by which the time is estimated."""
MAX_ITER = 500
"""Settings that take longer are counted as not converged."""
LEAST_MASS = 1e-3
"""Fraction of V's sum below which a component counts as none: L2 penalties approach zero without reaching it."""


@dataclass(frozen=True)
class Choice:
    """One setting of the penalties."""

    alpha_W: float
    alpha_H: float
    l1_ratio: float


@dataclass(frozen=True, repr=False)
class Search(InWords):
    """Result of a search for penalties.

    Attributes
    ----------
    settings : QTable
        A row per setting, as `search` describes it.
    """

    settings: QTable

    def table(self) -> QTable:
        """Return the settings as a table, that of the least held-out error first."""
        return self.settings

    def describe(self) -> str:
        """Return the number of settings, the error without penalties, and the best setting."""
        meta, best = self.settings.meta, self.settings.meta["best"]
        lines = [
            f"{meta['draws']:,} draws, {meta['settings']:,} different settings, {meta['folds']} folds; "
            f"{meta['nothing_left']:,} leave no component, {meta['unconverged']:,} did not converge",
            f"held-out error without penalties {meta['held_out_without']:.5f}",
        ]
        if best["alpha_W"] == best["alpha_H"] == 0:
            lines.append("no setting beats it")
        else:
            relative = meta["gain"] / meta["held_out_without"]
            lines.append(
                f"best: alpha_W = {best['alpha_W']:.4g}, alpha_H = {best['alpha_H']:.4g}, "
                f"l1_ratio = {best['l1_ratio']:g}, lower by {measured(meta['gain'], error=meta['gain_se'])} "
                f"({100 * relative:.2g} %); {meta['better_than_none']:,} settings are better than none"
            )
        return "\n".join(lines)

    def problems(self) -> str:
        """Return a line where the best setting did not converge; empty where it did."""
        return "" if self.settings["converged"][0] else "the best setting did not converge"


def draw_choices(draws: int = DRAWS, seed: int = 0) -> dict[Choice, int]:
    """Return settings drawn from the grid at random, that without penalties first, and how often each was drawn.

    Without penalties the L1 ratio has no effect: all such draws count as one setting.

    Raises
    ------
    UsageError
        Fewer than one draw, or a negative seed.
    """
    if draws < 1 or seed < 0:
        raise UsageError(f"draws must be >= 1 and seed >= 0; got {draws} and {seed}.")
    rng = np.random.default_rng([seed, STREAM])
    places = (rng.integers(0, len(values), draws) for values in (ALPHAS, ALPHAS, L1_RATIOS))
    found = {Choice(0.0, 0.0, 0.0): 0}
    for i, j, l in zip(*places, strict=True):  # noqa: E741 - the grid's letters
        choice = Choice(ALPHAS[i], ALPHAS[j], L1_RATIOS[l])
        if choice.alpha_W == choice.alpha_H == 0:
            choice = Choice(0.0, 0.0, 0.0)
        found[choice] = found.get(choice, 0) + 1
    return found


def folds(V: np.ndarray, number: int, seed: int = 0) -> np.ndarray:
    """Return a fold for every entry of V, at random; int, shape of V, -1 in columns that are zero throughout.

    Those are fitted exactly by zero whatever the penalties, and tell nothing about them.

    Raises
    ------
    UsageError
        Fewer than two folds, or more than entries.
    """
    filled = np.flatnonzero(V.any(axis=0))
    if not 2 <= number <= len(V) * len(filled):
        raise UsageError(f"folds must lie between 2 and the {len(V) * len(filled)} entries; got {number}.")
    rng = np.random.default_rng([seed, STREAM, 1])
    dealt = rng.permutation(np.arange(len(V) * len(filled)) % number).reshape(len(V), len(filled))
    fold = np.full(V.shape, -1)
    fold[:, filled] = dealt
    return fold


def search(
    stars: StarsLike,
    settings: FitSettings | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    *,
    number: int = FOLDS,
    keep: Unfinished | str | Path | None = None,
    progress: Progress = silent,
) -> Search:
    """Return the errors of fits with penalties drawn at random from the paper's grid, zero included.

    Every fit starts from the one without penalties. The error is ||V - W H|| / ||V||. The held-out error is the
    same over the entries of one fold, for a fit to the other folds, averaged over the folds.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars.
    settings : FitSettings, optional
        Selection, bins, images, number of components; its penalties are not used.
    draws : int
        Draws from the grid.
    seed : int
        Of the draws and the folds.
    number : int
        Folds.
    keep : path, optional
        Folder for what is done: the same call goes on with what an interrupted one has left there, and the folder is
        removed in the end.
    progress : callable, optional
        Told of the settings that are done.

    Returns
    -------
    Search
        Its table has a row per setting, by held-out error: ``alpha_W``, ``alpha_H``, ``l1_ratio``, ``drawn`` (times),
        ``error``, ``held_out``, ``gain`` (by how much the held-out error is below that without penalties) and
        ``gain_se``, its standard error from the folds, ``components`` (that are not zero), ``fraction`` (of the
        mass in the last component; NaN where there is none) and ``converged``. The metadata name the best setting.

    Raises
    ------
    UsageError
        Another loss than least squares, or a number that makes no sense; `keep` has work with other settings.
    InputError
        Too few stars.
    OutputError
        `keep` holds something else, or cannot be written.

    Examples
    --------
    >>> from halonmf import halo
    >>> halo.search("stars.fits", draws=200).table().meta["best"]  # doctest: +SKIP
    """
    return do(search_work(stars, settings, draws, seed, number=number), keep, progress)


def search_work(
    stars: StarsLike, settings: FitSettings | None = None, draws: int = DRAWS, seed: int = 0, *, number: int = FOLDS
) -> Work[Search]:
    """Return what a search has to compute, a piece for every setting; parameters and errors as `search`."""
    import nmfcore
    from nmfcore import fit_masked

    settings = settings or FitSettings()
    settings.refuse_weights("the search for penalties")
    if not settings.solver.least_squares:
        raise UsageError(f"the search is made with the Frobenius loss, as the paper's; got {settings.solver.loss}.")
    bare = replace_penalties(settings)
    choices = draw_choices(draws, seed)
    chosen, flow = choose(stars, bare.selection)
    mixtures = mix(chosen, bare.axes, bare.chemistry)
    V, fold = mixtures.V, folds(mixtures.V, number, seed)
    made = fit_mixtures(mixtures, chosen, flow, bare)
    penalties = [nmfcore.Penalty(c.alpha_W, c.alpha_H, c.l1_ratio) for c in choices]

    def errors(some: Sequence[int], left_out: np.ndarray | None) -> dict[str, np.ndarray]:
        found = fit_masked(V, [penalties[i] for i in some], (made.W, made.H), left_out=left_out, max_iter=MAX_ITER)
        mass = found.W.sum(axis=1) * found.H.sum(axis=2)
        mass[mass < LEAST_MASS * V.sum()] = 0.0
        total = mass.sum(axis=1)
        return {
            "error": np.sqrt(np.maximum(found.error, 0) / found.squares),
            "held_out": np.maximum(found.held_out, 0) / max(found.held_out_squares, np.finfo(float).tiny),
            "components": (mass > 0).sum(axis=1),
            "fraction": np.divide(mass[:, -1], total, out=np.full(len(total), np.nan), where=total > 0),
            "converged": found.converged,
        }

    def compute(some: Sequence[int]) -> dict[str, np.ndarray]:
        parts = [errors(some, fold == i) for i in range(number)]
        whole = errors(some, None)
        held = np.sqrt(np.stack([part["held_out"] for part in parts], axis=1))
        converged = np.all([whole["converged"], *(part["converged"] for part in parts)], axis=0)
        return {**whole, "held_out": held, "converged": converged}

    def finish(found: Mapping[str, np.ndarray]) -> Search:
        held = np.ascontiguousarray(found["held_out"].T)
        return Search(_table(choices, found, held, np.asarray(found["converged"]), seed, draws))

    return Work(
        said=f"{draws:,} draws, {len(choices):,} different settings, {number} folds",
        noun=NOUN,
        total=len(choices),
        fits=len(choices) * (number + 1),
        batch=BATCH,
        sample=SAMPLE,
        record=record_of("search", chosen, bare, draws=draws, seed=seed, folds=number),
        compute=compute,
        finish=finish,
    )


def replace_penalties(settings: FitSettings) -> FitSettings:
    """Return the settings without penalties."""
    return settings.replace(alpha_W=0.0, alpha_H=0.0, l1_ratio=0.0)


def _table(
    choices: dict[Choice, int],
    whole: Mapping[str, np.ndarray],
    held: np.ndarray,
    converged: np.ndarray,
    seed: int,
    draws: int,
) -> QTable:
    gains = held[:, :1] - held
    table = QTable()
    for name in ("alpha_W", "alpha_H", "l1_ratio"):
        table[name] = [getattr(choice, name) for choice in choices]
    table["drawn"] = list(choices.values())
    table["error"], table["held_out"] = whole["error"], held.mean(axis=0)
    table["gain"], table["gain_se"] = gains.mean(axis=0), gains.std(axis=0, ddof=1) / np.sqrt(len(held))
    table["components"], table["fraction"], table["converged"] = whole["components"], whole["fraction"], converged
    # Ties go to the setting without penalties: a penalty must improve the error to be chosen.
    order = np.argsort(np.round(table["held_out"], 12), kind="stable")
    table = table[order]
    table.meta |= {"draws": draws, "seed": seed, "folds": len(held), **verdict(table)}
    return described(table, "search")


def verdict(table: QTable) -> dict[str, Any]:
    """Return the best setting of a search, by how much it beats none, and how many settings leave no component."""
    best = table[0]
    return {
        "best": {name: float(best[name]) for name in ("alpha_W", "alpha_H", "l1_ratio")},
        "gain": float(best["gain"]),
        "gain_se": float(best["gain_se"]),
        "held_out_without": float(table["held_out"][is_none(table)][0]),
        "settings": len(table),
        "better_than_none": int((table["gain"] > 0).sum()),
        "nothing_left": int((table["components"] == 0).sum()),
        "unconverged": int((~table["converged"]).sum()),
    }


def is_none(table: QTable) -> np.ndarray:
    """Return which row has no penalty."""
    return np.asarray((table["alpha_W"] == 0) & (table["alpha_H"] == 0))
