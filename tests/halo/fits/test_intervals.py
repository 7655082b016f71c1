"""Intervals from replicates: closed forms, NumPy's quantiles, and estimators whose coverage is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from halonmf.halo.errors import UsageError
from halonmf.halo.fits import intervals
from halonmf.halo.fits.intervals import TYPES, Ordered

NORMAL = np.random.default_rng(0).normal(size=200_001)


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.floats(-1e6, 1e6)),
    st.floats(0, 1),
)
def test_quantiles_are_numpys(x, p):
    np.testing.assert_allclose(Ordered.of(x).quantile(p), np.quantile(x, p, axis=0), rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(
        float, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.one_of(st.just(np.nan), st.floats(-9, 9))
    ),
    st.floats(0, 1),
)
def test_replicates_without_a_value_are_left_out_cell_by_cell(x, p):
    ordered = Ordered.of(x)
    for i, column in enumerate(x.T):
        known = column[np.isfinite(column)]
        assert ordered.number[i] == len(known)
        expected = np.quantile(known, p) if len(known) else np.nan
        np.testing.assert_allclose(ordered.quantile(p)[i], expected, rtol=1e-9, atol=1e-9)
        se = known.std(ddof=1) if len(known) > 1 else np.nan
        np.testing.assert_allclose(intervals.standard_error(x)[i], se, rtol=1e-6, atol=1e-9)
        bias = known.mean() - 3.0 if len(known) else np.nan
        np.testing.assert_allclose(intervals.bias(x, np.full(x.shape[1], 3.0))[i], bias, rtol=1e-9, atol=1e-9)


def test_without_replicates_there_is_no_interval():
    none = np.zeros((0, 2))
    for kind in TYPES.values():
        low, high = kind(Ordered.of(none), np.array([0.2, 0.3]), 0.68)
        assert np.isnan([low, high]).all()
    assert np.isnan(intervals.standard_error(none)).all()
    assert np.isnan(intervals.bias(none, np.zeros(2))).all()


@pytest.mark.parametrize("name", TYPES)
def test_all_types_agree_where_replicates_are_symmetric_about_the_estimate(name):
    low, high = TYPES[name](Ordered.of(NORMAL[:, None]), np.median(NORMAL)[None], 0.68)
    np.testing.assert_allclose([low[0], high[0]], [-0.99446, 0.99446], atol=0.01)


def test_the_basic_interval_turns_the_percentile_interval_round():
    x, estimate = Ordered.of(np.exp(NORMAL)), np.array(1.0)
    low, high = intervals.percentile(x, estimate, 0.95)
    assert intervals.basic(x, estimate, 0.95) == pytest.approx((2 - high, 2 - low))


def test_the_centred_interval_has_the_spread_of_the_replicates_about_the_estimate():
    x, estimate = Ordered.of(np.exp(NORMAL)), np.array(7.0)
    low, high = intervals.percentile(x, estimate, 0.68)
    middle = x.quantile(0.5)
    assert intervals.centred(x, estimate, 0.68) == pytest.approx((low - middle + 7, high - middle + 7))


def test_a_bias_of_half_a_sigma_moves_the_corrected_interval_by_a_whole_one():
    # replicates are normal about -1/2 of their sigma: the true value lies as far to the other side
    low, high = intervals.bias_corrected(Ordered.of((NORMAL - 0.5)[:, None]), np.zeros(1), 0.68)
    np.testing.assert_allclose([low[0], high[0]], [0.5 - 0.99446, 0.5 + 0.99446], atol=0.02)


def test_the_corrected_interval_is_the_same_on_any_scale():
    x = np.random.default_rng(1).gamma(2.0, size=(4000, 1))
    plain = intervals.bias_corrected(Ordered.of(x), np.array([2.1]), 0.68)
    logs = intervals.bias_corrected(Ordered.of(np.log(x)), np.log([2.1]), 0.68)
    np.testing.assert_allclose(np.exp(logs), plain, rtol=1e-3)


def test_an_estimate_outside_all_replicates_still_has_an_interval():
    x = Ordered.of(np.linspace(0.0, 1.0, 100)[:, None])
    for estimate in (-1.0, 2.0):
        low, high = intervals.bias_corrected(x, np.array([estimate]), 0.68)
        assert 0 <= low[0] <= high[0] <= 1


@pytest.mark.parametrize("name", TYPES)
def test_intervals_of_a_mean_cover_it_as_often_as_they_say(name):
    # 400 samples of 60 stars, 300 bootstraps each; the binomial error of the coverage is 0.023
    rng, hits = np.random.default_rng(2), 0
    for _ in range(400):
        x = rng.normal(size=60)
        means = x[rng.integers(0, 60, (300, 60))].mean(axis=1)
        low, high = TYPES[name](Ordered.of(means[:, None]), x.mean()[None], 0.68)
        hits += low[0] <= 0 <= high[0]
    assert abs(hits / 400 - 0.68) < 0.08


def test_an_unknown_type_is_named():
    with pytest.raises(UsageError, match="percentile, basic, bias-corrected, centred; got 'bca'"):
        intervals.interval_type("bca")
