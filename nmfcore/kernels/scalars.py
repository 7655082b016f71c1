"""Numbers that belong to a type of float, as constants in kernels: `np.finfo` there takes long to compile."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


def _limit(name: str) -> Any:
    @intrinsic
    def function(typingctx: Any, array: Any) -> Any:
        value = float(getattr(np.finfo(str(array.dtype)), name))

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return ir.Constant(ir.DoubleType(), value)

        return types.float64(array), codegen

    return function


# The smallest normal number and the rounding error of the type of an array, in float64.
tiny_of, eps_of = _limit("tiny"), _limit("eps")
