"""No scale of the data, and no number of components, makes a fit say more than its own numbers do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nmfcore
from nmfcore import SharedPattern, Status, Stop
from nmfcore.stopping import KKT_MARGIN, mass_limit

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
STOP = Stop(max_iter=300)
RULES = {
    "frobenius": ("auto", "mu", "amu", "hals", "ehals", "rank2", "arank2"),
    "kullback-leibler": ("auto", "mu", "amu", "newton", "anewton"),
}
# A loss and a rule for it.
asked = st.sampled_from([(loss, rule) for loss, rules in RULES.items() for rule in rules])
shapes = st.tuples(st.integers(1, 9), st.integers(1, 11))
ranks, seeds = st.integers(1, 3), st.integers(0, 2**31)
types = st.sampled_from([np.float32, np.float64])
RNG = np.random.default_rng(0)
V = RNG.poisson(RNG.gamma(0.5, 20.0, (8, 2)) @ RNG.gamma(0.5, 2.0, (2, 9))).astype(float)


def product(shape, rank, seed, noise):
    """Data of a rank, and noise beside it."""
    rng = np.random.default_rng(seed)
    m, n = shape
    exact = (rng.gamma(0.7, size=(m, rank)) * (rng.random((m, rank)) < 0.8)) @ rng.gamma(0.7, size=(rank, n))
    return exact + noise * rng.random(shape)


def assert_true_to_its_numbers(result, dtype):
    limit = KKT_MARGIN * mass_limit(STOP.tol, {np.float32: torch.float32, np.float64: torch.float64}[dtype])
    loss, kkt, status = (np.atleast_1d(x) for x in (result.loss, result.kkt, result.status))
    finite = np.isfinite(loss) & np.isfinite(kkt)
    assert (status[~finite] == Status.NON_FINITE).all()
    # The residual is that of the factors as they are given back, rounded.
    assert (kkt[status == Status.CONVERGED] <= 1.01 * limit).all()
    for factor in (result.W, result.H):
        assert np.isfinite(
            factor[..., :][np.atleast_1d(status) != Status.NON_FINITE if factor.ndim == 3 else ...]
        ).all()


@SETTINGS
@given(asked, shapes, st.integers(1, 5), ranks, seeds, st.floats(-30, 30), types, st.sampled_from([0.0, 0.1]))
def test_what_has_converged_is_finite_and_stationary(how, shape, k, rank, seed, power, dtype, noise):
    (loss, rule), k = how, 2 if how[1] in ("rank2", "arank2") else k
    data = (product(shape, rank, seed, noise) * 10.0**power).astype(dtype)
    result = nmfcore.factorize(data, k, loss=loss, update=rule, starts=2, stop=STOP)
    assert_true_to_its_numbers(result, dtype)


@SETTINGS
@given(asked, st.integers(1, 4), seeds, st.lists(st.floats(-30, 30), min_size=2, max_size=4), types)
def test_replicates_of_any_scales_get_what_they_get_alone(how, k, seed, powers, dtype):
    (loss, rule), k = how, 2 if how[1] in ("rank2", "arank2") else k
    batch = np.stack([product((6, 7), 2, seed + b, 0.1) * 10.0**power for b, power in enumerate(powers)]).astype(dtype)
    options = {"loss": loss, "update": rule, "init": "nndsvda" if k <= 6 else "random", "starts": 1, "stop": STOP}
    together = nmfcore.factorize(batch, k, **options)
    assert_true_to_its_numbers(together, dtype)
    for b, data in enumerate(batch):
        alone = nmfcore.factorize(data, k, **options)
        if alone.converged and together.converged[b]:
            empty = float((data.astype(float) ** 2).sum() / 2 if loss == "frobenius" else data.astype(float).sum())
            assert together.loss[b] == pytest.approx(float(alone.loss), rel=1e-4, abs=1e-7 * empty)


@SETTINGS
@given(st.sampled_from(list(RULES)), ranks, st.integers(0, 4), seeds, types)
def test_more_components_than_the_rank_fit_exactly_or_are_said_not_to(loss, rank, more, seed, dtype):
    data = product((8, 9), rank, seed, 0.0).astype(dtype)
    result = nmfcore.factorize(data, rank + more, loss=loss, starts=4, stop=Stop(max_iter=1000))
    assert_true_to_its_numbers(result, dtype)
    empty = (data**2).sum() / 2 if loss == "frobenius" else data.sum()
    assert not result.converged or result.loss <= 1e-8 * empty


@pytest.mark.parametrize("loss", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pattern_of_mixed_scales_gives_each_replicate_what_it_gets_alone(loss, dtype):
    scales = 1e-25, 1.0, 1e25
    batch = np.stack([V * scale for scale in scales]).astype(dtype)
    found = nmfcore.factorize(SharedPattern.from_dense(batch), 2, loss=loss)
    assert found.converged.all()
    for b, data in enumerate(batch):
        alone = nmfcore.factorize(data, 2, loss=loss)
        assert found.loss[b] == pytest.approx(float(alone.loss), rel=1e-5)
        product = alone.W @ alone.H
        np.testing.assert_allclose(found.W[b] @ found.H[b], product, rtol=0, atol=1e-3 * product.max())


def test_scales_beyond_single_precision_are_kept_in_double():
    for scale in (1e-50, 1e50):
        pattern = SharedPattern.from_dense(np.stack([V + 0.5, scale * V]))
        assert pattern.dtype == np.float64
        np.testing.assert_array_equal(pattern.to_dense([1])[0], scale * V)


def test_data_that_do_not_fit_into_a_type_are_refused():
    with pytest.raises(nmfcore.ProblemError, match=r"does not fit into float32.*float64"):
        SharedPattern.from_dense(1e50 * V, dtype=np.float32)
