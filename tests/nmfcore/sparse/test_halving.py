"""Starts that are halved in turn: what is given up, and that nothing else changes."""

import numpy as np
import pytest

import nmfcore
from nmfcore import ProblemError, SharedPattern, Stop

STARTS, NEVER = 8, 9_000


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(3)
    rate = rng.gamma(0.3, 4.0, (12, 4)) @ rng.gamma(0.3, 1.0, (4, 60))
    return SharedPattern.from_dense(rng.poisson(rate, (40, 12, 60)).astype(np.float32))


def solve(counts, after, k=3, **options):
    return nmfcore.factorize(counts, k, init="nndsvda", starts=STARTS, stop=Stop(halve_after=after), **options)


@pytest.fixture(scope="module")
def plain(counts):
    return solve(counts, None)


def test_a_race_that_no_start_loses_changes_nothing(counts, plain):
    same = solve(counts, NEVER)
    for name in ("W", "H", "loss", "status", "start", "n_iter"):
        np.testing.assert_array_equal(getattr(same, name), getattr(plain, name))


@pytest.mark.parametrize("after", [1, 7, 20])
def test_the_best_of_all_starts_is_never_beaten(counts, plain, after):
    halved = solve(counts, after)
    assert halved.converged.all()
    assert (halved.loss >= plain.loss * (1 - 1e-5)).all()


def test_a_start_that_was_set_aside_ends_where_it_does_when_it_runs_alone(counts, plain):
    halved = solve(counts, 10)
    both = halved.start == plain.start
    assert set(halved.start[both]) - {0}
    np.testing.assert_allclose(halved.loss[both], plain.loss[both], rtol=1e-6)
    np.testing.assert_allclose(halved.fractions[both], plain.fractions[both], atol=1e-4)


def test_early_rounds_give_up_starts_that_would_have_been_best(counts, plain):
    assert (solve(counts, 1).loss > plain.loss * (1 + 1e-6)).any()


@pytest.mark.parametrize("update", ["hals", "mu"])
def test_rules_that_extrapolate_nothing_go_on_where_they_were(counts, update):
    stop = {"tol": 1e-4, "max_iter": 400}
    some = counts.select(range(20))
    whole = nmfcore.factorize(some, 3, init="nndsvda", starts=3, update=update, stop=Stop(**stop))
    halved = nmfcore.factorize(some, 3, init="nndsvda", starts=3, update=update, stop=Stop(**stop, halve_after=30))
    both = halved.start == whole.start
    assert both.any()
    np.testing.assert_allclose(halved.loss[both], whole.loss[both], rtol=1e-4)


def test_replicates_that_begin_at_one_factor_pair_take_part_with_it(counts, plain):
    given = (plain.W[0], plain.H[0])
    halved = nmfcore.factorize(counts, 3, init=given, starts=STARTS, stop=Stop(halve_after=10))
    assert (halved.start == 0).any()
    assert halved.converged.all()


def test_dense_matrices_try_every_start_to_its_end():
    V = np.random.default_rng(0).random((15, 18))
    halved, whole = (nmfcore.factorize(V, 3, starts=3, stop=Stop(halve_after=after)) for after in (1, None))
    assert halved.loss == whole.loss


@pytest.mark.parametrize("after", [0, -2, 1.5, True])
def test_rounds_have_whole_numbers_of_iterations(after):
    with pytest.raises(ProblemError, match="halve_after must be"):
        Stop(halve_after=after)
