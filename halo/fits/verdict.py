"""Whether a fit is to be trusted: found by halving its stars, by leaving one out of every bin, by what is left over.

Thresholds were found on mock surveys and checked on others (docs/verdict.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..mixtures.settings import Chemistry
from ..progress import Progress, silent
from ..stars.clusters import described
from .degenerate import degenerate
from .measures import cosine, gains, halves, misfit, omission
from .reading import mean_abundance

if TYPE_CHECKING:
    from .fit import Fit

SOUND, DOUBTFUL, UNSOUND = "sound", "doubtful", "not to be trusted"
WORDS = (SOUND, DOUBTFUL, UNSOUND)
"""Verdicts, from best to worst."""
NAMES = ({"LE", "HE"}, {"C1", "C2"})
"""Of components whose order can be wrong."""
SPARE = 1.2
"""By how much suggested bins and pixels are fuller than they must be."""
FILLED = 0.3
"""Part of an image's pixels that has any stars, of some 15 pixels on a side."""
STAGE = "verdict"
"""What progress is told of."""


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
    "stars_per_bin": Limit(30, 4),
    "counts_per_pixel": Limit(5, 1.5),
    "cosine": Limit(0.9, 0.4),
    "omission": Limit(0.008, 0.1, above=True),
    "leverage": Limit(0.5, 1.2, above=True),
    "gain": Limit(2, 0),
    "next_gain": Limit(3, np.inf, above=True),
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
        change of the accreted mass fraction when one star is left out of every bin; ``leverage``, the same
        times ``stars_per_bin``: one star can account for less than 1; ``gain``, by how many standard errors the last
        component makes either half a better prediction of the other, and ``next_gain``, what one component more would
        add; ``misfit``, the deviance in blocks of pixels over what Poisson noise allows; ``clusters``, the part of the
        stars that are in place and motion of a globular cluster. Stars with weights count as their effective number.
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
    def unsound(self) -> bool:
        """Whether the fit is not to be trusted."""
        return self.word == UNSOUND

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


def assess(fit: Fit, progress: Progress = silent) -> Verdict:
    """Return how far a fit is to be trusted: measured on its own stars, in about as long as thirty fits take.

    Parameters
    ----------
    fit : Fit
        As `fit` found it.
    progress : callable, optional
        Called with the stage, the measures done and those to do.

    Raises
    ------
    UsageError
        Components that no single fit found.
    """
    mixtures = fit.mixtures
    if fit.W.shape != (len(mixtures.V), len(fit.H)) or len(fit.names) != fit.settings.solver.components:
        raise UsageError("a verdict is on one fit; these components come from several.")
    k, several = len(fit.names), int((mixtures.n_stars > 0).sum()) > 1
    progress(STAGE, 0, 3)
    parts = halves(fit) if several else None
    progress(STAGE, 1, 3)
    gain, next_gain = (np.nan, np.nan) if parts is None else gains(parts, fit.settings.solver)
    progress(STAGE, 2, 3)
    per_weight = mixtures.per_weight
    measures = {
        "stars_per_bin": float(np.median(mixtures.effective)),
        "counts_per_pixel": float(mixtures.V.sum() * per_weight / max(np.count_nonzero(mixtures.V.any(axis=0)), 1)),
        "cosine": cosine(parts, mixtures.chemistry.pixels) if k > 1 and parts is not None else np.nan,
        "omission": omission(fit) if k > 1 else np.nan,
        "gain": gain,
        "next_gain": next_gain,
        "clusters": sum(fit.clusters.values()) / max(int(mixtures.n_stars.sum()), 1),
        "misfit": misfit(mixtures.V * per_weight, fit.W @ fit.H * per_weight, mixtures.chemistry.pixels, k),
    }
    progress(STAGE, 3, 3)
    measures["leverage"] = measures["omission"] * measures["stars_per_bin"]
    by_weight = "" if mixtures.weights is None else " by their weights (effective number)"
    found = {name: limit.word(measures[name]) for name, limit in LIMITS.items()}
    more = (described(fit.clusters), by_weight)
    reasons = [
        (found[name], _told(name, measures[name]).format(abs(measures[name]), *more))
        for name in LIMITS
        if found[name] != SOUND
    ]
    # components of a part of a split sample have names of their own
    order = out_of_order(fit.H, mixtures.chemistry) if set(fit.names) in NAMES else ""
    if order:
        reasons.append((UNSOUND, order))
    reasons += [(UNSOUND if bad else DOUBTFUL, text) for bad, text in degenerate(fit)]
    if not fit.converged:
        reasons.append((DOUBTFUL, f"the fit did not converge ({fit.status})"))
    reasons.sort(key=lambda reason: -WORDS.index(reason[0]))
    word = reasons[0][0] if reasons else SOUND
    return Verdict(word, tuple(text for _, text in reasons), _advice(fit, found, bool(order)), measures)


_SAID = {
    "stars_per_bin": "few stars: {0:.0f} a bin{2}",
    "counts_per_pixel": "fine pixels: {0:.1f} counts in each that has any",
    "cosine": "two halves of the stars find components of cosine {0:.2f}",
    "omission": "one star less in every bin moves the accreted mass fraction by {0:.3f}",
    "leverage": "one star less in every bin changes the accreted part as {0:.1f} stars would",
    "gain": "the last component makes halves of the stars predict each other better by {0:.1f} standard errors only",
    "no gain": "the last component makes halves of the stars predict each other worse, by {0:.1f} standard errors",
    "next_gain": "one component more makes halves of the stars predict each other better, by {0:.1f} standard errors",
    "clusters": "{1} by place and motion are among the stars",
    "misfit": "the components leave {0:.2f} times the deviance that Poisson noise allows",
}


def _told(name: str, value: float) -> str:
    return _SAID["no gain" if name == "gain" and value < 0 else name]


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
    if "gain" not in bad and bad & {"misfit", "next_gain"}:
        said.append("ask halonmf rank whether there are more components")
    elif bad & {"leverage", "gain"}:
        said.append("ask halonmf rank whether there are so many components")
    return "; ".join(said)


def fullest_bins(stars: int, axes: int) -> int:
    """Return the most bins along each of some axes that have stars enough for a sound fit, two or more."""
    return max(int((stars / (SPARE * LIMITS["stars_per_bin"].doubtful)) ** (1 / axes)), 2)


def fullest_images(stars: int) -> int:
    """Return the most pixels along a side of each image that have counts enough for a sound fit, eight or more."""
    return max(int((stars / (SPARE * LIMITS["counts_per_pixel"].doubtful * FILLED)) ** 0.5), 8)


def suggested(fit: Fit) -> str:
    """Return options of bins and pixels that have stars enough, such as ``--bins E:5,Lz:5 --pixels 20``."""
    stars = int(fit.mixtures.effective_stars)
    axes = fit.mixtures.bins.axes
    most = fullest_bins(stars, len(axes))
    bins = ",".join(f"{axis.variable}:{min(axis.count, most)}" for axis in axes)
    return f"--bins {bins} --pixels {min(fullest_images(stars), fit.mixtures.chemistry.pixels)}"


def out_of_order(H: np.ndarray, chemistry: Chemistry) -> str:
    """Return a line where two components are not what LE and HE mean: the second, of more energy, has less [Al/Fe].

    Empty where it has, of another number of components, or without [Al/Fe].
    """
    al = mean_abundance(H, chemistry, "AL_FE")
    if len(H) != 2 or al is None or not np.isfinite(al).all():
        return ""
    low, high = al
    if high < low:
        return ""
    return (
        f"the component of higher energy has the higher mean [Al/Fe] ({high:.2f}, the other {low:.2f}): they are not "
        "what LE and HE mean"
    )
