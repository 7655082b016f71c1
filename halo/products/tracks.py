"""The chemistry of components in numbers: percentiles and median tracks, read off their images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import QTable, vstack

from ..errors import UsageError
from ..fits.fit import Fit
from ..fits.store import FitLike, as_fit
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.settings import Plane
from .compiling import as_python
from .histograms import MIN_SHARE, PERCENTILES, percentiles_of, tracks_of


@dataclass(frozen=True)
class Track:
    """Median of y and its median absolute deviation in each pixel column of x.

    Attributes
    ----------
    plane : Plane
        The image.
    x : ndarray, shape (l,)
        Centres of the columns, dex.
    median, deviation : ndarray, shape (l,)
        dex; NaN where the column holds too little.
    weight : ndarray, shape (l,)
        Fraction of the component's image in each column.
    """

    plane: Plane
    x: np.ndarray
    median: np.ndarray
    deviation: np.ndarray
    weight: np.ndarray


def track(fit: Fit, component: int, image: int, *, min_share: float = MIN_SHARE) -> Track:
    """Return the median track of a component in one of the fit's images.

    Parameters
    ----------
    fit : Fit
        The fit.
    component, image : int
        Which ones.
    min_share : float
        Columns with a smaller fraction of the image are left out.

    Returns
    -------
    Track
    """
    chemistry = replace(fit.mixtures.chemistry, planes=(fit.mixtures.chemistry.planes[image],))
    (plane,), picture = chemistry.planes, fit.images[component, image]
    median, deviation = tracks_of(picture.reshape(1, 1, -1), chemistry, min_share, run=as_python)
    whole = picture.sum()
    weight = picture.sum(axis=0) / (whole if whole > 0 else 1.0)
    return Track(plane, chemistry.centres(plane.x), median[0, 0, 0], deviation[0, 0, 0], weight)


class Tracks(InWords, tuple[tuple[Track, ...], ...]):
    """Median tracks by component, then by plane: a tuple of tuples of `Track`, with the components' names.

    Parameters
    ----------
    names : sequence of str
        Components.
    rows : sequence of sequences of Track
        The tracks of each.
    """

    names: tuple[str, ...]

    def __new__(cls, names: Sequence[str], rows: Sequence[Sequence[Track]]) -> Tracks:
        """Return the tracks of some components."""
        made = super().__new__(cls, (tuple(row) for row in rows))
        made.names = tuple(names)
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what copies are made of."""
        return self.names, tuple(self)

    def table(self) -> QTable:
        """Return the tracks as a table: a row for each of their pixel columns, in dex."""
        parts = []
        for name, row in zip(self.names, self, strict=True):
            for one in row:
                part = QTable({"x": one.x, "median": one.median, "deviation": one.deviation, "weight": one.weight})
                part.add_column([str(one.plane)] * len(part), index=0, name="plane")
                part.add_column([name] * len(part), index=0, name="component")
                parts.append(part)
        return described(vstack(parts), "tracks")

    def describe(self) -> str:
        """Return a line per component and plane: in how many columns the track is known, and between which medians."""
        lines = []
        for name, row in zip(self.names, self, strict=True):
            for one in row:
                known = one.median[np.isfinite(one.median)]
                span = f", median from {known.min():.2f} to {known.max():.2f} dex" if len(known) else ""
                lines.append(f"{name} {one.plane}: {len(known)} of {len(one.x)} columns{span}")
        return "\n".join(lines)

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def tracks(fit: FitLike, *, min_share: float = MIN_SHARE) -> Tracks:
    """Return the median tracks of every component in every image of a fit.

    Parameters
    ----------
    fit : Fit or path
        The fit.
    min_share : float
        Columns with a smaller fraction of the image are left out.

    Returns
    -------
    Tracks
        By component, in the order of the fit, and by plane.

    Examples
    --------
    >>> from halonmf import halo
    >>> low, high = halo.tracks("fit.h5")  # doctest: +SKIP
    >>> low[0].median - high[0].median  # dex, along the first plane  # doctest: +SKIP
    """
    fit = as_fit(fit)
    planes = range(len(fit.mixtures.chemistry.planes))
    rows = [[track(fit, j, i, min_share=min_share) for i in planes] for j in range(len(fit.names))]
    return Tracks(fit.names, rows)


def percentiles(fit: Fit, name: str, q: tuple[float, ...] = PERCENTILES) -> np.ndarray:
    """Return percentiles of an abundance in each component, dex; shape (k, len(q)).

    Interpolated linearly within pixels; of the stars inside the images.

    Raises
    ------
    UsageError
        No plane shows the abundance, or a percentile is not in 0..100.
    """
    chemistry = fit.mixtures.chemistry
    if not all(0 <= p <= 100 for p in q):
        raise UsageError(f"percentiles must lie between 0 and 100, got {q}.")
    if name not in chemistry.variables:
        raise UsageError(f"no plane shows {name}; the planes have {', '.join(chemistry.variables)}.")
    return percentiles_of(fit.H[None], chemistry, (name,), q, run=as_python)[0, 0]
