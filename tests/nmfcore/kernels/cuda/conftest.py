"""What the kernels need to run in numba's simulator."""

import importlib
import os

import pytest

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
MODULES = ("reductions", "sweeps", "checks", "solve", "draw")


class Cuda:
    """numba's module `cuda` as device functions see it.

    The simulator puts its stand-in into the module of a device function when a thread enters it and takes it away when
    one leaves, though others may still be inside. This one is always there.
    """

    def __getattr__(self, name):
        from numba import cuda
        from numba.cuda.simulator import kernel

        context = kernel._get_kernel_context()
        return getattr(cuda if context is None else context, name)


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    if SIMULATED:
        for name in MODULES:
            monkeypatch.setattr(importlib.import_module(f"nmfcore.kernels.cuda.{name}"), "cuda", Cuda())
