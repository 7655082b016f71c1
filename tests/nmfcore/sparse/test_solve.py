"""The compiled kernels give what the dense path gives, whatever the rule, type, penalty or batch."""

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nmfcore
from nmfcore import Penalty, SharedPattern, Status, Stop, request
from nmfcore.sparse import plan, solve, spectrum

PENALTIES = {
    "none": None,
    "l1": Penalty(2e-3, 3e-3, 1.0),
    "l2": Penalty(2e-3, 3e-3, 0.0),
    "elastic": Penalty(1e-3, 2e-3, 0.5),
}
DTYPES = {np.float32: torch.float32, np.float64: torch.float64}


def counts(B, m=9, n=40, seed=0, mean=0.7):
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.5, mean / 0.5, (m, 3)) @ rng.random((3, n))
    rate[:, ::7] = 0
    rate[2] = 0
    return rng.poisson(rate, (B, m, n)).astype(np.float64)


def start(k, m=9, n=40, seed=1):
    rng = np.random.default_rng(seed)
    return rng.random((m, k)), rng.random((k, n))


def both(V, k, dtype, **options):
    ours = nmfcore.factorize(SharedPattern.from_dense(V), k, dtype=DTYPES[dtype], **options)
    dense = nmfcore.factorize(V, k, **options)
    return ours, dense


@pytest.fixture
def _no_dense(monkeypatch):
    """Fail if the dense path is taken."""

    def refuse(self, *_):
        return None

    monkeypatch.setattr(SharedPattern, "to_dense", SharedPattern.to_dense)
    original = plan.refusal

    def watched(*arguments):
        refusal = original(*arguments)
        assert refusal is None, refusal
        return refusal

    monkeypatch.setattr(plan, "refusal", watched)


@pytest.mark.usefixtures("_no_dense")
@pytest.mark.parametrize("penalty", sorted(PENALTIES))
@pytest.mark.parametrize("k", [1, 2, 3, 6])
@pytest.mark.parametrize("update", ["mu", "amu", "hals", "ehals", "rank2", "arank2"])
def test_iterations_equal_the_dense_ones(update, k, penalty):
    if update in ("rank2", "arank2") and k != 2:
        pytest.skip("rank-two least squares is for two components")
    if update == "arank2" and penalty != "none":
        pytest.skip("the accelerated rule takes no penalties")
    V = counts(19)
    options = {"init": start(k), "update": update, "penalty": PENALTIES[penalty]}
    for iterations in (1, 7):
        stop = Stop(tol=0, max_iter=iterations)
        for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 2e-4)):
            ours, dense = both(V, k, dtype, stop=stop, **options)
            size = np.abs(dense.W @ dense.H).max()
            assert ours.W.dtype == dtype
            np.testing.assert_allclose(ours.W @ ours.H, dense.W @ dense.H, atol=tolerance * size)
            np.testing.assert_allclose(ours.loss, dense.loss, rtol=tolerance)
            np.testing.assert_allclose(ours.divergence, dense.divergence, rtol=tolerance)
            assert (ours.n_iter == iterations).all()
            assert (ours.status == Status.MAX_ITER).all()
            if dtype is np.float64:
                np.testing.assert_allclose(ours.W, dense.W, atol=tolerance * dense.W.max())
                np.testing.assert_allclose(ours.H, dense.H, atol=tolerance * dense.H.max())
                np.testing.assert_allclose(ours.kkt, dense.kkt, atol=1e-9)


@pytest.mark.usefixtures("_no_dense")
@pytest.mark.parametrize(
    ("update", "k"), [("mu", 2), ("hals", 3), ("ehals", 2), ("ehals", 4), ("rank2", 2), ("arank2", 2)]
)
def test_converged_runs_stop_where_the_dense_ones_do(update, k):
    V = counts(37, seed=3)  # more than two tiles: lanes are refilled
    ours, dense = both(V, k, np.float64, init=start(k), update=update)
    np.testing.assert_array_equal(ours.status, dense.status)
    assert (ours.status == Status.CONVERGED).mean() > 0.5
    near = np.abs(ours.n_iter - dense.n_iter) <= 10  # long extrapolated runs part by rounding
    assert near.mean() > 0.9
    np.testing.assert_allclose(ours.loss[near], dense.loss[near], rtol=1e-7)
    single, _ = both(V, k, np.float32, init=start(k), update=update)
    settled = near & (single.status == Status.CONVERGED)
    same = settled & (np.abs(single.loss / dense.loss - 1) < 1e-5)
    assert same.sum() > 0.8 * settled.sum()
    np.testing.assert_allclose(single.fractions[same], dense.fractions[same], atol=2e-3)


def test_results_do_not_depend_on_the_batch_or_the_threads():
    pattern = SharedPattern.from_dense(counts(70, seed=5))
    whole = nmfcore.factorize(pattern, 3, init=start(3))
    part = nmfcore.factorize(pattern.select([33, 4, 69]), 3, init=start(3))
    for name in ("W", "H", "loss", "n_iter", "status", "kkt"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[[33, 4, 69]])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        again = nmfcore.factorize(pattern, 3, init=start(3))
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(again.W, whole.W)


def test_chunks_change_nothing(monkeypatch):
    pattern = SharedPattern.from_dense(counts(70, seed=5))
    whole = nmfcore.factorize(pattern, 3, starts=2, seed=4)
    monkeypatch.setattr(solve, "CHUNK_ENTRIES", 1)
    seen = []
    parts = nmfcore.factorize(pattern, 3, starts=2, seed=4, progress=lambda done, total: seen.append((done, total)))
    for name in ("W", "H", "loss", "n_iter", "start"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert seen[-1] == (70, 70)
    assert len(seen) == 5


@pytest.mark.parametrize(("replicates", "starts"), [(3, 8), (9, 2), (24, 1)])
def test_lanes_that_have_run_out_of_work_disturb_no_answer(replicates, starts):
    # Jobs that do not fill the last lanes: some of these are empty while others run, and their cells not their own.
    rng = np.random.default_rng(0)
    W, H = rng.dirichlet([0.3] * 3, 12), np.kron(np.eye(3), rng.random(20)) + 0.05 * rng.random((3, 60))
    pattern = SharedPattern.from_dense(rng.poisson(40 * W @ H, (replicates, 12, 60)).astype(float))
    options = {"init": "random", "starts": starts, "stop": Stop(tol=1e-4)}
    together = nmfcore.factorize(pattern, 3, **options)
    alone = [nmfcore.factorize(pattern.select([b]), 3, first_replicate=b, **options) for b in range(replicates)]
    assert together.n_iter.tolist() == [int(one.n_iter[0]) for one in alone]
    assert together.start.tolist() == [int(one.start[0]) for one in alone]


@pytest.mark.parametrize("init", ["random", "nndsvd", "nndsvda", "nndsvdar"])
def test_named_starts_are_the_dense_ones(init):
    V = counts(20, seed=8)
    stop = Stop(tol=0, max_iter=3)
    ours, dense = both(V, 2, np.float64, init=init, stop=stop, seed=6, first_replicate=3, update="hals")
    np.testing.assert_allclose(ours.W @ ours.H, dense.W @ dense.H, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "kullback-leibler"},
        {"loss": 1.5},
        {"loss": 3.0},
        {"weight": np.linspace(0.5, 2, 40)},
        {"hold": "H"},
        {"hold": "W"},
        {"stop": Stop(criterion="sklearn", tol=1e-4)},
        {"update": lambda problem, start: nmfcore.HALS()(problem, start)},
        {"stop": Stop(max_iter=0)},
    ],
)
def test_what_has_no_fast_path_has_the_dense_answer(options):
    V = counts(18, seed=2)
    ours, dense = both(V, 2, np.float64, init=start(2), **{"stop": Stop(tol=0, max_iter=20), **options})
    np.testing.assert_allclose(ours.W, dense.W, atol=1e-10 * dense.W.max())
    np.testing.assert_array_equal(ours.n_iter, dense.n_iter)


def test_a_weight_for_every_replicate_is_cut_with_the_batch(monkeypatch):
    V = counts(40, seed=2)
    weight = np.random.default_rng(0).random(V.shape)
    monkeypatch.setattr("nmfcore.dense.CHUNK_ENTRIES", 1)
    options = {"init": start(2), "weight": weight, "stop": Stop(tol=0, max_iter=5)}
    ours, whole = both(V, 2, np.float64, **options)
    np.testing.assert_allclose(ours.W, whole.W, atol=1e-10 * whole.W.max())


def test_dense_chunks_hold_no_more_entries_than_they_may(monkeypatch):
    pattern = SharedPattern.from_dense(counts(7, seed=2))
    options = {"init": start(2), "loss": 1.5, "stop": Stop(tol=0, max_iter=3)}
    whole = nmfcore.factorize(pattern, 2, **options)
    monkeypatch.setattr("nmfcore.dense.CHUNK_ENTRIES", 3 * 9 * 40 + 1)
    sizes, to_dense = [], SharedPattern.to_dense
    monkeypatch.setattr(
        SharedPattern, "to_dense", lambda self, some, **x: sizes.append(len(some)) or to_dense(self, some, **x)
    )
    parts = nmfcore.factorize(pattern, 2, **options)
    assert sizes == [3, 3, 1]
    np.testing.assert_allclose(parts.W, whole.W, atol=1e-5 * whole.W.max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_of_every_type_are_taken(dtype):
    V = counts(17, seed=9)
    for scale, stored in ((1, np.uint8), (300, np.uint16), (0.37, dtype)):
        pattern = SharedPattern.from_dense(V * scale, dtype=None if stored is not np.float64 else stored)
        assert pattern.values.dtype == (stored if scale != 0.37 or stored is np.float64 else np.float32)
        ours = nmfcore.factorize(pattern, 2, init=start(2), dtype=DTYPES[dtype])
        dense = nmfcore.factorize(V * scale, 2, init=start(2))
        np.testing.assert_allclose(ours.loss, dense.loss, rtol=1e-5)


def test_empty_replicates_and_extreme_scales_are_legal():
    V = counts(18, seed=9)
    V[4] = 0
    result = nmfcore.factorize(SharedPattern.from_dense(V), 2)
    assert (result.W[4] == 0).all() or (result.H[4] == 0).all()
    assert np.isfinite(result.loss).all()
    assert result.loss[4] == 0
    tiny = nmfcore.factorize(SharedPattern.from_dense(V * 1e-12, dtype=np.float64), 2, init=start(2))
    plain = nmfcore.factorize(SharedPattern.from_dense(V, dtype=np.float64), 2, init=start(2))
    np.testing.assert_allclose(tiny.loss * 1e24, plain.loss, rtol=1e-6)
    assert nmfcore.factorize(SharedPattern.from_dense(np.zeros((3, 4))), 2).loss.tolist() == [0.0]


def test_wild_starts_are_tamed_as_on_the_dense_path():
    V = counts(18, seed=9)
    W, H = start(2)
    wild = nmfcore.factorize(SharedPattern.from_dense(V), 2, init=(W * 1e20, H * 1e15), update="hals")
    plain = nmfcore.factorize(SharedPattern.from_dense(V), 2, init=(W, H), update="hals")
    np.testing.assert_allclose(wild.loss, plain.loss, rtol=1e-4)


def test_non_finite_replicates_are_marked():
    V = counts(18, seed=9).astype(np.float32)
    pattern = SharedPattern.from_dense(V, dtype=np.float32)
    pattern.values[0, 3] = np.float32(2.0**19)
    pattern.values[0, 5] = np.inf
    refused = nmfcore.factorize(pattern.select([0, 1]), 2, init=start(2))
    assert Status(int(refused.status[0])) in (Status.CONVERGED, Status.MAX_ITER)


def sample(stars=4000, m=12, n=60, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, m, stars)
    kind = rng.random(stars) < rows / m
    columns = np.where(kind, rng.normal(20, 6, stars), rng.normal(38, 7, stars)).clip(0, n - 1).astype(int)
    return rows, columns, (m, n)


def test_bootstraps_begin_at_the_full_samples_solution_and_reach_the_dense_optimum():
    rows, columns, shape = sample()
    pattern = nmfcore.bootstrap(rows, columns, shape, replicates=40, seed=2)
    ours = nmfcore.factorize(pattern, 2)
    dense = nmfcore.factorize(pattern.to_dense(dtype=np.float64), 2, stop=Stop(tol=1e-7))
    assert ours.converged.all()
    np.testing.assert_allclose(ours.loss, dense.loss, rtol=2e-6)
    np.testing.assert_allclose(np.sort(ours.fractions), np.sort(dense.fractions), atol=2e-5)
    # Aligned by themselves: the same component is first in all.
    assert np.ptp(ours.fractions[:, 0]) < 0.2


def test_several_starts_keep_the_best_and_say_which():
    rows, columns, shape = sample()
    pattern = nmfcore.bootstrap(rows, columns, shape, replicates=33, seed=2)
    # Not from the sample's solution, which is itself the best of as many starts.
    one = nmfcore.factorize(pattern, 4, init="nndsvda", starts=1)
    many = nmfcore.factorize(pattern, 4, init="nndsvda", starts=4)
    assert (many.loss <= one.loss * (1 + 1e-6)).all()
    assert (many.start[many.loss < one.loss * (1 - 1e-6)] > 0).all()
    assert set(many.start) <= set(range(4))
    left = nmfcore.factorize(pattern, 4)
    tried = np.arange(33) % solve.SPARING == 0
    assert (left.start[~tried] == 0).all()


def test_torch_and_numpy_starts_are_alike():
    pattern = SharedPattern.from_dense(counts(4))
    W, H = start(2)
    a = nmfcore.factorize(pattern, 2, init=(W, H))
    b = nmfcore.factorize(pattern, 2, init=(torch.from_numpy(W), torch.from_numpy(H)))
    np.testing.assert_array_equal(a.W, b.W)


def test_wrong_arguments_are_refused():
    pattern = SharedPattern.from_dense(counts(4))
    with pytest.raises(nmfcore.ProblemError, match="init must be"):
        nmfcore.factorize(pattern, 2, init="svd")
    with pytest.raises(nmfcore.ProblemError, match="must have shape"):
        nmfcore.factorize(pattern, 2, init=(np.ones((3, 2)), np.ones((2, 40))))
    with pytest.raises(nmfcore.ProblemError, match="n_components"):
        nmfcore.factorize(pattern, 0)
    with pytest.raises(nmfcore.ProblemError, match="for 2 components"):
        nmfcore.factorize(pattern, 3, update="rank2")


@pytest.mark.parametrize("path", [SharedPattern.from_dense, np.asarray])
def test_pixels_that_no_component_takes_up_do_not_make_a_fit_stuck(path):
    # One star per row: beyond the two largest blocks nothing is worth a component's while.
    V = np.zeros((6, 6))
    V[:2, :2], V[2:4, 2:4] = 3, 2
    V[4, 4] = V[5, 5] = 1
    result = nmfcore.factorize(path(V), 2, init="random", seed=3, dtype=torch.float64)
    assert result.converged.all()
    assert float(np.ravel(result.loss)[0]) == pytest.approx(1.0)


@pytest.mark.parametrize("path", [SharedPattern.from_dense, np.asarray])
def test_a_component_that_is_missing_makes_a_fit_stuck(path):
    V = np.kron(np.eye(2), np.ones((2, 3)))
    W, H = np.zeros((4, 2)), np.zeros((2, 6))
    W[:2, 0], H[0, :3] = 1, 1
    W[:, 1], H[1] = 1e-35, 0
    dead = nmfcore.factorize(path(V), 2, init=(W, H), update="mu", dtype=torch.float64)
    assert np.ravel(dead.status).tolist() == [Status.STUCK]


def test_zeros_are_refused_by_losses_that_divide_by_them():
    V = counts(3) + 1
    V[1, 4, 7] = 0
    with pytest.raises(
        nmfcore.ProblemError, match=r"1 of 1080 entries are zero \(one at replicate 1, row 4, column 7\)"
    ):
        nmfcore.factorize(SharedPattern.from_dense(V), 2, loss="itakura-saito")
    full = {"init": start(2), "loss": "itakura-saito", "stop": Stop(tol=0, max_iter=5)}
    ours, dense = both(counts(3) + 1, 2, np.float64, **full)
    np.testing.assert_allclose(ours.W, dense.W, atol=1e-10 * dense.W.max())
    weight = (V > 0).astype(float)
    ours, dense = both(V, 2, np.float64, weight=weight, **full)
    np.testing.assert_allclose(ours.W, dense.W, atol=1e-10 * dense.W.max())


def mixtures(scheme, seed, stars=300, m=8, n=30):
    """Stars resampled, with an empty bin and empty pixels, from the bins' mixture of two kinds."""
    rng = np.random.default_rng(seed)
    rows = rng.choice([-1, *range(3), *range(4, m)], stars)
    columns = 2 + rng.binomial(20, np.where(rng.random(stars) < rows / m, 0.3, 0.7))
    return nmfcore.bootstrap(rows, columns, (m, n), replicates=3, scheme=scheme, drop="sqrt", seed=seed)


@settings(max_examples=60, deadline=None)
@given(
    scheme=st.sampled_from(["multinomial", "poisson", "delete"]),
    container=st.sampled_from(["bootstrap", "dense", "scipy", "uint16", "scaled"]),
    loss=st.sampled_from([("frobenius", x) for x in ("ehals", "rank2", "arank2", "mu")] + [(1, "newton"), (1.5, "mu")]),
    penalty=st.sampled_from([None, "l1", "elastic"]),
    hold=st.sampled_from([None, None, None, "W", "H"]),
    weighted=st.booleans(),
    starts=st.sampled_from([1, 1, 8]),
    stop=st.sampled_from([Stop(tol=0, max_iter=4), Stop(criterion="sklearn", tol=1e-2, every=2)]),
    seed=st.integers(0, 5),
)
def test_every_combination_has_the_dense_answer(
    scheme, container, loss, penalty, hold, weighted, starts, stop, seed
):  # fmt: skip
    pattern = mixtures(scheme, seed)
    V = pattern.to_dense(dtype=np.float64)
    if container == "scaled":
        V *= 0.37
    made = {
        "dense": lambda: SharedPattern.from_dense(V),
        "scipy": lambda: SharedPattern.from_scipy([scipy.sparse.csr_array(v) for v in V]),
        "uint16": lambda: SharedPattern.from_dense(V, dtype=np.uint16),
        "scaled": lambda: SharedPattern.from_dense(V, dtype=np.float64),
    }
    counts = made.get(container, lambda: pattern)()
    weighted &= loss[1] in ("mu", "newton")
    penalty = None if loss[1] == "arank2" else penalty
    options = {
        "loss": loss[0], "update": loss[1], "penalty": PENALTIES[penalty or "none"], "hold": hold, "stop": stop,
        "weight": np.linspace(0.5, 2, 30) if weighted else None, "starts": 1 if hold else starts, "seed": seed,
        "init": start(2, 8, 30) if hold or starts == 1 else "random",
    }  # fmt: skip
    ours = nmfcore.factorize(counts, 2, dtype=torch.float64, **options)
    dense = nmfcore.factorize(V, 2, **options)
    np.testing.assert_array_equal(ours.n_iter, dense.n_iter)
    np.testing.assert_array_equal(ours.start, dense.start)
    np.testing.assert_allclose(ours.W, dense.W, atol=1e-9 * dense.W.max())
    np.testing.assert_allclose(ours.H, dense.H, atol=1e-9 * dense.H.max())
    np.testing.assert_allclose(ours.loss, dense.loss, rtol=1e-9)
    if hold is None:
        assert not ours.W[:, 3].any()
        assert not ours.H[:, :, :2].any()


def test_the_best_of_eight_starts_is_kept():
    V = counts(6, m=12, n=50, seed=4)
    options = {"init": "random", "seed": 2, "stop": Stop(tol=0, max_iter=40), "update": "hals", "dtype": torch.float64}
    pattern = SharedPattern.from_dense(V)
    best = nmfcore.factorize(pattern, 4, starts=8, **options)
    # Each start by itself: the first is named, the others are random ones with numbers of their own.
    alone = [nmfcore.factorize(pattern, 4, starts=number, **options) for number in range(1, 9)]
    losses = np.minimum.accumulate([x.loss for x in alone])
    np.testing.assert_allclose(best.loss, losses[-1], rtol=1e-12)
    assert (best.loss <= losses[0]).all()
    assert (best.start > 0).any()
    won = best.start.argmax()
    np.testing.assert_array_equal(alone[best.start[won]].H[won], best.H[won])


def test_three_components_and_more_get_several_starts_and_two_get_one():
    V = counts(4)
    pattern = SharedPattern.from_dense(V)
    stop = Stop(tol=0, max_iter=10)
    for k, number in ((2, 1), (3, request.SEVERAL)):
        for data in (pattern, V):
            default, explicit = (
                nmfcore.factorize(data, k, stop=stop, dtype=torch.float64, **x) for x in ({}, {"starts": number})
            )
            np.testing.assert_array_equal(default.loss, explicit.loss)
            np.testing.assert_array_equal(default.start, explicit.start)
    assert request.SEVERAL == 8


@pytest.mark.parametrize("k", [2, 4])
def test_replicates_from_the_full_samples_solution_do_as_well_as_from_their_own_nndsvd(k):
    rows, columns, shape = sample()
    pattern = nmfcore.bootstrap(rows, columns, shape, replicates=24, seed=2)
    warm = nmfcore.factorize(pattern, k, stop=Stop(tol=1e-6))
    cold = nmfcore.factorize(pattern, k, init="nndsvda", starts=1, stop=Stop(tol=1e-6))
    assert (warm.converged & cold.converged).mean() > 0.9
    excess = warm.loss / cold.loss - 1
    if k == 2:  # one optimum, whatever the start
        assert np.abs(excess).max() < 5e-6
        assert np.median(warm.n_iter) < np.median(cold.n_iter)
    else:  # some replicates end in another optimum, better or worse by 1 %; as a whole neither start wins
        assert np.abs(np.median(excess)) < 5e-6
        assert excess.mean() < 1e-3


@pytest.mark.parametrize("short", [0, 128])
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_singular_vectors_of_a_batch_are_the_exact_ones(short, precision, monkeypatch):
    # Some replicates converge at once, those whose eigenvalues crowd are left to LAPACK.
    monkeypatch.setattr(spectrum, "SHORT", short)
    rng = np.random.default_rng(4)
    V = np.concatenate([counts(20, m=14, n=50, seed=8), rng.poisson(1.0, (20, 14, 50))])
    U, S, Vh = spectrum.leading_svd(SharedPattern.from_dense(V), np.arange(40), 3, precision=precision)
    exact_U, exact_S, exact_Vh = np.linalg.svd(V, full_matrices=False)
    tolerance = 1e-9 if precision == torch.float64 or short else 1e-4
    np.testing.assert_allclose(S, exact_S[:, :3], rtol=tolerance)
    np.testing.assert_allclose(np.abs(np.einsum("bmk,bmk->bk", U, exact_U[:, :, :3])), 1, atol=tolerance)
    np.testing.assert_allclose(np.abs(np.einsum("bkn,bkn->bk", Vh, exact_Vh[:, :3])), 1, atol=tolerance)


def test_cells_of_short_columns_come_first_and_columns_stay_together():
    V = counts(3, seed=5)
    pattern = SharedPattern.from_dense(V)
    assert (np.diff(np.diff(pattern.start)) >= 0).all()
    assert len(set(pattern.columns)) == len(pattern.columns)
    np.testing.assert_array_equal(pattern.to_dense(), V)
