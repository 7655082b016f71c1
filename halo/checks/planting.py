"""Streams to be planted: their image, the orbits that their stars have, and their counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import Table

from ..errors import UsageError
from ..mixtures.bins import columns_of
from ..mixtures.counts import Mixtures, count
from ..mixtures.settings import Chemistry
from ..stars.variables import values
from .settings import Stream

SPREAD = (16, 84)
"""Half of the distance between these percentiles is the sample's spread: as a standard deviation, but for outliers."""


def expected_image(stream: Stream, chemistry: Chemistry, rng: np.random.Generator, n: int = 200_000) -> np.ndarray:
    """Return the expected distribution of the stream over the columns of V; sums to one, shape (n,)."""
    columns = columns_of(_abundances(stream, n, rng), chemistry)
    image = np.bincount(columns[columns >= 0], minlength=chemistry.n).astype(float)
    if (columns >= 0).all(axis=1).mean() < 0.5:
        raise UsageError("most of the stream lies outside the images; move its abundances or widen the ranges.")
    return image / image.sum()


def _abundances(stream: Stream, n: int, rng: np.random.Generator) -> Table:
    return Table({name: rng.normal(mean, stream.scatter, n) for name, mean in stream.abundances})


def around(stars: Any, mixtures: Mixtures, stream: Stream) -> np.ndarray:
    """Return the stars of the bins, those nearest to the stream's orbit first, in units of the sample's spread."""
    distance = np.zeros(len(stars))
    for name in ("E", "Lz"):
        x = values(stars, name)
        low, high = np.nanpercentile(x, SPREAD)
        distance += ((x - getattr(stream, name)) / (0.5 * (high - low))) ** 2
    order = np.argsort(distance, kind="stable")
    return order[(mixtures.rows[order] >= 0) & np.isfinite(distance[order])]


def planted(stream: Stream, rows: np.ndarray, number: int, mixtures: Mixtures, rng: np.random.Generator) -> np.ndarray:
    """Return the counts of a stream of `number` stars, all within the images, on the orbits of others; shape (m, n)."""
    columns = np.empty((0, len(mixtures.chemistry.planes)), dtype=np.int64)
    while len(columns) < number:  # a few lie outside the images: others are drawn
        drawn = columns_of(_abundances(stream, number, rng), mixtures.chemistry)
        columns = np.concatenate([columns, drawn[(drawn >= 0).all(axis=1)]])
    return count(rng.choice(rows, number), columns[:number], mixtures.V.shape)


def spanned(rows: np.ndarray, m: int) -> float:
    """Return the fraction of m bins that stars in these rows span: 1 / (m sum of p^2), p their fractions there."""
    return float(1 / (m * ((np.bincount(rows, minlength=m) / len(rows)) ** 2).sum()))
