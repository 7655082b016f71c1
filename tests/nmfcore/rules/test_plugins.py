"""A user's own rule is a function, a user's own loss an object."""

import numpy as np
import pytest
import torch

import nmfcore
from nmfcore import Factors, Stop

from ..problems import dense


def lee_seung(problem, factors):
    """The update of Lee & Seung (2001), as a user would write it."""
    V, (W, H) = problem.V, factors
    W = W * (V @ H.mT) / (W @ H @ H.mT)
    H = H * (W.mT @ V) / (W.mT @ W @ H)
    return Factors(W, H)


class Hellinger:
    """Half the squared distance of square roots, as a user would write it."""

    degree = 1.0

    def value(self, V, Y, weight=None):
        terms = 0.5 * (V.sqrt() - Y.sqrt()).square()
        return (terms if weight is None else weight * terms).sum(dim=(-2, -1))

    def split(self, V, Y):
        return 0.5 * (V / Y.clamp_min(1e-12)).sqrt(), torch.full_like(Y, 0.5)


def test_own_rule_equals_the_built_in_one():
    V = dense(8, 12, 3, 0)
    stop = Stop(tol=0, max_iter=25)
    ours = nmfcore.factorize(V, 3, update="mu", stop=stop, starts=1)
    theirs = nmfcore.factorize(V, 3, update=lee_seung, stop=stop)
    np.testing.assert_allclose(theirs.W, ours.W, rtol=1e-10)


def test_own_loss_goes_down_to_a_stationary_point():
    V = dense(8, 12, 3, 0)
    losses = [
        float(nmfcore.factorize(V, 3, loss=Hellinger(), stop=Stop(tol=0, max_iter=n)).loss) for n in (0, 1, 5, 50, 500)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.05 * losses[0]


def test_own_loss_works_in_a_batch_with_weights_and_extreme_scale():
    V = np.stack([dense(8, 12, 3, seed) for seed in range(3)])
    weight = np.ones(V.shape)
    weight[:, 0, 0] = 0
    plain = nmfcore.factorize(V, 2, loss=Hellinger(), weight=weight)
    scaled = nmfcore.factorize(V * 4.0**40, 2, loss=Hellinger(), weight=weight)
    np.testing.assert_allclose(scaled.loss / 4.0**40, plain.loss, rtol=1e-6)


def test_an_object_that_is_no_loss_is_refused():
    with pytest.raises(TypeError, match="value"):
        nmfcore.factorize(np.ones((3, 3)), 1, loss=object())


def test_a_loss_that_turns_nan_is_found():
    class Broken(Hellinger):
        def split(self, V, Y):
            return torch.full_like(V, torch.nan), torch.ones_like(V)

    assert int(nmfcore.factorize(dense(8, 12, 3, 0), 3, loss=Broken()).status) == nmfcore.Status.NON_FINITE


def test_two_free_factors_without_a_start_are_refused():
    with pytest.raises(nmfcore.ProblemError, match="all components alike"):
        nmfcore.factorize(np.ones((3, 3)), 1, init=(None, None))


def test_a_rule_of_the_package_is_one_function_and_one_line(monkeypatch):
    from nmfcore.rules import resolve

    with pytest.raises(nmfcore.ProblemError, match="update must be"):
        nmfcore.factorize(dense(8, 12, 3, 0), 3, update="plain")
    monkeypatch.setitem(resolve.RULES, "plain", lambda: lee_seung)
    V, stop = dense(8, 12, 3, 0), Stop(tol=0, max_iter=25)
    named = nmfcore.factorize(V, 3, update="plain", stop=stop, starts=1)
    np.testing.assert_array_equal(named.W, nmfcore.factorize(V, 3, update=lee_seung, stop=stop).W)
