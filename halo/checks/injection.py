"""How wide and how populous a stream must be for a fit to find it: planted streams on a grid, all fitted at once (R16).

A stream is narrow in chemistry. In (E, Lz) its stars have the orbits of the sample's stars around a point, of a chosen
fraction of the sample: its width. They are added to those of the sample in the sample's own bins, and k components are
fitted. The stream counts as found where a component's images look like its own: their cosine is `THRESHOLD` or more.
For comparison, the best cosine of a component of the sample without a stream is given too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from astropy import units
from astropy.table import QTable

from ..errors import UsageError
from ..fits.engine import solve_many
from ..fits.settings import DIVERGENCE, LEAST_SQUARES, FitSettings
from ..io.columns import described
from ..io.notebook import InWords
from ..io.unfinished import Unfinished
from ..mixtures.counts import mix
from ..progress import Progress, silent
from ..stars.catalogue import StarsLike
from ..stars.selection import choose
from ..stars.variables import values
from .planting import around, expected_image, planted, spanned
from .settings import COMPONENTS as COMPONENTS
from .settings import InjectionSettings
from .settings import Stream as Stream
from .work import Work, do, record_of

WIDTHS = InjectionSettings.widths
"""Fractions of the sample's stars that lie where the stream does in (E, Lz)."""
NUMBERS = InjectionSettings.numbers
"""Stars of the stream."""
REPEATS = InjectionSettings.repeats
"""Streams drawn anew for every width and number."""
THRESHOLD = InjectionSettings.threshold
"""Least cosine between a component's images and the stream's for it to count as found."""
CONTRAST = 1.0
"""A stream is thought possible where it has at most so many stars for each star of the sample that it lies among."""
NOUN = "streams"
"""What progress is told of."""
BATCH = 16
"""Most fits that are in memory together and then saved: as many as the engine solves side by side."""
IMAGE_STREAM = 0x57
"""Tells the random numbers of the stream's image from others of the same seed."""


@dataclass(frozen=True, repr=False)
class Injection(InWords):
    """Which of the planted streams were found.

    Attributes
    ----------
    stream : Stream
        What was planted.
    widths : ndarray, shape (w,)
        Fraction of the sample's stars around the stream's orbit whose orbits its stars have.
    sigma_E, sigma_Lz : ndarray, shape (w,)
        Standard deviations of its orbits, km2 / s2 and kpc km / s.
    spanned : ndarray, shape (w,)
        Fraction of the (E, Lz) bins that the stream spans: 1 / (m sum of p^2), with p the
        fractions of its stars in the bins.
    numbers : ndarray of int, shape (s,)
        Stars of the stream that fall into the bins and the images.
    cosine : ndarray, shape (w, s, repeats)
        Of the component that is most like the stream; NaN where a fit did not converge.
    null : float
        The same of the sample alone.
    threshold : float
        Least cosine of a stream that is found.
    n_stars, components : int
        Stars of the sample and components fitted.
    """

    stream: Stream
    widths: np.ndarray
    sigma_E: np.ndarray
    sigma_Lz: np.ndarray
    spanned: np.ndarray
    numbers: np.ndarray
    cosine: np.ndarray
    null: float
    threshold: float
    n_stars: int
    components: int

    @property
    def found(self) -> np.ndarray:
        """Fraction of the repeats in which the stream was found; shape (w, s)."""
        converged = np.isfinite(self.cosine)
        hits = (np.nan_to_num(self.cosine) >= self.threshold).sum(axis=2)
        number = converged.sum(axis=2)
        return np.divide(hits, number, out=np.full(hits.shape, np.nan), where=number > 0)

    @property
    def fewest(self) -> np.ndarray:
        """Fewest stars from which on more than half of the streams are found; NaN for none; shape (w,)."""
        enough = np.nan_to_num(self.found) > 0.5
        always = np.logical_and.accumulate(enough[:, ::-1], axis=1)[:, ::-1]
        return np.where(always.any(axis=1), self.numbers[always.argmax(axis=1)], np.nan)

    @property
    def contrast(self) -> np.ndarray:
        """Stars of the stream per star of the sample where it lies, at the fewest that are found; NaN for none."""
        return self.fewest / (self.widths * self.n_stars)

    def narrowest(self, contrast: float = CONTRAST) -> float:
        """Return the least fraction of the bins spanned by a found stream of at most this contrast; NaN for none."""
        seen = np.nan_to_num(self.contrast, nan=np.inf) <= contrast
        return float(self.spanned[seen].min()) if seen.any() else float("nan")

    def table(self) -> QTable:
        """Return the injections as a table: a row per width and number; cosines are means over the repeats."""
        w, s = self.found.shape
        table = QTable()
        for name, x, unit in (
            ("width", self.widths, None),
            ("sigma_E", self.sigma_E, units.km**2 / units.s**2),
            ("sigma_Lz", self.sigma_Lz, units.kpc * units.km / units.s),
            ("spanned", self.spanned, None),
        ):
            table[name] = np.repeat(x, s) if unit is None else np.repeat(x, s) * unit
        table["n_stars"] = np.tile(self.numbers, w)
        good = np.isfinite(self.cosine)
        mean = np.where(good, self.cosine, 0).sum(axis=2) / np.maximum(good.sum(axis=2), 1)
        table["cosine"] = np.where(good.any(axis=2), mean, np.nan).ravel()
        table["found"] = self.found.ravel()
        table["converged"] = good.sum(axis=2).ravel()
        table.meta |= {
            "stars": self.n_stars,
            "components": self.components,
            "repeats": self.cosine.shape[2],
            "threshold": self.threshold,
            "null_cosine": self.null,
            "contrast": CONTRAST,
            "narrowest_found": self.narrowest(),
            "stream": {"E": self.stream.E, "Lz": self.stream.Lz, "scatter": self.stream.scatter}
            | dict(self.stream.abundances),
        }
        return described(table, "injection")

    def describe(self) -> str:
        """Return the fewest stars of a stream that is found, a line per width, and the number of fits."""
        rows = ["bins spanned  fewest stars  per star of the sample there"]
        for wide, fewest, contrast in zip(self.spanned, self.fewest, self.contrast, strict=True):
            numbers = f"{fewest:12,.0f}  {contrast:8.2f}" if np.isfinite(fewest) else "        none"
            rows.append(f"{100 * wide:10.0f} %  {numbers}")
        narrow = self.narrowest()
        said = "none" if np.isnan(narrow) else f"{100 * narrow:.0f} % of the bins"
        return "\n".join(
            [*rows, f"narrowest found with no more stars than the sample has there: {said}", f"{self.cosine.size} fits"]
        )

    def problems(self) -> str:
        """Return the empty string: fits that did not converge are counted in the table."""
        return ""


def inject(
    stars: StarsLike,
    settings: FitSettings | None = None,
    stream: Stream | None = None,
    *,
    widths: tuple[float, ...] = WIDTHS,
    numbers: tuple[int, ...] = NUMBERS,
    repeats: int = REPEATS,
    components: int = COMPONENTS,
    threshold: float = THRESHOLD,
    seed: int = 0,
    keep: Unfinished | str | Path | None = None,
    progress: Progress = silent,
) -> Injection:
    """Plant streams in a sample and return which of them a fit finds.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars.
    settings : FitSettings, optional
        Selection, bins and images; the paper's by default. Bins are made from the sample alone.
    stream : Stream, optional
        What to plant.
    widths : tuple of float
        Fractions of the sample, at most 1.
    numbers : tuple of int
        Stars of the stream.
    repeats : int
        Streams drawn independently for each.
    components : int
        k.
    threshold : float
        Least cosine of a stream that is found.
    seed : int
        Of the streams.
    keep : path, optional
        Folder for what is done: the same call goes on with what an interrupted one has left there, and the folder is
        removed in the end.
    progress : callable, optional
        Told of the streams that are done.

    Returns
    -------
    Injection

    Raises
    ------
    UsageError
        Numbers or widths that are not positive, or an abundance of the images that the stream lacks; `keep` has work
        with other settings.
    InputError
        Too few stars, or none inside the images.
    OutputError
        `keep` holds something else, or cannot be written.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.inject("stars.fits", widths=(0.05, 0.2), numbers=(400, 1600))  # doctest: +SKIP
    >>> found.fewest  # doctest: +SKIP
    """
    work = injection_work(
        stars, settings, stream, widths=widths, numbers=numbers, repeats=repeats, components=components,
        threshold=threshold, seed=seed,
    )  # fmt: skip
    return do(work, keep, progress)


def injection_work(
    stars: StarsLike,
    settings: FitSettings | None = None,
    stream: Stream | None = None,
    *,
    widths: tuple[float, ...] = WIDTHS,
    numbers: tuple[int, ...] = NUMBERS,
    repeats: int = REPEATS,
    components: int = COMPONENTS,
    threshold: float = THRESHOLD,
    seed: int = 0,
) -> Work[Injection]:
    """Return what an injection has to compute, a piece for every stream; parameters and errors as `inject`."""
    settings, stream = settings or FitSettings(), stream or Stream()
    settings.refuse_weights("an injection")
    if min(*widths, *numbers, repeats, components) <= 0 or max(widths) > 1 or not 0 < threshold < 1:
        raise UsageError(
            "widths must lie between 0 and 1, threshold too, and numbers, repeats and components be positive; got "
            f"{widths}, {threshold:g}, {numbers}, {repeats} and {components}."
        )
    missing = [name for name in settings.chemistry.variables if name not in dict(stream.abundances)]
    if missing:
        raise UsageError(f"the stream has no {', '.join(missing)}, which the images show.")
    chosen, _ = choose(stars, settings.selection)
    mixtures = mix(chosen, settings.axes, settings.chemistry)
    settings = settings.replace(components=components)
    nearest = around(chosen, mixtures, stream)
    places = [nearest[: max(1, round(width * len(nearest)))] for width in widths]
    rng = np.random.default_rng([seed, IMAGE_STREAM])
    image = expected_image(stream, mixtures.chemistry, rng)
    grid = [(i, j, r) for i in range(len(widths)) for j in range(len(numbers)) for r in range(repeats)]
    streams = np.random.SeedSequence(seed).spawn(len(grid))

    def stars_of(at: int) -> np.ndarray:
        i, j, _ = grid[at]
        return planted(stream, mixtures.rows[places[i]], numbers[j], mixtures, np.random.default_rng(streams[at]))

    @cache
    def cells() -> np.ndarray:
        # those of all streams: a stream's fit then does not depend on which others share its batch
        filled = mixtures.V > 0
        for at in range(len(grid)):
            filled |= stars_of(at) > 0
        return filled

    def compute(some: Sequence[int]) -> dict[str, np.ndarray]:
        V = np.stack([mixtures.V + stars_of(at) for at in some])
        _, H, converged = solve_many(V, settings.solver, first=some[0], cells=cells())
        return {"cosine": np.where(converged, _cosines(H, image).max(axis=1), np.nan)}

    def finish(found: Mapping[str, np.ndarray]) -> Injection:
        _, H, _ = solve_many(mixtures.V[None], settings.solver)
        return Injection(
            stream=stream,
            widths=np.array(widths),
            sigma_E=np.array([values(chosen, "E")[place].std() for place in places]),
            sigma_Lz=np.array([values(chosen, "Lz")[place].std() for place in places]),
            spanned=np.array([spanned(mixtures.rows[place], len(mixtures.bins)) for place in places]),
            numbers=np.array(numbers),
            cosine=found["cosine"].reshape(len(widths), len(numbers), repeats),
            null=float(_cosines(H, image).max()),
            threshold=threshold,
            n_stars=int(mixtures.n_stars.sum()),
            components=components,
        )

    choices = {"widths": widths, "numbers": numbers, "repeats": repeats, "threshold": threshold, "seed": seed}
    return Work(
        said=f"{len(widths)} widths, {len(numbers)} numbers of stars, {repeats} streams of each",
        noun=NOUN,
        total=len(grid),
        fits=len(grid),
        batch=BATCH,
        sample=BATCH,
        record=record_of("injection", chosen, settings, stream=stream, **choices),
        compute=compute,
        finish=finish,
        fixed=settings.solver.loss not in (*LEAST_SQUARES, *DIVERGENCE),  # of others no kernel is compiled
    )


def _cosines(H: np.ndarray, image: np.ndarray) -> np.ndarray:  # (..., k, n) with (n,)
    length = np.linalg.norm(H, axis=-1) * np.linalg.norm(image)
    return np.divide(H @ image, length, out=np.zeros_like(length), where=length > 0)
