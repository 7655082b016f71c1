"""The prepared catalogue on disk, its variables, and catalogues brought in through a mapping."""

import json
import os
import resource
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from matplotlib.mathtext import MathTextParser

from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.io.provenance import provenance, settings_sha256
from halonmf.halo.stars.catalogue import read_catalogue, write_catalogue
from halonmf.halo.stars.cutflow import CutFlow
from halonmf.halo.stars.variables import VARIABLES, values, variable
from halonmf.halo.survey.mapping import read_mapped

FLOW = CutFlow(5).removing("LOGG < 3", 2)
RECORD = {"software": "halonmf", "settings": {"max_error": 0.2}, "note": "Ω Cen"}


def stars():
    return QTable(
        {
            "APOGEE_ID": ["2M00", "2M01", "AP02"],
            "SOURCE_ID": np.array([2**62 + 1, 5, -1]),
            "E": [-1.9e5, -1.2e5, -0.5e5] * u.km**2 / u.s**2,
            "Lz": [100.0, -200.0, 1990.0] * u.kpc * u.km / u.s,
            "ecc": [0.2, 0.9, 0.1],
            "z_gal": [-3.0, 1.0, 0.0] * u.kpc,
            "FE_H": np.array([-1.5, np.nan, 0.1], np.float32),
            "quality": [True, True, True],
        }
    )


@pytest.fixture
def path(tmp_path):
    return write_catalogue(tmp_path / "stars.fits", stars(), FLOW, RECORD)


def test_a_catalogue_comes_back_as_it_went(path):
    back = read_catalogue(path)
    assert (back.cutflow, back.provenance, back.path, len(back)) == (FLOW, RECORD, path, 3)
    for name in stars().colnames:
        assert np.array_equal(np.asarray(back.table[name]), np.asarray(stars()[name]), equal_nan=name == "FE_H")
        assert getattr(back.table[name], "unit", None) == getattr(stars()[name], "unit", None)


def test_an_empty_catalogue_comes_back(tmp_path):
    path = write_catalogue(tmp_path / "none.fits", stars()[:0], CutFlow(5).removing("all", 5), {})
    assert len(read_catalogue(path)) == 0


def test_the_file_is_native_after_reading(path):
    assert all(np.asarray(read_catalogue(path).table[n]).dtype.isnative for n in stars().colnames)


def test_nothing_but_the_catalogue_is_left_in_the_folder(path):
    assert [p.name for p in path.parent.iterdir()] == ["stars.fits"]


def test_an_existing_file_is_kept(path):
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write_catalogue(path, stars(), FLOW, {})
    assert path.read_bytes() == before


def test_an_existing_file_is_replaced_when_told(path):
    write_catalogue(path, stars(), FLOW, {"new": 1}, overwrite=True)
    assert read_catalogue(path).provenance == {"new": 1}


def test_a_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        write_catalogue(tmp_path / "no" / "stars.fits", stars(), FLOW, {})


def test_a_directory_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="directory"):
        write_catalogue(tmp_path, stars(), FLOW, {}, overwrite=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_an_output_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="not writable"):
        write_catalogue(tmp_path / "stars.fits", stars(), FLOW, {})


def test_a_full_disk_leaves_the_old_file_and_no_other(path):
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            write_catalogue(path, stars(), FLOW, {}, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["stars.fits"]


def test_a_cut_flow_of_other_stars_is_refused(tmp_path):
    with pytest.raises(ValueError, match="3 stars"):
        write_catalogue(tmp_path / "stars.fits", stars(), CutFlow(5), {})


def test_a_file_cut_anywhere_is_refused(path):
    whole = path.read_bytes()
    for cut in [0, 1, 2880, 5760, *np.linspace(1, len(whole) - 1, 40, dtype=int)]:
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"stars\.fits"):
            read_catalogue(path)


def test_a_flipped_bit_among_the_stars_is_noticed(path):
    with fits.open(path) as hdus:
        at = hdus["STARS"].fileinfo()["datLoc"] + 10
    damaged = bytearray(path.read_bytes())
    damaged[at] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="checksum"):
        read_catalogue(path)


def test_another_fits_file_is_refused(tmp_path):
    stars().write(tmp_path / "other.fits")
    with pytest.raises(InputError, match="not a prepared catalogue"):
        read_catalogue(tmp_path / "other.fits")


def test_another_layout_version_is_refused_with_the_reason(path):
    with fits.open(path, mode="update", checksum=True) as hdus:
        hdus[0].header["SCHEMA"] = 99
    with pytest.raises(InputError, match="99"):
        read_catalogue(path)


def test_values_are_in_the_stated_unit():
    table = QTable({"E": [-1.5] * u.Unit("1e5 km2/s2"), "distance": [2500.0] * u.pc})
    assert values(table, "E")[0] == pytest.approx(-1.5e5)
    assert values(table, "distance")[0] == pytest.approx(2.5)


def test_z_is_the_absolute_height():
    assert values(stars(), "z").tolist() == [3.0, 1.0, 0.0]


def test_masked_values_are_nan():
    table = Table({"FE_H": MaskedColumn([1.0, 2.0], mask=[True, False])})
    assert np.isnan(values(table, "FE_H")).tolist() == [True, False]


def test_values_are_native_copies():
    table = Table({"FE_H": np.array([1.0, 2.0], ">f4")})
    out = values(table, "FE_H")
    out[0] = 9
    assert out.dtype == np.float64
    assert table["FE_H"][0] == 1


def test_a_column_without_a_variable_serves_as_one():
    assert values(Table({"age": [3, 4]}), "age").tolist() == [3.0, 4.0]


@pytest.mark.parametrize("name", ["Energy", "lz", "J_r"])
def test_an_unknown_or_absent_variable_is_a_usage_error(name):
    with pytest.raises(UsageError, match="this table offers"):
        values(stars(), name)


def test_text_is_no_variable():
    with pytest.raises(UsageError, match="not one number"):
        values(stars(), "APOGEE_ID")


def test_columns_in_units_of_another_kind_are_bad_input():
    with pytest.raises(InputError, match="km2 / s2"):
        values(QTable({"E": [1.0] * u.kpc}), "E")


def test_columns_of_variables_differ_by_more_than_case():
    columns = [v.column.upper() for v in VARIABLES.values()]
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("name", VARIABLES)
def test_every_label_can_be_drawn_and_bears_its_unit(name):
    found = variable(name)
    MathTextParser("path").parse(found.label)
    assert bool(found.unit) == ("[" in found.label.replace("/H]", "").replace("\\mathrm{[", "").replace("[\\alpha", ""))


def test_provenance_is_json_and_says_what_was_read(tmp_path):
    (tmp_path / "in.fits").write_bytes(b"abc")
    record = provenance("prepare", {"cuts": ("E<0",), "max": np.float32(2), "where": tmp_path / "x"},
                        inputs=[tmp_path / "in.fits"], seeds=[np.int64(3)], device="cpu")  # fmt: skip
    assert json.loads(json.dumps(record)) == record
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc", FIPS 180-2
    assert record["inputs"] == [{"name": "in.fits", "bytes": 3, "sha256": digest}]
    assert record["settings"] == {"cuts": ["E<0"], "max": 2.0, "where": "x"}
    assert (record["seeds"], record["device"]) == ([3], "cpu")
    assert {"numpy", "astropy", "torch"} <= set(record["libraries"])


def test_the_settings_hash_ignores_order_and_nothing_else():
    assert settings_sha256({"a": 1, "b": 2}) == settings_sha256({"b": 2, "a": 1})
    assert settings_sha256({"a": 1}) != settings_sha256({"a": 2})


def test_a_folder_is_hashed_by_names_and_contents(tmp_path):
    def digest():
        return provenance("x", {}, inputs=[tmp_path])["inputs"][0]["sha256"]

    (tmp_path / "a.txt").write_text("1")
    first = digest()
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert digest() != first


def test_an_absent_input_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"gone\.fits"):
        provenance("x", {}, inputs=[tmp_path / "gone.fits"])


MAPPING = """
[catalogue]
name = "mine"
quality = "snr > 30 and flag_sp == 0"
missing = [-999]

[columns]
id = "star"
source_id = "gaia"
ra = "ra"
dec = "dec"
distance = { column = "d", unit = "pc" }
pmra = "pmra"
pmdec = "pmdec"
rv = "rv"
LOGG = "logg"

[abundances]
FE_H = { column = "feh", error = "e_feh", flag = "f_feh" }
MG_FE = "mgfe"
"""


def mine():
    return Table(
        {
            "star": ["a", "b", "c"], "gaia": [1, 2, 2**61 + 1], "ra": [10.0, 99.99, 30.0], "dec": [1.0, 2.0, 3.0],
            "d": [1500.0, 2500.0, -999.0], "pmra": [1.0, 2.0, 3.0], "pmdec": [1.0, 2.0, 3.0], "rv": [5.0, -999.0, 7.0],
            "logg": [2.0, 2.0, 2.0], "snr": [50.0, 20.0, 80.0], "flag_sp": [0, 0, 0], "feh": [-1.0, 99.99, -1.2],
            "e_feh": [0.1, 0.1, -9999.0], "f_feh": [0, 1, 0], "mgfe": [0.1, 0.2, 0.3],
        }
    )  # fmt: skip


@pytest.fixture
def mapping(tmp_path):
    path = tmp_path / "map.toml"
    path.write_text(MAPPING)
    return path


@pytest.mark.parametrize("name", ["mine.fits", "mine.ecsv", "mine.csv", "mine.hdf5", "mine.vot"])
def test_a_mapped_catalogue_is_the_same_in_every_format(tmp_path, mapping, name):
    extra = {"mine.hdf5": {"path": "stars", "serialize_meta": False}, "mine.vot": {"format": "votable"}}.get(name, {})
    mine().write(tmp_path / name, **extra)
    found = read_mapped(tmp_path / name, mapping)
    assert found.table["APOGEE_ID"].tolist() == ["a", "b", "c"]
    assert found.table["SOURCE_ID"].tolist() == [1, 2, 2**61 + 1]
    assert found.table["distance"][:2].tolist() == [1.5, 2.5]
    assert found.keep.tolist() == [True, False, True]
    assert (found.elements, found.has_orbits) == (("FE_H", "MG_FE"), False)


def test_sentinels_of_a_mapped_catalogue_are_missing(tmp_path, mapping):
    mine().write(tmp_path / "mine.fits")
    table = read_mapped(tmp_path / "mine.fits", mapping).table
    assert np.isnan(table["distance"]).tolist() == [False, False, True]
    assert np.isnan(table["radial_velocity"]).tolist() == [False, True, False]
    assert np.isnan(table["FE_H"]).tolist() == [False, True, False]
    assert np.isnan(table["FE_H_ERR"]).tolist() == [False, False, True]
    assert not np.isnan(table["RA"]).any()


def test_energies_can_come_with_the_catalogue(tmp_path, mapping):
    Table({"star": [1, 2], "En": [-1.0, -2.0], "L": [300.0, -4.0], "feh": [0.0, -1.0]}).write(tmp_path / "e.ecsv")
    mapping.write_text(
        '[columns]\nid = "star"\nE = { column = "En", unit = "1e5 km2 / s2" }\nLz = { column = "L", scale = -1 }\n'
        '[abundances]\nFE_H = "feh"\n'
    )
    found = read_mapped(tmp_path / "e.ecsv", mapping)
    assert found.has_orbits
    assert values(found.table, "E") == pytest.approx([-1e5, -2e5])
    assert values(found.table, "Lz").tolist() == [-300.0, 4.0]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('rv = "rv"', "", "must name ra, dec, distance"),
        ('id = "star"', "", "needs id"),
        ('pmra = "pmra"', 'pmra = "pm_ra"', "no column 'pm_ra'"),
        ('unit = "pc"', 'unit = "kpc"', "pc or kpc"),
        ('unit = "pc"', 'unit = "furlong"', "distance: bad unit"),
        ('unit = "pc"', 'units = "pc"', "column, unit, scale"),
        ('LOGG = "logg"', 'logg = "logg"', "unknown logg"),
        ("[catalogue]", "[catalog]", "unknown catalog"),
        ('"snr > 30', '"(snr > 30)', "quality: cut"),
        ('"snr > 30', '"SN > 30', "no column 'SN'"),
        ('gaia"', 'ra"', "integer"),
        ('id = "star"', 'id = "f_feh"', "ids are repeated"),
        ("[columns]", "[columns", "not TOML"),
        ('ra = "ra"', 'ra = "star"', "one number"),
    ],
)
def test_a_mapping_that_cannot_be_followed_is_refused_in_one_line(tmp_path, mapping, old, new, word):
    mine().write(tmp_path / "mine.fits")
    assert old in MAPPING
    mapping.write_text(MAPPING.replace(old, new, 1))
    with pytest.raises(InputError, match=word) as caught:
        read_mapped(tmp_path / "mine.fits", mapping)
    assert "\n" not in str(caught.value)


def test_units_that_contradict_the_file_are_refused(tmp_path, mapping):
    table = mine()
    table["d"].unit = u.kpc
    table.write(tmp_path / "mine.fits")
    with pytest.raises(InputError, match="in pc by the mapping, in kpc by the file"):
        read_mapped(tmp_path / "mine.fits", mapping)


def test_units_in_the_file_need_no_repeating(tmp_path, mapping):
    table = mine()
    table["d"].unit = u.pc
    table.write(tmp_path / "mine.fits")
    mapping.write_text(MAPPING.replace('{ column = "d", unit = "pc" }', '"d"'))
    assert read_mapped(tmp_path / "mine.fits", mapping).table["distance"][0] == 1.5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.fits", b"SIMPLE"),
        ("a.xyz", b"1"),
        ("a.vot", b"<x"),
        ("b.csv", b"<!doctype html><p>"),
        ("a.hdf5", b"\x89HDF\r\n"),
    ],
)
def test_a_catalogue_that_cannot_be_read_is_refused_in_one_line(tmp_path, mapping, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name) as caught:
        read_mapped(tmp_path / name, mapping)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["<script>", "a b", '"', "-x", "$", "x" * 68])
def test_a_column_of_any_name_that_fits_has_is_kept_without_a_warning(tmp_path, name):
    table = QTable({"APOGEE_ID": ["a"], "E": [-1.0e5], name: [7.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = write_catalogue(tmp_path / "stars.fits", table, CutFlow(1), {})
        assert read_catalogue(path).table[name].tolist() == [7.0]


@pytest.mark.parametrize("name", ["é", "x\u202e", "tab\t", "x" * 69])
def test_a_column_that_fits_cannot_name_is_refused_in_a_line(tmp_path, name):
    table = QTable({"APOGEE_ID": ["a"], "E": [-1.0e5], name: [7.0]})
    with pytest.raises(OutputError, match="names have 1 to 68 ASCII characters") as caught:
        write_catalogue(tmp_path / "stars.fits", table, CutFlow(1), {})
    assert str(caught.value).isprintable()
