"""A fit that says it converged has: with more components than the data support too, in every form and by every rule.

The judge is scikit-learn: it must not find a better solution from its own starts than the default rule does from as
many, nor lower the loss of any converged fit when it carries on from there. Better is by more than 1e-5 of the loss;
see `FLOOR` for data that can be fitted exactly.
"""

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
# What counts as nothing, as a fraction of the loss of an empty model. Where the best loss is zero, or next to it, one
# part in 1e5 of it cannot be asked for: a fit that may be 1e-5 from its limit is then worse by any factor. The squares
# of such distances are 1e-10; ten times that is asked of float64, a hundred times of least squares in float32, whose
# rounding of 1e-7 in a gradient leaves 5e-5 of the factors open in the valleys of too many components. The divergence
# grows with the entries that are to become zero, not with their squares: by as much as they may be off, 1e-5. Newton's
# rule sets them to zero; multiplicative updates never do, and are asked for a hundredth of that.
FLOOR, FLOOR_SINGLE, FLOOR_ABOVE_ZERO = 1e-9, 1e-8, 1e-7


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


def enough(V, loss, reference, rule="auto", dtype=np.float64):
    empty = (V**2).sum() / 2 if loss == "frobenius" else V.sum()
    if loss == "frobenius":
        floor = FLOOR_SINGLE if dtype == np.float32 else FLOOR
    else:
        floor = FLOOR_ABOVE_ZERO if rule in RULES[loss] else FLOOR
    return reference * (1 + 1e-5) + floor * empty


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
            if converged and ours > enough(V, loss, best, rule, dtype):
                # Another optimum than the best: of one start that is no error, as long as it is one.
                assert ours <= enough(V, loss, peer(V, k, loss, start=(W, H)), rule, dtype), (form, rule)
                assert starts == 1 or name == "images", (form, rule)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_default_rule_on_four_pixels(k, loss):
    check("one", k, loss, np.float32, ["dense", "estimator"])


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", range(1, 13))
@pytest.mark.parametrize("name", ["one", "three"])
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
