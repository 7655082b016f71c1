"""How the true fractions of a simulated galaxy are measured; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..fields import Option
from ..stars.settings import Cuts
from ..units import LENGTH, MOTION, VELOCITY, convert


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


POTENTIALS = ("auto", "particles", "file", "milky-way")
"""Where energies come from: the mass of all particles, a column of the file, or McMillan (2017)."""


@dataclass(frozen=True)
class ObserveSettings:
    """How a simulated galaxy is observed; see `observe.observe`.

    Attributes
    ----------
    stars : int
        Giants to draw, each from another particle, in proportion to the particles' mass.
    max_distance : float or Quantity
        Limit of the distance as it is measured, kpc.
    azimuth : float or Quantity
        Where in the plane the Sun is placed, degrees.
    distance_error : float
        Relative.
    pm_error : float or Quantity
        mas / yr.
    rv_error : float or Quantity
        km / s.
    fe_h_error, x_fe_error : float
        dex.
    potential : str
        Of `POTENTIALS`; ``auto`` is ``file`` where the mapping names a potential, else ``particles``.
    seed : int
        Of the draws and the errors.
    """

    stars: Annotated[int, "Giants to draw, in proportion to mass.", Option(minimum=1)] = 60_000
    max_distance: Annotated[float, "Largest measured distance from the Sun [kpc]."] = 10.0
    azimuth: Annotated[float, "Where in the plane the Sun is placed [deg]."] = 0.0
    distance_error: Annotated[float, "Relative error of distances.", Option(minimum=0)] = 0.10
    pm_error: Annotated[float, "Error of proper motions [mas/yr].", Option(minimum=0)] = 0.02
    rv_error: Annotated[float, "Error of radial velocities [km/s].", Option(minimum=0)] = 0.1
    fe_h_error: Annotated[float, "Error of [Fe/H] [dex].", Option(minimum=0)] = 0.02
    x_fe_error: Annotated[float, "Error of every [X/Fe] [dex].", Option(minimum=0)] = 0.03
    potential: Annotated[
        str, "Energies from the mass of the particles, the file's potential, or the Milky Way's.",
        Option(choices=POTENTIALS),
    ] = "auto"  # fmt: skip
    seed: Annotated[int, "Seed of the draws, the errors and the fit."] = 1

    def __post_init__(self) -> None:
        convert(self, max_distance=LENGTH, azimuth="deg", pm_error=MOTION, rv_error=VELOCITY)
