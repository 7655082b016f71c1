"""A configuration of an ensemble: a fit and how its stars are resampled."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from ..errors import UsageError
from ..fields import Form, Option
from ..fits.settings import FitSettings

SCHEMES = ("multinomial", "poisson", "delete", "none")
EDGES = ("fixed", "redrawn")
ERRORS = ("none", "redrawn")


def parse_drop(text: str) -> int | str:
    """Return how many stars `delete` takes from a bin: ``sqrt``, or a number.

    Raises
    ------
    UsageError
        Neither.
    """
    try:
        return text if text == "sqrt" else int(text)
    except ValueError:
        raise UsageError(f"drop must be sqrt or a number of stars >= 0; got {text!r}.") from None


@dataclass(frozen=True)
class Setup:
    """One configuration of an ensemble, common to its replicates.

    Attributes
    ----------
    fit : FitSettings
        Selection, bins, images and the fit. Its seed names the replicates' random streams too.
    scheme : str
        How stars are resampled: ``multinomial`` (the bootstrap), ``poisson``, ``delete`` (the paper's, without
        replacement), or ``none``, which keeps the sample as it is.
    drop : int or str
        Stars to take from each bin with ``delete``: a number, or ``sqrt`` of the bin's.
    edges : str
        ``fixed`` keeps the full sample's bins; ``redrawn`` makes equal-count bins from each replicate's own stars.
    errors : str
        ``redrawn`` scatters abundances, distances, proper motions and radial velocities by their errors in each
        replicate, before orbits, cuts and bins; ``none`` leaves them.
    floor : float
        Least cosine between a component and that of the reference it is matched to; replicates below are refused.

    Raises
    ------
    UsageError
        A value that makes no sense.
    """

    fit: FitSettings = field(default_factory=FitSettings)
    scheme: Annotated[str, "How stars are resampled; delete is the paper's.", Option(choices=SCHEMES)] = "multinomial"
    drop: Annotated[int | str, "Stars delete takes from a bin: sqrt or a number.", Option(form=Form(parse_drop))] = (
        "sqrt"
    )
    edges: Annotated[str, "Bins of the full sample, or of each replicate's own stars.", Option(choices=EDGES)] = "fixed"
    errors: Annotated[str, "redrawn scatters every star by its errors in each replicate.", Option(choices=ERRORS)] = (
        "none"
    )
    floor: Annotated[
        float, "Replicates whose components match less well are refused.", Option(minimum=0, maximum=1)
    ] = 0.5

    def __post_init__(self) -> None:
        for name, known in (("scheme", SCHEMES), ("edges", EDGES), ("errors", ERRORS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}.")
        if self.drop != "sqrt" and (isinstance(self.drop, str | bool) or self.drop < 0):
            raise UsageError(f"drop must be sqrt or a number of stars >= 0; got {self.drop!r}.")
        if not 0 <= self.floor <= 1:
            raise UsageError(f"floor must lie between 0 and 1, got {self.floor:g}.")
        if self.fit.solver.components < 1:
            raise UsageError(f"components must be >= 1, got {self.fit.solver.components}.")
        if not 0 <= self.fit.solver.seed < 2**63:
            raise UsageError(f"seed must be >= 0 and below 2^63, got {self.fit.solver.seed}.")
        for name in ("alpha_W", "alpha_H", "tol", "max_iter"):
            value = getattr(self.fit.solver, name)
            if not 0 <= value < math.inf:
                raise UsageError(f"{name} must be a finite number >= 0, got {value:g}.")
        if not 0 <= self.fit.solver.l1_ratio <= 1:
            raise UsageError(f"l1_ratio must lie between 0 and 1, got {self.fit.solver.l1_ratio:g}.")
        if self.fit.solver.starts is not None and self.fit.solver.starts < 1:
            raise UsageError(f"starts must be >= 1, got {self.fit.solver.starts}.")
