"""Tracks that stay apart, and a boundary beside the published one, against numbers made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from halonmf.halo.errors import UsageError
from halonmf.halo.mixtures.settings import Plane
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.offset import offset
from halonmf.halo.products.profile import fraction_at, profile_of
from halonmf.halo.products.separations import separation, separations
from halonmf.halo.products.tracks import Track, track, tracks
from halonmf.halo.stars.published_line import belokurov_kravtsov, mean_line

from ..helpers.four import four_found, four_planted
from ..helpers.planted import hand_made_application, planted_fit

X = np.array([-2.0, -1.6, -1.2, -0.8])
PLANE = Plane("AL_FE", "FE_H")


def made_track(median, deviation, plane=PLANE):
    return Track(plane, X, np.array(median), np.array(deviation), np.full(4, 0.25))


def test_the_ratio_is_one_where_the_bands_just_touch():
    a = made_track([0.3, 0.2, 0.0, np.nan], [0.1, 0.1, 0.1, np.nan])
    b = made_track([0.0, 0.1, 0.1, 0.1], [0.2, 0.1, 0.1, 0.1])
    found = separation(a, b, ("LE", "HE"))
    assert found.x == pytest.approx(X[:3])
    assert found.ratio == pytest.approx([1.0, 0.5, -0.5])
    assert found.above() == pytest.approx(2 / 3)
    assert found.above(-1.5) == 1.0
    assert found.smallest() == pytest.approx((-0.5, -1.2))
    assert found.smallest(-1.5) == pytest.approx((0.5, -1.6))


def test_without_common_columns_there_is_no_number():
    found = separation(made_track([np.nan] * 4, [np.nan] * 4), made_track([0] * 4, [0] * 4), ("LE", "HE"))
    assert np.isnan([found.above(), *found.smallest()]).all()


def test_tracks_without_scatter_are_infinitely_far_or_the_same():
    found = separation(made_track([0.1, 0, 0, 0], [0] * 4), made_track([0] * 4, [0] * 4), ("LE", "HE"))
    assert found.ratio.tolist() == [np.inf, 0, 0, 0]


def test_a_fits_first_and_last_component_are_compared_in_every_plane():
    made = planted_fit()
    found = separations(made)
    assert [str(s.plane) for s in found] == ["AL_FE:FE_H", "MG_FE:FE_H"]
    low, high = track(made, 0, 1), track(made, 1, 1)
    both = np.isfinite(low.median) & np.isfinite(high.median)
    assert found[1].difference == pytest.approx((low.median - high.median)[both])
    table = found.table()
    assert len(table) == sum(len(s.x) for s in found)
    assert table.meta["planes"]["MG_FE:FE_H"]["smallest_ratio"] == found[1].smallest()[0]


def test_tracks_of_two_planes_and_single_components_are_refused():
    with pytest.raises(UsageError, match="one plane"):
        separation(made_track(X, X), made_track(X, X, Plane("MG_FE", "FE_H")), ("LE", "HE"))
    with pytest.raises(UsageError, match="this fit has one"):
        separations(planted_fit(k=1))


def test_a_table_of_tracks_has_a_row_per_column():
    made = planted_fit()
    found = tracks(made)
    table = found.table()
    chosen = table[(table["component"] == "HE") & (table["plane"] == "AL_FE:FE_H")]
    assert np.array_equal(chosen["median"].value, found[1][0].median, equal_nan=True)


# the boundary beside the published one


def at_offset(shift, holes=()):
    two, _ = four_found()
    line = boundary(two, four_planted()[0])
    means = np.array([mean_line(a, b) for a, b in zip(line.Lz_edges[:-1], line.Lz_edges[1:], strict=True)])
    E = np.where(np.isin(np.arange(10), holes), np.nan, means + shift)
    return replace(line, E=E, smoothed=E)


def test_the_published_line_is_at_no_distance_of_itself():
    found = offset(at_offset(0.0))
    assert found.difference == pytest.approx(np.zeros(10), abs=1e-6)
    assert found.columns() == 10


def test_means_and_extremes_are_those_of_each_side():
    shift = np.array([-5, -4, -3, -2, -1, 1, 2, 3, 4, 6]) * 1e3
    found = offset(at_offset(shift, holes=(0, 9)))
    assert found.mean(-1) == pytest.approx(-2500)
    assert found.mean(1) == pytest.approx(2500)
    assert found.lowest(-1) == pytest.approx(-4000)
    assert found.distance() == pytest.approx(2500)
    assert (found.columns(-1), found.columns(1)) == (4, 4)
    meta = found.table().meta
    assert meta["retrograde"] == {"columns": 4, "mean": pytest.approx(-2500), "lowest": pytest.approx(-4000)}


def test_without_columns_there_is_no_offset():
    found = offset(at_offset(0.0, holes=range(10)))
    assert np.isnan([found.mean(), found.lowest(1), found.distance()]).all()


def test_the_mean_of_the_published_line_is_its_integral():
    from scipy.integrate import quad

    parts = [quad(belokurov_kravtsov, a, b)[0] for a, b in ((-2000, -580), (-580, 580), (580, 2000))]
    assert mean_line() == pytest.approx(sum(parts) / 4000, abs=5)
    assert mean_line() == pytest.approx(-1.564e5, abs=50)


def test_a_fraction_between_bins_is_the_splines():
    share = [0.0, 0.1, 0.5, 0.9, 1.0]
    found = profile_of(hand_made_application(share, "E:5:-2.5e5:-1e5"))
    assert fraction_at(found, -1.75e5) == pytest.approx(0.5)
    assert fraction_at(found, -1.75e5, component=1) == pytest.approx(0.5)
    assert 0.1 < fraction_at(found, -1.9e5, component=1) < 0.5
    assert np.isnan(fraction_at(found, -2.6e5))
    half = found.crossings[1].at[0]
    assert fraction_at(found, half) == pytest.approx(0.1)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(arrays(float, (4, 4), elements=st.floats(-1, 1)), st.integers(0, 15))
def test_tracks_exchanged_change_the_sign_and_nothing_else(numbers, holes):
    missing = np.array([(holes >> i) & 1 for i in range(4)], dtype=bool)
    a, b = (
        made_track(np.where(missing, np.nan, numbers[i]), np.where(missing, np.nan, 0.01 + np.abs(numbers[i + 2])))
        for i in (0, 1)
    )
    one, other = separation(a, b, ("LE", "HE")), separation(b, a, ("HE", "LE"))
    assert len(one.x) == (~missing).sum()
    assert one.ratio == pytest.approx(-other.ratio)
    if len(one.x) and (one.difference != 0).all():
        assert one.above() == pytest.approx(1 - other.above())
