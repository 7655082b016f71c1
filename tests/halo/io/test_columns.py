"""The vocabulary of columns: what it says of a name, and that a table keeps what it has."""

import re

import numpy as np
import pytest
from astropy import units
from astropy.io.votable.ucd import parse_ucd
from astropy.table import QTable, Table

from halonmf.halo.io import columns
from halonmf.halo.io.columns import described, known, renamed
from halonmf.halo.stars.variables import ELEMENTS, VARIABLES

from ..helpers.columns import CARD, faults

ENTRIES = {
    f"[{section}] {name}": entry
    for section, entries in columns._vocabulary().items()
    if section != "placeholders"
    for name, entry in entries.items()
}


@pytest.mark.parametrize("where", ENTRIES)
def test_every_entry_is_of_ucd1_plus_fits_a_card_and_has_a_unit_of_astropy(where):
    entry = ENTRIES[where]
    assert set(entry) <= {"text", "ucd", "unit", "format"}
    parse_ucd(entry["ucd"].replace("{variable}", "phys.energy"), check_controlled_vocabulary=True)
    assert len(re.sub(r"\{\w+\}", "MG_FE", entry["text"])) <= CARD
    unit = entry.get("unit", "")
    if unit not in ("{variable}", "column"):
        units.Unit(unit)
    format(1.5, entry.get("format", ".6g"))


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=lambda variable: variable.name)
def test_every_variable_is_known_in_its_own_unit(variable):
    for name in (variable.name, variable.column):
        found = known(name)
        assert found is not None
        assert units.Unit(found.unit) == units.Unit(variable.unit)


def test_patterns_are_filled_with_what_they_match():
    assert known("fraction_HE").text == "Fraction of the component HE"
    assert known("fraction_C3_low").text == "Lower limit of fraction_C3"
    assert known("lower_E").ucd == "phys.energy;stat.min"
    assert known("lower", variable="Lz").text == "Lower edge of the bin in Lz"
    assert known("AL_FE_ERR").text == "Standard error of [Al/Fe], dex"
    assert known("TIII_FE").text == "[Ti II/Fe] relative to the Sun, dex"
    assert known("MG_MN").text == "[Mg/Mn] relative to the Sun, dex"
    assert all(known(f"{element}_FE") is not None for element in ELEMENTS)


def test_a_kind_of_table_has_words_of_its_own():
    assert "Boundary" in known("E", "boundary").text
    assert "orbital energy" in known("E", "no such kind").text
    assert known("colour of the ink") is None


def test_a_column_keeps_what_it_says_already():
    table = QTable({"E": [1.0] * units.J / units.kg, "n_stars": [3]})
    table["E"].info.description, table["E"].info.format = "mine", ".2f"
    assert described(table) is table
    assert (table["E"].info.description, table["E"].info.format, str(table["E"].unit)) == ("mine", ".2f", "J / kg")
    assert table["E"].info.meta == {"ucd": "phys.energy"}
    assert table["n_stars"].info.format == "d"


def test_units_are_added_where_numbers_had_none():
    columns_of = {"sigma_E": [1.0, np.nan], "n_stars": [3, 4]}
    quantities, plain = (described(cls(columns_of), "injection") for cls in (QTable, Table))
    assert isinstance(quantities["sigma_E"], units.Quantity)
    assert str(quantities["sigma_E"].unit) == str(plain["sigma_E"].unit) == "km2 / s2"
    assert plain["n_stars"].unit is None
    assert faults(quantities) == []


def test_columns_of_others_are_not_taken_for_ours():
    theirs = Table({"x": [1.0], "status": ["new"], "age": [5.0], "distance": [3.0], "FE_H": [-1.0]})
    theirs["distance"].unit = "pc"
    theirs["age"].unit = "Gyr"
    described(theirs, "classify")
    assert [theirs[name].info.description for name in ("x", "status", "age")] == [None] * 3
    assert str(theirs["distance"].unit) == "pc"
    assert (theirs["x"].unit, theirs["FE_H"].unit) == (None, None)
    assert "Fe/H" in theirs["FE_H"].info.description


def test_what_lacks_a_description_a_ucd_or_its_unit_is_found():
    table = described(Table({"E": [1.0], "hue": [2.0]}), "stars")
    table["E"].unit = "kpc"
    assert faults(table, "stars") == [
        "E: in kpc, expected km2 / s2", "hue: no description", "hue: no format", "hue: no UCD",
    ]  # fmt: skip


def test_numbered_columns_of_earlier_versions_have_the_components_names():
    old = Table({"fraction_1": [0.4], "fraction_2": [0.6], "fraction_2_low": [0.5], "weight_3": [1], "x_1": [0]})
    old.meta["components"] = ["LE", "HE"]
    assert renamed(old).colnames == ["fraction_LE", "fraction_HE", "fraction_HE_low", "weight_3", "x_1"]
    assert renamed(Table({"fraction_1": [0.4]})).colnames == ["fraction_1"]


def test_shares_of_other_tables_stay_what_they_are():
    for columns_of in ({"kind": [1], "share": [0.1]}, {"component": [1], "share_LE": [0.1]}):
        table = Table(columns_of, meta={"share_std": 1.0, "planes": {"a": {"share_LE_above": 1.0}}})
        assert renamed(table).colnames == list(columns_of)
        assert table.meta == {"share_std": 1.0, "planes": {"a": {"share_LE_above": 1.0}}}


def test_a_fraction_that_is_there_is_not_replaced():
    table = Table({"kind": [1], "value": [1], "status": [1], "share_LE": [0.1], "fraction_LE": [0.2], "shared": [1]})
    assert renamed(table).colnames == table.colnames
    assert table["fraction_LE"][0] == 0.2


def test_metadata_of_another_form_do_not_matter():
    table = Table({"plane": ["a"], "difference": [1.0], "ratio": [1.0]}, meta={"planes": {"a": 3}})
    assert renamed(table).meta == {"planes": {"a": 3}}
