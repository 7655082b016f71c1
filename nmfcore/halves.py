"""Halves of a sample of stars: a star belongs to one of them with all its pixels, as do the stars of one group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pattern import SharedPattern, smallest_dtype, to_tiles
from .resample import cells_of


@dataclass(frozen=True, eq=False)
class Halves:
    """The counts of both halves of a sample, for several splits.

    Attributes
    ----------
    counts : SharedPattern
        2 x splits replicates: the first and the second half of the first split, those of the second, ...
    n_stars : ndarray of int, shape (2 x splits, m)
        Stars of each half in each row.
    """

    counts: SharedPattern
    n_stars: np.ndarray

    @property
    def other(self) -> np.ndarray:
        """Number of each half's other half; int, shape (2 x splits,)."""
        return np.arange(len(self.counts)) ^ 1

    @property
    def ratio(self) -> np.ndarray:
        """Stars of the other half for one of this half in each row, 1 where it has none; shape (2 x splits, m)."""
        here, there = self.n_stars, self.n_stars[self.other]
        return np.divide(there, here, out=np.ones(here.shape), where=here > 0)


def halves(row: np.ndarray, pixel: np.ndarray, shape: tuple[int, int], in_first: np.ndarray) -> Halves:
    """Count the stars of both halves of every split.

    Parameters
    ----------
    row : ndarray of int, shape (n_stars,)
        Each star's bin.
    pixel : ndarray of int, shape (n_stars, n_images)
        Each star's pixel in every image, as a column of V; -1 where it falls outside.
    shape : tuple of int
        (m, n) of V.
    in_first : ndarray of bool, shape (splits, n_stars)
        Which stars are in the first half.
    """
    m, n = shape
    cells = cells_of(row, pixel, m, n)
    number, stars = len(cells.rows), np.bincount(row, minlength=m)
    counts = np.empty((2 * len(in_first), number), smallest_dtype(cells.base.max(), True))
    n_stars = np.empty((2 * len(in_first), m), np.int64)
    for j, chosen in enumerate(in_first):
        # Where a star does not count its cell is one more than there are.
        first = np.bincount(cells.of_star[chosen].ravel(), minlength=number + 1)[:number]
        counts[2 * j], counts[2 * j + 1] = first, cells.base - first
        n_stars[2 * j] = np.bincount(row[chosen], minlength=m)
        n_stars[2 * j + 1] = stars - n_stars[2 * j]
    pattern = SharedPattern(cells.rows, cells.columns, cells.start, to_tiles(counts), (len(counts), m, n))
    return Halves(pattern, n_stars)


def split_units(units: np.ndarray, strata: np.ndarray, splits: int, seed: int) -> np.ndarray:
    """Return which stars are in the first half of each split, at random; bool, shape (splits, n_stars).

    Split number j depends on the seed and on j alone.

    Parameters
    ----------
    units : ndarray of int, shape (n_stars,)
        The unit that each star belongs to, from 0 on; units stay whole.
    strata : ndarray of int, shape (units,)
        The stratum of each unit, from 0 on: half of the units of each go to either half, an odd one at random.
    splits, seed : int
        How many splits, and their seed.
    """
    begin = np.cumsum(np.bincount(strata)) - np.bincount(strata)
    place = np.arange(len(strata)) - begin[np.sort(strata)]
    out = np.empty((splits, len(units)), dtype=bool)
    for j in range(splits):
        rng = np.random.default_rng([seed, j])
        order = np.lexsort((rng.random(len(strata)), strata))
        begins = rng.integers(0, 2, len(begin))
        in_first = np.empty(len(strata), dtype=bool)
        in_first[order] = place % 2 == begins[strata[order]]
        out[j] = in_first[units]
    return out
