"""Calibrate the mock's populations: the paper's method on the mock is to give the paper's numbers. Saved as JSON.

Run with: python benchmarks/calibrate_mock.py HISTOGRAMS.npz ALLSTAR.fits ASTRONN.fits [--start NAME | --check]

Parameters are shares, orbits and chemistry of the halo's populations (`PARAMETERS`, each with how far it may go from
where the literature has it); targets are those of `mock_targets`. scipy's `least_squares` minimises squares of the
differences over the tolerances, the largest damped (soft_l1), plus squares of the parameters' own steps. HISTOGRAMS
holds the survey's marginal planes as `docs/mock_chemistry.py` takes them; the catalogues are of real giants.
"""

import argparse
import pathlib
import time
from dataclasses import replace

import mock_pool
import mock_targets as targets
import numpy as np
from record import RESULTS, save
from scipy.optimize import least_squares

from halonmf.halo.mock.family import MODELS, Galaxy
from halonmf.halo.mock.model import Spheroid
from halonmf.halo.survey.prepare import prepare

GSE, AURORA, SPLASH, INNER = "GS/E", "Aurora", "Splash", "inner disc and bar"
EOS = ("Eos (Mg-rich)", "Eos (Mg-poor)")
NUMBER = {GSE: 30_000, AURORA: 22_000, SPLASH: 26_000, INNER: 16_000, EOS[0]: 4000, EOS[1]: 4000}
# (population, what): the step that costs as much as missing a target by its tolerance. Shares are logarithms.
PARAMETERS = {
    (GSE, "share"): 0.4, (AURORA, "share"): 0.5, (SPLASH, "share"): 0.4, (INNER, "share"): 0.4, (EOS, "share"): 0.7,
    (GSE, "E_peak"): 0.08e5, (GSE, "rise"): 0.03e5, (GSE, "fall"): 0.06e5,
    (GSE, "lz_sigma"): 80.0, (GSE, "l_perp_sigma"): 120.0,
    (AURORA, "E_peak"): 0.15e5, (AURORA, "rise"): 0.08e5, (AURORA, "fall"): 0.06e5,
    (AURORA, "lz_mean"): 150.0, (AURORA, "lz_sigma"): 150.0, (AURORA, "l_perp_sigma"): 150.0,
    (SPLASH, "E_peak"): 0.10e5, (SPLASH, "rise"): 0.08e5, (SPLASH, "fall"): 0.04e5,
    (SPLASH, "lz_mean"): 150.0, (SPLASH, "lz_sigma"): 150.0, (SPLASH, "l_perp_sigma"): 150.0,
    (INNER, "rise"): 0.1e5, (INNER, "fall"): 0.04e5, (INNER, "lz_sigma"): 60.0, (INNER, "l_perp_sigma"): 60.0,
    (EOS, "E_peak"): 0.06e5, (EOS, "fall"): 0.03e5, (EOS, "al"): 0.03,
    (GSE, "fe"): 0.05, (GSE, "fe_low"): 0.10, (GSE, "fe_high"): 0.10, (GSE, "al"): 0.03, (GSE, "al_tilt"): 0.05,
    (GSE, "al_scatter"): 0.02, (GSE, "mg"): 0.02, (GSE, "mg_tilt"): 0.05, (GSE, "mg_scatter"): 0.015,
    (AURORA, "fe"): 0.08, (AURORA, "fe_low"): 0.15, (AURORA, "al_later"): 0.10, (AURORA, "al_low"): 0.08,
    (AURORA, "al_high"): 0.05, (AURORA, "al_scatter"): 0.03, (AURORA, "mg"): 0.03,
    (SPLASH, "fe"): 0.05, (SPLASH, "fe_low"): 0.15, (SPLASH, "fe_high"): 0.15, (SPLASH, "al"): 0.03,
    (SPLASH, "mg"): 0.015, (SPLASH, "al_scatter"): 0.02, (SPLASH, "mg_scatter"): 0.01,
    (INNER, "fe"): 0.06, (INNER, "fe_low"): 0.15, (INNER, "al"): 0.03, (INNER, "mg"): 0.015,
}  # fmt: skip
_POSITIVE = ("rise", "fall", "lz_sigma", "l_perp_sigma", "al_scatter", "mg_scatter")
MARGINAL, ENERGY = 0.03, (0.04, 0.025, 0.05)
"""Tolerances: of shares in the marginal planes; of the giants' energies at 10, 50 and 90 %, 1e5 km2/s2."""
STEP, DAMPED = 0.5, 3.0
"""The step of the slopes, in parameters' steps; the miss, in tolerances, from which on its square counts less."""
DISTANCES = np.linspace(0.5, 5.25, 11)


def changed(galaxy, steps):
    """Return the galaxy with every parameter moved by its step, in the parameter's own unit."""
    made = []
    for population in galaxy.populations:
        mine = {
            what: step for (whose, what), step in zip(PARAMETERS, steps, strict=True)
            if population.name == whose or (population.name in whose and isinstance(whose, tuple))
        }  # fmt: skip
        made.append(moved(population, mine))
    return Galaxy(galaxy.about, normalised(made))


def normalised(populations):
    """Let the thin disc take up what the shares of the others leave of one."""
    rest = sum(p.share for p in populations[:-1])
    return (*populations[:-1], replace(populations[-1], share=1 - rest))


def moved(population, steps):
    """Return one population with its parameters moved."""
    if not steps:
        return population
    c, orbits = population.chemistry, population.orbits
    for what, step in steps.items():
        if hasattr(orbits, what):
            orbits = replace(orbits, **{what: taken(getattr(orbits, what), what, step)})
        elif what.endswith("scatter"):
            c = replace(c, **{what: taken(getattr(c, what), what, step)})
    fe_h = np.array(c.fe_h)
    middle = np.interp(0.5, *fe_h.T)
    for what, side in (("fe_low", fe_h[:, 1] < middle), ("fe_high", fe_h[:, 1] > middle)):
        fe_h[side, 1] = middle + (fe_h[side, 1] - middle) * np.exp(steps.get(what, 0.0))
    fe_h[:, 1] += steps.get("fe", 0.0)
    al, mg = np.array(c.al_fe), np.array(c.mg_fe)
    for track, name in ((al, "al"), (mg, "mg")):
        track[:, 1] += steps.get(name, 0.0) + steps.get(f"{name}_tilt", 0.0) * (track[:, 0] + 1.2)
    al[:, 0] += steps.get("al_later", 0.0)
    rich = np.clip((al[:, 0] - al[0, 0]) / np.ptp(al[:, 0]), 0, 1)
    al[:, 1] += steps.get("al_low", 0.0) * (1 - rich) + steps.get("al_high", 0.0) * rich
    c = replace(c, fe_h=knots(fe_h), al_fe=knots(al), mg_fe=knots(mg))
    return replace(population, share=population.share * np.exp(steps.get("share", 0.0)), orbits=orbits, chemistry=c)


def taken(value, what, step):
    """Return a moved parameter; those that must be positive are moved by a factor."""
    return value * np.exp(step / value) if what in _POSITIVE else value + step


def knots(array):
    return tuple(map(tuple, array.tolist()))


class Survey:
    """Pools of one galaxy's stars, and the targets they are compared with."""

    def __init__(self, galaxy, files, seed, discs=20_000):
        self.galaxy = galaxy
        with np.load(files.histograms) as file:
            reference = dict(file)
        names = {"AL_FE": ("Al", "AlFe"), "MG_FE": ("Mg", "MgFe")}
        self.edges = {e: (reference[f"edges_FeH_{a}"], reference[f"edges_{b}"]) for e, (a, b) in names.items()}
        planes = {e: (reference[f"counts_{a}"].astype(float), *self.edges[e]) for e, (a, _) in names.items()}
        table = prepare(files.allstar, files.astronn).table
        columns = {"E": "E", "Lz": "Lz", "ecc": "ecc", "distance": "distance", "LOGG": "LOGG"}
        giants = {n: np.asarray(getattr(table[c], "value", table[c]), float) for n, c in columns.items()}
        giants |= {n: np.asarray(table[n], float) for n in mock_pool.NAMES}
        halo = (giants["Lz"] < 0) | (giants["ecc"] > 0.7)
        self.distances = DISTANCES, np.histogram(giants["distance"][halo], DISTANCES)[0]
        self.targets = dict(targets.PAPER)
        self.targets |= {name: (x, MARGINAL) for name, x in targets.of_planes(planes).items()}
        real = targets.of_giants(giants, np.ones(len(halo)), self.distances)
        self.targets |= {name: (x, ENERGY[i % 3]) for i, (name, x) in enumerate(real.items())}
        self.pools = mock_pool.pools(galaxy, NUMBER, seed, discs)

    def numbers(self, galaxy):
        """Return the mock's numbers by the names of the targets, and what is true of it."""
        stars, weight, accreted, effective = mock_pool.stacked(self.pools, galaxy, thinned=True)
        found = targets.of_paper(stars, weight) | targets.of_giants(stars, weight, self.distances)
        everyone, all_weight, _, _ = mock_pool.stacked(self.pools, galaxy, thinned=False)
        found |= targets.of_planes(targets.plane_counts(everyone, all_weight, self.edges))
        chosen = (stars["Lz"] < 0) | (stars["ecc"] > 0.7)
        fraction = (weight * accreted)[chosen].sum() / weight[chosen].sum()
        return found, {"true_fraction": float(fraction), "effective": {n: float(x) for n, x in effective.items()}}

    def off(self, found):
        """Return how far each target is missed, in tolerances."""
        return np.array([(found[name] - x) / tolerance for name, (x, tolerance) in self.targets.items()])

    def misses(self, steps):
        """Return what is squared and summed, the parameters' own steps included."""
        units = np.array(list(PARAMETERS.values()))
        off = self.off(self.numbers(changed(self.galaxy, steps * units))[0])
        # soft_l1 for the targets alone: what no halo of these populations can meet must not bend the rest
        return np.concatenate([np.sign(off) * DAMPED * np.sqrt(2 * (np.sqrt(1 + (off / DAMPED) ** 2) - 1)), steps])


def improved(survey, rounds, tell=print):
    """Return the galaxy that the optimiser ends at."""
    started, best = time.monotonic(), []

    def fun(steps):
        found = survey.misses(steps)
        best.append((0.5 * float(found @ found), steps))
        if len(best) % len(PARAMETERS) == 0:
            tell(f"{len(best)} trials, least cost {min(best, key=lambda x: x[0])[0]:.2f}", flush=True)
        return found

    def slopes(steps):
        # a star that changes its bin makes a jump: finite steps of half of a parameter's own average over many
        sides = [[fun(steps + sign * STEP * one) for sign in (1, -1)] for one in np.eye(len(steps))]
        return np.stack([(above - below) / (2 * STEP) for above, below in sides], axis=1)

    found = least_squares(fun, np.zeros(len(PARAMETERS)), slopes, max_nfev=rounds, ftol=1e-3, xtol=1e-3)
    cost, steps = min(best, key=lambda trial: trial[0])
    tell(f"cost {best[0][0]:.1f} -> {cost:.1f} in {time.monotonic() - started:.0f} s: {found.message}", flush=True)
    return changed(survey.galaxy, steps * np.array(list(PARAMETERS.values())))


def rounded(population):
    """Return a population with as many digits as it is written down with in `halo.mock.fair`."""
    c, orbits = population.chemistry, population.orbits
    if isinstance(orbits, Spheroid):
        digits = {"E_peak": -2, "rise": -2, "fall": -2}
        orbits = replace(orbits, **{n: round(x, digits.get(n, 0)) for n, x in vars(orbits).items()})
    tracks = {n: tuple((round(x, 2), round(y, 3)) for x, y in getattr(c, n)) for n in ("fe_h", "mg_fe", "al_fe")}
    scatter = {n: round(getattr(c, n), 3) for n in ("mg_scatter", "al_scatter")}
    return replace(
        population, share=round(population.share, 5), orbits=orbits, chemistry=replace(c, **tracks, **scatter)
    )


def code(population):
    """Return a population as `halo.mock.fair` has it."""
    c, o = population.chemistry, population.orbits
    energies = ", ".join(f"{n}={getattr(o, n) / 1e5:.3f}e5" for n in ("E_peak", "rise", "fall"))
    momenta = ", ".join(f"{n}={x:.0f}.0" for n, x in vars(o).items() if "l" in n.split("_") or "lz" in n)
    tracks = "".join(f"        {n}={getattr(c, n)},\n" for n in ("fe_h", "mg_fe", "al_fe", "mg_scatter", "al_scatter"))
    return (
        f'Population(\n    "{population.name}",\n    "{population.origin}",\n    {population.share},\n'
        f"    Spheroid({energies}, {momenta}),\n    Chemistry(\n{tracks}    ),\n)"
    )


def table(survey, before, after):
    """Return rows of name, target, tolerance, before, after."""
    return [
        {"name": name, "target": x, "tolerance": tolerance, "before": before[name], "after": after[name]}
        for name, (x, tolerance) in survey.targets.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("histograms", type=pathlib.Path)
    parser.add_argument("allstar", type=pathlib.Path)
    parser.add_argument("astronn", type=pathlib.Path)
    parser.add_argument("--start", default="paper-truth", choices=MODELS)
    parser.add_argument("--check", action="store_true", help="fit nothing; compare the mock called fair")
    parser.add_argument("--passes", type=int, default=3, help="times that the stars are drawn again where one ended")
    parser.add_argument("--rounds", type=int, default=20, help="trial steps of the optimiser in a pass")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "calibrate_mock.json")
    options = parser.parse_args()
    galaxy = MODELS["fair"] if options.check else MODELS[options.start]
    survey = Survey(MODELS[options.start], options, options.seed)
    before, truth_before = survey.numbers(MODELS[options.start])
    for again in range(0 if options.check else options.passes):
        if again:
            survey = Survey(galaxy, options, options.seed + again)
        galaxy = improved(survey, options.rounds)
        print(survey.numbers(galaxy)[1], flush=True)
    galaxy = Galaxy(galaxy.about, normalised([rounded(p) for p in galaxy.populations[:-1]] + [galaxy.populations[-1]]))
    check = Survey(galaxy, options, options.seed + options.passes)
    after, truth = check.numbers(galaxy)
    rows = table(check, before, after)
    for row in rows:
        print("{name:44s} {target:8.3f} +- {tolerance:5.3f}  {before:8.3f} -> {after:8.3f}".format(**row))
    print(f"true accreted fraction {truth_before['true_fraction']:.4f} -> {truth['true_fraction']:.4f}")
    for population in galaxy.populations:
        if isinstance(population.orbits, Spheroid):
            print(code(population))
    figures = {"rows": rows, "true_fraction": [truth_before["true_fraction"], truth["true_fraction"]]}
    figures["misses"] = [float((survey.off(x) ** 2).mean() ** 0.5) for x in (before, after)]
    figures["populations"] = [repr(p) for p in galaxy.populations]
    settings = {
        "check": options.check,
        "start": options.start,
        "passes": options.passes,
        "rounds": options.rounds,
        "seed": options.seed,
    }
    inputs = [options.histograms, options.allstar, options.astronn]
    save(options.output, figures, "benchmarks/calibrate_mock.py", settings, inputs=inputs, device="cpu")


if __name__ == "__main__":
    main()
