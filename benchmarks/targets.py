"""The targets of the engine, measured beside a peer in one run, and its accuracy; saved as JSON.

Run with: OMP_NUM_THREADS=1 python benchmarks/targets.py [--quick] [--threads 1 2] [--parts k2 mu]
Both sides compute on the same number of threads: ours in one process, scikit-learn's in as many processes with one
BLAS thread each. It resamples and builds V in its time too, and is given fewer replicates: cost is compared per fit,
its own as the median over its fits. At least seven rounds are taken in turn; a ratio is taken within each, by the clock
and by the processor's seconds, which other work on the machine does not lengthen. The figure is the median over rounds,
beside it the quartiles. A target is met where the medians of both meet it.
"""

import fair  # unsets what would slow NumPy down, before that is loaded

# isort: split
import argparse
import os
import pathlib
import time
from dataclasses import dataclass, field

import cases
import headline
import processes
from record import RESULTS, save

from nmfcore import bench

# What is asked and what would be splendid; "most" says that the figure shall stay below.
TARGETS = {
    "k2_bootstrap": (100, 140, "least"),
    "k2_bootstrap_two": (90, 140, "least"),
    "k4_starts": (100, 150, "least"),
    "mu_float64": (28, 40, "least"),
    "mu_float32": (20, 22, "least"),
    "dense_fit": (0.4, 0.3, "most"),
    "csr_fit": (0.4, 0.3, "most"),
    "small_dense": (30, 60, "least"),
    "k3_over_k2": (3, 2, "most"),
    "kl_over_least_squares": (3, 2, "most"),
    "many_stars": (1, 0.5, "most"),
    "memory_mb": (1000, 200, "most"),
    "first_call_s": (1.0, 0.5, "most"),
    "compile_s": (8, 4, "most"),
    "fractions_k2": (1e-5, 1e-6, "most"),
    "loss_k4": (1e-6, 1e-7, "most"),
    "fractions_k4": (1e-3, 1e-4, "most"),
}
PARTS = {
    "k2": headline.k2_bootstrap, "mu": headline.mu, "one": cases.one_fit, "small": cases.small_problems,
    "third": cases.third_component, "divergence": cases.divergence, "stars": cases.a_million_stars,
    "memory": processes.memory, "first": processes.first_call, "compiling": processes.compiling,
    "accuracy": cases.accuracy, "k4": headline.k4_starts,
}  # fmt: skip


@dataclass
class Run:
    """What is measured, and how the rows of the results are made.

    Attributes
    ----------
    threads : tuple of int
        On which both sides compute, one number after the other.
    quick : bool
        Small sizes: to see whether it runs. Nothing is compared with targets.
    stars : Stars
    """

    threads: tuple
    quick: bool = False
    stars: bench.Stars = field(default_factory=bench.mock_stars)

    def row(self, target, what, measured, threads, *, slower=False, **more):
        """Return a row of rounds: their ratios, the peer's time over ours, or ours over the peer's."""
        found = measured.figures(slower=slower)
        return self._judged({"target": target, "what": what, "threads": threads, **found, **more})

    def figure(self, target, what, value, **more):
        """Return a row of a number that is no ratio."""
        return self._judged({"target": target, "what": what, "threads": 1, "value": value, **more})

    def none(self, target, what, threads, why):
        """Return a row without a figure, with the reason."""
        return {"target": target, "what": what, "threads": threads, "value": None, "why": why}

    def _judged(self, row):
        must, moonshot, sense = TARGETS.get(row["target"], (None, None, None))
        if must is not None and not self.quick:
            worst = min if sense == "least" else max
            value, sign = worst(row["value"], row.get("cpu_ratio", row["value"])), 1 if sense == "least" else -1
            row |= {"must": must, "moonshot": moonshot, "sense": sense}
            row |= {"met": sign * value >= sign * must, "splendid": sign * value >= sign * moonshot}
        return row


def number(value):
    """Return a figure with three digits."""
    return f"{value:.1e}" if abs(value) < 0.01 else f"{value:.3g}"


def table(rows):
    """Return the rows as text."""
    lines = [
        f"{'':74s} {'threads':>7s} {'clock':>8s} {'quartiles':>15s} {'cpu':>7s} {'quartiles':>15s} {'must':>7s} "
        f"{'hoped':>7s}  met"
    ]
    for one in rows:
        if one["value"] is None:
            lines.append(f"{one['what'][:74]:74s} {one['threads']:7d} {one['why']}")
            continue
        cells = [number(one["value"])]
        for name in ("", "cpu_"):
            middle = number(one["cpu_ratio"]) if name and "cpu_ratio" in one else ""
            spread = f"{number(one[f'{name}low'])} - {number(one[f'{name}high'])}" if f"{name}low" in one else ""
            cells += [middle, spread] if name else [spread]
        cells += [number(one[x]) if x in one else "" for x in ("must", "moonshot")]
        verdict = "" if "met" not in one else "hoped" if one["splendid"] else "yes" if one["met"] else "NO"
        widths = (8, 15, 7, 15, 7, 7)
        text = " ".join(f"{cell:>{width}s}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{one['what'][:74]:74s} {one['threads']:7d} {text}  {verdict}".rstrip())
    return "\n".join(lines)


def main():
    fair.require()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--quick", action="store_true", help="small sizes: to see whether it runs")
    parser.add_argument("--output", type=pathlib.Path, help="by default the saved results, or none with --quick")
    options = parser.parse_args()
    run, rows, seconds = Run(tuple(options.threads), options.quick), [], {}
    if fair.UNSET:
        print(f"unset for both sides: {', '.join(fair.UNSET)}")
    with bench.threads(1):
        for name in options.parts:
            start = time.perf_counter()
            for one in PARTS[name](run):
                rows.append(one)
                print(table([one]).splitlines()[-1], flush=True)
            seconds[name] = time.perf_counter() - start
    print(f"\n{table(rows)}\n\n{sum(seconds.values()):.0f} s")
    path = options.output or (None if options.quick else RESULTS / "targets.json")
    if path is not None:
        settings = {"quick": options.quick, "threads": run.threads, "parts": options.parts}
        save(path, {"rows": rows, "seconds": seconds}, "benchmarks/targets.py", settings, device="cpu")


if __name__ == "__main__":
    main()
