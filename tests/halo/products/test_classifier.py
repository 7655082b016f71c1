"""A boundary as a tool: what it says of stars, and how it stands in files."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from astropy.utils.masked import Masked
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.io.tables import load_table, save_table
from halonmf.halo.orbits.convention import own
from halonmf.halo.products.classifier import Classifier, Interval
from halonmf.halo.stars.published_line import belokurov_kravtsov

NAN = np.nan


def made(offset=-4000.0, **others):
    free = np.array([NAN, -1.6e5, -1.7e5, -1.6e5, NAN])
    edges = np.linspace(-5e4, 5e4, 6)
    fraction = np.array([NAN, 0.1, 0.4, 0.9, 1.0])
    settings = {
        "free": Interval(free, free - 500, free + 500),
        "offset": Interval(offset, offset - 300, offset + 400),
        "fraction": Interval(fraction, fraction * 0.9, np.minimum(fraction * 1.1, 1.0)),
    } | others
    return Classifier(
        np.linspace(-1000, 1000, 6), settings["free"], settings["offset"], edges, settings["fraction"],
        0.5, 0.68, 200, 3, own(),
    )  # fmt: skip


@given(st.floats(-3000, 3000), st.floats(-3e5, -0.5e5))
def test_a_star_is_accreted_where_it_is_above_the_shifted_line(Lz, E):
    found = made().classify([E], [Lz])
    assert found.accreted[0] == (E > belokurov_kravtsov(np.array(Lz)) - 4000.0)
    assert 0.1 <= found.P_accreted[0] <= 1.0


def test_more_energy_is_never_less_probable():
    E = np.linspace(-3e5, -0.5e5, 400)
    assert (np.diff(made().classify(E, np.zeros(400)).P_accreted) >= 0).all()


@pytest.mark.parametrize(
    ("Lz", "inside"), [(-900, False), (-500, True), (0, True), (599.9, True), (700, False), (5000, False)]
)
def test_the_range_is_that_of_the_columns_that_have_a_boundary(Lz, inside):
    assert made().classify([-1.5e5], [Lz]).in_range.tolist() == [inside]


def test_stars_without_energy_are_not_accreted_and_have_no_probability():
    found = made().classify([NAN, -1.0e5], [0.0, NAN])
    assert np.isnan(found.P_accreted).all()
    assert not found.accreted.any()
    assert not found.in_range.any()
    assert "2 without E and Lz" in found.describe()


def test_the_free_curve_moves_probabilities_with_it():
    one = made()
    free = one.classify([-1.65e5], [0.0], "free")
    assert free.accreted[0]
    # half of a bin above a line is half of a bin above the other
    edge = one.line(np.array([0.0]))[0]
    assert free.P_accreted[0] == pytest.approx(one.classify([edge + 0.05e5], [0.0]).P_accreted[0])


def test_the_free_curve_goes_on_in_the_shape_of_the_published_line():
    one, Lz = made(), np.array([-3000.0, -400.0, 0.0, 400.0, 3000.0])
    end = -1.6e5 + belokurov_kravtsov(np.array([-3000.0, 3000.0])) - belokurov_kravtsov(np.array([-400.0, 400.0]))
    np.testing.assert_allclose(one.line(Lz, "free"), [end[0], -1.6e5, -1.7e5, -1.6e5, end[1]])


def test_without_an_offset_probabilities_are_read_above_the_published_line():
    E, Lz = np.linspace(-2e5, -1e5, 30), np.linspace(-900, 900, 30)
    found, shifted = made(offset=NAN).classify(E, Lz, "free"), made().classify(E, Lz)
    np.testing.assert_allclose(found.P_accreted, shifted.P_accreted)


@pytest.mark.parametrize(
    "E",
    [
        np.ma.masked_greater([-1.5e5, -1.3e5], -1.4e5),
        MaskedColumn([-1.5e5, -1.3e5], mask=[False, True], unit="km2 / s2"),
        Masked([-1.5e5, -1.3e5] * u.km**2 / u.s**2, mask=[False, True]),
    ],
)
def test_masked_energies_are_missing(E):
    found = made().classify(E, [0.0, 0.0])
    assert np.isnan(found.P_accreted).tolist() == [False, True]
    assert found.accreted.tolist() == [True, False]


@pytest.mark.parametrize(
    ("E", "Lz", "said"),
    [
        ([-1.5e5, -1.4e5], [1.0], r"one shape.*\(2,\) and \(1,\)"),
        (-1.5e5, 1.0, "one shape"),
        (["a"], [1.0], "expected numbers in km2 / s2"),
        ([-1.5e5], [{}], "expected numbers in km kpc / s"),
    ],
)
def test_what_is_no_number_per_star_is_refused(E, Lz, said):
    with pytest.raises(UsageError, match=said):
        made().classify(E, Lz)


def test_quantities_are_converted():
    plain = made().classify([-1.5e5], [300.0])
    given = made().classify([-0.15] * u.Mm**2 / u.s**2, [0.3] * u.Mpc * u.km / u.s)
    assert given.P_accreted == pytest.approx(plain.P_accreted)
    with pytest.raises(UsageError, match="expected km2 / s2"):
        made().classify([1.0] * u.kpc, [300.0])


def test_without_an_offset_only_the_free_curve_is_a_line():
    one = made(offset=NAN)
    with pytest.raises(UsageError, match="--line free"):
        one.classify([-1.5e5], [0.0])
    assert one.classify([-1.5e5], [0.0], "free").accreted[0]
    assert "no offset" in one.describe()
    with pytest.raises(UsageError, match="no Lz column"):
        made(free=Interval(*[np.full(5, NAN)] * 3)).line(np.zeros(1), "free")
    with pytest.raises(UsageError, match="line must be"):
        one.line(np.zeros(1), "straight")


def test_without_a_bin_of_stars_enough_there_are_no_probabilities():
    nothing = np.full(5, NAN)
    with pytest.raises(UsageError, match="stars enough"):
        made(fraction=Interval(nothing, nothing, nothing)).classify([-1.5e5], [0.0], "free")


def test_a_file_gives_the_same_answers(tmp_path):
    one = made()
    save_table(tmp_path / "b.ecsv", one.table(), {"command": "boundary"})
    again = Classifier.from_table(load_table(tmp_path / "b.ecsv"))
    E, Lz = np.linspace(-2e5, -1e5, 50), np.linspace(-900, 900, 50)
    for line in ("shifted", "free"):
        first, second = one.classify(E, Lz, line), again.classify(E, Lz, line)
        np.testing.assert_array_equal(first.P_accreted, second.P_accreted)
        np.testing.assert_array_equal(first.accreted, second.accreted)
        np.testing.assert_array_equal(first.in_range, second.in_range)
    assert again.convention == one.convention
    assert (again.offset, again.replicates, again.lost) == (one.offset, 200, 3)


def spoilt(key, value):
    table = made().table()
    if key in table.meta:
        table.meta[key] = value
    else:
        table.meta["above_the_line"][key] = value
    return table


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (Table({"a": [1]}), "halonmf boundary"),
        (spoilt("offset", "far"), "halonmf boundary"),
        (spoilt("value", [0.1, 0.2]), "makes no sense"),
        (spoilt("value", [0.1, 0.2, 0.3, 0.4, 7.0]), "makes no sense"),
        (spoilt("dE_edges", [0, 1, 1, 2, 3, 4]), "makes no sense"),
        (spoilt("level", "half"), "halonmf boundary"),
        (spoilt("level", 1.5), "makes no sense"),
        (spoilt("level", NAN), "makes no sense"),
        (spoilt("coverage", 0.0), "makes no sense"),
        (spoilt("lost", 201), "makes no sense"),
    ],
)
def test_a_table_that_is_no_boundary_is_refused(table, said):
    with pytest.raises(InputError, match=said):
        Classifier.from_table(table, "b.ecsv")


def test_columns_are_added_and_energies_of_ones_own_kept():
    table = Table({"name": ["a", "b"], "E": [-1.5e5, -1.2e5], "E_err": [1.0, 2.0]})
    table["E"].description = "mine"
    E, Lz = np.array([-1.5e5, -1.2e5]), np.array([10.0, 20.0])
    found = made().classify(E, Lz).joined(table, E, Lz)
    assert found.colnames == ["name", "E", "E_err", "Lz", "P_accreted", "accreted", "in_range"]
    assert found["E"].description == "mine"
    assert found["Lz"].unit == u.kpc * u.km / u.s
    assert table.colnames == ["name", "E", "E_err"]
