"""Choices of a run of the whole paper; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..errors import UsageError
from ..fields import Option
from ..fits.settings import Device, Solver
from ..mixtures.settings import AXES, Axis
from ..mock.family import MODELS
from ..mock.settings import MockSettings

PAPER, RECOMMENDED, BOTH = "paper", "recommended", "both"
ANALYSES = (PAPER, RECOMMENDED, BOTH)
"""Two components as the paper finds them; as many as the stars call for; the one beside the other."""
SCORES = "scoreboard.json"
"""The file of a paper's folder by which the folder is known."""
FOLDERS = ("figures", "tables", "fits")
"""Folders of a paper in which its steps leave files."""
STEPS = "steps"
"""The folder that tells of every step what it was made from and what it left."""


@dataclass(frozen=True)
class PaperSettings:
    """Choices of a run of the whole paper.

    Attributes
    ----------
    seed : int
        Of the mock, the bootstraps and everything else that is drawn.
    rows : int
        Rows of the mock survey.
    model : str
        Which mock of the family (`mock.family.MODELS`).
    bootstrap : int
        Replicates behind the intervals; 0 for none.
    expected : int
        Mock surveys that the mock's noise-free counts are averaged over; 0 for none.
    draws : int
        Draws of the regularisation search; 0 for none.
    analysis : str
        One of `ANALYSES`.
    axes : tuple of Axis or None
        Bins of the fits of two components; None for the paper's where these stars allow them, else what the verdict on
        the fit advises.
    pixels : int or None
        Pixels along a side of each image; None likewise.
    device : str
        As in `FitSettings`.
    """

    seed: Annotated[int, "Seed of the mock, the bootstraps and all else."] = MockSettings.seed
    rows: Annotated[int, "Rows of the mock survey."] = MockSettings.stars
    model: Annotated[str, "Which mock; docs/mock.md describes each.", Option(choices=tuple(MODELS))] = (
        MockSettings.model
    )
    bootstrap: Annotated[int, "Resamples behind the intervals; 0 for none.", Option(minimum=0)] = 200
    expected: int = 6
    draws: Annotated[int, "Draws of the search for penalties; the paper took 5000, 0 for none.", Option(minimum=0)] = 60
    analysis: Annotated[
        str,
        "paper: every product of Davies et al.; recommended: as many components as the stars call for, by "
        "Kullback-Leibler (docs/recommended.md), compared with the paper's two; both: all of it.",
        Option(choices=ANALYSES),
    ] = PAPER
    axes: Annotated[
        tuple[Axis, ...] | None,
        "VARIABLE:COUNT,VARIABLE:COUNT; without it the paper's E:8,Lz:8, or fewer for few stars.",
        Option("--bins", keyword="bins", form=AXES),
    ] = None
    pixels: Annotated[
        int | None, "Pixels along a side; without it the paper's 50, or fewer for few stars.", Option(minimum=1)
    ] = None
    device: Device = Solver.device

    def __post_init__(self) -> None:
        for name in ("seed", "bootstrap", "expected", "draws"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must be >= 0, got {getattr(self, name)}.")
        if self.model not in MODELS:
            raise UsageError(f"model must be one of {', '.join(MODELS)}; got {self.model!r}.")
        if self.analysis not in ANALYSES:
            raise UsageError(f"analysis must be one of {', '.join(ANALYSES)}; got {self.analysis!r}.")
