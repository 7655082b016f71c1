"""How often the bootstrap's intervals hold what they are to hold, over many independent mock skies; saved as JSON.

Every sky is a mock survey of its own: stars drawn from the mock's populations, observed with their errors, cut and put
on orbits (`mock_expected.expected`, one survey each; no files are written). The scatter of the estimates over skies is
the true sampling error, their mean what an interval is to cover.

Run with: python benchmarks/coverage.py [--skies 200] [--stars 60000] [--replicates 400]
"""

import argparse
import pathlib
from dataclasses import replace

import numpy as np
from record import RESULTS, save

from halonmf.halo.fits.intervals import TYPES, Ordered, bias, standard_error
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mock.expected import expected
from halonmf.halo.replicates.replicate import Stars, begin, reduce
from halonmf.halo.replicates.setup import Setup

FIRST_SEED = 1000
SETUP = Setup(FitSettings.of(device="cpu"))
SCHEMES = ("multinomial", "poisson", "delete")
COVERAGES = (0.68, 0.95)
# product, place in it, name in the results
NUMBERS = (
    ("mass_fraction", (1,), "HE mass fraction"),
    ("mean_fraction", (1,), "HE mean over bins"),
    ("mean_energy", (1,), "HE mean energy"),
    ("crossing_E", (0,), "50 % crossing in E"),
    ("crossing_r", (0,), "50 % crossing in r"),
    ("fraction_E", (10, 1), "HE fraction at -1.71e5"),
    ("percentile_FE_H", (1, 1), "HE median [Fe/H]"),
    ("percentile_AL_FE", (1, 1), "HE median [Al/Fe]"),
)


def numbers(products):
    """The numbers that are looked at, of a base (numbers,) or of replicates (B, numbers)."""
    return np.stack([products[name][(..., *at)] for name, at, _ in NUMBERS], axis=-1)


def sky(seed, stars, replicates, few):
    """One sky: the estimates, and replicates by scheme; with redrawn edges `few` of them."""
    table = Stars(expected(stars, seed=seed, oversample=1))
    drawn = {}
    for scheme in SCHEMES:
        base = begin(table, replace(SETUP, scheme=scheme))
        found = reduce(base, 0, replicates if scheme == "multinomial" else replicates // 2)
        good = (found["status"] == 0) & ~found["refused"]
        drawn[scheme] = numbers(found)[good]
        if scheme == "delete":
            factor = float(base.coordinates["delete_factor"])
    if few:
        drawn["redrawn edges"] = numbers(reduce(begin(table, replace(SETUP, edges="redrawn")), 0, few))
    return numbers(base.products), drawn, factor, len(base.sample)


def held(estimates, drawn, mean):
    """Share of skies whose interval holds the mean, by type, coverage and number."""
    found = {}
    for name, kind in TYPES.items():
        for coverage in COVERAGES:
            inside = []
            for estimate, replicates in zip(estimates, drawn, strict=True):
                low, high = kind(Ordered.of(replicates), estimate, coverage)
                # a number that a sky does not have cannot be held
                inside.append(np.where(np.isfinite(low + high), (low <= mean) & (mean <= high), np.nan))
            found[f"{name} {coverage:.0%}".replace("%", " %")] = np.nanmean(inside, axis=0)
    return found


def summary(estimates, drawn, factors):
    """Everything that is saved, by number."""
    mean, true = np.nanmean(estimates, axis=0), np.nanstd(estimates, axis=0, ddof=1)
    multinomial = drawn["multinomial"]
    coverage = held(estimates, multinomial, mean)
    scatter = {}
    for scheme, skies in drawn.items():
        scatter[scheme] = np.nanmean([standard_error(x) for x in skies], axis=0)
    biases = np.nanmean([bias(x, e) for x, e in zip(multinomial, estimates, strict=True)], axis=0)
    rows = []
    for i, (_, _, name) in enumerate(NUMBERS):
        rows.append(
            {
                "number": name,
                "mean": mean[i],
                "true_scatter": true[i],
                "missing": int(np.isnan(estimates[:, i]).sum()),
                "scatter": {scheme: x[i] for scheme, x in scatter.items()},
                "ratio": {scheme: x[i] / true[i] for scheme, x in scatter.items()},
                "scaled_delete_ratio": scatter["delete"][i] * np.mean(factors) / true[i],
                "measured_delete_factor": scatter["multinomial"][i] / scatter["delete"][i],
                "bootstrap_bias": biases[i],
                "bootstrap_bias_in_scatter": biases[i] / true[i],
                "coverage": {kind: x[i] for kind, x in coverage.items()},
            }
        )
    return rows


def best(rows):
    """The type of interval that at worst, over the numbers, holds the most: 68 % are to be 68 % whatever is asked."""
    return max(TYPES, key=lambda kind: min(row["coverage"][f"{kind} 68 %"] for row in rows))


def rounded(named):
    return {name: round(float(x), 3) for name, x in named.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skies", type=int, default=200)
    parser.add_argument("--stars", type=int, default=60_000, help="rows of each survey")
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--few", type=int, nargs=2, default=(40, 60), help="skies and replicates with redrawn edges")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "coverage.json")
    options = parser.parse_args()
    estimates, factors, sizes, drawn = [], [], [], {}
    for i in range(options.skies):
        few = options.few[1] if i < options.few[0] else 0
        estimate, found, factor, size = sky(FIRST_SEED + i, options.stars, options.replicates, few)
        estimates.append(estimate)
        factors.append(factor)
        sizes.append(size)
        for scheme, x in found.items():
            drawn.setdefault(scheme, []).append(x)
        if (i + 1) % 10 == 0:
            print(f"{i + 1} skies", flush=True)
    rows = summary(np.array(estimates), drawn, factors)
    for row in rows:
        print(
            row["number"], {k: round(v, 3) for k, v in row["ratio"].items()}, round(row["bootstrap_bias_in_scatter"], 2)
        )
        print("   ", {k: round(v, 3) for k, v in row["coverage"].items()})
    print("holds most at worst:", best(rows))
    settings = {
        "skies": options.skies, "stars": options.stars, "replicates": options.replicates, "setup": SETUP,
        "few": options.few, "first_seed": FIRST_SEED,
    }  # fmt: skip
    figures = {
        "skies": options.skies,
        "stars_chosen": [int(min(sizes)), int(max(sizes))],
        "replicates": options.replicates,
        "delete_factor": float(np.mean(factors)),
        "rows": rows,
    }
    save(options.output, figures, "benchmarks/coverage.py", settings, seeds=[FIRST_SEED], device="cpu")


if __name__ == "__main__":
    main()
