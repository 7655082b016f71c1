"""The CUDA C++ kernels on the CPU against the rules in float64: the same factors after as many iterations."""

import shutil

import numpy as np
import pytest
import torch

from nmfcore.optimality import kkt_residual, unit_sum
from nmfcore.problem import Factors, Penalty, build_problem
from nmfcore.stopping import Change, Status

from .emulation import Build
from .problems import RULES, data, iterated, task

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not here")
CASES = [(name, k) for name in ("mu", "hals", "ehals", "kl-mu", "newton") for k in (1, 2, 3, 4, 6)]
CASES += [("amu", 2), ("rank2", 2), ("arank2", 2)]


def problem_of(V, name, penalty=None):
    return build_problem(torch.as_tensor(V, dtype=torch.float64), loss=RULES[name][2], penalty=penalty)


def solved(V, name, k, iterations, penalties=(), order=0, **build):
    """Return what the kernel answers after so many iterations, with H among all columns, and the start."""
    given, start = task(
        V, Build(k, **(RULES[name][0] | build)), penalties=penalties, tol=0.0, max_iter=iterations, every=7
    )
    answers = given.run(order=order)
    H = np.zeros((len(V), k, V.shape[2]), answers.H.dtype)
    H[:, :, given.values["column"]] = answers.H.transpose(0, 2, 1)
    return answers, Factors(torch.as_tensor(answers.W).double(), torch.as_tensor(H).double()), start


def assert_alike(found, expected, tolerance):
    for x, y in zip(unit_sum(found), unit_sum(expected), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=tolerance * float(y.max()))


@pytest.mark.parametrize(("name", "k"), CASES)
def test_float64_factors_are_those_of_the_rule(name, k):
    V = data()
    answers, found, start = solved(V, name, k, 12, dtype=np.float64)
    assert_alike(found, iterated(RULES[name][1], problem_of(V, name), start, 12), 1e-8)
    assert (answers.status == Status.MAX_ITER).all()
    assert (answers.n_iter == 12).all()


@pytest.mark.parametrize("name", RULES)
def test_float32_factors_differ_by_rounding(name):
    V = data()
    _, found, start = solved(V, name, 2, 12)
    # Accelerated steps divide by differences of points, which magnify it.
    assert_alike(found, iterated(RULES[name][1], problem_of(V, name), start, 12), 1e-2 if name == "arank2" else 2e-5)


@pytest.mark.parametrize("name", ["mu", "ehals", "newton"])
def test_sixteen_components(name):
    V = data(1)
    _, found, start = solved(V, name, 16, 2, dtype=np.float64)
    assert_alike(found, iterated(RULES[name][1], problem_of(V, name), start, 2), 1e-8)


@pytest.mark.parametrize("name", ["mu", "hals", "ehals", "rank2", "kl-mu", "newton"])
def test_penalties(name):
    V, penalty = data(), Penalty(0.002, 0.01, l1_ratio=0.4)
    coefficients = penalty.coefficients(*V.shape[1:])
    answers, found, start = solved(V, name, 2, 10, coefficients, dtype=np.float64)
    problem = problem_of(V, name, penalty)
    expected = iterated(RULES[name][1], problem, start, 10)
    torch.testing.assert_close(found.W, expected.W, rtol=1e-8, atol=1e-10)
    loss = problem.divergence(expected) + problem.penalty(expected)
    np.testing.assert_allclose(answers.numbers[:, 0], loss, rtol=1e-8)


@pytest.mark.parametrize("name", RULES)
def test_the_numbers_are_the_loss_and_the_residual(name):
    V = data()
    answers, found, _ = solved(V, name, 2, 15, dtype=np.float64)
    problem = problem_of(V, name)
    np.testing.assert_allclose(answers.numbers[:, 1], problem.divergence(found), rtol=1e-9)
    np.testing.assert_allclose(answers.numbers[:, 2], kkt_residual(problem, found), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_runs_stop_where_the_rule_would(name):
    V, rule = data(), RULES[name][1]
    every = getattr(rule, "every", 10)
    given, start = task(V, Build(2, **RULES[name][0], dtype=np.float64), every=every, max_iter=400)
    answers = given.run()
    problem, factors = problem_of(V, name), start
    memory = rule.begin(problem, factors) if hasattr(rule, "begin") else None
    factors = Factors(factors.W * problem.filled_rows[:, :, None], factors.H) if memory is not None else factors
    test, expected = Change(1e-5, factors), np.full(len(V), 400)
    for iteration in range(1, 401):
        if memory is None:
            factors = rule(problem, factors)
        else:
            factors, memory = rule(problem, factors, memory)
        pending = torch.as_tensor(expected == 400)
        if iteration % every == 0 and bool(pending.any()):
            expected[(test.verdict(problem, factors, pending) == Status.CONVERGED).numpy()] = iteration
    # Accelerated runs are asked for W alone, and by their own estimate of the distance too.
    slack = 8 if name == "arank2" else 0
    assert np.abs(answers.n_iter - expected).max() <= slack
    assert (answers.status[answers.n_iter < 400] == Status.CONVERGED).all()


@pytest.mark.parametrize("counts", [np.uint16, np.float32])
def test_counts_of_other_types(counts):
    V = data()
    one, other = (solved(V, "mu", 2, 9, counts=kind)[1] for kind in (np.uint8, counts))
    assert torch.equal(one.W, other.W)
    assert torch.equal(one.H, other.H)


@pytest.mark.parametrize(
    "shared", [(False, False, False), (True, False, False), (True, True, False), (False, True, True)]
)
@pytest.mark.parametrize("name", ["ehals", "arank2", "newton"])
def test_results_do_not_depend_on_where_arrays_lie(name, shared):
    V = data()
    one, other = (solved(V, name, 2, 8, shared=where)[1] for where in ((True, True, True), shared))
    assert torch.equal(one.W, other.W)
    assert torch.equal(one.H, other.H)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", RULES)
def test_results_do_not_depend_on_the_order_of_threads(name, order):
    V = data()
    one, other = (solved(V, name, 2, 8, order=turn)[1] for turn in (0, order))
    assert torch.equal(one.W, other.W)
    assert torch.equal(one.H, other.H)


def test_wide_indices():
    V = data()
    one, other = solved(V, "mu", 2, 9)[1], solved(V, "mu", 2, 9, row=np.uint32, entry=np.uint64)[1]
    assert torch.equal(one.W, other.W)


def test_a_replicate_of_zeros_ends_at_zero():
    V = data()
    V[1] = 0
    for name in ("mu", "ehals", "arank2", "newton"):
        answers, found, _ = solved(V, name, 2, 8)
        assert float(found.W[1].abs().max()) == float(found.H[1].abs().max()) == 0
        assert answers.numbers[1, 1] == pytest.approx(0, abs=1e-6)


def test_what_is_not_finite_never_converges():
    V = data().astype(np.float64)
    given, _ = task(V, Build(2, **RULES["hals"][0], counts=np.float32))
    given.values["counts"][0, 3] = np.inf
    answers = given.run()
    assert answers.status[0] == Status.NON_FINITE
    assert answers.status[1] == Status.CONVERGED
