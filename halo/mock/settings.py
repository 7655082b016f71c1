"""Size and seed of a mock survey; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..fields import Option
from .family import MODELS


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
    """

    stars: Annotated[int, "Rows of the mock survey."] = 60_000
    seed: Annotated[int, "Seed of the mock survey; the same gives the same."] = 1
    full: Annotated[bool, "Do not thin the discs: 2 % of the rows are halo."] = False
    model: Annotated[str, "Which mock of the family; docs/mock.md describes each.", Option(choices=tuple(MODELS))] = (
        "paper-truth"
    )
