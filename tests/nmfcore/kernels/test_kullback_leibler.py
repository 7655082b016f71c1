"""The compiled Kullback-Leibler loop gives what the dense rules give."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nmfcore
from nmfcore import Penalty, SharedPattern, Status, Stop
from nmfcore.bench import mock_stars
from nmfcore.sparse import plan, solve

from ..problems import asked

LOSS = "kullback-leibler"
FIELDS = ("W", "H", "loss", "divergence", "n_iter", "status", "kkt", "start")
PENALTIES = {
    "none": None,
    "l1": Penalty(2e-3, 3e-3, 1.0),
    "l2": Penalty(2e-3, 3e-3, 0.0),
    "elastic": Penalty(1e-3, 2e-3, 0.5),
}


def counts(B, m=9, n=40, seed=0, mean=0.7):
    """Draw counts with a row and columns that are empty in every replicate, and others that are empty in some."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.5, mean / 0.5, (m, 3)) @ rng.random((3, n))
    rate[:, ::7] = 0
    rate[2] = 0
    return rng.poisson(rate, (B, m, n)).astype(np.float64)


def start(k, m=9, n=40, seed=1):
    rng = np.random.default_rng(seed)
    return rng.random((m, k)), rng.random((k, n))


def both(V, k, dtype=torch.float64, **options):
    ours = nmfcore.factorize(SharedPattern.from_dense(V), k, loss=LOSS, dtype=dtype, **options)
    return ours, nmfcore.factorize(V, k, loss=LOSS, **options)


def refusals(monkeypatch):
    """Return a list to which every later problem adds why it has no compiled path, or None."""
    seen = []
    original = plan.refusal

    def watched(*arguments):
        seen.append(original(*arguments))
        return seen[-1]

    monkeypatch.setattr(plan, "refusal", watched)
    return seen


def assert_same(ours, dense, tolerance):
    for name in ("W", "H"):
        expected = getattr(dense, name)
        np.testing.assert_allclose(getattr(ours, name), expected, atol=tolerance * max(expected.max(), 1e-300))
    for name in ("loss", "divergence"):
        np.testing.assert_allclose(getattr(ours, name), getattr(dense, name), rtol=tolerance, atol=1e-10)
    np.testing.assert_array_equal(ours.n_iter, dense.n_iter)
    np.testing.assert_array_equal(ours.status, dense.status)


@pytest.mark.parametrize("penalty", sorted(PENALTIES))
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("update", ["newton", "mu", "amu"])
def test_iterations_equal_the_dense_ones(update, k, penalty, monkeypatch):
    V, seen = counts(19), refusals(monkeypatch)
    options = {"init": start(k), "update": update, "penalty": PENALTIES[penalty]}
    for iterations in (1, 5, 30):
        stop = Stop(tol=0, max_iter=iterations)
        ours, dense = both(V, k, stop=stop, **options)
        assert_same(ours, dense, 1e-10)
        np.testing.assert_allclose(ours.kkt, dense.kkt, atol=1e-10)
        if k != 2:  # a compilation less
            continue
        single, _ = both(V, k, torch.float32, stop=stop, **options)
        assert single.W.dtype == np.float32
        np.testing.assert_allclose(single.W @ single.H, dense.W @ dense.H, atol=1e-4 * V.max())
        np.testing.assert_allclose(single.loss, dense.loss, rtol=1e-5)
    assert set(seen) == {None}


@pytest.mark.parametrize("k", [1, 2, 3])
def test_accelerated_iterations_equal_the_dense_ones(k, monkeypatch):
    V, seen = counts(19), refusals(monkeypatch)
    for iterations in (1, 3, 4, 5, 6, 30):
        stop = Stop(tol=0, max_iter=iterations)
        ours, dense = both(V, k, stop=stop, init=start(k), update="anewton")
        assert_same(ours, dense, 1e-9)
        np.testing.assert_allclose(ours.kkt, dense.kkt, atol=1e-9)
    assert set(seen) == {None}


def test_accelerated_ensembles_end_where_plain_ones_do():
    pattern = nmfcore.bootstrap(*mock_stars(bins=24, pixels=16, stars=6000), replicates=64, seed=1)
    base = nmfcore.factorize(pattern.base_dense(), 2, loss=LOSS, update="newton")
    options = {"loss": LOSS, "init": (base.W, base.H), "starts": 1, "dtype": torch.float64}
    plain = nmfcore.factorize(pattern, 2, update="newton", **options)
    ours = nmfcore.factorize(pattern, 2, **options)
    assert ours.converged.all()
    same = np.abs(ours.loss / plain.loss - 1) < 1e-6
    assert same.mean() > 0.9
    np.testing.assert_allclose(ours.fractions[same], plain.fractions[same], atol=2e-3)
    assert (ours.loss / plain.loss).mean() < 1 + 1e-5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(4, 6), (7, 3), (5, 21)]),
    B=st.sampled_from([1, 5, 17]),
    mean=st.sampled_from([0.2, 1.0, 6.0]),
    zeros=st.sampled_from([0.0, 0.2]),
    update=st.sampled_from(["newton", "mu", "amu"]),
    penalty=st.sampled_from(sorted(PENALTIES)),
    iterations=st.integers(1, 8),
)
def test_random_patterns_equal_the_dense_ones(seed, shape, B, mean, zeros, update, penalty, iterations):
    rng = np.random.default_rng(seed)
    V = rng.poisson(rng.exponential(mean, shape), (B, *shape)).astype(np.float64)
    V *= rng.random((B, 1, shape[1])) < 0.8
    V *= rng.random((B, shape[0], 1)) < 0.9
    # Zeros in the start make reconstructions of zero, below counts and below zero counts.
    W, H = (rng.random((B, *s)) + 0.01 for s in ((shape[0], 2), (2, shape[1])))
    W *= rng.random(W.shape) >= zeros
    H *= rng.random(H.shape) >= zeros
    stop = Stop(tol=0, max_iter=iterations)
    ours, dense = both(V, 2, init=(W, H), update=update, penalty=PENALTIES[penalty], stop=stop)
    assert_same(ours, dense, 1e-10)


@pytest.mark.parametrize(("update", "k"), [("newton", 2), ("newton", 3), ("amu", 2)])
def test_converged_runs_stop_where_the_dense_ones_do(update, k):
    V = counts(37, seed=3)  # more than two tiles: lanes are refilled
    ours, dense = both(V, k, init=start(k), update=update)
    near = np.abs(ours.n_iter - dense.n_iter) <= 0.02 * dense.n_iter  # long runs part by rounding
    assert near.mean() > 0.9
    np.testing.assert_array_equal(ours.status[near], dense.status[near])
    assert (ours.status == Status.CONVERGED).mean() > 0.5
    assert len(set(ours.n_iter)) > 10
    np.testing.assert_allclose(ours.loss[near], dense.loss[near], rtol=1e-7)
    np.testing.assert_allclose(ours.fractions[near], dense.fractions[near], atol=1e-6)


def test_results_do_not_depend_on_neighbours_chunks_or_threads(monkeypatch):
    pattern = SharedPattern.from_dense(counts(70, seed=5))
    options = {"init": start(2), "loss": LOSS}
    whole = nmfcore.factorize(pattern, 2, **options)
    part = nmfcore.factorize(pattern.select([33, 4, 69]), 2, **options)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[[33, 4, 69]])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        again = nmfcore.factorize(pattern, 2, **options)
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setattr(solve, "CHUNK_ENTRIES", 1)
    chunks = nmfcore.factorize(pattern, 2, **options)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(chunks, name), getattr(whole, name))


def test_what_the_columns_without_data_hold_counts_in_the_first_update_alone():
    V = counts(3)
    W, H = start(2)
    more = H.copy()
    more[:, ::7] *= 5  # empty in every replicate
    stop = Stop(tol=0, max_iter=1)
    plain, dense = both(V, 2, init=(W, H), stop=stop, update="mu")
    fuller, fuller_dense = both(V, 2, init=(W, more), stop=stop, update="mu")
    assert_same(plain, dense, 1e-10)
    assert_same(fuller, fuller_dense, 1e-10)
    assert np.abs(plain.W - fuller.W).max() > 0.01 * plain.W.max()
    assert (fuller.H[:, :, ::7] == 0).all()


@pytest.mark.parametrize("scale", [0.37, 1.0])
def test_real_values_are_taken(scale):
    V = counts(5, seed=9) * scale
    ours = nmfcore.factorize(SharedPattern.from_dense(V, dtype=np.float64), 2, loss=LOSS, init=start(2))
    dense = nmfcore.factorize(V, 2, loss=LOSS, init=start(2))
    np.testing.assert_allclose(ours.loss, dense.loss, rtol=1e-7)  # of converged fits


def test_empty_replicates_have_no_loss():
    V = counts(4, seed=9)
    V[2] = 0
    ours, _ = both(V, 2, init=start(2))
    assert ours.loss[2] == 0
    assert (ours.W[2] == 0).all() or (ours.H[2] == 0).all()
    assert np.isfinite(ours.loss).all()


@pytest.mark.parametrize("path", [SharedPattern.from_dense, np.asarray])
def test_components_that_have_gone_make_a_fit_stuck(path):
    V = np.kron(np.eye(2), np.full((2, 3), 3.0))
    W, H = np.zeros((4, 2)), np.zeros((2, 6))
    W[:2, 0], H[0, :3] = 1, 1
    stuck = nmfcore.factorize(path(V), 2, init=(W, H), update="mu", loss=LOSS, dtype=torch.float64)
    assert np.ravel(stuck.status).tolist() == [Status.STUCK]


@pytest.mark.parametrize(
    "options",
    [{"weight": np.linspace(0.5, 2, 40)}, {"hold": "H"}, {"hold": "W"}, {"stop": Stop(criterion="sklearn", tol=1e-4)}],
)
def test_what_has_no_compiled_path_has_the_dense_answer(options, monkeypatch):
    seen = refusals(monkeypatch)
    ours, dense = both(counts(18, seed=2), 2, init=start(2), **{"stop": Stop(tol=0, max_iter=20), **options})
    assert None not in seen
    np.testing.assert_allclose(ours.W, dense.W, atol=1e-10 * dense.W.max())


def test_gpus_have_a_kernel_for_it():
    pattern = SharedPattern.from_dense(counts(2))
    assert plan.refusal(asked(pattern, loss=1, device="cuda"), nmfcore.NewtonKL(), [0]) is None


def test_bootstraps_converge_to_the_dense_answer():
    stars = mock_stars(bins=16, pixels=12, stars=4000)
    pattern = nmfcore.bootstrap(*stars, replicates=20, seed=1)
    ours = nmfcore.factorize(pattern, 2, loss=LOSS)
    assert ours.converged.all()
    base = nmfcore.factorize(pattern.base_dense(dtype=np.float64), 2, loss=LOSS)
    dense = nmfcore.factorize(pattern.to_dense(), 2, loss=LOSS, init=(base.W, base.H))
    assert dense.converged.all()
    np.testing.assert_allclose(ours.fractions, dense.fractions, atol=1e-5)
    np.testing.assert_allclose(ours.loss, dense.loss, rtol=1e-6)


@pytest.mark.parametrize("kind", ["small counts", "large counts", "fractions"])
def test_the_divergence_is_that_of_the_factors_that_are_given_back(kind):
    rng = np.random.default_rng(5)
    V = rng.poisson(rng.gamma(0.5, 40.0 if kind == "large counts" else 2.0, (21, 7, 30))).astype(np.float32)
    if kind == "fractions":
        V *= rng.random(V.shape, np.float32)
    result = nmfcore.factorize(SharedPattern.from_dense(V), 2, loss="kullback-leibler", init="random", starts=1)
    Y = np.maximum(result.W.astype(np.float64) @ result.H.astype(np.float64), 2.0**-23)
    data = V.astype(np.float64)
    expected = (np.where(data > 0, data * np.log(np.where(data > 0, data, 1.0) / Y), 0.0) - data + Y).sum(axis=(1, 2))
    np.testing.assert_allclose(result.divergence, expected, rtol=1e-5 if (Y <= 2.0**-23).any() else 1e-12)
