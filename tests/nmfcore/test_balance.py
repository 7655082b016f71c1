"""Scale never passes into one factor altogether, and moving it changes nothing else."""

import numpy as np
import pytest
import scipy.sparse
import torch

import nmfcore
from nmfcore.balance import LOPSIDED, excess, level, rescale
from nmfcore.bench import dense_counts, mock_stars
from nmfcore.problem import Factors

from .problems import PROBLEMS

# Fits that lost their scale before factors were balanced: stars, seed, components.
DRIFTING = ((500, 1, 9), (500, 1, 10), (3000, 1, 8))


def images(stars, seed):
    return dense_counts(mock_stars(seed, stars=stars, bins=36, pixels=4))


def spread(result):
    """By how much the sums of the two factors of a component differ at most."""
    ratio = result.H.sum(axis=-1) / result.W.sum(axis=-2)
    return max(ratio.max(), 1 / ratio.min())


def drawn(*shape):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_powers_of_two_move_without_rounding():
    factors = Factors(drawn(2, 5, 3) * 2.0**-30, drawn(2, 3, 7) * 2.0**30)
    by = excess(factors)
    W, H = rescale(factors, by)
    assert (torch.log2(by) == torch.round(torch.log2(by))).all()
    assert torch.equal(W @ H, factors.W @ factors.H)
    assert excess(Factors(W, H)) is None


def test_ordinary_factors_stay_as_they_are():
    assert excess(Factors(drawn(2, 5, 3), drawn(2, 3, 7) * 100)) is None


def test_entries_above_zero_stay_above_zero():
    W, H = torch.full((1, 4, 1), 1e-20), torch.full((1, 1, 4), 1e20)
    H[0, 0, 1:] = 1e-37
    moved = rescale(Factors(W, H), excess(Factors(W, H)))
    assert (moved.H > 0).all()


def test_a_component_that_is_zero_has_no_scale():
    assert excess(Factors(torch.zeros(1, 4, 1), torch.ones(1, 1, 4))) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("stars", "seed", "k"), DRIFTING)
def test_factors_keep_their_scale_with_more_components_than_the_data_support(stars, seed, k, dtype):
    result = nmfcore.factorize(images(stars, seed).astype(dtype), k, starts=1)
    assert spread(result) <= LOPSIDED
    assert np.isfinite(result.loss)
    assert np.isfinite(result.kkt)


@pytest.mark.parametrize("rule", ["mu", "amu", "hals", "ehals", "rank2"])
def test_a_lopsided_start_gives_the_loss_of_a_balanced_one(rule):
    V, rng = PROBLEMS["random"], np.random.default_rng(0)
    W, H = rng.random((20, 2)), rng.random((2, 30))
    # Both within what is taken as it is given, see `initialise.SAFE_FACTOR`.
    shifted = W * 2.0**-14, H * 2.0**14
    plain, moved = (nmfcore.factorize(V, 2, init=init, update=rule) for init in ((W, H), shifted))
    assert spread(moved) <= LOPSIDED
    assert moved.loss == pytest.approx(float(plain.loss), rel=1e-9)


def test_penalties_decide_on_the_scale():
    # A penalty on W alone wants all scale in H.
    V = PROBLEMS["random"]
    result = nmfcore.factorize(V, 2, penalty=nmfcore.Penalty(1e-3, 0.0), stop=nmfcore.Stop(max_iter=3000), update="mu")
    assert spread(result) > spread(nmfcore.factorize(V, 2, update="mu"))


def test_a_held_factor_stays_as_given():
    V, W = PROBLEMS["random"], np.random.default_rng(0).random((20, 2)) * 1e-8
    assert np.array_equal(nmfcore.factorize(V, 2, init=(W, None), hold="W").W, W)


def test_sparse_matrices_and_shared_patterns_keep_their_scale_too():
    V = images(500, 1)
    for data in (scipy.sparse.csr_matrix(V), nmfcore.SharedPattern.from_dense(V[None])):
        result = nmfcore.factorize(data, 5, starts=1)
        assert spread(result) <= LOPSIDED


def test_a_lopsided_start_is_balanced_within_a_pattern():
    V, rng = images(500, 1), np.random.default_rng(0)
    W, H = rng.random((36, 2)) * 2.0**-14, rng.random((2, 32)) * 2.0**14
    pattern = nmfcore.SharedPattern.from_dense(V[None])
    for loss in ("frobenius", "kullback-leibler"):
        dense = nmfcore.factorize(V, 2, init=(W, H), loss=loss)
        # In float32 kernels sum losses above a twentieth of the data's in float32.
        for dtype, accuracy in ((torch.float64, 1e-6), (torch.float32, 1e-5)):
            result = nmfcore.factorize(pattern, 2, init=(W, H), loss=loss, dtype=dtype)
            assert spread(result) <= LOPSIDED
            assert result.loss[0] == pytest.approx(float(dense.loss), rel=accuracy)


def norms(result):
    return np.linalg.norm(result.W, axis=-2), np.linalg.norm(result.H, axis=-1)


def test_levelled_factors_have_equal_norms_and_the_same_product():
    factors = Factors(drawn(2, 5, 3) * 1e-3, drawn(2, 3, 7))
    W, H = level(factors)
    torch.testing.assert_close(torch.linalg.norm(W, dim=1), torch.linalg.norm(H, dim=2))
    torch.testing.assert_close(W @ H, factors.W @ factors.H)


def test_a_component_that_is_zero_in_one_factor_is_not_levelled():
    W, H = level(Factors(torch.zeros(1, 4, 1), torch.ones(1, 1, 4)))
    assert not W.any()
    assert (H == 1).all()


RULES = [("frobenius", rule) for rule in ("auto", "mu", "amu", "hals", "ehals", "rank2", "arank2")]
RULES += [("kullback-leibler", rule) for rule in ("auto", "mu", "amu", "newton")]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "rule"), RULES)
def test_every_rule_gives_levelled_factors(loss, rule, dtype):
    V, rng = PROBLEMS["random"].astype(dtype), np.random.default_rng(0)
    start = 100 * rng.random((20, 2)), rng.random((2, 30))
    for data in (V, V[None].repeat(3, 0)):
        of_W, of_H = norms(nmfcore.factorize(data, 2, loss=loss, update=rule, init=start))
        np.testing.assert_allclose(of_W, of_H, rtol=1e-5)


@pytest.mark.parametrize(("loss", "k"), [("frobenius", 2), ("frobenius", 3), ("kullback-leibler", 2)])
def test_every_path_gives_the_same_factors(loss, k):
    V = PROBLEMS["sparse-ish"]
    options = {"loss": loss, "init": "nndsvda", "starts": 1}
    alone = nmfcore.factorize(V, k, **options)
    pattern = nmfcore.SharedPattern.from_dense(V, dtype=np.float64)
    # A few and many dense problems, of which the latter go to the kernels.
    for data in (V[None].repeat(3, 0), V[None].repeat(40, 0), scipy.sparse.csr_array(V), pattern):
        found = nmfcore.factorize(data, k, **options)
        of_W, of_H = norms(found)
        np.testing.assert_allclose(of_W, of_H, rtol=1e-9)
        W, H = (np.asarray(x).reshape(-1, *y.shape)[-1] for x, y in ((found.W, alone.W), (found.H, alone.H)))
        order = np.asarray(nmfcore.align(H[None], alone.H).permutation)[0]
        for ours, theirs in ((W[:, order], alone.W), (H[order], alone.H)):
            np.testing.assert_allclose(ours, theirs, atol=1e-3 * theirs.max())


def test_a_number_of_iterations_leaves_the_scale_of_the_rule():
    V, rng = PROBLEMS["random"], np.random.default_rng(0)
    start = 100 * rng.random((20, 3)), rng.random((3, 30))
    of_W, of_H = norms(nmfcore.factorize(V, 3, update="mu", init=start, stop=nmfcore.Stop(tol=0, max_iter=5)))
    assert not np.allclose(of_W, of_H, rtol=0.5)
