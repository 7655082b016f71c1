"""Stability of components: over random starts, numbers of bins and numbers of pixels (R15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.optimize import linear_sum_assignment

from ..errors import InputError, UsageError
from ..fits.apply import held_components
from ..fits.engine import CONVERGED
from ..fits.fit import Fit, fit_mixtures
from ..fits.settings import FitSettings
from ..io.columns import described
from ..io.notebook import InWords
from ..io.unfinished import Unfinished
from ..mixtures.counts import mix
from ..mixtures.settings import Axis, Chemistry
from ..progress import Progress, silent
from ..stars.catalogue import StarsLike
from ..stars.selection import choose
from ..stars.weights import weights_of
from .settings import StabilitySettings
from .work import Work, do, record_of

STARTS = StabilitySettings.starts
"""Random starts."""
BINS = StabilitySettings.bins
"""q, bins along each axis of equal counts."""
PIXELS = StabilitySettings.pixels
"""l; the paper's range, in steps that it does not give."""
KINDS = ("start", "q", "l")
NOUN = "fits"
"""What progress is told of."""
SAMPLE = 6
"""Fits by which the time is estimated."""
LETTERS = 16
"""Most letters of the status of a fit."""
NO_FIT = "FAILED"
"""In place of the status of a fit for which the sample was too small."""


@dataclass(frozen=True, repr=False)
class Stability(InWords):
    """Fits of one sample, compared with a base fit.

    Attributes
    ----------
    base : Fit
        The fit of the settings.
    kind : tuple of str
        What was changed in each fit: the random ``start``, ``q`` or ``l``.
    value : ndarray of int, shape (fits,)
        The start's seed, q or l.
    fraction : ndarray, shape (fits, k)
        Mass fractions, components in the base's order.
    cosine : ndarray, shape (fits, k)
        Between each component's images and the base's, in the base's pixels; NaN where the fit failed.
    status : tuple of str
        How each fit ended; ``FAILED`` where the sample was too small for it.
    """

    base: Fit
    kind: tuple[str, ...]
    value: np.ndarray
    fraction: np.ndarray
    cosine: np.ndarray
    status: tuple[str, ...]

    @property
    def good(self) -> np.ndarray:
        """Fits that converged; bool, shape (fits,)."""
        return np.array([status == CONVERGED for status in self.status], dtype=bool)

    def of(self, kind: str) -> np.ndarray:
        """Return which converged fits changed `kind`; bool, shape (fits,)."""
        return self.good & np.array([name == kind for name in self.kind], dtype=bool)

    def least_cosine(self, *kinds: str) -> float:
        """Return the least cosine of any component over the converged fits of these kinds; NaN for none."""
        rows = np.any([self.of(kind) for kind in kinds], axis=0)
        return float(self.cosine[rows].min()) if rows.any() else float("nan")

    def spread(self, *kinds: str) -> np.ndarray:
        """Return the standard deviation of the mass fractions over the converged fits of these kinds; shape (k,)."""
        rows = np.any([self.of(kind) for kind in kinds], axis=0)
        return self.fraction[rows].std(axis=0, ddof=1) if rows.sum() > 1 else np.full(self.fraction.shape[1], np.nan)

    def table(self) -> Table:
        """Return the fits as a table: a row each, with ``fraction_`` and ``cosine_`` of every component."""
        table = Table({"kind": list(self.kind), "value": self.value})
        for j, name in enumerate(self.base.names):
            table[f"fraction_{name}"], table[f"cosine_{name}"] = self.fraction[:, j], self.cosine[:, j]
        table["status"] = list(self.status)
        base = self.base
        table.meta |= {
            "base_fractions": dict(zip(base.names, base.mass_fractions.tolist(), strict=True)),
            "base_q": [axis.count for axis in base.mixtures.bins.axes],
            "base_l": base.mixtures.chemistry.pixels,
            "base_status": base.status,
            "stars": int(base.mixtures.n_stars.sum()),
            "not_converged": int((~self.good).sum()),
            "least_cosine": {kind: self.least_cosine(kind) for kind in KINDS},
            "fraction_std": {kind: dict(zip(base.names, self.spread(kind).tolist(), strict=True)) for kind in KINDS},
        }
        return described(table, "stability")

    def describe(self) -> str:
        """Return how the components hold, a line per kind of change, and the number of fits."""
        rows = ["change  fits  converged  least cosine  " + "  ".join(f"std {name}" for name in self.base.names)]
        for kind in KINDS:
            number = self.kind.count(kind)
            spread = "  ".join(f"{x:{4 + len(n)}.4f}" for n, x in zip(self.base.names, self.spread(kind), strict=True))
            converged = int(self.of(kind).sum())
            rows.append(f"{kind:<6}  {number:4d}  {converged:9d}  {self.least_cosine(kind):12.6f}  {spread}")
        return "\n".join([*rows, f"{len(self.value)} fits"])

    def problems(self) -> str:
        """Return how many fits did not converge; empty for none."""
        number = int((~self.good).sum())
        return f"not converged: {number} fit{'s' * (number != 1)}" if number else ""


def stability(
    stars: StarsLike,
    settings: FitSettings | None = None,
    *,
    starts: int = STARTS,
    bins: Sequence[int] = BINS,
    pixels: Sequence[int] = PIXELS,
    keep: Unfinished | str | Path | None = None,
    progress: Progress = silent,
) -> Stability:
    """Fit a sample again from random starts, in other bins, and with other pixels.

    Of a fit in other bins the components are compared as they are. Of one with other pixels they are found again in the
    base's pixels: its weights are held, and the components that they have in the base's V are found.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars.
    settings : FitSettings, optional
        Of the base; the paper's by default.
    starts : int
        Random starts, one per fit.
    bins : sequence of int
        q of the fits in other bins: that many on each axis.
    pixels : sequence of int
        l of the fits with other pixels.
    keep : path, optional
        Folder for what is done: the same call goes on with what an interrupted one has left there, and the folder is
        removed in the end.
    progress : callable, optional
        Told of the fits that are done.

    Returns
    -------
    Stability

    Raises
    ------
    InputError
        Too few stars for the base.
    UsageError
        Numbers that make no sense; `keep` has work with other settings.
    OutputError
        `keep` holds something else, or cannot be written.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.stability("stars.fits", bins=(5, 8), pixels=(20, 50))  # doctest: +SKIP
    >>> found.least_cosine("start")  # doctest: +SKIP
    """
    return do(stability_work(stars, settings, starts=starts, bins=bins, pixels=pixels), keep, progress)


def stability_work(
    stars: StarsLike,
    settings: FitSettings | None = None,
    *,
    starts: int = STARTS,
    bins: Sequence[int] = BINS,
    pixels: Sequence[int] = PIXELS,
) -> Work[Stability]:
    """Return what `stability` has to compute, a piece for every fit; parameters and errors are its own."""
    settings = settings or FitSettings()
    if starts < 0 or any(x < 1 for x in (*bins, *pixels)):
        raise UsageError(f"starts must be >= 0, bins and pixels >= 1; got {starts}, {tuple(bins)}, {tuple(pixels)}.")
    chosen, flow = choose(stars, settings.selection)
    k = settings.solver.components
    varied = (("start", range(1, starts + 1)), ("q", bins), ("l", pixels))
    pieces = [(kind, number) for kind, numbers in varied for number in numbers]

    def fitted(axes: tuple[Axis, ...], chemistry: Chemistry, **other: Any) -> Fit:
        changed = settings.replace(axes=axes, chemistry=chemistry, **other)
        mixtures = mix(chosen, axes, chemistry, weights_of(chosen, settings.weights))
        return fit_mixtures(mixtures, chosen, flow, changed)

    base = fitted(settings.axes, settings.chemistry)

    def one(kind: str, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        axes, chemistry = settings.axes, settings.chemistry
        other: dict[str, Any] = {"init": "random", "starts": 1, "seed": number} if kind == "start" else {}
        if kind == "q":
            axes = tuple(replace(axis, count=number) for axis in axes)
        elif kind == "l":
            chemistry = replace(chemistry, pixels=number)
        try:
            found = fitted(axes, chemistry, **other)
        except InputError:  # the sample is too small for so many bins
            return np.full(k, np.nan), np.full(k, np.nan), _letters(NO_FIT)
        return *_compared(base, found, kind == "l"), _letters(found.status)

    def compute(some: Sequence[int]) -> dict[str, np.ndarray]:
        rows = [one(*pieces[i]) for i in some]
        names = ("fraction", "cosine", "status")
        return {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}

    def finish(found: Mapping[str, np.ndarray]) -> Stability:
        return Stability(
            base=base,
            kind=tuple(kind for kind, _ in pieces),
            value=np.array([number for _, number in pieces], dtype=np.int64),
            fraction=found["fraction"] if pieces else np.empty((0, k)),
            cosine=found["cosine"] if pieces else np.empty((0, k)),
            status=tuple(bytes(x).decode().rstrip("\0") for x in found.get("status", ())),
        )

    return Work(
        said=f"{starts} random starts, {len(bins)} numbers of bins, {len(pixels)} numbers of pixels",
        noun=NOUN,
        total=len(pieces),
        fits=len(pieces),
        batch=1,
        sample=SAMPLE,
        record=record_of("stability", chosen, settings, starts=starts, bins=bins, pixels=pixels),
        compute=compute,
        finish=finish,
    )


def _letters(status: str) -> np.ndarray:
    """Return a status as an array of its letters, which files can hold."""
    return np.frombuffer(status.encode().ljust(LETTERS, b"\0"), np.uint8)


def _compared(base: Fit, found: Fit, other_pixels: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return mass fractions and cosines of a fit in the order of the base's components."""
    H = (
        held_components(base.mixtures.V, found.W, base.settings.solver, device=base.device)[0]
        if other_pixels
        else found.H
    )
    cosine = _unit(base.H) @ _unit(H).T
    order = linear_sum_assignment(cosine, maximize=True)[1]
    return found.mass_fractions[order], cosine[np.arange(len(order)), order]


def _unit(H: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(H, axis=1, keepdims=True)
    return np.divide(H, length, out=np.zeros_like(H), where=length > 0)
