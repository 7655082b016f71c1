"""Batched non-negative matrix factorisation: many small problems at once, on CPU or GPU.

``nmfcore.factorize(V, 2)`` does everything; its parts (losses, rules, starts, stopping) are plain functions and small
immutable objects, and others with the same interface may take their place. All public names are listed here; no user
needs to import from a submodule.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .agreement import Consensus, consensus
from .align import Alignment, align
from .course import Course, in_progress
from .errors import ProblemError
from .factorise import factorize
from .initialise import METHODS, nndsvd, random_factors
from .kernels.compiling import when_compiling
from .kernels.parallel import in_parallel
from .late import threads, use_threads
from .losses import NAMED_BETA, BetaDivergence, Loss
from .masked import MaskedResult, fit_masked
from .pattern import SharedPattern
from .problem import Factors, Penalty, Problem
from .rank import RankScores, RankSelection, select_rank
from .resample import bootstrap, star_weights
from .result import Result
from .rules.hals import HALS, ExtrapolatedHALS
from .rules.multiplicative import MultiplicativeUpdate
from .rules.newton import AcceleratedNewtonKL, NewtonKL
from .rules.rank_two import AcceleratedRankTwo, RankTwo
from .rules.resolve import RULES, UpdateRule
from .stopping import Status, Stop

if TYPE_CHECKING:
    from . import bench
    from .estimator import NMF

__all__ = [
    "HALS",
    "METHODS",
    "NAMED_BETA",
    "NMF",
    "RULES",
    "AcceleratedNewtonKL",
    "AcceleratedRankTwo",
    "Alignment",
    "BetaDivergence",
    "Consensus",
    "Course",
    "ExtrapolatedHALS",
    "Factors",
    "Loss",
    "MaskedResult",
    "MultiplicativeUpdate",
    "NewtonKL",
    "Penalty",
    "Problem",
    "ProblemError",
    "RankScores",
    "RankSelection",
    "RankTwo",
    "Result",
    "SharedPattern",
    "Status",
    "Stop",
    "UpdateRule",
    "align",
    "bench",
    "bootstrap",
    "consensus",
    "factorize",
    "fit_masked",
    "in_parallel",
    "in_progress",
    "nndsvd",
    "random_factors",
    "select_rank",
    "star_weights",
    "threads",
    "use_threads",
    "when_compiling",
]


def __getattr__(name: str) -> Any:
    # scikit-learn takes longer to load than everything else here; only those who ask for the estimator wait for it.
    if name == "NMF":
        return importlib.import_module(".estimator", __name__).NMF
    if name == "bench":
        return importlib.import_module(".bench", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
