"""A result describes itself in a few lines."""

import re

import numpy as np
import pytest
import torch

import nmfcore
from nmfcore import Stop
from nmfcore.result import clearly_better, concatenate

V = np.random.default_rng(0).random((3, 6, 9))


def lines(result):
    return dict(line.strip().split(":", 1) for line in repr(result).splitlines()[1:])


def test_the_repr_has_shapes_convergence_losses_and_the_worst_residual():
    result = nmfcore.factorize(V, 2)
    said = {name: value.strip() for name, value in lines(result).items()}
    assert said["W"] == "(3, 6, 2) float64"
    assert said["H"] == "(3, 2, 9) float64"
    assert said["converged"] == "3 of 3"
    assert said["loss"] == f"{result.loss.min():.6g} to {result.loss.max():.6g}"
    assert said["worst kkt"] == f"{result.kkt.max():.1e}"
    assert len(repr(result).splitlines()) <= 8


def test_the_repr_tells_how_the_others_ended():
    result = nmfcore.factorize(V, 2, stop=Stop(max_iter=2))
    assert "0 of 3 (3 MAX_ITER)" in repr(result)


@pytest.mark.parametrize("data", [V[0], torch.from_numpy(V[0])], ids=["numpy", "torch"])
def test_a_single_matrix_has_one_loss(data):
    result = nmfcore.factorize(data, 2)
    assert lines(result)["loss"].strip() == f"{float(result.loss):.6g}"


def test_the_html_is_a_table_of_the_same():
    result = nmfcore.factorize(V, 2)
    cells = re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", result._repr_html_())
    assert {name: value.strip() for name, value in lines(result).items()} == dict(cells)


def test_joined_results_have_all_replicates_in_order():
    whole = nmfcore.factorize(V, 2)
    parts = concatenate([whole.map(lambda x: x[:1]), whole.map(lambda x: x[1:])])
    for name in ("W", "H", "loss", "status"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_a_loss_is_better_beyond_rounding_or_where_the_other_is_not_finite(kind):
    before = kind([1.0, 1.0, np.nan, np.inf, 1.0, np.nan])
    loss = kind([1.0 - 1e-9, 0.9, 5.0, 5.0, np.nan, np.nan])
    assert clearly_better(loss, before).tolist() == [False, True, True, True, False, False]
