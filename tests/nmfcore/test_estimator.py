"""The scikit-learn estimator: scikit-learn's own checks, its answers, and what is promised beyond them."""

import io
import pathlib
import re
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment, nnls
from sklearn import decomposition
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import nmfcore

from .problems import PROBLEMS

Peer = decomposition.NMF
ROOT = pathlib.Path(__file__).resolve().parents[2]
# As many components as features: the fit is exact, far from unique, and creeps for most of its 10,000 iterations.
CREEPING = {
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_pipeline_consistency",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_n_iter",
    "check_transformer_preserve_dtypes",
}


def checks():
    pairs = [(estimator, check, check.func.__name__) for estimator, check in estimator_checks_generator(nmfcore.NMF())]
    return [pytest.param(*p, id=p[2], marks=[pytest.mark.slow] if p[2] in CREEPING else []) for p in pairs]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "check", "name"), checks())
def test_scikit_learns_checks_pass_at_default_settings(estimator, check, name):
    check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", sorted(CREEPING))
def test_scikit_learns_checks_pass_after_fewer_iterations(name):
    for estimator, check in estimator_checks_generator(nmfcore.NMF(max_iter=500)):
        if check.func.__name__ == name:
            check(estimator)


def start(V, k, seed=0):
    rng = np.random.default_rng(seed)
    size = np.sqrt(V.mean() / k)
    return (size * (0.1 + rng.random((V.shape[0], k)))).astype(V.dtype), (
        size * (0.1 + rng.random((k, V.shape[1])))
    ).astype(V.dtype)


def fitted(kind, X, k, W, H, **settings):
    """A fitted estimator of either kind, and W; scikit-learn's without its warning."""
    model = kind(k, init="custom", **settings)
    with warnings.catch_warnings():
        if kind is Peer:
            warnings.simplefilter("ignore", ConvergenceWarning)
        return model, model.fit_transform(X, W=W.copy(), H=H.copy())


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def levelled(W, H):
    """W and H, components with equal norms in both, as ours are without penalties."""
    by = np.sqrt(np.linalg.norm(H, axis=1) / np.linalg.norm(W, axis=0))
    return W * by, H / by[:, None]


def noisy(m, n, k, seed):
    rng = np.random.default_rng(seed)
    return rng.gamma(0.5, size=(m, k)) @ rng.gamma(0.5, size=(k, n)) + 0.3 * rng.random((m, n))


def planted(k, seed=None):
    """Half of all entries of the factors are zero, so that there is one optimum and not a family of them."""
    rng = np.random.default_rng(k if seed is None else seed)
    W, H = (rng.random(shape) * (rng.random(shape) < 0.5) for shape in ((20, k), (k, 25)))
    V = W @ H + 0.05 * rng.random((20, 25))
    return np.where(V > 0.05, V, 0.0)


def matched(H, like):
    """The rows of H at unit sum, in the order of those of another that they resemble most; likewise that other."""
    H, like = (x / x.sum(axis=1, keepdims=True) for x in (H, like))
    _, order = linear_sum_assignment(((H[None] - like[:, None]) ** 2).sum(axis=-1))
    return H[order], like


PENALTIES = {
    "none": {},
    "l1": {"alpha_W": 2e-3, "alpha_H": 1e-3, "l1_ratio": 1.0},
    "elastic": {"alpha_W": 1e-3, "alpha_H": 2e-3, "l1_ratio": 0.5},
}


@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_the_optimum_from_one_start_is_scikit_learns(container, penalty, k):
    V = planted(k)
    settings = {"solver": "cd", "max_iter": 20_000, **PENALTIES[penalty]}
    W, H = start(V, k)
    peer, theirs = fitted(Peer, container(V), k, W, H, tol=1e-14, **settings)
    model, ours = fitted(nmfcore.NMF, container(V), k, W, H, tol=1e-9, **settings)
    theirs, H = (theirs, peer.components_) if PENALTIES[penalty] else levelled(theirs, peer.components_)
    assert relative(model.components_, H) < 1e-6
    assert relative(ours, theirs) < 1e-6
    assert model.reconstruction_err_ == pytest.approx(peer.reconstruction_err_, rel=1e-8)


def test_the_optimum_with_l2_penalties_is_scikit_learns():
    V = planted(2)
    W, H = start(V, 2)
    settings = {"solver": "cd", "max_iter": 20_000, "alpha_W": 1e-2}
    peer, theirs = fitted(Peer, V, 2, W, H, tol=1e-14, **settings)
    model, ours = fitted(nmfcore.NMF, V, 2, W, H, tol=1e-9, **settings)
    assert relative(model.components_, peer.components_) < 1e-6
    assert relative(ours, theirs) < 1e-6


@pytest.mark.parametrize("k", [2, 4])
def test_the_optimum_in_float32_is_scikit_learns_in_float64(k):
    V = planted(k)
    W, H = start(V, k)
    peer, theirs = fitted(Peer, V, k, W, H, tol=1e-14, max_iter=20_000)
    model, ours = fitted(nmfcore.NMF, V.astype(np.float32), k, W, H, solver="cd")
    assert ours.dtype == model.components_.dtype == np.float32
    theirs, H = levelled(theirs, peer.components_)
    assert relative(model.components_, H) < 1e-4
    assert relative(ours, theirs) < 1e-4
    assert model.reconstruction_err_ == pytest.approx(peer.reconstruction_err_, rel=1e-5)


@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_default_settings_find_scikit_learns_components(dtype, k):
    V = planted(k)
    peer = Peer(k, tol=1e-14, max_iter=20_000, random_state=0).fit(V)
    model = nmfcore.NMF(k).fit(V.astype(dtype))
    ours, theirs = matched(model.components_, peer.components_)
    assert relative(ours, theirs) < 1e-4
    assert model.reconstruction_err_ == pytest.approx(peer.reconstruction_err_, rel=1e-5)


@pytest.mark.parametrize("n_iter", [1, 10])
def test_cd_iterates_as_scikit_learn(n_iter):
    V = PROBLEMS["random"]
    W, H = start(V, 3)
    settings = {"solver": "cd", "tol": 0, "max_iter": n_iter, "alpha_W": 1e-3, "l1_ratio": 0.3}
    peer, theirs = fitted(Peer, V, 3, W, H, **settings)
    model, ours = fitted(nmfcore.NMF, V, 3, W, H, **settings)
    assert relative(model.components_, peer.components_) < 1e-10
    assert relative(ours, theirs) < 1e-10
    assert model.n_iter_ == n_iter


@pytest.mark.parametrize("beta", [0.5, "kullback-leibler", 1.5, 2.0, 3])
def test_mu_iterates_as_scikit_learn_for_every_loss(beta):
    V = PROBLEMS["random"]
    W, H = start(V, 3)
    settings = {"solver": "mu", "beta_loss": beta, "tol": 0, "max_iter": 50, "alpha_W": 1e-3, "l1_ratio": 1.0}
    peer, theirs = fitted(Peer, V, 3, W, H, **settings)
    model, ours = fitted(nmfcore.NMF, V, 3, W, H, **settings)
    assert relative(model.components_, peer.components_) < 1e-9
    assert relative(ours, theirs) < 1e-9
    assert model.reconstruction_err_ == pytest.approx(peer.reconstruction_err_, rel=1e-9)


def test_kullback_leibler_at_the_optimum_is_scikit_learns():
    V = noisy(20, 30, 2, seed=3)
    W, H = start(V, 2)
    peer, of_peer = fitted(Peer, V, 2, W, H, solver="mu", beta_loss="kullback-leibler", tol=1e-15, max_iter=20_000)
    model, weights = fitted(nmfcore.NMF, V, 2, W, H, beta_loss="kullback-leibler", tol=1e-7, max_iter=20_000)
    assert model.reconstruction_err_ == pytest.approx(peer.reconstruction_err_, rel=1e-7)
    # Their product: the components of these data have a range, within which the divergence is the same.
    assert relative(weights @ model.components_, of_peer @ peer.components_) < 1e-4


def test_the_fit_is_factorizes():
    V = PROBLEMS["sparse-ish"]
    result = nmfcore.factorize(V, 3, init="nndsvda", starts=1)
    model = nmfcore.NMF(3)
    np.testing.assert_array_equal(model.fit_transform(V), result.W)
    np.testing.assert_array_equal(model.components_, result.H)
    assert model.n_iter_ == result.n_iter


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_array, sp.coo_array, sp.lil_array, sp.dok_array])
def test_sparse_formats_are_the_same_data(container):
    V = PROBLEMS["sparse-ish"]
    dense, sparse = nmfcore.NMF(2).fit(V), nmfcore.NMF(2).fit(container(V))
    assert sparse.n_iter_ == dense.n_iter_
    assert sparse.reconstruction_err_ == pytest.approx(dense.reconstruction_err_, rel=1e-12)
    assert relative(sparse.components_, dense.components_) < 1e-11
    assert relative(sparse.transform(container(V)), dense.transform(V)) < 1e-11


def test_transform_solves_non_negative_least_squares():
    V = noisy(40, 30, 3, seed=0)
    model = nmfcore.NMF(3, tol=1e-10).fit(V[:25])
    expected = np.stack([nnls(model.components_.T, v)[0] for v in V[25:]])
    assert (expected == 0).any()  # or the constraint was not tried
    np.testing.assert_allclose(model.transform(V[25:]), expected, rtol=0, atol=1e-8 * expected.max())


def test_transform_with_penalties_is_scikit_learns():
    V = noisy(40, 30, 3, seed=0)
    W, H = start(V[:25], 3)
    settings = {"solver": "cd", "alpha_W": 5e-3, "alpha_H": 1e-3, "l1_ratio": 0.6}
    peer, _ = fitted(Peer, V[:25], 3, W, H, tol=1e-14, max_iter=50_000, **settings)
    model, _ = fitted(nmfcore.NMF, V[:25], 3, W, H, tol=1e-9, max_iter=50_000, **settings)
    assert relative(model.transform(V[25:]), peer.transform(V[25:])) < 1e-5


@pytest.mark.parametrize("solver", ["hals", "mu"])
def test_a_sample_is_transformed_alike_in_every_company(solver, monkeypatch):
    V = noisy(30, 20, 3, seed=2)
    V[4] *= 1e4
    model = nmfcore.NMF(3, solver=solver, tol=1e-4, max_iter=50_000).fit(V)
    together = model.transform(V)
    alone = np.concatenate([model.transform(v[None]) for v in V])
    rounding = 1e-12 * together.max()
    np.testing.assert_allclose(alone, together, rtol=1e-10, atol=rounding)
    monkeypatch.setattr("nmfcore.estimator.TRANSFORM_ENTRIES", 7 * 60)
    monkeypatch.setattr("nmfcore.held.ENTRIES", 7 * 20)
    np.testing.assert_allclose(model.transform(V), together, rtol=1e-10, atol=rounding)


def test_transform_of_the_training_data_is_the_fit():
    V = noisy(30, 20, 2, seed=4)
    model = nmfcore.NMF(2, tol=1e-8)
    W = model.fit_transform(V)
    np.testing.assert_allclose(model.transform(V), W, rtol=0, atol=1e-6 * W.max())
    np.testing.assert_array_equal(model.inverse_transform(W), W @ model.components_)


def test_transform_keeps_the_precision_of_its_own_data():
    V = noisy(30, 20, 2, seed=4)
    model = nmfcore.NMF(2).fit(V)
    assert model.transform(V.astype(np.float32)).dtype == np.float32
    assert nmfcore.NMF(2).fit(V.astype(np.float32)).transform(V).dtype == np.float64


def test_a_component_without_features_has_no_weight():
    V = noisy(10, 6, 2, seed=0)
    H = np.vstack([start(V, 2)[1], np.zeros(6)])
    W = np.ones((10, 3))
    # The multiplicative rule cannot give the component back, and says so.
    with pytest.warns(ConvergenceWarning, match="stuck"):
        model, weights = fitted(nmfcore.NMF, V, 3, W, H, solver="mu")
    assert not model.components_[2].any()
    assert not weights[:, 2].any()
    model.set_params(solver="hals")
    assert not model.transform(V)[:, 2].any()


@pytest.mark.parametrize(("given", "found"), [("auto", 7), (None, 7), (2, 2)])
def test_n_components_as_in_scikit_learn(given, found):
    V = PROBLEMS["tall"]
    model = nmfcore.NMF(given, tol=0, max_iter=1).fit(V)
    assert model.n_components_ == Peer(given, max_iter=1, tol=0).fit(V).n_components_ == found
    assert model.components_.shape == (found, 7)


def test_auto_takes_the_number_of_components_of_the_start():
    V = PROBLEMS["random"]
    W, H = start(V, 3)
    for given in ({"W": W, "H": H}, {"H": H}, {"W": W}):
        assert nmfcore.NMF(init="custom", tol=0, max_iter=2).fit(V, **given).n_components_ == 3


def test_more_components_than_nndsvd_has_start_at_random():
    V = PROBLEMS["random"][:3]
    ours = nmfcore.NMF(5, tol=0, max_iter=3, random_state=1).fit(V)
    explicit = nmfcore.NMF(5, init="random", tol=0, max_iter=3, random_state=1).fit(V)
    np.testing.assert_array_equal(ours.components_, explicit.components_)


def test_random_state_names_the_random_start():
    V = PROBLEMS["random"]

    def components(random_state):
        return nmfcore.NMF(3, init="random", tol=0, max_iter=5, random_state=random_state).fit(V).components_

    np.testing.assert_array_equal(components(3), components(3))
    np.testing.assert_array_equal(components(3), components(np.random.RandomState(3)))
    assert relative(components(3), components(4)) > 1e-3
    assert relative(components(None), components(None)) > 1e-6
    stream = np.random.RandomState(3)
    assert relative(components(stream), components(stream)) > 1e-3


def test_the_best_of_several_starts_is_kept():
    V = PROBLEMS["sparse-ish"]
    gains = []
    for seed in range(4):
        settings = {"init": "random", "random_state": seed, "tol": 0, "max_iter": 30}
        one, many = (nmfcore.NMF(5, n_init=n, **settings).fit(V) for n in (1, 8))
        gains.append(1 - many.reconstruction_err_ / one.reconstruction_err_)
    assert min(gains) >= 0
    assert max(gains) > 1e-3


def test_alpha_h_same_is_alpha_w():
    V = PROBLEMS["random"]
    same, named, other = (
        nmfcore.NMF(2, alpha_W=0.01, alpha_H=a, tol=0, max_iter=20).fit(V).components_ for a in ("same", 0.01, 0.0)
    )
    np.testing.assert_array_equal(same, named)
    assert relative(same, other) > 1e-3


def test_a_rule_and_a_loss_of_ones_own_are_passed_through():
    V = PROBLEMS["random"]
    calls = []

    def rule(problem, factors):
        calls.append(problem.hold)
        return nmfcore.HALS()(problem, factors)

    model = nmfcore.NMF(2, solver=rule, tol=0, max_iter=3).fit(V)
    model.transform(V)
    assert calls == [None] * 3 + ["H"] * 3
    settings = {"tol": 0, "max_iter": 10}
    ours = nmfcore.NMF(2, beta_loss=nmfcore.BetaDivergence(1.5), **settings).fit(V)
    named = nmfcore.NMF(2, beta_loss=1.5, **settings).fit(V)
    np.testing.assert_array_equal(ours.components_, named.components_)


def test_clones_have_the_settings_and_not_the_fit():
    model = nmfcore.NMF(2, solver="mu", beta_loss=1.5, alpha_H=0.1, n_init=2, device="cpu", tol=0, max_iter=3)
    copy = clone(model.fit(PROBLEMS["random"]))
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "components_")


def test_a_saved_model_transforms_alike():
    V = PROBLEMS["random"]
    model = nmfcore.NMF(2).fit(V)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    np.testing.assert_array_equal(joblib.load(file).transform(V), model.transform(V))


def test_a_pipeline_is_searched_over():
    rng = np.random.default_rng(0)
    mixed = rng.dirichlet([0.3] * 3, size=60)
    V = rng.poisson(50 * mixed @ rng.gamma(0.3, size=(3, 40))).astype(float)
    pipeline = make_pipeline(MaxAbsScaler(), nmfcore.NMF(tol=1e-3), LogisticRegression(C=100))
    search = GridSearchCV(pipeline, {"nmf__n_components": [1, 3], "nmf__solver": ["hals", "mu"]}, cv=3)
    search.fit(V, mixed.argmax(axis=1))
    assert search.best_params_["nmf__n_components"] == 3
    assert search.best_score_ > 0.8


def test_components_name_the_columns_that_come_out():
    model = nmfcore.NMF(2).fit(PROBLEMS["random"])
    assert model.get_feature_names_out().tolist() == ["nmf0", "nmf1"]


def test_frames_go_in_and_come_out():
    pandas = pytest.importorskip("pandas")
    V = pandas.DataFrame(PROBLEMS["tall"], columns=[f"pixel {i}" for i in range(7)])
    V.index += 100
    model = nmfcore.NMF(2).set_output(transform="pandas")
    frame = model.fit_transform(V)
    assert model.feature_names_in_.tolist() == list(V.columns)
    assert list(frame.columns) == ["nmf0", "nmf1"]
    assert list(frame.index) == list(V.index)
    np.testing.assert_array_equal(model.inverse_transform(frame), frame.to_numpy() @ model.components_)
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(V.rename(columns={"pixel 3": "other"}))


def test_running_out_of_iterations_warns_as_scikit_learn_does():
    V = noisy(20, 30, 4, seed=0)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        model = nmfcore.NMF(4, max_iter=10).fit(V)
    model.set_params(tol=1e-12, solver="mu")
    with pytest.warns(ConvergenceWarning, match="20 of 20 samples: reached max_iter"):
        model.transform(V)
    # tol=0 asks for iterations, not for convergence: no warning, here an error
    assert nmfcore.NMF(4, tol=0, max_iter=10).fit(V).n_iter_ == 10


def test_a_stuck_fit_warns():
    V = PROBLEMS["random"]
    W, H = start(V, 2)
    H[0, :5] = 0
    with pytest.warns(ConvergenceWarning, match="zero"):
        nmfcore.NMF(2, init="custom", solver="mu", max_iter=50_000).fit(V, W=W, H=H)


def test_factors_that_are_not_finite_are_an_error():
    def broken(problem, factors):
        return nmfcore.Factors(factors.W * float("nan"), factors.H)

    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        nmfcore.NMF(2, solver=broken).fit(PROBLEMS["random"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 0}, "'n_components' parameter of NMF must be an int in the range"),
        ({"init": "svd"}, "'init' parameter of NMF must be"),
        ({"solver": "unheard-of"}, "'solver' parameter of NMF must be"),
        ({"beta_loss": "hinge"}, "'beta_loss' parameter of NMF must be"),
        ({"tol": -1.0}, "'tol' parameter of NMF must be"),
        ({"max_iter": 0}, "'max_iter' parameter of NMF must be"),
        ({"alpha_H": "other"}, "'alpha_H' parameter of NMF must be"),
        ({"l1_ratio": 1.5}, "'l1_ratio' parameter of NMF must be"),
        ({"solver": "hals", "beta_loss": 1}, "Frobenius loss only"),
        ({"init": "nndsvd", "n_components": 25}, "at most min"),
        ({"init": "custom"}, "needs a start"),
    ],
)
def test_senseless_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        nmfcore.NMF(**settings).fit(PROBLEMS["random"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda V: -V, "Negative values in data passed to X in NMF"),
        (lambda V: np.where(V > V.mean(), np.nan, V), "Input X contains NaN"),
        (lambda V: np.where(V > V.mean(), np.inf, V), "Input X contains infinity"),
        (lambda V: V[0], "Expected 2D array, got 1D array instead"),
        (lambda V: V[None], "Found array with dim 3"),
        (lambda V: V + 1j, "Complex data not supported"),
    ],
)
def test_bad_data_are_refused_in_scikit_learns_words(spoil, message):
    V = PROBLEMS["random"]
    model = nmfcore.NMF(2).fit(V)
    for method in (nmfcore.NMF(2).fit, model.transform):
        with pytest.raises(ValueError, match=message):
            method(spoil(V))


def test_zeros_are_refused_by_losses_that_divide_by_them():
    with pytest.raises(ValueError, match="strictly positive"):
        nmfcore.NMF(2, beta_loss="itakura-saito").fit(PROBLEMS["sparse-ish"])


def test_wrong_numbers_of_columns_are_refused():
    model = nmfcore.NMF(2).fit(PROBLEMS["tall"])
    with pytest.raises(ValueError, match="X has 6 features, but NMF is expecting 7 features"):
        model.transform(PROBLEMS["tall"][:, :6])
    with pytest.raises(ValueError, match="X has 3 columns, but this NMF has 2 components"):
        model.inverse_transform(np.ones((4, 3)))


def test_an_unfitted_estimator_says_so():
    for method in (nmfcore.NMF(2).transform, nmfcore.NMF(2).inverse_transform):
        with pytest.raises(NotFittedError):
            method(np.ones((3, 2)))


def test_a_start_that_is_not_used_warns():
    V = PROBLEMS["random"]
    W, H = start(V, 2)
    with pytest.warns(RuntimeWarning, match="ignored unless init='custom'"):
        nmfcore.NMF(2, tol=0, max_iter=1).fit(V, W=W, H=H)


def test_the_callers_start_is_not_changed():
    V = PROBLEMS["random"]
    W, H = start(V, 2)
    before = W.copy(), H.copy()
    nmfcore.NMF(2, init="custom", tol=0, max_iter=3).fit(V, W=W, H=H)
    np.testing.assert_array_equal(W, before[0])
    np.testing.assert_array_equal(H, before[1])


def test_data_of_zeros_give_zeros():
    model = nmfcore.NMF(2)
    assert not model.fit_transform(np.zeros((4, 3))).any()
    assert not model.transform(np.zeros((4, 3))).any()
    assert model.reconstruction_err_ == 0


def test_the_engine_loads_without_scikit_learn():
    code = (
        "import sys, nmfcore; early = 'sklearn' in sys.modules; nmfcore.NMF(2);"
        "sys.exit(early or 'sklearn' not in sys.modules or 'NMF' not in dir(nmfcore))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_still_missing():
    with pytest.raises(AttributeError, match="has no attribute 'PCA'"):
        nmfcore.PCA  # noqa: B018


def test_the_page_runs_from_top_to_bottom():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "estimator.md").read_text(), re.DOTALL)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        exec(compile(block, "estimator.md", "exec"), names)


def test_the_page_names_every_parameter_scikit_learn_lacks_or_has_alone():
    text = (ROOT / "docs" / "estimator.md").read_text()
    differing = set(nmfcore.NMF().get_params()) ^ set(Peer().get_params())
    assert differing == {"n_init", "device", "verbose", "shuffle"}
    assert not [name for name in differing if f"`{name}" not in text]
    ours, theirs = nmfcore.NMF().get_params(), Peer().get_params()
    for name in ours.keys() & theirs.keys():
        if ours[name] != theirs[name]:
            assert f"`{name}={ours[name]!r}`".replace("'", '"') in text, name
