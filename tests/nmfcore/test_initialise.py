"""Starts that are given by hand: random ones are of the data's size, by streams of their own, and zero without data."""

import numpy as np
import pytest
import torch

import nmfcore

V = torch.from_numpy(np.random.default_rng(0).random((5, 30, 40)))


def test_random_starts_are_half_normal_draws_of_the_datas_size():
    W, H = nmfcore.random_factors(V, 3)
    assert (W.shape, H.shape) == ((5, 30, 3), (5, 3, 40))
    draws = torch.cat([W.flatten(1), H.flatten(1)], dim=1) / (V.mean(dim=(1, 2)) / 3).sqrt()[:, None]
    assert (draws >= 0).all()
    # of a half-normal the mean is sqrt(2 / pi) and the mean of squares 1; 1,050 draws scatter by a few per cent
    assert draws.mean().item() == pytest.approx(np.sqrt(2 / np.pi), abs=0.05)
    assert (draws**2).mean().item() == pytest.approx(1, abs=0.1)


def test_each_replicate_has_a_stream_of_its_own_whichever_batch_it_is_in():
    W, H = nmfcore.random_factors(V, 3, seed=7)
    for b in range(5):
        alone = nmfcore.random_factors(V[b : b + 1], 3, seed=7, first_replicate=b)
        torch.testing.assert_close(alone.W[0], W[b])
        torch.testing.assert_close(alone.H[0], H[b])
    others = [
        nmfcore.random_factors(V, 3, seed=8).W,
        nmfcore.random_factors(V, 3, seed=7, start=1).W,
        W[[1, 2, 3, 4, 0]],
    ]
    assert not any(torch.allclose(W, other) for other in others)


def test_columns_without_data_begin_at_zero():
    holes = V.clone()
    holes[:, :, ::4] = 0
    H = nmfcore.random_factors(holes, 2).H
    assert (H[:, :, ::4] == 0).all()
    assert (H[:, :, 1::4] > 0).all()


def test_no_component_is_refused():
    with pytest.raises(nmfcore.ProblemError):
        nmfcore.random_factors(V, 0)
