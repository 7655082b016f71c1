"""Batched non-negative matrix factorisation: many small problems at once, on CPU or GPU.

The easy door is ``nmfcore.factorize(V, 2)``; the parts behind it (losses, rules, starts, stopping) are plain
functions and small immutable objects, and anything with the same shape may take their place.
"""

from typing import TYPE_CHECKING, Any

from .align import Alignment, align
from .errors import ProblemError
from .factorise import factorize
from .initialise import nndsvd, random_factors
from .losses import BetaDivergence, Loss
from .pattern import SharedPattern
from .problem import Factors, Penalty, Problem
from .resample import bootstrap, star_weights
from .result import Result
from .solvers import HALS, ExtrapolatedHALS, NewtonKL, RankTwo
from .stopping import Status, Stop
from .updates import MultiplicativeUpdate, UpdateRule

if TYPE_CHECKING:
    from .estimator import NMF

__all__ = [
    "HALS",
    "NMF",
    "Alignment",
    "BetaDivergence",
    "ExtrapolatedHALS",
    "Factors",
    "Loss",
    "MultiplicativeUpdate",
    "NewtonKL",
    "Penalty",
    "Problem",
    "ProblemError",
    "RankTwo",
    "Result",
    "SharedPattern",
    "Status",
    "Stop",
    "UpdateRule",
    "align",
    "bootstrap",
    "factorize",
    "nndsvd",
    "random_factors",
    "star_weights",
]


def __getattr__(name: str) -> Any:
    # scikit-learn takes longer to load than everything else here; only those who ask for the estimator wait for it.
    if name == "NMF":
        from .estimator import NMF

        return NMF
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
