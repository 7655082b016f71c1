"""How the true fractions of a simulated galaxy are measured; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..fields import Option
from ..stars.settings import Cuts


@dataclass(frozen=True)
class SimulationSettings:
    """Which particles count, and in which bins; see `fractions.simulate`.

    Attributes
    ----------
    axes : tuple of str
        Bins, each in one variable; the paper's, kpc.
    max_fe_h : float
        Only particles below this [Fe/H] count, dex; the paper's.
    cuts : tuple of str
        Conditions to keep.
    min_particles : int
        Bins with fewer particles carry no crossing.
    """

    axes: Annotated[
        tuple[str, ...], "VARIABLE:COUNT:LOW:HIGH; repeatable. The paper's r, z and R.", Option(keyword="by")
    ] = ("r:10:2:14", "z:10:0:10", "R:10:2:14")
    max_fe_h: Annotated[float, "Particles below this [Fe/H] count; inf for all."] = -1.1
    cuts: Cuts = ()
    min_particles: Annotated[int, "Bins with fewer particles carry no crossing.", Option(minimum=1)] = 10
