"""Size and seed of a mock survey; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..fields import Option
from .family import MODELS

FILES = {
    "apogee-dr17": ("allStarLite-dr17-synspec_rev1.fits", "apogee_astroNN-DR17.fits"),
    "mwm-dr19": ("astraAllStarASPCAP-0.6.0.fits.gz", "astraAllStarAstroNNdist-0.6.0.fits.gz"),
    "galah-dr4": ("galah_dr4_allstar_240705.fits", "galah_dr4_vac_wise_tmass_gaiadr3_240705.fits"),
}
"""Names of the files in each layout: the catalogue, and what goes with it."""


@dataclass(frozen=True)
class MockSettings:
    """What is drawn; see `survey.draw`.

    Attributes
    ----------
    stars : int
        Rows of the survey.
    seed : int
        The same seed gives the same survey.
    full : bool
        Do not thin the discs, as in a survey.
    model : str
        Which of `family.MODELS`.
    survey : str
        Whose files the mock is laid out as.
    """

    stars: Annotated[int, "Rows of the mock survey."] = 60_000
    seed: Annotated[int, "Seed of the mock survey; the same gives the same."] = 1
    full: Annotated[bool, "Do not thin the discs: 2 % of the rows are halo."] = False
    model: Annotated[str, "Which mock of the family; docs/mock.md describes each.", Option(choices=tuple(MODELS))] = (
        "paper-truth"
    )
    survey: Annotated[str, "Survey whose file layouts are written.", Option(choices=tuple(FILES))] = "apogee-dr17"
