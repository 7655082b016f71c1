"""Headline numbers under every choice: rows are the pipeline run by hand, and go where they must."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf import halo
from halonmf.halo.checks.choices import NUMERICAL, Recipe, fit_choices, profile_choices
from halonmf.halo.checks.headlines import HEADLINES, headlines, of_fit
from halonmf.halo.checks.movements import BASE, TOGETHER, column_of
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.settings import FitSettings

from ..helpers.planted import SMALL, observed, planted

SETTINGS = SMALL.replace(pixels=10, bins="E:4,Lz:3")


@pytest.fixture(scope="module")
def stars():
    table = observed(2500, seed=2)
    table["APOGEE_ID"] = [f"2M{i:016d}" for i in range(len(table))]
    table["LOGG"] = np.random.default_rng(1).uniform(1.0, 3.0, len(table))
    return halo.recompute(table, backend="builtin")


@pytest.fixture(scope="module")
def found(stars):
    return halo.sensitivity(stars, settings=SETTINGS, draws=6)


def row(found, choice, name):
    (one,) = [r for r in found.rows if (r.choice, r.name) == (choice, name)]
    return one.numbers


def by_hand(table, **choices):
    return headlines(table, SETTINGS.replace(**choices))[0]


def same(a, b):
    assert set(a) == set(b) == set(HEADLINES)
    for name in HEADLINES:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-9, equal_nan=True, err_msg=name)


def test_the_base_is_the_analysis_itself(found, stars):
    fit = halo.fit(stars, SETTINGS)
    assert found.rows[0].choice == BASE
    assert found.base.numbers["accreted fraction"] == pytest.approx(fit.accreted_fraction, rel=1e-12)
    profile = halo.profile(fit, stars, "E:20:-2.5e5:-1.0e5")
    for crossing in profile.crossings:
        if len(crossing.at) == 1:
            assert found.base.numbers[f"E at {100 * crossing.level:g} %"] == crossing.at[0]


@pytest.mark.parametrize(
    ("choice", "name", "make", "choices"),
    [
        ("loss", "kullback-leibler", lambda s: s.table, {"loss": "kullback-leibler"}),
        ("bins", "q = 5", lambda s: s.table, {"bins": "E:5,Lz:5"}),
        ("nesting", "Lz, then E within", lambda s: s.table, {"bins": "Lz:3,E:4"}),
        ("pixels", "l = 20", lambda s: s.table, {"pixels": 20}),
        ("components", "k = 3", lambda s: s.table, {"components": 3}),
        ("planes", "AL_FE:FE_H alone", lambda s: s.table, {"planes": ("AL_FE:FE_H",)}),
        ("log g", "LOGG < 2.5", lambda s: s.table[np.asarray(s.table["LOGG"]) < 2.5], {}),
        ("distance limit", "distance < 7", lambda s: s.table[s.table["distance"].value < 7], {}),
        ("distance scale", "x 1.05", lambda s: halo.recompute(s, distance_scale=1.05, backend="builtin").table, {}),
        ("potential", "MWPotential2014", lambda s: halo.recompute(s, potential="mwpotential2014").table, {}),
        (
            "eccentricity method",
            "orbit",
            lambda s: halo.recompute(s, eccentricity="orbit", backend="builtin").table,
            {},
        ),
    ],
)
def test_a_row_is_the_pipeline_run_by_hand(found, stars, choice, name, make, choices):
    if choice == "planes":
        name = next(r.name for r in found.alone if r.choice == "planes" and r.name.startswith("AL_FE"))
        choices = {"planes": (SETTINGS.chemistry.planes[[str(p) for p in SETTINGS.chemistry.planes].index(name[:-6])],)}
    same(row(found, choice, name), by_hand(make(stars), **choices))


def test_farther_stars_have_more_energy(stars):
    moved = halo.sensitivity(stars, settings=SETTINGS, choices=("distance scale",), scales=(0.8, 1.1, 1.25), draws=0)
    median = {r.name: r.numbers["E at 50 %"] for r in moved.rows}
    assert median["x 0.8"] < median[""] < median["x 1.1"] < median["x 1.25"]


def test_energies_of_the_other_potential_come_at_the_energy_of_their_stars(found):
    assert abs(row(found, "potential", "MWPotential2014")["E at 50 %"] - found.base.numbers["E at 50 %"]) < 0.1e5
    assert np.isnan(row(found, "potential", "MWPotential2014")["offset of the line"])


def test_the_base_may_be_of_the_other_potential(stars):
    other = halo.recompute(stars, potential="mwpotential2014")
    moved = halo.sensitivity(other, settings=SETTINGS, choices=("potential",), draws=0)
    (back,) = moved.alone
    assert back.name == "McMillan (2017)"
    assert back.numbers["E at 50 %"] == pytest.approx(
        halo.sensitivity(stars, settings=SETTINGS, choices=("loss",), draws=0).base.numbers["E at 50 %"], rel=1e-3
    )


def test_further_catalogues_and_columns_are_distance_catalogues(stars):
    far = halo.recompute(stars, distance_scale=1.1, backend="builtin")
    table = stars.table.copy()
    table["other"] = 1.1 * table["distance"]
    base = replace(stars, table=table)
    moved = halo.sensitivity(
        base, {"far": far}, SETTINGS, distances=("other",), choices=("distance catalogue",), draws=0
    )
    assert [r.name for r in moved.alone] == ["far", "other"]
    a, b = (r.numbers for r in moved.alone)
    same(a, b)
    same(a, by_hand(far.table))


def test_what_needs_the_surveys_files_is_said_to_be_left_out(found):
    for choice in ("flags", "log g above the prepared inf", "probability of cluster members", "distance catalogue"):
        assert choice in found.left_out
        assert f"left out: {choice}" in found.describe()
    assert "flags" not in found.choices


def test_stars_without_a_sky_leave_orbits_as_they_are():
    moved = halo.sensitivity(planted(1500)[0], settings=SETTINGS, draws=0)
    assert "lacks RA" in moved.left_out["potential"]
    assert "potential" not in moved.choices
    assert "bins" in moved.choices


def test_draws_vary_all_choices_but_the_solvers_and_are_the_same_for_a_seed(stars, found):
    assert len(found.drawn) == 6
    assert not set(NUMERICAL) & set(found.together)
    assert {"bins", "loss", "potential", "distance scale"} <= set(found.together)
    again = halo.sensitivity(stars, settings=SETTINGS, choices=("bins", "loss"), draws=5, seed=3)
    once = halo.sensitivity(stars, settings=SETTINGS, choices=("bins", "loss"), draws=5, seed=3)
    assert [r.name for r in again.drawn] == [r.name for r in once.drawn]
    for a, b in zip(again.drawn, once.drawn, strict=True):
        same(a.numbers, b.numbers)
    low, high = once.interval("accreted fraction")
    assert low <= high


def test_a_range_includes_the_base_and_the_widest_choice_comes_first(found):
    for choice in found.choices:
        low, high = found.range(choice, "accreted fraction")
        assert low <= 0 <= high
    order = found.widest("E at 50 %")
    widths = [np.ptp(found.range(choice, "E at 50 %")) for choice in order]
    assert widths == sorted(widths, reverse=True)


def test_the_table_and_the_record_hold_every_row(found):
    table = found.table()
    assert len(table) == len(found.rows)
    assert table["E_at_50_percent"].unit == "km2 / s2"
    for name in HEADLINES:
        column = np.asarray(table[column_of(name)])
        np.testing.assert_array_equal(column, [r.numbers[name] for r in found.rows])
    record = found.record()
    assert len(record["rows"]) == len(found.rows) - 1
    assert record["rows"][-1]["choice"] == TOGETHER


def test_an_alternative_that_cannot_be_fitted_is_named_and_the_others_stand(stars):
    few = replace(stars, table=stars.table[:45])
    moved = halo.sensitivity(few, settings=SETTINGS.replace(bins="E:2,Lz:2"), choices=("bins",), draws=0)
    bad = [r for r in moved.alone if r.problem]
    assert bad
    assert all(np.isnan(list(r.numbers.values())).all() for r in bad if "fewer" in r.problem or "too few" in r.problem)
    assert "analyses failed or did not converge" in moved.problems()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"choices": ("colour",)}, "no choice colour to vary"),
        ({"choices": ("flags",)}, r"flags: give the survey's files"),
        ({"draws": -1}, "draws must be >= 0"),
        ({"scales": (0.0,)}, "scales above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(stars, options, said):
    with pytest.raises(UsageError, match=said):
        halo.sensitivity(stars, settings=SETTINGS, **options)


def test_the_bases_own_value_is_no_alternative():
    settings = FitSettings()
    listed = [(one.choice, one.name) for one in (*fit_choices(settings), *profile_choices())]
    assert len(set(listed)) == len(listed)
    for one in fit_choices(settings):
        assert settings.replace(**one.changes["fit"]) != settings
    for name in (("bins", "q = 8"), ("pixels", "l = 50"), ("components", "k = 2"), ("fewest stars", "10 stars")):
        assert name not in listed


def test_each_alternative_changes_its_own_choice_alone():
    settings = FitSettings.of(missing="balance", components=3, loss="kullback-leibler", weights="w")
    of = {"nesting": "axes", "bins": "axes", "ranges": "chemistry", "pixels": "chemistry", "planes": "chemistry"}
    for one in fit_choices(settings):
        made = settings.replace(**one.changes["fit"])
        part = of.get(one.choice, "selection" if one.choice == "eccentricity limit" else "solver")
        assert replace(made, **{part: getattr(settings, part)}) == settings, one
        assert (made.chemistry.missing, made.weights) == ("balance", "w"), one


def test_changes_of_a_recipe_add_up():
    recipe = Recipe().changed({"cuts": ("LOGG<2",)}).changed({"cuts": ("distance<5",), "fit": {"tol": 1e-3}})
    recipe = recipe.changed({"fit": {"loss": "kullback-leibler"}})
    assert recipe.cuts == ("LOGG<2", "distance<5")
    assert recipe.fit == {"tol": 1e-3, "loss": "kullback-leibler"}
    assert not recipe.moved


def test_numbers_that_a_fit_has_not_are_missing(stars):
    numbers = of_fit(halo.fit(stars, SETTINGS, components=1), stars.table)
    assert np.isnan(numbers["E at 50 %"])
    assert numbers["accreted fraction"] == 1.0
