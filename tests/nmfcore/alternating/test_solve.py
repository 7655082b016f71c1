"""One matrix on the CPU: the optimum that the other rules reach, whatever its form, type and shape."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import nmfcore
from nmfcore import Status, Stop
from nmfcore.alternating import iterate
from nmfcore.alternating.solve import Narrow, refusal
from nmfcore.factorise import plan


def counts(m, n, k, seed=0):
    """Counts too many to be small: those follow another rule."""
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(0.5, 1, (m, k)) @ rng.gamma(0.5, 1, (k, n))).astype(float)


FORMS = {"dense": np.asarray, "csr": sp.csr_array, "tensor": torch.from_numpy}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(60, 600), (600, 60)])
@pytest.mark.parametrize(("dtype", "off"), [(np.float64, 1e-5), (np.float32, 1e-4)])
def test_two_components_end_where_plain_exact_least_squares_do(shape, dtype, off, form):
    V = counts(*shape, 2).astype(dtype)
    ours = nmfcore.factorize(FORMS[form](V), 2)
    exact = nmfcore.factorize(V.astype(float), 2, update="rank2", stop=Stop(tol=1e-10))
    assert int(ours.status) == Status.CONVERGED
    assert isinstance(ours.W, torch.Tensor) == (form == "tensor")
    assert str(ours.W.dtype).removeprefix("torch.") == V.dtype.name
    assert float(ours.loss) == pytest.approx(float(exact.loss), rel=1e-6 if dtype is np.float32 else 1e-9)
    np.testing.assert_allclose(np.sort(np.asarray(ours.fractions)), np.sort(exact.fractions), atol=off)


@pytest.mark.parametrize("k", [3, 5, 8])
def test_more_components_end_at_a_stationary_point_no_worse_than_that_of_hals(k):
    V = counts(60, 600, k, seed=k)
    ours = nmfcore.factorize(V, k, starts=1, stop=Stop(tol=1e-8))
    again = nmfcore.factorize(V, k, init=(ours.W, ours.H), update="hals", stop=Stop(tol=1e-10, max_iter=50_000))
    assert bool(ours.converged)
    assert float(ours.kkt) < 1e-6
    assert float(ours.loss) == pytest.approx(float(again.loss), rel=1e-10)


@pytest.mark.parametrize("k", [2, 4])
def test_the_default_test_leaves_factors_near_their_limit(k):
    V = counts(60, 600, k)
    ours = nmfcore.factorize(V, k, starts=1)
    end = nmfcore.factorize(V, k, init=(ours.W, ours.H), stop=Stop(tol=1e-11, max_iter=5000))
    for x, y in zip(ours.normalised(), end.normalised(), strict=True):
        assert np.abs(x - y).max() < 1e-4 * y.max()


def test_single_precision_ends_and_says_so():
    V = counts(400, 700, 6).astype(np.float32)  # too many entries to be solved in double precision
    ours = nmfcore.factorize(V, 6, starts=1)
    double = nmfcore.factorize(V.astype(float), 6, starts=1)
    assert int(ours.status) == Status.CONVERGED
    assert int(ours.n_iter) < 200
    assert float(ours.loss) == pytest.approx(float(double.loss), rel=1e-6)


def test_transposing_swaps_the_factors():
    V = counts(60, 600, 3)
    wide, tall = nmfcore.factorize(V, 3, starts=1), nmfcore.factorize(V.T.copy(), 3, starts=1)
    np.testing.assert_allclose(tall.W, wide.H.T, atol=1e-8 * wide.H.max())


def test_empty_rows_and_columns_keep_their_places():
    V = counts(60, 600, 3)
    V[[3, 50]], V[:, 100:300] = 0, 0
    whole = nmfcore.factorize(V, 3, starts=1)
    assert (whole.W[[3, 50]] == 0).all()
    assert (whole.H[:, 100:300] == 0).all()
    part = nmfcore.factorize(np.delete(np.delete(V, [3, 50], 0), range(100, 300), 1), 3, starts=1)
    assert part.H.shape[1] == 400
    assert float(whole.kkt) < 1e-3


def test_replicates_are_solved_as_each_alone():
    V = np.stack([counts(60, 600, 3, seed) for seed in range(3)])
    together = nmfcore.factorize(V, 3, init="random", starts=2, seed=4)
    for b in range(3):
        alone = nmfcore.factorize(V[b], 3, init="random", starts=2, seed=4, first_replicate=b)
        np.testing.assert_array_equal(alone.W, together.W[b])
        assert alone.start == together.start[b]


def test_a_start_whose_weights_are_alike_is_separated_by_its_components():
    V = counts(60, 600, 2)
    H = np.random.default_rng(0).random((2, 600))
    ours = nmfcore.factorize(V, 2, init=(None, H))
    assert float(ours.loss) == pytest.approx(float(nmfcore.factorize(V, 2).loss), rel=1e-8)


@pytest.mark.parametrize("update", ["auto", "hals", "ehals"])
def test_the_loss_alone_is_reached_sooner_and_within_its_tolerance(update):
    V = counts(60, 600, 5)
    stop = {"update": update, "starts": 1}
    quick = nmfcore.factorize(V, 5, stop=Stop.loss(1e-6), **stop)
    full = nmfcore.factorize(V, 5, stop=Stop(max_iter=20_000), **stop)
    assert bool(quick.converged)
    assert quick.n_iter < full.n_iter
    assert float(quick.loss) <= float(full.loss) * (1 + 1e-5)


def test_progress_counts_starts():
    seen = []
    V = np.stack([counts(60, 600, 3, seed) for seed in range(2)])
    nmfcore.factorize(V, 3, starts=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"update": "hals"}, "another rule"),
        ({"weight": np.ones((20, 30))}, "weights"),
        ({"penalty": nmfcore.Penalty(0.1)}, "penalties"),
        ({"loss": 1.0}, "least squares"),
        ({"stop": Stop(criterion="sklearn")}, "scikit-learn"),
        ({"stop": Stop(max_iter=0)}, "no iteration"),
    ],
)
def test_what_other_solvers_must_do_is_left_to_them(options, reason):
    from nmfcore.losses import as_loss
    from nmfcore.request import Request

    given = {
        "V": np.ones((20, 30)), "n_components": 2, "init": "auto", "loss": 2.0, "update": "auto", "weight": None,
        "penalty": nmfcore.Penalty(), "hold": None, "stop": Stop(), "starts": None, "seed": 0, "first_replicate": 0,
        "device": None, "dtype": None, "progress": None,
    } | options  # fmt: skip
    request = Request(**{**given, "loss": as_loss(given["loss"])})
    assert reason in refusal(request)
    assert type(plan(request)).__name__ == "Dense"


def test_a_single_small_fit_waits_for_no_compiler():
    code = (
        "import sys, numpy as np, nmfcore; nmfcore.factorize(np.random.default_rng(0).random((20, 30)), 3); "
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_compiled_sweeps_end_where_those_of_numpy_do(form, dtype, monkeypatch):
    V = FORMS[form](counts(60, 900, 5).astype(dtype))
    compiled = nmfcore.factorize(V, 5, seed=1)
    assert iterate.compiled(5, 5 * 960) is not None
    monkeypatch.setattr(iterate, "COMPILED", 1e9)
    plain = nmfcore.factorize(V, 5, seed=1)
    off = 1e-5 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(compiled.loss, plain.loss, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(compiled.W), np.asarray(plain.W), atol=off * np.asarray(plain.W).max())
    assert (compiled.status == plain.status).all()


@pytest.mark.parametrize(
    ("k", "size", "told"), [(2, 1e6, "0"), (3, iterate.COMPILED - 1, "0"), (3, iterate.COMPILED, "1")]
)
def test_what_numpy_does_alone_waits_for_no_compiler(k, size, told, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", told)
    assert iterate.compiled(k, size) is None


@pytest.mark.parametrize(("filled", "threads"), [(0.001, 1), (0.05, 2)])
def test_few_cells_of_a_large_matrix_are_not_worth_several_threads(filled, threads, monkeypatch):
    V = sp.random(2500, 2500, filled, random_state=0, format="csr")
    seen, solve = [], Narrow.solve

    def watched(*what):
        seen.append(torch.get_num_threads())
        return solve(*what)

    monkeypatch.setattr(Narrow, "solve", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        nmfcore.factorize(V, 2, stop=Stop(max_iter=2))
    finally:
        torch.set_num_threads(before)
    assert seen == [threads]


def test_a_zero_replicate_gives_zeros():
    V = np.stack([np.zeros((60, 600)), counts(60, 600, 2)])
    both = nmfcore.factorize(V, 2)
    assert (both.W[0] == 0).all()
    assert both.status.tolist() == [Status.CONVERGED] * 2


@pytest.mark.parametrize("size", [(6, 7), (60, 600)])
def test_a_few_cells_may_leave_the_last_rows_empty(size):
    V = np.zeros(size)
    V[0, 1], V[1, 2] = 2.0, 1.0
    for form in FORMS.values():
        found = nmfcore.factorize(form(V), 2)
        np.testing.assert_allclose(np.asarray(found.W @ found.H), V, atol=1e-7)


def test_single_precision_is_kept_whatever_the_scale():
    V = np.random.default_rng(0).random((6, 7))
    for scale in (1e-25, 1.0, 1e13):
        found = nmfcore.factorize(sp.csr_array((scale * V).astype(np.float32)), 2)
        assert found.W.dtype == found.H.dtype == np.float32


def test_one_cell_is_found_by_every_start_without_a_warning():
    V = np.zeros((15, 28))
    V[3, 10] = 2.0
    for seed in range(3):
        assert float(nmfcore.factorize(V, 2, starts=8, seed=seed).loss) == pytest.approx(0, abs=1e-12)


def test_a_loss_that_goes_to_zero_comes_to_an_end():
    ended = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        ended.append(int(nmfcore.factorize(rng.random((6, 1)) @ rng.random((1, 9)), 1, stop=Stop.loss()).status))
    assert set(ended) == {int(Status.CONVERGED)}


def test_components_that_can_but_be_parallel_come_to_rest():
    for seed in range(20):
        V = np.random.default_rng(seed).random((seed + 5, 1))
        for data in (V, V.T):
            assert int(nmfcore.factorize(data, 2).status) == Status.CONVERGED
