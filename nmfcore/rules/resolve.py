"""Update rules by name, and the rule that suits a problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..errors import ProblemError
from ..problem import Factors, Problem
from .hals import HALS, ExtrapolatedHALS
from .multiplicative import MultiplicativeUpdate
from .newton import AcceleratedNewtonKL, NewtonKL
from .rank_two import AcceleratedRankTwo, RankTwo


class UpdateRule(Protocol):
    """One iteration: any callable that takes a problem and its factors and returns better factors.

    Optional attributes: ``supports(problem)`` returns why the rule cannot solve a problem, or None if it can; ``every``
    is the number of iterations between convergence tests. A rule with a method ``begin(problem, factors)`` has a
    memory: ``begin`` returns it, the rule then takes and returns it with the factors (see `ExtrapolatedHALS`). A memory
    may have ``distance``, how far each replicate may be from its limit, which then is to be at most `Stop.tol` too.
    """

    def __call__(self, problem: Problem, factors: Factors, /) -> Factors:
        """Return the factors after one iteration."""
        ...


# Rules by the name that `factorize` takes; a rule of ours is one file in this folder and one line here.
RULES: dict[str, Callable[[], Any]] = {
    "mu": MultiplicativeUpdate,
    "amu": lambda: MultiplicativeUpdate(inner=4),
    "hals": HALS,
    "ehals": ExtrapolatedHALS,
    "rank2": RankTwo,
    "arank2": AcceleratedRankTwo,
    "newton": NewtonKL,
    "anewton": AcceleratedNewtonKL,
}
OURS = (MultiplicativeUpdate, HALS, ExtrapolatedHALS, RankTwo, AcceleratedRankTwo, NewtonKL, AcceleratedNewtonKL)


def resolve_rule(update: str | UpdateRule, problem: Problem, n_components: int) -> UpdateRule:
    """Return the rule that `update` names for so many components, if it can solve `problem`.

    Raises
    ------
    ProblemError
        If the name is unknown or the rule does not support the problem.
    TypeError
        If `update` is neither a name nor callable.
    """
    if update == "auto":
        return _best_rule(problem, n_components)
    rule: Any
    if isinstance(update, str):
        if update not in RULES:
            raise ProblemError(f"update must be 'auto', one of {sorted(RULES)} or a callable; got {update!r}")
        rule = RULES[update]()
    elif callable(update):
        rule = update
    else:
        raise TypeError(f"update must be a name or a callable; got {type(update).__name__}")
    refusal = rule.supports(problem) if hasattr(rule, "supports") else None
    if refusal is not None:
        raise ProblemError(refusal)
    return rule


def _best_rule(problem: Problem, n_components: int) -> Any:
    if n_components == 2 and problem.hold is None and AcceleratedRankTwo().supports(problem) is None:
        return AcceleratedRankTwo()
    if ExtrapolatedHALS().supports(problem) is None:
        # Penalties may remove a component for good while W is extrapolated; plain HALS is more careful.
        penalised = any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H))
        return HALS() if penalised else ExtrapolatedHALS()
    accelerated = AcceleratedNewtonKL()
    if n_components > 1 and accelerated.supports(problem) is None:
        return accelerated
    newton = NewtonKL()
    return newton if newton.supports(problem) is None else MultiplicativeUpdate()
