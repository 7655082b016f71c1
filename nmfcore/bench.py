"""Problems and peers for benchmarks: counts like the paper's, scikit-learn's way to bootstrap them, and a short table.

Ratios are always the peer's time over the engine's in the same run, both on one thread, at equal work or equal loss.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import torch

from .factorise import factorize
from .pattern import SharedPattern
from .resample import bootstrap
from .stopping import Stop

# Tolerances of scikit-learn's solvers, its default first, tried in this order until the loss is ours. Near the optimum
# looser ones come first: its test is relative to how far off the start was.
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
WARM_TOLERANCES = (1e-1, 1e-2, 1e-3, *TOLERANCES)
# Variables that make a BLAS library leave the kernels that it would choose for the processor.
CHOOSING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "BLIS_ARCH_TYPE")
# Losses are equal within this fraction.
EQUAL = 1e-6


class Stars(NamedTuple):
    """Where stars fall: what `bootstrap` takes."""

    rows: np.ndarray  # (n_stars,)
    columns: np.ndarray  # (n_stars, 2)
    shape: tuple[int, int]


def mock_stars(seed: int = 0, *, stars: int = 13147, bins: int = 64, pixels: int = 50) -> Stars:
    """Draw two chemical sequences, mixed along the bins, into two images.

    Parameters
    ----------
    seed : int
        Names the draw.
    stars : int
        Number of stars, spread evenly over the bins; the default is the paper's.
    bins : int
        m, the rows of V.
    pixels : int
        l, the side of either image; V has n = 2 l^2 columns.

    Returns
    -------
    Stars
        Bins and pixels of every star; -1 outside an image.
    """
    rng = np.random.default_rng(seed)
    fraction = 1 / (1 + np.exp(-np.linspace(-4, 4, bins)))
    rows, columns = [], []
    for i, number in enumerate(np.bincount(np.arange(stars) % bins, minlength=bins)):
        accreted = rng.random(number) < fraction[i]
        fe = np.where(accreted, rng.normal(-1.2, 0.35, number), rng.normal(-0.6, 0.45, number))
        al = np.where(accreted, -0.2, 0.18 + 0.1 * (fe + 0.6)) + rng.normal(0, 0.1, number)
        mg = np.where(accreted, 0.18, 0.3) - 0.15 * (fe + 0.8) + rng.normal(0, 0.05, number)
        across = _pixel(fe, -2.5, 0.7, pixels)
        images = []
        for plane, (x, low, high) in enumerate(((al, -0.6, 0.6), (mg, -0.2, 0.5))):
            up = _pixel(x, low, high, pixels)
            images.append(np.where((up >= 0) & (across >= 0), (plane * pixels + up) * pixels + across, -1))
        rows.append(np.full(number, i))
        columns.append(np.stack(images, axis=1))
    return Stars(np.concatenate(rows), np.concatenate(columns), (bins, 2 * pixels**2))


def _pixel(x: np.ndarray, low: float, high: float, number: int) -> np.ndarray:
    index = np.searchsorted(np.linspace(low, high, number + 1), x, side="right") - 1
    return np.where((x >= low) & (x < high), index, -1)


def counts(stars: Stars, chosen: np.ndarray | None = None, dtype: Any = np.float32) -> scipy.sparse.csr_matrix:
    """Return V of some or all stars, as one would build it for scikit-learn; shape (m, n)."""
    rows, columns = (stars.rows, stars.columns) if chosen is None else (stars.rows[chosen], stars.columns[chosen])
    inside = columns >= 0
    places = (np.broadcast_to(rows[:, None], columns.shape)[inside], columns[inside])
    return scipy.sparse.coo_matrix((np.ones(len(places[0]), dtype), places), shape=stars.shape).tocsr()


def dense_counts(stars: Stars, dtype: Any = np.float64) -> np.ndarray:
    """Return V of all stars as a dense matrix; shape (m, n)."""
    return counts(stars, dtype=dtype).toarray()


def resampled(stars: Stars, seed: int) -> scipy.sparse.csr_matrix:
    """Return V of as many stars drawn with replacement."""
    number = len(stars.rows)
    return counts(stars, np.random.default_rng(seed).integers(number, size=number))


def peer_fit(V: Any, k: int, *, tol: float, solver: str = "cd", **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (W, H) by scikit-learn; `options` are those of its `non_negative_factorization`."""
    from sklearn.decomposition import non_negative_factorization
    from sklearn.exceptions import ConvergenceWarning

    options = {"init": "nndsvda", "max_iter": 20_000, "random_state": 0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        W, H, _ = non_negative_factorization(V, n_components=k, tol=tol, solver=solver, **options)
    return W, H


def frobenius(V: Any, W: np.ndarray, H: np.ndarray) -> float:
    """Return half the squared distance of V and W H, in float64."""
    data = V.toarray() if scipy.sparse.issparse(V) else V
    return float(0.5 * ((data.astype(np.float64) - W.astype(np.float64) @ H.astype(np.float64)) ** 2).sum())


def tolerance(problems: list[Any], losses: Any, k: int, **options: Any) -> float:
    """Return the loosest of `TOLERANCES` with which scikit-learn comes within `EQUAL` of every loss, or the last."""
    for tol in TOLERANCES:
        found = [frobenius(V, *peer_fit(V, k, tol=tol, **options)) for V in problems]
        if all(x <= loss * (1 + EQUAL) for x, loss in zip(found, losses, strict=True)):
            break
    return tol


class Pair(NamedTuple):
    """Seconds of each round, ours and the peer's, taken in turn."""

    ours: list[float]
    peer: list[float]

    @property
    def ratio(self) -> float:
        """The peer's best round over ours."""
        return min(self.peer) / min(self.ours)


def in_turn(ours: Callable[[], Any], peer: Callable[[], Any], rounds: int = 3) -> Pair:
    """Time two things in turn, after one untimed call of ours: kernels are compiled or loaded in it."""
    ours()
    pair = Pair([], [])
    for _ in range(rounds):
        for function, seconds in zip((ours, peer), pair, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return pair


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute on this number of threads inside the block."""
    # Loaded here, because libraries that are loaded later would not be limited.
    import sklearn.decomposition  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        torch.set_num_threads(before)


class Row(NamedTuple):
    """One line of the short table: milliseconds per fit or iteration, and the peer's over ours."""

    what: str
    ours_ms: float
    peer: str
    peer_ms: float
    ratio: float


def short_table(progress: Callable[[int, int], None] | None = None) -> list[Row]:
    """Time the engine in turn with scikit-learn on this machine, in about ten seconds on one thread.

    Kernels that are not compiled and cached yet take some ten seconds more, untimed.

    Parameters
    ----------
    progress : callable, optional
        Called with (rows done, rows) after each.

    Returns
    -------
    list of Row
    """
    stars = mock_stars()
    parts = (_bootstraps, _iterations, _converged)
    rows = []
    with threads(1):
        for done, part in enumerate(parts, 1):
            rows.append(part(stars))
            if progress is not None:
                progress(done, len(parts))
    return rows


def describe(rows: list[Row]) -> str:
    """Return the short table as text: milliseconds a fit or iteration, and how many times ours the peer's are."""
    lines = [f"{'64 x 5000, two components, one thread':<40s} {'nmfcore':>12s} {'scikit-learn':>12s} {'ratio':>7s}"]
    for row in rows:
        times = f"{row.ours_ms:9.3f} ms {row.peer_ms:9.3f} ms"
        lines.append(f"{row.what:<40s} {times} {row.ratio:6.1f}x  {row.peer}")
    return "\n".join([*lines, blas()])


def blas() -> str:
    """Return which BLAS multiplies matrices in this process, for which processor, and whether the environment chose it.

    OpenBLAS chooses its kernels by the processor unless the environment names others; a choice below the processor's
    own slows NumPy, SciPy and scikit-learn down, but not what is compiled here.
    """
    from threadpoolctl import threadpool_info

    found = [one for one in threadpool_info() if one["user_api"] == "blas"]
    names = sorted({f"{x['internal_api']} {x['version']} for {x.get('architecture', 'any')}" for x in found})
    own = "MKL" if torch.backends.mkl.is_available() else "its own BLAS"
    told = [f"{name}={os.environ[name]}" for name in CHOOSING if name in os.environ]
    text = f"NumPy and SciPy: {', '.join(names) or 'a BLAS that is not known'}; torch: {own}"
    text += f" for {torch.backends.cpu.get_cpu_capability()}"
    return text + (f"; set here: {', '.join(told)}" if told else "")


def _bootstraps(stars: Stars, replicates: int = 500, peers: int = 20) -> Row:
    def ours() -> Any:
        return factorize(bootstrap(stars.rows, stars.columns, stars.shape, replicates=replicates), 2)

    few = bootstrap(stars.rows, stars.columns, stars.shape, replicates=4)
    tol = tolerance(sparse_problems(few, range(4)), factorize(few, 2).loss, 2)
    pair = in_turn(ours, lambda: [peer_fit(resampled(stars, seed), 2, tol=tol) for seed in range(peers)])
    return _row("bootstrap, resampled to converged", pair, replicates, f"cd, sparse, tol {tol:g}", peers)


def _iterations(stars: Stars, replicates: int = 128, number: int = 50) -> Row:
    V = dense_counts(stars, np.float32)
    m, n = V.shape
    start = np.full((m, 2), 0.5, np.float32), np.random.default_rng(0).random((2, n)).astype(np.float32)
    batch = bootstrap(stars.rows, stars.columns, stars.shape, replicates=replicates)
    stop = Stop(tol=0, max_iter=number)

    def peer() -> Any:
        W, H = (x.copy() for x in start)
        return peer_fit(V, 2, tol=0, solver="mu", init="custom", W=W, H=H, max_iter=number)

    pair = in_turn(lambda: factorize(batch, 2, init=start, update="mu", stop=stop), peer)
    return _row("multiplicative iteration, in a batch", pair, replicates * number, "mu, dense, float32", number)


def _converged(stars: Stars) -> Row:
    V = dense_counts(stars)
    tol = tolerance([V], [factorize(V, 2).loss], 2)
    pair = in_turn(lambda: factorize(V, 2), lambda: peer_fit(V, 2, tol=tol), rounds=10)
    return _row("one dense fit to convergence", pair, 1, f"cd, dense, tol {tol:g}", 1)


def _row(what: str, pair: Pair, ours: int, peer: str, theirs: int) -> Row:
    mine, other = 1e3 * min(pair.ours) / ours, 1e3 * min(pair.peer) / theirs
    return Row(what, mine, peer, other, other / mine)


def sparse_problems(pattern: SharedPattern, replicates: Any) -> list[scipy.sparse.csr_matrix]:
    """Return replicates of a pattern as scikit-learn takes them."""
    return [scipy.sparse.csr_matrix(V) for V in pattern.to_dense(replicates, dtype=np.float32)]
