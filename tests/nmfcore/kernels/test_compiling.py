"""Kernels where numba can keep no compiled code, where it is told to compile nothing, and in forked children."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nmfcore

DRAW = """
import numpy as np, nmfcore
rng = np.random.default_rng(0)
stars = rng.integers(0, 6, 51), rng.integers(0, 9, (51, 2))
draw = lambda scheme: nmfcore.bootstrap(*stars, (6, 9), replicates=20, seed=1, scheme=scheme)
counts = draw("multinomial")
print([int(draw(x).to_dense().reshape(-1) @ np.arange(1080.0)) for x in ("multinomial", "poisson", "delete")])
"""
# Of every form of data; losses to the digits that other paths agree in.
FIT = (
    DRAW
    + """
import scipy.sparse
V, losses = np.asarray(counts.to_dense(dtype=np.float64)), []
for data in (counts, nmfcore.SharedPattern.from_dense(V), V, V[0], scipy.sparse.csr_matrix(V[0])):
    for loss in ("frobenius", "kullback-leibler"):
        result = nmfcore.factorize(data, 2, init="nndsvda", loss=loss)
        assert np.all(result.status == nmfcore.Status.CONVERGED)
        losses.append(f"{np.sum(result.loss):.3g}")
model = nmfcore.NMF(2).fit(V[0])
print(losses, f"{model.transform(scipy.sparse.csr_matrix(V[0])).sum():.3g}")
"""
)
FORK = """
import multiprocessing, sys, numpy as np, torch, nmfcore
torch.set_num_threads(2)
rng = np.random.default_rng(0)
counts = nmfcore.bootstrap(rng.integers(0, 6, 50), rng.integers(0, 9, 50), (6, 9), replicates=100, seed=1)

def solved(loss):
    return nmfcore.factorize(counts, 2, loss=loss).loss

def compare(here):
    for loss, expected in here.items():
        assert np.array_equal(solved(loss), expected), loss

here = {loss: solved(loss) for loss in ("frobenius", "kullback-leibler")}
child = multiprocessing.get_context("fork").Process(target=compare, args=(here,))
child.start()
child.join(60)
ended = child.exitcode
child.kill()
sys.exit("the child hangs" if ended is None else ended)
"""


def run(code, *flags, folder=None, **environment):
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    command = [sys.executable, *flags, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


@pytest.fixture
def read_only(tmp_path):
    """What to run Python with, so that the engine is installed where nothing can be written, for a user without home.

    Permissions do not bind root; a file that has the name of the folder to be made binds everyone.
    """
    there = tmp_path / "nmfcore"
    shutil.copytree(Path(nmfcore.__file__).parent, there, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [there, *(x for x in there.rglob("*") if x.is_dir())]:
        (folder / "__pycache__").touch()
        folder.chmod(0o555)
    blocked = str(there / "__pycache__" / "home")
    homeless = {"HOME": blocked, "XDG_CACHE_HOME": blocked, "NUMBA_CACHE_DIR": ""}
    yield {"folder": tmp_path, "PYTHONPATH": str(tmp_path)} | homeless
    for folder in [there, *(x for x in there.rglob("*") if x.is_dir())]:
        folder.chmod(0o755)


def test_without_jit_counts_are_the_same_and_the_dense_path_solves_them():
    out, _ = run(FIT, "-W", "error", NUMBA_DISABLE_JIT="1")
    assert out == run(FIT)[0]


def test_where_nothing_can_be_kept_kernels_work_and_say_so_once(read_only):
    out, err = run(DRAW, **read_only)
    assert out == run(DRAW)[0]
    assert len(err.splitlines()) == 2  # the warning, and the line of code that Python shows below it
    assert err.count("NUMBA_CACHE_DIR") == 1


@pytest.mark.slow
def test_where_nothing_can_be_kept_fits_are_the_same(read_only):
    out, err = run(FIT, **read_only)
    assert out == run(FIT)[0]
    assert err.count("NUMBA_CACHE_DIR") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_uses_the_kernels_that_its_parent_has_used():
    run(FORK)


def test_a_release_of_numba_that_was_not_tried_says_so_once(monkeypatch, recwarn):
    from nmfcore.kernels import releases

    monkeypatch.setattr(releases.numba, "__version__", "0.99.0")
    releases.tried.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match=r"numba 0\.99\.0 was not tried.* 0\.62 to 0\.68"):
            assert releases.pipeline(whole=True) == {}
        assert releases.pipeline(whole=False) == {}
        assert not list(recwarn)
    finally:
        releases.tried.cache_clear()


NEWER = """
import warnings, numba, numba.core.codegen
numba.__version__ = "0.99.0"
del numba.core.codegen.JITCodeLibrary
warnings.simplefilter("ignore")
"""


@pytest.mark.slow
def test_a_release_of_numba_that_works_otherwise_within_gives_the_same_answers(tmp_path):
    code = """
import numpy as np, nmfcore
V = np.random.default_rng(0).poisson(2.0, (3, 12, 40)).astype(float)
result = nmfcore.factorize(nmfcore.SharedPattern.from_dense(V), 2, init="random", seed=1)
print(result.loss.tolist())
"""
    other = run(NEWER + code, NUMBA_CACHE_DIR=str(tmp_path))[0]
    assert json.loads(other) == pytest.approx(json.loads(run(code)[0]), rel=1e-12)
