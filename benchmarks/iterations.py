"""Where the time of a bootstrap replicate goes as components are added: how many iterations, and what one costs.

Run with: OMP_NUM_THREADS=1 python benchmarks/iterations.py [--quick] [--output FILE]
Replicates of the paper-like stars begin at the full sample's solution, as by default. What one iteration costs is the
processor's time of a run that is stopped late less that of one that is stopped early, over the iterations between, so
that the drawing of stars and the finish are not in it. "Accelerated" is what the solver of single matrices needs from
the same starts: alternating least squares, extrapolated by Anderson's method from six steps.
"""

import fair  # noqa: F401 - unsets what would slow NumPy down, before that is loaded

# isort: split
import argparse
import pathlib
import statistics
import time

import numpy as np
from record import RESULTS, save

import nmfcore
from nmfcore import Stop, bench

ROUNDS = 5


def draw(stars, replicates):
    return nmfcore.bootstrap(stars.rows, stars.columns, stars.shape, replicates=replicates)


def seconds(stars, number, k, loss, stop):
    """The processor's time of a replicate, the least of some rounds, and the result."""
    found = nmfcore.factorize(draw(stars, number), k, loss=loss, stop=stop)
    took = []
    for _ in range(ROUNDS):
        start = time.process_time()
        nmfcore.factorize(draw(stars, number), k, loss=loss, stop=stop)
        took.append(time.process_time() - start)
    return min(took) / number, found


def accelerated(stars, number, k):
    """Iterations of the solver of single matrices, from the full sample's solution."""
    full = nmfcore.factorize(bench.dense_counts(stars).astype(np.float64), k)
    dense = draw(stars, number).to_dense(range(number), dtype=np.float64)
    return [int(np.max(nmfcore.factorize(V, k, init=(full.W, full.H)).n_iter)) for V in dense]


def rows(quick):
    stars = bench.mock_stars()
    for k in (2, 3, 4):
        for loss in ("frobenius", "kullback-leibler"):
            number = 16 if quick else 128
            with bench.threads(1):
                whole, found = seconds(stars, number, k, loss, Stop())
                early, late = ((Stop(tol=0.0, max_iter=n)) for n in (8, 24))
                between = seconds(stars, number, k, loss, late)[0] - seconds(stars, number, k, loss, early)[0]
                few = accelerated(stars, 8 if quick else 24, k) if loss == "frobenius" else []
            yield {
                "k": k,
                "loss": loss,
                "replicates": number,
                "ms": 1e3 * whole,
                "iterations": statistics.median(found.n_iter.tolist()),
                "us_an_iteration": 1e6 * between / 16,
                "accelerated": statistics.median(few) if few else None,
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few replicates: to see whether it runs")
    parser.add_argument("--output", type=pathlib.Path, help="by default the saved results, or none with --quick")
    arguments = parser.parse_args()
    found = []
    for row in rows(arguments.quick):
        print(row, flush=True)
        found.append(row)
    if arguments.output or not arguments.quick:
        settings = {"rounds": ROUNDS, "quick": arguments.quick}
        save(arguments.output or RESULTS / "iterations.json", {"rows": found}, "benchmarks/iterations.py", settings)


if __name__ == "__main__":
    main()
