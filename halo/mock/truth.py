"""The truth of a mock survey compared with a fit, and with a fit of the same mock without noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ..errors import InputError
from ..fits.apply import Application, apply_mixtures
from ..fits.fit import Fit, component_names, fit_mixtures
from ..fits.reading import LAST
from ..mixtures.bins import Bins, columns_of
from ..mixtures.counts import Mixtures, mix
from ..mixtures.settings import Axis, Chemistry
from ..products.crossings import crossings
from ..products.profile import MIN_STARS
from ..stars.selection import choose
from .truth_table import true_columns

ACCRETED = "accreted"
FIRST_MODEL = "paper-truth"
"""The mock that files are of which name none."""
MANY_STARS = 200
"""Bins with more stars than this enter the rms of the fractions."""


@dataclass(frozen=True)
class Truth:
    """Where each star of a sample came from.

    Attributes
    ----------
    population : ndarray of str, shape (N,)
        Its population.
    accreted : ndarray of bool, shape (N,)
        Whether that was accreted.
    """

    population: np.ndarray
    accreted: np.ndarray


def read_truth(path: str | Path, stars: Any) -> Truth:
    """Return the truth of stars of a mock survey.

    Parameters
    ----------
    path : path
        ``truth.fits`` of the mock.
    stars : Table
        Stars with ``APOGEE_ID``.

    Raises
    ------
    InputError
        The file is no truth table, or does not know one of the stars.
    """
    population, origin = (
        np.char.strip(column.astype(str)) for column in true_columns(path, stars, "population", "origin")
    )
    return Truth(population, origin == ACCRETED)


def model_of(path: str | Path) -> str:
    """Return the name of the mock that a ``truth.fits`` is of; older files, without one, are of the first mock.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    try:
        return str(fits.getheader(path, 1).get("MOCKMODL", FIRST_MODEL)).strip()
    except (OSError, IndexError) as error:
        raise InputError(f"{path}: no truth table of a mock survey ({error}).") from error


def true_fractions(bins: Bins, stars: Any, is_accreted: np.ndarray) -> np.ndarray:
    """Return the accreted fraction of the stars in each bin; shape (m,), NaN where a bin is empty."""
    rows = bins.assign(stars)
    inside = rows >= 0
    number = np.bincount(rows[inside], minlength=len(bins)).astype(float)
    hits = np.bincount(rows[inside & is_accreted], minlength=len(bins)).astype(float)
    return np.divide(hits, number, out=np.full(len(bins), np.nan), where=number > 0)


def population_images(chemistry: Chemistry, stars: Any) -> dict[str, np.ndarray]:
    """Return how one star of each population is distributed over the columns of V; shape (n,) each.

    Parameters
    ----------
    chemistry : Chemistry
        The images.
    stars : Table
        Many observed stars with their true ``population``, such as `mock.expected` gives.
    """
    columns, names = columns_of(stars, chemistry), np.asarray(stars["population"]).astype(str)
    images = {}
    for name in np.unique(names):
        cells = columns[names == name]
        images[str(name)] = np.bincount(cells[cells >= 0], minlength=chemistry.n) / len(cells)
    return images


def without_noise(mixtures: Mixtures, population: np.ndarray, images: dict[str, np.ndarray]) -> Mixtures:
    """Return the mixtures with each bin's counts replaced by the counts that its stars' populations lead to expect.

    The bins, and which populations their stars belong to, stay; the scatter of the stars over the pixels goes.

    Raises
    ------
    InputError
        A population without an image.
    """
    names = np.unique(population)
    unknown = [str(name) for name in names if str(name) not in images]
    if unknown:
        raise InputError(f"no chemistry known of the populations {', '.join(unknown)}.")
    V = np.zeros_like(mixtures.V)
    for name in names:
        rows = mixtures.rows[(population == name) & (mixtures.rows >= 0)]
        V += np.bincount(rows, minlength=len(V))[:, None] * images[str(name)]
    return replace(mixtures, V=V)


@dataclass(frozen=True)
class Recovery:
    """A fit of a mock compared with the truth, and with the fit of the same mock without noise.

    Attributes
    ----------
    n_stars : int
        Stars fitted.
    true_fraction, fraction, noise_free_fraction : float
        Accreted fraction of the stars; accreted fraction that was found; the same without noise.
    true_crossing, crossing, noise_free_crossing : tuple of float
        Energies at which the fraction crosses one half, km2 / s2.
    rms, rms_after_bias : float
        Of fraction minus truth over energy bins of many stars; and of fraction minus truth minus the bias that the
        noise-free fit has in that bin.
    bins : int
        Such bins.
    """

    n_stars: int
    true_fraction: float
    fraction: float
    noise_free_fraction: float
    true_crossing: tuple[float, ...]
    crossing: tuple[float, ...]
    noise_free_crossing: tuple[float, ...]
    rms: float
    rms_after_bias: float
    bins: int


@dataclass(frozen=True)
class Limits:
    """How far a fit of the default mock may be from its truth.

    Attributes
    ----------
    fraction : float
        Accreted fraction that was found minus the true one.
    bias : float
        The same minus that of the noise-free fit; one so well predicted may exceed `fraction`.
    rms : float
        Of fractions over energy bins, beyond the noise-free fit's own error.
    crossing : float
        Of the energy at one half, beyond the noise-free fit's own error, km2 / s2.
    """

    fraction: float = 0.03
    bias: float = 0.01
    rms: float = 0.06
    crossing: float = 0.04e5


def shortfalls(found: Recovery, limits: Limits = Limits()) -> list[str]:
    """Return how a recovery exceeds the limits, in words; empty where it does not."""
    error, unpredicted = found.fraction - found.true_fraction, found.fraction - found.noise_free_fraction
    said = []
    if not (abs(error) <= limits.fraction or abs(unpredicted) <= limits.bias):
        said.append(f"fraction off by {error:+.4f}, of which the noise-free fit leaves {unpredicted:+.4f} unexplained")
    if not found.rms_after_bias <= limits.rms:
        said.append(f"rms of the fractions {found.rms_after_bias:.4f}")
    if not len(found.crossing) == len(found.noise_free_crossing) == len(found.true_crossing) == 1:
        said.append(f"crossings {found.crossing}, noise-free {found.noise_free_crossing}, true {found.true_crossing}")
    elif not abs(found.crossing[0] - found.noise_free_crossing[0]) <= limits.crossing:
        said.append(f"crossing off by {found.crossing[0] - found.noise_free_crossing[0]:+.0f} km2/s2")
    return said


def recover(fit: Fit, table: Any, truth: str | Path, images: dict[str, np.ndarray], axes: Sequence[Axis]) -> Recovery:
    """Return how well a fit of a mock finds its truth.

    Parameters
    ----------
    fit : Fit
        Of the mock's prepared stars.
    table : Table
        Those stars.
    truth : path
        The mock's ``truth.fits``.
    images : dict
        From `population_images` with the fit's chemistry.
    axes : sequence of Axis
        The profile's one axis.
    """
    stars, flow = choose(table, fit.settings.selection)
    known = read_truth(truth, stars)
    ideal = fit_mixtures(without_noise(fit.mixtures, known.population, images), stars, flow, fit.settings)
    counted = mix(stars, axes, fit.mixtures.chemistry)
    expected = without_noise(counted, known.population, images)
    true = true_fractions(counted.bins, stars, known.accreted)
    found = apply_mixtures(fit, counted, flow).accreted_fractions
    noise_free = apply_mixtures(ideal, expected, flow).accreted_fractions
    centre, enough = counted.bins.bounds[:, 0].mean(axis=-1), counted.n_stars >= MIN_STARS
    many = counted.n_stars > MANY_STARS
    half = [crossings(centre, np.where(enough, fraction, np.nan), 0.5) for fraction in (true, found, noise_free)]
    return Recovery(
        n_stars=len(stars),
        true_fraction=float(known.accreted.mean()),
        fraction=fit.accreted_fraction,
        noise_free_fraction=ideal.accreted_fraction,
        true_crossing=half[0],
        crossing=half[1],
        noise_free_crossing=half[2],
        rms=_rms((found - true)[many]),
        rms_after_bias=_rms((found - noise_free)[many]),
        bins=int(many.sum()),
    )


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


def true_fit(fit: Fit, is_accreted: np.ndarray) -> Fit:
    """Return the fit of two components that knows every star's origin: the counts themselves.

    Parameters
    ----------
    fit : Fit
        Whose bins and images to count in.
    is_accreted : ndarray of bool, shape (N,)
        Origin of the fitted stars.
    """
    mixtures = fit.mixtures
    parts = []
    for chosen in (~is_accreted, is_accreted):
        rows, columns = mixtures.rows[chosen], mixtures.columns[chosen]
        seen = (rows[:, None] >= 0) & (columns >= 0)
        cells = (rows[:, None] * mixtures.chemistry.n + columns)[seen]
        parts.append(np.bincount(cells, minlength=mixtures.V.size).reshape(mixtures.V.shape).astype(float))
    H = np.stack([part.sum(axis=0) for part in parts])
    total = H.sum(axis=1, keepdims=True)
    return replace(
        fit,
        W=np.stack([part.sum(axis=1) for part in parts], axis=1),
        H=np.divide(H, total, out=np.zeros_like(H), where=total > 0),
        names=_of_two(fit.names),
    )


def true_application(application: Application, is_accreted: np.ndarray) -> Application:
    """Return an application whose weights are the true numbers of in-situ and accreted stars in its bins."""
    rows = application.mixtures.rows
    W = [
        np.bincount(rows[(rows >= 0) & chosen], minlength=len(application.W)) for chosen in (~is_accreted, is_accreted)
    ]
    names = _of_two(application.names)
    return replace(application, W=np.stack(W, axis=1).astype(float), names=names, accreted=LAST)


def _of_two(names: tuple[str, ...]) -> tuple[str, ...]:
    # the truth has two parts, also of a fit that has more components
    return names if len(names) == 2 else component_names(2)
