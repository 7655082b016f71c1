"""Time the CUDA kernels on the paper's problem, most wanted figures first; save what there is after every stage.

A stage that fails leaves its error in the file, and the next one begins. It needs neither git nor an installed package.
"""

import argparse
import json
import pathlib
import platform
import sys
import time
import traceback

import numpy as np
from machine import provenance

import nmfcore
from nmfcore.bench import mock_stars
from nmfcore.kernels.cuda import measured
from nmfcore.kernels.cuda.devices import count_devices

TARGETS = {"1,000 bootstraps converged": "must 10 ms, hoped 2 ms", "500 MU iterations": "must 40 ms, hoped 10 ms"}


class Stages:
    """What was found out so far, on disk after each stage."""

    def __init__(self, path):
        self.path, self.found, self.begun = path, {"targets on an H100": TARGETS}, time.perf_counter()

    def run(self, name, work):
        """Keep what `work` returns under this name, or how it failed."""
        start = time.perf_counter()
        try:
            figures = work()
        except Exception as error:
            figures = {"error": f"{type(error).__name__}: {error}", "where": traceback.format_exc().splitlines()[-6:]}
        figures = dict(figures) if isinstance(figures, dict) else {"value": figures}
        figures["stage_s"] = round(time.perf_counter() - start, 2)
        self.found[name] = figures
        self.path.write_text(json.dumps(self.found, indent=1, default=float) + "\n")
        print(f"{time.perf_counter() - self.begun:6.1f} s  {name}: {json.dumps(figures, default=float)}", flush=True)
        return figures

    @property
    def failed(self):
        return [name for name, figures in self.found.items() if "error" in figures]


def timed(function, rounds):
    """Return the milliseconds of the first call, the median and least of the others, their CPU time, and an answer."""
    start = time.perf_counter()
    answer = function()
    first, wall, busy = time.perf_counter() - start, [], []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        answer = function()
        wall.append(time.perf_counter() - clock)
        busy.append(time.process_time() - processor)
    figures = {"first_ms": first, "median_ms": np.median(wall), "least_ms": min(wall), "host_cpu_ms": np.median(busy)}
    return {name: round(1e3 * float(x), 3) for name, x in figures.items()}, answer


def drawn(stars, replicates, device):
    return nmfcore.bootstrap(stars.rows, stars.columns, stars.shape, replicates=replicates, seed=1, device=device)


def converged(stars, replicates, k, device, **options):
    return nmfcore.factorize(drawn(stars, replicates, device), k, device=device, **options)


def multiplied(stars, replicates, device, iterations):
    (m, n), rng = stars.shape, np.random.default_rng(0)
    start = 0.1 + rng.random((m, 2), dtype=np.float32), 0.1 + rng.random((2, n), dtype=np.float32)
    stop = nmfcore.Stop(tol=0, max_iter=iterations)
    return nmfcore.factorize(drawn(stars, replicates, device), 2, device=device, init=start, update="mu", stop=stop)


def said(result):
    """What an answer says of itself."""
    return {
        "median_iterations": float(np.median(result.n_iter)),
        "converged": float(np.mean(result.converged)),
        "mean_loss": float(np.mean(result.loss)),
    }


def environment():
    """Return what computes, and how long the driver takes to be there."""
    start = time.perf_counter()
    number, reason = count_devices()
    begun = 1e3 * (time.perf_counter() - start)
    facts = {"provenance": provenance(), "machine": platform.platform(), "devices": number}
    facts["driver_ms"] = round(begun, 1)
    if number == 0:
        return facts | {"error": reason}
    from nmfcore.kernels.cuda.compiler import compiler_version
    from nmfcore.kernels.cuda.device import device_of

    with device_of(0) as device:
        facts |= {
            "name": measured.name_of(0), "arch": device.arch, "multiprocessors": device.multiprocessors,
            "shared_bytes": device.most_shared, "l2_bytes": device.l2, "free_bytes": device.room(),
            "nvrtc": compiler_version(),
        }  # fmt: skip
    return facts


def kernels():
    """Return what was compiled and loaded so far, and how it was launched last."""
    from nmfcore.kernels.cuda.device import device_of

    return {"loaded": device_of(0).described()}


def compared(stars, ours, k, replicates, **options):
    """Return how far the GPU's answers are from the CPU's, and how long the CPU takes."""
    figures, theirs = timed(lambda: converged(stars, replicates, k, "cpu", **options), 1)
    order = np.abs(ours.fractions - theirs.fractions).max()
    return {
        **{f"cpu_{name}": x for name, x in figures.items()},
        "largest_relative_loss_difference": float(np.abs(ours.loss[:replicates] / theirs.loss - 1).max()),
        "largest_fraction_difference": float(order),
        "cpu": said(theirs),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pixels", type=int, default=50, help="of an image's side")
    parser.add_argument("--stars", type=int, default=13147)
    options = parser.parse_args()
    stages, B, rounds = Stages(options.output), options.replicates, options.rounds
    if "error" in stages.run("environment", environment):
        sys.exit("gpu.py: there is no CUDA device that the kernels can use")
    stars = mock_stars(stars=options.stars, pixels=options.pixels)
    answers = {}

    def figures(key, work, rounds=rounds):
        taken, answers[key] = timed(work, rounds)
        return {**taken, **said(answers[key])}

    few = min(B, 100)
    stages.run(f"k = 2, {few} bootstraps", lambda: figures("few", lambda: converged(stars, few, 2, "cuda"), 1))
    stages.run("kernels of k = 2", kernels)
    two = stages.run("1,000 bootstraps converged", lambda: figures("two", lambda: converged(stars, B, 2, "cuda")))
    stages.run(
        "500 MU iterations",
        lambda: figures("mu", lambda: multiplied(stars, B, "cuda", options.iterations), min(rounds, 3)),
    )
    stages.run(
        "k = 4, best of 8",
        lambda: figures("four", lambda: converged(stars, B, 4, "cuda", starts=8), min(rounds, 3)),
    )
    stages.run("k = 4 as the science asks", lambda: figures("some", lambda: converged(stars, B, 4, "cuda"), 1))
    beside = stages.run("the CPU beside it, k = 2", lambda: compared(stars, answers["two"], 2, B))
    stages.run(
        "the CPU beside it, k = 4",
        lambda: compared(stars, answers["some"], 4, B) if B <= 100 else {"left out": "minutes; see targets.py"},
    )
    stages.run("kernels", kernels)
    if "median_ms" in two and "cpu_median_ms" in beside and not stages.failed:
        measured.record(measured.name_of(0), two["median_ms"], beside["cpu_median_ms"])
    if stages.failed:
        sys.exit(f"gpu.py: failed: {', '.join(stages.failed)}; see {options.output}")


if __name__ == "__main__":
    main()
