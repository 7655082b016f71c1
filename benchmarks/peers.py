"""scikit-learn over all cores, one BLAS thread a process, and a batch through torch.bmm."""

import time

import joblib
import numpy as np
import torch

from nmfcore import bench


def timed(function, *arguments, **options):
    """Return (result, seconds of the clock, seconds of the processor)."""
    clock, processor = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    return result, time.perf_counter() - clock, time.process_time() - processor


def spread(work, items, jobs):
    """Call work(item) for all items on so many processes; return (results, clock, processor's seconds of all)."""
    if jobs == 1:
        return timed(lambda: [work(item) for item in items])
    size = max(1, -(-len(items) // (4 * jobs)))
    groups = [items[i : i + size] for i in range(0, len(items), size)]
    start = time.perf_counter()
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        done = joblib.Parallel(n_jobs=jobs)(joblib.delayed(_group)(work, group) for group in groups)
    clock = time.perf_counter() - start
    return [x for part, _ in done for x in part], clock, sum(seconds for _, seconds in done)


def _group(work, items):
    results, _, seconds = timed(lambda: [work(item) for item in items])
    return results, seconds


class Bootstrap:
    """Resample the stars, build V and fit it: what one replicate costs with scikit-learn; the item is a seed."""

    def __init__(self, stars, k, tol, solver="cd"):
        self.stars, self.k, self.tol, self.solver = stars, k, tol, solver

    def __call__(self, seed):
        V = bench.resampled(self.stars, seed)
        if self.solver == "mu":
            V = V.toarray()
        return bench.peer_fit(V, self.k, tol=self.tol, solver=self.solver)


class FromStarts:
    """Fit one V from several given starts; the item is (seed, V, starts). Returns the losses.

    V is given, so that both sides solve the same problems; a resample of the same stars is drawn all the same, since
    it belongs to the cost. The losses are not needed by it, but are a hundredth of the fit.
    """

    def __init__(self, stars, k, tol):
        self.stars, self.k, self.tol = stars, k, tol

    def __call__(self, item):
        seed, V, starts = item
        bench.resampled(self.stars, seed)
        losses = []
        for W, H in starts:
            given = {"init": "custom", "W": W.copy(), "H": H.copy()}
            losses.append(bench.frobenius(V, *bench.peer_fit(V, self.k, tol=self.tol, **given)))
        return losses


def multiply(V, W, H, number):
    """Lee & Seung's updates of a dense batch by torch.bmm, `number` times."""
    for _ in range(number):
        Ht = H.transpose(1, 2)
        W = W * (torch.bmm(V, Ht) / torch.bmm(W, torch.bmm(H, Ht)).clamp_min(1e-10))
        Wt = W.transpose(1, 2)
        H = H * (torch.bmm(Wt, V) / torch.bmm(torch.bmm(Wt, W), H).clamp_min(1e-10))
    return W, H


def start_of(stars, k, dtype, seed=0):
    """Return one positive start for all."""
    rng = np.random.default_rng(seed)
    m, n = stars.shape
    return (0.1 + rng.random((m, k))).astype(dtype), (0.1 + rng.random((k, n))).astype(dtype)
