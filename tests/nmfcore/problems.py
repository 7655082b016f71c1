"""Problems shared by the engine's tests; each is a (name, V) of float64."""

import inspect

import numpy as np

import nmfcore
from nmfcore.losses import as_loss
from nmfcore.request import Request


def asked(V, n_components=2, **options):
    """The request that `factorize` makes of these arguments."""
    defaults = {name: x.default for name, x in inspect.signature(nmfcore.factorize).parameters.items()}
    fields = defaults | {"V": V, "n_components": n_components} | options
    fields["loss"] = as_loss(fields["loss"])
    fields["penalty"], fields["stop"] = fields["penalty"] or nmfcore.Penalty(), fields["stop"] or nmfcore.Stop()
    return Request(**fields)


def dense(m, n, k, seed):
    rng = np.random.default_rng(seed)
    return rng.gamma(1.0, size=(m, k)) @ rng.gamma(1.0, size=(k, n)) + 0.05 * rng.random((m, n))


def sparse(m, n, k, seed):
    rng = np.random.default_rng(seed)
    W, H = rng.random((m, k)), rng.gamma(0.2, size=(k, n))
    mean = W @ H
    return rng.poisson(mean * 3 * m * n * 0.06 / mean.sum() * 3).astype(float)


PROBLEMS = {
    "random": dense(20, 30, 4, 0),
    "sparse-ish": sparse(24, 150, 3, 1),
    "tall": dense(200, 7, 3, 2),
    "wide": dense(6, 300, 3, 3),
    "rank-deficient": np.outer(np.arange(1.0, 13.0), np.linspace(0.5, 2.0, 40)),
}


def headline(seed=0, stars=13147, q=8, pixels=50):
    """Counts shaped like the paper's: two chemical sequences mixed along 64 bins, two 50 x 50 images."""
    rng = np.random.default_rng(seed)
    m = q * q
    n_bin = np.full(m, stars // m)
    n_bin[: stars % m] += 1
    share = 1 / (1 + np.exp(-np.linspace(-4, 4, m)))
    V = np.zeros((m, 2 * pixels**2))
    for i in range(m):
        accreted = rng.random(n_bin[i]) < share[i]
        fe = np.where(accreted, rng.normal(-1.2, 0.35, n_bin[i]), rng.normal(-0.6, 0.45, n_bin[i]))
        al = np.where(accreted, -0.2, 0.18 + 0.1 * (fe + 0.6)) + rng.normal(0, 0.1, n_bin[i])
        mg = np.where(accreted, 0.18 - 0.15 * (fe + 1.2), 0.3 - 0.15 * (fe + 0.6)) + rng.normal(0, 0.05, n_bin[i])
        for plane, (x, low, high) in enumerate(((al, -0.6, 0.6), (mg, -0.2, 0.5))):
            image, _, _ = np.histogram2d(x, fe, bins=pixels, range=((low, high), (-2.5, 0.7)))
            V[i, plane * pixels**2 : (plane + 1) * pixels**2] = image.ravel()
    return V


def planted_stars(rank, stars, seed, *, bins=16, pixels=30, overlap=0.1):
    """Stars of so many populations: row, columns in two images, and the shape of V; for `select_rank`.

    Each population has an image of its own over a background common to all, and fills bins by a Dirichlet draw.
    """
    rng = np.random.default_rng([seed, rank])
    images = (1 - overlap) * rng.dirichlet(np.full(pixels, 0.2), (rank, 2)) + overlap / pixels
    share = rng.dirichlet(np.full(rank, 0.5), bins)
    row = rng.integers(0, bins, stars)
    kind = (rng.random((stars, 1)) > share[row].cumsum(axis=1)).sum(axis=1).clip(0, rank - 1)
    drawn = rng.random((stars, 2, 1)) > images[kind].cumsum(axis=2)
    return row, drawn.sum(axis=2).clip(0, pixels - 1) + pixels * np.arange(2), (bins, 2 * pixels)
