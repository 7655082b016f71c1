"""The dense engine beside scikit-learn in the same run; `make bench` prints the ratios.

Ratios are theirs over ours, so above 1 is faster than scikit-learn. Always at equal work (iterations) or equal loss.
"""

import time

import numpy as np
import pytest
from sklearn.decomposition import non_negative_factorization

import nmfcore

ROUNDS = 5
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]


def headline(seed=0, stars=13147, m=64, pixels=50):
    """Counts shaped like the paper's fiducial problem: 64 bins, two 50 x 50 images, two chemical sequences."""
    rng = np.random.default_rng(seed)
    share = 1 / (1 + np.exp(-np.linspace(-4, 4, m)))
    V = np.zeros((m, 2 * pixels**2))
    for i, number in enumerate(np.bincount(np.arange(stars) % m, minlength=m)):
        accreted = rng.random(number) < share[i]
        fe = np.where(accreted, rng.normal(-1.2, 0.35, number), rng.normal(-0.6, 0.45, number))
        for plane, (x, low, high) in enumerate(
            (
                (np.where(accreted, -0.2, 0.18 + 0.1 * (fe + 0.6)) + rng.normal(0, 0.1, number), -0.6, 0.6),
                (np.where(accreted, 0.18, 0.3) - 0.15 * (fe + 0.8) + rng.normal(0, 0.05, number), -0.2, 0.5),
            )
        ):
            image = np.histogram2d(x, fe, bins=pixels, range=((low, high), (-2.5, 0.7)))[0]
            V[i, plane * pixels**2 : (plane + 1) * pixels**2] = image.ravel()
    return V


def best(function):
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def report(benchmark, peer, ours):
    benchmark.extra_info["ratio_to_scikit_learn"] = peer / ours


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("B", [1, 64])
def test_mu_iterations(benchmark, B, dtype, capsys):
    """200 multiplicative iterations per replicate, same start."""
    V = headline().astype(dtype)
    W, H = (x.astype(dtype) for x in (np.full((64, 2), 0.5), np.random.default_rng(0).random((2, 5000))))
    batch = np.broadcast_to(V, (B, *V.shape)).copy() if B > 1 else V
    options = {"solver": "mu", "init": "custom", "n_components": 2, "tol": 0, "max_iter": 200}
    peer = best(lambda: non_negative_factorization(V, W.copy(), H.copy(), **options))
    stop = nmfcore.Stop(tol=0, max_iter=200)
    benchmark.pedantic(
        lambda: nmfcore.factorize(batch, 2, init=(W, H), update="mu", stop=stop), rounds=ROUNDS, warmup_rounds=1
    )
    report(benchmark, peer, benchmark.stats.stats.min / B)
    with capsys.disabled():
        print(f"\nmu, 200 iterations, B={B}, {dtype.__name__}: {benchmark.extra_info['ratio_to_scikit_learn']:.2f} x")


def test_converged_fit(benchmark, capsys):
    """From data to a converged answer, start included, at equal loss (1e-6)."""
    V = headline()
    ours = nmfcore.factorize(V, 2)
    options = {"n_components": 2, "init": "nndsvda", "max_iter": 5000, "random_state": 0}
    for tol in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
        W, H, _ = non_negative_factorization(V, tol=tol, **options)
        if 0.5 * ((V - W @ H) ** 2).sum() <= float(ours.loss) * (1 + 1e-6):
            break
    else:
        pytest.fail("scikit-learn never reached our loss")
    peer = best(lambda: non_negative_factorization(V, tol=tol, **options))
    benchmark.pedantic(lambda: nmfcore.factorize(V, 2), rounds=ROUNDS, warmup_rounds=1)
    report(benchmark, peer, benchmark.stats.stats.min)
    with capsys.disabled():
        print(f"\nconverged fit (cd at tol={tol:g}): {benchmark.extra_info['ratio_to_scikit_learn']:.2f} x")
