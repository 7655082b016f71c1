"""APOGEE DR17's own points: units of the header, names that differ by case, flags by bit, one kind of file twice."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mock.layouts import full_allstar, write_extensions
from halonmf.halo.stars.cutflow import CutFlow
from halonmf.halo.stars.variables import values
from halonmf.halo.survey.apogee import read_survey
from halonmf.halo.survey.members import no_member
from halonmf.halo.survey.prepare import PrepareSettings, prepare

from ..helpers.catalogues import survey, write_survey

EVERY = PrepareSettings(clusters="ignore")


@pytest.fixture(scope="module")
def made():
    return survey(1500, seed=8)


@pytest.fixture(scope="module")
def files(made, tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("files"), made)


@pytest.fixture(scope="module")
def known(files):
    return read_survey(*files)


def changed(path, folder, change):
    """A copy of a file whose table was changed."""
    table = Table(fits.getdata(path, 1))
    change(table)
    folder.mkdir(exist_ok=True)
    out = folder / f"changed-{path.name}"
    write_extensions(out, (table,), {})
    return out


def scaled(name, factor, unit):
    def change(table):
        table[name] = np.asarray(table[name], dtype=np.float64) * factor
        table[name].unit = unit

    return change


def same(found, known):
    for name in known.colnames:
        if known[name].dtype.kind == "f":
            np.testing.assert_allclose(np.asarray(found[name]), np.asarray(known[name]), rtol=2e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], known[name])


# units


@pytest.mark.parametrize(
    ("file", "name", "factor", "unit"),
    [
        (1, "pmra", 1e-3, "arcsec/yr"),
        (1, "pmdec", 1e-3, "arcsec/yr"),
        (0, "RA", np.pi / 180, "rad"),
        (0, "DEC", np.pi / 180, "rad"),
        (1, "VHELIO_AVG", 1e3, "m/s"),
        (1, "weighted_dist", 1e-3, "kpc"),
        (1, "pmra", 1.0, "mas/yr"),
    ],
)
def test_a_unit_of_the_header_is_heeded(files, known, tmp_path, file, name, factor, unit):
    paths = list(files)

    def change(table):
        column = np.asarray(table[name], dtype=np.float64)
        real = np.abs(column) < 9000 if name != "weighted_dist" else column > 0
        table[name] = np.where(real, column * factor, np.nan)
        table[name].unit = unit

    paths[file] = changed(files[file], tmp_path, change)
    plain = list(files)

    def blank(table):
        column = np.asarray(table[name], dtype=np.float64)
        table[name] = np.where(np.abs(column) < 9000 if name != "weighted_dist" else column > 0, column, np.nan)

    plain[file] = changed(files[file], tmp_path / "plain", blank)
    same(read_survey(*paths), read_survey(*plain))


def test_a_unit_that_cannot_be_read_is_refused_with_what_to_do(files, tmp_path):
    path = changed(files[1], tmp_path, lambda table: None)
    with fits.open(path, mode="update") as hdus:
        hdus[1].header[f"TUNIT{hdus[1].columns.names.index('pmra') + 1}"] = "milliarcs"
    with pytest.raises(InputError, match="unit of column PMRA, 'milliarcs', cannot be read; correct TUNIT"):
        read_survey(files[0], path)


def test_a_unit_of_another_kind_is_refused(files, tmp_path):
    path = changed(files[1], tmp_path, scaled("pmra", 1, "km/s"))
    with pytest.raises(InputError, match="column PMRA is in km / s by its header"):
        read_survey(files[0], path)


# names


def test_of_two_columns_that_differ_by_case_the_survey_s_spelling_is_read(files, known, tmp_path):
    def double(table):
        table["ra"] = np.zeros(len(table))

    def also(table):
        table["PMRA"] = np.full(len(table), 7.0)

    paths = changed(files[0], tmp_path, double), changed(files[1], tmp_path, also)
    same(read_survey(*paths), known)


def test_two_columns_of_which_none_is_the_survey_s_are_refused_by_name(files, tmp_path):
    def double(table):
        table.rename_column("RA", "Ra")
        table["ra"] = np.zeros(len(table))

    with pytest.raises(InputError, match=r"column RA may be any of (Ra, ra|ra, Ra)"):
        read_survey(changed(files[0], tmp_path, double), files[1])


def test_the_full_allstar_gives_the_stars_of_lite(files, known, tmp_path):
    path = tmp_path / "allStar-dr17-synspec_rev1.fits"
    write_extensions(path, (full_allstar(Table(fits.getdata(files[0], 1))),), {})
    assert fits.getdata(path, 1)["FELEM"].ndim == 2
    same(read_survey(path, files[1]), known)


def test_allstar_given_twice_is_told(files):
    with pytest.raises(InputError, match="both are of one kind, give the astroNN catalogue"):
        read_survey(files[0], files[0])


def test_astronn_given_twice_is_told(files):
    with pytest.raises(InputError, match="both are of one kind, give allStarLite"):
        read_survey(files[1], files[1])


def test_allstar_alone_has_the_distances_of_bailer_jones(made, files, tmp_path):
    def distances(table):
        far = np.where(made.astronn["weighted_dist"] > 0, made.astronn["weighted_dist"], np.nan)
        for which, factor in (("MED", 1.0), ("LO", 0.9), ("HI", 1.2)):
            table[f"GAIAEDR3_R_{which}_PHOTOGEO"] = (far * factor).astype(np.float32)
        for name in ("PMRA", "PMDEC"):
            table[f"GAIAEDR3_{name}"] = np.asarray(made.astronn[name.lower()])
            table[f"GAIAEDR3_{name}_ERROR"] = np.full(len(table), 0.02)
        table["VHELIO_AVG"] = np.asarray(made.astronn["VHELIO_AVG"])
        for name in ("TEFF", "SNR", "M_H", "ALPHA_M"):
            if name not in table.colnames:
                table[name] = np.ones(len(table), dtype=np.float32) * (4500 if name == "TEFF" else 100)

    alone = prepare(changed(files[0], tmp_path, distances), survey="apogee-dr17", settings=EVERY)
    both = prepare(*files, settings=EVERY)
    assert list(alone.table["APOGEE_ID"]) == list(both.table["APOGEE_ID"])
    assert values(alone.table, "E") == pytest.approx(values(both.table, "E"), rel=1e-5)
    assert values(alone.table, "distance_error") == pytest.approx(0.15 * values(alone.table, "distance"), rel=1e-5)


# flags


def test_the_cut_flow_says_how_stars_that_a_flag_alone_removes_differ(made, files, tmp_path):
    def poor(table):
        flagged = (np.asarray(table["AL_FE_FLAG"]) != 0) & (np.abs(np.asarray(table["AL_FE"])) < 9)
        table["AL_FE"][flagged] = -0.75

    found = prepare(changed(files[0], tmp_path, poor), files[1], settings=EVERY)
    note = found.cutflow.notes[found.cutflow.names.index("AL_FE_FLAG = 0")]
    assert "of median AL_FE -0.75; of those that pass " in note
    assert f"AL_FE_FLAG = 0: {note}" in str(found.cutflow)
    assert CutFlow.from_table(found.cutflow.to_table()) == found.cutflow


@pytest.mark.parametrize("flags", ["8", "GRIDEDGE_WARN", "gridedge_warn, 0"])
def test_bits_that_are_chosen_count(files, flags):
    # every planted flag is bit 8, GRIDEDGE_WARN
    everything = prepare(*files, settings=EVERY)
    assert len(prepare(*files, settings=PrepareSettings(clusters="ignore", flags=flags))) == len(everything)


def test_bits_that_are_not_chosen_do_not_count(files):
    chosen = prepare(*files, settings=PrepareSettings(clusters="ignore", flags="GRIDEDGE_BAD"))
    none = prepare(*files, settings=PrepareSettings(clusters="ignore", flags="none"))
    removed = dict(zip(chosen.cutflow.names, chosen.cutflow.removed, strict=True))
    assert removed["no bit 0 of AL_FE_FLAG"] == 0
    assert removed["no TEFF_BAD, LOGG_BAD, STAR_BAD"] > 0
    assert len(prepare(*files, settings=EVERY)) < len(chosen) < len(none)


@pytest.mark.parametrize(("flags", "meant"), [(True, "all"), (False, "none")])
def test_flags_may_still_be_true_or_false(flags, meant):
    assert PrepareSettings(flags=flags).flags == meant


def test_an_unknown_bit_is_refused_with_those_that_are_known(files):
    with pytest.raises(UsageError, match=r"'EDGE' is no bit; .*GRIDEDGE_BAD, CALRANGE_BAD"):
        prepare(*files, settings=PrepareSettings(flags="EDGE"))


# members

PLACE = 1 << 35


def stars(*ids):
    return Table({"SOURCE_ID": np.array(ids, dtype=np.int64)})


def test_members_at_the_places_of_stars_under_other_numbers_are_of_another_release():
    ids = np.arange(10, 20, dtype=np.int64) * PLACE * 1000 + 4711
    warned = no_member(stars(*(ids + 1)), ids)
    assert "10 stars lie within an arcminute" in warned[0]
    assert "Gaia DR2 and DR3" in warned[0]


def test_members_whose_ids_were_floats_are_told():
    ids = np.array([4_689_637_956_899_105_792 + 1024 * i for i in range(9)], dtype=np.int64)
    assert "ids of the members were once floats" in no_member(stars(*(ids + 3)), ids)[0]


def test_members_far_from_every_star_are_told():
    assert "may have seen none of these clusters" in no_member(stars(5 * PLACE + 1), np.array([900 * PLACE + 1]))[0]


def test_members_among_the_stars_are_no_warning():
    assert no_member(stars(7, 8), np.array([8])) == ()
