"""A fit that says it converged has: with more components than the data support too, in every form and by every rule.

The judge is scikit-learn: it must not find a better solution from its own starts than the default rule does from as
many, nor lower the loss of any converged fit when it carries on from there. Better is by more than 1e-5 of the loss, or
1e-9 of the loss of an empty model where the data can be fitted exactly.
"""

import itertools
import warnings
from functools import cache

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

import nmfcore
from nmfcore import Status, Stop
from nmfcore.bench import dense_counts, mock_stars
from nmfcore.losses import as_loss

LOSSES = ("frobenius", "kullback-leibler")
DTYPES = (np.float32, np.float64)
DEFAULTS = {"frobenius": "auto", "kullback-leibler": "newton"}
RULES = {"frobenius": ("mu", "amu", "hals", "ehals"), "kullback-leibler": ("mu", "amu")}
STARTS = 4
SHORT = Stop(max_iter=400)  # multiplicative updates would take far longer, and rightly say that they have not converged
# Each number of components is compiled by itself.
COMPILED = (1, 2, 4, 7)
# Where a fit was seen to say more than it may: with a loss near zero multiplicative updates and float32 stop above the
# floor of `enough`, and two components in float32 report a loss 1.5e-5 too high.
NOT_YET = {
    ("one", "float32", "frobenius"): (2,),
    ("three", "float32", "frobenius"): (5,),
    ("one", "float32", "kullback-leibler"): (6, 7, 9, 10, 11, 12),
    ("three", "float32", "kullback-leibler"): (6, 7, 8, 9),
    ("one", "float64", "kullback-leibler"): (6, 7, 9, 10, 11, 12),
    ("three", "float64", "kullback-leibler"): (6, 7, 8, 9),
}


def cells():
    """All fits of four pixels, those that are not held yet marked so."""
    for name, k, dtype, loss in itertools.product(("one", "three"), range(1, 13), DTYPES, LOSSES):
        known = k in NOT_YET.get((name, dtype.__name__, loss), ())
        mark = pytest.mark.xfail(strict=False, reason="stops above the floor, or reports a loss too high")
        yield pytest.param(name, k, dtype, loss, marks=[mark] if known else [])


@cache
def counts(name):
    """Counts of 36 bins: in 4 pixels about one component or three, or of stars in two images of 4 x 4 pixels."""
    if name == "images":
        return dense_counts(mock_stars(1, stars=500, bins=36, pixels=4)).astype(float)
    rank, rng = {"one": 1, "three": 3}[name], np.random.default_rng(1)
    return rng.poisson(rng.gamma(1, 10, (36, rank)) @ rng.dirichlet(np.ones(4), rank)).astype(float)


def loss_of(V, W, H, loss):
    """The loss in float64, whatever the precision of the fit."""
    V, Y = (torch.from_numpy(np.asarray(x, dtype=float))[None] for x in (V, W.astype(float) @ H.astype(float)))
    return float(as_loss(loss).value(V, Y, None))


def peer(V, k, loss, *, start=None, seed=0):
    """scikit-learn's loss, from a start of its own or a given one."""
    solver = {"solver": "cd", "tol": 1e-8} if loss == "frobenius" else {"solver": "mu", "tol": 1e-9}
    init = "random" if start is None else "custom"
    model = NMF(k, init=init, random_state=seed, beta_loss=loss, max_iter=1500, **solver)
    given = {} if start is None else {"W": start[0].astype(float), "H": start[1].astype(float)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        W = model.fit_transform(V.copy(), **given)
    return loss_of(V, W, model.components_, loss)


def best_of_peers(V, k, loss):
    return min(peer(V, k, loss, seed=seed) for seed in range(STARTS))


def enough(V, loss, reference):
    empty = (V**2).sum() / 2 if loss == "frobenius" else V.sum()
    return reference * (1 + 1e-5) + 1e-9 * empty


def fitted(V, k, loss, rule, form, dtype, starts):
    """Return W, H and whether the fit says that it converged; all numbers are finite, and the loss is that of W, H."""
    data = V.astype(dtype)
    if form == "estimator":
        model = nmfcore.NMF(k, solver=rule, beta_loss=loss, n_init=starts, random_state=0, max_iter=SHORT.max_iter)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            W = model.fit_transform(data)
        assert {x.category for x in said} <= {ConvergenceWarning}
        W, H, value, converged = W, model.components_, model.reconstruction_err_**2 / 2, not said
    else:
        if form == "csr":
            data = scipy.sparse.csr_matrix(data)
        if form == "pattern":
            data = nmfcore.SharedPattern.from_dense(data)
        kind = torch.float32 if dtype == np.float32 else torch.float64
        result = nmfcore.factorize(data, k, loss=loss, update=rule, starts=starts, stop=SHORT, dtype=kind)
        W, H = (x.reshape(x.shape[-2:]) for x in (result.W, result.H))
        value, converged = float(np.squeeze(result.loss)), bool(np.all(result.status == Status.CONVERGED))
        assert np.isfinite(result.kkt).all()
    assert np.isfinite(W).all()
    assert np.isfinite(H).all()
    assert value == pytest.approx(loss_of(V, W, H, loss), rel=1e-5, abs=enough(V, loss, 0.0))
    return W, H, converged


def forms_of(loss, k):
    sparse = ["csr"] if loss == "frobenius" else []
    return ["dense", "estimator", *sparse, *(["pattern"] if k in COMPILED else [])]


def check(name, k, loss, dtype, forms, rules=()):
    V = counts(name)
    best = best_of_peers(V, k, loss)
    for form in forms:
        for rule in (DEFAULTS[loss], *rules):
            starts = STARTS if rule == DEFAULTS[loss] else 1
            W, H, converged = fitted(V, k, loss, rule, form, dtype, starts)
            ours = loss_of(V, W, H, loss)
            if converged and ours > enough(V, loss, best):
                # Another optimum than the best: of one start that is no error, as long as it is one.
                assert ours <= enough(V, loss, peer(V, k, loss, start=(W, H))), (form, rule)
                assert starts == 1 or name == "images", (form, rule)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_default_rule_on_four_pixels(k, loss):
    check("one", k, loss, np.float32, ["dense", "estimator"])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "k", "dtype", "loss"), list(cells()))
def test_every_rule_and_form_on_four_pixels(name, k, dtype, loss):
    exact = ("rank2", "arank2") if k == 2 and loss == "frobenius" else ()
    check(name, k, loss, dtype, forms_of(loss, k), (*RULES[loss], *exact))


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", range(1, 13))
def test_the_default_rule_on_images_of_stars(k, dtype, loss):
    check("images", k, loss, dtype, forms_of(loss, k))


@pytest.mark.parametrize("k", [3, 8])
def test_the_estimator_warns_where_scikit_learn_does(k):
    for model in (NMF(k, init="random", max_iter=2, random_state=0), nmfcore.NMF(k, max_iter=2, random_state=0)):
        with pytest.warns(ConvergenceWarning):
            model.fit(counts("one"))
