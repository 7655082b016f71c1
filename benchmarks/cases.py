"""The other targets: single fits, what a third component costs, Kullback-Leibler, small problems, a million stars."""

import itertools
import time

import numpy as np
from headline import STARTS, draw
from peers import at_its_best, typical
from rounds import ROUNDS, cost, in_turn

import nmfcore
from nmfcore import bench


def one_fit(run):
    """One fit of 64 x 5000 after warm-up at equal loss; the figure is ours over scikit-learn's."""
    for kind, dtype in itertools.product(("dense", "csr"), (np.float64, np.float32)):
        V = bench.dense_counts(run.stars, dtype) if kind == "dense" else bench.counts(run.stars, dtype=dtype)
        loss = float(nmfcore.factorize(V, 2).loss)
        tol = bench.tolerance([V], [loss], 2)
        gap = bench.frobenius(V, *bench.peer_fit(V, 2, tol=tol)) / loss - 1
        for threads in run.threads:
            with bench.threads(threads):
                peer, used = at_its_best(cost(lambda V=V, tol=tol: bench.peer_fit(V, 2, tol=tol)), threads)
                measured = in_turn(cost(lambda V=V: nmfcore.factorize(V, 2)), peer, ROUNDS if run.quick else 21)
            yield run.row(
                f"{kind}_fit", f"k = 2, one {kind} fit, {V.dtype}: ours / scikit-learn cd, tol {tol:g}", measured,
                threads, slower=True, largest_gap_of_peer=gap, peer_threads=used,
            )  # fmt: skip


def third_component(run):
    """What a bootstrap of three components costs over one of two, both by default."""
    number = 16 if run.quick else 256
    with bench.threads(1):
        two, three = (cost(lambda k=k: nmfcore.factorize(draw(run.stars, number), k), number) for k in (2, 3))
        measured = in_turn(three, two)
    yield run.row(
        "k3_over_k2", f"{number} bootstraps: k = 3 / k = 2", measured, 1, slower=True, fits=number, peer_fits=number,
        peer="ours, k = 2",
    )  # fmt: skip


def divergence(run):
    """What a replicate costs by Kullback-Leibler over least squares, both to convergence by default."""
    for k in (2, 3, 4):
        number = 4 if run.quick else 128
        with bench.threads(1):
            squares, other = (
                cost(lambda loss=loss, k=k, n=number: nmfcore.factorize(draw(run.stars, n), k, loss=loss), number)
                for loss in ("frobenius", "kullback-leibler")
            )
            converged = int(nmfcore.factorize(draw(run.stars, number), k, loss="kullback-leibler").converged.sum())
            measured = in_turn(other, squares)
        yield run.row(
            "kl_over_least_squares", f"k = {k}, {number} bootstraps: Kullback-Leibler / least squares", measured, 1,
            slower=True, fits=number, peer_fits=number, converged=converged, peer="ours, least squares",
        )  # fmt: skip


def small_problems(run):
    """1,000 dense problems of 20 x 30, three components, over a loop of scikit-learn at equal loss."""
    V = np.random.default_rng(0).random((1000, 20, 30))
    start = time.process_time()
    nmfcore.factorize(V[:100], 3)
    # where all take half a minute, a part of them says as much
    number = 50 if run.quick else 1000 if time.process_time() - start < 3 else 100
    found = nmfcore.factorize(V[:number], 3)
    full = [(b, found.loss[b]) for b in range(32)]
    # other optima aside: the loosest tolerance that brings half of the problems to our loss, as far as any does
    reached = {}
    for tol in bench.TOLERANCES:
        theirs = [bench.frobenius(V[b], *bench.peer_fit(V[b], 3, tol=tol)) / loss - 1 for b, loss in full]
        reached[tol] = float(np.mean(np.array(theirs) <= bench.EQUAL)), float(np.mean(theirs))
        if reached[tol][0] >= 0.5:
            break
    for threads in run.threads:
        with bench.threads(threads):
            measured = in_turn(
                cost(lambda: nmfcore.factorize(V[:number], 3), number),
                lambda t=threads: typical(Small(V[:100], tol), range(100), t),
            )
        yield run.row(
            "small_dense", f"{number} dense problems of 20 x 30, k = 3 / a loop of scikit-learn cd, tol {tol:g}",
            measured, threads, fits=number, peer_fits=100 * ROUNDS, converged=int(found.converged.sum()),
            peer_reached_our_loss=reached[tol][0], mean_gap_of_peer=reached[tol][1],
        )  # fmt: skip


class Small:
    """Fit one of many problems; the item is its number."""

    def __init__(self, V, tol):
        self.V, self.tol = V, tol

    def __call__(self, b):
        bench.peer_fit(self.V[b], 3, tol=self.tol)


def a_million_stars(run):
    """What a star costs among 1e6 over what it does among 1e4, from resample to converged, k = 2."""
    many, few = (100_000, 16), (10_000, 64)
    if not run.quick:
        many, few = (1_000_000, 32), (10_000, 512)
    costs = []
    with bench.threads(1):
        for stars, number in (many, few):
            problem = bench.mock_stars(stars=stars)
            costs.append(cost(lambda p=problem, n=number: nmfcore.factorize(draw(p, n), 2), number * stars))
        measured = in_turn(*costs)
    yield run.row(
        "many_stars", f"k = 2, a bootstrap of {many[0]:,} stars / of {few[0]:,}, per star", measured, 1, slower=True,
        unit="star", fits=many[1], peer_fits=few[1], peer=f"ours, {few[0]:,} stars",
    )  # fmt: skip


def accuracy(run):
    """Compiled float32 beside dense float64 on the same replicates, each from its own default start."""
    for k, number in ((2, 4 if run.quick else 64), (4, 2 if run.quick else 16)):
        pattern = draw(run.stars, number)
        # By one rule: single matrices and small batches have another one by default, with other random starts.
        options = {} if k == 2 else {"init": "nndsvda", "starts": STARTS, "update": "ehals"}
        fast = nmfcore.factorize(pattern, k, **options)
        exact = nmfcore.factorize(
            pattern.to_dense(dtype=np.float64), k, stop=nmfcore.Stop(tol=1e-8, max_iter=50_000), **options
        )
        # The order of components is that of their starts, which need not be the same ones.
        fractions = max(
            min(np.abs(a[list(order)] - b).max() for order in itertools.permutations(range(k)))
            for a, b in zip(fast.fractions.astype(np.float64), exact.fractions, strict=True)
        )
        loss = float(np.abs(fast.loss / exact.loss - 1).max())
        about = f"{number} bootstraps, float32 compiled against float64 dense at tol 1e-8"
        for name, value in (("fractions", float(fractions)), ("loss", loss)):
            target = f"{name}_k{k}" if (name, k) != ("loss", 2) else None
            yield run.figure(target, f"k = {k}, largest difference of {name}: {about}", value)
