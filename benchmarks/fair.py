"""The environment of a fair comparison: import it before NumPy is loaded.

Variables that make a BLAS library leave the kernels that it would choose for the processor slow scikit-learn down and
not what is compiled here. They are unset for both sides, and for all processes that are started from here.
"""

import os
import sys

# as `nmfcore.bench.CHOOSING`, which cannot be had before NumPy is loaded
CHOOSING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "BLIS_ARCH_TYPE")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_found = {name: os.environ[name] for name in CHOOSING if name in os.environ}
_late = "numpy" in sys.modules
UNSET = {} if _late else {name: os.environ.pop(name) for name in _found}
"""What was set, and is no longer."""


def require():
    """End where NumPy was loaded first and has chosen its kernels by what is set."""
    if _late and _found:
        sys.exit(f"unset {', '.join(_found)}: NumPy is loaded already and has chosen its kernels by it.")


def environment():
    """Return what was unset, what is set all the same, and which variables limit threads: for the record."""
    return {
        "unset": UNSET,
        "set": _found if _late else {},
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
    }
