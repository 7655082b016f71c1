"""The bias of every headline number over the family of mocks, by the paper's and the recommended analysis.

Run with: python benchmarks/family.py [--seeds 31 32 33 34]

Every survey is one of `halo.mock.expected` (stars, errors, cuts and orbits of one survey; no files are written). The
truth of a number is what the same definition gives where every star's origin is known. Saves the table as JSON and the
picture as docs/images/family.png.
"""

import argparse
import pathlib

import matplotlib as mpl
import numpy as np
from record import RESULTS, ROOT, save
from truths import ANALYSES, populations

mpl.use("Agg")
import matplotlib.pyplot as plt

from halonmf.halo.fits.fit import fit
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.mock.expected import expected
from halonmf.halo.mock.family import MODELS
from halonmf.halo.mock.truth import true_application, true_fit
from halonmf.halo.products.profile import profile, profile_of
from halonmf.halo.products.settings import PROFILES
from halonmf.halo.products.table1 import table1
from halonmf.halo.stars.selection import choose

SEEDS = (31, 32, 33, 34)
# name, unit as printed, what it is divided by
NUMBERS = {
    "accreted fraction": ("", 1),
    "E at 50 %": ("1e5 km2/s2", 1e5),
    "r at 50 %": ("kpc", 1),
    "z at 50 %": ("kpc", 1),
    "R at 50 %": ("kpc", 1),
    "dE at 50 %": ("1e5 km2/s2", 1e5),
    "HE median [Fe/H]": ("dex", 1),
    "HE median [Al/Fe]": ("dex", 1),
    "HE median [Mg/Fe]": ("dex", 1),
}
LABELS = {"FE_H": "[Fe/H]", "AL_FE": "[Al/Fe]", "MG_FE": "[Mg/Fe]"}
OUTPUT, PICTURE = RESULTS / "family.json", ROOT / "docs" / "images" / "family.png"


def crossing(found):
    """The energy, or place, at one half; NaN where there is none, or several."""
    at = next(each.at for each in found.crossings if each.level == 0.5)
    return at[0] if len(at) == 1 else float("nan")


def medians(fitted):
    """Medians of the last component's abundances, as in Table 1."""
    made = table1(fitted)
    last, middle = list(made.components).index(fitted.names[-1]), list(made.q).index(50)
    return {f"HE median {LABELS[v]}": float(made.values[last, i, middle]) for i, v in enumerate(made.variables)}


def measured(stars, settings):
    """Return every number of an analysis of one survey, and its truth."""
    sample, _ = choose(stars, settings.selection)
    accreted = np.asarray(sample["origin"]).astype(str) == "accreted"
    fitted = fit(stars, settings)
    known = true_fit(fitted, accreted)
    found = {"accreted fraction": float(fitted.mass_fractions[-1])} | medians(fitted)
    truth = {"accreted fraction": float(accreted.mean())} | medians(known)
    for name in ("E", "r", "z", "R", "dE"):
        along = profile(fitted, stars, parse_axes(PROFILES[name]))
        found[f"{name} at 50 %"] = crossing(along)
        truth[f"{name} at 50 %"] = crossing(profile_of(true_application(along.application, accreted)))
    return found, truth


def rows_of(model, seeds, rows):
    """Return a row for each analysis and number of one mock: truth, estimate, bias and scatter over the seeds."""
    found = {name: [] for name in ANALYSES}
    for seed in seeds:
        stars = expected(rows, seed=seed, oversample=1, model=model)
        for name, settings in ANALYSES.items():
            found[name].append(measured(stars, settings))
    made = []
    for analysis, pairs in found.items():
        for number, (_, scale) in NUMBERS.items():
            estimate, truth = (np.array([one[i][number] for one in pairs]) / scale for i in (0, 1))
            off = estimate - truth
            good = off[np.isfinite(off)]
            made.append(
                {
                    "model": model,
                    "analysis": analysis,
                    "number": number,
                    "truth": mean(truth),
                    "estimate": mean(estimate),
                    "bias": mean(off),
                    "scatter": float(np.std(good, ddof=1)) if good.size > 1 else None,
                    "surveys": int(good.size),
                }
            )
    return made


def mean(x):
    """The mean of what is finite; None where nothing is."""
    good = x[np.isfinite(x)]
    return float(good.mean()) if good.size else None


def ranges(rows):
    """Return, for each analysis and number, the least and the greatest bias over the mocks, and where they are."""
    made = []
    for analysis in ANALYSES:
        for number in NUMBERS:
            each = {r["model"]: r["bias"] for r in rows if (r["analysis"], r["number"]) == (analysis, number)}
            each = {model: bias for model, bias in each.items() if bias is not None}
            low, high = (pick(each, key=each.get) for pick in (min, max)) if each else (None, None)
            made.append(
                {
                    "analysis": analysis, "number": number, "least": each.get(low), "least_of": low,
                    "greatest": each.get(high), "greatest_of": high, "mocks": len(each),
                }
            )  # fmt: skip
    return made


def draw(rows, path):
    """Draw a panel for each number: the bias on each mock, with the scatter over surveys, by either analysis."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = plt.subplots(3, 3, figsize=(11, 8.5), sharey=True, layout="constrained")
    styles = {"paper": ("#D55E00", "o", -0.14, "paper: k = 2, Frobenius, 50 pixels"),
              "recommended": ("#0072B2", "s", 0.14, "recommended: k = 3, Kullback-Leibler, 20 pixels")}  # fmt: skip
    for axis, (number, (unit, _)) in zip(axes.flat, NUMBERS.items(), strict=True):
        axis.axvline(0, color="0.5", lw=0.8)
        for analysis, (colour, marker, shift, label) in styles.items():
            mine = [r for r in rows if (r["analysis"], r["number"]) == (analysis, number)]
            x = [np.nan if r["bias"] is None else r["bias"] for r in mine]
            error = [r["scatter"] or 0 for r in mine]
            y = np.arange(len(models)) + shift
            axis.errorbar(x, y, xerr=error, color=colour, marker=marker, ls="", ms=5, lw=1, label=label)
            if np.isfinite(x).any():
                axis.axvspan(np.nanmin(x), np.nanmax(x), color=colour, alpha=0.08, lw=0)
        axis.set(
            title=number.replace("z at", "|z| at"),
            xlabel=f"fit - truth{f' [{unit}]' if unit else ''}",
            yticks=range(len(models)),
        )
        axis.set_yticklabels(models)
    axes[0, 0].invert_yaxis()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--rows", type=int, default=60_000, help="rows of each survey")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    parser.add_argument("--picture", type=pathlib.Path, default=PICTURE)
    options = parser.parse_args()
    rows = []
    for model in options.models:
        for row in rows_of(model, options.seeds, options.rows):
            rows.append(row)
            print(
                "{model:16s} {analysis:12s} {number:18s} {truth} {estimate} {bias} {scatter}".format(**row), flush=True
            )
    settings = {"seeds": list(options.seeds), "rows": options.rows, "analyses": ANALYSES, "models": options.models}
    figures = {"populations": populations(*options.models), "rows": rows, "ranges": ranges(rows)}
    save(options.output, figures, "benchmarks/family.py", settings, seeds=list(options.seeds), device="cpu")
    draw(rows, options.picture)


if __name__ == "__main__":
    main()
