"""Aurora's mask, the chemistry of its branch bin by bin, and what either way of resampling is worth."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.settings import Axis, Chemistry, Plane, parse_axes
from halonmf.halo.populations.aurora import aurora, branch, resample

from ..helpers.planted import hand_made_fit

CHEMISTRY = Chemistry(pixels=32)
GRID = parse_axes("E:2:-2.5e5:-1.0e5,Lz:2:-1000:1000")


def fit_and_stars(n=4000, seed=0):
    """A fit whose one component fills [Al/Fe] > 0, and stars whose [Al/Fe] grows with energy."""
    rng = np.random.default_rng(seed)
    E, Lz = rng.uniform(-2.5e5, -1.0e5, n), rng.uniform(-1000, 1000, n)
    high = E > -1.75e5
    stars = Table(
        {
            "E": E,
            "Lz": Lz,
            "FE_H": np.where(Lz < 0, -1.6, -1.3) + rng.normal(0, 0.05, n),
            "AL_FE": np.where(high, rng.uniform(0.0, 0.2, n), rng.uniform(0.0, 0.4, n)),
            "MG_FE": np.full(n, 0.3),
        }
    )
    image = np.where(CHEMISTRY.centres("AL_FE")[:, None] > 0, 1.0, 0.0) * np.ones((1, 32))
    fit = hand_made_fit(np.concatenate([image.ravel(), np.ones(32 * 32)])[None], CHEMISTRY)
    return fit, stars, make_bins(stars, GRID)


@pytest.fixture(scope="module")
def found():
    fit, stars, bins = fit_and_stars()
    return aurora(fit, stars, 0, bins=bins, iterations=200), stars


def test_the_mask_is_what_the_paper_says():
    image = np.zeros((32, 32))
    image[4, 3], image[5, 4], image[6, 5] = 1.0, 0.06, 0.04
    image[7, 31] = 0.9  # far above [Fe/H] = -1
    mask = branch(CHEMISTRY, image)
    assert np.argwhere(mask).tolist() == [[4, 3], [5, 4]]
    assert CHEMISTRY.edges("FE_H")[1:][branch(CHEMISTRY, np.ones((32, 32)))[0]].max() == pytest.approx(-1.0)


def test_quantiles_are_those_of_uniform_distributions(found):
    result, _ = found
    for i, (E, _Lz) in enumerate(result.bins.bounds):
        top = 0.2 if E.mean() > -1.75e5 else 0.4
        assert result.al_fe[i] == pytest.approx(0.9 * top, abs=0.02)
    np.testing.assert_allclose(result.fe_h, [-1.6, -1.3, -1.6, -1.3], atol=0.01)


def test_only_stars_of_the_mask_count(found):
    result, stars = found
    inside = (stars["AL_FE"] > 0) & (stars["FE_H"] < -1.0)
    assert result.n_stars.sum() == pytest.approx(inside.sum(), abs=2)
    others = stars.copy()
    others["AL_FE"][::2] = -0.5
    fit, _, bins = fit_and_stars()
    assert aurora(fit, others, 0, bins=bins, iterations=2).n_stars.sum() < 0.6 * result.n_stars.sum()


def test_bootstrap_errors_are_standard_errors(found):
    result, _ = found
    n = result.n_stars
    # of a quantile p of a uniform distribution of width w: w sqrt(p (1 - p) / n); of a normal median 1.2533 s / sqrt(n)
    width = np.where(result.bins.bounds[:, 0].mean(axis=1) > -1.75e5, 0.2, 0.4)
    # the bootstrap error of a single quantile is itself known to some 20 % only
    np.testing.assert_allclose(np.mean(result.drawn_std[0] / (width * np.sqrt(0.09 / n))), 1, rtol=0.3)
    np.testing.assert_allclose(np.mean(result.drawn_std[1] / (1.2533 * 0.05 / np.sqrt(n))), 1, rtol=0.3)


def test_removing_the_square_root_says_too_little():
    rng = np.random.default_rng(0)
    sample = rng.normal(0, 1, (1, 205))
    removed, drawn = resample(sample, np.array([0.5]), 2000, rng)
    # the delete-d jackknife of N = 205, d = 14 is sqrt((N - d) / d) = 3.7 times too small for a median
    assert 2.2 < drawn.std() / removed.std() < 5.5
    assert np.abs(removed.mean() - np.median(sample)) < 0.05


def test_removing_is_without_replacement():
    rng = np.random.default_rng(0)
    sample = np.arange(25.0)[None]
    removed, drawn = resample(sample, np.array([1.0]), 4000, rng)
    # the largest of 25 is among the 20 kept in 4 of 5 cases; drawn with replacement in 1 - (24/25)^25 of them
    assert np.mean(removed == 24) == pytest.approx(0.8, abs=0.03)
    assert np.mean(drawn == 24) == pytest.approx(1 - (24 / 25) ** 25, abs=0.03)


def test_a_bins_numbers_do_not_depend_on_the_others():
    fit, stars, bins = fit_and_stars()
    whole = aurora(fit, stars, 0, bins=bins, iterations=50, seed=3)
    first = bins.assign(stars) == 1
    alone = aurora(fit, stars[first], 0, bins=bins, iterations=50, seed=3)
    np.testing.assert_array_equal(whole.drawn_std[:, 1], alone.drawn_std[:, 1])
    assert np.isnan(alone.al_fe[[0, 2, 3]]).all()


def test_metal_poor_retrograde_bins_are_marked():
    rng = np.random.default_rng(1)
    _, stars, _ = fit_and_stars(8000)
    stars["FE_H"] = -1.3 + rng.normal(0, 0.05, len(stars))
    bins = make_bins(stars, [Axis("E", 6), Axis("Lz", 4)])
    rows = bins.assign(stars)
    poor = rows == 4  # a retrograde bin
    stars["FE_H"][poor] -= 0.4
    stars["FE_H"][rows == 7] -= 0.4  # a prograde one, which is not to be marked
    fit, *_ = fit_and_stars()
    result = aurora(fit, stars, 0, bins=bins, iterations=2)
    assert result.metal_poor[4]
    assert not result.metal_poor[7]
    assert result.retrograde.sum() == 12
    assert result.metal_poor.sum() <= 3  # with chance: 1.5 deviations are not many


def test_the_cut_off_is_where_the_planted_one_is():
    fit, stars, _ = fit_and_stars(20_000)
    result = aurora(fit, stars, 0, bins=make_bins(stars, [Axis("E", 8), Axis("Lz", 2)]), iterations=2)
    E, drop = result.cut_off
    assert -1.85e5 < E < -1.65e5
    assert drop == pytest.approx(0.18, abs=0.03)
    few = aurora(fit, stars, 0, bins=make_bins(stars, GRID[:1] + GRID[1:]), iterations=2)
    assert np.isfinite(few.cut_off[0])


def test_bins_above_a_boundary_are_told_by_the_mean_of_their_stars(found):
    from ..helpers.drawn import make_boundary, make_fit

    result, _ = found
    line = make_boundary(make_fit())  # at -1.6e5 for Lz = -500 and -1.7e5 for 500, nowhere else
    expected = result.E > np.interp(result.Lz, [-500.0, 500.0], [-1.6e5, -1.7e5])
    assert result.above(line).tolist() == expected.tolist()
    assert 0 < expected.sum() < 4
    with pytest.raises(UsageError, match="found in no column"):
        result.above(replace(line, smoothed=np.full(4, np.nan)))


def test_bins_of_few_stars_have_no_value():
    fit, stars, bins = fit_and_stars()
    few = aurora(fit, stars[:12], 0, bins=bins, iterations=2)
    assert np.isnan(few.al_fe[few.n_stars < 5]).all()
    assert np.isfinite(few.al_fe[few.n_stars >= 5]).all()


def test_what_makes_no_sense_is_refused():
    fit, stars, bins = fit_and_stars()
    with pytest.raises(UsageError, match="component 0 to 0"):
        aurora(fit, stars, 1, bins=bins)
    other = Chemistry.of([Plane("MG_FE", "FE_H")], pixels=8)
    with pytest.raises(UsageError, match="with the plane AL_FE:FE_H"):
        aurora(hand_made_fit(np.ones(64), other), stars, 0, bins=bins)
    with pytest.raises(UsageError, match="bins of E and Lz"):
        aurora(fit, stars, 0, bins=make_bins(stars, [Axis("E", 3)]))
    stars["FE_H"] = 0.0
    with pytest.raises(InputError, match="no star lies in the mask"):
        aurora(fit, stars, 0, bins=bins)


def test_the_table_says_which_error_is_which(found):
    result, _ = found
    table = result.table()
    np.testing.assert_array_equal(table["AL_FE_90_std_drawn"].value, result.drawn_std[0])
    np.testing.assert_array_equal(table["FE_H_50_mean_removed"].value, result.removed_mean[1])
    assert "not a standard error" in table.meta["removed"]
    assert str(table["lower_E"].unit) == "km2 / s2"
