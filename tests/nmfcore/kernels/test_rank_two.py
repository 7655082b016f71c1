"""The kernel of the accelerated rule for two components: what only it does, beside what the dense rule does."""

import numpy as np
import pytest
import torch

import nmfcore
from nmfcore import SharedPattern, Status, Stop, bench
from nmfcore.result import FIELDS

STARS = bench.mock_stars(stars=2000, bins=12, pixels=10)


def drawn(replicates=40, seed=1, **options):
    return nmfcore.bootstrap(STARS.rows, STARS.columns, STARS.shape, replicates=replicates, seed=seed, **options)


def noise(B, m=9, n=40, seed=3):
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(0.5, 1.4, (m, 3)) @ rng.random((3, n)), (B, m, n)).astype(np.float64)


def begun(m=9, n=40, seed=1):
    rng = np.random.default_rng(seed)
    return rng.random((m, 2)), rng.random((2, n))


def assert_same(one, other):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("scheme", ["multinomial", "poisson", "delete"])
def test_counts_drawn_where_they_are_solved_are_those_of_the_pattern(scheme):
    lazy, eager = drawn(scheme=scheme), drawn(scheme=scheme)
    assert eager.values.any()
    ours, other = nmfcore.factorize(lazy, 2), nmfcore.factorize(eager, 2)
    assert lazy.drawn == (scheme == "delete")  # which has a kernel of its own
    assert ours.converged.all()
    assert_same(ours, other)


def test_results_depend_neither_on_the_batch_nor_on_the_threads():
    whole = nmfcore.factorize(drawn(70), 2)
    with bench.threads(3):
        assert_same(nmfcore.factorize(drawn(70), 2), whole)
    part = nmfcore.factorize(drawn(70).select(range(20, 47)), 2)
    assert_same(part, whole.map(lambda x: x[20:47]))
    some = [33, 4, 69]
    assert_same(nmfcore.factorize(drawn(70).select(some), 2), whole.map(lambda x: x[some]))


def test_slow_replicates_go_on_for_themselves():
    V = noise(37)
    pattern, options = SharedPattern.from_dense(V), {"init": begun(), "dtype": torch.float64}
    whole = nmfcore.factorize(pattern, 2, **options)
    assert whole.n_iter.max() > 5 * np.median(whole.n_iter)
    slow = int(whole.n_iter.argmax())
    assert_same(nmfcore.factorize(pattern.select([slow]), 2, **options), whole.map(lambda x: x[[slow]]))


@pytest.mark.parametrize("path", [SharedPattern.from_dense, np.asarray])
def test_converged_replicates_are_near_their_limit(path):
    # In narrow valleys accelerated steps can be small by chance far from the end.
    V = noise(60)
    found = nmfcore.factorize(path(V), 2, init=begun(), dtype=torch.float64, update="arank2")
    assert found.converged.all()
    limit = nmfcore.factorize(V, 2, init=(found.W, found.H), update="rank2", stop=Stop(tol=1e-9, max_iter=100_000))
    assert np.abs(found.fractions - limit.fractions).max() < 2e-5
    assert np.abs(found.loss / limit.loss - 1).max() < 1e-9


def test_replicates_end_as_they_are_told_to():
    pattern = drawn(20)
    for every in (1, 3):
        few = nmfcore.factorize(pattern, 2, stop=Stop(tol=0, max_iter=5, every=every))
        assert (few.n_iter == 5).all()
        assert (few.status == Status.MAX_ITER).all()
    done = nmfcore.factorize(pattern, 2, stop=Stop(every=4))
    assert (done.n_iter % 4 == 0).all()
    assert done.converged.all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_empty_rows_columns_and_replicates_are_legal(dtype):
    V = noise(18)
    V[:, 2], V[:, :, ::7], V[4] = 0, 0, 0
    V[5, 3:] = 0
    ours = nmfcore.factorize(SharedPattern.from_dense(V), 2, init=begun(), dtype=dtype, stop=Stop(tol=1e-6))
    dense = nmfcore.factorize(V, 2, init=begun(), stop=Stop(tol=1e-6))
    np.testing.assert_array_equal(ours.status, dense.status)
    size = 0.5 * (V**2).sum(axis=(1, 2))
    assert (np.abs(ours.loss - dense.loss) <= 2e-6 * size).mean() > 0.8  # others end in another optimum
    for W, H in ((ours.W, ours.H),):
        assert not W[:, 2].any()
        assert not H[:, :, ::7].any()
        assert not W[4].any()
        assert not W[5, 3:].any()
    assert np.isfinite(ours.kkt).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_factors_stay_alike_in_size_where_a_component_is_not_needed(dtype):
    V = np.outer(np.arange(1.0, 7.0), np.arange(1.0, 50.0))[None] * np.array([1.0, 100.0])[:, None, None]
    found = nmfcore.factorize(SharedPattern.from_dense(V), 2, init=begun(6, 49), dtype=dtype)
    assert found.converged.all()
    np.testing.assert_allclose(found.W @ found.H, V, rtol=1e-4)
    ratio = found.W.max(axis=(1, 2)) / found.H.max(axis=(1, 2))
    assert ((ratio > 0.05) & (ratio < 20)).all()


def test_the_loss_and_the_residual_are_those_of_the_factors():
    V = noise(20)
    ours = nmfcore.factorize(SharedPattern.from_dense(V), 2, init=begun(), dtype=torch.float64)
    true = 0.5 * ((V - ours.W @ ours.H) ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(ours.loss, true, rtol=1e-10)
    factors = nmfcore.Factors(*(torch.from_numpy(x) for x in (ours.W, ours.H)))
    kkt = nmfcore.optimality.kkt_residual(nmfcore.problem.build_problem(V), factors).numpy()
    np.testing.assert_allclose(ours.kkt, kkt, atol=1e-12)


def test_every_job_may_have_its_own_start():
    V = noise(20)
    rng = np.random.default_rng(0)
    starts = rng.random((20, 9, 2)), rng.random((20, 2, 40))
    options = {"init": starts, "update": "arank2", "stop": Stop(tol=0, max_iter=6)}
    ours = nmfcore.factorize(SharedPattern.from_dense(V), 2, dtype=torch.float64, **options)
    dense = nmfcore.factorize(V, 2, **options)
    np.testing.assert_allclose(ours.W, dense.W, atol=1e-10 * dense.W.max())
    np.testing.assert_allclose(ours.H, dense.H, atol=1e-10 * dense.H.max())


def test_a_start_whose_columns_are_parallel_is_completed_from_h():
    V = noise(5)
    W, H = begun()
    start = {"init": (np.ones_like(W), H), "update": "arank2"}
    options = start | {"dtype": torch.float64, "stop": Stop(tol=0, max_iter=3)}
    ours = nmfcore.factorize(SharedPattern.from_dense(V), 2, **options)
    dense = nmfcore.factorize(V, 2, **options)
    np.testing.assert_allclose(ours.W, dense.W, atol=1e-11 * dense.W.max())
