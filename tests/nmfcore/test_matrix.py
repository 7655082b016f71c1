"""One sparse matrix is solved as the dense one is, and is never made dense where products or cells suffice."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import nmfcore
from nmfcore import Penalty, ProblemError, SharedPattern, Stop, factorise, initialise, matrix
from nmfcore.matrix import SparseMatrix
from nmfcore.sparse import spectrum

from .problems import PROBLEMS

V = PROBLEMS["sparse-ish"]
DTYPES = [np.float32, np.float64]


@pytest.fixture
def _never_dense(monkeypatch):
    """Fail where a matrix or a pattern is made dense."""
    for kind in (SparseMatrix, SharedPattern):
        monkeypatch.setattr(kind, "to_dense", None)
    monkeypatch.setattr(factorise, "DENSE_ENTRIES", 0)


def start(k, shape=V.shape, seed=0):
    rng = np.random.default_rng(seed)
    return 0.1 + rng.random((shape[0], k)), 0.1 + rng.random((k, shape[1]))


whole = arrays.arrays(np.float64, st.tuples(*[st.integers(1, 6)] * 2), elements=st.sampled_from([0, 0, 0, 1, 2.5]))


@settings(max_examples=50, deadline=None)
@given(whole, st.integers(1, 3))
def test_products_sums_and_maxima_are_the_dense_ones(X, k):
    ours, dense = SparseMatrix.of(sp.coo_array(X)), torch.from_numpy(X)[None]
    W, H = (torch.from_numpy(x)[None] for x in start(k, X.shape))
    torch.testing.assert_close(W.mT @ ours, W.mT @ dense)
    torch.testing.assert_close(H @ ours.mT, H @ dense.mT)
    for axis in (-1, -2, (-2, -1)):
        torch.testing.assert_close(ours.sum(axis), dense.sum(axis))
        torch.testing.assert_close(ours.amax(axis), dense.amax(axis))
    torch.testing.assert_close(ours.mean((-2, -1)), dense.mean((-2, -1)))
    torch.testing.assert_close(ours.squared_distance(W, H), (dense - W @ H).square().sum((-2, -1)))
    torch.testing.assert_close(ours.to_dense(), dense)
    columns = torch.arange(X.shape[1]).flip(0)[: X.shape[1] // 2 + 1]
    torch.testing.assert_close(ours.index_select(-1, columns).to_dense(), dense[..., columns])


@pytest.mark.usefixtures("_never_dense")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("penalty", [None, Penalty(1e-3, 2e-3, 0.5)])
@pytest.mark.parametrize(("update", "k"), [("mu", 3), ("amu", 2), ("hals", 3), ("ehals", 4), ("rank2", 2)])
def test_least_squares_iterate_as_on_the_dense_matrix(update, k, penalty, dtype):
    options = {"init": start(k), "update": update, "penalty": penalty, "stop": Stop(tol=0, max_iter=9)}
    ours = nmfcore.factorize(sp.csc_array(V.astype(dtype)), k, **options)
    dense = nmfcore.factorize(V, k, **options)
    tolerance = 1e-11 if dtype is np.float64 else 1e-4
    assert ours.W.dtype == dtype
    for name in ("W", "H", "loss", "divergence", "kkt"):
        theirs = getattr(dense, name)
        np.testing.assert_allclose(getattr(ours, name), theirs, atol=tolerance * np.abs(theirs).max(), err_msg=name)


@pytest.mark.usefixtures("_never_dense")
@pytest.mark.parametrize("options", [{}, {"starts": 3, "seed": 4}, {"stop": Stop(tol=1e-3, criterion="sklearn")}])
def test_default_fits_are_those_of_the_dense_matrix(options, monkeypatch):
    monkeypatch.setattr(matrix, "DENSE_ENTRIES", 0)
    ours, dense = nmfcore.factorize(sp.csr_array(V), 3, **options), nmfcore.factorize(V, 3, **options)
    assert ours.n_iter == dense.n_iter
    assert ours.start == dense.start
    np.testing.assert_allclose(ours.loss, dense.loss, rtol=1e-10)
    np.testing.assert_allclose(ours.fractions, dense.fractions, atol=1e-8)


@pytest.mark.usefixtures("_never_dense")
def test_a_factor_is_held_and_weights_are_penalised_as_on_the_dense_matrix():
    options = {"init": start(3), "hold": "H", "penalty": Penalty(1e-3, 0.0, 1.0)}
    ours, dense = nmfcore.factorize(sp.csr_array(V), 3, **options), nmfcore.factorize(V, 3, **options)
    np.testing.assert_allclose(ours.W, dense.W, atol=1e-10 * dense.W.max())
    np.testing.assert_array_equal(ours.H, options["init"][1])


@pytest.mark.usefixtures("_never_dense")
def test_data_of_extreme_scale_are_rescaled():
    tiny, plain = (nmfcore.factorize(sp.csr_array(V * scale), 2, init="random") for scale in (1e-30, 1.0))
    np.testing.assert_allclose(tiny.loss * 1e60, plain.loss, rtol=1e-8)


@pytest.mark.usefixtures("_never_dense")
@pytest.mark.parametrize("dtype", DTYPES)
def test_kullback_leibler_needs_the_cells_alone(dtype):
    options = {"loss": "kullback-leibler", "init": start(2), "stop": Stop(tol=0, max_iter=6)}
    for data in (V, 0.37 * V):
        ours, dense = (
            nmfcore.factorize(sp.csr_array(data.astype(dtype)), 2, **options),
            nmfcore.factorize(data, 2, **options),
        )
        assert ours.W.dtype == dtype
        assert np.ndim(ours.loss) == 0
        np.testing.assert_allclose(ours.W, dense.W, atol=(1e-11 if dtype is np.float64 else 1e-4) * dense.W.max())


@pytest.mark.parametrize(
    "options",
    [
        {"loss": 1.5},
        {"loss": "kullback-leibler"},
        {"weight": np.linspace(0.5, 2, V.shape[1])},
        {"update": lambda problem, factors: nmfcore.HALS()(problem, factors)},
    ],
)
def test_everything_else_is_the_dense_problem(options):
    options |= {"init": start(2), "stop": Stop(tol=0, max_iter=8)}
    ours, dense = nmfcore.factorize(sp.csr_array(V), 2, **options), nmfcore.factorize(V, 2, **options)
    np.testing.assert_array_equal(ours.W, dense.W)


@pytest.mark.parametrize("shape", [(60, 90), (90, 60)])
def test_sparse_singular_vectors_are_the_dense_ones(shape, monkeypatch):
    X = np.random.default_rng(0).poisson(0.2, shape).astype(float)
    monkeypatch.setattr(matrix, "DENSE_ENTRIES", 0)
    monkeypatch.setattr(spectrum, "WIDEST", 5)
    dense = initialise.leading_svd(torch.from_numpy(X)[None], 3)
    pattern = SharedPattern.from_dense(np.stack([X, X[::-1]]))
    for ours in (initialise.leading_svd(SparseMatrix.of(sp.csr_array(X)), 3), spectrum.leading_svd(pattern, [0], 3)):
        torch.testing.assert_close(ours[1], dense[1])
        for x, y in ((ours[0], dense[0]), (ours[2].mT, dense[2].mT)):
            torch.testing.assert_close((x * y).sum(1).abs(), torch.ones(1, 3, dtype=torch.float64))
    assert spectrum.leading_svd(pattern, [0, 1], 3)[0].shape == (2, shape[0], 3)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[0.0, 1.0], [-1.0, 0.0]]), r"below zero \(minimum -1, first at row 1, column 0\)"),
        (np.array([[0.0, np.nan]]), r"NaN or infinite \(first at row 0, column 1\)"),
        (np.zeros((0, 3)), "no empty axis"),
    ],
)
def test_bad_sparse_data_are_refused(X, message):
    with pytest.raises(ProblemError, match=message):
        nmfcore.factorize(sp.csr_array(X), 1)
    with pytest.raises(TypeError, match="real numbers"):
        nmfcore.factorize(sp.csr_array(np.eye(2) + 1j), 1)


def test_the_callers_matrix_is_left_alone():
    X = sp.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 3))
    nmfcore.factorize(X, 1)
    assert X.nnz == 3


MEASURE = """
import numpy as np, resource, scipy.sparse as sp, nmfcore, sys
rng = np.random.default_rng(0)
X = sp.random_array((20_000, 5_000), density=0.01, rng=rng, data_sampler=lambda size: rng.gamma(2, 1, size)).tocsr()
model = nmfcore.NMF(4, tol=1e-2, random_state=0)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
nmfcore.NMF(4, tol=1e-2).fit(X[:300, :200])
before = peak()
W = model.fit_transform(X)
again = model.transform(X)
print(np.abs(again - W).max() / W.max(), peak() - before)
"""


@pytest.mark.slow
def test_the_estimator_never_makes_a_large_matrix_dense():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    error, megabytes = (float(x) for x in done.stdout.split())
    assert error < 1e-2
    assert megabytes < 300  # dense it would be 800
