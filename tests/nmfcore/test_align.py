"""Components of replicates matched to those of a reference."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nmfcore
from nmfcore import ProblemError


def components(k, n=40, seed=0):
    """Rows that overlap a little, at very different scales."""
    rng = np.random.default_rng(seed)
    H = rng.gamma(0.3, size=(k, n))
    H[np.arange(k), np.arange(k)] += 3.0
    return H * rng.uniform(0.1, 50.0, size=(k, 1))


@settings(deadline=None)
@given(k=st.integers(1, 7), seed=st.integers(0, 999), data=st.data())
def test_permuted_replicates_come_back(k, seed, data):
    H = components(k, seed=seed)
    orders = [data.draw(st.permutations(range(k))) for _ in range(3)]
    found = nmfcore.align(np.stack([H[list(order)] for order in orders]), H)
    for order, permutation in zip(orders, found.permutation, strict=True):
        np.testing.assert_array_equal(np.asarray(order)[permutation], np.arange(k))
    np.testing.assert_allclose(found.similarity, 1.0, atol=1e-12)
    assert not found.refused.any()


@settings(deadline=None)
@given(k=st.integers(2, 6), seed=st.integers(0, 999), data=st.data())
def test_permuting_a_replicate_permutes_its_match_and_nothing_else(k, seed, data):
    rng = np.random.default_rng(seed)
    H, reference = rng.random((2, k, 15)), rng.random((k, 15))
    order = np.array(data.draw(st.permutations(range(k))))
    straight, permuted = nmfcore.align(H, reference), nmfcore.align(H[:, order], reference)
    np.testing.assert_array_equal(order[permuted.permutation], straight.permutation)
    np.testing.assert_allclose(permuted.similarity, straight.similarity, atol=1e-12)


@pytest.mark.parametrize("k", [2, 4, 5, 6])
def test_the_match_has_the_largest_sum_of_cosines(k):
    rng = np.random.default_rng(k)
    for _ in range(20):
        H, reference = rng.random((k, 8)), rng.random((k, 8))
        cosine = np.array([[h @ r / np.sqrt(h @ h * (r @ r)) for h in H] for r in reference])
        best = max(sum(cosine[c, d] for c, d in enumerate(order)) for order in itertools.permutations(range(k)))
        assert nmfcore.align(H, reference).similarity.sum() == pytest.approx(best, abs=k**3 * 1e-6)


@pytest.mark.parametrize("k", [2, 3, 4, 6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_components_keep_the_order_given(k, dtype):
    row = np.random.default_rng(0).random(30).astype(dtype)
    H = np.tile(row, (k, 1)) * np.arange(1, k + 1, dtype=dtype)[:, None]
    np.testing.assert_array_equal(nmfcore.align(H[::-1], H).permutation, [np.arange(k)])


def test_a_replicate_whose_worst_match_is_below_the_floor_is_refused():
    reference = np.eye(3, 6)
    H = np.stack([reference, reference.copy()])
    H[1, 2] = [0, 0, 0.6, 0.8, 0, 0]
    found = nmfcore.align(H, reference, floor=0.7)
    np.testing.assert_allclose(found.similarity, [[1, 1, 1], [1, 1, 0.6]])
    np.testing.assert_array_equal(found.refused, [False, True])
    assert not nmfcore.align(H, reference, floor=0.5).refused.any()


@pytest.mark.parametrize("hole", [0.0, np.nan, np.inf])
def test_a_component_that_is_dead_or_broken_is_refused_and_the_others_find_theirs(hole):
    reference = components(3)
    H = reference[[2, 0, 1]].copy()
    H[1] = hole
    found = nmfcore.align(np.stack([H, reference]), reference)
    assert found.permutation[0].tolist() == [1, 2, 0]
    assert found.similarity[0, 0] == 0
    np.testing.assert_array_equal(found.refused, [True, False])


def test_the_factors_come_in_the_order_of_the_reference():
    rng = np.random.default_rng(3)
    reference = components(4)
    H = np.stack([reference[[3, 1, 0, 2]], reference[[1, 0, 3, 2]]])
    W = rng.random((2, 5, 4))
    sorted_W, sorted_H = nmfcore.align(H, reference).apply(W, H)
    np.testing.assert_array_equal(sorted_H, np.stack([reference] * 2))
    np.testing.assert_allclose(sorted_W @ sorted_H, W @ H)


@pytest.mark.parametrize(
    ("H", "reference", "floor", "message"),
    [
        (np.ones((2, 3, 4)), np.ones((2, 4)), 0.5, "shape"),
        (np.ones(4), np.ones((1, 4)), 0.5, "shape"),
        (np.ones((1, 2, 4)), np.ones((2, 4)), 1.5, "floor"),
        (np.ones((1, 2, 4)), np.ones((2, 4)), float("nan"), "floor"),
    ],
)
def test_wrong_arguments_are_refused(H, reference, floor, message):
    with pytest.raises(ProblemError, match=message):
        nmfcore.align(H, reference, floor=floor)
