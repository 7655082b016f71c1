"""Held components by the Kullback-Leibler divergence: the compiled loops against the engine, and against SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from halonmf.halo.fits.apply import held_weights
from halonmf.halo.fits.settings import Solver
from halonmf.halo.mixtures.counts import count
from halonmf.halo.replicates.divergence import binned_cells, divergence_weights

SOLVER = Solver(loss="kullback-leibler", tol=1e-9, max_iter=5000)


def scene(seed, k=3, stars=400, bins=4, n=30, sparse=False):
    """Stars in bins and pixels of two images, components, and replicates' weights."""
    rng = np.random.default_rng(seed)
    places = np.stack([rng.integers(-1, bins, stars), rng.integers(bins, 2 * bins, stars)], axis=1)
    columns = np.stack([rng.integers(-1, n // 2, stars), rng.integers(n // 2, n, stars)], axis=1)
    H = rng.dirichlet(np.full(n, 0.3 if sparse else 2.0), (2, k))
    if sparse:
        H[H < 0.01] = 0.0
        H /= H.sum(axis=2, keepdims=True)
    return places, columns, H, rng.poisson(1.0, (2, stars)).astype(np.uint8)


def found(places, columns, H, weights):
    bins = int(places.max()) + 1
    W, numbers = np.zeros((len(H), bins, H.shape[1])), np.zeros((len(H), bins), np.int64)
    binned = binned_cells(places, columns, bins, H.shape[2])
    divergence_weights(weights, np.ones(weights.shape[1]), binned, H, W, numbers, 0, len(H))
    return W, numbers


def counted(places, columns, weights, n):
    """V (bins, n) and the number of stars in each bin."""
    star = np.repeat(np.arange(len(weights)), weights)
    V = sum(count(places[star, i], columns[star], (places.max() + 1, n)) for i in range(places.shape[1]))
    inside = places[star][places[star] >= 0]
    return V, np.bincount(inside, minlength=places.max() + 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_weights_are_those_of_the_engine(seed, k):
    places, columns, H, weights = scene(seed, k)
    W, numbers = found(places, columns, H, weights)
    for b in range(2):
        V, stars = counted(places, columns, weights[b], H.shape[2])
        expected, _ = held_weights(V, H[b], replace(SOLVER, components=k))
        np.testing.assert_array_equal(numbers[b], stars)
        np.testing.assert_allclose(W[b], expected, atol=2e-4 * V.sum(axis=1).max())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.booleans())
def test_no_other_weights_have_less_divergence(seed, k, sparse):
    places, columns, H, weights = scene(seed, k, sparse=sparse)
    W, _ = found(places, columns, H, weights)
    V, _ = counted(places, columns, weights[0], H.shape[2])
    for v, w in zip(V, W[0], strict=True):
        kept = (v > 0) & (H[0].sum(axis=0) > 0)
        h, x = H[0][:, kept], v[kept]
        if not len(x):
            assert not w.any()
            continue

        def loss(w, h=h, x=x):
            return w.sum() - (x * np.log(w @ h)).sum()

        peer = minimize(lambda z, f=loss: f(np.exp(z)), np.log(np.full(k, x.sum() / k)), method="BFGS")
        assert loss(w) <= peer.fun + 1e-6 * abs(peer.fun)
        assert w.sum() == pytest.approx(x.sum(), rel=1e-6)


def test_a_component_that_is_not_there_has_no_weight():
    H = np.zeros((1, 2, 4))
    H[0, 0, :2], H[0, 1, 2:] = 0.5, 0.5
    columns = np.array([[0], [1], [0], [1]])
    W, _ = found(np.zeros((4, 1), int), columns, H, np.ones((1, 4), np.uint8))
    np.testing.assert_allclose(W[0, 0], [4.0, 0.0], atol=1e-9)


def test_two_equal_components_share_without_end_or_error():
    H = np.full((1, 2, 4), 0.25)
    columns = np.array([[0], [1], [2], [3]])
    W, _ = found(np.zeros((4, 1), int), columns, H, np.ones((1, 4), np.uint8))
    assert W[0, 0].sum() == pytest.approx(4.0)


def test_stars_that_no_component_explains_are_left_out():
    H = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    columns = np.array([[0], [1], [2]])
    W, numbers = found(np.zeros((3, 1), int), columns, H, np.array([[2, 1, 5]], np.uint8))
    np.testing.assert_allclose(W[0, 0], [2.0, 1.0])
    assert numbers[0, 0] == 8


def test_a_replicate_does_not_depend_on_the_others():
    places, columns, H, weights = scene(5)
    together, _ = found(places, columns, H, weights)
    alone, _ = found(places, columns, H[1:], weights[1:])
    np.testing.assert_array_equal(together[1:], alone)
