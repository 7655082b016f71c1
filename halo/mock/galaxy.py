"""A simulated galaxy with analytic truth, written in the layout of the FIRE-2 public release (docs/simulations.md).

Three parts: a tilted, rotating disc, metal-rich and born in situ; a round halo born in situ; a larger one accreted.
Both halos have density exp(-r / a), so that their masses against r, |z| and R are known in closed form.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.special import gammainc, kv

from ..io.atomic import write_atomically

HUBBLE = 0.702
SUN_IRON = 1.73e-3
"""The Sun's mass fraction of iron in FIRE-2 (Anders & Grevesse 1989)."""
IRON = 10
"""Column of the mass fraction of iron: all metals, He, C, N, O, Ne, Mg, Si, S, Ca, Fe."""


@dataclass(frozen=True)
class MockGalaxy:
    """What a mock galaxy is made of.

    Attributes
    ----------
    n_disc, n_in_situ, n_accreted : int
        Particles, all of `mass`.
    a_in_situ, a_accreted : float
        Scale lengths of the halos, kpc.
    mass : float
        Msun.
    centre, velocity : tuple of float
        Where the galaxy is in its box (kpc) and how it moves (km / s).
    tilt : float
        Between the disc's axis and z, degrees.
    """

    n_disc: int = 20_000
    n_in_situ: int = 20_000
    n_accreted: int = 20_000
    a_in_situ: float = 1.5
    a_accreted: float = 3.5
    mass: float = 7070.0
    centre: tuple[float, float, float] = (41_000.0, 43_500.0, 45_200.0)
    velocity: tuple[float, float, float] = (-60.0, 80.0, 100.0)
    tilt: float = 35.0

    def accreted_fraction(self, variable: str, edges: np.ndarray) -> np.ndarray:
        """Return the true accreted fraction of the halos' mass between edges in r, z or R (kpc); shape (m,)."""
        within = {"r": _within_r, "z": _within_z, "R": _within_R}[variable]
        ours, theirs = (
            n * np.diff(within(np.asarray(edges) / a))
            for n, a in ((self.n_in_situ, self.a_in_situ), (self.n_accreted, self.a_accreted))
        )
        return theirs / (ours + theirs)


def _within_r(x: np.ndarray) -> np.ndarray:
    return gammainc(3, x)


def _within_z(x: np.ndarray) -> np.ndarray:
    # of |z|: the density exp(-r / a) integrated over planes is (1 + |z| / a) exp(-|z| / a) / 2 a
    return 1 - (1 + 0.5 * x) * np.exp(-x)


def _within_R(x: np.ndarray) -> np.ndarray:
    # of R: integrated along lines it is R^2 K_1(R / a) / 2 a^3 per unit of R, whose integral is that of x^2 K_1
    x = np.maximum(x, 1e-12)
    return 1 - 0.5 * x**2 * kv(2, x)


def write_galaxy(
    folder: str | Path, galaxy: MockGalaxy | None = None, *, seed: int = 1, blocks: int = 2, overwrite: bool = False
) -> tuple[list[Path], Path]:
    """Write a mock galaxy as a snapshot of several blocks and the file of its formation coordinates.

    Parameters
    ----------
    folder : path
        Exists.
    galaxy : MockGalaxy, optional
        The default one.
    seed : int
        The same seed gives the same particles.
    blocks : int
        Files of the snapshot.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    snapshot : list of Path
    formation : Path

    Raises
    ------
    OutputError
        A file exists, or cannot be written.
    """
    galaxy, folder, rng = galaxy or MockGalaxy(), Path(folder), np.random.default_rng(seed)
    counts = galaxy.n_disc, galaxy.n_in_situ, galaxy.n_accreted
    n = sum(counts)
    part = rng.permutation(np.repeat(np.arange(3), counts))
    position, velocity = np.empty((n, 3)), np.empty((n, 3))
    for i, a in ((1, galaxy.a_in_situ), (2, galaxy.a_accreted)):
        mine = part == i
        direction = rng.normal(size=(mine.sum(), 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        position[mine] = rng.gamma(3, a, (mine.sum(), 1)) * direction
        velocity[mine] = rng.normal(0, 120, (mine.sum(), 3))
    disc = part == 0
    position[disc], velocity[disc] = _disc(galaxy.n_disc, np.radians(galaxy.tilt), rng)
    fe_h = np.where(disc, rng.uniform(-0.6, 0.3, n), rng.uniform(-2.5, -1.15, n))
    born = np.where(part == 2, rng.uniform(60, 300, n), rng.gamma(3, 1.5, n).clip(max=29))  # comoving
    away = rng.normal(size=(n, 3))
    away *= (born / np.linalg.norm(away, axis=1))[:, None]

    metals = np.zeros((n, 11), dtype=np.float32)
    metals[:, IRON] = SUN_IRON * 10.0**fe_h
    metals[:, 0] = 11 * metals[:, IRON]
    ids = np.arange(n, dtype=np.uint32) + 7
    stored: dict[str, np.ndarray] = {
        "Coordinates": (position + galaxy.centre) * HUBBLE,
        "Velocities": (velocity + galaxy.velocity).astype(np.float32),
        "Masses": np.full(n, galaxy.mass * HUBBLE / 1e10, dtype=np.float32),
        "Metallicity": metals,
        "ParticleIDs": ids,
        "StellarFormationTime": rng.uniform(0.1, 1.0, n).astype(np.float32),
    }
    paths = [folder / f"snapshot_600.{block}.hdf5" for block in range(blocks)]
    for path, rows in zip(paths, np.array_split(np.arange(n), blocks), strict=True):
        header: dict[str, Any] = {"HubbleParam": HUBBLE, "Time": 1.0, "NumFilesPerSnapshot": blocks}
        header["NumPart_ThisFile"] = np.array([0, 0, 0, 0, len(rows), 0])
        data = {f"PartType4/{name}": array[rows] for name, array in stored.items()}
        write_hdf5(path, data, header, overwrite=overwrite)
    formation = folder / "host_coordinates.hdf5"
    born_at = (away * stored["StellarFormationTime"][:, None]).astype(np.float32)  # physical
    data = {"snapshot.index": np.array(600), "star.id": ids, "star.form.host.distance": born_at}
    write_hdf5(formation, data, overwrite=overwrite)
    return paths, formation


def write_hdf5(
    path: Path, data: Mapping[str, np.ndarray], header: Mapping[str, Any] | None = None, *, overwrite: bool = False
) -> None:
    """Write data sets by their paths, and attributes of ``Header``; the folder is made if it is not there.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        for name, value in (header or {}).items():
            file.require_group("Header").attrs[name] = value
        for name, x in data.items():
            file[name] = x

    def write(temporary: Path) -> None:
        temporary.write_bytes(image.getbuffer())

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, write, overwrite=overwrite)


def _disc(n: int, tilt: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    R, angle = rng.gamma(2, 2.5, n), rng.uniform(0, 2 * np.pi, n)
    x = np.stack([R * np.cos(angle), R * np.sin(angle), rng.normal(0, 0.3, n)], axis=1)
    v = 220 * np.stack([-np.sin(angle), np.cos(angle), np.zeros(n)], axis=1) + rng.normal(0, 25, (n, 3))
    c, s = np.cos(tilt), np.sin(tilt)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return x @ turn.T, v @ turn.T
