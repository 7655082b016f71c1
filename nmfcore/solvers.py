"""Names that the kernels import; to go as soon as they import them from `rules`."""

from .rules.hals import GROW, GROW_LIMIT, HALS, MOMENTUM, SHRINK, ExtrapolatedHALS
from .rules.newton import KEPT, NEGLIGIBLE, NewtonKL
from .rules.rank_two import RankTwo

__all__ = [
    "GROW",
    "GROW_LIMIT",
    "HALS",
    "KEPT",
    "MOMENTUM",
    "NEGLIGIBLE",
    "SHRINK",
    "ExtrapolatedHALS",
    "NewtonKL",
    "RankTwo",
]
