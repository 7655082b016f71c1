"""Rules of the engine and their compiled form."""

import pytest

import nmfcore
from nmfcore import RULES, Status
from nmfcore.kernels import settings
from nmfcore.kernels.settings import MIXTURES, MU, NEWTON, RANK2, SWEEPS, HalfStep, rule_of

KINDS = {"mu": MU, "amu": MU, "hals": SWEEPS, "ehals": SWEEPS, "rank2": RANK2, "newton": NEWTON, "anewton": MIXTURES}


@pytest.mark.parametrize("name", sorted(set(RULES) - {"arank2"}))  # which has a kernel of its own
def test_every_rule_has_one_kind_of_half_step(name):
    rule = rule_of(RULES[name](), [0.0] * 4)
    assert rule.W.kind == rule.H.kind == KINDS[name]
    assert rule.extrapolated == (name == "ehals")


def test_sweeps_are_those_of_the_rule():
    assert rule_of(nmfcore.ExtrapolatedHALS(sweeps_W=5, sweeps_H=3), [0.0] * 4)[:2] == (
        HalfStep(SWEEPS, 5, 0.0, 0.0),
        HalfStep(SWEEPS, 3, 0.0, 0.0),
    )
    twice = rule_of(nmfcore.HALS(inner=2), [0.0] * 4)
    assert (twice.W.sweeps, twice.H.sweeps) == (2, 2)


def test_each_factor_has_its_own_penalties():
    rule = rule_of(nmfcore.HALS(), [1.0, 2.0, 3.0, 4.0])
    assert rule.W[2:] == (1.0, 2.0)
    assert rule.H[2:] == (3.0, 4.0)


@pytest.mark.parametrize("name", ["CONVERGED", "MAX_ITER", "NON_FINITE", "STUCK"])
def test_verdicts_are_the_values_of_status(name):
    assert getattr(settings, name) == Status[name]
