"""Least squares without some entries: held to the engine's weighted updates, the same problem by another road."""

import numpy as np
import pytest

import nmfcore
from nmfcore import Penalty, Stop
from nmfcore.masked import fit_masked


def counts(seed=0, shape=(12, 60)):
    rng = np.random.default_rng(seed)
    V = rng.poisson(rng.gamma(1, 1, (shape[0], 2)) @ rng.gamma(0.5, 1, (2, shape[1]))).astype(float)
    V[:, rng.random(shape[1]) < 0.4] = 0
    return V, rng.random(shape) < 0.15


def start(V, k=2):
    found = nmfcore.factorize(V, k)
    return found.W, found.H


@pytest.mark.parametrize(
    "penalty", [Penalty(), Penalty(0.01, 0.02, 0.5), Penalty(0.003, 0.01, 1.0), Penalty(0.05, 0.05)]
)
@pytest.mark.parametrize("k", [1, 2])
def test_the_optimum_is_that_of_the_engines_weighted_updates(penalty, k):
    V, out = counts()
    W, H = start(V, k)
    found = fit_masked(V, [penalty], (W, H), left_out=out, tol=1e-13, max_iter=20_000)
    theirs = nmfcore.factorize(
        V, k, init=(W + 1e-3, H + 1e-3), weight=1.0 - out, penalty=penalty, update="mu",
        stop=Stop(tol=1e-7, max_iter=20_000),
    )  # fmt: skip
    assert found.objective[0] == pytest.approx(float(theirs.loss), rel=1e-8)
    filled = V.any(axis=0)
    np.testing.assert_allclose((found.W[0] @ found.H[0])[:, filled], (theirs.W @ theirs.H)[:, filled], atol=1e-4)


def test_errors_are_those_of_the_product():
    V, out = counts(1)
    found = fit_masked(V, [Penalty(), Penalty(0.02, 0.01, 0.5)], start(V), left_out=out)
    out = out & V.any(axis=0)  # the others are fitted exactly
    for b in range(2):
        off = (V - found.W[b] @ found.H[b]) ** 2
        assert found.error[b] == pytest.approx(off[~out].sum())
        assert found.held_out[b] == pytest.approx(off[out].sum())
    assert found.squares == pytest.approx((V[~out] ** 2).sum())
    assert found.held_out_squares == pytest.approx((V[out] ** 2).sum())
    coefficients = Penalty(0.02, 0.01, 0.5).coefficients(*V.shape)
    W, H = found.W[1], found.H[1]
    terms = W.sum(), 0.5 * (W**2).sum(), H.sum(), 0.5 * (H**2).sum()
    penalised = 0.5 * found.error[1] + sum(c * term for c, term in zip(coefficients, terms, strict=True))
    assert found.objective[1] == pytest.approx(penalised)


def test_with_every_entry_and_no_penalty_it_is_the_plain_fit():
    V, _ = counts(2)
    found, plain = fit_masked(V, [Penalty()], start(V)), nmfcore.factorize(V, 2)
    assert 0.5 * found.error[0] == pytest.approx(float(plain.loss), rel=1e-7)
    assert found.converged[0]


def test_what_was_left_out_makes_no_difference():
    V, out = counts(3)
    out[:, ~V.any(axis=0)] = False
    changed = np.where(out, 50.0, V)
    one, other = (fit_masked(x, [Penalty()], start(V), left_out=out) for x in (V, changed))
    np.testing.assert_allclose(one.W, other.W, rtol=1e-6)
    assert one.held_out[0] != other.held_out[0]


def test_strong_penalties_leave_nothing():
    V, out = counts()
    found = fit_masked(V, [Penalty(100.0, 100.0, 1.0)], start(V), left_out=out)
    assert not found.W.any()
    assert found.held_out[0] == found.held_out_squares


def test_problems_do_not_depend_on_each_other():
    V, out = counts()
    penalties = [Penalty(a, a, 0.5) for a in (0.0, 0.01, 0.02)]
    whole = fit_masked(V, penalties, start(V), left_out=out)
    alone = fit_masked(V, penalties[2:], start(V), left_out=out)
    assert np.array_equal(whole.W[2:], alone.W)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"V": -np.ones((3, 4))}, "V must be finite and non-negative"),
        ({"V": np.full((3, 4), np.nan)}, "V must be finite"),
        ({"V": np.ones((3, 5))}, "do not fit V"),
        ({"left_out": np.ones((4, 3), bool)}, "left_out must have V's shape"),
    ],
)
def test_bad_arguments_are_named(change, word):
    given = {"V": np.ones((3, 4)), "penalties": [Penalty()], "init": (np.ones((3, 2)), np.ones((2, 4)))} | change
    with pytest.raises(nmfcore.ProblemError, match=word):
        fit_masked(**given)
