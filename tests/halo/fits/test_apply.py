"""Re-application: held to other solvers bin by bin, with empty bins, other stars and other devices."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar, nnls

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.apply import apply, apply_mixtures
from halonmf.halo.fits.engine import resolve_device
from halonmf.halo.fits.fit import fit, fractions
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Axis, Chemistry, parse_axes
from nmfcore.kernels.cuda import devices, measured

from ..helpers.planted import SMALL, accreted_fraction, planted, planted_fit

FINE = parse_axes("E:30:-2.5e5:-1.0e5")
LOSSES = ("frobenius", "kullback-leibler")


@pytest.fixture(scope="module")
def stars():
    return planted()[0]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_re_application_is_non_negative_least_squares(stars, k):
    found = apply(planted_fit(k=k), stars, FINE)
    expected = np.array([nnls(planted_fit(k=k).H.T, row)[0] for row in found.mixtures.V])
    assert np.abs(found.fractions - fractions(expected)).max() < 1e-5
    assert found.W.sum() == pytest.approx(expected.sum(), rel=1e-6)


def test_re_application_is_the_maximum_of_the_poisson_likelihood(stars):
    # sum of w h - v log(w h): with H rows at unit sum the best total is the bin's count, one share is left to find
    found, (low, high) = apply(planted_fit("kullback-leibler"), stars, FINE), planted_fit("kullback-leibler").H

    def misfit(share, row):
        return -(row * np.log(np.maximum(share * high + (1 - share) * low, 1e-300))).sum()

    best = [
        minimize_scalar(misfit, bounds=(0, 1), args=(row,), method="bounded", options={"xatol": 1e-10}).x
        for row in found.mixtures.V
    ]
    assert found.fractions[:, 1] == pytest.approx(best, abs=1e-4)


def test_re_application_knows_no_penalties(stars):
    penalised = fit(stars, SMALL.replace(chemistry=Chemistry(pixels=12), alpha_W=0.1, alpha_H=0.1, l1_ratio=0.5))
    found = apply(penalised, stars, FINE)
    expected = np.array([nnls(penalised.H.T, row)[0] for row in found.mixtures.V])
    assert np.abs(found.W - expected).max() < 1e-5 * expected.max()


@pytest.mark.parametrize("loss", LOSSES)
def test_re_applied_fractions_follow_the_planted_ones(stars, loss):
    found = apply(planted_fit(loss), stars, FINE)
    expected = accreted_fraction(found.mixtures.bins.bounds[:, 0].mean(axis=1))
    assert np.sqrt(np.mean((found.fractions[:, 1] - expected) ** 2)) < 0.07


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_re_application_to_the_fits_own_bins_gives_its_weights(stars, loss, k):
    found = planted_fit(loss, k)
    again = apply(found, stars, found.mixtures.bins)
    assert np.array_equal(again.mixtures.V, found.mixtures.V)
    assert np.abs(again.W - found.W).max() < 5e-4 * found.W.max()


def test_one_component_is_all_of_every_bin(stars):
    found = apply(planted_fit(k=1), stars, FINE)
    assert found.fractions.ravel().tolist() == [1.0] * 30
    assert planted_fit(k=1).mass_fractions.tolist() == [1.0]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_bins_fractions_do_not_depend_on_the_other_bins(stars, loss):
    found = apply(planted_fit(loss), stars, FINE)
    alone = apply(planted_fit(loss), stars, parse_axes("E:1:-1.6e5:-1.55e5"))
    assert found.mixtures.bins.bounds[18, 0] == pytest.approx([-1.6e5, -1.55e5])
    assert np.abs(found.W[18] - alone.W[0]).max() < 1e-6


def test_an_empty_bin_has_no_weight_and_no_fraction(stars):
    found = apply(planted_fit(), stars, parse_axes("E:4:-4.5e5:-0.5e5"))
    assert found.mixtures.n_stars[:2].tolist() == [0, 0]
    assert found.W[:2].tolist() == [[0, 0], [0, 0]]
    assert np.isnan(found.fractions[:2]).all()
    assert np.isfinite(found.fractions[2:]).all()


def test_another_selection_may_be_weighed(stars):
    settings = planted_fit().settings.replace(selection="kinematically-pure", chemistry=Chemistry(pixels=3))
    found = apply(planted_fit(), stars, FINE, selection=settings.selection)
    assert len(found.mixtures.rows) == (stars["FE_H"] <= -1.1).sum()
    assert found.mixtures.chemistry == planted_fit().mixtures.chemistry


def test_fractions_of_nothing_are_nan():
    assert np.array_equal(
        fractions(np.array([[1.0, 3.0], [0.0, 0.0]])), [[0.25, 0.75], [np.nan, np.nan]], equal_nan=True
    )


def test_bins_that_did_not_converge_are_marked(stars):
    made = planted_fit("kullback-leibler")
    hasty = replace(made, settings=made.settings.replace(max_iter=1))
    found = apply(hasty, stars, parse_axes("E:4:-4.5e5:-0.5e5"))
    assert found.converged.tolist() == [True, True, False, False]
    assert apply(made, stars, FINE).converged.all()


def test_re_application_on_cuda_without_cuda_is_refused(stars, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "count_devices", lambda: (0, "none is here"))
    elsewhere = replace(planted_fit(), settings=planted_fit().settings.replace(device="cuda"))
    with pytest.raises(UsageError, match="sees no CUDA device"):
        apply(elsewhere, stars, FINE)
    assert np.array_equal(
        apply(elsewhere, stars, FINE, device=planted_fit().settings.solver.device).W,
        apply(planted_fit(), stars, FINE).W,
    )


def test_re_application_to_bins_that_miss_every_star_is_refused(stars):
    with pytest.raises(InputError, match="none of 6000 stars falls inside"):
        apply(planted_fit(), stars, parse_axes("E:5:1e5:2e5"))


def test_mixtures_of_other_images_are_refused(stars):
    other = mix(stars, make_bins(stars, [Axis("E", 2)]), Chemistry(pixels=5))
    with pytest.raises(InputError, match="the fit has 288 pixels, these mixtures 50"):
        apply_mixtures(planted_fit(), other, planted_fit().cutflow)


# devices


def test_a_cuda_device_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "count_devices", lambda: (2, ""))
    assert resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(UsageError, match="'cuda:2' was asked for, but there are 2"):
        resolve_device("cuda:2")


def test_a_device_that_torch_alone_sees_is_one(monkeypatch):
    monkeypatch.setattr(devices, "count_devices", lambda: (0, "no packages"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("cuda") == "cuda"


@pytest.mark.parametrize("device", ["gpu", "", "cuda:", "cuda:x", "cpu:0", "CUDA"])
def test_unknown_devices_are_refused(device):
    with pytest.raises(UsageError, match="device must be auto, cpu or cuda"):
        resolve_device(device)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [(None, "cpu"), ({"gpu_ms": 5.0, "cpu_ms": 60.0}, "cuda"), ({"gpu_ms": 70.0, "cpu_ms": 60.0}, "cpu")],
)
def test_auto_is_cuda_where_it_was_measured_to_be_faster(monkeypatch, tmp_path, figures, expected):
    monkeypatch.setenv("NMFCORE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(measured, "visible_devices", lambda device: [0])
    monkeypatch.setattr(measured, "name_of", lambda number: "a card")
    if figures:
        measured.record("a card", **figures)
    assert resolve_device("auto") == expected


def test_auto_is_the_cpu_where_one_of_the_cards_was_not_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("NMFCORE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(measured, "visible_devices", lambda device: [0, 1])
    monkeypatch.setattr(measured, "name_of", lambda number: f"card {number}")
    measured.record("card 0", gpu_ms=1.0, cpu_ms=60.0)
    assert resolve_device("auto") == "cpu"
