"""How often the bootstrap's intervals hold what they are to hold, over many independent mock skies; saved as JSON.

Every sky is a mock survey of its own: stars drawn from the mock's populations, observed with their errors, cut and put
on orbits (`mock_expected.expected`, one survey each; no files are written). The scatter of the estimates over skies is
the true sampling error. An interval is to hold their mean; how often it also holds the truth, from which the mean may
be off, is counted apart: the mean of all skies' true numbers, and the true number of the very stars.

Run with: python benchmarks/coverage.py [--analysis paper recommended] [--skies 200] [--stars 60000] [--replicates 400]
"""

import argparse
import pathlib
from dataclasses import replace

import numpy as np
from record import RESULTS, save
from truths import ANALYSES, COVERAGES, NUMBERS, by_likelihood, numbers, of_model, truth

from halonmf.halo.fits.intervals import TYPES, Ordered, bias, standard_error
from halonmf.halo.fits.settings import DIVERGENCE
from halonmf.halo.mock.expected import expected
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.mock.truth import ACCRETED
from halonmf.halo.replicates.replicate import Stars, begin, reduce, usable
from halonmf.halo.replicates.setup import Setup

FIRST_SEED = 1000
SCHEMES = ("multinomial", "poisson", "delete")


def sky(table, setup, options, few):
    """One sky: estimates, truth, replicates by scheme (with redrawn edges `few`), number of stars, and more."""
    drawn, more = {}, {}
    for scheme in options.schemes:
        base = begin(table, replace(setup, scheme=scheme))
        found = reduce(base, 0, options.replicates if scheme == "multinomial" else options.replicates // 2)
        drawn[scheme] = numbers(found)[usable(found)]
        if scheme == "delete":
            more["factor"] = float(base.coordinates["delete_factor"])
    if few:
        drawn["redrawn edges"] = numbers(reduce(begin(table, replace(setup, edges="redrawn")), 0, few))
    if setup.fit.solver.loss in DIVERGENCE:
        more["likelihood"] = by_likelihood(base.fit)
    accreted = np.asarray(base.sample.stars["origin"]).astype(str) == ACCRETED
    return numbers(base.products), truth(base, accreted), drawn, len(base.sample), more


def held(estimates, drawn, what):
    """Fraction of skies whose interval holds a number, or each its own, by type, coverage and number."""
    found = {}
    goals = np.broadcast_to(what, estimates.shape)
    for name, kind in TYPES.items():
        for coverage in COVERAGES:
            inside = []
            for estimate, replicates, goal in zip(estimates, drawn, goals, strict=True):
                low, high = kind(Ordered.of(replicates), estimate, coverage)
                # a number that a sky does not have cannot be held
                inside.append(np.where(np.isfinite(low + high + goal), (low <= goal) & (goal <= high), np.nan))
            found[f"{name} {coverage:.0%}".replace("%", " %")] = np.nanmean(inside, axis=0)
    return found


def likelihood_summary(estimates, truths, found):
    """How often the profile likelihood's intervals of the mass fraction hold the mean, the truth, their own truth."""
    if not found:
        return {}
    goals = {"mean": estimates[:, 0].mean(), "truth": truths[:, 0].mean(), "own_truth": truths[:, 0]}
    summed = {"dependence": float(np.mean([dependence for _, dependence in found]))}
    for coverage in COVERAGES:
        low, high = np.array([ends[f"{coverage:.0%}"] for ends, _ in found]).T
        name = f"{coverage:.0%}".replace("%", " %")
        summed[name] = {goal: float(((low <= x) & (x <= high)).mean()) for goal, x in goals.items()}
        summed[name]["half_width"] = float((high - low).mean() / 2)
    return summed


def summary(estimates, truths, drawn, factors):
    """Everything that is saved, by number."""
    mean, true = np.nanmean(estimates, axis=0), np.nanstd(estimates, axis=0, ddof=1)
    goal = np.nanmean(truths, axis=0)
    multinomial = drawn["multinomial"]
    coverage = {name: held(estimates, multinomial, x) for name, x in (("mean", mean), ("truth", goal), ("own", truths))}
    scatter = {}
    for scheme, skies in drawn.items():
        scatter[scheme] = np.nanmean([standard_error(x) for x in skies], axis=0)
    biases = np.nanmean([bias(x, e) for x, e in zip(multinomial, estimates, strict=True)], axis=0)
    rows = []
    for i, (_, _, name) in enumerate(NUMBERS):
        deletion = {}
        if "delete" in scatter:
            deletion = {
                "scaled_delete_ratio": scatter["delete"][i] * np.mean(factors) / true[i],
                "measured_delete_factor": scatter["multinomial"][i] / scatter["delete"][i],
            }
        rows.append(
            {
                "number": name,
                "mean": mean[i],
                "truth": goal[i],
                "off_truth_in_scatter": (mean[i] - goal[i]) / true[i],
                "scatter_of_difference": np.nanstd(estimates[:, i] - truths[:, i], ddof=1),
                "true_scatter": true[i],
                "missing": int(np.isnan(estimates[:, i]).sum()),
                "scatter": {scheme: x[i] for scheme, x in scatter.items()},
                "ratio": {scheme: x[i] / true[i] for scheme, x in scatter.items()},
                **deletion,
                "bootstrap_bias": biases[i],
                "bootstrap_bias_in_scatter": biases[i] / true[i],
                "coverage": {kind: x[i] for kind, x in coverage["mean"].items()},
                "coverage_of_truth": {kind: x[i] for kind, x in coverage["truth"].items()},
                "coverage_of_own_truth": {kind: x[i] for kind, x in coverage["own"].items()},
            }
        )
    return rows


def best(rows):
    """The type of interval that at worst, over the numbers, holds the most: 68 % are to be 68 % whatever is asked."""
    return max(TYPES, key=lambda kind: min(row["coverage"][f"{kind} 68 %"] for row in rows))


def rounded(named):
    return {name: round(float(x), 3) for name, x in named.items()}


def shown(found):
    """The rows in lines for a terminal."""
    lines = []
    for row in found["rows"]:
        lines.append(f"{row['number']}: mean {row['mean']:.5g}, truth {row['truth']:.5g}, {row['true_scatter']:.2g}")
        lines.append(f"    ratio {rounded(row['ratio'])}")
        lines += [
            f"    {goal} {rounded(row[goal])}" for goal in ("coverage", "coverage_of_truth", "coverage_of_own_truth")
        ]
    return [*lines, f"likelihood: {found['likelihood']}", f"holds most at worst: {best(found['rows'])}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--analysis", nargs="+", choices=tuple(ANALYSES), default=["paper"])
    parser.add_argument("--skies", type=int, default=200)
    parser.add_argument("--stars", type=int, default=60_000, help="rows of each survey")
    parser.add_argument("--model", default=MockSettings.model, help="of the mock; see docs/mock.md")
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--schemes", nargs="+", choices=SCHEMES, default=list(SCHEMES), help="multinomial among them")
    parser.add_argument("--few", type=int, nargs=2, default=(40, 60), help="skies and replicates with redrawn edges")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS, help="folder of the files, one for an analysis")
    options = parser.parse_args()
    setups = {name: Setup(ANALYSES[name]) for name in options.analysis}
    every = {name: [] for name in setups}
    for i in range(options.skies):
        table = Stars(expected(options.stars, seed=FIRST_SEED + i, oversample=1, model=options.model))
        for name, setup in setups.items():
            every[name].append(sky(table, setup, options, options.few[1] if i < options.few[0] else 0))
        if (i + 1) % 10 == 0:
            print(f"{i + 1} skies", flush=True)
    for name, setup in setups.items():
        estimates, truths, drawn, sizes, more = zip(*every[name], strict=True)
        estimates, truths = np.array(estimates), np.array(truths)
        by_scheme = {scheme: [one[scheme] for one in drawn if scheme in one] for scheme in drawn[0]}
        factors = [one["factor"] for one in more if "factor" in one]
        intervals = [one["likelihood"] for one in more if "likelihood" in one]
        figures = {
            "analysis": name,
            "skies": options.skies,
            "stars_chosen": [int(min(sizes)), int(max(sizes))],
            "replicates": options.replicates,
            "delete_factor": float(np.mean(factors)) if factors else None,
            "likelihood": likelihood_summary(estimates, truths, intervals),
            "rows": summary(estimates, truths, by_scheme, factors),
        }
        print(f"{name}:", *shown(figures), sep="\n")
        settings = {
            "skies": options.skies, "stars": options.stars, "replicates": options.replicates, "setup": setup,
            "schemes": options.schemes, "few": options.few, "first_seed": FIRST_SEED, "model": options.model,
        }  # fmt: skip
        stem = of_model("coverage" if name == "paper" else f"coverage_{name}", options.model)
        save(
            options.output / f"{stem}.json",
            figures,
            "benchmarks/coverage.py",
            settings,
            seeds=[FIRST_SEED],
            device="cpu",
        )


if __name__ == "__main__":
    main()
