"""Weights under given components: the optimum of every sample, whatever its scale, company or container."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls

import nmfcore
from nmfcore import Penalty, Status, Stop, held

STOP = Stop(tol=1e-10)


def problem(m=12, n=30, k=3, seed=0):
    rng = np.random.default_rng(seed)
    H = rng.gamma(0.5, size=(k, n))
    X = rng.poisson(rng.gamma(0.5, size=(m, k)) @ H * 3).astype(float)
    X[2] = 0
    return X, H


def test_least_squares_are_solved():
    X, H = problem()
    W, status = held.weights(X, H, 2, Penalty(), STOP)
    expected = np.stack([nnls(H.T, x)[0] for x in X])
    assert (expected[[0, 1, *range(3, 12)]] == 0).any()  # or the constraint was not tried
    np.testing.assert_allclose(W, expected, atol=1e-8 * expected.max())
    assert (status == Status.CONVERGED).all()
    assert not W[2].any()


@pytest.mark.parametrize("beta", [1, 2])
@pytest.mark.parametrize("penalty", [Penalty(), Penalty(5e-3, l1_ratio=1.0), Penalty(5e-3, l1_ratio=0.3)])
def test_the_dense_engine_finds_the_same_weights(penalty, beta):
    X, H = problem()
    W, _ = held.weights(X, H, beta, penalty, STOP)
    settings = {"hold": "H", "loss": beta, "penalty": penalty, "stop": STOP}
    expected = nmfcore.factorize(X[:, None], 3, init=(None, H), **settings).W[:, 0]
    np.testing.assert_allclose(W, expected, atol=1e-6 * expected.max())
    np.testing.assert_allclose(held.weights(sp.csr_array(X), H, beta, penalty, STOP)[0], W, atol=1e-9 * W.max())


@pytest.mark.parametrize("beta", [1, 2])
def test_scaling_the_data_scales_the_weights(beta):
    X, H = problem()
    W, _ = held.weights(X, H, beta, Penalty(), STOP)
    for scale in (1e-30, 1e30):
        scaled, status = held.weights(X * scale, H, beta, Penalty(), STOP)
        np.testing.assert_allclose(scaled / scale, W, atol=1e-9 * W.max())
        assert (status == Status.CONVERGED).all()


@pytest.mark.parametrize("beta", [1, 2])
def test_a_sample_does_not_depend_on_the_others(beta, monkeypatch):
    X, H = problem()
    W, _ = held.weights(X, H, beta, Penalty(), Stop(tol=1e-4))
    monkeypatch.setattr(held, "ENTRIES", 60)
    np.testing.assert_allclose(held.weights(X, H, beta, Penalty(), Stop(tol=1e-4))[0], W, atol=1e-12 * W.max())


@pytest.mark.parametrize("beta", [1, 2])
def test_a_component_without_features_has_no_weight(beta):
    X, H = problem()
    H[1] = 0
    W, status = held.weights(X, H, beta, Penalty(), STOP)
    assert not W[:, 1].any()
    assert W[:, 0].any()
    assert (status == Status.CONVERGED).all()


def test_iterations_are_limited_and_none_are_saved_at_no_tolerance():
    X, H = problem()
    _, status = held.weights(X, H, 1, Penalty(), Stop(tol=1e-10, max_iter=2))
    assert (status[[0, 1, 3]] == Status.MAX_ITER).all()
    _, status = held.weights(X, H, 2, Penalty(), Stop(tol=0, max_iter=30))
    assert (status == Status.MAX_ITER).all()


def test_what_is_not_finite_is_said():
    X, H = problem()
    X[4] = np.inf
    with np.errstate(all="ignore"):
        _, status = held.weights(X, H, 2, Penalty(), STOP)
    assert status[4] == Status.NON_FINITE
    assert (np.delete(status, 4) == Status.CONVERGED).all()
