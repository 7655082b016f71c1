"""The releases of numba by which kernels are compiled in our way, and what is done with others."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numba

TRIED = ((0, 62), (0, 69))
"""Releases of numba, from the first to before the second, whose inner workings are those that `parts` builds on."""


@cache
def tried() -> bool:
    """Tell whether this release of numba is one that kernels were compiled whole by; if not, say so once."""
    release = tuple(int(part) for part in numba.__version__.split(".")[:2])
    if TRIED[0] <= release < TRIED[1]:
        return True
    first, last = (f"{major}.{minor}" for major, minor in (TRIED[0], (TRIED[1][0], TRIED[1][1] - 1)))
    warnings.warn(
        f"numba {numba.__version__} was not tried with the compiled kernels, which know the inner workings of releases "
        f"{first} to {last}: they are compiled the ordinary way, which takes about twice as long at first use.",
        RuntimeWarning,
        stacklevel=2,
    )
    return False


def pipeline(*, whole: bool) -> dict[str, Any]:
    """Return the option of `njit` for kernels as a whole, or for functions that only kernels call.

    There is none with releases of numba that were not tried.
    """
    if not tried():
        return {}
    from .parts import Part, Whole  # other releases may lack what it takes from numba

    return {"pipeline_class": Whole if whole else Part}
