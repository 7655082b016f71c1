"""Which survey stars are from: stated, or told from the record of how they were prepared; kept through files."""

import pytest
from astropy.table import Table

from halonmf.halo.fits.fit import fit
from halonmf.halo.stars.catalogue import read_catalogue, write_catalogue
from halonmf.halo.stars.cutflow import CutFlow
from halonmf.halo.stars.origin import scale_of, survey_of, survey_of_record

from ..helpers.planted import SMALL, planted


@pytest.mark.parametrize(
    ("record", "survey"),
    [
        ({"survey": "galah-dr4", "command": "prepare"}, "galah-dr4"),
        ({"command": "prepare", "settings": {}}, "apogee-dr17"),
        ({"command": "prepare", "settings": {"survey": "mwm-dr19", "mapping": {}}}, "mwm-dr19"),
        ({"command": "prepare", "settings": {"mapping": {"catalogue": {"name": "Mine"}}}}, "Mine"),
        (
            {
                "command": "prepare",
                "settings": {"mapping": {}},
                "inputs": [{"name": "a.csv"}, {"name": "b.csv"}, {"name": "columns.toml"}],
            },
            "columns.toml",
        ),
        ({"command": "members", "settings": {}}, ""),
        ({}, ""),
    ],
)
def test_the_survey_follows_from_the_record(record, survey):
    assert survey_of_record(record) == survey


def written(path, **labels):
    table, _ = planted(300)
    table["APOGEE_ID"] = [str(i) for i in range(len(table))]
    table.meta |= labels
    return write_catalogue(path, table, CutFlow(len(table)), {"command": "members"})


def test_survey_and_scale_are_kept_through_a_file_and_a_selection(tmp_path):
    read = read_catalogue(written(tmp_path / "stars.fits", survey="second", scale="first"))
    assert (survey_of(read), scale_of(read)) == ("second", "first")
    some = read.table[:10]
    assert (survey_of(some), scale_of(some)) == ("second", "first")
    assert read.provenance["scale"] == "first"


def test_stars_that_were_not_moved_are_on_their_own_scale(tmp_path):
    read = read_catalogue(written(tmp_path / "stars.fits", survey="second"))
    assert scale_of(read) == "second"


def test_of_a_table_without_a_word_nothing_is_known():
    assert survey_of(Table({"E": [1.0]})) == scale_of(Table({"E": [1.0]})) == ""


def test_a_fit_knows_on_whose_scale_its_stars_are(tmp_path):
    assert fit(written(tmp_path / "stars.fits", survey="second", scale="first"), SMALL).survey == "first"
