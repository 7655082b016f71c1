"""The mock's truth, the same mock without noise, and how the default fit compares."""

import json
import shutil
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table

from halonmf.halo.errors import InputError
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Axis, Chemistry
from halonmf.halo.mock.truth import (
    Limits,
    Recovery,
    population_images,
    read_truth,
    shortfalls,
    true_fractions,
    without_noise,
)

from ...scripts import script as load


@pytest.fixture
def stars():
    rng = np.random.default_rng(0)
    population = rng.choice(["a", "b"], 4000)
    center = np.where(population == "a", -1.5, -0.5)
    return QTable(
        {
            "APOGEE_ID": [f"star{i}" for i in range(4000)],
            "E": np.linspace(-2e5, -1e5, 4000),
            "Lz": np.zeros(4000),
            "FE_H": center + rng.normal(0, 0.1, 4000),
            "AL_FE": rng.normal(0, 0.1, 4000),
            "MG_FE": rng.normal(0.1, 0.1, 4000),
            "population": population,
        }
    )


def write(path, ids, origins):
    Table({"APOGEE_ID": ids, "population": ["x"] * len(ids), "origin": origins}).write(path)


def test_truth_is_joined_by_id(tmp_path):
    write(tmp_path / "truth.fits", ["b", "a", "c"], ["accreted", "in-situ", "accreted"])
    truth = read_truth(tmp_path / "truth.fits", Table({"APOGEE_ID": ["a", "c", "b", "a"]}))
    assert truth.accreted.tolist() == [False, True, True, False]


def test_an_unknown_star_is_named(tmp_path):
    write(tmp_path / "truth.fits", ["a"], ["accreted"])
    with pytest.raises(InputError, match="does not know 1 of 2 stars, such as zz"):
        read_truth(tmp_path / "truth.fits", Table({"APOGEE_ID": ["a", "zz"]}))


def test_a_file_that_is_no_truth_is_refused(tmp_path):
    (tmp_path / "truth.fits").write_text("nothing")
    with pytest.raises(InputError, match="no truth table"):
        read_truth(tmp_path / "truth.fits", Table({"APOGEE_ID": ["a"]}))


def test_true_fractions_count_by_bin(stars):
    bins = make_bins(stars, [Axis("E", 2, -2e5, -1e5)])
    is_accreted = np.asarray(stars["E"]) > -1.4e5
    np.testing.assert_allclose(true_fractions(bins, stars, is_accreted), [0.0, 0.8], atol=1e-3)


def test_without_noise_keeps_the_sums_and_the_mean(stars):
    chemistry = Chemistry(pixels=10)
    mixtures = mix(stars, [Axis("E", 4)], chemistry)
    ideal = without_noise(mixtures, np.asarray(stars["population"]), population_images(chemistry, stars))
    # the images come from these very stars, so summed over all bins nothing changes but the scatter between bins
    np.testing.assert_allclose(ideal.V.sum(axis=0), mixtures.V.sum(axis=0), atol=1e-9)
    assert not np.allclose(ideal.V, mixtures.V)
    assert (np.abs(ideal.V - mixtures.V) <= 6 * np.sqrt(ideal.V) + 6).all()


def test_an_unknown_population_is_refused(stars):
    mixtures = mix(stars, [Axis("E", 4)], Chemistry(pixels=10))
    with pytest.raises(InputError, match="populations b"):
        without_noise(mixtures, np.asarray(stars["population"]), {"a": np.ones(200)})


# the acceptance of the default mock

SEEDS = [1, 2, 3, 4, 5]
GOOD = Recovery(13_000, 0.33, 0.35, 0.352, (-1.68e5,), (-1.70e5,), (-1.70e5,), 0.05, 0.01, 16)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fraction": 0.36, "noise_free_fraction": 0.33},  # close to the truth, whatever was predicted
        {"fraction": 0.40, "noise_free_fraction": 0.409},  # far from it, as predicted
        {"crossing": (-1.64e5,), "noise_free_crossing": (-1.66e5,)},
    ],
)
def test_a_recovery_within_the_limits_passes(changes):
    assert shortfalls(replace(GOOD, **changes)) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"fraction": 0.361, "noise_free_fraction": 0.372}, "fraction off by"),
        ({"fraction": 0.299, "noise_free_fraction": 0.288}, "fraction off by -0.0310"),
        ({"fraction": np.nan}, "fraction off by"),
        ({"rms_after_bias": 0.061}, "rms"),
        ({"rms_after_bias": np.nan}, "rms"),
        ({"crossing": (-1.6595e5,)}, "crossing off by"),
        ({"crossing": ()}, "crossings"),
        ({"crossing": (-1.7e5, -1.6e5)}, "crossings"),
    ],
)
def test_a_recovery_beyond_a_limit_is_told(changes, word):
    (said,) = shortfalls(replace(GOOD, **changes))
    assert word in said


@pytest.fixture(scope="module")
def script():
    """benchmarks/mock_recovery.py as a module."""
    return load("mock_recovery", "benchmarks")


@pytest.fixture(scope="module")
def recorded(script):
    return json.loads(script.OUTPUT.read_text())


def as_recovery(row):
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    del fields["seed"]
    return Recovery(**fields)


def test_recorded_recoveries_are_of_this_mock_and_this_fit(script, recorded):
    assert recorded["parameters"] == script.parameters(), "the mock or the fit changed: run benchmarks/mock_recovery.py"
    assert recorded["limits"] == asdict(Limits())
    assert recorded["provenance"]["settings"]["stars"] == 60_000
    assert recorded["provenance"]["settings"]["oversample"] >= 20
    assert recorded["provenance"]["version"] == version("halonmf")


@pytest.mark.parametrize("i", range(5), ids=[f"seed {seed}" for seed in SEEDS])
def test_recorded_recoveries_are_within_the_limits(recorded, i):
    row = recorded["rows"][i]
    assert [r["seed"] for r in recorded["rows"]] == SEEDS
    assert shortfalls(as_recovery(row)) == []
    assert 12_000 < row["n_stars"] < 14_000
    assert row["bins"] >= 10


def test_parameters_notice_another_number_in_the_mock(script, monkeypatch, tmp_path):
    before = script.parameters()
    shutil.copytree(Path(__file__).parents[3] / "halo", tmp_path / "halo")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    assert script.parameters() == before
    file = tmp_path / "halo" / "mock" / "populations.py"
    file.write_text(
        file.read_text().replace("lz_sigma=450.0, l_perp_sigma=650.0", "lz_sigma=451.0, l_perp_sigma=650.0")
    )
    assert script.parameters() != before


@pytest.fixture(scope="module")
def spread(script):
    return script.images(60_000, 20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 5])
def test_the_default_fit_is_within_the_limits_and_as_recorded(tmp_path, script, recorded, spread, seed):
    found, sample = script.recovery(seed, 60_000, spread, tmp_path / "mock")
    assert shortfalls(found) == []
    row = as_recovery(recorded["rows"][seed - 1])
    assert found.n_stars == pytest.approx(row.n_stars, rel=0.002)  # a last bit may move a star over a cut
    assert found.true_fraction == pytest.approx(row.true_fraction, abs=0.002)
    assert found.fraction == pytest.approx(row.fraction, abs=0.005)
    assert found.noise_free_fraction == pytest.approx(row.noise_free_fraction, abs=0.005)
    assert found.crossing == pytest.approx(row.crossing, abs=0.01e5)
    assert sample["n_kinematically_pure"] == pytest.approx(
        recorded["samples"][seed - 1]["n_kinematically_pure"], rel=0.002
    )
