"""What the mock survey says of memberships, stability, planted streams and sub-populations: figures, saved as JSON.

Run with: python benchmarks/populations.py [--stars 60000] [--seed 1]
"""

import argparse
import pathlib
import tempfile
from dataclasses import replace

import numpy as np
from record import RESULTS, save

from halonmf.halo.checks.injection import inject
from halonmf.halo.checks.stability import KINDS, stability
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mock import survey as mock
from halonmf.halo.mock.truth import read_truth
from halonmf.halo.populations.aurora import aurora
from halonmf.halo.populations.bifurcation import bifurcation
from halonmf.halo.populations.regions import read_regions, region_energies
from halonmf.halo.products.four import split
from halonmf.halo.products.memberships import memberships, reliability
from halonmf.halo.stars.selection import choose
from halonmf.halo.survey.prepare import prepare

OUTPUT = RESULTS / "populations.json"
SETTINGS = FitSettings.of(device="cpu")


def of_memberships(made, table, truth):
    """How reliable P_HE is as the probability of being accreted, and how often true above 0.9 and from 0.5 to 0.9."""
    result = memberships(made, table)
    p, accreted = result.probability[:, -1], read_truth(truth, result.stars).accreted
    found = reliability(p, accreted)
    return {
        "n_stars": len(p),
        "brier": found.brier,
        "brier_base": found.brier_base,
        "calibration": found.calibration,
        "accreted_above_0.9": float(accreted[p > 0.9].mean()),
        "accreted_from_0.5_to_0.9": float(accreted[(p > 0.5) & (p <= 0.9)].mean()),
    }


def of_stability(table):
    """Numbers of fits, least cosines and the scatter of the mass fractions, by what was changed."""
    result = stability(table, SETTINGS)
    return {
        kind: {
            "fits": result.kind.count(kind),
            "converged": int(result.of(kind).sum()),
            "least_cosine": result.least_cosine(kind),
            "std": result.spread(kind).tolist(),
        }
        for kind in KINDS
    }


def of_injection(table):
    """How few stars of a stream are found, by the share of the bins that it spans."""
    result = inject(table, SETTINGS)
    return {
        "spanned": result.spanned.tolist(),
        "fewest": result.fewest.tolist(),
        "contrast": result.contrast.tolist(),
        "narrowest": result.narrowest(),
        "null": result.null,
    }


def of_populations(made, table, truth):
    """What lies in each region in truth, which is most like Eos, and the branches of both kinds of Eos in truth."""
    stars, _ = choose(table, SETTINGS.selection)
    population = read_truth(truth, stars).population
    regions = read_regions()
    energies, branches = region_energies(stars, regions), bifurcation(stars)
    four = split(made, table)
    branch = aurora(four.fit, stars, "LE1", bins=made.mixtures.bins)
    inside = {name: population[region.select(stars)] for name, region in regions.items()}
    J_r = np.asarray(stars["J_r"])
    ratio = branch.drawn_std / branch.removed_std
    return {
        "purity": {name: float(np.char.startswith(found, name).mean()) for name, found in inside.items()},
        "distance": dict(zip(energies.names, energies.distance.tolist(), strict=True)),
        "nearest": energies.nearest,
        "J_r": dict(zip(("above", "below"), branches.statistics.tolist(), strict=True)),
        "true_J_r": {
            name: [float(np.median(x)), float(x.mean()), float(x.std(ddof=1))]
            for name in ("Eos (Mg-rich)", "Eos (Mg-poor)")
            for x in [J_r[population == name]]
        },
        "aurora": {"cut_off": branch.cut_off, "bins": int(np.isfinite(branch.al_fe).sum())},
        "bootstrap_over_removal": {"al_fe": float(np.nanmedian(ratio[0])), "fe_h": float(np.nanmedian(ratio[1]))},
    }


def shifted(regions, dx, dy):
    """Return the regions moved in their planes by (dx, dy) dex."""
    return {name: replace(region, polygon=region.polygon + np.array([dx, dy])) for name, region in regions.items()}


def of_choices(made, table, truth):
    """What becomes of the headline numbers when a choice that the paper leaves open is made otherwise."""
    stars, _ = choose(table, SETTINGS.selection)
    regions, steps = read_regions(), [(dx, dy) for dx in (-0.05, 0, 0.05) for dy in (-0.03, 0, 0.03)]
    moved = [region_energies(stars, shifted(regions, *step), draws=1) for step in steps]
    wide = [region_energies(stars, regions, E_range=span, draws=1) for span in ((-3e5, -0.5e5), (-2.2e5, -1.2e5))]
    branches = {
        "as chosen": bifurcation(stars),
        "line 0.02 higher": bifurcation(stars, line=((-0.9, 0.195), (-0.2, 0.215))),
        "line 0.02 lower": bifurcation(stars, line=((-0.9, 0.155), (-0.2, 0.175))),
        "no region": bifurcation(stars, None),
    }
    scores = {}
    for counts in (0.1, 1.0, 10.0):
        result = memberships(made, table, prior_counts=counts)
        scores[str(counts)] = reliability(result.probability[:, -1], read_truth(truth, result.stars).accreted).brier
    four = split(made, table).fit
    low = four.names.index("LE1")
    branch = {
        f"mask above {share:.0%}": aurora(four, low, stars, made.mixtures.bins, share=share, iterations=2).cut_off[0]
        for share in (0.02, 0.05, 0.1)
    }
    streams = {str(x): inject(table, SETTINGS, threshold=x).narrowest() for x in (0.7, 0.8, 0.9)}
    return {
        "nearest_of_moved_regions": [found.nearest for found in moved],
        "nearest_of_other_energies": [found.nearest for found in wide],
        "J_r_medians": {name: found.statistics[:, 0].tolist() for name, found in branches.items()},
        "brier": scores,
        "cut_off": branch,
        "narrowest": streams,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stars", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = mock.make(folder, n_stars=options.stars, seed=options.seed)
        table = prepare(paths.allstar, paths.astronn, paths.members).table
        made = fit(table, SETTINGS)
        figures = {
            "memberships": of_memberships(made, table, paths.truth),
            "stability": of_stability(table),
            "injection": of_injection(table),
            "populations": of_populations(made, table, paths.truth),
            "choices": of_choices(made, table, paths.truth),
        }
    for name, found in figures.items():
        print(name, found)
    settings = {"stars": options.stars, "seed": options.seed, "fit": SETTINGS}
    save(options.output, figures, "benchmarks/populations.py", settings, seeds=[options.seed], device="cpu")


if __name__ == "__main__":
    main()
