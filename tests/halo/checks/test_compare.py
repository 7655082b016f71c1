"""Two fits compared: choices, cosines, and differences whose intervals hold what replicates say."""

import numpy as np
import pytest

import halonmf.halo as halo
from halonmf.halo.checks.compare import compare, cosines
from halonmf.halo.checks.comparison import COVERAGE
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.fit import fit

from ..helpers.planted import SMALL, planted


@pytest.fixture(scope="module")
def stars():
    return planted(3000)[0]


@pytest.fixture(scope="module")
def base(stars):
    return fit(stars, SMALL)


@pytest.fixture(scope="module")
def coarse(stars):
    return fit(stars, SMALL.replace(pixels=10))


@pytest.fixture(scope="module")
def found(base, coarse, stars):
    return compare(base, coarse, stars, replicates=100)


def row_of(found, name):
    (row,) = (row for row in found.differences if row.name == name)
    return row


def test_a_fit_differs_from_itself_in_nothing(base, stars):
    found = compare(base, base, stars, replicates=20)
    assert found.settings == ()
    assert found.paired
    np.testing.assert_allclose(np.diag(found.cosine), 1, atol=1e-12)
    for row in found.differences:
        if np.isfinite(row.value):
            assert (row.value, row.se, row.low, row.high) == (0, 0, 0, 0)


def test_the_numbers_are_those_of_the_fits(found, base, coarse):
    row = row_of(found, "accreted fraction")
    assert (row.a, row.b) == pytest.approx((base.accreted_fraction, coarse.accreted_fraction), abs=1e-12)


def test_differences_of_fractions_are_points_and_others_have_their_unit(found):
    (fraction,) = (line for line in found.describe().splitlines() if line.startswith("accreted fraction"))
    (energy,) = (line for line in found.describe().splitlines() if line.startswith("E at 50 %"))
    assert fraction.endswith(" points")
    assert fraction.count(" %") == 2
    assert energy.endswith(" km2/s2")


def test_crossings_are_those_of_the_profile(found, base, stars):
    from halonmf.halo.products.overview import PROFILES

    (crossing,) = halo.profile(base, stars, PROFILES["E"], levels=(0.5,)).crossings[0].at
    assert row_of(found, "E at 50 %").a == pytest.approx(crossing, rel=1e-6)


def test_only_what_differs_is_named(found):
    assert found.settings == ("chemistry.pixels: 20 | 10",)


def test_paired_draws_leave_less_of_a_difference_than_independent_ones(found, base, coarse, stars):
    paired = row_of(found, "accreted fraction").se
    first, second = (halo.refit(x, 100, seed=seed).W for x, seed in ((base, 0), (coarse, 1)))
    shares = [base.reading.of(W.sum(axis=1) / W.sum(axis=(1, 2))[:, None]) for W in (first, second)]
    assert found.paired
    assert paired < 0.7 * np.std(shares[1] - shares[0], ddof=1)


def test_the_standard_error_of_other_stars_is_that_of_two_samples(base):
    others, _ = planted(3000, seed=7)
    found = compare(base, fit(others, SMALL), replicates=100)
    assert not found.paired
    both = [halo.refit(x, 100, seed=seed).W for x, seed in ((base, 0), (fit(others, SMALL), 1))]
    scatter = [np.std(base.reading.of(W.sum(axis=1) / W.sum(axis=(1, 2))[:, None]), ddof=1) for W in both]
    row = row_of(found, "accreted fraction")
    assert row.se == pytest.approx(np.hypot(*scatter), rel=0.25)
    assert row.high - row.low == pytest.approx(2 * row.se, rel=0.3)  # 68 % of a bell
    assert COVERAGE == 0.68


def test_cosines_on_pixels_of_the_same_size_are_plain_ones(base, stars):
    other = fit(stars, SMALL.replace(components=3))
    unit = [x.H / np.linalg.norm(x.H, axis=1, keepdims=True) for x in (base, other)]
    np.testing.assert_allclose(cosines(base, other), unit[0] @ unit[1].T, atol=1e-12)


def test_halved_pixels_are_summed_before_they_are_compared(base, stars):
    half = fit(stars, SMALL.replace(pixels=SMALL.chemistry.pixels // 2))
    small = SMALL.chemistry.pixels // 2
    blocks = base.images.reshape(2, -1, small, 2, small, 2).sum(axis=(3, 5)).reshape(2, -1)
    blocks /= np.linalg.norm(blocks, axis=1, keepdims=True)
    other = half.H / np.linalg.norm(half.H, axis=1, keepdims=True)
    np.testing.assert_allclose(cosines(base, half), blocks @ other.T, atol=1e-9)


def test_other_ranges_have_no_cosines_and_are_said(base, stars):
    found = compare(base, fit(stars, SMALL.replace(ranges=("FE_H:-2.4:0.6",))), replicates=0)
    assert np.isnan(found.cosine).all()
    assert "no cosines" in found.describe()
    assert found.record()["cosine"][0][0] is None


def test_without_replicates_there_are_no_intervals(base, coarse):
    found = compare(base, coarse, replicates=0)
    assert all(np.isnan(row.se) for row in found.differences)
    assert "interval" not in found.describe()


def test_stars_of_another_catalogue_are_refused(base, coarse):
    with pytest.raises(InputError, match="not those of the fit"):
        compare(base, coarse, planted(2999)[0])


@pytest.mark.parametrize(("options", "said"), [({"replicates": 1}, "0, or 2"), ({"replicates": -2}, "0, or 2")])
def test_numbers_that_make_no_sense_are_refused(base, coarse, options, said):
    with pytest.raises(UsageError, match=said):
        compare(base, coarse, **options)


def test_the_second_catalogue_alone_is_refused(base, coarse, stars):
    with pytest.raises(UsageError, match="the first"):
        compare(base, coarse, other=stars)


def test_the_table_has_the_rows_and_the_cosines(found):
    table = found.table()
    assert table.meta["components"] == [["LE", "HE"], ["LE", "HE"]]
    np.testing.assert_allclose(table["difference"], table["b"] - table["a"], atol=0, equal_nan=True)
    assert (table["low"] <= table["high"])[np.isfinite(table["low"])].all()


def test_the_figure_has_both_curves_and_a_point_for_every_difference(found):
    picture = halo.figures.fits_compared(found)
    left, right = picture.figure.axes
    curves = [line.get_ydata() for line in left.lines if len(line.get_ydata()) == len(found.curves[0].fraction)]
    np.testing.assert_array_equal(curves, [curve.fraction for curve in found.curves])
    drawn = [row for row in found.differences if np.isfinite(row.value) and row.se > 0]
    assert [label.get_text() for label in right.get_yticklabels()] == [row.name for row in drawn]
    assert "chemistry.pixels: 20 | 10" in picture.caption


def test_a_comparison_without_stars_cannot_be_drawn(base, coarse):
    with pytest.raises(UsageError, match="stars"):
        halo.figures.fits_compared(compare(base, coarse, replicates=0))


def test_the_curves_lie_within_their_intervals(found):
    for curve in found.curves:
        known = np.isfinite(curve.fraction) & np.isfinite(curve.low)
        assert known.any()
        assert (curve.low[known] <= curve.fraction[known] + 1e-9).all()
        assert (curve.fraction[known] <= curve.high[known] + 1e-9).all()
