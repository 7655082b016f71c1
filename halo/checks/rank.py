"""How many components: fits to one half of the stars, judged by the other half (`nmfcore.select_rank`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from ..errors import InputError, UsageError
from ..fits.engine import resolve_device
from ..fits.settings import FitSettings
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.counts import mix
from ..progress import Progress, silent
from ..stars.catalogue import StarsLike
from ..stars.selection import choose
from .settings import PIXELS, RankSettings

if TYPE_CHECKING:
    from nmfcore import RankScores, RankSelection

LOSSES = ("frobenius", "kullback-leibler")
UNSEEN = 0.05
"""Fraction of the counts in pixels that the other half of the stars lacks, above which pixels are too fine."""
SHORT = {"frobenius": "squared error", "kullback-leibler": "Kullback-Leibler"}
"""What the scores are called in words."""


@dataclass(frozen=True, repr=False)
class Rank(InWords):
    """How well each number of components predicts stars that it was not fitted to.

    Attributes
    ----------
    found : RankSelection
        The engine's scores; those of the loss that makes the choice come first.
    by : str
        What the splits kept whole or balanced.
    bins, pixels : int
        m, and l along each side.
    seed, starts : int
        Of the splits, and of each fit.
    """

    found: RankSelection
    by: str
    bins: int
    pixels: int
    seed: int
    starts: int

    @property
    def choice(self) -> int:
        """The number of components: the smallest within one standard error of the best."""
        return self.found.choice

    @property
    def n_stars(self) -> int:
        """Stars in the bins and the images."""
        return self.found.n_stars

    def table(self) -> Table:
        """Return a row per number of components, the scores of the other loss in columns that end with its name.

        ``k``, ``score``, ``gain`` (over the next smaller k), ``gain_se`` and ``chosen`` (by so many halves).
        """
        table = Table({"k": self.found.ranks})
        for i, one in enumerate(self.found.by_loss):
            end = f"_{one.loss.replace('-', '_')}" if i else ""
            for name in ("score", "gain", "gain_se", "chosen"):
                table[name + end] = getattr(one, name)
        table.meta |= self.record()
        return described(table, "rank")

    def rows(self) -> list[dict[str, float | None]]:
        """Return the rows of the table, None where a number has no gain, for programs."""
        table = self.table()
        columns = {name: [x if np.isfinite(x) else None for x in table[name].tolist()] for name in table.colnames}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def record(self) -> dict[str, Any]:
        """Return the choice and what it rests on, for files and programs."""
        first = self.found.by_loss[0]
        return {
            "choice": self.choice,
            "loss": first.loss,
            "choices": {one.loss: one.choice for one in self.found.by_loss},
            "best": {one.loss: one.best for one in self.found.by_loss},
            "splits": len(first.scores),
            "by": self.by,
            "stars": self.n_stars,
            "bins": self.bins,
            "pixels": self.pixels,
            "unseen": self.found.unseen,
            "not_converged": self.found.not_converged,
            "seed": self.seed,
            "starts": self.starts,
            "notes": self.notes(),
        }

    def notes(self) -> list[str]:
        """Return what a reader of the choice should know: losses that disagree, and numbers that were too few."""
        notes = []
        choices = {one.loss: one.choice for one in self.found.by_loss}
        if len(set(choices.values())) > 1:
            said = ", ".join(f"{k} by {SHORT[loss]}" for loss, k in choices.items())
            notes.append(f"the scores disagree ({said}): try fewer pixels or bins, with more stars in each.")
        if self.found.unseen > UNSEEN:
            notes.append(
                f"{100 * self.found.unseen:.0f} % of the counts are in pixels where the other half of the stars has "
                "none: with fewer pixels more components may be seen."
            )
        most = int(self.found.ranks[-1])
        if most in choices.values():
            notes.append(f"the largest number was chosen: more than {most} may be there; raise max_components.")
        return notes

    def describe(self) -> str:
        """Return the gains, a line per number of components, and the choice."""
        both = self.found.by_loss
        rows = ["     " + "  ".join(f"{SHORT[one.loss]:>26}" for one in both)]
        rows.append("  k  " + "  ".join("     gain      +-   chosen" for _ in both))
        for i, k in enumerate(self.found.ranks):
            rows.append(f"{k:3d}  " + "  ".join(_numbers(one, i) for one in both))
        return "\n".join([*rows, *self.notes(), self.sentence()])

    def sentence(self) -> str:
        """Return the choice in a sentence."""
        first = self.found.by_loss[0]
        halves = 2 * len(first.scores)
        times = int(first.chosen[first.ranks == first.choice][0])
        said = f"{self.choice} component{'s' * (self.choice != 1)} by {SHORT[first.loss]}"
        others = "".join(f", {one.choice} by {SHORT[one.loss]}" for one in self.found.by_loss[1:])
        sample = f"{self.n_stars:,} stars, {self.bins} bins, {self.pixels} pixels"
        return f"{said} (best for {times} of {halves} halves of the stars){others}; {sample}"

    def problems(self) -> str:
        """Return how many fits did not converge; empty for none."""
        number = self.found.not_converged
        return f"not converged: {number} fit{'s' * (number != 1)} of halves" if number else ""


def _numbers(one: RankScores, i: int) -> str:
    if i == 0:
        return f"{'':17}  {one.chosen[i]:7d}"
    return f"{one.gain[i]:9.1f}  {one.gain_se[i]:6.1f}  {one.chosen[i]:7d}"


def rank(
    stars: StarsLike,
    settings: FitSettings | None = None,
    *,
    max_components: int = RankSettings.max_components,
    splits: int = RankSettings.splits,
    loss: str = RankSettings.loss,
    by: str = RankSettings.by,
    starts: int = RankSettings.starts,
    seed: int = RankSettings.seed,
    progress: Progress = silent,
) -> Rank:
    """Return how many components the chemistry of stars in bins calls for.

    The stars are split into halves at random, again and again. Components are fitted to one half, by either loss, and
    judged by how well they predict where in the images the stars of the other half lie; see `nmfcore.select_rank` for
    the formulas.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars.
    settings : FitSettings, optional
        Selection, bins and images, and the device; the paper's with 20 pixels by default.
    max_components : int
        Numbers from 1 to this one are compared.
    splits : int
        Random splits; either half of each is judged by the other.
    loss : {"frobenius", "kullback-leibler"}
        The one that makes the choice; the other one is given too.
    by : str
        ``star``; ``bin``, for halves with the same number of stars in every bin; or a column, whose stars of equal
        values stay together (``field`` is the column ``FIELD``).
    starts : int
        Starts of each fit.
    seed : int
        Of the splits and starts.
    progress : callable, optional
        Called with the stage, the fits done and their number.

    Returns
    -------
    Rank

    Raises
    ------
    UsageError
        A number, a loss or a column that makes no sense.
    InputError
        Too few stars for so many components.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.rank("stars.fits", max_components=4)  # doctest: +SKIP
    >>> found.choice  # doctest: +SKIP
    """
    import nmfcore

    settings = settings or FitSettings.of(pixels=PIXELS)
    settings.refuse_weights("the choice of a number of components")
    if max_components < 2 or splits < 2 or starts < 1 or seed < 0:
        raise UsageError(
            f"max_components and splits must be >= 2, starts >= 1 and seed >= 0; got {max_components}, {splits}, "
            f"{starts} and {seed}."
        )
    if loss not in LOSSES:
        raise UsageError(f"loss must be one of {', '.join(LOSSES)}; got {loss!r}.")
    chosen, _ = choose(stars, settings.selection)
    mixtures = mix(chosen, settings.axes, settings.chemistry)
    groups = None if by in ("star", "bin") else _labels(chosen, by)
    try:
        found = nmfcore.select_rank(
            mixtures.rows,
            mixtures.columns,
            mixtures.V.shape,
            ranks=range(1, max_components + 1),
            splits=splits,
            losses=(loss, *(other for other in LOSSES if other != loss)),
            groups=groups,
            within_rows=by == "bin",
            starts=starts,
            seed=seed,
            device=resolve_device(settings.solver.device),
            progress=lambda done, total: progress("fits of halves", done, total),
        )
    except nmfcore.ProblemError as error:
        # What the arguments alone could make wrong was checked above: here the stars are too few for them.
        raise InputError(str(error)) from error
    return Rank(found, by, len(mixtures.bins), settings.chemistry.pixels, seed, starts)


def _labels(table: Table, by: str) -> np.ndarray:
    """Return the labels of the groups that a column makes of the stars."""
    name = "FIELD" if by == "field" else by
    if name not in table.colnames:
        raise UsageError(
            f"by {by!r}: expected star, bin or a column, and these stars have no column {name}; "
            f"prepare them with --keep {name}."
        )
    return np.asarray(table[name]).astype(str)
