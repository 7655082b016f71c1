"""No fit converges with a component that is zero while there are data that it could take."""

import numpy as np
import pytest
import scipy.sparse
import torch

import nmfcore
from nmfcore import Status
from nmfcore.problem import Factors
from nmfcore.revive import dead_components

from .problems import PROBLEMS


def nearly_rank_one(seed=1):
    """Counts of 36 bins in 4 pixels about one component: with three, extrapolated HALS used to lose one."""
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(1, 10, (36, 1)) @ rng.dirichlet(np.ones(4), 1)).astype(float)


def with_dead_component(V, k, seed=0):
    rng = np.random.default_rng(seed)
    W, H = rng.random((V.shape[0], k)), rng.random((k, V.shape[1]))
    W[:, -1], H[-1] = 0.0, 0.0
    return W, H


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_component_that_died_is_given_back(dtype):
    # 18.14 with a dead component, 0.90843 by scikit-learn from any start.
    result = nmfcore.factorize(nearly_rank_one().astype(dtype), 3, starts=1, init="random")
    assert result.loss == pytest.approx(0.90843, abs=2e-4)
    assert not dead_components(Factors(torch.tensor(result.W[None]), torch.tensor(result.H[None]))).any()


@pytest.mark.parametrize("rule", ["hals", "ehals", "rank2", "newton"])
def test_every_rule_that_can_leave_zero_recovers_from_a_start_without_a_component(rule):
    V = PROBLEMS["sparse-ish"]
    loss = "kullback-leibler" if rule == "newton" else "frobenius"
    result = nmfcore.factorize(V, 2, init=with_dead_component(V, 2), update=rule, loss=loss)
    whole = nmfcore.factorize(V, 2, update=rule, loss=loss)
    assert Status(int(result.status)) == Status.CONVERGED
    assert result.loss == pytest.approx(float(whole.loss), rel=1e-3)


def test_multiplicative_updates_cannot_and_say_so():
    V = PROBLEMS["sparse-ish"]
    result = nmfcore.factorize(V, 2, init=with_dead_component(V, 2), update="mu")
    assert Status(int(result.status)) == Status.STUCK


def test_a_replicate_that_is_given_a_component_back_does_not_touch_its_neighbours():
    V = np.stack([PROBLEMS["sparse-ish"], PROBLEMS["sparse-ish"][::-1]])
    dead, whole = with_dead_component(V[0], 2), np.random.default_rng(1).random((24, 2))
    W = np.stack([dead[0], whole])
    H = np.stack([dead[1], np.random.default_rng(2).random((2, 150))])
    both = nmfcore.factorize(V, 2, init=(W, H))
    alone = nmfcore.factorize(V[1:], 2, init=(W[1:], H[1:]))
    assert np.array_equal(both.H[1], alone.H[0])


def test_a_component_too_many_for_exact_data_may_die():
    V = PROBLEMS["rank-deficient"]
    result = nmfcore.factorize(V, 2, init=with_dead_component(V, 2))
    assert Status(int(result.status)) == Status.CONVERGED
    assert result.loss < 1e-9 * (V**2).sum()


@pytest.mark.parametrize("form", ["csr", "pattern"])
def test_sparse_forms_get_components_back_too(form):
    V = PROBLEMS["sparse-ish"]
    data = scipy.sparse.csr_matrix(V) if form == "csr" else nmfcore.SharedPattern.from_dense(V[None])
    W, H = with_dead_component(V, 2)
    W[:, -1] = 1e-3 if form == "pattern" else 0.0  # a start without a column of W goes to the dense loop at once
    result = nmfcore.factorize(data, 2, init=(W, H))
    assert np.all(result.status == Status.CONVERGED)
    assert float(np.squeeze(result.loss)) == pytest.approx(float(nmfcore.factorize(V, 2).loss), rel=1e-3)


def test_penalties_may_remove_a_component():
    V = PROBLEMS["sparse-ish"]
    result = nmfcore.factorize(V, 3, penalty=nmfcore.Penalty(0.5, l1_ratio=1.0))
    assert Status(int(result.status)) == Status.CONVERGED
    assert not result.H.any()


@pytest.mark.filterwarnings("ignore:Maximum number of iterations:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("k", range(1, 13))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_from_one_to_twelve_components_on_four_pixels(dtype, k):
    """The loss is the best of scikit-learn's starts, or the status says that the fit was not carried through."""
    from sklearn.decomposition import NMF

    V = nearly_rank_one()
    peers = [NMF(k, init="random", random_state=s, tol=1e-7, max_iter=5000).fit(V) for s in range(3)]
    best = min(peer.reconstruction_err_ for peer in peers) ** 2 / 2
    for rule in ("auto", "hals"):
        result = nmfcore.factorize(V.astype(dtype), k, update=rule, starts=1, stop=nmfcore.Stop(max_iter=1500))
        enough = best * (1 + 1e-5) + 1e-7 * (V**2).sum()
        assert Status(int(result.status)) != Status.CONVERGED or result.loss <= enough
        assert np.isfinite(result.loss)
        assert np.isfinite(result.kkt)


def test_tensors_get_components_back_too():
    V = PROBLEMS["sparse-ish"]
    W, H = with_dead_component(V, 2)
    array, tensor = (nmfcore.factorize(data, 2, init=(W, H)) for data in (V, torch.from_numpy(V)))
    assert isinstance(tensor.W, torch.Tensor)
    assert int(tensor.status) == Status.CONVERGED
    assert float(tensor.loss) == pytest.approx(float(array.loss), rel=1e-12)
