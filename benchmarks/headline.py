"""The targets on the paper's problem: bootstraps of two components, of four, and iterations."""

import os

import numpy as np
import torch
from peers import Bootstrap, FromStarts, Iterate, at_its_best, multiply, spread, start_of, typical
from rcppml import MissingError, RcppML
from rounds import ROUNDS, NotMeasurableError, cost, differences, in_turn

import nmfcore
from nmfcore import bench

STARTS = 8


def draw(stars, replicates, **options):
    return nmfcore.bootstrap(stars.rows, stars.columns, stars.shape, replicates=replicates, **options)


class Seeds:
    """So many new seeds at every call: no round has the problems of another."""

    def __init__(self, number):
        self.number, self.calls = number, 0

    def __call__(self):
        self.calls += 1
        return range(self.calls * self.number, (self.calls + 1) * self.number)


def k2_bootstrap(run):
    """1,000 bootstraps from resample to converged, two components."""
    stars, number, peers = run.stars, *((200, 8) if run.quick else (1000, 32))
    few = draw(stars, 8)
    found = nmfcore.factorize(few, 2)
    problems = bench.sparse_problems(few, range(8))
    tol = bench.tolerance(problems, found.loss, 2)
    gaps = np.array([bench.frobenius(V, *bench.peer_fit(V, 2, tol=tol)) for V in problems]) / found.loss - 1
    for threads in run.threads:
        with bench.threads(threads):
            result = nmfcore.factorize(draw(stars, number), 2)
            ours = cost(lambda: nmfcore.factorize(draw(stars, number), 2), number)
            for name, k_tol in (("cd", tol), ("mu", 1e-4)):
                work, seeds = Bootstrap(stars, 2, k_tol, name), Seeds(peers if name == "cd" else peers // 4)
                measured = in_turn(ours, lambda w=work, s=seeds, t=threads: typical(w, s(), t))
                target = {1: "k2_bootstrap", 2: "k2_bootstrap_two"}.get(threads) if name == "cd" else None
                what = f"k = 2, {number} bootstraps to converged / scikit-learn {name}, tol {k_tol:g}"
                yield run.row(
                    target, what + (" (stops early)" if name == "mu" else ""), measured, threads, fits=number,
                    peer_fits=ROUNDS * seeds.number, converged=int(result.converged.sum()),
                    largest_gap_of_peer=float(gaps.max()) if name == "cd" else None,
                )  # fmt: skip
    yield rcppml(run, few, found.loss, number)


def rcppml(run, few, losses, number):
    """Two components without the resampling, which R would do slowly: counts are given to both sides."""
    what = f"k = 2, {number} fits of given counts / RcppML"
    try:
        with RcppML(bench.sparse_problems(few, range(len(few))), 2) as peer, bench.threads(1):
            tol, gap = peer.to(losses)
            counts = draw(run.stars, number)
            counts.values  # noqa: B018 - drawn here, not in the fit
            ours = cost(lambda: nmfcore.factorize(counts, 2), number)
            measured = in_turn(ours, lambda: peer.typical(tol, 20))
            return run.row(
                None, f"{what} {peer.version}, tol {tol:g}", measured, 1, fits=number, peer_fits=20 * len(few) * ROUNDS,
                largest_gap_of_peer=float(gap),
            )  # fmt: skip
    except MissingError as why:
        return run.none(None, what, 1, f"left out: {why}")


def k4_starts(run):
    """Four components to the best of several starts, the same for both; and as the engine does it by default."""
    stars, k, number, peers = run.stars, 4, *((8, 2) if run.quick else (128, 8))
    pattern = draw(stars, number)
    problems = bench.sparse_problems(pattern, range(peers))
    ours = nmfcore.factorize(pattern, k, init="nndsvda", starts=STARTS)
    starts = [given_starts(pattern, peers, k, s) for s in range(STARTS)]
    alone = [nmfcore.factorize(pattern.select(range(peers)), k, init=start).loss for start in starts]
    items = [(b, problems[b], [(W[b], H[b]) for W, H in starts]) for b in range(peers)]
    cases = [("k4_starts", f"best of {STARTS} starts", items, ours, {"init": "nndsvda", "starts": STARTS}, alone)]
    guided = nmfcore.factorize(pattern, k)
    full = nmfcore.factorize(bench.dense_counts(stars), k)
    warm = [(b, problems[b], [(full.W.astype(np.float32), full.H.astype(np.float32))]) for b in range(peers)]
    cases.append((None, "from the full sample's best start, as by default", warm, guided, {}, None))
    for target, what, given, result, options, alone in cases:
        tolerances = bench.TOLERANCES if alone is not None else bench.WARM_TOLERANCES
        tol, losses, gaps = reach(stars, k, given, result.loss, tolerances)
        equal = 1 + bench.EQUAL
        more = {
            "tol": tol, "converged": int(result.converged.sum()), "peer_gap_of_best": float(gaps.max()),
            "peer_problems_not_reached": int((gaps > bench.EQUAL).sum()),
            "peer_starts_not_reached": int((losses > result.loss[:peers, None] * equal).sum()),
        }  # fmt: skip
        if alone is not None:
            more["starts_not_reached"] = int((np.stack(alone, 1) > result.loss[:peers, None] * equal).sum())
        else:
            more["not_the_best_of_starts"] = int((result.loss > ours.loss * equal).sum())
            more["better_than_starts"] = int((ours.loss > result.loss * equal).sum())
        for threads in run.threads:
            with bench.threads(threads):
                measured = in_turn(
                    cost(lambda o=options: nmfcore.factorize(draw(stars, number), k, **o), number),
                    lambda given=given, tol=tol, threads=threads: typical(FromStarts(stars, k, tol), given, threads),
                )
            yield run.row(
                target, f"k = 4, {what} / scikit-learn cd, tol {tol:g}", measured, threads, fits=number,
                peer_fits=ROUNDS * peers, **more,
            )  # fmt: skip


def given_starts(pattern, number, k, start):
    """Return start `start` of the first replicates, as the engine draws it: nndsvda, then random ones."""
    if start == 0:
        from sklearn.decomposition._nmf import _initialize_nmf

        pairs = [
            _initialize_nmf(V, k, "nndsvda", random_state=0) for V in bench.sparse_problems(pattern, range(number))
        ]
        return tuple(np.stack([np.asarray(pair[i], np.float32) for pair in pairs]) for i in (0, 1))
    from nmfcore.initialise import random_factors

    factors = random_factors(torch.from_numpy(pattern.to_dense(range(number))), k, seed=0, start=start)
    return factors.W.numpy(), factors.H.numpy()


def reach(stars, k, items, losses, tolerances):
    """Tighten scikit-learn's tolerance until the best of its starts is at our loss: (tol, its losses, its gaps).

    Where some problems end in another optimum, whatever the tolerance, the loosest that brings the others there counts.
    """
    best_of = None
    for tol in tolerances:
        found = np.array(spread(FromStarts(stars, k, tol), items, os.cpu_count() or 1))
        gaps = found.min(axis=1) / losses[: len(items)] - 1
        reached = int((gaps <= bench.EQUAL).sum())
        if best_of is None or reached > best_of[0]:
            best_of = reached, tol, found, gaps
        if reached == len(items):
            break
    return best_of[1:]


def mu(run):
    """One multiplicative iteration in a batch of 256, start and end taken out by a difference."""
    stars, B, few, many = run.stars, *((32, 10, 60) if run.quick else (256, 20, 220))
    pattern = draw(stars, B)
    dense = torch.from_numpy(pattern.to_dense(range(32)))
    W32, H32 = start_of(stars, 2, np.float32)

    def ours(number):
        stop = nmfcore.Stop(tol=0, max_iter=number)
        return cost(lambda: nmfcore.factorize(pattern, 2, init=(W32, H32), update="mu", stop=stop), B)()

    def one(target, what, peer, threads):
        try:
            with bench.threads(threads):
                measured = differences(ours, peer, few, many)
        except NotMeasurableError as why:
            return run.none(target, what, threads, f"not measurable: {why}")
        return run.row(target, what, measured, threads, fits=B * (many - few), unit="iteration")

    for dtype in (np.float64, np.float32):
        V, (W, H) = bench.dense_counts(stars, dtype), start_of(stars, 2, dtype)

        def iterations(number, V=V, W=W, H=H):
            options = {"solver": "mu", "init": "custom", "tol": 0, "max_iter": number}
            return bench.peer_fit(V, 2, W=W.copy(), H=H.copy(), **options)

        name = np.dtype(dtype).name
        for threads in run.threads:
            yield one(
                f"mu_{name}", f"MU iteration, batch of {B}, ours float32 / scikit-learn mu {name}",
                lambda number, f=iterations, t=threads: typical(Iterate(f, number), range(4 * t), t), threads,
            )  # fmt: skip
    filled = torch.from_numpy(np.flatnonzero(dense.sum(dim=(0, 1)).numpy()))
    for name, data in (("", dense), (" on non-empty columns", dense[:, :, filled].contiguous())):
        W, H = torch.from_numpy(W32).expand(32, -1, -1), torch.from_numpy(H32)[:, : data.shape[2]].expand(32, -1, -1)
        for threads in run.threads:

            def batch(number=few, d=data, W=W, H=H):
                return cost(lambda: multiply(d, W, H, number), 32)()

            peer, used = at_its_best(batch, threads)
            row = one(None, f"MU iteration, batch of {B}, ours float32 / torch.bmm float32{name}", peer, threads)
            yield row | {"peer_threads": used}
