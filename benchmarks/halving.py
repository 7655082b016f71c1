"""What successive halving of starts saves, and how often it gives up the best one; saved as JSON.

Run with: OMP_NUM_THREADS=1 python benchmarks/halving.py [--replicates 256] [--quick]
Three and four components, eight starts of every bootstrap, on the paper-like problem of the engine's benchmarks and on
the stars of the default mock. Beside the same starts to their end, in rounds taken in turn, stand `Stop.halve_after` of
several numbers of iterations and, as what else the time might be saved by, fewer starts.
"""

import fair  # unsets what would slow NumPy down, before that is loaded

# isort: split
import argparse
import pathlib

from headline import STARTS, draw
from record import RESULTS, save
from rounds import ROUNDS, cost, in_turn
from samples import SAMPLES

import nmfcore
from nmfcore import bench

AFTER = (10, 16, 24, 32)
FEWER = (2, 4)
WORSE = 1e-6


def solve(stars, k, number, *, starts=STARTS, after=None):
    stop = nmfcore.Stop(halve_after=after)
    return nmfcore.factorize(draw(stars, number), k, init="nndsvda", starts=starts, stop=stop)


def row(name, stars, k, options, whole, timed):
    """What an alternative saves over all starts to their end, and how often and how far it ends above them."""
    number = len(whole.loss)
    other = solve(stars, k, number, **options)
    gap = other.loss / whole.loss - 1
    measured = in_turn(
        cost(lambda: solve(stars, k, timed, **options), timed), cost(lambda: solve(stars, k, timed), timed), ROUNDS
    )
    figures = measured.figures()
    return {
        "sample": name, "k": k, "starts": STARTS, "after": None, **options, "replicates": number, "timed": timed,
        "worse": int((gap > WORSE).sum()), "largest_gap": float(gap.max()), "mean_gap": float(gap.mean()),
        "converged": int(other.converged.sum()), "ratio": figures["cpu_ratio"], "low": figures["cpu_low"],
        "high": figures["cpu_high"],
    }  # fmt: skip


def main():
    fair.require()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=256)
    parser.add_argument("--timed", type=int, default=32, help="replicates of each round that is timed")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see whether it runs; nothing is saved")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "halving.json")
    options = parser.parse_args()
    number, timed = (16, 16) if options.quick else (options.replicates, options.timed)
    alternatives = [{"after": after} for after in AFTER] + [{"starts": starts} for starts in FEWER]
    rows = []
    with bench.threads(1):
        for name, make in SAMPLES.items():
            stars = make()
            for k in (3, 4):
                whole = solve(stars, k, number)
                for one in alternatives[: 1 if options.quick else None]:
                    rows.append(row(name, stars, k, one, whole, timed))
                    print({key: round(x, 7) if isinstance(x, float) else x for key, x in rows[-1].items()}, flush=True)
    if not options.quick:
        settings = {"replicates": number, "timed": timed, "worse": WORSE}
        save(options.output, {"rows": rows}, "benchmarks/halving.py", settings, seeds=[0], device="cpu")


if __name__ == "__main__":
    main()
