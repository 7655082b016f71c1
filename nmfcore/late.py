"""torch, loaded when it is first asked for anything: to load it takes longer than most of what is done without it.

Compiled kernels and NumPy solve the everyday problems. Modules write ``from .late import torch`` and use it as ever.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

_asked: int | None = None
"""The number of threads that torch is to use once it is loaded."""

if TYPE_CHECKING:
    import torch
else:

    class _Late(ModuleType):
        def __getattr__(self, name: str) -> Any:
            found = getattr(importlib.import_module(self.__name__), name)
            setattr(self, name, found)  # where the next one finds it at once
            _hand_over()
            return found

    torch = _Late("torch")


def is_loaded() -> bool:
    """Tell whether anybody has loaded torch in this process; if not, nobody has set anything in it either."""
    return "torch" in sys.modules


def is_tensor(x: Any) -> TypeGuard[torch.Tensor]:
    """Tell whether `x` is a tensor, without loading torch."""
    return is_loaded() and isinstance(x, torch.Tensor)


def use_threads(number: int) -> None:
    """Let torch and the compiled kernels use so many threads of this process, whether torch is loaded already or not.

    Parameters
    ----------
    number : int
        At least 1.

    Raises
    ------
    ValueError
        It is less.
    """
    global _asked
    if number < 1:
        raise ValueError(f"the number of threads must be >= 1; got {number}")
    _asked = number
    if is_loaded():
        _hand_over()


def threads() -> int:
    """Return how many threads the engine uses: as many as torch.

    It is loaded to tell where neither `use_threads` nor OMP_NUM_THREADS has said how many.
    """
    if is_loaded():
        _hand_over()
        return torch.get_num_threads()
    said = os.environ.get("OMP_NUM_THREADS", "")
    return _asked or (int(said) if said.isdecimal() and int(said) > 0 else torch.get_num_threads())


def _hand_over() -> None:
    global _asked
    number, _asked = _asked, None
    if number is not None:
        torch.set_num_threads(number)
