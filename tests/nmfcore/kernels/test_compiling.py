"""Kernels where numba can keep no compiled code, and where it is told to compile nothing."""

import os
import subprocess
import sys

DRAW = """
import numpy as np, nmfcore
rng = np.random.default_rng(0)
stars = rng.integers(0, 6, 50), rng.integers(0, 9, 50)
counts = nmfcore.bootstrap(*stars, (6, 9), replicates=3, seed=1)
print(int(counts.to_dense().sum()), end="")
"""
FIT = DRAW + "print(nmfcore.factorize(counts, 2).converged.all())"
# As numba finds it in a read-only installation of a user without a home.
NOWHERE = "import numba.core.caching as c; c.CacheImpl._locator_classes = []; "


def printed(code, *flags, **environment):
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_without_jit_counts_are_the_same_and_the_dense_path_solves_them():
    out, _ = printed(FIT, "-W", "error", NUMBA_DISABLE_JIT="1")
    assert out == printed(FIT)[0] == "150True"


def test_where_nothing_can_be_kept_kernels_work_and_say_so_once():
    out, err = printed(NOWHERE + DRAW)
    assert out == "150"
    assert err.count("NUMBA_CACHE_DIR") == 1
