"""Batched non-negative matrix factorisation: many small problems at once, on CPU or GPU.

The easy door is ``nmfcore.factorize(V, 2)``; the parts behind it (losses, rules, starts, stopping) are plain
functions and small immutable objects, and anything with the same shape may take their place.
"""

from .errors import ProblemError
from .factorise import factorize
from .initialise import nndsvd, random_factors
from .losses import BetaDivergence, Loss
from .problem import Factors, Penalty, Problem
from .result import Result
from .solvers import HALS
from .stopping import Status, Stop
from .updates import MultiplicativeUpdate, UpdateRule

__all__ = [
    "HALS",
    "BetaDivergence",
    "Factors",
    "Loss",
    "MultiplicativeUpdate",
    "Penalty",
    "Problem",
    "ProblemError",
    "Result",
    "Status",
    "Stop",
    "UpdateRule",
    "factorize",
    "nndsvd",
    "random_factors",
]
