"""scikit-learn over all cores, one BLAS thread a process, and a batch through torch.bmm."""

import statistics

import joblib
import numpy as np
import torch
from rounds import Cost, timed

from nmfcore import bench


def spread(work, items, jobs):
    """Return work(item) of all items, on so many processes."""
    return [result for result, _ in _each(work, items, jobs)]


def typical(work, items, jobs):
    """Return the cost of one item when so many processes work at once, as the median over items.

    The median, because the few problems on which scikit-learn takes all its iterations would flatter us; starting the
    processes and handing out the work is not counted.
    """
    costs = [one for _, one in _each(work, items, jobs)]
    return Cost(statistics.median(x.clock for x in costs) / jobs, statistics.median(x.processor for x in costs))


def _each(work, items, jobs):
    items = list(items)
    if jobs == 1:
        return _group(work, items)
    size = max(1, -(-len(items) // (4 * jobs)))
    groups = [items[i : i + size] for i in range(0, len(items), size)]
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        done = joblib.Parallel(n_jobs=jobs)(joblib.delayed(_group)(work, group) for group in groups)
    return [one for part in done for one in part]


def _group(work, items):
    found = []
    for item in items:
        result, clock, processor = timed(work, item)
        found.append((result, Cost(clock, processor)))
    return found


def at_its_best(peer, threads, rounds=3):
    """Return the peer on at most so many threads of its own libraries, whichever number it is faster on, and that.

    On small products scikit-learn's and torch's threads wait for each other: held to all of them they would flatter us.

    Parameters
    ----------
    peer : callable
        Returns its cost.
    threads : int
    rounds : int
    """
    if threads == 1:
        return peer, 1

    def limited(number):
        def call(*arguments):
            with bench.threads(number):
                return peer(*arguments)

        return call

    found = {number: limited(number) for number in (1, threads)}
    seconds = {number: [] for number in found}
    for _ in range(rounds):
        for number, call in found.items():
            seconds[number].append(call().clock)
    best = min(found, key=lambda number: statistics.median(seconds[number]))
    return found[best], best


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


class Iterate:
    """So many iterations, whatever the item."""

    def __init__(self, function, number):
        self.function, self.number = function, number

    def __call__(self, _):
        self.function(self.number)
