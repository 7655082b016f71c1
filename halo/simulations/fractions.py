"""True fractions of a simulated galaxy's halo born in situ and accreted, against r, z and R, under the paper's cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.table import QTable, vstack

from ..errors import InputError, UsageError
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.bins import Bins, make_bins
from ..mixtures.settings import Axis, parse_axes
from ..products.crossings import crossings
from ..products.profile import Profile
from ..stars.cutflow import CutFlow
from ..stars.cuts import Cut, apply_cuts, user_cuts
from ..stars.variables import unit_of, values
from .particles import Galaxy, read_galaxy
from .settings import SimulationSettings

MAX_FE_H = SimulationSettings.max_fe_h
"""Only particles below this [Fe/H] count, dex; the paper's."""
AXES = SimulationSettings.axes
"""Bins in kpc; the paper's."""
MIN_PARTICLES = SimulationSettings.min_particles
"""Bins with fewer particles are left out of crossings."""
ORIGINS = ("in_situ", "accreted")


@dataclass(frozen=True)
class SimulatedProfile:
    """True mass fractions of a simulated galaxy along one variable.

    Attributes
    ----------
    bins : Bins
        Regular bins of one variable.
    n : ndarray of int, shape (m, 2)
        Particles born in situ and accreted.
    mass : ndarray, shape (m, 2)
        Their mass, Msun.
    error : ndarray, shape (m,)
        Standard error of either fraction, from the number of particles; NaN in empty bins.
    crossing : tuple of float
        Where the accreted fraction passes one half, in the variable's unit.
    """

    bins: Bins
    n: np.ndarray
    mass: np.ndarray
    error: np.ndarray
    crossing: tuple[float, ...]

    @property
    def variable(self) -> str:
        """The binning variable."""
        return self.bins.axes[0].variable

    @property
    def centre(self) -> np.ndarray:
        """Centres of the bins, shape (m,)."""
        return self.bins.bounds[:, 0].mean(axis=-1)

    @property
    def fractions(self) -> np.ndarray:
        """Mass fractions born in situ and accreted; NaN in empty bins; shape (m, 2)."""
        total = self.mass.sum(axis=1, keepdims=True)
        return np.divide(self.mass, total, out=np.full_like(self.mass, np.nan), where=total > 0)


@dataclass(frozen=True, repr=False)
class Simulated(InWords):
    """The profiles of a simulated galaxy.

    Attributes
    ----------
    galaxy : Galaxy
        What was read.
    cutflow : CutFlow
        From its particles to those that count.
    profiles : dict of str to SimulatedProfile
        By variable.
    """

    galaxy: Galaxy
    cutflow: CutFlow
    profiles: dict[str, SimulatedProfile]

    def table(self) -> QTable:
        """Return the profiles as one table: a row per bin, ``variable`` says of what; kpc, Msun.

        Columns ``variable``, ``lower``, ``upper``, ``centre``, and with ``in_situ`` and ``accreted`` in their names
        ``n_``, ``mass_`` and ``fraction_``, and ``error`` of the fractions. The metadata have the crossings and
        what was cut.

        Raises
        ------
        UsageError
            A profile against something else than a length.
        """
        parts = []
        for name, profile in self.profiles.items():
            if unit_of(name) != "kpc":
                raise UsageError(f"tables of simulations are in kpc; {name} is in {unit_of(name) or 'no unit'}.")
            lower, upper = profile.bins.bounds[:, 0].T
            part = QTable({"variable": np.full(len(lower), name)})
            for label, x in (("lower", lower), ("upper", upper), ("centre", profile.centre)):
                part[label] = x * units.kpc
            for j, origin in enumerate(ORIGINS):
                part[f"n_{origin}"] = profile.n[:, j]
                part[f"mass_{origin}"] = profile.mass[:, j] * units.Msun
                part[f"fraction_{origin}"] = profile.fractions[:, j]
            part["error"] = profile.error
            parts.append(part)
        table = vstack(parts)
        table.meta |= {
            "galaxy": self.galaxy.name,
            "accreted": self.galaxy.criterion,
            "cuts": list(self.cutflow.names),
            "particles": self.cutflow.passed,
            "particles_dropped": self.galaxy.dropped,
            "centre_kpc": self.galaxy.centre.tolist(),
            "axis": self.galaxy.axis.tolist(),
            "crossings": {name: list(profile.crossing) for name, profile in self.profiles.items()},
        }
        return described(table, "simulation")

    def describe(self) -> str:
        """Return the cut-flow, and where half of the galaxy's mass was accreted."""
        places = (
            f"{name} = {', '.join(f'{x:.3g}' for x in profile.crossing) or 'nowhere'}"
            for name, profile in self.profiles.items()
        )
        half = f"{self.galaxy.name}: half of the mass accreted at {', '.join(places)} kpc"
        return f"{self.galaxy.describe()}\n{self.cutflow}\n{half}"

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def simulate(
    galaxy: Galaxy | str | Path | Sequence[str | Path],
    axes: Sequence[str | Axis] = AXES,
    *,
    columns: str | Path | None = None,
    max_fe_h: float = MAX_FE_H,
    cuts: Sequence[str] = (),
    min_particles: int = MIN_PARTICLES,
) -> Simulated:
    """Return the true mass fractions of a simulated galaxy's halo.

    Parameters
    ----------
    galaxy : Galaxy, path or sequence of path
        Its star particles, as `particles.read_galaxy` gives them or in the files that it reads.
    axes : sequence of str or Axis
        One regular axis each, such as ``"r:10:2:14"``.
    columns : path, optional
        The TOML file that names the columns of such files.
    max_fe_h : float
        Upper limit of [Fe/H], exclusive; infinity for none.
    cuts : sequence of str
        Further conditions on the particles, such as ``"R<20"``.
    min_particles : int
        Bins with fewer are left out of crossings.

    Returns
    -------
    Simulated

    Raises
    ------
    InputError
        No particle passes, or files that cannot be read.
    UsageError
        Axes or cuts that make no sense; files without `columns`.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.simulate("snapshot_600.hdf5", columns="fire2.toml")  # doctest: +SKIP
    >>> found.profiles["r"].crossing  # kpc  # doctest: +SKIP
    """
    if not isinstance(galaxy, Galaxy):
        if columns is None:
            raise UsageError("files of particles need columns, a TOML file that names theirs (docs/simulations.md).")
        galaxy = read_galaxy(galaxy, columns)
    limit = [] if np.isposinf(max_fe_h) else [Cut(f"FE_H < {max_fe_h:g}", lambda t: values(t, "FE_H") < max_fe_h)]
    mask, flow = apply_cuts(galaxy.table, (*limit, *user_cuts(cuts)))
    if not mask.any():
        raise InputError(
            f"{galaxy.name}: none of {len(mask):,} particles passes ({', '.join(flow.names) or 'no cut'})."
        )
    chosen = galaxy.table[mask]
    mass, accreted = np.asarray(chosen["mass"]), np.asarray(chosen["accreted"], dtype=bool)
    profiles = {}
    for text in axes:
        (axis,) = parse_axes(text) if isinstance(text, str) else (text,)
        if not axis.regular:
            raise UsageError(f"profiles of simulations need regular bins, such as {axis.variable}:10:2:14; got {axis}.")
        bins = make_bins(chosen, [axis])
        row = bins.assign(chosen)
        cell, inside = 2 * row + accreted, row >= 0

        def total(weight: np.ndarray, cell: np.ndarray = cell, inside: np.ndarray = inside, m: int = len(bins)) -> Any:
            return np.bincount(cell[inside], weights=weight[inside], minlength=2 * m).reshape(m, 2).astype(float)

        made = total(mass)
        n = total(np.ones(len(mass))).astype(np.int64)
        profile = SimulatedProfile(bins, n, made, _error(made, total(mass**2)), ())
        fraction = np.where(n.sum(axis=1) >= min_particles, profile.fractions[:, 1], np.nan)
        profiles[axis.variable] = replace(profile, crossing=crossings(profile.centre, fraction, 0.5))
    return Simulated(galaxy, flow, profiles)


def _error(mass: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Return the standard error of a mass fraction of Poisson numbers of particles; `squares` are sums of mass^2."""
    total = mass.sum(axis=1)
    fraction = np.divide(mass[:, 1], total, out=np.zeros_like(total), where=total > 0)
    variance = (1 - fraction) ** 2 * squares[:, 1] + fraction**2 * squares[:, 0]
    return np.divide(np.sqrt(variance), total, out=np.full_like(total, np.nan), where=total > 0)


def unlikeness(simulated: SimulatedProfile, profile: Profile) -> float:
    """Return the rms difference between a simulation's accreted fraction and that of the highest-energy component.

    Over the bins where both have one. A smaller difference means a galaxy more like the Milky Way.

    Raises
    ------
    UsageError
        Profiles in other bins.
    """
    ours = profile.application
    if ours.mixtures.bins.axes != simulated.bins.axes:
        raise UsageError(
            f"profiles must have the same bins; got {simulated.bins.axes[0]} and {ours.mixtures.bins.axes[0]}."
        )
    both = np.stack([simulated.fractions[:, 1], np.where(ours.mixtures.n_stars > 0, ours.accreted_fractions, np.nan)])
    return float(np.sqrt(np.nanmean((both[0] - both[1]) ** 2)))
