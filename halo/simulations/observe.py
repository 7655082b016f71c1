"""A simulated galaxy as a survey would see it: giants around a Sun placed in it, with errors, as a prepared catalogue.

Left out are what a survey's fields, magnitudes and dust do: giants are drawn in proportion to mass within a limit of
the measured distance, so that the only selection is that of the halo sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import InputError, UsageError
from ..io.provenance import provenance
from ..orbits.convention import own
from ..orbits.frames import SkyPhase, to_galactocentric, to_heliocentric
from ..orbits.kinematics import kinematics
from ..stars.catalogue import Catalogue
from ..stars.cutflow import CutFlow
from ..stars.origin import SURVEY
from ..stars.variables import CARTESIAN, values
from .columns import Source
from .gravity import Multipoles, extent, multipoles, tabulated
from .mapping import spec_of
from .particles import Galaxy
from .settings import ObserveSettings

NOT_OBSERVED = ("formation", "age", "birth_distance", "potential", "particle_id")
"""Columns of particles that no survey has; they keep their name in the catalogue."""


@dataclass(frozen=True)
class Frame:
    """What energies are computed in.

    Attributes
    ----------
    name : str
        ``particles``, ``file`` or ``milky-way``.
    round : Multipoles, optional
        The potential of the particles.
    said : dict
        Potential and zero point, in words.
    """

    name: str
    round: Multipoles | None
    said: dict[str, str] = field(default_factory=dict)


def gravity(galaxy: Galaxy) -> Multipoles:
    """Return the potential of all the mass in a galaxy's files: its stars, and what ``[gravity]`` of its mapping names.

    Raises
    ------
    UsageError
        The mapping names no other mass than the stars.
    InputError
        Files that cannot be read.
    """
    others = galaxy.mapping.get("gravity", {})
    if not others or galaxy.source is None:
        raise UsageError(
            f"{galaxy.name}: the mapping names no mass but the stars'; give [gravity] (docs/simulations.md), or take "
            "the potential of the Milky Way (milky-way)."
        )
    columns = galaxy.mapping["columns"]
    kinds = [{"position": columns["position"], "mass": columns["mass"]}, *others.values()]
    return multipoles(_turned(galaxy, galaxy.source, kinds))


def _turned(galaxy: Galaxy, source: Source, kinds: list[dict[str, Any]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for kind in kinds:
        for x, m in source.blocks(spec_of(kind["position"]), spec_of(kind["mass"])):
            x = x - galaxy.centre
            yield (x if galaxy.frame is None else x @ galaxy.frame.T), m


def frame_of(galaxy: Galaxy, potential: str) -> Frame:
    """Return what a galaxy's energies are computed in.

    Raises
    ------
    UsageError
        An unknown potential, one that the files do not have, or no mass to compute it from.
    """
    has = "potential" in galaxy.table.colnames
    name = ("file" if has else "particles") if potential == "auto" else potential
    if name == "milky-way":
        return Frame(name, None, {"potential": "McMillan (2017)", "zero_point": "Phi(infinity) = 0"})
    if name == "particles":
        said = f"multipoles of the particles of {galaxy.name}"
        return Frame(name, gravity(galaxy), {"potential": said, "zero_point": "Phi(infinity) = 0"})
    if name != "file":
        raise UsageError(f"potential must be auto, particles, file or milky-way; got {potential!r}.")
    if not has:
        raise UsageError(f"{galaxy.name}: the mapping names no potential; name its column, or take another potential.")
    said = f"the potential in the files of {galaxy.name}"
    return Frame(name, gravity(galaxy), {"potential": said, "zero_point": "that of the files"})


def observe(galaxy: Galaxy, settings: ObserveSettings | None = None) -> Catalogue:
    """Return the giants of a simulated galaxy as a survey would have them, with the truth in the column ``accreted``.

    Parameters
    ----------
    galaxy : Galaxy
        As `particles.read_galaxy` gives it.
    settings : ObserveSettings, optional
        The default ones.

    Returns
    -------
    Catalogue
        Columns of the conventions page: sky, phase space, energies and orbits as measured, with errors; [Fe/H] and the
        galaxy's [X/Fe]; ``accreted`` (0 or 1), ``true_distance`` (kpc) and what the particles have besides.

    Raises
    ------
    InputError
        No particle is within reach.
    UsageError
        A potential that the files do not have.

    Examples
    --------
    >>> from halonmf import halo
    >>> galaxy = halo.read_galaxy("snapshot_600.hdf5", "fire2")  # doctest: +SKIP
    >>> stars = halo.observe(galaxy, halo.ObserveSettings(stars=20_000))  # doctest: +SKIP
    >>> halo.save("stars.fits", stars)  # doctest: +SKIP

    Notes
    -----
    With the potential of the particles, energies are those of multipoles up to l = 16, and actions, peri- and
    apocentres those of the Staeckel fudge in them (Binney 2012). With that of the file a star keeps the potential of
    its particle, and so its true place.
    """
    settings = settings or ObserveSettings()
    frame = frame_of(galaxy, settings.potential)
    rng = np.random.default_rng(settings.seed)
    flow = CutFlow(len(galaxy.table))
    here, true = _placed(galaxy.table, settings.azimuth)
    d = true.distance.to_value(u.kpc)
    # far beyond the limit no error brings a star back
    near = d < settings.max_distance * (1 + 5 * settings.distance_error)
    measured = d * np.exp(rng.normal(0, settings.distance_error, len(d)))
    near &= (measured < settings.max_distance) & (measured > 0.01)
    flow = flow.removing(f"measured distance < {settings.max_distance:g} kpc", int((~near).sum()))
    rows = np.flatnonzero(near)
    if not len(rows):
        raise InputError(
            f"{galaxy.name}: none of {len(d):,} particles is within {settings.max_distance:g} kpc of the Sun."
        )
    mass = values(galaxy.table, "mass")[rows]
    n = min(settings.stars, len(rows))
    drawn = np.sort(rng.choice(rows, n, replace=False, p=mass / mass.sum()))
    flow = flow.removing(f"{n:,} giants drawn by mass", len(rows) - n)
    stars = _measured(galaxy, here, true, measured, drawn, settings, rng)
    stars, unbound = _with_orbits(stars, galaxy, drawn, frame)
    flow = flow.removing("bound, E < 0, with an orbit", unbound)
    if not len(stars):
        raise InputError(f"{galaxy.name}: none of {n:,} stars is bound; correct the units, or take another potential.")
    choices = {one.name: getattr(settings, one.name) for one in fields(settings)}
    files = () if galaxy.source is None else galaxy.source.paths
    record = provenance(
        "observe", {**choices, "mapping": galaxy.mapping, "criterion": galaxy.criterion}, seeds=[settings.seed]
    )
    orbits = {**frame.said, "Sun": own().sun, "Lz": "prograde positive"}
    stars.meta[SURVEY] = galaxy.name  # so that components of a survey are not applied to it unawares
    record |= {SURVEY: galaxy.name, "orbits": orbits, "files": [Path(file).name for file in files]}
    return Catalogue(stars, flow, record)


def _placed(table: QTable, azimuth: float) -> tuple[np.ndarray, SkyPhase]:
    """Return phase space (N, 6) in the Sun's frame, turned about the axis, and how it is observed from the Sun."""
    x, v = (np.stack([np.asarray(table[n].value) for n in names], axis=1)
            for names in (("x", "y", "z_gal"), ("v_x", "v_y", "v_z")))  # fmt: skip
    angle = -np.radians(azimuth)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    x, v = x @ turn.T, v @ turn.T
    return np.concatenate([x, v], axis=1), to_heliocentric(x * u.kpc, v * (u.km / u.s))


def _measured(
    galaxy: Galaxy, here: np.ndarray, true: SkyPhase, measured: np.ndarray, rows: np.ndarray, settings: ObserveSettings,
    rng: np.random.Generator,
) -> QTable:  # fmt: skip
    n = len(rows)
    pm, rv = settings.pm_error, settings.rv_error
    stars = QTable()
    stars["APOGEE_ID"] = [f"P{row:09d}" for row in rows]
    stars["RA"], stars["DEC"] = true.ra[rows], true.dec[rows]
    stars["distance"] = measured[rows] * u.kpc
    for name, motion, error in (
        ("pmra", true.pmra, pm * u.mas / u.yr), ("pmdec", true.pmdec, pm * u.mas / u.yr),
        ("radial_velocity", true.radial_velocity, rv * u.km / u.s),
    ):  # fmt: skip
        stars[name] = motion[rows] + rng.normal(0, 1, n) * error
        stars[f"{name}_error"] = np.ones(n) * error
    stars["distance_error"] = settings.distance_error * stars["distance"]
    abundances = [name for name in galaxy.table.colnames if name == "FE_H" or name.endswith("_FE")]
    for name in abundances:
        error = settings.fe_h_error if name == "FE_H" else settings.x_fe_error
        stars[name] = np.asarray(galaxy.table[name])[rows] + rng.normal(0, 1, n) * error
        stars[f"{name}_ERR"] = np.full(n, error)
    x, v = to_galactocentric(*(stars[name] for name in ("RA", "DEC", "distance", "pmra", "pmdec", "radial_velocity")))
    for i, name in enumerate(("x", "y", "z_gal")):
        stars[name], stars[f"v_{'xyz'[i]}"] = x[:, i], v[:, i]
    stars["accreted"] = np.asarray(galaxy.table["accreted"])[rows].astype(np.int16)
    stars["true_distance"] = true.distance[rows]
    stars["mass"] = galaxy.table["mass"][rows]
    for name in NOT_OBSERVED:
        if name in galaxy.table.colnames:
            stars[name] = galaxy.table[name][rows]
    return stars


def _with_orbits(stars: QTable, galaxy: Galaxy, rows: np.ndarray, frame: Frame) -> tuple[QTable, int]:
    """Return the stars that are bound, with energies and orbits, and the number of the others."""
    x, v = (np.stack([values(stars, n) for n in names], axis=1) for names in (CARTESIAN[:3], CARTESIAN[3:]))
    if frame.round is None:
        found = kinematics(x * u.kpc, v * (u.km / u.s))
        for name in ("E", "Lz", "J_r", "J_z", "r_peri", "r_apo", "z_max", "ecc", "r_sph", "R_cyl"):
            stars[name] = found[name]
    else:
        depth = frame.round.potential(x)
        if frame.name == "file":
            depth = values(galaxy.table, "potential")[rows]
        orbits = extent(tabulated(frame.round), x, v)
        stars["E"] = (depth + 0.5 * (v**2).sum(axis=1)) * (u.km**2 / u.s**2)
        stars["Lz"] = (x[:, 1] * v[:, 0] - x[:, 0] * v[:, 1]) * (u.kpc * u.km / u.s)
        for name in ("J_r", "J_z"):
            stars[name] = getattr(orbits, name) * (u.kpc * u.km / u.s)
        for name in ("r_peri", "r_apo", "z_max"):
            stars[name] = getattr(orbits, name) * u.kpc
        stars["ecc"] = (orbits.r_apo - orbits.r_peri) / (orbits.r_apo + orbits.r_peri)
        R = np.hypot(x[:, 0], x[:, 1])
        stars["r_sph"], stars["R_cyl"] = np.hypot(R, x[:, 2]) * u.kpc, R * u.kpc
    good = np.isfinite(values(stars, "E")) & (values(stars, "E") < 0) & np.isfinite(values(stars, "e"))
    return stars[good], int((~good).sum())
