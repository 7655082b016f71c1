"""The family of mock surveys: populations by the name of a mock; plain Python.

Every member has the same ten populations in the same order, so that their codes and truths can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from .model import Population
from .populations import DISC_THINNING, POPULATIONS


@dataclass(frozen=True)
class Galaxy:
    """A member of the family.

    Attributes
    ----------
    about : str
        What distinguishes it, in a line.
    populations : tuple of Population
        In the order of the codes in the truth table.
    """

    about: str
    populations: tuple[Population, ...]

    def shares(self, full: bool) -> list[float]:
        """Return the fraction of each population in the ordinary rows, after thinning unless `full`.

        Parameters
        ----------
        full : bool
            Keep the survey's own fractions.

        Returns
        -------
        list of float
            In the order of the populations; sums to one.
        """
        kept = [p.share / (DISC_THINNING if p.thinned and not full else 1.0) for p in self.populations]
        return [share / sum(kept) for share in kept]


MODELS: dict[str, Galaxy] = {
    "paper-truth": Galaxy("the paper's accreted fraction and transition are the truth", POPULATIONS),
}
"""The mocks by name."""


def galaxy(model: str) -> Galaxy:
    """Return the mock of a name.

    Raises
    ------
    UsageError
        There is none.
    """
    if model not in MODELS:
        raise UsageError(f"model must be one of {', '.join(MODELS)}; got {model!r}.")
    return MODELS[model]
