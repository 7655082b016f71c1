"""Memory that runs out halves a dense batch and changes nothing else."""

import numpy as np
import pytest
import torch

import nmfcore
from nmfcore import Stop, dense

B, M, N = 5, 6, 9
RNG = np.random.default_rng(0)
V = RNG.random((B, M, N))
START = RNG.random((B, M, 2)), RNG.random((2, N))


@pytest.fixture
def sizes(monkeypatch):
    """The batches that were tried, where none of more than two fits."""
    tried = []
    build = dense.build_problem

    def scarce(data, **options):
        tried.append(len(data))
        if len(data) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more.")
        return build(data, **options)

    monkeypatch.setattr(dense, "build_problem", scarce)
    return tried


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize(
    "options",
    [
        {"init": "random", "seed": 3, "first_replicate": 2, "starts": 2, "update": "ehals"},
        {"init": START, "weight": RNG.random((B, M, N)), "update": "mu"},
        {"init": START, "weight": RNG.random(N), "update": "mu"},
        {"init": (None, START[1]), "hold": "H"},
    ],
)
def test_halves_have_the_numbers_of_the_whole(options, kind, monkeypatch, sizes):
    options = options | {"stop": Stop(tol=0, max_iter=5)}
    parts = nmfcore.factorize(kind(V), 2, **options)
    assert sizes == [5, 2, 3, 1, 2]
    monkeypatch.undo()
    whole = nmfcore.factorize(kind(V), 2, **options)
    for name in ("W", "H", "loss", "divergence", "n_iter", "status", "kkt", "start"):
        ours, theirs = getattr(parts, name), getattr(whole, name)
        assert type(ours) is type(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_one_problem_that_does_not_fit_is_an_error(monkeypatch):
    def never(data, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(dense, "build_problem", never)
    for data in (V[0], V[:1], V):
        with pytest.raises(torch.OutOfMemoryError):
            nmfcore.factorize(data, 2, update="ehals")
