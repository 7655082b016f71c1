"""The mock's truth, the same mock without noise, and how the default fit compares."""

import numpy as np
import pytest
from astropy.table import QTable, Table

from halonmf.halo import demo, mock
from halonmf.halo.binning import Axis, make_bins, parse_axes
from halonmf.halo.errors import InputError
from halonmf.halo.mixtures import Chemistry, mix
from halonmf.halo.mock_expected import expected
from halonmf.halo.model import FitSettings, choose, fit
from halonmf.halo.prepare import prepare
from halonmf.halo.truth import population_images, read_truth, recover, true_fractions, without_noise


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


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 4])
def test_the_default_fit_is_off_the_truth_only_by_the_bias_of_the_noise_free_fit(tmp_path, seed):
    settings = FitSettings(device="cpu")
    ideal, _ = choose(expected(oversample=8), settings)
    images = population_images(settings.chemistry, ideal)
    paths = mock.make(tmp_path / "mock", seed=seed)
    table = prepare(paths.allstar, paths.astronn, paths.members).table
    found = recover(fit(table, settings), table, paths.truth, images, parse_axes(demo.PROFILE_AXES))
    assert 12_000 < found.n_stars < 14_000
    # 0.01 is the limit; eight surveys know the images well enough for 0.012
    assert abs(found.share - found.noise_free_share) < 0.012
    assert abs(found.crossing[0] - found.true_crossing[0]) < 0.04e5
    assert found.rms_after_bias < 0.06
    assert found.bins >= 10
