"""How many components: factorisations of one half of the stars, judged by the counts of the other half."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ProblemError
from .factorise import factorize
from .halves import Halves, halves, split_units
from .request import SEVERAL, require_whole
from .resample import places_of

LOSSES = ("frobenius", "kullback-leibler")
BACKGROUND = 0.05
"""Fraction of every prediction that is the mean image of all rows, where a zero would otherwise forbid a star."""
FEWEST_GROUPS = 8
"""With fewer groups the splits are too alike for their scatter to be an error."""


@dataclass(frozen=True, repr=False)
class RankScores:
    """How well each number of components predicts stars that it has not seen, by one loss.

    Attributes
    ----------
    loss : str
        What was minimised on one half, and is measured on the other.
    ranks : ndarray of int, shape (r,)
        Numbers of components, rising.
    scores : ndarray, shape (splits, 2, r)
        Minus the loss of a half's counts under the factorisation of the other half: the larger the better.
    """

    loss: str
    ranks: np.ndarray
    scores: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """Mean score of every rank; shape (r,)."""
        return self._halves.mean(axis=0)

    @property
    def gain(self) -> np.ndarray:
        """By how much the score exceeds that of the next smaller rank; NaN for the first; shape (r,)."""
        return np.diff(self.score, prepend=np.nan)

    @property
    def gain_se(self) -> np.ndarray:
        """Standard error of `gain`; see `select_rank`; shape (r,)."""
        return corrected_error(np.diff(self._halves, axis=1, prepend=np.nan))

    @property
    def chosen(self) -> np.ndarray:
        """How many of the 2 x splits halves each rank predicts best; int, shape (r,)."""
        return np.bincount(self._halves.argmax(axis=1), minlength=len(self.ranks))

    @property
    def best(self) -> int:
        """The rank of the largest mean score."""
        return int(self.ranks[self.score.argmax()])

    @property
    def choice(self) -> int:
        """The smallest rank that is below the best one by no more than the standard error of their difference."""
        behind = self._halves[:, [self.score.argmax()]] - self._halves
        return int(self.ranks[np.argmax(behind.mean(axis=0) <= corrected_error(behind))])

    @property
    def _halves(self) -> np.ndarray:
        return self.scores.reshape(-1, len(self.ranks))

    def __repr__(self) -> str:
        lines = [
            f"nmfcore.RankScores: {self.choice} components by {self.loss}",
            "  k       score      gain    +-  chosen",
        ]
        for k, score, gain, error, times in zip(
            self.ranks, self.score, self.gain, self.gain_se, self.chosen, strict=True
        ):
            lines.append(f"{k:3d}  {score:10.1f}  {gain:8.1f}  {error:4.1f}  {times:6d}")
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class RankSelection:
    """How many components the stars of a sample call for; `found["frobenius"]` has the scores of one loss.

    Attributes
    ----------
    by_loss : tuple of RankScores
        The scores, the loss that makes the choice first.
    n_stars : int
        Stars that count.
    unseen : float
        Fraction of the counts that fall into rows or columns where the other half has none: no rank predicts them, and
        the Kullback-Leibler score leaves them out.
    not_converged : int
        Factorisations that did not converge.
    """

    by_loss: tuple[RankScores, ...]
    n_stars: int
    unseen: float
    not_converged: int

    @property
    def choice(self) -> int:
        """The choice by the first loss."""
        return self.by_loss[0].choice

    @property
    def ranks(self) -> np.ndarray:
        """Numbers of components; int, shape (r,)."""
        return self.by_loss[0].ranks

    def __getitem__(self, loss: str) -> RankScores:
        """Return the scores of one loss."""
        for one in self.by_loss:
            if one.loss == loss:
                return one
        raise KeyError(f"no scores by {loss!r}; there are those by {', '.join(one.loss for one in self.by_loss)}")

    def __repr__(self) -> str:
        choices = ", ".join(f"{one.choice} by {one.loss}" for one in self.by_loss)
        return f"nmfcore.RankSelection: {choices}; {self.n_stars} stars, {self.by_loss[0].scores.shape[0]} splits"


def select_rank(
    rows: Any,
    columns: Any,
    shape: tuple[int, int],
    *,
    ranks: Iterable[int] = range(1, 7),
    splits: int = 20,
    losses: Sequence[str] = LOSSES,
    groups: Any = None,
    within_rows: bool = False,
    starts: int = SEVERAL,
    seed: int = 0,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RankSelection:
    """Choose the number of components by splitting the stars: what one half teaches must hold for the other.

    Parameters
    ----------
    rows : array of int, shape (n_stars,)
        Each star's bin; -1 outside all.
    columns : array of int, shape (n_stars,) or (n_stars, n_images)
        Each star's pixel in every image, as a column of V; -1 where it falls outside.
    shape : tuple of int
        (m, n) of V.
    ranks : iterable of int
        Numbers of components to compare, two at least.
    splits : int
        Random splits, two at least; either half of each is judged by the other.
    losses : sequence of {"frobenius", "kullback-leibler"}
        What to minimise and to judge by; the first makes the choice. Of few stars the squared error shows more.
    groups : array, shape (n_stars,), optional
        Stars of equal labels stay together, such as those of one field of a survey.
    within_rows : bool
        Halve the stars of every row by themselves, so that both halves have the same number in each.
    starts : int
        Starts of each factorisation, as in `factorize`.
    seed : int
        Of splits and starts. Split number j depends on the seed and on j alone.
    device : str, optional
        As in `factorize`.
    progress : callable, optional
        Called with the number of finished factorisations and that of all.

    Returns
    -------
    RankSelection

    Raises
    ------
    ProblemError
        If an argument makes no sense, or a half of the stars fills fewer rows or columns than there are components.

    Notes
    -----
    Halves are of stars, not of counts: a star enters all its images together, so that halves of counts would know of
    each other's stars. Both factors are fitted to one half alone, from starts of its own (a start at the whole sample's
    solution lets a superfluous component begin at what is common to both halves by chance). Its prediction for the
    other half is

        mu_ij = (W H)_ij t_i / s_i,

    with s_i and t_i the stars of row i in the two halves: what is judged is where stars fall, given how many a row has.
    Scores are minus the loss: -1/2 sum (v - mu)^2, or minus the Kullback-Leibler divergence, the Poisson log-likelihood
    but for a term of v alone. The latter is taken of (1 - e) mu + e q, with q_ij the prediction by one component, rows'
    sums times the mean image, and e = 0.05: zeros, which the factors of few stars have, would forbid stars. Cells where
    q is zero are left out: no rank predicts them.

    Halves of different splits share stars, so that the 2 J scores of J splits are not independent: the variance of
    their mean is not s^2 / (2 J) but s^2 (1 / (2 J) + n_test / n_train) (Nadeau & Bengio 2003, Machine Learning 52,
    239), with n_test = n_train here. All errors are of differences between ranks on the same half. The choice is the
    smallest rank within one standard error of the best (Breiman et al. 1984, Classification and Regression Trees).

    Splitting rows and columns in blocks (Owen & Perry 2009, Annals of Applied Statistics 3, 564) and splitting every
    count (Neufeld et al. 2024, JMLR 25, 57) serve where there are no stars to split.

    Examples
    --------
    >>> import numpy as np, nmfcore
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.integers(0, 10, 2000)
    >>> columns = np.where(rng.random(2000) < rows / 10, rng.integers(0, 4, 2000), rng.integers(4, 8, 2000))
    >>> nmfcore.select_rank(rows, columns, (10, 8), ranks=range(1, 4), splits=5, losses=["frobenius"]).choice
    2
    """
    m, n = (int(x) for x in shape)
    wanted = _checked(ranks, splits, losses, seed)
    row, pixel = places_of(rows, columns, m, n)
    counts = (row >= 0) & (pixel >= 0).any(axis=1)
    if not counts.any():
        raise ProblemError("no star falls into a bin and an image")
    units, strata = _units(row, groups, within_rows, counts)
    parts = halves(row[counts], pixel[counts], (m, n), split_units(units, strata, splits, seed))
    _require_filled(parts, wanted[-1])
    background, failed, found = Background.of(parts), 0, []
    total = len(losses) * len(wanted) * len(parts.counts)
    done = 0
    for loss in losses:
        scores = []
        for k in wanted:
            result = factorize(parts.counts, k, loss=loss, starts=starts if k > 1 else 1, seed=seed, device=device)
            failed += int((~result.converged).sum())
            W, H = (x.astype(np.float64) for x in result.normalised())
            scores.append(held_out(parts, W * parts.ratio[:, :, None], H, loss, background))
            done += len(parts.counts)
            if progress is not None:
                progress(done, total)
        found.append(RankScores(loss, np.array(wanted), np.stack(scores, axis=-1).reshape(splits, 2, -1)))
    return RankSelection(tuple(found), int(counts.sum()), background.unseen, failed)


@dataclass(frozen=True, eq=False)
class Background:
    """What one component predicts: the mean image of all rows, as often as each row has stars.

    Attributes
    ----------
    cells : ndarray, shape (2 x splits, cells)
        The prediction for the other half of each half.
    total : ndarray, shape (2 x splits,)
        Its sum over all entries of V.
    unseen : float
        Fraction of all counts that it does not predict.
    """

    cells: np.ndarray
    total: np.ndarray
    unseen: float

    @classmethod
    def of(cls, parts: Halves) -> Background:
        """Return the predictions from each half."""
        pattern, counts = parts.counts, parts.counts.cells()
        m, n = pattern.shape[1:]
        sums = np.stack([np.bincount(pattern.rows, one, minlength=m) for one in counts]) * parts.ratio
        image = np.stack([np.bincount(pattern.column_of, one, minlength=n) for one in counts])
        image = image / image.sum(axis=1, keepdims=True)
        cells = sums[:, pattern.rows] * image[:, pattern.column_of]
        return cls(cells, sums.sum(axis=1), float(counts[parts.other][cells == 0].sum() / counts.sum()))


def held_out(parts: Halves, W: np.ndarray, H: np.ndarray, loss: str, background: Background) -> np.ndarray:
    """Return the score of each half's other half; shape (2 x splits,).

    Parameters
    ----------
    parts : Halves
        The counts.
    W, H : ndarray, shapes (2 x splits, m, k) and (2 x splits, k, n)
        What each half predicts of the other: its factors, the weights scaled to the other's stars.
    loss : str
        One of `LOSSES`.
    background : Background
        What one component predicts.
    """
    pattern, counts = parts.counts, parts.counts.cells()
    scores = np.empty(len(counts))
    for b, other in enumerate(parts.other):
        v = counts[other].astype(np.float64)
        mu = np.einsum("ck,kc->c", W[b][pattern.rows], H[b][:, pattern.column_of])
        if loss == "frobenius":
            # The squared sum over all entries of W H, most of which are in no cell.
            squares = ((W[b].T @ W[b]) * (H[b] @ H[b].T)).sum()
            scores[b] = -0.5 * (v @ v - 2 * v @ mu + squares)
        else:
            total = (1 - BACKGROUND) * (W[b].sum(axis=0) @ H[b].sum(axis=1)) + BACKGROUND * background.total[b]
            mu = (1 - BACKGROUND) * mu + BACKGROUND * background.cells[b]
            counted = (v > 0) & (background.cells[b] > 0)
            v, mu = v[counted], mu[counted]
            scores[b] = -(v @ np.log(v / mu) - v.sum() + total)
    return scores


def corrected_error(x: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean of x over its first axis, the halves; see `select_rank`."""
    return x.std(axis=0, ddof=1) * np.sqrt(1 / len(x) + 1)


def _checked(ranks: Iterable[int], splits: int, losses: Sequence[str], seed: int) -> list[int]:
    wanted = list(ranks)
    for name, value in (("splits", splits), ("seed", seed), *(("ranks", k) for k in wanted)):
        require_whole(name, value)
    wanted = sorted({int(k) for k in wanted})
    if len(wanted) < 2 or wanted[0] < 1:
        raise ProblemError(f"ranks must be two or more numbers of components, from 1 on; got {wanted}")
    if splits < 2 or seed < 0:
        raise ProblemError(f"splits must be >= 2, which have a scatter, and seed >= 0; got {splits} and {seed}")
    if isinstance(losses, str) or not losses or not set(losses) <= set(LOSSES) or len(set(losses)) < len(losses):
        raise ProblemError(f"losses must be one or both of {LOSSES}; got {losses!r}")
    return wanted


def _units(row: np.ndarray, groups: Any, within_rows: bool, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit of every star that counts, and the stratum of every unit; see `split_units`."""
    number = int(counts.sum())
    if groups is None:
        return np.arange(number), row[counts] if within_rows else np.zeros(number, np.int64)
    if within_rows:
        raise ProblemError("groups and within_rows exclude each other: a group may have stars in several rows")
    labels = np.asarray(groups)
    if labels.shape != row.shape:
        raise ProblemError(f"groups must have shape (n_stars,) like rows; got {labels.shape} and {row.shape}")
    unique, units = np.unique(labels[counts], return_inverse=True)
    if len(unique) < FEWEST_GROUPS:
        raise ProblemError(f"groups must be {FEWEST_GROUPS} or more, else splits are too alike; got {len(unique)}")
    return units, np.zeros(len(unique), np.int64)


def _require_filled(parts: Halves, most: int) -> None:
    pattern, filled = parts.counts, parts.counts.cells() > 0
    rows = min(len(np.unique(pattern.rows[one])) for one in filled)
    columns = min(len(np.unique(pattern.column_of[one])) for one in filled)
    if most > min(rows, columns):
        raise ProblemError(
            f"ranks go up to {most}, but a half of the stars fills as few as {rows} rows and {columns} columns of V; "
            "ask for fewer components, or give more stars"
        )
