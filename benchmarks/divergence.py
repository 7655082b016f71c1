"""The Kullback-Leibler divergence: what it costs beside least squares, and where its two rules end; saved as JSON.

Run with: OMP_NUM_THREADS=1 python benchmarks/divergence.py [--parts cost minima held] [--quick]
"cost": a bootstrap by the divergence over one by least squares, both by default. "minima": `anewton` beside `newton`
from the same starts, on the paper-like problem of the engine's benchmarks and on the mock's stars: from the sample's
solution, as bootstraps begin, and from the leading singular vectors of each replicate. "held": a replicate with all its
products, and of that the fractions of held components in the bins of every product. Processor's seconds of one thread,
in rounds taken in turn.
"""

import fair  # unsets what would slow NumPy down, before that is loaded

# isort: split
import argparse
import json
import pathlib

import numpy as np
from headline import draw
from record import RESULTS, save
from rounds import ROUNDS, cost, in_turn
from samples import SAMPLES, mock_base

import nmfcore
from halonmf.halo.replicates.divergence import divergence_weights
from halonmf.halo.replicates.held import weights_of_many
from halonmf.halo.replicates.replicate import reduce
from nmfcore import bench

KL = "kullback-leibler"
OTHER = 1e-6


def cost_rows(quick):
    """What a bootstrap costs by the divergence over one by least squares, for each number of components."""
    number = 16 if quick else 256
    for name, make in SAMPLES.items():
        stars = make()
        for k in (2, 3, 4):
            squares, other = (
                cost(lambda loss=loss, k=k, s=stars: nmfcore.factorize(draw(s, number), k, loss=loss), number)
                for loss in ("frobenius", KL)
            )
            found = in_turn(other, squares).figures(slower=True)
            yield {
                "sample": name, "k": k, "replicates": number, "ratio": found["cpu_ratio"], "low": found["cpu_low"],
                "high": found["cpu_high"], "ms": found["ours_cpu_ms"], "least_squares_ms": found["peer_cpu_ms"],
            }  # fmt: skip


def minima_rows(quick):
    """Where the accelerated rule ends beside the plain one from the same starts, and what it costs."""
    number, timed = (16, 8) if quick else (192, 32)
    for name, make in SAMPLES.items():
        stars = make()
        for k in (2, 3, 4):
            best = nmfcore.factorize(bench.dense_counts(stars), k, loss=KL, update="newton")
            sample = best.W.astype(np.float32), best.H.astype(np.float32)
            for start, init in (("sample", sample), ("vectors", "nndsvda")):
                options = {"loss": KL, "init": init, "starts": 1}
                yield compare(stars, k, number, timed, options) | {"sample": name, "k": k, "start": start}


def compare(stars, k, number, timed, options):
    """Both rules on the same bootstraps from the same starts."""
    pattern = draw(stars, number)
    plain, fast = (nmfcore.factorize(pattern, k, update=rule, **options) for rule in ("newton", "anewton"))
    gap = fast.loss / plain.loss - 1
    few = pattern.select(range(timed))
    costs = (cost(lambda r=r: nmfcore.factorize(few, k, update=r, **options), timed) for r in ("anewton", "newton"))
    found = in_turn(*costs, ROUNDS).figures()
    return {
        "replicates": number, "higher": int((gap > OTHER).sum()), "lower": int((gap < -OTHER).sum()),
        "mean_gap": float(gap.mean()), "largest_gap": float(gap.max()), "least_gap": float(gap.min()),
        "converged": [int(x.converged.sum()) for x in (fast, plain)], "gain": found["cpu_ratio"],
        "low": found["cpu_low"], "high": found["cpu_high"], "ms": found["ours_cpu_ms"],
    }  # fmt: skip


def held_rows(quick):
    """What a replicate with all products costs, and its held components alone, by either loss; milliseconds."""
    number = 16 if quick else 100
    for k in (2, 3):
        bases = [mock_base(k, loss) for loss in ("frobenius", KL)]
        squares, other = (cost(lambda b=b: reduce(b, 0, number), number) for b in bases)
        whole = in_turn(other, squares).figures(slower=True)
        squares, other = (cost(held(base, number), number) for base in bases)
        alone = in_turn(other, squares).figures(slower=True)
        row = {"k": k, "replicates": number}
        for part, found in (("whole", whole), ("held", alone)):
            row |= {f"{part}_ratio": found["cpu_ratio"], f"{part}_low": found["cpu_low"]}
            row |= {f"{part}_high": found["cpu_high"], f"{part}_ms": found["ours_cpu_ms"]}
            row |= {f"{part}_least_squares_ms": found["peer_cpu_ms"]}
        yield row


def held(base, number):
    """Return what finds the sample's components in the bins of every product, in so many replicates."""
    mixtures, solver, places = base.fit.mixtures, base.setup.fit.solver, base.sample.places
    weights = nmfcore.star_weights(mixtures.rows, replicates=number)
    H = np.repeat(base.fit.H[None].astype(np.float64), number, axis=0)
    shape = number, len(places)
    W, stars = np.zeros((*shape, H.shape[1])), np.zeros(shape, np.int64)
    if solver.least_squares:
        columns = mixtures.columns.astype(np.int32)
        return lambda: weights_of_many(weights, columns, places.index, H, W, stars, 0, number)
    binned = base.sample.binned_cells(base.setup.fit.chemistry)
    return lambda: divergence_weights(weights, binned, H, W, stars, 0, number)


PARTS = {"cost": cost_rows, "minima": minima_rows, "held": held_rows}


def main():
    fair.require()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="the others stay as saved")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see whether it runs; nothing is saved")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "divergence.json")
    options = parser.parse_args()
    figures = {}
    if options.output.exists():
        figures = {name: rows for name, rows in json.loads(options.output.read_text()).items() if name in PARTS}
    with bench.threads(1):
        for name in options.parts:
            figures[name] = []
            for row in PARTS[name](options.quick):
                figures[name].append(row)
                print(name, {x: float(f"{v:.4g}") if isinstance(v, float) else v for x, v in row.items()}, flush=True)
    if not options.quick:
        settings = {"parts": options.parts, "other": OTHER}
        save(options.output, figures, "benchmarks/divergence.py", settings, seeds=[0], device="cpu")


if __name__ == "__main__":
    main()
