"""The engine beside scikit-learn: same start, same numbers after 1, 10 and 200 iterations."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.decomposition import _nmf, non_negative_factorization

import nmfcore

from ..problems import PROBLEMS, headline

BETAS = [0, 0.5, 1, 1.5, 2, 2.5, 3]
TOLERANCE = {np.float64: 1e-9, np.float32: 1e-4}
PENALTIES = {
    "none": None,
    "l1": nmfcore.Penalty(alpha_W=1e-3, alpha_H=2e-3, l1_ratio=1.0),
    "elastic": nmfcore.Penalty(alpha_W=2e-3, alpha_H=1e-3, l1_ratio=0.4),
}


def positive_start(V, k, seed):
    rng = np.random.default_rng(seed)
    size = np.sqrt(V.mean() / k)
    return size * (0.1 + rng.random((V.shape[0], k))), size * (0.1 + rng.random((k, V.shape[1])))


def sklearn_mu(V, W, H, beta, n_iter, penalty, tol=0):
    penalty = penalty or nmfcore.Penalty()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it did not converge, as asked
        return non_negative_factorization(
            V,
            W.copy(),
            H.copy(),
            n_components=W.shape[1],
            init="custom",
            solver="mu",
            beta_loss=beta,
            tol=tol,
            max_iter=n_iter,
            alpha_W=penalty.alpha_W,
            alpha_H="same" if penalty.alpha_H is None else penalty.alpha_H,
            l1_ratio=penalty.l1_ratio,
        )


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_mu_equals_sklearn_float64(name, beta, penalty):
    V = PROBLEMS[name] + (0.01 if beta <= 0 else 0.0)
    W, H = positive_start(V, 3, seed=5)
    for n_iter in (1, 10, 200):
        Ws, Hs, _ = sklearn_mu(V, W, H, beta, n_iter, PENALTIES[penalty])
        ours = nmfcore.factorize(
            V,
            3,
            init=(W, H),
            loss=beta,
            update="mu",
            penalty=PENALTIES[penalty],
            stop=nmfcore.Stop(tol=0, max_iter=n_iter),
        )
        assert relative(ours.W, Ws) < 1e-9
        assert relative(ours.H, Hs) < 1e-9
        loss = _nmf._beta_divergence(V, Ws, Hs, beta)
        # A rank-deficient problem is fitted to rounding error: its loss is compared on the scale of the data's own.
        size = max(loss, 1e-6 * _nmf._beta_divergence(V, W, H, beta))
        assert abs(ours.divergence - loss) / size < 1e-9
        assert ours.n_iter == n_iter


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_mu_equals_sklearn_float32(name, beta, penalty):
    V = (PROBLEMS[name] + (0.01 if beta <= 0 else 0.0)).astype(np.float32)
    W, H = (x.astype(np.float32) for x in positive_start(V, 3, seed=5))
    for n_iter in (1, 10, 200):
        Ws, Hs, _ = sklearn_mu(V.astype(float), W.astype(float), H.astype(float), beta, n_iter, PENALTIES[penalty])
        stop = nmfcore.Stop(tol=0, max_iter=n_iter)
        ours = nmfcore.factorize(V, 3, init=(W, H), loss=beta, update="mu", penalty=PENALTIES[penalty], stop=stop)
        assert ours.W.dtype == np.float32
        assert relative(ours.W, Ws) < 1e-4
        assert relative(ours.H, Hs) < 1e-4
        # The loss of a fit that is exact to rounding says nothing in float32; elsewhere it must agree.
        loss, at_start = _nmf._beta_divergence(V.astype(float), Ws, Hs, beta), _nmf._beta_divergence(V, W, H, beta)
        assert abs(ours.divergence - loss) < 1e-4 * max(loss, 1e-3 * at_start)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("name", ["random", "sparse-ish", "tall", "wide"])
def test_sklearn_criterion_stops_at_the_same_iteration(name, beta):
    V = PROBLEMS[name] + (0.01 if beta <= 0 else 0.0)
    W, H = positive_start(V, 2, seed=8)
    for tol in (1e-3, 1e-4):
        _, _, n_iter = sklearn_mu(V, W, H, beta, 3000, None, tol=tol)
        stop = nmfcore.Stop(tol=tol, max_iter=3000, criterion="sklearn")
        ours = nmfcore.factorize(V, 2, init=(W, H), loss=beta, update="mu", stop=stop)
        assert ours.n_iter == n_iter
        assert n_iter < 3000  # or the comparison would show nothing


def test_sklearn_criterion_in_a_batch_stops_each_replicate_as_alone():
    batch = np.stack([headline(seed)[:, ::10] for seed in range(4)])
    expected = []
    starts = [positive_start(V, 2, seed) for seed, V in enumerate(batch)]
    for V, (W, H) in zip(batch, starts, strict=True):
        expected.append(sklearn_mu(V, W, H, 2, 2000, None, tol=3e-5)[2])
    init = tuple(np.stack(x) for x in zip(*starts, strict=True))
    stop = nmfcore.Stop(tol=3e-5, max_iter=2000, criterion="sklearn")
    ours = nmfcore.factorize(batch, 2, init=init, update="mu", stop=stop)
    assert ours.n_iter.tolist() == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("method", ["nndsvd", "nndsvda"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_nndsvd_equals_sklearn_given_the_same_svd(name, method, monkeypatch):
    V = PROBLEMS[name]
    k = 1 if name == "rank-deficient" else 4
    U, S, Vh = np.linalg.svd(V, full_matrices=False)
    monkeypatch.setattr(_nmf, "_randomized_svd", lambda *_, **__: (U[:, :k], S[:k], Vh[:k]))
    Ws, Hs = _nmf._initialize_nmf(V, k, init=method)
    W, H = nmfcore.nndsvd(torch.from_numpy(V)[None], k, svd=tuple(torch.from_numpy(x)[None] for x in (U, S, Vh)))
    if method == "nndsvda":
        W, H = (torch.where(x == 0, V.mean(), x) for x in (W, H))
    assert relative(W[0].numpy(), Ws) < 1e-12
    assert relative(H[0].numpy(), Hs) < 1e-12


@pytest.mark.parametrize("name", PROBLEMS)
def test_nndsvd_equals_that_of_lapacks_svd(name):
    V = torch.from_numpy(PROBLEMS[name])[None]
    k = 1 if name == "rank-deficient" else 4
    exact = nmfcore.nndsvd(V, k, svd=torch.linalg.svd(V, full_matrices=False))
    for ours, theirs in zip(nmfcore.nndsvd(V, k), exact, strict=True):
        assert relative(ours.numpy(), theirs.numpy()) < 1e-9


@pytest.mark.parametrize("name", ["random", "sparse-ish", "tall", "wide"])
def test_nndsvd_with_its_own_svd_equals_sklearn(name):
    V = PROBLEMS[name]
    Ws, Hs = _nmf._initialize_nmf(V, 3, init="nndsvd", random_state=0)
    W, H = nmfcore.nndsvd(torch.from_numpy(V)[None], 3)
    # scikit-learn's randomised SVD is itself only approximate where singular values lie close together.
    tolerance = 1e-3 if name == "sparse-ish" else 1e-6
    assert relative(W[0].numpy(), Ws) < tolerance
    assert relative(H[0].numpy(), Hs) < tolerance


@pytest.fixture(scope="module")
def headline_optimum():
    V = headline()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        W, H, _ = non_negative_factorization(V, n_components=2, init="nndsvda", tol=1e-13, max_iter=20000)
    mass = W.sum(0) * H.sum(1)
    return V, np.sort(mass / mass.sum()), _nmf._beta_divergence(V, W, H, 2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("init", ["nndsvd", "nndsvda", "nndsvdar", "random"])
@pytest.mark.parametrize("update", ["mu", "hals"])
def test_headline_mass_fractions_reach_the_optimum(update, init, dtype, headline_optimum):
    V, shares, loss = headline_optimum
    ours = nmfcore.factorize(V.astype(dtype), 2, update=update, init=init)
    off = np.abs(np.sort(ours.fractions) - shares).max()
    if (update, init) == ("mu", "nndsvd"):  # its zeros, a third of the entries, stay
        assert int(ours.status) == nmfcore.Status.STUCK
        assert off > 0.01
        assert "1 stuck: the optimum needs entries that are zero" in ours.summary()
        return
    assert bool(ours.converged)
    assert off < 1e-4
    assert ours.divergence <= loss * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("init", ["nndsvd", "nndsvda", "random"])
def test_headline_with_four_components_reaches_its_optimum_by_hals(init, dtype, seed):
    V = headline(seed)[:, ::4]
    ours = nmfcore.factorize(V.astype(dtype), 4, update="hals", init=init, starts=1)
    assert bool(ours.converged)
    assert off_its_optimum(V, ours) < 1e-4


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("init", ["nndsvd", "nndsvda", "nndsvdar", "random"])
def test_four_components_by_multiplicative_updates_are_at_the_optimum_or_said_not_to_be(init, dtype):
    V = np.stack([headline(seed)[:, ::10] for seed in range(3)])
    stop = nmfcore.Stop(max_iter=4000)
    ours = nmfcore.factorize(V.astype(dtype), 4, update="mu", init=init, starts=1, stop=stop)
    off = np.array([off_its_optimum(V[b], ours, b) for b in range(len(V))])
    assert (off[ours.converged] < 1e-4).all()
    assert not ours.converged[off > 1e-3].any()
    if init == "nndsvd":
        assert (ours.status == nmfcore.Status.STUCK).any()


def off_its_optimum(V, result, b=...):
    """Return how far the shares of replicate b are from those that HALS, in float64, goes on to from there."""
    W, H = (np.asarray(x[b], dtype=float) for x in (result.W, result.H))
    stop = nmfcore.Stop(tol=1e-9, max_iter=50000)
    best = nmfcore.factorize(V, W.shape[1], init=(W, H), update="hals", stop=stop)
    assert bool(best.converged)
    return np.abs(result.fractions[b] - best.fractions).max()


def test_hals_equals_sklearn_coordinate_descent_with_penalties():
    V = PROBLEMS["random"]
    W, H = positive_start(V, 3, seed=1)
    penalty = PENALTIES["elastic"]
    Ws, Hs, _ = non_negative_factorization(
        V,
        W.copy(),
        H.copy(),
        n_components=3,
        init="custom",
        tol=1e-12,
        max_iter=50000,
        alpha_W=penalty.alpha_W,
        alpha_H=penalty.alpha_H,
        l1_ratio=penalty.l1_ratio,
    )
    ours = nmfcore.factorize(
        V, 3, init=(W, H), update="hals", penalty=penalty, stop=nmfcore.Stop(tol=1e-8, max_iter=50000)
    )
    theirs = nmfcore.factorize(
        V, 3, init=(Ws, Hs), update="hals", penalty=penalty, stop=nmfcore.Stop(tol=0, max_iter=0)
    )
    assert abs(ours.loss - theirs.loss) / theirs.loss < 1e-9
