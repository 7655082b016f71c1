"""The same answers on every device; the CUDA half runs where a GPU is."""

import numpy as np
import pytest
import torch

import nmfcore
from nmfcore import Penalty, Status, Stop

from .problems import PROBLEMS, dense, headline

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
DEVICES = ["cpu", pytest.param("cuda", marks=[cuda, pytest.mark.cuda])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("name", PROBLEMS)
def test_mu_on_a_device_equals_float64_on_the_cpu(name, beta, dtype, device):
    V = PROBLEMS[name]
    rng = np.random.default_rng(4)
    W, H = 0.1 + rng.random((V.shape[0], 3)), 0.1 + rng.random((3, V.shape[1]))
    options = {"loss": beta, "update": "mu", "penalty": Penalty(1e-3, l1_ratio=1.0), "stop": Stop(tol=0, max_iter=50)}
    truth = nmfcore.factorize(V, 3, init=(W, H), **options)
    ours = nmfcore.factorize(V.astype(dtype), 3, init=(W, H), device=device, **options)
    tolerance = 1e-9 if dtype is np.float64 else 1e-4
    assert ours.W.dtype == dtype
    assert np.abs(ours.W - truth.W).max() <= tolerance * truth.W.max()
    assert np.abs(ours.H - truth.H).max() <= tolerance * truth.H.max()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("init", ["random", "nndsvd", "nndsvda", "nndsvdar"])
def test_starts_are_the_same_on_every_device(init, device):
    V = np.stack([dense(12, 20, 3, seed) for seed in range(4)])
    options = {"init": init, "seed": 5, "stop": Stop(tol=0, max_iter=0)}
    here, there = nmfcore.factorize(V, 3, **options), nmfcore.factorize(V, 3, device=device, **options)
    np.testing.assert_allclose(there.W, here.W, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(there.H, here.H, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("update", ["mu", "hals"])
def test_a_batch_converges_to_the_same_mass_fractions(update, device):
    V = np.stack([headline(seed)[:, ::10] for seed in range(4)])
    truth = nmfcore.factorize(V, 2)
    ours = nmfcore.factorize(V.astype(np.float32), 2, update=update, device=device)
    assert (ours.status == Status.CONVERGED).all()
    np.testing.assert_allclose(ours.fractions, truth.fractions, atol=2e-4)


@pytest.mark.parametrize("device", DEVICES)
def test_the_answer_comes_back_to_where_the_data_are(device):
    V = torch.from_numpy(dense(6, 7, 2, 0))
    assert nmfcore.factorize(V, 2, device=device).W.device == V.device
    assert nmfcore.factorize(V.to(device), 2).W.device.type == torch.device(device).type
