"""One matrix or a dense batch of any shape, ours beside scikit-learn's `cd` at equal loss; saved as JSON.

Run with: python benchmarks/shapes.py [--threads 1 2] [--only NAME ...] [--output FILE] [--page]
With --page the table of docs/speed.md is written from the saved file, and nothing is timed.
Both begin at nndsvda and compute in this process on the same number of threads; the processor's seconds of all threads
are compared, the best of interleaved rounds of each. Ours by its default test, which asks for converged factors, and by
`Stop.loss()`, which asks for the loss alone; scikit-learn's tolerance is tightened until its loss is within 1e-6 of
ours. Where the two end in different optima, and one stays above the other by more, its own tightest loss counts.
"""

import argparse
import json
import os
import pathlib
import sys
import time
from typing import NamedTuple

import numpy as np
import scipy.sparse
from record import RESULTS, ROOT, save

import nmfcore
from nmfcore import Stop, bench

sys.path.append(str(ROOT / "docs"))
from marked import put

PAGE = ROOT / "docs" / "speed.md"
MARKERS = ("<!-- benchmarks/shapes.py writes what follows -->", "<!-- and this ends here -->")
# Rounds go on until both sides have taken so long together, but there are at least one and at most so many.
SECONDS, ROUNDS = 1.0, 9


class Shape(NamedTuple):
    """One line of the table."""

    name: str
    m: int
    n: int
    k: int
    kind: str  # "bins": the paper's mock; "counts": Poisson; "gamma": products with gamma noise; "scattered": few cells
    filled: float  # the fraction of entries above zero that is aimed at
    dtype: str = "float64"
    form: str = "dense"  # or "csr"
    batch: int = 1


SHAPES = [
    Shape("a small one", 20, 30, 3, "gamma", 1.0),
    Shape("1,000 small ones", 20, 30, 3, "gamma", 1.0, batch=1000),
    Shape("few rows", 25, 800, 2, "bins", 0.2),
    Shape("few rows, gamma", 25, 800, 4, "gamma", 1.0),
    Shape("100 of them", 25, 800, 2, "bins", 0.2, "float32", batch=100),
    Shape("the paper's", 64, 5000, 2, "bins", 0.06),
    Shape("the paper's", 64, 5000, 2, "bins", 0.06, "float32"),
    Shape("the paper's", 64, 5000, 2, "bins", 0.06, "float64", "csr"),
    Shape("the paper's", 64, 5000, 2, "bins", 0.06, "float32", "csr"),
    Shape("the paper's, k = 4", 64, 5000, 4, "bins", 0.06),
    Shape("the paper's, k = 4", 64, 5000, 4, "bins", 0.06, "float64", "csr"),
    Shape("many bins", 1024, 5000, 2, "bins", 0.005, "float64", "csr"),
    Shape("many bins", 1024, 5000, 2, "bins", 0.005),
    Shape("square, gamma", 300, 500, 6, "gamma", 1.0, "float32"),
    Shape("sixteen components", 200, 800, 16, "gamma", 1.0),
    Shape("counts", 500, 2000, 8, "counts", 0.3, "float32"),
    Shape("counts", 500, 2000, 8, "counts", 0.1, "float64", "csr"),
    Shape("tall", 5000, 800, 5, "counts", 0.3),
    Shape("large counts", 2000, 5000, 10, "counts", 0.3),
    Shape("large counts", 2000, 5000, 10, "counts", 0.3, "float32"),
    Shape("large and sparse", 20000, 5000, 5, "scattered", 0.01, "float32", "csr"),
    Shape("wide and sparse", 1000, 20000, 8, "scattered", 0.02, "float64", "csr"),
]


def data(shape, seed=0):
    """Return V: (m, n), or (B, m, n)."""
    rng = np.random.default_rng(seed)
    m, n, k = shape.m, shape.n, shape.k
    if shape.batch > 1:
        return np.stack([data(shape._replace(batch=1), seed + b) for b in range(shape.batch)])
    if shape.kind == "bins":
        V = bench.counts(bench.mock_stars(seed, bins=m, pixels=round((n / 2) ** 0.5)), dtype=shape.dtype)
        return V if shape.form == "csr" else V.toarray()
    if shape.kind == "scattered":
        return scattered(shape, rng)
    V = rng.gamma(0.5, 1.0, (m, k)) @ rng.gamma(0.5, 1.0, (k, n))
    if shape.kind == "gamma":
        V *= rng.gamma(4.0, 0.25, (m, n))
    else:
        low, high = 1e-4, 1e4  # the level at which as many counts are above zero as are wanted
        for _ in range(40):
            level = (low * high) ** 0.5
            low, high = (level, high) if float((1 - np.exp(-V * level)).mean()) < shape.filled else (low, level)
        V = rng.poisson(V * level)
    V = V.astype(shape.dtype)
    return scipy.sparse.csr_matrix(V) if shape.form == "csr" else V


def scattered(shape, rng):
    """Return a sparse matrix of k blocks that overlap, whose cells are drawn one by one: it is never dense."""
    m, n, k = shape.m, shape.n, shape.k
    cells = round(shape.filled * m * n)
    block = rng.integers(k, size=cells)
    rows = (m * ((block + rng.beta(2, 2, cells) * 2) / (k + 1))).astype(int)
    columns = (n * ((block + rng.beta(2, 2, cells) * 2) / (k + 1))).astype(int)
    V = scipy.sparse.coo_matrix((rng.gamma(2.0, 0.5, cells).astype(shape.dtype), (rows, columns)), shape=(m, n))
    return V.tocsr()


def loss_of(V, W, H):
    """Return half the squared distance of V and W H in float64; a sparse V stays so."""
    if not scipy.sparse.issparse(V):
        return bench.frobenius(V, W, H)
    W, H, cells = W.astype(np.float64), H.astype(np.float64), V.tocoo()
    Y, step = np.empty(cells.nnz), 2**20
    for first in range(0, cells.nnz, step):
        some = slice(first, first + step)
        Y[some] = np.einsum("pc,cp->p", W[cells.row[some]], H[:, cells.col[some]])
    data = cells.data.astype(np.float64)
    return 0.5 * float((data**2 - 2 * data * Y).sum() + ((W.T @ W) * (H @ H.T)).sum())


def peer_of(V, loss, k):
    """Return the tolerance for scikit-learn, its loss over ours less one, and whether it gets to ours at all."""
    tried = {}
    for tol in bench.TOLERANCES[:4]:
        tried[tol] = loss_of(V, *bench.peer_fit(V, k, tol=tol, max_iter=2000)) / loss - 1
        if tried[tol] <= bench.EQUAL:
            return tol, tried[tol], True
    # Another optimum, which it has reached where its loss is within 1e-6 of its best.
    end = min(tried.values())
    return next((tol, gap, False) for tol, gap in tried.items() if gap <= end + bench.EQUAL)


def seconds(function):
    """Return the processor's seconds of all threads, and the clock's."""
    clock, processor = time.perf_counter(), time.process_time()
    function()
    return time.process_time() - processor, time.perf_counter() - clock


def measure(shape, threads):
    """Return one line of the table."""
    V, k = data(shape), shape.k
    few = V[:10] if shape.batch > 1 else [V]

    def ours(stop):
        return nmfcore.factorize(V, k, starts=1, stop=stop)

    with bench.threads(threads):
        found = ours(Stop())
        quick = ours(Stop.loss())
        peers = [peer_of(one, x, k) for one, x in zip(few, np.atleast_1d(found.loss), strict=False)]

        def peer():
            return [bench.peer_fit(one, k, tol=p[0], max_iter=2000) for one, p in zip(few, peers, strict=True)]

        taken = {"converged": [], "loss": [], "peer": []}
        for _ in range(ROUNDS):
            taken["converged"].append(seconds(lambda: ours(Stop()))[0])
            taken["loss"].append(seconds(lambda: ours(Stop.loss()))[0])
            taken["peer"].append(
                seconds(
                    lambda: [bench.peer_fit(one, k, tol=p[0], max_iter=2000) for one, p in zip(few, peers, strict=True)]
                )[0]
            )
            if sum(map(sum, taken.values())) > SECONDS:
                break
    per_fit = {name: 1e3 * min(x) / (len(few) if name == "peer" else shape.batch) for name, x in taken.items()}
    filled = (V.nnz if shape.form == "csr" else np.count_nonzero(V)) / (shape.batch * shape.m * shape.n)
    return {
        **shape._asdict(), "filled": float(filled), "threads": threads, "rounds": len(taken["peer"]),
        "ours_ms": per_fit["converged"], "loss_ms": per_fit["loss"], "peer_ms": per_fit["peer"],
        "ratio": per_fit["converged"] / per_fit["peer"], "loss_ratio": per_fit["loss"] / per_fit["peer"],
        "peer_tol": max(p[0] for p in peers), "peer_gap": max(p[1] for p in peers),
        "reached": sum(p[2] for p in peers), "peers": len(peers),
        "loss_gap": float(np.max(np.atleast_1d(quick.loss) / np.atleast_1d(found.loss)) - 1),
        "n_iter": float(np.median(found.n_iter)), "loss_n_iter": float(np.median(quick.n_iter)),
        "converged": float(np.mean(found.converged)),
    }  # fmt: skip


def line(row):
    """Return a row as text."""
    what = f"{row['batch']} x " * (row["batch"] > 1) + f"{row['m']} x {row['n']}"
    return (
        f"{row['name'][:20]:20s} {what:>16s} k {row['k']:2d} {row['filled']:6.1%} {row['dtype']} {row['form']:5s} "
        f"threads {row['threads']} ours {row['ours_ms']:9.2f} ms ({row['n_iter']:.0f}) loss {row['loss_ms']:9.2f} "
        f"({row['loss_n_iter']:.0f}, {row['loss_gap']:+.0e}) peer {row['peer_ms']:9.2f} (tol {row['peer_tol']:g}, "
        f"{row['peer_gap']:+.0e}, {row['reached']}/{row['peers']}) ratio {row['ratio']:.2f} {row['loss_ratio']:.2f}"
    )


def table(saved):
    """Return the table of docs/speed.md in Markdown: a line for every shape, a column for every number of threads."""
    rows = saved["rows"]
    threads = sorted({row["threads"] for row in rows})
    names = [f"{t} thread{'s' * (t > 1)}" for t in threads]
    columns = [f"{name}, {test}" for test in ("converged", "`Stop.loss()`") for name in names]
    lines = [f"| V | k | filled | | {' | '.join(columns)} |", "|---" * (4 + len(columns)) + "|"]
    found = {}
    for row in rows:
        key = tuple(row[x] for x in ("batch", "m", "n", "k", "kind", "dtype", "form"))
        found.setdefault(key, {})[row["threads"]] = row
    for (batch, m, n, k, kind, dtype, form), by_threads in found.items():
        one = next(iter(by_threads.values()))
        what = (f"{batch:,} x " if batch > 1 else "") + f"{m:,} x {n:,}"
        ratios = [
            f"{by_threads[t][name]:.2f}" if t in by_threads else "" for name in ("ratio", "loss_ratio") for t in threads
        ]
        lines.append(f"| {what} | {k} | {100 * one['filled']:.3g} % | {kind}, {dtype}, {form} | {' | '.join(ratios)} |")
    record = saved["provenance"]
    machine = f"{record['machine']['processor']}, {record['machine']['cores']} cores"
    return "\n".join([*lines, "", f"{machine}, at commit {record['commit']}: `python benchmarks/shapes.py`."])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, min(2, os.cpu_count() or 1)}))
    parser.add_argument("--only", nargs="+", default=[], help="names of shapes, or parts of them")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "shapes.json")
    parser.add_argument("--page", action="store_true", help="write docs/speed.md from the saved file")
    options = parser.parse_args()
    if options.page:
        PAGE.write_text(put(PAGE.read_text(), MARKERS, table(json.loads(options.output.read_text()))))
        return
    rows = []
    for shape in SHAPES:
        if not options.only or any(word in shape.name for word in options.only):
            for threads in options.threads:
                rows.append(measure(shape, threads))
                print(line(rows[-1]), flush=True)
    settings = {"threads": options.threads, "only": options.only}
    save(options.output, {"rows": rows}, "benchmarks/shapes.py", settings, device="cpu")


if __name__ == "__main__":
    main()
