"""Write the table of docs/speed.md from the saved targets, and draw what a bootstrap costs from the saved benchmarks.

Run with: python benchmarks/report.py
Reads benchmarks/results/targets.json (targets.py) and engine.json (make bench SLOW=1, then compare.py --save); writes
between the markers of docs/speed.md, and docs/images/cost.png.
"""

import json
import re
import sys

from record import RESULTS, ROOT

sys.path.append(str(ROOT / "docs"))
from marked import put

MARKERS = ("<!-- benchmarks/report.py writes what follows -->", "<!-- and ends here -->")
PICTURE = ROOT / "docs" / "images" / "cost.png"
# Rows of the table: the target's name, and how its value reads.
ROWS = {
    "k2_bootstrap": ("1,000 bootstraps, k = 2, from resample to converged", "{:.0f}x faster than scikit-learn cd"),
    "k2_bootstrap_two": ("the same on two threads", "{:.0f}x faster than scikit-learn cd"),
    "k4_starts": ("k = 4, to the best of 8 starts", "{:.0f}x faster than scikit-learn cd"),
    "mu_float64": ("a multiplicative iteration, batch of 256", "{:.0f}x faster than scikit-learn mu, float64"),
    "mu_float32": ("the same", "{:.0f}x faster than scikit-learn mu, float32"),
    "dense_fit": ("one dense 64 x 5000 fit, k = 2", "{:.2f} times scikit-learn's time"),
    "csr_fit": ("the same, sparse", "{:.2f} times scikit-learn's time"),
    "small_dense": ("1,000 dense fits of 20 x 30, k = 3", "{:.0f}x faster than scikit-learn cd"),
    "k3_over_k2": ("a bootstrap of k = 3 over one of k = 2", "{:.1f} times"),
    "kl_over_least_squares": ("Kullback-Leibler over least squares, k = 2 to 4", "{:.1f} times"),
    "many_stars": ("a star among 1e6 over one among 1e4", "{:.2f} times"),
    "compile_s": ("kernels compiled at first use", "{:.1f} s"),
    "first_call_s": ("first call, kernels cached", "{:.2f} s"),
    "memory_mb": ("memory for 1,000 bootstraps, beyond the imports", "{:.0f} MB"),
    "fractions_k2": ("largest difference of a mass fraction from dense float64, k = 2", "{:.0e}"),
    "fractions_k4": ("the same, k = 4", "{:.0e}"),
}
SIZES = re.compile(r"test_bootstrap\[(\d+)-(\d+)-(\d+)-(\d+)\]")


def load(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def values(rows, target):
    """Return a target's values by number of threads: the worst of its rows, by the clock and by the processor."""
    found = {}
    for row in rows:
        if row["target"] == target and row["value"] is not None:
            worst = min if row["sense"] == "least" else max
            value = worst(row["value"], row.get("cpu_ratio", row["value"])) if "rounds" in row else row["value"]
            found[row["threads"]] = worst(found.get(row["threads"], value), value)
    return found


def cell(name, value, row):
    sign = 1 if row["sense"] == "least" else -1
    met = sign * value >= sign * row["must"]
    return ROWS[name][1].format(value) + ("" if met else " (short of the target)")


def table(saved):
    """Return the table of docs/speed.md in Markdown."""
    rows, threads = saved["rows"], sorted({row["threads"] for row in saved["rows"]})
    columns = [f"{t} thread{'s' * (t > 1)}" for t in threads]
    lines = [f"| 64 x 5000, 13,147 stars | {' | '.join(columns)} | target |", "|---" * (len(threads) + 2) + "|"]
    for name, (what, form) in ROWS.items():
        found = values(rows, name)
        if not found:
            continue
        example = next(row for row in rows if row["target"] == name and row["value"] is not None)
        cells = [cell(name, found[t], example) if t in found else "" for t in threads]
        limit = re.match(r"\{.*?\}\S*", form).group().format(example["must"])
        lines.append(f"| {what} | {' | '.join(cells)} | {limit} |")
    record = saved["provenance"]
    machine = f"{record['machine']['processor']}, {record['machine']['cores']} cores"
    lines += [
        "",
        f"{machine}, at commit {record['commit']}: `python benchmarks/targets.py`.",
        "Same threads on both sides, equal loss or equal iterations, resampling included; times are "
        + ("medians of" if any("rounds" in row for row in rows) else "the best of"),
        "interleaved rounds, compared per fit. [Benchmarks](benchmarks.md) says how.",
    ]
    return "\n".join(lines)


def points(benchmarks, vary):
    """Return (x, microseconds of ours, of the peer) of the bootstraps in which one size varies; x is n for pixels."""
    headline = {"q": 8, "pixels": 50, "k": 2, "B": 256}
    found = []
    for name, row in benchmarks.items():
        match = SIZES.fullmatch(name)
        if match is None:
            continue
        sizes = dict(zip(headline, map(int, match.groups()), strict=True))
        if all(sizes[key] == value for key, value in headline.items() if key != vary):
            x = 2 * sizes["pixels"] ** 2 if vary == "pixels" else sizes[vary]
            found.append((x, row["us_per_fit"], row["peer_us_per_fit"]))
    return sorted(found)


def draw(benchmarks, path):
    """Draw the cost of a bootstrap against B, k and n, ours and scikit-learn's."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
    titles = {"B": "replicates B", "k": "components k", "pixels": "columns n"}
    for ax, (vary, label) in zip(axes, titles.items(), strict=True):
        data = points(benchmarks, vary)
        for column, name, style in ((2, "scikit-learn cd", "s--"), (1, "nmfcore", "o-")):
            ax.plot([p[0] for p in data], [p[column] / 1e3 for p in data], style, label=name)
        ax.set(xlabel=label, xscale="log" if vary != "k" else "linear", yscale="log")
        if vary == "pixels":  # less than two decades: powers of ten alone would be one tick, all others a blur
            shown = (200, 500, 1000, 2000, 5000)
            ax.set_xticks(shown, [f"{x:,}" for x in shown])
            ax.tick_params(axis="x", which="minor", labelbottom=False)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("time of one bootstrap [ms]")
    axes[0].legend(frameon=False)
    figure.suptitle("Resample to converged on one thread; 64 bins, n = 5000, k = 2, B = 256 unless varied", fontsize=10)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    page = ROOT / "docs" / "speed.md"
    page.write_text(put(page.read_text(), MARKERS, table(load("targets"))))
    draw(load("engine")["benchmarks"], PICTURE)


if __name__ == "__main__":
    main()
