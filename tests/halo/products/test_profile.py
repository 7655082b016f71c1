"""Profiles: crossings of known curves, tables that can be read back, and the paper's crossing on real stars."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.errors import UsageError
from halonmf.halo.fits.apply import apply
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import Chemistry, parse_axes
from halonmf.halo.products.crossings import crossings
from halonmf.halo.products.profile import MIN_STARS, Crossing, profile, profile_of
from halonmf.halo.products.tracks import percentiles
from halonmf.halo.stars.variables import unit_of
from halonmf.halo.survey.prepare import prepare

from ..helpers.planted import SMALL, TRANSITION, hand_made_application, planted

DATA = Path(__file__).parents[3].parent / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data with real APOGEE giants is absent")

X = np.linspace(0.0, 10.0, 41)


@pytest.fixture(scope="module")
def fitted():
    return fit(planted(20_000, seed=4)[0], SMALL)


# crossings


def test_a_known_curve_is_crossed_where_it_is_known_to_be():
    assert crossings(X, 1 / (1 + np.exp(-(X - 4.4))), 0.5) == pytest.approx((4.4,), abs=1e-3)


def test_a_straight_line_is_crossed_exactly():
    assert crossings(X, X / 10, 0.37) == pytest.approx((3.7,), abs=1e-9)


def test_every_crossing_of_a_wave_is_found_in_rising_order():
    assert crossings(X, np.sin(X), 0.5) == pytest.approx(
        [np.pi / 6, 5 * np.pi / 6, 13 * np.pi / 6, 17 * np.pi / 6], abs=0.01
    )


def test_a_curve_that_stays_on_one_side_has_none():
    assert crossings(X, np.sin(X), 1.5) == ()


@pytest.mark.parametrize(
    ("y", "at"),
    [
        ([0.2, 0.5, 0.2], ()),
        ([0.8, 0.5, 0.8], ()),
        ([0.2, 0.5, 0.5, 0.2], ()),
        ([0.2, 0.5, 0.8], (1.0,)),
        ([0.2, 0.5, 0.5, 0.8], (1.0,)),
        ([0.8, 0.5, 0.5, 0.5, 0.2], (1.0,)),
        ([0.5, 0.5, 0.8], ()),
        ([0.5, 0.8], ()),
        ([0.2, 0.5], ()),
        ([0.5, 0.5, 0.5], ()),
        ([0.2, 0.5, 0.2, 0.8], (2.5,)),
        ([0.0, 1.0, 0.0], (0.5, 1.5)),
    ],
)
def test_touching_the_level_is_no_crossing(y, at):
    found = crossings(np.arange(len(y), dtype=float), np.array(y), 0.5)
    assert found == pytest.approx(at, abs=0.25)


def test_missing_values_are_bridged():
    y = X / 10
    y[[3, 14, 15, 16]] = np.nan
    assert crossings(X, y, 0.37) == pytest.approx((3.7,), abs=1e-9)


def test_missing_values_at_the_ends_are_not_extrapolated():
    assert crossings(X, np.where(X < 5, np.nan, X / 10), 0.37) == ()


@pytest.mark.parametrize("y", [[np.nan, np.nan], [np.nan, 0.7], [0.7, np.nan]])
def test_fewer_than_two_values_cross_nothing(y):
    assert crossings(np.array([0.0, 1.0]), np.array(y), 0.5) == ()


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    st.lists(st.one_of(st.sampled_from([0.0, 0.5, 1.0, np.nan]), st.floats(0, 1)), min_size=2, max_size=12),
    st.sampled_from([0.1, 0.5, 0.9]),
)
def test_crossings_are_the_changes_of_side_of_the_data(y, level):
    x, y = np.linspace(-2.5e5, -1.0e5, len(y)), np.array(y)
    found = crossings(x, y, level)
    side = np.sign(y - level)[np.isfinite(y)]
    side = side[side != 0]
    assert len(found) == np.count_nonzero(np.diff(side))
    assert list(found) == sorted(found)
    assert all(x[0] <= at <= x[-1] for at in found)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=12))
def test_a_mirrored_curve_has_mirrored_crossings(y):
    x, y = np.linspace(0, 1, len(y)), np.array(y)
    mirrored = [1 - at for at in crossings(1 - x[::-1], y[::-1], 0.5)]
    # on a stretch along the level the two ends differ
    if not (y == 0.5).any():
        assert crossings(x, y, 0.5) == pytest.approx(mirrored[::-1], abs=1e-6)


# profiles


def test_the_planted_transition_is_found(fitted):
    found = profile(fitted, planted(20_000, seed=4)[0], parse_axes("E:15:-2.5e5:-1.0e5"))
    (half,) = (crossing.at for crossing in found.crossings if crossing.level == 0.5)
    assert half == pytest.approx((TRANSITION,), abs=0.03e5)


def test_levels_are_asked_for_in_their_order(fitted):
    found = profile(fitted, planted()[0], parse_axes("E:15:-2.5e5:-1.0e5"), levels=(0.25, 0.75))
    assert [crossing.level for crossing in found.crossings] == [0.25, 0.75]
    assert found.crossings[0].at[0] < TRANSITION < found.crossings[1].at[0]


def test_bins_of_few_stars_carry_no_crossing():
    share = [0.0, 0.0, 1.0, 0.0, 0.0]
    axes = "E:5:-5:0"
    assert len(profile_of(hand_made_application(share, axes)).crossings[0].at) == 2
    few = hand_made_application(share, axes, n_stars=[99, 99, MIN_STARS - 1, 99, 99])
    assert profile_of(few).crossings[0].at == ()
    assert len(profile_of(few, min_stars=MIN_STARS - 1).crossings[0].at) == 2


def test_empty_bins_carry_no_crossing():
    found = profile_of(hand_made_application([np.nan, 0.0, np.nan, 1.0, np.nan], "E:5:0:5"))
    assert found.crossings[0].at == pytest.approx((2.5,))


def test_a_profile_has_one_variable(fitted):
    with pytest.raises(UsageError, match="a profile has one variable; got E:3, Lz:3"):
        profile(fitted, planted()[0], parse_axes("E:3,Lz:3"))


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 50.0, np.nan])
def test_levels_outside_0_to_1_are_refused(level):
    with pytest.raises(UsageError, match="levels must lie between 0 and 1"):
        profile_of(hand_made_application([0.0, 1.0], "E:2:0:2"), levels=(level,))


def test_a_profile_knows_its_variable():
    assert profile_of(hand_made_application([0.0, 1.0], "r:2:0:2")).variable == "r"


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ((), "50 % never"),
        ((-1.67e5,), "50 % at -1.670e5 km2/s2"),
        ((-1.9e5, -1.6e5), "50 % at -1.900e5, -1.600e5 km2/s2 (2 crossings)"),
    ],
)
def test_a_crossing_is_described_in_words(at, text):
    assert Crossing(0.5, at).describe("km2 / s2") == text


# tables


def test_a_profiles_table_has_a_row_per_bin(fitted):
    table = profile(fitted, planted()[0], parse_axes("E:4:-3.0e5:-1.0e5")).table()
    columns = ["lower", "upper", "centre", "n_stars", "weight_LE", "fraction_LE", "weight_HE", "fraction_HE"]
    assert table.colnames == columns
    assert table["centre"].to_value("km2 / s2").tolist() == [-2.75e5, -2.25e5, -1.75e5, -1.25e5]
    assert table["n_stars"].sum() == 6000
    assert np.isnan(table["fraction_LE"][0])
    assert table["fraction_LE"][1:] + table["fraction_HE"][1:] == pytest.approx(np.ones(3))


def test_a_maps_table_names_both_variables(fitted):
    table = apply(fitted, planted()[0], parse_axes("E:2:-3e5:-1e5,Lz:3:-2000:2000")).table()
    assert table.colnames[:6] == ["lower_E", "upper_E", "centre_E", "lower_Lz", "upper_Lz", "centre_Lz"]
    assert table["centre_Lz"].unit == u.Unit("kpc km / s")
    assert len(table) == 6
    assert "crossings" not in table.meta


def test_a_profiles_table_is_read_back_from_ecsv(fitted, tmp_path):
    table = profile(fitted, planted()[0], parse_axes("E:5:-3.0e5:-1.0e5")).table()
    table.write(tmp_path / "profile.ecsv")
    again = Table.read(tmp_path / "profile.ecsv")
    assert again.meta == table.meta
    assert again["lower"].unit == u.km**2 / u.s**2
    assert np.array_equal(again["fraction_HE"], table["fraction_HE"], equal_nan=True)


def test_the_metadata_say_what_was_left_out(fitted):
    stars = planted()[0]
    stars["FE_H"][:7] = 3.0
    meta = profile(fitted, stars, parse_axes("E:5:-2.2e5:-1.0e5")).table().meta
    outside = int((stars["E"] < -2.2e5).sum())
    assert (meta["variables"], meta["components"], meta["stars"]) == (["E"], ["LE", "HE"], 6000)
    assert meta["stars_outside_bins"] == outside
    lost = int((stars["E"][:7] >= -2.2e5).sum())
    assert meta["stars_outside_images"]["MG_FE:FE_H"] >= lost > 0
    assert (meta["fit_status"], meta["fit_kkt"], meta["bins_not_converged"]) == ("CONVERGED", fitted.kkt, [])


def test_the_metadata_say_what_did_not_converge(fitted, tmp_path):
    hasty = replace(fitted, status="MAX_ITER", kkt=0.25)
    made = profile(hasty, planted()[0], parse_axes("E:5:-2.5e5:-1.0e5"))
    assert (made.application.fit_status, made.application.fit_kkt) == ("MAX_ITER", 0.25)
    converged = np.array([True, False, True, False, True])
    made = replace(made, application=replace(made.application, converged=converged))
    made.table().write(tmp_path / "profile.ecsv")
    meta = Table.read(tmp_path / "profile.ecsv").meta
    assert (meta["fit_status"], meta["fit_kkt"], meta["bins_not_converged"]) == ("MAX_ITER", 0.25, [1, 3])


def test_the_metadata_hold_the_crossings(fitted):
    found = profile(fitted, planted()[0], parse_axes("E:15:-2.5e5:-1.0e5"))
    kept = found.table().meta["crossings"]
    assert list(kept) == ["HE=0.5", "HE=0.9", "HE=0.1"]
    assert tuple(kept["HE=0.5"]) == found.crossings[0].at


@pytest.mark.parametrize(("name", "unit"), [("E", "km2 / s2"), ("e", ""), ("my_column", "")])
def test_units_are_the_variables(name, unit):
    assert unit_of(name) == unit


# real stars


@pytest.fixture(scope="module")
def giants():
    files = "allStarLite-dr17-halo-giants.fits", "apogee_astroNN-dr17-halo-giants.fits"
    return prepare(*(DATA / name for name in files)).table


@real
@pytest.mark.parametrize("pixels", [15, 20, 30])
def test_retrograde_giants_turn_accreted_where_the_papers_do(giants, pixels):
    chosen = FitSettings.of(
        selection="retrograde", axes=parse_axes("E:5,Lz:5"), chemistry=Chemistry(pixels=pixels), device="cpu"
    )
    made = fit(giants, chosen)
    found = profile(made, giants, parse_axes("E:9:-2.1e5:-1.2e5"))
    half = found.crossings[0]
    assert made.converged
    assert half.level == 0.5
    assert len(half.at) == 1
    assert -1.72e5 < half.at[0] < -1.62e5


@real
def test_the_high_energy_giants_are_the_metal_poor_ones(giants):
    chosen = FitSettings.of(selection="retrograde", axes=parse_axes("E:5,Lz:5"), chemistry=Chemistry(pixels=20))
    made = fit(giants, chosen.replace(device="cpu"))
    for name, less in (("FE_H", 0.3), ("AL_FE", 0.2)):
        low, high = percentiles(made, name, (50.0,))[:, 0]
        assert high < low - less
