"""The paper's analysis and the recommended one on mock surveys of known truth: bias, intervals, memberships, few stars.

Each survey is made as files, prepared and fitted as a user would; the truth is that of its very stars. The default mock
(the first seed) is reported by itself, means are over the other seeds. Parts of each sample show what fewer stars do.

Run with: python benchmarks/analyses.py [--seeds 1 21 22 23 24 25] [--model paper-truth]
    [--replicates 400] [--draws 4]
"""

import argparse
import pathlib
import tempfile

import numpy as np
from record import RESULTS, save
from truths import ANALYSES, COVERAGES, NUMBERS, by_likelihood, numbers, of_model, populations, truth

from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.intervals import TYPES, Ordered
from halonmf.halo.fits.settings import DIVERGENCE, RECOMMENDED
from halonmf.halo.mock import survey as mock
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.mock.truth import MANY_STARS, read_truth, true_fractions
from halonmf.halo.products.memberships import memberships, reliability
from halonmf.halo.products.profile import profile
from halonmf.halo.products.settings import PROFILES
from halonmf.halo.replicates.replicate import Stars, begin, reduce, usable
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.selection import choose
from halonmf.halo.survey.prepare import prepare

OUTPUT = RESULTS / "analyses.json"
WITHIN = {"HE mass fraction": 0.015, "50 % crossing in E": 0.01e5}
"""How far the recommended analysis may be from the truth."""
SIZES = {700: 5, 1500: 5, 3000: 8, 6000: 8}
"""Stars of parts of a sample, and bins on either axis."""


def analysed(name, table, truth_file, replicates):
    """One survey under one analysis: every number, its truth, its intervals; the probabilities' reliability."""
    base = begin(Stars(table), Setup(ANALYSES[name]))
    known = read_truth(truth_file, base.sample.stars).accreted
    drawn = reduce(base, 0, replicates)
    estimate, true, values = numbers(base.products), truth(base, known), numbers(drawn)[usable(drawn)]
    ends = {c: TYPES[RECOMMENDED](Ordered.of(values), estimate, c) for c in COVERAGES}
    bins = base.sample.places.bins["E"]
    many = np.bincount(np.maximum(bins.assign(base.sample.stars), 0), minlength=len(bins)) > MANY_STARS
    difference = base.products["fraction_E"][:, -1] - true_fractions(bins, base.sample.stars, known)
    found = reliability(memberships(base.fit, table).probability[:, -1], known)
    rows = [
        {
            "number": NUMBERS[i][2],
            "value": float(estimate[i]),
            "truth": float(true[i]),
            **{f"{c:.0%}": [float(low[i]), float(high[i])] for c, (low, high) in ends.items()},
        }
        for i in range(len(NUMBERS))
    ]
    more = {}
    if ANALYSES[name].solver.loss in DIVERGENCE:
        intervals, more["dependence"] = by_likelihood(base.fit)
        more["likelihood"] = {c: [float(x) for x in pair] for c, pair in intervals.items()}
    return {
        "stars": len(known),
        "numbers": rows,
        "rms": float(np.sqrt(np.mean(difference[many] ** 2))),
        "brier": found.brier,
        "brier_base": found.brier_base,
        "calibration": found.calibration,
        "verdict": base.fit.verdict.record(),
        **more,
    }


def thinned(name, table, truth_file, draws, seed):
    """The same of parts of the sample: by number of stars, the errors of the fraction and of the crossing in E."""
    stars, _ = choose(table, ANALYSES[name].selection)
    known = read_truth(truth_file, stars).accreted
    rng = np.random.default_rng(seed)
    rows = []
    for size, q in SIZES.items():
        for _ in range(draws):
            some = rng.choice(len(stars), size, replace=False)
            found = fit(stars[some], ANALYSES[name].replace(bins=f"E:{q},Lz:{q}"))
            half = profile(found, stars[some], PROFILES["E"]).crossings
            at = next(crossing.at for crossing in half if crossing.level == 0.5)
            error = float(found.mass_fractions[-1] - known[some].mean())
            rows.append({"stars": size, "error": error, "crossing": at[0] if len(at) == 1 else None})
    return rows


def kinematically_pure(table, truth_file):
    """The other halo selection, whose populations are two: the fraction's error by number of components."""
    found = {}
    for k in (2, 3):
        settings = ANALYSES["recommended"].replace(selection="kinematically-pure", components=k)
        stars, _ = choose(table, settings.selection)
        true = read_truth(truth_file, stars).accreted.mean()
        found[str(k)] = float(fit(table, settings).mass_fractions[-1] - true)
    return found


def summary(rows, whole):
    """Bias, scatter and coverage of one analysis over surveys, by number; and the errors of parts of the samples."""
    found = {}
    for i, (_, _, name) in enumerate(NUMBERS):
        each = [row["numbers"][i] for row in rows]
        error = np.array([one["value"] - one["truth"] for one in each])
        found[name] = {
            "bias": float(error.mean()),
            "error": float(error.std(ddof=1) / np.sqrt(len(error))) if len(error) > 1 else None,
            "scatter": float(error.std(ddof=1)) if len(error) > 1 else None,
            "worst": float(np.abs(error).max()),
            "held": {f"{c:.0%}": sum(one[f"{c:.0%}"][0] <= one["truth"] <= one[f"{c:.0%}"][1] for one in each)
                     for c in COVERAGES},
        }  # fmt: skip
    parts = []
    for size in SIZES:
        some = [part for row in rows for part in row["parts"] if part["stars"] == size]
        if some:
            errors = np.array([part["error"] for part in some])
            at = np.array([np.nan if part["crossing"] is None else part["crossing"] for part in some])
            parts.append({
                "stars": size, "fits": len(some), "bias": float(errors.mean()),
                "rms": float(np.sqrt((errors**2).mean())), "far": int((np.abs(errors) > 0.1).sum()),
                "crossing_rms": float(np.sqrt(np.nanmean((at - whole) ** 2))), "no_crossing": int(np.isnan(at).sum()),
            })  # fmt: skip
    means = {
        name: float(np.mean([row[name] for row in rows])) for name in ("rms", "brier", "brier_base", "calibration")
    }
    return {"numbers": found, **means, "parts": parts, "words": [row["verdict"]["word"] for row in rows]}


def show(name, found, surveys):
    print(f"{name}, {surveys} surveys")
    for number, row in found["numbers"].items():
        held = ", ".join(f"{c}: {n}" for c, n in row["held"].items())
        print(
            f"  {number:24s} bias {row['bias']:+10.4g} +- {row['error']:.2g}  scatter {row['scatter']:.2g}  held {held}"
        )
    print(f"  rms {found['rms']:.4f}  Brier {found['brier']:.4f} ({found['brier_base']:.4f})  calibration "
          f"{found['calibration']:.4f}  {', '.join(found['words'])}")  # fmt: skip
    for part in found["parts"]:
        print("   ", {k: round(v, 4) for k, v in part.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 21, 22, 23, 24, 25], help="the default mock's first"
    )
    parser.add_argument("--stars", type=int, default=60_000)
    parser.add_argument("--model", default=MockSettings.model, help="of the mock; see docs/mock.md")
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--draws", type=int, default=4, help="parts of each size of each sample")
    parser.add_argument("--output", type=pathlib.Path, help="by default analyses.json, or analyses_MODEL.json")
    options = parser.parse_args()
    every, pure = {name: [] for name in ANALYSES}, []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            paths = mock.make(folder, n_stars=options.stars, seed=seed, model=options.model)
            table = prepare(paths.allstar, paths.astronn, paths.members).table
            for name, rows in every.items():
                found = analysed(name, table, paths.truth, options.replicates)
                rows.append({"seed": seed, **found, "parts": thinned(name, table, paths.truth, options.draws, seed)})
            pure.append({"seed": seed, **kinematically_pure(table, paths.truth)})
        print(f"seed {seed}", flush=True)
    print("kinematically pure, error by number of components:", pure)
    figures = {"within": WITHIN, "populations": populations(options.model), "kinematically_pure": pure, "analyses": {}}
    for name, rows in every.items():
        crossing = next(i for i, (*_, number) in enumerate(NUMBERS) if number == "50 % crossing in E")
        whole = np.mean([row["numbers"][crossing]["truth"] for row in rows])
        others = summary(rows[1:], whole)
        show(name, others, len(rows) - 1)
        default = {one["number"]: one["value"] - one["truth"] for one in rows[0]["numbers"]}
        kept = {number: [abs(default[number]) <= x, others["numbers"][number]["worst"] <= x]
                for number, x in WITHIN.items()}  # fmt: skip
        errors = ", ".join(f"{number} {default[number]:+.4g}" for number in WITHIN)
        print(f"  seed {options.seeds[0]}: {errors}; within: {kept}")
        figures["analyses"][name] = {"rows": rows, "summary": others, "default": default, "kept": kept}
    settings = {
        "seeds": options.seeds, "stars": options.stars, "model": options.model, "replicates": options.replicates,
        "draws": options.draws, "analyses": ANALYSES,
    }  # fmt: skip
    output = options.output or OUTPUT.with_stem(of_model(OUTPUT.stem, options.model))
    save(output, figures, "benchmarks/analyses.py", settings, seeds=options.seeds, device="cpu")


if __name__ == "__main__":
    main()
