"""The scripts that count what intervals hold on mocks: their truth, and their counting, on numbers that are known."""

import importlib.util
import json
import pathlib

import numpy as np
import pytest

from halonmf.halo.mock.family import MODELS
from halonmf.halo.replicates.replicate import Stars, begin
from halonmf.halo.replicates.setup import Setup

from ..helpers.planted import SMALL, TRANSITION, planted

BENCHMARKS = pathlib.Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A script of the benchmarks as a module; `coverage` is another's name too."""
    monkeypatch.syspath_prepend(BENCHMARKS)

    def load(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def test_the_truth_is_that_of_the_stars(script):
    truths = script("truths")
    table, high = planted(4000)
    # r rises with energy, so that the fraction crosses one half there too
    table["r_sph"] = 2 + 12 * (table["E"] + 2.5e5) / 1.5e5
    base = begin(Stars(table), Setup(SMALL.replace(pixels=10)))
    found = dict(zip([name for *_, name in truths.NUMBERS], truths.truth(base, high), strict=True))
    assert found["HE mass fraction"] == high.mean()
    assert found["50 % crossing in E"] == pytest.approx(TRANSITION, abs=2e3)
    assert found["50 % crossing in r"] == pytest.approx(2 + 12 * (TRANSITION + 2.5e5) / 1.5e5, abs=0.3)
    assert found["HE median [Fe/H]"] == np.median(table["FE_H"][high])
    bins = (np.floor((table["E"] + 2.5e5) / 0.075e5) == 10).data
    assert found["HE fraction at -1.71e5"] == pytest.approx(high[bins].mean())


def test_numbers_of_a_fit_of_separate_populations_are_the_truth(script):
    truths = script("truths")
    table, high = planted(4000, apart=True)
    table["r_sph"] = 2 + 12 * (table["E"] + 2.5e5) / 1.5e5
    base = begin(Stars(table), Setup(SMALL.replace(pixels=20)))
    difference = dict(
        zip(
            [name for *_, name in truths.NUMBERS], truths.numbers(base.products) - truths.truth(base, high), strict=True
        )
    )
    assert abs(difference["HE mass fraction"]) < 0.02
    assert abs(difference["50 % crossing in E"]) < 1500
    assert abs(difference["HE median [Fe/H]"]) < 0.05


def skies(number=400, off=0.0):
    """Estimates that scatter by one about `off`, and replicates that scatter as much about each."""
    rng = np.random.default_rng(3)
    estimates = off + rng.normal(size=(number, 1))
    return estimates, [x + rng.normal(size=(300, 1)) for x in estimates]


def test_right_intervals_hold_the_mean_as_often_as_they_say(script):
    estimates, drawn = skies()
    found = script("coverage").held(estimates, drawn, 0.0)
    assert found["centred 68 %"][0] == pytest.approx(0.68, abs=0.07)
    assert found["centred 95 %"][0] == pytest.approx(0.95, abs=0.04)


def test_a_bias_of_two_scatters_is_seen_in_what_holds_the_truth(script):
    estimates, drawn = skies(off=2.0)
    found = script("coverage").held(estimates, drawn, 0.0)
    assert found["centred 68 %"][0] == pytest.approx(0.157, abs=0.06)  # P(-1 < x + 2 < 1)


def test_each_sky_can_have_a_truth_of_its_own(script):
    estimates, drawn = skies()
    assert script("coverage").held(estimates, drawn, estimates)["centred 68 %"][0] == 1


def test_what_a_sky_does_not_have_is_not_counted(script):
    estimates, drawn = skies(100)
    estimates[::2] = np.nan
    found = script("coverage").held(estimates, drawn, 0.0)
    assert found["centred 68 %"][0] == pytest.approx(0.68, abs=0.15)


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("analyses", ["paper-truth"]),
        ("analyses_fair", ["fair"]),
        ("family", list(MODELS)),
        ("verdict", ["paper-truth"]),
        ("verdict_fair", ["fair"]),
    ],
)
def test_saved_results_are_of_the_mocks_as_they_are(script, name, models):
    saved = json.loads((BENCHMARKS / "results" / f"{name}.json").read_text())
    assert saved["populations"] == script("truths").populations(*models), "the mock changed: run the script again"
