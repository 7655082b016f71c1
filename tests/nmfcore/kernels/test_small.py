"""The kernel of small dense problems: its iterations are the rule's, and the starts that it gives up cannot win."""

import numpy as np
import pytest
import torch

import nmfcore
from nmfcore import Stop
from nmfcore.kernels import small
from nmfcore.problem import Factors, build_problem
from nmfcore.rules.hals import ExtrapolatedHALS
from nmfcore.sparse import batch


def asked(V, starts=1, given=True, **changes):
    _, m, n = V.shape
    plain = small.Asked(
        V, np.tile(np.arange(m, dtype=np.int32), n), 0, np.uint64(0), starts, given, 4, 2, 1e-5, 0.999, 1e-15, 1000, 2
    )
    return plain._replace(**changes)


def solve(question, given, k):
    B, m, n = question.V.shape
    whole = (np.zeros(B, np.int64) for _ in range(3))
    answers = small.Answers(np.zeros((B, m, k)), np.zeros((B, k, n)), *whole)
    small.solve(small.lay(m, n, k), question, given, 0, B, (0,) * k, answers)
    return answers


def test_iterations_are_those_of_the_rule():
    rng = np.random.default_rng(0)
    V, W = rng.random((20, 7, 9)), rng.random((20, 7, 3))
    rule, problem = ExtrapolatedHALS(), build_problem(V)
    factors = Factors(torch.from_numpy(W), torch.zeros((20, 3, 9), dtype=torch.float64))
    memory = rule.begin(problem, factors)
    for _ in range(6):
        factors, memory = rule(problem, factors, memory)
    found = solve(asked(V, tol=-1.0, rounding=-1.0, max_iter=6), W, 3)
    np.testing.assert_allclose(found.W @ found.H, (factors.W @ factors.H).numpy(), rtol=1e-9)


def test_starts_that_are_given_up_would_not_have_won(monkeypatch):
    V = np.random.default_rng(1).random((300, 20, 30))
    race = nmfcore.factorize(V, 3)
    monkeypatch.setattr(batch, "raced", lambda request: False)
    all_of_them = nmfcore.factorize(V, 3)
    behind = race.loss / all_of_them.loss - 1
    assert (behind > 1e-6).mean() <= 0.01
    assert behind.max() < 3e-3


def test_more_starts_never_end_above_fewer():
    V = np.random.default_rng(2).random((64, 12, 15))
    one, four = (nmfcore.factorize(V, 4, starts=starts).loss for starts in (1, 4))
    assert (four <= one * (1 + 1e-6)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_come_to_an_end_where_scale_could_wander(dtype):
    rng = np.random.default_rng(0)
    V = rng.gamma(0.5, 1.0, (200, 20, 3)) @ rng.gamma(0.5, 1.0, (200, 3, 30)) * rng.gamma(4.0, 0.25, (200, 20, 30))
    found = nmfcore.factorize(V.astype(dtype), 3, starts=2)
    assert found.converged.all()
    assert found.kkt.max() < 1e-3
    assert np.isfinite(found.loss).all()
    assert found.W.dtype == found.H.dtype == dtype


@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_too_few_iterations_are_said(number):
    V = np.random.default_rng(2).random((64, 12, 15))
    found = nmfcore.factorize(V, 3, starts=1, stop=Stop(max_iter=number))
    assert (found.status == nmfcore.Status.MAX_ITER).all()
    assert (found.n_iter == number).all()
