"""Zero points: planted ones are found on common stars, stars are moved back, tables are read back, mix-ups refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import theilslopes

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.common import common_stars
from halonmf.halo.fits.relate import zeropoints
from halonmf.halo.fits.settings import Bootstrap
from halonmf.halo.fits.transfer import ZeroPointSettings
from halonmf.halo.fits.zeropoints import ZeroPoints, as_zeropoints, on_scale
from halonmf.halo.io.tables import save_table
from halonmf.halo.stars.variables import values

from ..helpers.planted import planted

PLANTED = {"FE_H": 0.02, "AL_FE": 0.05, "MG_FE": -0.03}
FEW = Bootstrap(60, 1)


def surveys(n=3000, seed=0, noise=(0.03, 0.05), slope=0.0):
    """The same stars as two surveys see them, in another order, and half of either in the other alone."""
    true, _ = planted(2 * n, seed)
    rng = np.random.default_rng(seed + 100)
    true["SOURCE_ID"] = 1000 + np.arange(2 * n)
    seen = []
    for name, sigma, part in (("first", noise[0], slice(0, n)), ("second", noise[1], slice(n // 2, n // 2 + n))):
        table = true[part].copy()
        iron = np.array(table["FE_H"])
        for element, offset in PLANTED.items():
            shift = 0.0 if name == "first" else offset + (slope * (iron + 0.7) if element == "MG_FE" else 0.0)
            table[element] = table[element] + shift + rng.normal(0, sigma, n)
            table[f"{element}_ERR"] = np.full(n, sigma)
        table.meta["survey"] = name
        seen.append(table[rng.permutation(n)])
    return seen


@pytest.mark.parametrize("estimator", ["median", "mean"])
def test_planted_zero_points_are_found_within_their_errors(estimator):
    found = common_stars(*surveys(), ZeroPointSettings(estimator=estimator), FEW)
    assert (found.survey, found.scale, found.method) == ("second", "first", "common stars")
    assert (found.n_stars == 1500).all()
    for name, x, error in zip(found.names, found.offset, found.error, strict=True):
        # of 1,500 differences: sigma / sqrt(n), times 1.25 for a median
        assert error == pytest.approx(
            np.hypot(0.03, 0.05) / np.sqrt(1500) * (1.25 if estimator == "median" else 1), rel=0.4
        )
        assert abs(x - PLANTED[name]) < 4 * error


def test_pulls_over_seeds_are_of_unit_width():
    pulls = []
    for seed in range(24):
        found = common_stars(*surveys(600, seed), None, Bootstrap(100, seed))
        pulls += [(x - PLANTED[n]) / e for n, x, e in zip(found.names, found.offset, found.error, strict=True)]
    assert 0.7 < np.std(pulls) < 1.3
    assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls))


def test_noise_alone_makes_no_trend_though_iron_is_on_both_sides():
    found = [common_stars(*surveys(2000, seed, (0.05, 0.15)), None, FEW) for seed in range(4)]
    slopes = np.array([one.slope[list(one.names).index("FE_H")] for one in found])
    assert (slopes == 0).sum() >= 3
    # along the second survey's own [Fe/H] there would be one
    first, second = surveys(2000, 0, (0.05, 0.15))
    _, a, b = np.intersect1d(first["SOURCE_ID"], second["SOURCE_ID"], return_indices=True)
    difference = np.asarray(second["FE_H"])[b] - np.asarray(first["FE_H"])[a]
    slope = theilslopes(difference[:400], np.asarray(second["FE_H"])[b][:400])
    assert slope.low_slope > 0


def test_a_planted_trend_is_found_and_taken_back():
    first, second = surveys(3000, 2, slope=0.1)
    found = common_stars(first, second, None, FEW)
    i = found.names.index("MG_FE")
    assert found.slope[i] == pytest.approx(0.1, abs=4 * found.slope_error[i] + 0.005)
    moved = found.moved(second)
    _, a, b = np.intersect1d(first["SOURCE_ID"], moved["SOURCE_ID"], return_indices=True)
    left = values(moved, "MG_FE")[b] - values(first, "MG_FE")[a]
    poor = values(first, "FE_H")[a] < -0.7
    assert abs(np.median(left[poor]) - np.median(left[~poor])) < 0.01


def test_outliers_do_not_move_a_median():
    first, second = surveys(2000, 3)
    plain = common_stars(first, second, ZeroPointSettings(trend="none"), FEW)
    second["AL_FE"][::10] += 3.0
    bent = common_stars(first, second, ZeroPointSettings(trend="none"), FEW)
    i = plain.names.index("AL_FE")
    assert abs(bent.offset[i] - plain.offset[i]) < 0.012  # 10 % on one side: 0.125 sigma of 0.058


def made(offset=(0.02, 0.05), slope=(0.0, 0.0)):
    covariance = np.diag([1e-4, 4e-4, 0.0, 0.0])
    return ZeroPoints(
        "second", "first", ("FE_H", "AL_FE"), np.array(offset), np.array(slope), covariance, -1.0,
        np.array([10, 10]), np.array([0.1, 0.1]), "common stars",
    )  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
def test_moving_takes_back_what_the_model_adds(a, b, c, d):
    true, _ = planted(50)
    seen = true.copy()
    from_pivot = np.asarray(true["FE_H"]) + 1.0
    seen["FE_H"] = true["FE_H"] + a + c * from_pivot
    seen["AL_FE"] = true["AL_FE"] + b + d * from_pivot
    moved = made((a, b), (c, d)).moved(seen)
    for name in ("FE_H", "AL_FE", "MG_FE"):
        assert np.asarray(moved[name]) == pytest.approx(np.asarray(true[name]), abs=1e-12)
    assert moved.meta["scale"] == "first"


def test_draws_have_the_covariance():
    drawn = made().draws(4000, 1)
    x = np.array([np.concatenate([one.offset, one.slope]) for one in drawn])
    assert x.mean(axis=0) == pytest.approx([0.02, 0.05, 0, 0], abs=0.002)
    assert np.cov(x, rowvar=False) == pytest.approx(made().covariance, abs=3e-5)


def test_a_table_is_read_back(tmp_path):
    path = save_table(tmp_path / "zeropoints.ecsv", made().table(), {})
    assert as_zeropoints(path).brief() == made().brief()
    assert np.array_equal(as_zeropoints(path).covariance, made().covariance)


def test_a_table_of_something_else_is_refused(tmp_path):
    path = save_table(tmp_path / "stars.ecsv", planted(5)[0], {})
    with pytest.raises(InputError, match="no table of zero points"):
        as_zeropoints(path)


def test_too_few_common_stars_are_refused_with_what_to_do():
    first, second = surveys(300)
    second["SOURCE_ID"] += 10**6
    with pytest.raises(InputError, match="two Gaia releases"):
        common_stars(first, second, None, FEW)


def test_stars_of_another_survey_need_zero_points_and_both_are_named():
    stars = surveys(200)[1]
    with pytest.raises(UsageError, match=r"the fit is of first, the stars are of second.*--zeropoints none"):
        on_scale(stars, "first", ("FE_H",))
    moved, found = on_scale(stars, "first", ("FE_H",), made())
    assert found is not None
    assert on_scale(moved, "first", ("FE_H",)) == (moved, None)
    as_they_are, found = on_scale(stars, "first", ("FE_H",), "none")
    assert found is None
    assert np.array_equal(as_they_are["FE_H"], stars["FE_H"])


def test_where_a_survey_is_not_known_nothing_is_asked():
    stars = planted(20)[0]
    assert on_scale(stars, "first", ("FE_H",))[1] is None
    stars.meta["survey"] = "second"
    assert on_scale(stars, "", ("FE_H",))[1] is None


@pytest.mark.parametrize(
    ("scale", "names", "message"),
    [
        ("third", ("FE_H",), "between these two"),
        ("first", ("FE_H", "MG_FE"), "no MG_FE"),
        ("first", ("MG_MN", "AL_FE"), "no MG_FE, MN_FE"),
        ("second", ("FE_H",), "leave the zero points out"),
    ],
)
def test_zero_points_of_others_are_refused(scale, names, message):
    with pytest.raises(UsageError, match=message):
        on_scale(surveys(50)[1], scale, names, made())


def test_the_other_way_round_is_recognised():
    stars = surveys(50)[0]
    with pytest.raises(UsageError, match="the other way round"):
        on_scale(stars, "second", ("FE_H",), made())


def test_errors_need_replicates_and_trends_their_stars():
    first, second = surveys(60)
    with pytest.raises(UsageError, match="replicates"):
        zeropoints(first, second, bootstrap=0)
    with pytest.raises(InputError, match="too few for a trend"):
        zeropoints(first, second, bootstrap=5, trend="linear")
    with pytest.raises(UsageError, match="estimator"):
        ZeroPointSettings(estimator="mode")
