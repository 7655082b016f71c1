"""Short ways for what kernels ask numba most often: of which type a sum, a comparison or an entry of an array is.

By default each such question goes through some ten templates and as many overloads of an operator, which together takes
an eighth of the seconds that a kernel compiles. The answers are numba's own.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin

NUMBERS = types.int64, types.float64
ARITHMETIC = operator.add, operator.sub, operator.mul
COMPARISONS = operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge
# Templates for a target are tried before the general ones.
FIRST: dict[str, str] = {"target": "cpu"}


def _is_flat(array: Any) -> bool:
    return type(array) is types.Array and array.ndim == 1 and array.layout == "C" and array.mutable


def _answer(symbol: Any, answer: Any) -> None:
    @infer_global(symbol)
    class _Typing(AbstractTemplate):
        metadata: Any = FIRST

        def generic(self, args: Any, kws: Any) -> Any:
            return None if kws else answer(*args)


def _pair(result: Any) -> Any:
    # Types are unique objects.
    def answer(*args: Any) -> Any:
        if len(args) == 2 and args[0] is args[1] and (args[0] is types.int64 or args[0] is types.float64):
            return result(args[0])(*args)
        return None

    return answer


def _entry(array: Any, index: Any) -> Any:
    return array.dtype(array, index) if index is types.intp and _is_flat(array) else None


def _assignment(array: Any, index: Any, value: Any) -> Any:
    known = index is types.intp and _is_flat(array) and value == array.dtype
    return types.none(array, index, value) if known else None


for _symbol in ARITHMETIC:
    _answer(_symbol, _pair(lambda kind: kind))
for _symbol in COMPARISONS:
    _answer(_symbol, _pair(lambda kind: types.boolean))
_answer(bool, lambda value: types.boolean(value) if value is types.boolean else None)
_answer(operator.getitem, _entry)
_answer(operator.setitem, _assignment)


def _extreme(symbol: Any, compare: str) -> None:
    # Python's: the first one unless the second one is beyond it.
    _answer(symbol, _pair(lambda kind: kind))

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, second = args
        test = builder.fcmp_ordered if isinstance(signature.return_type, types.Float) else builder.icmp_signed
        return builder.select(test(compare, second, first), second, first)

    for kind in NUMBERS:
        lower_builtin(symbol, kind, kind)(lower)


_extreme(min, "<")
_extreme(max, ">")


def _limit(name: str) -> Any:
    @intrinsic
    def function(typingctx: Any, array: Any) -> Any:
        import numpy as np

        value = float(getattr(np.finfo(str(array.dtype)), name))

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return ir.Constant(ir.DoubleType(), value)

        return types.float64(array), codegen

    return function


# The smallest normal number and the rounding error of the type of an array, in float64.
tiny_of, eps_of = _limit("tiny"), _limit("eps")
