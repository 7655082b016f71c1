"""Mappings of simulations: keys are checked, and those of public releases come with the package."""

import re
from pathlib import Path

import pytest

from halonmf.halo.errors import InputError
from halonmf.halo.simulations.mapping import SHIPPED, find_mapping, read_mapping, spec_of

PLAIN = """
[galaxy]
[columns]
position = ["x", "y", "z"]
velocity = ["vx", "vy", "vz"]
mass = "m"
fe_h = "feh"
accreted = "ex_situ"
"""


def write(folder, text):
    path = folder / "map.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["fire2", "auriga"])
def test_mappings_of_releases_are_found_by_name(name, tmp_path, monkeypatch):
    assert find_mapping(name) == SHIPPED[name]
    assert read_mapping(find_mapping(name))["columns"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(PLAIN)
    assert find_mapping(name).resolve() == tmp_path / name


def test_the_document_shows_the_mappings_that_come_with_the_package():
    page = (Path(__file__).parents[3] / "docs" / "simulations.md").read_text()
    shown = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    for path in SHIPPED.values():
        assert path.read_text() in shown, path.name


def test_neither_release_has_aluminium():
    for path in SHIPPED.values():
        abundances = read_mapping(path)["abundances"]
        assert "MG_FE" in abundances
        assert "AL_FE" not in abundances


def test_a_name_stands_for_a_table_of_keys():
    assert spec_of("m") == {"column": "m"}
    assert spec_of({"column": "m", "h": -1}) == {"column": "m", "h": -1}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[galaxy]", '[galaxy]\nframe = "proper"', "frame must be comoving or physical; got 'proper'"),
        ("[galaxy]", '[galaxy]\nframe = "comoving"', "needs formation in"),
        ("[galaxy]", "[galaxy]\nkeep = 3", "keep must be a condition"),
        ("[galaxy]", "[abundances]\nEU_FE = 'x'\n[galaxy]", r"unknown EU_FE in \[abundances\]"),
        ("[galaxy]", "[gravity.dark]\nmass = 'x'\n[galaxy]", "must have position and mass; got mass"),
        ('"ex_situ"', '{ column = "f", on = "ids" }', "name id in"),
        ('"ex_situ"', '{ column = "f", others = "maybe" }', "others of accreted must be 'in situ' or 'drop'"),
        ('"m"', "{ scale = 2 }", "mass must have column"),
    ],
)
def test_keys_that_make_no_sense_are_refused_by_name(tmp_path, old, new, said):
    with pytest.raises(InputError, match=said):
        read_mapping(write(tmp_path, PLAIN.replace(old, new)))
