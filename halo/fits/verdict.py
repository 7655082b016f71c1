"""Whether a fit is to be trusted: found by halving its stars, by leaving one out of every bin, by what is left over.

Thresholds were found on mock surveys and checked on others (docs/verdict.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..mixtures.counts import count
from ..mixtures.settings import Chemistry
from ..stars.clusters import described
from .engine import solve
from .settings import Solver

if TYPE_CHECKING:
    from .fit import Fit

SOUND, DOUBTFUL, UNSOUND = "sound", "doubtful", "not to be trusted"
WORDS = (SOUND, DOUBTFUL, UNSOUND)
"""Verdicts, from best to worst."""
HALVES, OMITTED = 10, 10
"""Times that the stars are halved, and that one star a bin is left out."""
SPARE = 1.2
"""By how much suggested bins and pixels are fuller than they must be."""
EVERYWHERE = 0.02
"""Part of the model that is the mean image of all bins."""
FILLED = 0.3
"""Part of an image's pixels that has any stars, of some 15 pixels on a side."""
BLOCKS = 10
"""Blocks of pixels on a side of an image in which the misfit is sought: what smears over pixels adds up in them."""


@dataclass(frozen=True)
class Limit:
    """Where a measure makes a fit doubtful, and where not to be trusted; `above` where large values are bad."""

    doubtful: float
    unsound: float
    above: bool = False

    def word(self, value: float) -> str:
        """Return the verdict on a value; of none it is `SOUND`: what could not be measured accuses nobody."""
        if not np.isfinite(value):
            return SOUND
        sign = 1.0 if self.above else -1.0
        for word, limit in ((UNSOUND, self.unsound), (DOUBTFUL, self.doubtful)):
            if sign * value > sign * limit:
                return word
        return SOUND


LIMITS: dict[str, Limit] = {
    "stars_per_bin": Limit(30, 6),
    "counts_per_pixel": Limit(5, 1.5),
    "cosine": Limit(0.9, 0.6),
    "omission": Limit(0.008, 0.02, above=True),
    "leverage": Limit(0.5, 1.2, above=True),
    "clusters": Limit(0.02, 0.05, above=True),
    "misfit": Limit(1.25, np.inf, above=True),
}
"""By measure; see `Verdict.measures`."""


@dataclass(frozen=True)
class Verdict:
    """How far a fit is to be trusted, and why.

    Attributes
    ----------
    word : str
        One of `WORDS`: the worst that any measure says.
    reasons : tuple of str
        What speaks against it, worst first; empty of a sound fit.
    advice : str
        What to do; empty of a sound fit.
    measures : dict of str to float
        ``stars_per_bin``, the median over bins; ``counts_per_pixel``, counts by pixels with any; ``cosine``, the least
        of the components' between fits of the two halves of the stars, median over splits; ``omission``, the largest
        change of the last component's mass fraction when one star is left out of every bin; ``leverage``, the same
        times ``stars_per_bin``: one star can account for less than 1; ``misfit``, the deviance in blocks of
        pixels over what Poisson noise allows; ``clusters``, the part of the stars that are in place and motion of a
        globular cluster.
    """

    word: str
    reasons: tuple[str, ...] = ()
    advice: str = ""
    measures: dict[str, float] = field(default_factory=dict)

    def describe(self) -> str:
        """Return the verdict in a line or a few."""
        lines = [f"verdict: {self.word}", *(f"  {reason}" for reason in self.reasons)]
        return "\n".join([*lines, f"  {self.advice}"] if self.advice else lines)

    @property
    def line(self) -> str:
        """The verdict in a line."""
        return f"{self.word}{': ' if self.reasons else ''}{'; '.join(self.reasons)}"

    def record(self) -> dict[str, Any]:
        """Return the verdict for files."""
        return {
            "word": self.word, "reasons": list(self.reasons), "advice": self.advice, "measures": dict(self.measures),
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Verdict:
        """Return the verdict of a record.

        Raises
        ------
        ValueError
            It is none.
        """
        if record["word"] not in WORDS:
            raise ValueError(f"verdict must be one of {', '.join(WORDS)}, got {record['word']!r}")
        measures = {str(name): float(value) for name, value in record["measures"].items()}
        return cls(record["word"], tuple(map(str, record["reasons"])), str(record["advice"]), measures)


def assess(fit: Fit) -> Verdict:
    """Return how far a fit is to be trusted: measured on its own stars, in about as long as thirty fits take.

    Parameters
    ----------
    fit : Fit
        As `fit` found it.

    Raises
    ------
    UsageError
        Components that no single fit found.
    """
    mixtures = fit.mixtures
    if fit.W.shape != (len(mixtures.V), len(fit.H)) or len(fit.names) != fit.settings.solver.components:
        raise UsageError("a verdict is on one fit; these components come from several.")
    filled = mixtures.n_stars > 0
    measures = {
        "stars_per_bin": float(np.median(mixtures.n_stars)),
        "counts_per_pixel": float(mixtures.V.sum() / max(np.count_nonzero(mixtures.V.any(axis=0)), 1)),
        "cosine": _cosine(fit) if len(fit.names) > 1 and filled.sum() > 1 else np.nan,
        "omission": _omission(fit) if len(fit.names) > 1 else np.nan,
        "clusters": sum(fit.clusters.values()) / max(int(mixtures.n_stars.sum()), 1),
        "misfit": misfit(mixtures.V, fit.W @ fit.H, mixtures.chemistry.pixels, len(fit.H)),
    }
    measures["leverage"] = measures["omission"] * measures["stars_per_bin"]
    found = {name: limit.word(measures[name]) for name, limit in LIMITS.items()}
    reasons = [
        (found[name], _SAID[name].format(measures[name], described(fit.clusters)))
        for name in LIMITS
        if found[name] != SOUND
    ]
    order = out_of_order(fit.H, mixtures.chemistry)
    if order:
        reasons.append((UNSOUND, order))
    if not fit.converged:
        reasons.append((DOUBTFUL, f"the fit did not converge ({fit.status})"))
    reasons.sort(key=lambda reason: -WORDS.index(reason[0]))
    word = reasons[0][0] if reasons else SOUND
    return Verdict(word, tuple(text for _, text in reasons), _advice(fit, found, bool(order)), measures)


_SAID = {
    "stars_per_bin": "few stars: {:.0f} a bin",
    "counts_per_pixel": "fine pixels: {:.1f} counts in each that has any",
    "cosine": "two halves of the stars find components of cosine {:.2f}",
    "omission": "one star less in every bin moves the last component's mass fraction by {:.3f}",
    "leverage": "one star less in every bin changes the last component as {:.1f} stars would",
    "clusters": "{1} by place and motion are among the stars",
    "misfit": "the components leave {:.2f} times the deviance that Poisson noise allows",
}


def _advice(fit: Fit, found: dict[str, str], disordered: bool) -> str:
    bad = {name for name, word in found.items() if word != SOUND}
    said = []
    if bad & {"stars_per_bin", "counts_per_pixel", "cosine"}:
        axes, better = fit.mixtures.bins.axes, suggested(fit)
        present = ",".join(f"{axis.variable}:{axis.count}" for axis in axes)
        tried = better == f"--bins {present} --pixels {fit.mixtures.chemistry.pixels}"
        said.append("take more stars or fewer components" if tried else f"try {better}")
    if "clusters" in bad:
        said.append("take the clusters out with prepare --members or --clusters remove")
    elif disordered:
        said.append("look at the figures before you name the components")
    if "misfit" in bad:
        said.append("ask halonmf rank whether there are more components")
    elif "leverage" in bad:
        said.append("ask halonmf rank whether there are so many components")
    return "; ".join(said)


def fullest_bins(stars: int, axes: int) -> int:
    """Return the most bins along each of some axes that have stars enough for a sound fit, two or more."""
    return max(int((stars / (SPARE * LIMITS["stars_per_bin"].doubtful)) ** (1 / axes)), 2)


def suggested(fit: Fit) -> str:
    """Return options of bins and pixels that have stars enough, such as ``--bins E:5,Lz:5 --pixels 20``."""
    stars = int(fit.mixtures.n_stars.sum())
    axes = fit.mixtures.bins.axes
    most = fullest_bins(stars, len(axes))
    bins = ",".join(f"{axis.variable}:{min(axis.count, most)}" for axis in axes)
    pixels = int((stars / (SPARE * LIMITS["counts_per_pixel"].doubtful * FILLED)) ** 0.5)
    return f"--bins {bins} --pixels {min(max(pixels, 8), fit.mixtures.chemistry.pixels)}"


def out_of_order(H: np.ndarray, chemistry: Chemistry) -> str:
    """Return a line where two components are not what LE and HE mean: the second, of more energy, has less [Al/Fe].

    Empty where it has, of another number of components, or without [Al/Fe].
    """
    planes = [i for i, plane in enumerate(chemistry.planes) if plane.y == "AL_FE"]
    if len(H) != 2 or not planes:
        return ""
    mass = chemistry.images(H)[:, planes[0]].sum(axis=2)
    total = mass.sum(axis=1)
    if not (total > 0).all():
        return ""
    low, high = (mass @ chemistry.centres("AL_FE")) / total
    if high < low:
        return ""
    return (
        f"the component of higher energy has the higher mean [Al/Fe] ({high:.2f}, the other {low:.2f}): they are not "
        "what LE and HE mean"
    )


def _halves(fit: Fit) -> np.ndarray:
    # V of either half of the stars, shape (2 x HALVES, m, n); whole stars, with all their images
    mixtures = fit.mixtures
    rng = np.random.default_rng(fit.settings.solver.seed)
    V = []
    for _ in range(HALVES):
        first = rng.permutation(len(mixtures.rows)) < len(mixtures.rows) // 2
        V += [count(mixtures.rows[some], mixtures.columns[some], mixtures.V.shape) for some in (first, ~first)]
    return np.stack(V)


def _cosine(fit: Fit) -> float:
    import nmfcore

    _, H = _refitted(fit, _halves(fit), own=False)
    # In blocks: fine pixels differ by their noise alone.
    H = np.stack([in_blocks(one, fit.mixtures.chemistry.pixels) for one in H])
    pairs = zip(H[::2], H[1::2], strict=True)
    similarity = [np.min(np.nan_to_num(nmfcore.align(b[None], a).similarity)) for a, b in pairs]
    return float(np.median(similarity))


def _omission(fit: Fit) -> float:
    import nmfcore

    mixtures = fit.mixtures
    weights = nmfcore.star_weights(
        mixtures.rows, replicates=OMITTED, scheme="delete", drop=1, seed=fit.settings.solver.seed
    )
    V = []
    for weight in weights:
        kept = weight > 0
        V.append(count(mixtures.rows[kept], mixtures.columns[kept], mixtures.V.shape))
    W, _ = _refitted(fit, np.stack(V), own=True)
    share = W.sum(axis=1) / W.sum(axis=(1, 2))[:, None]
    return float(np.abs(fit.reading.of(share) - fit.accreted_fraction).max())


def _refitted(fit: Fit, V: np.ndarray, *, own: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return W and H of fits of other counts in the same bins; from the fit's own solution, or from the first."""
    import nmfcore

    solver: Solver = fit.settings.solver
    init: Any = (fit.W, fit.H) if own else solver.init
    least_squares = solver.least_squares
    data = V if least_squares else nmfcore.SharedPattern.from_dense(V)
    result = solve(data, solver, init=init, starts=None if own else solver.starts)
    return result.normalised()


def misfit(V: np.ndarray, Y: np.ndarray, pixels: int, k: int) -> float:
    """Return the deviance of counts over what it is expected to be where Y are their Poisson means.

    Counts and means are added up in blocks of pixels, in which a misfit that smears over pixels adds up; the k
    components of a bin and of a block are taken from the number of blocks.

    Parameters
    ----------
    V, Y : ndarray, shape (m, n)
        Counts and model.
    pixels : int
        l: each image has l x l pixels.
    k : int
        Components.

    Returns
    -------
    float
        About 1 where the model holds; NaN where there are no more blocks than parameters.
    """
    counted, expected = in_blocks(V, pixels), in_blocks(np.maximum(Y, 0.0), pixels)
    # A bin's total is not what the loss fits: least squares leave it off by tens of per cent.
    total = expected.sum(axis=1, keepdims=True)
    expected = np.divide(
        expected * counted.sum(axis=1, keepdims=True), total, out=np.zeros_like(expected), where=total > 0
    )
    # A little of the mean image everywhere: where factors are zero a single count would forbid the model.
    mean_image = counted.sum(axis=1, keepdims=True) * counted.sum(axis=0) / max(counted.sum(), 1)
    expected = (1 - EVERYWHERE) * expected + EVERYWHERE * mean_image
    kept = expected > 0
    x, mean = counted[kept], expected[kept]
    deviance = 2 * (np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0) / mean), 0.0) - (x - mean)).sum()
    usual = np.interp(np.log(mean), *_usual_deviance()).sum()
    # Each parameter takes its part of the deviance of the blocks.
    free = k * (np.count_nonzero(kept.any(axis=1)) + np.count_nonzero(kept.any(axis=0)))
    left = usual * (1 - free / max(kept.sum(), 1))
    return float(deviance / left) if left > 0 else np.nan


def in_blocks(V: np.ndarray, pixels: int) -> np.ndarray:
    """Return rows of images, shape (m, n), added up in `BLOCKS` x `BLOCKS` blocks of pixels each."""
    side = min(pixels, BLOCKS)
    edges = np.unique(np.linspace(0, pixels, side + 1).round().astype(int))[:-1]
    images = V.reshape(len(V), -1, pixels, pixels)
    summed = np.add.reduceat(np.add.reduceat(images, edges, axis=2), edges, axis=3)
    return summed.reshape(len(V), -1)


@cache
def _usual_deviance() -> tuple[np.ndarray, np.ndarray]:
    # Logarithms of Poisson means, and the mean deviance of a count of each
    from scipy.stats import poisson

    means = np.geomspace(1e-8, 1e4, 241)
    expected = []
    for mean in means:
        x = np.arange(poisson.ppf(1e-12, mean), poisson.ppf(1 - 1e-12, mean) + 2)
        each = 2 * (np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0) / mean), 0.0) - (x - mean))
        expected.append(float((poisson.pmf(x, mean) * each).sum()))
    return np.log(means), np.array(expected)
