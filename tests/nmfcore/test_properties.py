"""What must hold for any data: descent, scaling, transposition, independence of the batch, zeros."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nmfcore
from nmfcore import Penalty, Status, Stop
from nmfcore.optimality import missing_mass
from nmfcore.problem import build_problem

from .problems import PROBLEMS, dense, headline, sparse

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)
shapes = st.tuples(st.integers(1, 12), st.integers(1, 15), st.integers(1, 4))
seeds = st.integers(0, 2**31)
betas = st.sampled_from([-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])


def data(shape, seed, positive=False):
    m, n, _ = shape
    rng = np.random.default_rng(seed)
    V = rng.gamma(0.5, size=(m, n)) * (rng.random((m, n)) < 0.6)
    return V + 0.01 if positive else V


def run(V, k, n_iter, **options):
    return nmfcore.factorize(V, k, stop=Stop(tol=0, max_iter=n_iter), **options)


@SETTINGS
@given(shapes, seeds, betas, st.sampled_from([0.0, 1.0]))
def test_multiplicative_loss_never_rises(shape, seed, beta, l1_ratio):
    V = data(shape, seed, positive=beta <= 0)
    # L2 with another beta than 2 has no such guarantee.
    penalty = Penalty(alpha_W=0.01, l1_ratio=l1_ratio) if beta == 2 or l1_ratio == 1 else None
    losses = [float(run(V, shape[2], n, init="random", loss=beta, update="mu", penalty=penalty).loss) for n in range(8)]
    slack = 1e-6 * max(1.0, losses[0])
    assert all(after <= before + slack for before, after in itertools.pairwise(losses))


@SETTINGS
@given(shapes, seeds, st.sampled_from([None, 0.0, 0.5, 1.0]))
def test_hals_loss_never_rises(shape, seed, l1_ratio):
    penalty = None if l1_ratio is None else Penalty(alpha_W=0.01, alpha_H=0.02, l1_ratio=l1_ratio)
    V = data(shape, seed)
    losses = [float(run(V, shape[2], n, init="random", update="hals", penalty=penalty).loss) for n in range(8)]
    slack = 1e-10 * max(1.0, losses[0])
    assert all(after <= before + slack for before, after in itertools.pairwise(losses))


@SETTINGS
@given(shapes, seeds, st.integers(-100, 100), st.sampled_from(["mu", "hals"]), st.sampled_from([1.0, 1.5, 2.0]))
def test_scaling_by_powers_of_four_scales_the_product(shape, seed, power, update, beta):
    if update == "hals":
        beta = 2.0
    V = data(shape, seed)
    scale = 4.0 ** (power // 2)
    plain = run(V, shape[2], 5, init="random", update=update, loss=beta)
    scaled = run(V * scale, shape[2], 5, init="random", update=update, loss=beta)
    size = np.abs(plain.W @ plain.H).max() + 1e-300
    np.testing.assert_allclose(scaled.W @ scaled.H / scale / size, plain.W @ plain.H / size, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize("update", ["mu", "hals"])
def test_extreme_scales_give_the_same_fit(factor, update, dtype):
    V = dense(10, 14, 3, 4)
    # nndsvda, as defined, fills zeros with mean(V), which is not on the scale of W and H: a random start is.
    plain = nmfcore.factorize(V, 3, init="random", update=update, starts=1, seed=5)
    scaled = nmfcore.factorize((V * factor).astype(dtype), 3, init="random", update=update, starts=1, seed=5)
    assert int(scaled.status) == Status.CONVERGED
    tolerance = 1e-7 if dtype is np.float64 else 2e-3
    np.testing.assert_allclose(scaled.fractions, plain.fractions, atol=tolerance)
    assert float(scaled.loss) / factor**2 == pytest.approx(float(plain.loss), rel=10 * tolerance)


def test_nndsvda_is_the_same_for_all_extreme_scales():
    V = dense(10, 14, 3, 4)
    small, large = (nmfcore.factorize(V * 4.0**p, 3) for p in (-40, 40))
    np.testing.assert_array_equal(small.fractions, large.fractions)


def test_penalties_at_extreme_scale_keep_their_meaning():
    V = dense(10, 14, 3, 4)
    scale = 4.0**30
    plain = run(V, 2, 50, init="random", update="mu", penalty=Penalty(0.01, l1_ratio=1.0))
    # 0.5 |sV - W'H'|^2 + a' |W'|_1 with W' = sqrt(s) W equals s^2 times the original for a' = s^1.5 a.
    scaled = run(V * scale, 2, 50, init="random", update="mu", penalty=Penalty(0.01 * scale**1.5, l1_ratio=1.0))
    np.testing.assert_allclose(scaled.W / np.sqrt(scale), plain.W, rtol=1e-6, atol=1e-9)
    assert float(scaled.loss) / scale**2 == pytest.approx(float(plain.loss))


@SETTINGS
@given(shapes, seeds, st.sampled_from(["mu", "hals"]))
def test_transposing_swaps_the_factors_at_the_optimum_of_a_held_problem(shape, seed, update):
    m, n, k = shape
    V = data(shape, seed)
    rng = np.random.default_rng(seed)
    W, H = rng.random((m, k)) + 0.1, rng.random((k, n)) + 0.1
    by_H = run(V, k, 30, init=(W, H), hold="H", update=update)
    by_W = run(V.T.copy(), k, 30, init=(H.T.copy(), W.T.copy()), hold="W", update=update)
    np.testing.assert_allclose(by_W.H, by_H.W.T, atol=1e-12)


@SETTINGS
@given(seeds, st.permutations(range(5)), st.sampled_from(["mu", "hals"]), st.sampled_from([1.0, 2.0]))
def test_permuting_the_columns_permutes_the_components(seed, order, update, beta):
    V = data((6, 5, 2), seed)
    rng = np.random.default_rng(seed)
    W, H = rng.random((6, 2)), rng.random((2, 5))
    loss = 2.0 if update == "hals" else beta
    plain = run(V, 2, 20, init=(W, H), update=update, loss=loss)
    permuted = run(V[:, order], 2, 20, init=(W, H[:, order]), update=update, loss=loss)
    np.testing.assert_allclose(permuted.H, plain.H[:, order], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("init", ["random", "nndsvda", "nndsvdar"])
@pytest.mark.parametrize("update", ["mu", "hals"])
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [(np.float64, 1e-9, 1e-12), (np.float32, 1e-4, 1e-5)])
def test_a_replicate_does_not_depend_on_its_batch(update, init, dtype, rtol, atol):
    batch = np.stack([sparse(16, 60, 3, seed) for seed in range(7)]).astype(dtype)
    options = {"init": init, "update": update, "seed": 3, "stop": Stop(tol=1e-4, max_iter=300)}
    whole = nmfcore.factorize(batch, 3, **options)
    for b in (0, 4, 6):
        alone = nmfcore.factorize(batch[b], 3, first_replicate=b, **options)
        assert alone.n_iter == whole.n_iter[b]
        np.testing.assert_allclose(alone.W, whole.W[b], rtol=rtol, atol=atol)
        np.testing.assert_allclose(alone.H, whole.H[b], rtol=rtol, atol=atol)
    first = nmfcore.factorize(batch[:3], 3, **options)
    rest = nmfcore.factorize(batch[3:], 3, first_replicate=3, **options)
    np.testing.assert_allclose(np.concatenate([first.loss, rest.loss]), whole.loss, rtol=1e-3 * rtol)


def test_replicates_finish_at_their_own_iteration():
    batch = np.stack([headline(seed)[:, ::20] for seed in range(3)] + [np.outer(np.ones(64), np.ones(250))])
    result = nmfcore.factorize(batch, 2, update="mu")
    assert len(set(result.n_iter.tolist())) > 1
    assert (result.status == Status.CONVERGED).all()


@pytest.mark.parametrize("init", ["random", "nndsvd", "nndsvda", "nndsvdar"])
@pytest.mark.parametrize("update", ["mu", "hals"])
def test_zero_rows_and_columns_keep_their_place_and_give_zeros(update, init):
    V = dense(9, 11, 2, 0)
    V[[0, 4]] = 0
    V[:, [3, 10]] = 0
    result = nmfcore.factorize(V, 2, update=update, init=init)
    assert (result.W[[0, 4]] == 0).all()
    assert (result.H[:, [3, 10]] == 0).all()
    assert np.isfinite(result.W).all()
    assert np.isfinite(result.H).all()
    assert result.loss < 0.01 * (V**2).sum()


@pytest.mark.parametrize("init", ["random", "nndsvda", "nndsvdar"])
@pytest.mark.parametrize("update", ["mu", "hals"])
def test_a_zero_matrix_gives_zeros_and_converges(update, init):
    result = nmfcore.factorize(np.zeros((2, 4, 5)), 2, update=update, init=init)
    assert (result.W @ result.H == 0).all()
    assert (result.loss == 0).all()
    assert (result.status == Status.CONVERGED).all()
    assert (result.fractions == 0).all()


def test_a_zero_replicate_does_not_disturb_its_neighbour():
    V = np.stack([np.zeros((10, 14)), dense(10, 14, 3, 4)])
    both, alone = nmfcore.factorize(V, 2), nmfcore.factorize(V[1], 2)
    assert float(both.loss[1]) == pytest.approx(float(alone.loss), rel=1e-12)


def test_weight_zero_hides_entries_even_if_they_are_nan():
    V = PROBLEMS["random"].copy()
    weight = (np.random.default_rng(0).random(V.shape) > 0.3).astype(float)
    spoiled = np.where(weight > 0, V, np.nan)
    a = nmfcore.factorize(spoiled, 2, weight=weight, stop=Stop(tol=0, max_iter=50))
    b = nmfcore.factorize(np.where(weight > 0, V, 7.0), 2, weight=weight, stop=Stop(tol=0, max_iter=50))
    np.testing.assert_array_equal(a.W, b.W)
    assert np.isfinite(a.H).all()


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0, 3.0])
def test_weight_two_counts_an_entry_twice(beta):
    V = dense(6, 8, 2, 1) + 0.01
    weight = np.ones(V.shape)
    weight[:, 3] = 2
    W, H = np.random.default_rng(1).random((6, 2)), np.random.default_rng(2).random((2, 8))
    twice = np.concatenate([V, V[:, [3]]], axis=1)
    a = run(V, 2, 20, init=(W, H), update="mu", weight=weight, loss=beta)
    b = run(twice, 2, 20, init=(W, np.concatenate([H, H[:, [3]]], axis=1)), update="mu", loss=beta)
    np.testing.assert_allclose(a.W, b.W, rtol=1e-8)
    assert float(a.loss) == pytest.approx(float(b.loss))


def test_held_factor_comes_back_as_given_and_the_other_solves_least_squares():
    from scipy.optimize import nnls

    V = headline()[:, ::7]
    H = np.random.default_rng(0).random((2, V.shape[1]))
    result = nmfcore.factorize(V, 2, init=(None, H), hold="H")
    np.testing.assert_array_equal(result.H, H)
    expected = np.stack([nnls(H.T, row)[0] for row in V])
    np.testing.assert_allclose(result.W, expected, atol=1e-6 * expected.max())


def test_planted_components_are_found_again():
    rng = np.random.default_rng(0)
    H = np.zeros((3, 60))
    for j in range(3):
        H[j, 20 * j : 20 * j + 20] = rng.random(20) + 0.5
    W = rng.random((30, 3))
    W[:3] = np.eye(3)
    result = nmfcore.factorize(W @ H, 3, stop=Stop(tol=1e-9))
    _, found = result.normalised()
    planted = H / H.sum(1, keepdims=True)
    distance = np.abs(found[:, None] - planted[None]).sum(-1)
    assert (distance.min(axis=1) < 1e-5).all()
    assert sorted(distance.argmin(axis=1)) == [0, 1, 2]


def test_kkt_residual_vanishes_at_the_optimum_and_not_before():
    V = PROBLEMS["random"]
    early, late = run(V, 3, 3), nmfcore.factorize(V, 3, stop=Stop(tol=1e-12, max_iter=50000))
    assert early.kkt > 1e-3
    assert late.kkt < 1e-6


def test_numpy_and_torch_in_give_the_same_out():
    V = dense(8, 9, 2, 0)
    a, b = nmfcore.factorize(V, 2), nmfcore.factorize(torch.from_numpy(V), 2)
    assert isinstance(a.W, np.ndarray)
    assert isinstance(b.W, torch.Tensor)
    np.testing.assert_array_equal(a.W, b.W.numpy())
    assert b.H.shape == (2, 9)


@pytest.mark.parametrize(
    "make",
    [
        lambda V: V.astype(">f8"),
        lambda V: np.asfortranarray(V),
        lambda V: np.concatenate([V, V], axis=1)[:, ::2],
        lambda V: np.ma.masked_array(V),
        lambda V: V.tolist(),
    ],
    ids=["big-endian", "fortran", "strided", "masked array without masked entries", "list"],
)
def test_any_memory_layout_is_normalised(make):
    V = dense(8, 9, 2, 0)
    given = make(V)
    plain = np.ascontiguousarray(np.asarray(given, dtype=float))
    a, b = nmfcore.factorize(given, 2), nmfcore.factorize(plain, 2)
    assert float(a.loss if np.ndim(a.loss) == 0 else a.loss[0]) == float(b.loss)


def test_read_only_input_is_neither_changed_nor_refused():
    V = dense(8, 9, 2, 0)
    V.flags.writeable = False
    before = V.copy()
    nmfcore.factorize(V, 2)
    np.testing.assert_array_equal(V, before)


def test_more_starts_never_give_a_worse_loss():
    V = np.stack([sparse(20, 80, 4, seed) for seed in range(4)])
    one = nmfcore.factorize(V, 4, starts=1)
    many = nmfcore.factorize(V, 4, starts=6)
    assert (many.loss <= one.loss).all()
    assert (many.start > 0).any()


def test_a_non_finite_replicate_is_marked_and_the_others_go_on():
    V = np.stack([dense(8, 9, 2, seed) for seed in range(3)])
    mu = nmfcore.MultiplicativeUpdate()

    def poisoned(problem, factors):
        factors = mu(problem, factors)
        if len(factors.W) == 3:
            factors.W[1] = torch.nan
        return factors

    result = nmfcore.factorize(V, 2, update=poisoned)
    assert result.status.tolist() == [Status.CONVERGED, Status.NON_FINITE, Status.CONVERGED]
    assert float(result.loss[2]) == pytest.approx(float(nmfcore.factorize(V[2], 2, update="mu").loss))
    assert "abandoned" in result.summary()


def test_not_converged_is_said():
    result = nmfcore.factorize(PROBLEMS["random"], 3, stop=Stop(max_iter=1))
    assert int(result.status) == Status.MAX_ITER
    assert "raise max_iter" in result.summary()


@pytest.mark.parametrize("loss", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(("dtype", "factor"), [(np.float32, 1e15), (np.float32, 1e-15), (np.float64, 1e160)])
def test_a_huge_or_tiny_start_gives_the_answer_of_an_ordinary_one(dtype, factor, loss):
    V = dense(10, 14, 2, 4)
    rng = np.random.default_rng(0)
    W, H = rng.random((10, 2)) + 0.1, rng.random((2, 14)) + 0.1
    plain = run(V, 2, 200, init=(W, H), update="mu", loss=loss)
    product = plain.W @ plain.H
    for both in ((factor, factor), (factor, 1 / factor), (1.0, factor)):
        init = tuple((x * f).astype(dtype) for x, f in zip((W, H), both, strict=True))
        result = run(V.astype(dtype), 2, 200, init=init, update="mu", loss=loss)
        np.testing.assert_allclose(result.W @ result.H, product, atol=0.02 * product.max())


@pytest.mark.parametrize("update", ["mu", "hals"])
def test_a_fit_from_a_huge_start_converges_to_the_optimum(update):
    V = sparse(12, 40, 2, 0)
    rng = np.random.default_rng(0)
    W, H = rng.random((12, 2)) + 0.1, rng.random((2, 40)) + 0.1
    plain = nmfcore.factorize(V, 2, init=(W, H), update=update)
    huge = nmfcore.factorize(V, 2, init=(W * 1e160, H * 1e160), update=update)
    assert bool(plain.converged)
    assert bool(huge.converged)
    np.testing.assert_allclose(huge.fractions, plain.fractions, atol=1e-4)


def test_only_the_wild_start_of_a_batch_is_rescaled():
    V = np.stack([dense(10, 14, 2, 4)] * 2)
    rng = np.random.default_rng(0)
    W, H = rng.random((10, 2)), rng.random((2, 14))
    both = run(V, 2, 20, init=(np.stack([W * 1e160, W]), np.stack([H * 1e160, H])), update="mu")
    np.testing.assert_array_equal(both.W[1], run(V[1], 2, 20, init=(W, H), update="mu").W)


@pytest.mark.parametrize("update", ["mu", "hals"])
def test_a_held_factor_that_would_overflow_is_refused(update):
    V = dense(10, 14, 2, 4)
    H = np.random.default_rng(0).random((2, 14))
    with pytest.raises(nmfcore.ProblemError, match=r"held H.*Rescale"):
        nmfcore.factorize(V, 2, init=(None, H * 1e160), hold="H", update=update)
    large = nmfcore.factorize(V, 2, init=(None, H * 1e50), hold="H", update=update)
    plain = nmfcore.factorize(V, 2, init=(None, H), hold="H", update=update)
    np.testing.assert_allclose(large.W * 1e50, plain.W, atol=1e-4)


def test_factors_of_zeros_are_stuck_and_not_converged():
    V = dense(6, 7, 2, 0)
    result = nmfcore.factorize(V, 2, init=(np.zeros((6, 2)), np.zeros((2, 7))), update="mu")
    assert int(result.status) == Status.STUCK
    assert not result.converged


def test_a_penalty_that_makes_zero_the_optimum_is_no_obstacle_to_convergence():
    result = nmfcore.factorize(dense(6, 7, 2, 0), 2, update="mu", penalty=Penalty(1e6, l1_ratio=1.0))
    assert int(result.status) == Status.CONVERGED
    assert (result.W @ result.H == 0).all()


@pytest.mark.parametrize("loss", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("init", ["random", "nndsvda"])
def test_empty_rows_and_columns_do_not_make_a_fit_stuck(init, loss):
    V = dense(9, 11, 2, 0)
    V[[0, 4]] = 0
    V[:, [3, 10]] = 0
    assert int(nmfcore.factorize(V, 2, update="mu", init=init, loss=loss).status) == Status.CONVERGED


def as_factors(W, H):
    return nmfcore.Factors(torch.from_numpy(W)[None], torch.from_numpy(H)[None])


@pytest.mark.parametrize("zero", ["W", "H"])
@pytest.mark.parametrize("loss", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_missing_mass_of_a_zero_is_what_its_row_or_column_holds(loss, zero):
    w, h = np.array([[1.0], [2.0], [3.0]]), np.array([[4.0, 1.0, 5.0, 2.0]])
    problem = build_problem(w @ h, loss=loss)
    assert max(map(float, missing_mass(problem, as_factors(w, h)))) < 1e-12
    W, H = w.copy(), h.copy()
    (W if zero == "W" else H.T)[2] = 0
    expected = (w[2] / w.sum() if zero == "W" else h[:, 2] / h.sum()).item()
    assert float(missing_mass(problem, as_factors(W, H))[1]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", [1.0, 1.5, 2.0, 3.0])
def test_missing_mass_of_a_small_entry_is_that_of_a_zero_but_not_locked(loss):
    w, h = np.array([[1.0], [2.0], [3.0]]), np.array([[4.0, 1.0, 1e-4, 2.0]])
    problem = build_problem(w @ np.array([[4.0, 1.0, 5.0, 2.0]]), loss=loss)
    growing, locked = missing_mass(problem, as_factors(w, h))
    assert float(growing) == pytest.approx(5 / 12, rel=0.02 if loss > 1 else 0.3)
    assert float(locked) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", [1.0, 1.5, 2.0])  # above 2, the gradient at a reconstruction of zero vanishes
def test_an_entry_that_shrank_for_long_can_grow_back(loss, dtype):
    rule = nmfcore.MultiplicativeUpdate()
    w, h = torch.tensor([[[1.0], [2.0]]], dtype=dtype), torch.tensor([[[3.0, 1.0]]], dtype=dtype)
    away = build_problem(w @ h * torch.tensor([1.0, 1e-5], dtype=dtype), loss=loss, hold="W")
    factors = nmfcore.Factors(w, torch.tensor([[[3.0, torch.finfo(dtype).tiny]]], dtype=dtype))
    for _ in range(50):
        factors = rule(away, factors)
    back = build_problem(w @ h, loss=loss, hold="W")
    assert 0 < float(factors.H[0, 0, 1]) <= 2e-5
    for _ in range(3000):
        factors = rule(back, factors)
    torch.testing.assert_close(factors.H, h)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_multiplicative_updates_leave_zeros_and_turn_what_has_no_data_into_zeros(dtype):
    V = torch.tensor([[[1.0, 0.0, 2.0], [2.0, 0.0, 1.0]]], dtype=dtype)
    W, H = torch.ones(1, 2, 1, dtype=dtype), torch.tensor([[[0.0, 1.0, 1.0]]], dtype=dtype)
    H = nmfcore.MultiplicativeUpdate()(build_problem(V), nmfcore.Factors(W, H)).H
    assert (H[0, 0] > 0).tolist() == [False, False, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_multiplicative_updates_stop_short_of_zero(dtype):
    # Component 2 has no place in these data: W's second column shrinks for ever.
    w, h = torch.tensor([[1.0, 1.0], [2.0, 1.0]], dtype=dtype), torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=dtype)
    problem = build_problem(w[:, :1] @ h[:1], hold="H")
    factors = nmfcore.Factors(w[None], h[None])
    for _ in range(10_000):
        factors = nmfcore.MultiplicativeUpdate()(problem, factors)
    assert (factors.W > 0).all()
    result = nmfcore.factorize(problem.V, 2, init=(w, h), hold="H", update="mu", stop=Stop(tol=0, max_iter=10_000))
    assert (result.W[0, :, 1] == 0).any() or float(result.W[0, :, 1].max()) > torch.finfo(dtype).tiny * 2**10
