"""How close the orbits are to AGAMA's, and how fast: a table over backends, saved as JSON.

Run with: python benchmarks/orbits.py REFERENCE.ecsv; galpy takes part where it is installed.

The reference holds phase-space points (x, y, z, vx, vy, vz) with AGAMA's agama_energy, agama_jr, agama_jz, agama_jphi
and agama_orbit_ecc, such as ../shared/reference/kinematics_mcmillan17.ecsv.
"""

import argparse
import importlib.util
import pathlib
import time

import numpy as np
from astropy import units as u
from astropy.table import QTable
from record import RESULTS, save

from halonmf.halo.orbits import kinematics as orbits

KM_S = u.km / u.s
RADIAL = 0.7  # the halo's cut in eccentricity
MANY = 20_000  # stars that speeds are measured with


def phase_space(table):
    position = np.stack([table[name].to_value(u.kpc) for name in ("x", "y", "z")], axis=1) * u.kpc
    velocity = np.stack([table[name].to_value(KM_S) for name in ("vx", "vy", "vz")], axis=1) * KM_S
    return position, velocity


def errors(table, backend, eccentricity):
    """Differences to AGAMA: energies in km2 / s2, actions as parts of J_r + J_z + |J_phi|."""
    found = orbits.kinematics(*phase_space(table), backend=backend, eccentricity=eccentricity)
    total = (table["agama_jr"] + table["agama_jz"] + np.abs(table["agama_jphi"])).value
    E = (found["E"] - table["agama_energy"]).value
    theirs = np.asarray(table["agama_orbit_ecc"])
    ecc = np.asarray(found["ecc"]) - theirs
    row = {
        "backend": backend,
        "eccentricity": eccentricity,
        "E_max": np.abs(E).max(),
        "E_rms": rms(E),
        "E_median": np.median(E),
        "E_std": E.std(),
        "ecc_rms": rms(ecc),
        "ecc_median": np.median(ecc),
        "ecc_max": np.abs(ecc).max(),
        "other_side_of_0.7": int(((np.asarray(found["ecc"]) > RADIAL) != (theirs > RADIAL)).sum()),
    }
    for action, name in (("J_r", "agama_jr"), ("J_z", "agama_jz")):
        off = np.abs(found[action].value - table[name].value) / total
        row |= {f"{action}_median": np.median(off), f"{action}_max": off.max(), f"{action}_rms": rms(off)}
    return {key: float(value) if isinstance(value, np.floating) else value for key, value in row.items()}


def rms(x):
    return np.sqrt(np.mean(x**2))


def seconds(function, rounds=3):
    """Least time of the processor, which other work on the machine does not lengthen."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "orbits.json")
    options = parser.parse_args()
    table = QTable.read(options.reference)
    few, many = table[:3], table[np.arange(MANY) % len(table)]
    has_galpy = importlib.util.find_spec("galpy") is not None
    speeds = {}
    rows = []
    for backend in ("builtin", "galpy") if has_galpy else ("builtin",):
        start = time.process_time()
        orbits.kinematics(*phase_space(few), backend=backend)
        speeds[f"{backend}_start_s"] = time.process_time() - start
        for eccentricity, sample in (("staeckel", many), ("orbit", table)):
            if backend == "galpy" and eccentricity == "orbit":
                continue  # the builtin's own integration, whatever the backend
            if backend == "galpy":
                sample = table
            rows.append(errors(table, backend, eccentricity))
            where = phase_space(sample)
            speeds[f"{backend}_{eccentricity}_ms_per_star"] = (
                1e3
                / len(sample)
                * seconds(lambda w=where, b=backend, e=eccentricity: orbits.kinematics(*w, backend=b, eccentricity=e))
            )
            print(rows[-1])
    ratios = {"orbit_over_staeckel": speeds["builtin_orbit_ms_per_star"] / speeds["builtin_staeckel_ms_per_star"]}
    if has_galpy:
        ratios["galpy_over_builtin_staeckel"] = (
            speeds["galpy_staeckel_ms_per_star"] / speeds["builtin_staeckel_ms_per_star"]
        )
        ratios["galpy_over_builtin_start"] = speeds["galpy_start_s"] / speeds["builtin_start_s"]
        ratios["galpy_over_builtin_J_r_median"] = rows[-1]["J_r_median"] / rows[0]["J_r_median"]
    print(speeds, ratios)
    figures = {"n_orbits": len(table), "rows": rows, "ratios": ratios, "speeds": speeds}
    save(options.output, figures, "benchmarks/orbits.py", {"many": MANY}, inputs=[options.reference], device="cpu")


if __name__ == "__main__":
    main()
