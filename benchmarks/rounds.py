"""Two things timed in turn, by the clock and by the processor's seconds, and what may be said of it.

A round is one cost of either side, one directly after the other, so that both meet the same machine. A ratio is taken
within each round; the figure is the median over rounds, with quartiles. Never fewer than `ROUNDS`.
"""

import time
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

ROUNDS = 7


class Cost(NamedTuple):
    """Seconds of one fit."""

    clock: float
    processor: float

    def __sub__(self, other):
        return Cost(self.clock - other.clock, self.processor - other.processor)

    def __truediv__(self, number):
        return Cost(self.clock / number, self.processor / number)


class NotMeasurableError(Exception):
    """Differences that come out at or below zero again and again: there is no figure."""


def timed(function, *arguments, **options):
    """Return (result, seconds of the clock, seconds of the processor)."""
    clock, processor = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    return result, time.perf_counter() - clock, time.process_time() - processor


def cost(function, fits=1):
    """Return what times a function without arguments, as the cost of one of so many fits."""
    return lambda: Cost(*timed(function)[1:]) / fits


@dataclass
class Rounds:
    """Costs of either side, round by round.

    Attributes
    ----------
    ours, peer : list of Cost
    refused : int
        Rounds that were measured again, since a difference was not above zero.
    """

    ours: list = field(default_factory=list)
    peer: list = field(default_factory=list)
    refused: int = 0

    def ratios(self, which):
        """Return the peer's over ours in every round, of ``clock`` or ``processor``."""
        return np.array([getattr(b, which) / getattr(a, which) for a, b in zip(self.ours, self.peer, strict=True)])

    def figures(self, *, slower=False):
        """Return medians and quartiles for a row; `slower` gives ours over the peer's instead."""
        found = {"rounds": len(self.ours), "refused_rounds": self.refused}
        for name, which in (("", "clock"), ("cpu_", "processor")):
            ratios = 1 / self.ratios(which) if slower else self.ratios(which)
            low, middle, high = np.percentile(ratios, (25, 50, 75)).tolist()
            found |= {f"{name}ratio" if name else "value": middle, f"{name}low": low, f"{name}high": high}
            for side in ("ours", "peer"):
                found[f"{side}_{name}ms"] = 1e3 * float(np.median([getattr(x, which) for x in getattr(self, side)]))
        return found


def in_turn(ours, peer, rounds=ROUNDS):
    """Return `Rounds` of two functions that return their costs, each called once before, untimed.

    Whose turn is first alternates, so that neither always finds the other's data in the cache.
    """
    ours(), peer()
    found = Rounds()
    for i in range(rounds):
        for name in ("ours", "peer") if i % 2 == 0 else ("peer", "ours"):
            getattr(found, name).append({"ours": ours, "peer": peer}[name]())
    return found


def differences(ours, peer, few, many, rounds=ROUNDS):
    """Return `Rounds` of one iteration: what `many` cost less what `few` do, over their difference.

    Parameters
    ----------
    ours, peer : callable
        From a number of iterations to a cost.
    few, many : int
    rounds : int

    Raises
    ------
    NotMeasurableError
        Of twice as many rounds, more than half had a difference at or below zero: noise is larger than it.
    """

    def iteration(side):
        short, long = side(few), side(many)
        return (long - short) / (many - few)

    ours(few), peer(few)
    found = Rounds()
    while len(found.ours) < rounds:
        mine, other = iteration(ours), iteration(peer)
        if min(*mine, *other) > 0:
            found.ours.append(mine)
            found.peer.append(other)
            continue
        found.refused += 1
        if found.refused > rounds:
            raise NotMeasurableError(
                f"{found.refused} of {found.refused + len(found.ours)} differences of {many} and {few} iterations are "
                "not above zero"
            )
    return found
