"""The least deviance with a group's fraction held: an exact one where it is known, and the ends of its rise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

from halonmf.halo.fits.held_fraction import Counts, Factors, dependence, deviance, least, step

from ..helpers.planted import planted_fit

LAST = np.array([False, True])
SMALL = np.array([[5.0, 1.0, 0.0, 2.0], [3.0, 4.0, 6.0, 1.0], [0.0, 2.0, 9.0, 7.0]])


def start(V, k=2, seed=0):
    rng = np.random.default_rng(seed)
    W, H = rng.uniform(0.5, 1.5, (len(V), k)), rng.uniform(0.5, 1.5, (k, V.shape[1]))
    H /= H.sum(axis=1, keepdims=True)
    return Factors(W * V.sum() / W.sum(), H)


def disjoint(low, high):
    """Counts of two components whose pixels do not overlap, as of bins that have one of them alone."""
    V = np.zeros((len(low), 4))
    V[:, 0], V[:, 1] = 0.5 * np.array(low), 0.5 * np.array(low)
    V[:, 2], V[:, 3] = 0.25 * np.array(high), 0.75 * np.array(high)
    W = np.stack([low, high], axis=1).astype(float)
    return V, W, np.array([[0.5, 0.5, 0, 0], [0, 0, 0.25, 0.75]])


@pytest.fixture(scope="module")
def counts():
    fit = planted_fit("kullback-leibler")
    return Counts.of(fit.mixtures.V, fit.W, fit.H)


def test_the_deviance_is_twice_the_loss_of_a_fit():
    fit = planted_fit("kullback-leibler")
    assert deviance(fit.mixtures.V, Factors(fit.W, fit.H)) == pytest.approx(2 * fit.loss, rel=1e-6)


def test_nothing_better_is_found_than_a_converged_fit(counts):
    fit = planted_fit("kullback-leibler")
    assert counts.best.settled
    assert 2 * fit.loss - 0.05 < counts.best.deviance < 2 * fit.loss + 1e-3
    assert counts.fraction(LAST) == pytest.approx(fit.mass_fractions[-1], abs=1e-4)


@settings(max_examples=20)
@given(st.floats(0.02, 0.98), st.integers(0, 9))
def test_a_step_holds_the_fraction_and_all_counts(fraction, seed):
    W, H = step(SMALL, start(SMALL, seed=seed), LAST, fraction)
    assert W[:, LAST].sum() / W.sum() == pytest.approx(fraction)
    assert W.sum() == pytest.approx(SMALL.sum())
    assert H.sum(axis=1) == pytest.approx(1)


@settings(max_examples=20)
@given(st.floats(0.05, 0.95), st.integers(0, 9))
def test_no_step_raises_the_deviance(fraction, seed):
    now = step(SMALL, start(SMALL, seed=seed), LAST, fraction)
    for _ in range(5):
        then = step(SMALL, now, LAST, fraction)
        assert deviance(SMALL, then) <= deviance(SMALL, now) + 1e-9
        now = then


def by_quasi_newton(V, fraction, seeds=8):
    """The least deviance by SciPy over logarithms of unconstrained factors."""
    m, n = V.shape

    def factors(x):
        W, H = np.exp(x[: 2 * m]).reshape(m, 2), np.exp(x[2 * m :]).reshape(2, n)
        W = W / W.sum(axis=0) * np.array([1 - fraction, fraction]) * V.sum()
        return Factors(W, H / H.sum(axis=1, keepdims=True))

    rng = np.random.default_rng(1)
    found = [
        minimize(lambda x: deviance(V, factors(x)), rng.normal(size=2 * (m + n)), method="L-BFGS-B").fun
        for _ in range(seeds)
    ]
    return min(found)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.7])
def test_the_least_deviance_is_that_of_another_minimiser(fraction):
    ours = min(least(SMALL, start(SMALL, seed=seed), LAST, fraction).deviance for seed in range(8))
    assert ours == pytest.approx(by_quasi_newton(SMALL, fraction), abs=2e-3)


def test_the_accelerated_minimum_is_that_of_many_plain_steps(counts):
    at = counts.fraction(LAST) + 0.02
    fast = least(counts.V, counts.best.factors, LAST, at)
    slow = counts.best.factors
    for _ in range(4000):
        slow = step(counts.V, slow, LAST, at)
    assert fast.settled
    assert fast.deviance == pytest.approx(deviance(counts.V, slow), abs=5e-3)


def rise(low, high, at):
    """By how much the deviance of disjoint components rises when the second holds a fraction `at`."""
    total = low + high
    return 2 * (low * np.log(low / ((1 - at) * total)) + high * np.log(high / (at * total)))


@settings(max_examples=20)
@given(st.integers(50, 500), st.integers(50, 500), st.floats(0.5, 4))
def test_ends_of_disjoint_components_are_those_of_binomial_counts(low, high, threshold):
    V, W, H = disjoint([0.6 * low, 0, 0.4 * low], [0, 0.7 * high, 0.3 * high])
    ends = Counts.of(V, W, H).ends(LAST, threshold)
    best = high / (low + high)
    expected = [brentq(lambda at: rise(low, high, at) - threshold, *pair)
                for pair in ((1e-9, best), (best, 1 - 1e-9))]  # fmt: skip
    # the fraction is solved for to a hundredth of its distance
    assert all(end.settled for end in ends)
    assert [end.at - best for end in ends] == pytest.approx([x - best for x in expected], rel=0.02, abs=1e-4)


def test_where_any_fraction_fits_as_well_the_ends_are_none_and_all():
    V = np.outer([10.0, 20.0, 30.0], [0.2, 0.3, 0.5])
    ends = Counts.of(V, np.array([[6.0, 4.0], [12.0, 8.0], [18.0, 12.0]]), np.array([[0.2, 0.3, 0.5]] * 2)).ends(
        LAST, 2.0
    )
    assert [end.at for end in ends] == [0.0, 1.0]
    assert all(end.settled for end in ends)


def test_rows_and_columns_without_counts_are_left_out():
    V = np.zeros((5, 6))
    V[np.ix_([0, 2, 4], [1, 2, 4, 5])] = SMALL
    factors = start(V)
    counts = Counts.of(V, *factors)
    assert counts.V.shape == SMALL.shape
    assert counts.rows.tolist() == [0, -1, 1, -1, 2]
    assert counts.columns.tolist() == [-1, 0, 1, -1, 2, 3]


def test_a_group_and_the_others_have_one_profile(counts):
    last, first = counts.ends(LAST, 2.0), counts.ends(~LAST, 2.0)
    assert [1 - end.at for end in first[::-1]] == pytest.approx([end.at for end in last], abs=2e-4)


def stars_of(kinds):
    """Stars whose counts are of two kinds, in bins of either kind alone and one of both: their counts and best fit."""
    first, second = (kinds == 0).all(axis=1), (kinds == 1).all(axis=1)
    pure = np.arange(len(kinds)) % 4 == 0
    rows = np.where(pure & first, 0, np.where(pure & second, 1, 2))
    planes = kinds.shape[1]
    columns = kinds + 2 * np.arange(planes)
    V = np.zeros((3, 2 * planes))
    np.add.at(V, (np.repeat(rows, planes), columns.ravel()), 1)
    W = np.stack([V[:, c::2].sum(axis=1) for c in (0, 1)], axis=1)
    H = np.stack([V.sum(axis=0) * (np.arange(2 * planes) % 2 == c) for c in (0, 1)])
    return Counts.of(V, W, H / H.sum(axis=1, keepdims=True)), rows, columns


def known_dependence(kinds):
    """That of counts whose kinds are seen: a count's score of the fraction s is 1 / s or -1 / (1 - s)."""
    s = kinds.mean()
    score = np.where(kinds == 1, 1 / s, -1 / (1 - s))
    return (score.sum(axis=1) ** 2).sum() / (score**2).sum()


@pytest.mark.parametrize("planes", [1, 2, 3])
def test_counts_that_tell_the_same_of_a_star_are_as_dependent_as_they_are_many(planes):
    kinds = np.repeat(np.random.default_rng(0).random((2000, 1)) < 0.4, planes, axis=1).astype(int)
    counts, rows, columns = stars_of(kinds)
    assert known_dependence(kinds) == pytest.approx(planes)
    assert dependence(counts, counts.ends(LAST, 1.0 * planes), rows, columns) == pytest.approx(planes, rel=0.03)


def test_counts_of_planes_that_tell_different_things_are_independent():
    kinds = (np.random.default_rng(0).random((2000, 2)) < 0.4).astype(int)
    counts, rows, columns = stars_of(kinds)
    assert known_dependence(kinds) == pytest.approx(1, abs=0.05)
    found = dependence(counts, counts.ends(LAST, 1.0), rows, columns)
    assert found == pytest.approx(known_dependence(kinds), rel=0.03)
