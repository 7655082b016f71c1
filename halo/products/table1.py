"""Table 1: mass fractions of the components and percentiles of their abundances, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import QTable

from ..errors import UsageError
from ..fits.bootstrap import Refits
from ..fits.engine import CONVERGED
from ..fits.fit import Fit
from ..fits.intervals import RECOMMENDED, Ordered, interval_type
from ..fits.reading import ACCRETED, Reading
from ..fits.store import FitLike, as_fits
from ..io.columns import described
from ..io.notebook import InWords
from ..rounding import titled
from .compiling import Run, as_python, compiled
from .histograms import PERCENTILES, percentiles_of
from .settings import TableSettings

Limits = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From replicates (B, ...) and the fit's own values to the lower and the upper limits, (2, ...)."""
LEVEL = TableSettings.level
"""Probability that an interval is to hold."""


@dataclass(frozen=True, repr=False)
class Table1(InWords):
    """Mass fractions and percentiles of components, each with its interval; NaN where there are no replicates.

    Attributes
    ----------
    components : tuple of str
        c of them, those of each fit from high to low energy; before these ``accreted`` where a fit reads several as
        accreted, the sum of them.
    variables : tuple of str
        v abundances.
    q : tuple of float
        p percentiles.
    fraction, mean_fraction : ndarray, shape (c,)
        Mass fraction within the component's own fit, and mean over bins of its fraction in the bin.
    fraction_interval, mean_fraction_interval : ndarray, shape (2, c)
    values : ndarray, shape (c, v, p)
        dex.
    intervals : ndarray, shape (2, c, v, p)
        Lower and upper limits, dex.
    level : float
        Probability of the intervals.
    interval : str
        Their type, one of `intervals.TYPES`.
    replicates, lost : tuple of int
        Behind each component; and those of them that were not good.
    statuses : tuple of str
        How each component's fit ended.
    """

    components: tuple[str, ...]
    variables: tuple[str, ...]
    q: tuple[float, ...]
    fraction: np.ndarray
    mean_fraction: np.ndarray
    fraction_interval: np.ndarray
    mean_fraction_interval: np.ndarray
    values: np.ndarray
    intervals: np.ndarray
    level: float
    interval: str
    replicates: tuple[int, ...]
    lost: tuple[int, ...]
    statuses: tuple[str, ...]

    def table(self) -> QTable:
        """Return Table 1 as the paper prints it: a row per component and percentile.

        Columns ``component``, ``percentile``, then each abundance with its limits ``_lower`` and ``_upper`` (dex), then
        ``fraction`` and ``mean_fraction`` with theirs, the same in all rows of a component.
        """
        c, p = len(self.components), len(self.q)
        table = QTable()
        table["component"] = np.repeat(self.components, p)
        table["percentile"] = np.tile(self.q, c)
        for i, name in enumerate(self.variables):
            table[name] = self.values[:, i].ravel()
            for side, limits in zip(("lower", "upper"), self.intervals, strict=True):
                table[f"{name}_{side}"] = limits[:, i].ravel()
        for name in ("fraction", "mean_fraction"):
            table[name] = np.repeat(getattr(self, name), p)
            for side, limits in zip(("lower", "upper"), getattr(self, f"{name}_interval"), strict=True):
                table[f"{name}_{side}"] = np.repeat(limits, p)
        table.meta["level"], table.meta["interval"] = self.level, self.interval
        table.meta["replicates"] = dict(zip(self.components, self.replicates, strict=True))
        table.meta["replicates_lost"] = dict(zip(self.components, self.lost, strict=True))
        bad = {name: status for name, status in zip(self.components, self.statuses, strict=True) if status != CONVERGED}
        table.meta["not_converged"] = bad
        return described(table, "table")

    def describe(self) -> str:
        """Return a line per component, its fraction with the interval where there are replicates, and the percentiles.

        Medians stand between the outer percentiles; the last line is the number of components.
        """
        known = np.isfinite(self.fraction_interval).all(axis=0)
        title = f"fraction, {100 * self.level:g} % interval" if known.any() else "fraction"
        at = "/".join(f"{q:g}" for q in self.q) + " %"
        heads = "".join(f"{titled(f'{name} {at}', 'dex'):>26}" for name in self.variables)
        lines = [f"component {title:<26}{heads}"]
        for i, name in enumerate(self.components):
            low, high = 100 * self.fraction_interval[:, i]
            shown = f"{100 * self.fraction[i]:6.2f} %" + (f" ({low:.2f} to {high:.2f})" if known[i] else "")
            cells: list[Any] = [" / ".join(f"{x:5.2f}" for x in column) for column in self.values[i]]
            lines.append(f"{name:<9} {shown:<26}" + "".join(f"{cell:>26}" for cell in cells))
        number = sum(name != ACCRETED for name in self.components)
        return "\n".join([*lines, f"{number} components"])

    def problems(self) -> str:
        """Return which fits did not converge, and how many replicates are missing; empty where all is well."""
        parts = [f"{name} ({s})" for name, s in zip(self.components, self.statuses, strict=True) if s != CONVERGED]
        lost = [
            f"{x} of {n} replicates of {name}"
            for name, x, n in zip(self.components, self.lost, self.replicates, strict=True)
            if x
        ]
        return f"not converged: {', '.join([*parts, *lost])}" if parts or lost else ""


def table1(
    fits: FitLike | Sequence[FitLike],
    refits: Sequence[Refits] | None = None,
    *,
    q: Sequence[float] = PERCENTILES,
    level: float = LEVEL,
    interval: str = RECOMMENDED,
) -> Table1:
    """Return mass fractions and abundance percentiles of every component of some fits.

    Parameters
    ----------
    fits : Fit, path or sequence of them
        Such as that of two components, and those of its two parts; all of the same abundances.
    refits : sequence of Refits, optional
        Bootstrap replicates of each, from which the intervals come.
    q : sequence of float
        Percentiles.
    level : float
        Probability of the intervals.
    interval : str
        Their type, one of `intervals.TYPES`.

    Returns
    -------
    Table1

    Raises
    ------
    UsageError
        No fit, fits of other abundances, replicates of other fits, too few good ones, or a number out of range.

    Examples
    --------
    >>> from halonmf import halo
    >>> fits = [halo.load(name) for name in ("fit.h5", "HE.h5", "LE.h5")]  # doctest: +SKIP
    >>> table = halo.table1(fits, [halo.refit(fit, 100) for fit in fits])  # doctest: +SKIP
    >>> dict(zip(table.components, table.fraction))  # doctest: +SKIP
    """
    fits = as_fits(fits)
    if not fits:
        raise UsageError("a table needs a fit, got none.")
    if not 0 < level < 1:
        raise UsageError(f"level must lie between 0 and 1, got {level:g}.")
    if not q or not all(0 <= p <= 100 for p in q):
        raise UsageError(f"percentiles must lie between 0 and 100, got {tuple(q)}.")
    variables = fits[0].settings.chemistry.variables
    if any(fit.settings.chemistry.variables != variables for fit in fits):
        raise UsageError("the fits must have the same abundances, in the same planes.")
    if refits is not None and [r.names for r in refits] != [fit.names for fit in fits]:
        raise UsageError("replicates must be those of the fits, in the same order; make them with halo.refit(fit).")
    kind = interval_type(interval)

    def limits(drawn: np.ndarray, own: np.ndarray) -> np.ndarray:
        return np.stack(kind(Ordered.of(drawn), own, level))

    parts = [_of_fit(fit, None if refits is None else refits[i], tuple(q), limits) for i, fit in enumerate(fits)]
    joined = {name: np.concatenate([part[name] for part in parts], axis=axis) for name, axis in _AXES.items()}
    names = [name for fit in fits for name in _names(fit)]
    behind = [0] * len(fits) if refits is None else [len(r.good) for r in refits]
    lost = [0] * len(fits) if refits is None else [r.lost for r in refits]
    of = [i for i, fit in enumerate(fits) for _ in _names(fit)]
    return Table1(
        components=tuple(names),
        variables=variables,
        q=tuple(float(p) for p in q),
        level=level,
        interval=interval,
        replicates=tuple(behind[i] for i in of),
        lost=tuple(lost[i] for i in of),
        statuses=tuple(fits[i].status for i in of),
        **joined,
    )


def _names(fit: Fit) -> tuple[str, ...]:
    return (*((ACCRETED,) if len(fit.reading.accreted) > 1 else ()), *fit.names[::-1])


def _with_accreted(reading: Reading, W: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return factors with the sum of several accreted components as one more, the last."""
    if len(reading.accreted) < 2:
        return W, H
    both, images = reading.merged(W, H)
    return np.concatenate([W, both[..., 1:]], axis=-1), np.concatenate([H, images[..., 1:, :]], axis=-2)


_AXES = {
    "fraction": 0,
    "mean_fraction": 0,
    "values": 0,
    "fraction_interval": 1,
    "mean_fraction_interval": 1,
    "intervals": 1,
}


def _of_fit(fit: Fit, refits: Refits | None, q: tuple[float, ...], limits: Limits) -> dict[str, np.ndarray]:
    down = slice(None, None, -1)  # fits go from low to high energy
    k = len(fit.names)
    own = _numbers(fit, *_with_accreted(fit.reading, fit.W[None], fit.H[None]), k, q, as_python)
    own = {name: x[0] for name, x in own.items()}
    if refits is None:
        found = {name: np.full((2, *x.shape), np.nan) for name, x in own.items()}
    else:
        if refits.good.sum() < 2:
            raise UsageError(f"{int(refits.good.sum())} of {len(refits.good)} replicates are good, too few.")
        factors = _with_accreted(fit.reading, refits.W[refits.good], refits.H[refits.good])
        drawn = _numbers(fit, *factors, k, q, compiled)
        found = {name: limits(x, own[name]) for name, x in drawn.items()}
    return {
        **{name: x[down] for name, x in own.items()},
        "fraction_interval": found["fraction"][:, down],
        "mean_fraction_interval": found["mean_fraction"][:, down],
        "intervals": found["values"][:, down],
    }


def _numbers(fit: Fit, W: np.ndarray, H: np.ndarray, k: int, q: tuple[float, ...], run: Run) -> dict[str, np.ndarray]:
    """Return the numbers of many fits; of the factors' components the first k make up the whole."""
    total = W[:, :, :k].sum(axis=-1, keepdims=True)
    each = np.divide(W, total, out=np.full_like(W, np.nan), where=total > 0)
    return {
        "fraction": W.sum(axis=1) / W[:, :, :k].sum(axis=(1, 2))[:, None],
        "mean_fraction": np.nanmean(each, axis=1),
        "values": _percentiles(fit, H, q, run),
    }


def _percentiles(fit: Fit, H: np.ndarray, q: tuple[float, ...], run: Run) -> np.ndarray:
    """Percentiles of every abundance in the components of many fits; shape (B, k, v, p)."""
    chemistry = fit.settings.chemistry
    return percentiles_of(H, chemistry, chemistry.variables, q, run=run).swapaxes(1, 2)
