"""What a fit finds of a simulated galaxy of known truth that is observed: purity and completeness; saved as JSON.

Galaxies of two populations (halo/mock/two_populations.py) are written in the layout of FIRE-2 and read, observed,
fitted and scored as `halonmf observe` does. With the prepared stars of a mock survey, energies and orbits in McMillan
(2017) are compared with those in its multipoles.

Run with: python benchmarks/galaxies.py [--stars stars.fits]
"""

import argparse
import pathlib
import tempfile
import time

import numpy as np
from record import RESULTS, save
from scipy.interpolate import CubicSpline
from scipy.special import eval_legendre

from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mock.two_populations import TwoPopulations, write_two_populations
from halonmf.halo.orbits.mcmillan17 import table
from halonmf.halo.simulations.gravity import ORDER, RADII, G, Multipoles, extent, multipoles, tabulated
from halonmf.halo.simulations.observe import observe
from halonmf.halo.simulations.particles import read_galaxy
from halonmf.halo.simulations.recovery import recover, settings_for
from halonmf.halo.simulations.settings import ObserveSettings
from halonmf.halo.stars.catalogue import read_catalogue
from halonmf.halo.stars.variables import values

SEEDS = (1, 2, 3)
RANGES = {"MG_FE": (-0.2, 0.5), "SI_FE": (-0.2, 0.5)}
CASES = {
    "default": ({}, {}),
    "three components": ({}, {"components": 3}),
    "Kullback-Leibler": ({}, {"loss": "kullback-leibler"}),
    "magnesium and silicon": ({}, {"planes": ("MG_FE:FE_H", "SI_FE:FE_H"), "ranges": RANGES}),
    "kinematically pure": ({}, {"selection": "kinematically-pure"}),
    "no errors": ({"distance_error": 0, "pm_error": 0, "rv_error": 0, "fe_h_error": 0, "x_fe_error": 0}, {}),
    "the Milky Way's potential": ({"potential": "milky-way"}, {}),
}
"""How a galaxy is observed and fitted, besides the defaults."""


def one(galaxy, seed, seen, chosen):
    """Return the scores of one galaxy, observed and fitted one way."""
    stars = observe(galaxy, ObserveSettings(seed=seed, **seen))
    found = fit(stars, settings_for(stars, FitSettings.of(device="cpu", seed=seed, **chosen)))
    result = recover(found, stars)
    return {
        "n_stars": len(result.accreted),
        "true_fraction": result.true_fraction,
        "accreted_fraction": found.accreted_fraction,
        **{f"{kind}_{name}": x for kind, score in (("fit", result.score), ("known", result.best))
           for name, x in vars(score).items()},
        "rms": {name: result.rms(name) for name in result.profiles},
        "verdict": found.verdict.line,
    }  # fmt: skip


def truncated(path):
    """Return what the multipoles of McMillan (2017) up to l = 16 change of energies and orbits of prepared stars."""
    stars = read_catalogue(path).table
    r = np.geomspace(*RADII)
    nodes, weights = np.polynomial.legendre.leggauss(600)
    cosine, weights = 0.5 * (nodes + 1), 0.5 * weights
    degrees = np.arange(0, ORDER + 1, 2)
    P = np.stack([(2 * degree + 1) * weights * eval_legendre(degree, cosine) for degree in degrees])
    terms = np.stack([P @ table().potential(x * np.sqrt(1 - cosine**2), x * cosine) for x in r])
    potential = tabulated(Multipoles(CubicSpline(np.log(r), terms), -terms[-1, 0] * r[-1] / G, 0))
    x, v = (np.stack([np.asarray(stars[n].value, dtype=float) for n in names], axis=1)
            for names in (("x", "y", "z_gal"), ("v_x", "v_y", "v_z")))  # fmt: skip
    E = potential.potential(np.hypot(x[:, 0], x[:, 1]), x[:, 2]) + 0.5 * (v**2).sum(axis=1)
    found = extent(potential, x, v)
    ours, theirs, Lz = (
        (found.r_apo - found.r_peri) / (found.r_apo + found.r_peri),
        values(stars, "e"),
        values(stars, "Lz"),
    )
    good = np.isfinite(ours) & np.isfinite(theirs)
    both = [(Lz[good] < 0) | (e[good] > 0.7) for e in (ours, theirs)]
    return {
        "n_stars": int(good.sum()),
        "energy_rms": float(np.sqrt(np.mean((E - values(stars, "E"))[good] ** 2))),
        "eccentricity_rms": float(np.sqrt(np.mean((ours - theirs)[good] ** 2))),
        "chosen": int(both[1].sum()),
        "chosen_by_both": int((both[0] & both[1]).sum()),
        "chosen_by_ours_alone": int((both[0] & ~both[1]).sum()),
    }


def seconds_of(n=5_000_000):
    """Return the seconds that the potential of so many particles takes."""
    x = np.random.default_rng(0).normal(0, 30, (n, 3))
    start = time.perf_counter()
    multipoles([(x, np.ones(n))])
    return time.perf_counter() - start


def rule(folder, paths):
    """Return the accreted fraction of a galaxy by the comoving and the physical rule."""
    text = (pathlib.Path(__file__).parents[1] / "halo" / "simulations" / "fire2.toml").read_text()
    other = folder / "physical.toml"
    other.write_text(text.replace('"comoving"', '"physical"'))
    return {name: float(np.mean(read_galaxy(paths, mapping).table["accreted"]))
            for name, mapping in (("comoving", "fire2"), ("physical", other))}  # fmt: skip


def sentences(found):
    """Return what docs/simulations.md says of them."""
    rules = {name: f"{100 * x:.1f} %" for name, x in found["accreted_by_rule"].items()}
    lines = [
        f"{rules['comoving']} of its stars are accreted by the comoving rule, {rules['physical']} by the physical one"
    ]
    for name, rows in found["rows"].items():
        cells = [
            percent([row[key] for row in rows])
            for key in ("true_fraction", "accreted_fraction", "fit_purity", "fit_completeness", "known_purity",
                        "known_completeness")
        ]  # fmt: skip
        rms = [row["rms"]["r"] for row in rows]
        lines.append(f"| {name} | {' | '.join(cells)} | {min(rms):.2f} to {max(rms):.2f} |")
    e = found["truncated"]
    lines += [
        f"change energies by {e['energy_rms']:.0f} km2/s2 rms and eccentricities by {e['eccentricity_rms']:.4f} rms",
        f"of {e['chosen']:,} chemically pure stars {100 * e['chosen_by_both'] / e['chosen']:.1f} % stay so",
        f"stars that become so: {e['chosen_by_ours_alone']}",
        f"Five million particles take {found['seconds_of_5e6_particles']:.0f} s",
    ]
    verdicts = [row["verdict"] for rows in found["rows"].values() for row in rows]
    sound = sum(verdict.startswith("sound") for verdict in verdicts)
    lines.append(f"The verdict calls {sound} of these {len(verdicts)} fits sound")
    return lines


def percent(numbers):
    low, high = (f"{100 * x:.0f}" for x in (min(numbers), max(numbers)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stars", type=pathlib.Path, help="Prepared stars of a mock survey.")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "galaxies.json")
    options = parser.parse_args()
    rows, rules = {name: [] for name in CASES}, {}
    for seed in SEEDS[: options.seeds]:
        with tempfile.TemporaryDirectory() as folder:
            paths, _ = write_two_populations(folder, seed=seed)
            galaxy = read_galaxy(paths, "fire2")
            rules = rules or rule(pathlib.Path(folder), paths)
            for name, (seen, chosen) in CASES.items():
                rows[name].append(one(galaxy, seed, seen, chosen))
                print(seed, name, {k: v for k, v in rows[name][-1].items() if k != "rms"}, flush=True)
    figures = {"rows": rows, "accreted_by_rule": rules, "seconds_of_5e6_particles": seconds_of()}
    if options.stars is not None:
        figures["truncated"] = truncated(options.stars)
    print({name: x for name, x in figures.items() if name != "rows"})
    inputs = [] if options.stars is None else [options.stars]
    settings = {"galaxy": TwoPopulations(), "cases": CASES}
    save(options.output, figures, "benchmarks/galaxies.py", settings, inputs=inputs, seeds=SEEDS, device="cpu")


if __name__ == "__main__":
    main()
