"""Quantities at the front door: the same results in any unit, and a clear refusal of those of another kind."""

from functools import cache

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf import halo
from halonmf.halo.checks.settings import Stream
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.populations.regions import Region
from halonmf.halo.populations.settings import RegionSettings
from halonmf.halo.products.profile import fraction_at
from halonmf.halo.products.settings import BoundarySettings
from halonmf.halo.units import ACTION, ENERGY, LENGTH, VELOCITY, in_unit

from .helpers.planted import SMALL, planted

ENERGIES = tuple(map(u.Unit, ("km2 / s2", "kJ / kg", "J / kg", "kpc2 / Myr2", "pc km / (s Myr)", "AU2 / yr2")))
ACTIONS = tuple(map(u.Unit, ("kpc km / s", "pc km / s", "kpc2 / Myr", "m2 / s", "AU km / s")))
LENGTHS = tuple(map(u.Unit, ("kpc", "pc", "Mpc", "AU", "lyr")))
KINDS = {ENERGY: ENERGIES, ACTION: ACTIONS, LENGTH: LENGTHS}
COLUMNS = {"E": ENERGY, "Lz": ACTION, "J_r": ACTION, "J_phi": ACTION, "J_z": ACTION, "r_sph": LENGTH, "R_cyl": LENGTH}
in_some = st.fixed_dictionaries({kind: st.sampled_from(units) for kind, units in KINDS.items()})
few = settings(max_examples=6, deadline=None)


@cache
def stars():
    table, _ = planted(2000, seed=3)
    rng = np.random.default_rng(5)
    table["r_sph"] = rng.uniform(2.0, 14.0, len(table))
    table["R_cyl"] = table["r_sph"] * rng.uniform(0.3, 1.0, len(table))
    for name in ("J_r", "J_z"):
        table[name] = rng.gamma(2.0, 300.0, len(table))
    table["J_phi"] = table["Lz"]
    return table


def in_units(table, units):
    made = QTable(table, copy=True)
    for name, kind in COLUMNS.items():
        made[name] = (np.asarray(table[name]) * u.Unit(kind)).to(units[kind])
    return made


@cache
def two():
    return halo.fit(stars(), SMALL.replace(pixels=12))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


@few
@given(in_some)
def test_stars_in_any_unit_make_the_same_fit(units):
    found = halo.fit(in_units(stars(), units), SMALL.replace(pixels=12))
    np.testing.assert_array_equal(found.mixtures.V, two().mixtures.V)
    close(found.W, two().W)
    close(found.mean_energy, two().mean_energy)


@few
@given(in_some)
def test_products_of_stars_in_any_unit_are_the_same(units):
    plain, table = stars(), in_units(stars(), units)
    for by in ("E:8:-2.5e5:-1e5", "Lz:6:-2000:2000", "r:5:2:14", "R:5:1:13"):
        a, b = (halo.profile(two(), x, by).application for x in (table, plain))
        close(a.fractions, b.fractions)
    close(halo.boundary(two(), table, grid=4).E, halo.boundary(two(), plain, grid=4).E)
    close(halo.memberships(two(), table).probability, halo.memberships(two(), plain).probability)
    close(halo.eccentricities(two(), table).density, halo.eccentricities(two(), plain).density)


@few
@given(in_some)
def test_populations_of_stars_in_any_unit_are_the_same(units):
    plain, table = stars(), in_units(stars(), units)
    regions = {name: Region(name, None, None, cut) for name, cut in (("Eos", "FE_H>-0.8"), ("GS/E", "FE_H<-0.8"))}
    choices = {"selection": "all", "draws": 3}
    a, b = (halo.regions(x, regions, **choices) for x in (table, plain))
    np.testing.assert_array_equal(a.counts, b.counts)
    a, b = (halo.bifurcation(x, None, **choices, fe_h=(-2.0, 0.2), mg_fe=(0.0, 0.5)) for x in (table, plain))
    close(a.statistics, b.statistics)
    a, b = (halo.aurora(two(), x, 1, iterations=2) for x in (table, plain))
    close(a.E, b.E)
    close(a.Lz, b.Lz)


@few
@given(in_some, st.floats(-3e5, -1e5), st.floats(-2000, 2000))
def test_a_boundary_classifies_in_any_unit_and_answers_in_units(units, E, Lz):
    line = classified_by()
    plain = line.classify(np.array([E]), np.array([Lz]))
    asked = (np.array([E]) * u.Unit(ENERGY)).to(units[ENERGY]), (np.array([Lz]) * u.Unit(ACTION)).to(units[ACTION])
    close(line.classify(*asked).P_accreted, plain.P_accreted)
    for which in ("shifted", "free"):
        at = line.line(asked[1], which)
        assert at.unit == u.Unit(ENERGY)
        close(at.value, line.line(np.array([Lz]), which))
    found = halo.boundary(two(), stars(), grid=4)
    close(found(asked[1]).to_value(ENERGY), found(np.array([Lz])))
    assert not hasattr(found(np.array([Lz])), "unit")


@cache
def classified_by():
    return halo.classifier(two(), stars(), settings=BoundarySettings(grid=4))


@given(in_some, st.floats(-3e5, -1.1e5), st.floats(1e3, 1e5))
def test_limits_of_bins_are_taken_in_any_unit(units, low, width):
    limits = [(x * u.Unit(ENERGY)).to(units[ENERGY]) for x in (low, low + width)]
    axis = halo.Axis("E", 5, *limits)
    assert (axis.low, axis.high) == (pytest.approx(low), pytest.approx(low + width))
    assert type(axis.low) is float
    far = halo.Axis("r", 3, (2 * u.kpc).to(units[LENGTH]), (14 * u.kpc).to(units[LENGTH]))
    assert (far.low, far.high) == (pytest.approx(2), pytest.approx(14))


@given(in_some, st.floats(-3e5, -1.1e5), st.floats(1e3, 1e5))
def test_ranges_and_streams_are_taken_in_any_unit(units, low, width):
    pair = (np.array([low, low + width]) * u.Unit(ENERGY)).to(units[ENERGY])
    for found in (RegionSettings(E_range=pair), BoundarySettings(E_range=(pair[0], pair[1]))):
        assert tuple(found.E_range) == (pytest.approx(low), pytest.approx(low + width))
    stream = Stream(E=pair[0], Lz=(-500 * u.Unit(ACTION)).to(units[ACTION]))
    assert (stream.E, stream.Lz) == (pytest.approx(low), pytest.approx(-500))


def test_limits_of_distances_and_velocities_are_taken_in_any_unit():
    seen = halo.ObserveSettings(
        max_distance=8000 * u.pc, azimuth=np.pi * u.rad, pm_error=20 * u.uas / u.yr, rv_error=500 * u.m / u.s
    )
    found = seen.max_distance, seen.azimuth, seen.pm_error, seen.rv_error
    assert found == pytest.approx((8.0, 180.0, 0.02, 0.5))
    assert halo.PrepareSettings(max_distance=8000 * u.pc).max_distance == pytest.approx(8)


@pytest.mark.parametrize(
    "units", [dict(zip(KINDS, some, strict=True)) for some in zip(ENERGIES, ACTIONS, LENGTHS, strict=False)]
)
def test_the_same_call_with_and_without_units(units):
    E, Lz = (u.Quantity([-3e5, -1e5], ENERGY).to(units[ENERGY]), u.Quantity([-2000, 2000], ACTION).to(units[ACTION]))
    a = halo.boundary(two(), stars(), grid=4, E_range=E, Lz_range=Lz)
    b = halo.boundary(two(), stars(), grid=4)
    close(a.E, b.E)
    close(a.Lz_edges, b.Lz_edges)
    profile = halo.profile(two(), stars(), "E:8:-2.5e5:-1e5")
    at = (-1.7e5 * u.Unit(ENERGY)).to(units[ENERGY])
    close(fraction_at(profile, at), fraction_at(profile, -1.7e5))
    a = halo.regions(stars(), {n: Region(n, None, None, c) for n, c in (("Eos", "FE_H>-0.8"), ("x", "FE_H<-0.8"))},
                     selection="all", draws=3, E_range=E)  # fmt: skip
    assert a.edges[[0, -1]] == pytest.approx([-3e5, -1e5])


def test_results_are_given_as_quantities_where_they_are_asked_for():
    fit = two()
    assert fit.quantity("mean_energy").unit == u.Unit(ENERGY)
    close(fit.quantity("mean_energy").to_value("kJ / kg"), fit.mean_energy * 1e3)
    line = halo.boundary(fit, stars(), grid=4)
    close(line.quantity("E").value, line.E)
    assert line.quantity("Lz").unit == u.Unit(ACTION)
    with pytest.raises(UsageError, match="no 'H' with a unit in Fit; it has mean_energy"):
        fit.quantity("H")


def test_crossings_are_a_quantity_and_a_table():
    profile = halo.profile(two(), stars(), "E:8:-2.5e5:-1e5")
    half = profile.crossings[0]
    assert half.quantity.unit == u.Unit(ENERGY)
    assert half.quantity.to_value("kJ / kg") == pytest.approx(np.array(half.at) * 1e3)
    table = profile.tables()["crossings"]
    assert table["at"][table["level"] == 0.5].value.tolist() == list(half.at)
    assert len(table) == sum(len(one.at) for one in profile.crossings)
    eccentric = halo.profile(two(), stars(), "e:4:0:1").crossings[0]
    assert eccentric.quantity.unit == u.dimensionless_unscaled


WRONG = {
    "limits of bins": lambda: halo.Axis("E", 5, 1 * u.kpc, 2 * u.kpc),
    "one limit of bins": lambda: halo.Axis("r", 5, 1 * u.kpc, 2 * u.km / u.s),
    "range of energies": lambda: halo.boundary(two(), stars(), E_range=[1, 2] * u.kpc),
    "range of Lz": lambda: BoundarySettings(Lz_range=[1, 2] * u.kpc),
    "range of regions": lambda: RegionSettings(E_range=[1, 2] * u.s),
    "a stream": lambda: Stream(E=1 * u.kpc),
    "a distance": lambda: halo.ObserveSettings(max_distance=1 * u.s),
    "a boundary's Lz": lambda: halo.boundary(two(), stars(), grid=4)([1.0] * u.kpc),
    "a classifier's E": lambda: classified_by().classify([1.0] * u.kpc, [1.0] * u.Unit(ACTION)),
    "a classifier's Lz": lambda: classified_by().line([1.0] * u.kpc),
    "no unit at all": lambda: Stream(E=u.Quantity(-1.6e5)),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_an_argument_of_another_kind_is_refused_with_the_expected_unit(call):
    with pytest.raises(UsageError, match=r"in (km2 / s2|kpc km / s|kpc|km / s)|expected (km2|km kpc)"):
        call()


@pytest.mark.parametrize(
    ("name", "wrong", "expected"), [("E", "kpc", ENERGY), ("Lz", "km / s", ACTION), ("r_sph", "s", LENGTH)]
)
def test_a_column_of_another_kind_is_bad_input_and_the_expected_unit_is_named(name, wrong, expected):
    table = QTable(stars(), copy=True)
    table[name] = np.asarray(stars()[name]) * u.Unit(wrong)
    by = {"r_sph": "r:5:2:14"}.get(name, "E:4,Lz:4")
    with pytest.raises(InputError, match=rf"column {name} is in .*, expected {expected}"):
        halo.apply(two(), table, by)


def test_plain_numbers_stay_what_they_are():
    assert in_unit(3, ENERGY, "E") == 3
    assert in_unit((1.0, None), ENERGY, "E") == (1.0, None)
    assert in_unit(Table({"v": [1.0]})["v"], VELOCITY, "v") is not None
