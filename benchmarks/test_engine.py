"""The engine part by part, beside a peer in the same run.

Each benchmark saves the microseconds of one fit (or of one iteration of it), the ratio of the peer's time to ours by
the clock and by the processor, medians over rounds taken in turn, and counters that do not depend on the load:
iterations and loss in float64, bytes of the pattern and of all that is read and written (see `moved`), allocations of
compiled code. `compare.py` holds a run to the saved ones. Both sides compute on one thread but in the last benchmark,
where both have all cores.
"""

import os

import numpy as np
import pytest
import torch
from peers import Bootstrap, multiply, spread, start_of
from rounds import ROUNDS, Rounds, cost

import nmfcore
from nmfcore import bench
from nmfcore.initialise import nndsvd
from nmfcore.sparse.spectrum import leading_svd

# Rules of least squares, and of Kullback-Leibler.
RULES = {
    **{name: {"update": name} for name in ("mu", "amu", "hals", "ehals", "rank2")},
    **{f"kl-{name}": {"update": name, "loss": "kullback-leibler"} for name in ("mu", "newton")},
}
ITERATIONS = 20
# The paper's problem: q x q bins, two images of pixels x pixels, k components, B replicates.
HEADLINE = (8, 50, 2, 64)
slow = pytest.mark.slow


def stars_of(q, pixels):
    return bench.mock_stars(bins=q * q, pixels=pixels)


def draw(stars, B, **options):
    return nmfcore.bootstrap(stars.rows, stars.columns, stars.shape, replicates=B, **options)


def counted(function):
    """Call a function; return its result and how often compiled code allocated memory in it."""
    from numba.core.runtime import rtsys

    function()  # what is compiled or loaded at first is not counted
    before = rtsys.get_allocation_stats().alloc
    result = function()
    return result, int(rtsys.get_allocation_stats().alloc - before)


def exact(result):
    """Return the counters of a result: iterations of all replicates, and the sum of their losses."""
    return {"iterations": int(np.sum(result.n_iter)), "loss": float(np.sum(result.loss))}


def moved(pattern, result, *starts):
    """Return the bytes that have to come from memory and to go there: counts and their places, starts, answers."""
    return sum(int(x.nbytes) for x in (pattern, result.W, result.H, *starts))


def compare(benchmark, ours, peer, name, *, fits, peer_fits=1, rounds=ROUNDS, counters=None):
    """Benchmark ours with a round of the peer before every round of it."""
    _, allocations = counted(ours)
    found = Rounds()

    def before():
        found.peer.append(cost(peer, peer_fits)())

    def measured():
        found.ours.append(cost(ours, fits)())

    peer()
    benchmark.pedantic(measured, setup=before, rounds=rounds)
    benchmark.extra_info["counters"] = {"allocations": allocations, **(counters or {})}
    if benchmark.stats is not None:
        figures = found.figures()
        benchmark.extra_info |= {
            "us_per_fit": 1e3 * figures["ours_ms"], "peer_us_per_fit": 1e3 * figures["peer_ms"], "peer": name,
            "ratio": figures["value"], "cpu_ratio": figures["cpu_ratio"],
            "quartiles": [figures["low"], figures["high"]],
        }  # fmt: skip


def iterate(stars, V, k, rule, dtype, number=ITERATIONS):
    """Return a call that iterates from a common start."""
    numbers = torch.float64 if dtype == np.float64 else torch.float32
    start, stop = start_of(stars, k, dtype), nmfcore.Stop(tol=0, max_iter=number)
    return lambda: nmfcore.factorize(V, k, init=start, stop=stop, dtype=numbers, **RULES[rule])


def peer_iterations(stars, k, rule, dtype, number=ITERATIONS):
    """Return as many iterations of scikit-learn, and its name: mu on dense data, cd and Kullback-Leibler on sparse."""
    loss = RULES[rule].get("loss", "frobenius")
    solver = "mu" if rule in ("mu", "amu") or loss != "frobenius" else "cd"
    dense = solver == "mu" and loss == "frobenius"
    V = bench.dense_counts(stars, dtype) if dense else bench.counts(stars, dtype=dtype)
    W, H = start_of(stars, k, dtype)
    given = {"solver": solver, "init": "custom", "tol": 0, "max_iter": number, "beta_loss": loss}
    name = f"scikit-learn {solver}, {V.dtype}" + ("" if loss == "frobenius" else ", Kullback-Leibler")
    return lambda: bench.peer_fit(V, k, W=W.copy(), H=H.copy(), **given), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("path", ["compiled", "dense"])
@pytest.mark.parametrize("rule", RULES)
def test_iteration(benchmark, rule, path, dtype):
    """One iteration of every rule on the paper's problem."""
    q, pixels, k, B = HEADLINE
    stars = stars_of(q, pixels)
    pattern = draw(stars, B)
    if path == "dense":
        B = 4
        V = pattern.to_dense(range(B), dtype=dtype)
    else:
        V = pattern
    ours = iterate(stars, V, k, rule, dtype)
    peer, name = peer_iterations(stars, k, rule, dtype)
    result = ours()
    counters = {"pattern_bytes": pattern.nbytes, "bytes_moved": moved(pattern, result, *start_of(stars, k, dtype))}
    counters |= exact(result) if dtype == np.float64 else {}
    compare(benchmark, ours, peer, name, fits=B * ITERATIONS, peer_fits=ITERATIONS, counters=counters)


@pytest.mark.parametrize("rule", ["mu", "ehals"])
@pytest.mark.parametrize(
    ("q", "pixels", "k", "B"),
    [
        (8, 50, 2, 1), (8, 50, 2, 16), (8, 50, 2, 256), pytest.param(8, 50, 2, 4096, marks=slow),
        (5, 50, 2, 64), (12, 50, 2, 64), (8, 10, 2, 64), (8, 60, 2, 64), (8, 50, 4, 64), (8, 50, 8, 64),
    ],
)  # fmt: skip
def test_iteration_by_size(benchmark, q, pixels, k, B, rule):
    """One compiled iteration over the sizes that are in use."""
    stars = stars_of(q, pixels)
    pattern = draw(stars, B)
    peer, name = peer_iterations(stars, k, rule, np.float32)
    counters = {"pattern_bytes": pattern.nbytes}
    compare(
        benchmark, iterate(stars, pattern, k, rule, np.float32), peer, name, fits=B * ITERATIONS,
        peer_fits=ITERATIONS, rounds=3 if B > 256 else ROUNDS, counters=counters,
    )  # fmt: skip


def test_batch_of_torch(benchmark):
    """Multiplicative iterations beside torch.bmm on a dense batch."""
    q, pixels, k, _ = HEADLINE
    stars, B = stars_of(q, pixels), 16
    pattern = draw(stars, 256)
    V = torch.from_numpy(pattern.to_dense(range(B)))
    W, H = (torch.from_numpy(x).expand(B, -1, -1) for x in start_of(stars, k, np.float32))
    compare(
        benchmark, iterate(stars, pattern, k, "mu", np.float32), lambda: multiply(V, W, H, ITERATIONS), "torch.bmm",
        fits=256 * ITERATIONS, peer_fits=B * ITERATIONS,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("path", ["compiled", "dense"])
@pytest.mark.parametrize("k", [2, 4])
def test_converge(benchmark, k, path, dtype):
    """From a given start to convergence, at equal loss."""
    stars = stars_of(8, 50)
    B = 32 if path == "compiled" else 2
    pattern = draw(stars, B)
    V = pattern if path == "compiled" else pattern.to_dense(dtype=dtype)
    numbers = torch.float64 if dtype == np.float64 else torch.float32
    # A start near the sample's solution: all replicates of both sides then end in the same optimum.
    full = nmfcore.factorize(bench.dense_counts(stars), k, seed=0)
    start = tuple((x + 0.1 * x.mean()).astype(dtype) for x in (full.W, full.H))
    result = nmfcore.factorize(V, k, init=start, dtype=numbers)
    assert result.converged.all()
    problems = [x.astype(dtype) for x in bench.sparse_problems(pattern, range(2))]
    fit, tol = to_equal_loss(problems, result.loss[:2], k, start)
    counters = {"bytes_moved": moved(pattern, result, *start)} | (exact(result) if dtype == np.float64 else {})
    compare(
        benchmark, lambda: nmfcore.factorize(V, k, init=start, dtype=numbers), lambda: [fit(V, tol) for V in problems],
        f"scikit-learn cd, tol {tol:g}", fits=B, peer_fits=2, counters=counters,
    )  # fmt: skip


def to_equal_loss(problems, losses, k, start, share=1.0):
    """Return scikit-learn's fit from a start, as a function of V and tol, and the tolerance that brings it to ours.

    With many components the two may part for different optima: then that is enough which brings a `share` of the
    problems there.
    """

    def fit(V, tol):
        W, H = (x.astype(V.dtype) for x in start)
        return bench.peer_fit(V, k, tol=tol, init="custom", W=W, H=H)

    for tol in bench.WARM_TOLERANCES:
        found = np.array([bench.frobenius(V, *fit(V, tol)) for V in problems])
        if (found <= np.asarray(losses) * (1 + bench.EQUAL)).mean() >= share:
            return fit, tol
    return pytest.fail("scikit-learn never reached our loss")


@pytest.mark.parametrize(
    ("q", "pixels", "k", "B"),
    [
        (8, 50, 2, 1), (8, 50, 2, 16), (8, 50, 2, 64), (8, 50, 2, 256), (8, 50, 2, 1024),
        pytest.param(8, 50, 2, 4096, marks=slow),
        (8, 10, 2, 256), (8, 20, 2, 256), (8, 30, 2, 256), (8, 40, 2, 256), (8, 60, 2, 256),
        (5, 50, 2, 256), (12, 50, 2, 256),
        pytest.param(8, 50, 3, 256, marks=slow), (8, 50, 4, 256), pytest.param(8, 50, 6, 256, marks=slow),
        pytest.param(8, 50, 8, 256, marks=slow),
    ],
)  # fmt: skip
def test_bootstrap(benchmark, q, pixels, k, B):
    """Whole bootstraps, from the stars to converged factors, by default; scikit-learn begins where we do for k > 2.

    For k = 2 it begins at its own NNDSVD, as it would in use: there all starts end in one optimum.
    """
    stars = stars_of(q, pixels)
    pattern = draw(stars, B)
    result = nmfcore.factorize(pattern, k)
    number = min(B, 4)
    problems = bench.sparse_problems(pattern, range(number))
    if k == 2:
        tol = bench.tolerance(problems, result.loss[:number], k)
        work = Bootstrap(stars, k, tol)
    else:
        # Replicates that a random start of ours improved are not what a peer from the sample's start could reach.
        same = [b for b in range(B) if result.start[b] == 0][:number]
        full = nmfcore.factorize(bench.dense_counts(stars), k)
        fit, tol = to_equal_loss(
            bench.sparse_problems(pattern, same), result.loss[same], k, (full.W, full.H), share=0.5
        )

        def work(seed):
            return fit(bench.resampled(stars, seed), tol)

    compare(
        benchmark, lambda: nmfcore.factorize(draw(stars, B), k), lambda: [work(seed) for seed in range(number)],
        f"scikit-learn cd, tol {tol:g}", fits=B, peer_fits=number, rounds=ROUNDS if k == 2 and B <= 1024 else 3,
        counters={"pattern_bytes": pattern.nbytes, "bytes_moved": moved(pattern, result)},
    )  # fmt: skip


@pytest.mark.parametrize("k", [2, 4, 8])
@pytest.mark.parametrize("path", ["compiled", "dense"])
def test_start(benchmark, path, k):
    """NNDSVD of every replicate."""
    from sklearn.decomposition._nmf import _initialize_nmf

    stars = stars_of(8, 50)
    B = 64 if path == "compiled" else 4
    pattern = draw(stars, B)
    V = torch.from_numpy(pattern.to_dense(range(4)))
    sparse = bench.counts(stars)

    def compiled():
        svd = leading_svd(pattern, np.arange(B), k)
        return nndsvd(torch.empty(pattern.shape, dtype=torch.float32, device="meta"), k, svd=svd)

    compare(
        benchmark, compiled if path == "compiled" else lambda: nndsvd(V, k),
        lambda: _initialize_nmf(sparse, k, "nndsvda", random_state=0), "scikit-learn's nndsvda, sparse", fits=B,
    )  # fmt: skip


@pytest.mark.parametrize("scheme", ["multinomial", "poisson", "delete"])
@pytest.mark.parametrize("B", [1, 256, pytest.param(4096, marks=slow)])
def test_resample(benchmark, B, scheme):
    """From stars to resampled counts; the peer builds scipy's matrix of one resample."""
    stars = stars_of(8, 50)
    pattern = draw(stars, B, scheme=scheme)
    counters = {"pattern_bytes": pattern.nbytes, "counts": int(pattern.values.sum(dtype=np.int64))}
    compare(
        benchmark, lambda: draw(stars, B, scheme=scheme), lambda: bench.resampled(stars, 0), "scipy.sparse",
        fits=B, counters=counters,
    )  # fmt: skip


@slow
@pytest.mark.parametrize(("solver", "tol"), [("cd", None), ("mu", 1e-4)])
def test_bootstrap_on_all_cores(benchmark, solver, tol):
    """Whole bootstraps on every core: ours on threads, scikit-learn's in as many processes with one BLAS thread each.

    `cd` goes to equal loss; `mu` stops at its own tolerance, short of it, since it would take minutes to get there.
    """
    stars, B, cores = stars_of(8, 50), 256, os.cpu_count() or 1
    pattern = draw(stars, B)
    if tol is None:
        tol = bench.tolerance(bench.sparse_problems(pattern, range(4)), nmfcore.factorize(pattern, 2).loss[:4], 2)
    work, seeds = Bootstrap(stars, 2, tol, solver), range(4 * cores)
    spread(work, seeds, cores)  # processes are started
    with bench.threads(cores):
        compare(
            benchmark, lambda: nmfcore.factorize(draw(stars, B), 2), lambda: spread(work, seeds, cores),
            f"scikit-learn {solver}, tol {tol:g}, {cores} processes", fits=B, peer_fits=len(seeds), rounds=3,
        )  # fmt: skip
