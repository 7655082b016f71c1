"""What the compiled loops are told, the rule and when to stop, and the words in which they answer; plain Python."""

from __future__ import annotations

from typing import NamedTuple

from ..rules.hals import HALS, ExtrapolatedHALS, fits_H_first
from ..rules.multiplicative import MultiplicativeUpdate
from ..rules.newton import AcceleratedNewtonKL, NewtonKL
from ..rules.rank_two import AcceleratedRankTwo, RankTwo

# Kinds of half-steps.
MU, SWEEPS, RANK2, NEWTON, ACCELERATED = 0, 1, 2, 3, 4
# The kernels for GPUs have a 5 of their own, and not this one.
MIXTURES = 6
# How a fit ended: the values of `nmfcore.Status`.
CONVERGED, MAX_ITER, NON_FINITE, STUCK = 0, 1, 2, 3


class Limits(NamedTuple):
    """When to stop: see `nmfcore.Stop`; `rounding` and `mass_rounding` are what counts as nothing."""

    tol: float
    slowest: float
    rounding: float
    mass_rounding: float
    max_iter: int
    every: int


class HalfStep(NamedTuple):
    """How one factor is updated: the kind of update, its sweeps, and the coefficients of the penalties on it."""

    kind: int
    sweeps: int
    l1: float
    l2: float


class Rule(NamedTuple):
    """How to iterate: the half-step of either factor, and whether W is extrapolated.

    `fits_H_first` says that random starts are of W alone, to which H is fitted first.
    """

    W: HalfStep
    H: HalfStep
    extrapolated: bool
    fits_H_first: bool


def rule_of(
    rule: MultiplicativeUpdate
    | HALS
    | ExtrapolatedHALS
    | RankTwo
    | AcceleratedRankTwo
    | NewtonKL
    | AcceleratedNewtonKL,
    penalties: list[float],
) -> Rule:
    """Return the compiled form of a rule with the penalty coefficients (l1_W, l2_W, l1_H, l2_H)."""
    if isinstance(rule, ExtrapolatedHALS):
        kind, sweeps_W, sweeps_H = SWEEPS, rule.sweeps_W, rule.sweeps_H
    elif isinstance(rule, (RankTwo, AcceleratedRankTwo)):
        kind, sweeps_W, sweeps_H = RANK2 if isinstance(rule, RankTwo) else ACCELERATED, 1, 1
    elif isinstance(rule, AcceleratedNewtonKL):
        kind, sweeps_W, sweeps_H = MIXTURES, NewtonKL.inner, NewtonKL.inner
    else:
        kind = NEWTON if isinstance(rule, NewtonKL) else SWEEPS if isinstance(rule, HALS) else MU
        sweeps_W = sweeps_H = rule.inner
    l1_W, l2_W, l1_H, l2_H = penalties
    extrapolated = isinstance(rule, ExtrapolatedHALS)
    first = fits_H_first(rule) and not any(penalties)
    return Rule(HalfStep(kind, sweeps_W, l1_W, l2_W), HalfStep(kind, sweeps_H, l1_H, l2_H), extrapolated, first)
