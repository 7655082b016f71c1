"""A galaxy in equilibrium whose halo has two populations, born in situ and accreted, written as FIRE-2 or Auriga is.

Dark matter, a rotating disc, and two halos of stars that move in the same sphere of Hernquist (1990): each has the
density of such a sphere with a scale of its own, and the distribution function of Osipkov (1979) and Merritt (1985),
isotropic at its centre and radial beyond its anisotropy radius. Chemistry is a broad metallicity distribution each, and
a track in [Mg/Fe] with scatter. Their numbers were chosen once, before anything was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..io.tables import save_text
from .galaxy import SUN_IRON, write_hdf5

G = 4.30091727e-6
"""Gravitational constant, kpc (km / s)^2 / Msun."""
HUBBLE = 0.7
SUN_MAGNESIUM, SUN_SILICON = 9.31e-4, 1.08e-3
"""Mass fractions in FIRE-2's scale."""
SILICON = 0.7
"""[Si/Fe] over [Mg/Fe]."""
SUN_RATIOS = {8: 1.75e-3, 6: 9.60e-4}
"""Iron and magnesium relative to hydrogen by mass (Asplund et al. 2009), by their columns in Auriga."""
LAYOUTS = ("fire2", "auriga")


@dataclass(frozen=True)
class StellarHalo:
    """Stars of one origin in the halo.

    Attributes
    ----------
    n : int
        Particles.
    scale : float
        Of its Hernquist sphere, kpc.
    anisotropy_radius : float
        kpc; infinite for isotropic.
    fe_h, fe_h_scatter : float
        Mean and dispersion of [Fe/H].
    knee : float
        [Fe/H] from which [Mg/Fe] falls.
    plateau, slope, mg_scatter : float
        [Mg/Fe] below it, its slope beyond, and its scatter, dex.
    """

    n: int
    scale: float
    anisotropy_radius: float
    fe_h: float
    fe_h_scatter: float
    knee: float
    plateau: float
    slope: float
    mg_scatter: float = 0.04


@dataclass(frozen=True)
class TwoPopulations:
    """What the galaxy is made of; numbers of particles, kpc, Msun, km / s, degrees."""

    in_situ: StellarHalo = StellarHalo(90_000, 2.5, np.inf, -0.9, 0.40, -0.9, 0.34, -0.20)
    accreted: StellarHalo = StellarHalo(60_000, 9.0, 12.0, -1.3, 0.40, -1.8, 0.32, -0.20)
    n_disc: int = 60_000
    n_dark: int = 200_000
    n_gas: int = 20_000
    mass: float = 1.3e12
    scale: float = 25.0
    particle: float = 7070.0
    centre: tuple[float, float, float] = (41_000.0, 43_500.0, 45_200.0)
    velocity: tuple[float, float, float] = (-60.0, 80.0, 100.0)
    tilt: float = 35.0

    @property
    def dark_particle(self) -> float:
        """Mass of a particle of dark matter, Msun; stars and gas have `particle` each."""
        others = self.n_disc + self.in_situ.n + self.accreted.n + self.n_gas
        return (self.mass - self.particle * others) / self.n_dark

    def circular_speed(self, r: np.ndarray) -> np.ndarray:
        """Return the speed of circular orbits, km / s, at radii in kpc."""
        return np.sqrt(G * self.mass * r) / (r + self.scale)


@dataclass(frozen=True)
class Particles:
    """Star particles about the galaxy's centre, its disc in the plane z = 0 and turning from x to y."""

    position: np.ndarray
    velocity: np.ndarray
    accreted: np.ndarray
    fe_h: np.ndarray
    mg_fe: np.ndarray


def draw(galaxy: TwoPopulations, rng: np.random.Generator) -> Particles:
    """Return the galaxy's stars in random order."""
    parts = [_disc(galaxy, rng), *(_halo(galaxy, part, rng) for part in (galaxy.in_situ, galaxy.accreted))]
    accreted = np.repeat([False, False, True], [len(part[0]) for part in parts])
    order = rng.permutation(len(accreted))
    position, velocity, fe_h, mg_fe = (np.concatenate(x)[order] for x in zip(*parts, strict=True))
    return Particles(position, velocity, accreted[order], fe_h, mg_fe)


def _halo(galaxy: TwoPopulations, part: StellarHalo, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    root = np.sqrt(rng.uniform(0, 0.95, part.n))  # to about 40 scale lengths
    r = part.scale * root / (1 - root)
    u = _speeds(galaxy, part, r, rng)
    # isotropic in the coordinates that the distribution function is: the tangential ones are then shrunk
    cosine = rng.uniform(-1, 1, part.n)
    v_r = u * cosine
    v_t = u * np.sqrt(1 - cosine**2) / np.sqrt(1 + (r / part.anisotropy_radius) ** 2)
    outward = _directions(part.n, rng)
    across = np.cross(outward, _directions(part.n, rng))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    fe_h = rng.normal(part.fe_h, part.fe_h_scatter, part.n)
    mg_fe = part.plateau + part.slope * np.maximum(fe_h - part.knee, 0) + rng.normal(0, part.mg_scatter, part.n)
    return r[:, None] * outward, v_r[:, None] * outward + v_t[:, None] * across, fe_h, mg_fe


def _speeds(galaxy: TwoPopulations, part: StellarHalo, r: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return speeds in the coordinates of the distribution function f(Q), by Eddington's inversion on a grid."""
    at = np.geomspace(1e-3, 1e5, 4000)[::-1]
    psi = G * galaxy.mass / (at + galaxy.scale)
    x = at / part.scale
    rho = (1 + (at / part.anisotropy_radius) ** 2) / (x * (1 + x) ** 3)
    slope = np.gradient(rho, psi)
    curve = np.gradient(slope, psi)
    # f(Q) ~ integral of rho'' / sqrt(Q - psi) up to Q, with psi = Q - s^2
    Q = np.linspace(psi[0], psi[-1], 600)[1:]
    s = np.linspace(0, 1, 400)
    steps = np.sqrt(Q - psi[0])[:, None] * s
    f = np.trapezoid(np.interp(Q[:, None] - steps**2, psi, curve), steps, axis=1) * 2
    f = np.maximum(f, 0)
    depth = G * galaxy.mass / (r + galaxy.scale)
    fractions = np.linspace(0, 1, 200)
    out = np.empty(len(r))
    for i in range(0, len(r), 20_000):
        here = slice(i, i + 20_000)
        u = np.sqrt(2 * depth[here])[:, None] * fractions
        weight = u**2 * np.interp(depth[here][:, None] - 0.5 * u**2, Q, f, left=0.0)
        steps = np.cumsum(0.5 * (weight[:, 1:] + weight[:, :-1]), axis=1)
        total = np.concatenate([np.zeros((len(steps), 1)), steps / steps[:, -1:]], axis=1)
        wanted = rng.uniform(size=len(steps))
        j = np.clip((total < wanted[:, None]).sum(axis=1), 1, len(fractions) - 1)
        row = np.arange(len(steps))
        low, high = total[row, j - 1], total[row, j]
        out[here] = u[row, j - 1] + (wanted - low) / np.maximum(high - low, 1e-300) * (u[row, j] - u[row, j - 1])
    return out


def _disc(galaxy: TwoPopulations, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    n = galaxy.n_disc
    R, angle = rng.gamma(2, 2.8, n), rng.uniform(0, 2 * np.pi, n)
    around = np.stack([-np.sin(angle), np.cos(angle), np.zeros(n)], axis=1)
    x = np.stack([R * np.cos(angle), R * np.sin(angle), rng.normal(0, 0.3, n)], axis=1)
    v = (galaxy.circular_speed(R) - 8)[:, None] * around + rng.normal(0, 1, (n, 3)) * [35, 25, 20]
    fe_h = rng.normal(-0.15, 0.2, n)
    return x, v, fe_h, np.clip(0.05 - 0.25 * fe_h, 0, 0.3) + rng.normal(0, 0.03, n)


def _directions(n: int, rng: np.random.Generator) -> np.ndarray:
    x = rng.normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def write_two_populations(
    folder: str | Path, galaxy: TwoPopulations | None = None, *, layout: str = "fire2", seed: int = 1
) -> tuple[list[Path], Particles]:
    """Write a galaxy in the folders and files of a public release, and return the snapshot's blocks and the truth.

    Parameters
    ----------
    folder : path
        Of the galaxy; made if it is not there.
    galaxy : TwoPopulations, optional
        The default one.
    layout : str
        ``fire2`` or ``auriga``.
    seed : int
        The same seed gives the same particles.

    Raises
    ------
    UsageError
        An unknown layout.
    OutputError
        A file exists, or cannot be written.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"layout must be one of {', '.join(LAYOUTS)}; got {layout!r}.")
    galaxy, rng = galaxy or TwoPopulations(), np.random.default_rng(seed)
    stars = draw(galaxy, rng)
    dark, gas = _hernquist(galaxy, galaxy.n_dark, rng), _hernquist(galaxy, galaxy.n_gas, rng)
    tilt = np.radians(galaxy.tilt)
    c, s = np.cos(tilt), np.sin(tilt)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    where = {"stars": stars.position, "dark": dark, "gas": gas}
    place = {kind: x @ turn.T + galaxy.centre for kind, x in where.items()}
    motion = stars.velocity @ turn.T + galaxy.velocity
    write = _write_fire2 if layout == "fire2" else _write_auriga
    return write(Path(folder), galaxy, stars, place, motion, rng), stars


def _hernquist(galaxy: TwoPopulations, n: int, rng: np.random.Generator) -> np.ndarray:
    root = np.sqrt(rng.uniform(0, 1, n))
    r = np.minimum(galaxy.scale * root / (1 - root), 5e4)
    return r[:, None] * _directions(n, rng)


def _write_fire2(
    folder: Path, galaxy: TwoPopulations, stars: Particles, place: dict[str, Any], motion: Any, rng: Any
) -> list[Path]:
    n = len(stars.fe_h)
    metals = np.zeros((n, 11), dtype=np.float32)
    metals[:, 10] = SUN_IRON * 10.0**stars.fe_h
    metals[:, 6] = SUN_MAGNESIUM * 10.0 ** (stars.fe_h + stars.mg_fe)
    # another alpha element, which follows magnesium with a scatter of its own
    metals[:, 7] = SUN_SILICON * 10.0 ** (stars.fe_h + SILICON * stars.mg_fe + rng.normal(0, 0.04, n))
    formation = rng.uniform(0.1, 1.0, n)
    ids = np.arange(n, dtype=np.uint32) + 7
    dark_mass = galaxy.dark_particle
    common = {"HubbleParam": HUBBLE, "Time": 1.0}
    parts = {
        "PartType0": {
            "Coordinates": place["gas"] * HUBBLE,
            "Masses": np.full(galaxy.n_gas, galaxy.particle * HUBBLE / 1e10, dtype=np.float32),
        },
        "PartType1": {
            "Coordinates": place["dark"] * HUBBLE,
            "Masses": np.full(galaxy.n_dark, dark_mass * HUBBLE / 1e10, dtype=np.float32),
        },
        "PartType4": {
            "Coordinates": place["stars"] * HUBBLE,
            "Velocities": motion.astype(np.float32),
            "Masses": np.full(n, galaxy.particle * HUBBLE / 1e10, dtype=np.float32),
            "Metallicity": metals,
            "ParticleIDs": ids,
            "StellarFormationTime": formation.astype(np.float32),
        },
    }
    paths = _blocks(folder / "output" / "snapdir_600", "snapshot_600", parts, common)
    # comoving distances of birth: those of satellites are beyond 30 kpc, and many of them within it in physical ones
    born = np.where(stars.accreted, rng.uniform(40, 300, n), rng.gamma(3, 1.5, n).clip(max=29)) * formation
    track = folder / "track"
    write_hdf5(
        track / "host_coordinates.hdf5",
        {"star.id": ids, "star.form.host.distance": (born[:, None] * _directions(n, rng)).astype(np.float32)},
    )
    flag = "\n".join(map(str, stars.accreted.astype(int)))
    save_text(track / "star_exsitu_flag_600.txt", flag)
    return paths


def _write_auriga(
    folder: Path, galaxy: TwoPopulations, stars: Particles, place: dict[str, Any], motion: Any, rng: Any
) -> list[Path]:
    n, wind = len(stars.fe_h), 500
    hydrogen = 0.75
    metals = np.zeros((n + wind, 9), dtype=np.float32)
    metals[:, 0] = hydrogen
    metals[:n, 8] = SUN_RATIOS[8] * hydrogen * 10.0**stars.fe_h
    metals[:n, 6] = SUN_RATIOS[6] * hydrogen * 10.0 ** (stars.fe_h + stars.mg_fe)
    formation = np.concatenate([rng.uniform(0.1, 1.0, n), -rng.uniform(0, 1, wind)])
    ids = rng.permutation(n + wind).astype(np.uint64) + np.uint64(10**12)
    where = np.concatenate([place["stars"], rng.normal(0, 5, (wind, 3)) + galaxy.centre])
    moving = np.concatenate([motion, rng.normal(0, 300, (wind, 3)) + galaxy.velocity])
    dark_mass = galaxy.dark_particle * HUBBLE / 1e10
    common = {"HubbleParam": HUBBLE, "Time": 1.0, "MassTable": np.array([0, dark_mass, 0, 0, 0, 0])}
    parts = {
        "PartType0": {
            "Coordinates": place["gas"] * HUBBLE / 1e3,
            "Masses": np.full(galaxy.n_gas, galaxy.particle * HUBBLE / 1e10, dtype=np.float32),
        },
        "PartType1": {"Coordinates": place["dark"] * HUBBLE / 1e3},
        "PartType4": {
            "Coordinates": where * HUBBLE / 1e3,
            "Velocities": moving.astype(np.float32),
            "Masses": np.full(n + wind, galaxy.particle * HUBBLE / 1e10, dtype=np.float32),
            "GFM_Metals": metals,
            "ParticleIDs": ids,
            "GFM_StellarFormationTime": formation.astype(np.float32),
        },
    }
    paths = _blocks(folder / "output" / "snapdir_127", "snapshot_127", parts, common)
    lists = rng.permutation(np.flatnonzero(stars.accreted))
    # two lists, of which the snapshot's order knows nothing
    half = len(lists) // 2
    here = rng.permutation(np.flatnonzero(~stars.accreted))
    for name, chosen, home in (("126", lists[:half], here[:0]), ("127", lists[half:], here)):
        write_hdf5(
            folder / "lists" / "accretedstardata" / f"halo_1starID_accreted_all_newmtree_{name}.hdf5",
            {
                "Exsitu/ParticleIDs": ids[chosen],
                "Exsitu/AccretedFlag": np.zeros(len(chosen), dtype=np.int32),
                "Insitu/ParticleIDs": ids[home],
            },
        )
    return paths


def _blocks(folder: Path, stem: str, parts: dict[str, Any], header: dict[str, Any], blocks: int = 2) -> list[Path]:
    paths = []
    for block in range(blocks):
        data, counts = {}, np.zeros(6, dtype=np.int32)
        for kind, columns in parts.items():
            for name, x in columns.items():
                rows = np.array_split(np.arange(len(x)), blocks)[block]
                counts[int(kind[-1])] = len(rows)
                if len(rows):  # a block without particles of a type lacks their group
                    data[f"{kind}/{name}"] = x[rows]
        paths.append(folder / f"{stem}.{block}.hdf5")
        write_hdf5(paths[-1], data, {**header, "NumPart_ThisFile": counts, "NumFilesPerSnapshot": blocks})
    return paths
