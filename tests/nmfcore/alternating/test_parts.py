"""The parts of the iteration on one matrix: half-steps, extrapolation, starts, products."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from nmfcore import initialise
from nmfcore.alternating import products
from nmfcore.alternating.halfsteps import FEW, fit, pairs, sweeps_of
from nmfcore.alternating.memory import Memory
from nmfcore.kernels import single
from nmfcore.kernels.single import BLOCK

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)


def problem(k, p, seed, m=12):
    rng = np.random.default_rng(seed)
    W = rng.gamma(0.7, 1, (k, m))
    V = rng.gamma(0.7, 1, (m, p)) * (rng.random((m, p)) < 0.5)
    return W, V, W @ V, W @ W.T


@SETTINGS
@given(st.integers(1, 30), st.integers(0, 2**31))
def test_pairs_are_exact(p, seed):
    W, V, target, gram = problem(2, p, seed)
    exact = np.stack([nnls(W.T, column)[0] for column in V.T], axis=1)
    np.testing.assert_allclose(pairs(target, gram, np.zeros((2, p))), exact, atol=1e-9)


def test_of_parallel_components_one_serves_and_an_empty_one_stays():
    _, V, _, _ = problem(2, 9, 0)
    row = np.linspace(1, 2, 12)
    for W in (np.stack([row, 2 * row]), np.stack([row, 0 * row])):
        out = pairs(W @ V, W @ W.T, np.full((2, 9), 0.5))
        best = np.maximum(row @ V / (row @ row), 0)
        np.testing.assert_allclose(W.T @ out, np.outer(row, best), atol=1e-12)


@SETTINGS
@given(st.integers(3, 6), st.sampled_from([5, FEW, FEW + 1]), st.integers(0, 2**31))
def test_sweeps_come_to_the_minimum(k, p, seed):
    _, _, target, gram = problem(k, p, seed, m=40)
    X = sweeps_of(target, gram, np.ones((k, p)), 3000)
    slope = gram @ X - target
    assert X.min() >= 0
    assert slope.min() > -1e-6 * target.max()
    assert np.abs(X * slope).max() < 1e-6 * target.max() * max(X.max(), 1)


@SETTINGS
@given(st.integers(3, 17), st.sampled_from([1, 5, BLOCK, 3 * BLOCK + 1]), st.integers(0, 2**31), st.booleans())
def test_compiled_sweeps_are_those_of_numpy(k, p, seed, dead):
    W, V, _, _ = problem(k, p, seed, m=40)
    W[1] *= not dead
    begin = np.random.default_rng(seed).random((k, p))
    found = single.sweep(W @ V, W @ W.T, begin, 4)
    np.testing.assert_allclose(found, sweeps_of(W @ V, W @ W.T, begin, 4), rtol=0, atol=1e-11 * max(1, found.max()))
    if dead:
        np.testing.assert_array_equal(found[1], begin[1])


@SETTINGS
@given(st.integers(3, 8), st.integers(1, 70), st.integers(0, 2**31))
def test_compiled_extrapolations_are_those_of_numpy(k, m, seed):
    rng = np.random.default_rng(seed)
    plain, compiled, weight = Memory(6, k * m), Memory(6, k * m, kernels=single), rng.random((k, 1)) + 0.5
    assert plain.extrapolate(*(x := rng.random((2, k, m))), weight) is compiled.extrapolate(*x, weight) is None
    for _ in range(8):
        made, move = rng.random((2, k, m))
        expected = plain.extrapolate(made, move, weight)
        found = compiled.extrapolate(made, move, weight)
        if k * m > 12:  # fewer entries leave the normal equations all but singular
            np.testing.assert_allclose(found, expected, atol=1e-6 * expected.max())
        assert found.min() >= 0


@pytest.mark.parametrize("memory", [Memory(6, 12), Memory(6, 12, kernels=single)])
def test_steps_that_are_all_alike_lead_to_a_finite_place(memory):
    made, move = np.ones((3, 4)), np.full((3, 4), 1e-9)
    for _ in range(8):
        found = memory.extrapolate(made, move, np.ones((3, 1)))
    np.testing.assert_allclose(found, made)


def test_a_component_without_effect_stays_as_it_is():
    W, V, _, _ = problem(3, 7, 1)
    W[1] = 0
    begin = np.full((3, 7), 0.25)
    np.testing.assert_array_equal(fit(W @ V, W @ W.T, begin, 2)[1], begin[1])


@pytest.mark.parametrize("kernels", [None, single])
def test_the_extrapolation_of_a_linear_iteration_ends_at_its_fixed_point(kernels):
    rng = np.random.default_rng(0)
    A = np.diag([0.95, 0.7, 0.3, -0.2])
    end = rng.random(4) + 1
    memory, x = Memory(6, 4, kernels=kernels), rng.random(4)
    for _ in range(6):
        made = end + A @ (x - end)
        found = memory.extrapolate(made[None], (made - x)[None], np.ones((1, 1)))
        x = made if found is None else found[0]
    np.testing.assert_allclose(x, end, atol=1e-7)


@pytest.mark.parametrize("form", ["dense", "sparse", "single"])
def test_products_are_those_of_the_dense_matrix(form):
    rng = np.random.default_rng(0)
    V = rng.poisson(0.2, (300, 2000)).astype(float)
    ours = {
        "dense": lambda: products.Full(V),
        "single": lambda: products.Full(V.astype(np.float32)),
        "sparse": lambda: products.Scattered(sp.csr_array(V), sp.csr_array(V.T)),
    }[form]()
    rtol = 1e-5 if form == "single" else 1e-12
    for k in (1, 3):
        W, H = rng.random((k, 300)), rng.random((k, 2000))
        np.testing.assert_allclose(ours.down(W), W @ V, rtol=rtol)
        np.testing.assert_allclose(ours.across(H), H @ V.T, rtol=rtol)
        assert ours.distance(W, H) == pytest.approx(((V - W.T @ H) ** 2).sum(), rel=1e-10)
    assert ours.squared == pytest.approx((V**2).sum(), rel=1e-12)
    for x, y in zip(ours.sums, (V.sum(1), V.sum(0)), strict=True):
        np.testing.assert_allclose(x, y)
    np.testing.assert_allclose(np.triu(ours.square()), np.triu(V @ V.T), rtol=rtol)


@pytest.mark.parametrize("m", [30, 250])
@pytest.mark.parametrize("k", [2, 4])
def test_singular_vectors_asked_for_by_name_are_those_of_lapack(m, k):
    rng = np.random.default_rng(1)
    V = rng.poisson(rng.gamma(0.5, 1, (m, 6)) @ rng.gamma(0.5, 1, (6, 400))).astype(float)
    U, S, X = products.leading_vectors(products.Full(V), k, products.THOROUGH, exact=True)
    left, values, right = np.linalg.svd(V, full_matrices=False)
    np.testing.assert_allclose(S, values[:k], rtol=1e-9)
    np.testing.assert_allclose(np.abs((U * left.T[:k]).sum(1)), 1, atol=1e-8)
    np.testing.assert_allclose(np.abs((X * right[:k]).sum(1)), 1, atol=1e-8)


@pytest.mark.parametrize("k", [2, 5])
def test_a_few_krylov_steps_find_most_of_what_singular_vectors_explain(k):
    rng = np.random.default_rng(1)
    V = rng.poisson(rng.gamma(0.5, 1, (250, 6)) @ rng.gamma(0.5, 1, (6, 400))).astype(float)
    _, S, _ = products.leading_vectors(products.Full(V), k)
    values = np.linalg.svd(V, compute_uv=False)[:k]
    assert (S**2).sum() > 0.98 * (values**2).sum()


def test_nndsvd_is_that_of_tensors():
    V = np.random.default_rng(2).random((20, 30))
    U, S, X = np.linalg.svd(V, full_matrices=False)
    W, H = products.nndsvd(U.T[:4], S[:4], X[:4])
    expected = initialise.nndsvd(torch.from_numpy(V)[None], 4, svd=tuple(torch.from_numpy(x)[None] for x in (U, S, X)))
    np.testing.assert_allclose(W.T, expected.W[0].numpy(), atol=1e-12)
    np.testing.assert_allclose(H, expected.H[0].numpy(), atol=1e-12)
