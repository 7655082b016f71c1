"""Tables as ECSV, VOTable and FITS: what one says the others say, here and in software that others wrote."""

import csv
import shutil
import subprocess

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.io.votable import parse, validate
from astropy.table import QTable, Table

from halonmf import halo
from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.io.columns import described
from halonmf.halo.io.provenance import provenance
from halonmf.halo.io.tables import load_table, save_table

SUFFIXES = (".ecsv", ".vot", ".votable", ".xml", ".fits", ".fit")
FORMS = (".ecsv", ".vot", ".fits")
STILTS = shutil.which("stilts")
needs_stilts = pytest.mark.skipif(STILTS is None, reason="stilts, which needs Java, is not on the path")


def a_table():
    """Return a boundary with what tables hold: units, dex, NaN, texts beyond ASCII, truths, nested metadata."""
    table = QTable()
    table["Lz"] = np.array([-500.0, 0.1, 500.0]) * units.kpc * units.km / units.s
    table["E"] = np.array([-1.7e5, np.nan, -1.23456789012345e5]) * units.km**2 / units.s**2
    table["n_stars"] = [3, 4, 2**53 + 1]
    table["FE_H"] = np.array([0.1, 0.2, 0.3]) * units.dex
    table["status"] = ["crosses", "", "never <crosses> & more"]
    table["accreted"] = [True, False, True]
    table.meta |= {"level": 0.5, "offset": {"value": np.nan, "high": np.inf}, "names": ["LE", "H\u00c9"], "none": None}
    return described(table, "boundary")


RECORD = {"command": "boundary", "settings": {"fit": {"components": 2}}, "inputs": [{"name": "stars.fits"}]}


@pytest.fixture(params=FORMS)
def path(request, tmp_path):
    return save_table(tmp_path / f"boundary{request.param}", a_table(), RECORD)


def same(found, right):
    assert found.colnames == right.colnames
    for name in right.colnames:
        assert getattr(found[name], "unit", None) == getattr(right[name], "unit", None)
        a, b = (np.asarray(getattr(table[name], "value", table[name])) for table in (found, right))
        assert a.dtype.kind == b.dtype.kind
        np.testing.assert_array_equal(a, b)
        for part in ("description", "format"):
            assert getattr(found[name].info, part) == getattr(right[name].info, part)
        assert (found[name].info.meta or {}) == (right[name].info.meta or {})


def test_every_form_gives_the_table_back_with_all_that_its_columns_say(path):
    found = load_table(path)
    same(found, a_table())
    meta = dict(found.meta)
    assert meta.pop("provenance") == RECORD
    offset = meta.pop("offset")
    assert np.isnan(offset["value"])
    assert offset["high"] == np.inf
    assert meta == {"level": 0.5, "names": ["LE", "H\u00c9"], "none": None}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_name_tells_the_form_and_the_content_tells_the_reader(suffix, tmp_path):
    path = halo.save(tmp_path / f"boundary{suffix}", a_table())
    head = path.read_bytes()[:40]
    begins = {".ecsv": b"# %ECSV", ".fits": b"SIMPLE  =", ".fit": b"SIMPLE  ="}.get(suffix, b"<?xml version")
    assert head.startswith(begins)
    same(halo.load(path), a_table())
    same(load_table(path.rename(path.with_suffix(".misnamed"))), a_table())


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.ecsv or \.vot or"):
        halo.save(tmp_path / "boundary.csv", a_table())


def test_an_empty_table_is_one_in_every_form(tmp_path):
    for suffix in FORMS:
        assert load_table(save_table(tmp_path / f"none{suffix}", a_table()[:0], {})).colnames == a_table().colnames


def test_what_a_form_cannot_hold_is_refused_by_name(tmp_path):
    odd = Table({"what": np.array([{"a": 1}, None], dtype=object)})
    with pytest.raises(OutputError, match=r"odd\.fits: cannot be written so .*name it \.ecsv"):
        save_table(tmp_path / "odd.fits", odd, {})
    assert not list(tmp_path.iterdir())


# the seal


def test_the_same_table_makes_the_same_bytes(path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = save_table(path, a_table(), provenance("boundary", {}), overwrite=True).read_bytes()
    assert save_table(path, load_table(path), provenance("boundary", {}), overwrite=True).read_bytes() == first


def test_a_changed_number_is_refused(path):
    raw = path.read_bytes()
    old, new = (np.array([x], ">f8").tobytes() for x in (-1.7e5, -1.8e5))
    if path.suffix != ".fits":
        old, new = b"-170000", b"-180000"
    assert raw.count(old) == 1
    path.write_bytes(raw.replace(old, new))
    with pytest.raises(InputError, match="has another checksum than it should"):
        load_table(path)


def test_no_changed_byte_of_a_votable_or_of_fits_changes_a_value(path):
    whole, right = path.read_bytes(), load_table(path)
    unseen = 0
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            found = load_table(path)
        except InputError:
            continue
        unseen += whole[at : at + 1] not in b" END"  # the checksums of FITS leave out what follows a header's end
        same(found, right)
    assert unseen < 5


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(path, cut):
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    with pytest.raises(InputError):
        load_table(path)


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><VOTABLE>&a;</VOTABLE>',
        '<?xml version="1.0" encoding="utf-16"?><VOTABLE/>',
        '<?xml version="1.0"?><VOTABLE/>',
        '<?xml version="1.0"?><VOTABLE><RESOURCE><TABLE><FIELD name="E" datatype="double"/>',
        "<VOTABLE>" + "<RESOURCE>" * 5000,
    ],
)
def test_hostile_or_broken_xml_is_refused(text, tmp_path):
    path = tmp_path / "x.vot"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be read as a VOTable"):
        load_table(path)


def test_fits_of_others_are_no_tables_of_this_software(tmp_path):
    path = tmp_path / "theirs.fits"
    Table({"E": [1.0]}).write(path)
    with pytest.raises(InputError, match="no table of this software"):
        load_table(path)


# other software


def test_astropy_reads_units_and_numbers_without_a_warning(path):
    form = {".ecsv": "ascii.ecsv", ".vot": "votable", ".fits": "fits"}[path.suffix]
    found = QTable.read(path, format=form)
    assert found.colnames == a_table().colnames
    assert found["E"].unit == units.km**2 / units.s**2
    np.testing.assert_array_equal(np.asarray(found["E"]), a_table()["E"].value)
    assert found["n_stars"].tolist() == a_table()["n_stars"].tolist()


def test_the_table_is_the_first_extension_and_its_cards_name_the_columns(tmp_path):
    path = save_table(tmp_path / "boundary.fits", a_table(), RECORD)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "TABLE", "METADATA"]
        header = hdus[1].header
        number = hdus[1].columns.names.index("E") + 1
        assert header[f"TCOMM{number}"] == a_table()["E"].info.description
        assert header[f"TUCD{number}"] == "phys.energy"
        assert header[f"TUNIT{number}"] == "km2 s-2"
        assert header[f"TDISP{number}"] == "F14.1"
        assert [hdu.verify_checksum() for hdu in hdus] == [1, 1, 1]


@pytest.mark.filterwarnings("default")  # what the validator finds, it says as a warning
def test_astropys_validator_finds_nothing_wrong_with_a_votable(tmp_path):
    import io

    path = save_table(tmp_path / "boundary.vot", a_table(), RECORD)
    said = io.StringIO()
    assert validate(str(path), output=said), said.getvalue()
    table = parse(path, verify="exception").get_first_table()
    assert {info.name for info in table.infos} > {"level", "provenance", "content_sha256"}


def stilts(*words):
    run = subprocess.run([STILTS, *words], capture_output=True, text=True, timeout=120, check=False)
    if "ifmt=ecsv" in words and "No table handler available for ecsv" in run.stderr:
        pytest.skip("this stilts was installed without its reader of ECSV")  # a package of its own in Debian
    assert run.returncode == 0, run.stderr
    return run.stdout


@needs_stilts
def test_stil_reads_names_units_descriptions_and_ucds(path):
    form = {".ecsv": "ecsv", ".vot": "votable", ".fits": "fits"}[path.suffix]
    said = stilts("tpipe", f"in={path}", f"ifmt={form}", "cmd=meta Name Units Description UCD", "ofmt=csv")
    rows = list(csv.reader(said.splitlines()))
    assert rows[0] == ["Name", "Units", "Description", "UCD"]
    assert [row[0] for row in rows[1:]] == a_table().colnames
    found = {row[0]: row[1:] for row in rows[1:]}
    right = a_table()
    for name in right.colnames:
        info = right[name].info
        assert found[name][1:] == [info.description, info.meta["ucd"]]
    assert units.Unit(found["E"][0]) == units.km**2 / units.s**2


@pytest.fixture(params=FORMS)
def profile(request, tmp_path):
    table = QTable({"lower": [-2.0e5] * units.km**2 / units.s**2, "n_stars": [7], "weight_HE": [3.25]})
    return save_table(tmp_path / f"profile{request.param}", described(table, variable="E"), {"command": "apply"})


def test_weights_are_in_counts_of_astropy_in_every_form(profile):
    found = load_table(profile)
    assert found["weight_HE"].unit is units.ct
    assert getattr(found["n_stars"], "unit", None) is None
    assert "column_units" not in found.meta
    if profile.suffix == ".fits":
        header = fits.getheader(profile, 1)
        assert header["TUNIT3"] == "count"
        assert units.Unit(header["TUNIT3"], format="fits") == units.ct
    if profile.suffix == ".vot":
        field = parse(profile, verify="exception").get_first_table().fields[2]
        assert str(field.unit) == "ct"
        assert b'unit="count"' in profile.read_bytes()


@needs_stilts
def test_stil_reads_counts_and_finds_nothing_wrong_with_them(profile):
    form = {".ecsv": "ecsv", ".vot": "votable", ".fits": "fits"}[profile.suffix]
    said = stilts("tpipe", f"in={profile}", f"ifmt={form}", "cmd=meta Name Units", "ofmt=csv")
    assert said.splitlines()[-1] in ("weight_HE,count", "weight_HE,ct")
    if form == "votable":
        assert stilts("votlint", str(profile)) == ""


@needs_stilts
def test_stil_reads_the_numbers(path, tmp_path):
    form = {".ecsv": "ecsv", ".vot": "votable", ".fits": "fits"}[path.suffix]
    said = stilts("tpipe", f"in={path}", f"ifmt={form}", "cmd=keepcols 'E n_stars accreted'", "ofmt=csv")
    rows = [line.split(",") for line in said.splitlines()[1:]]
    np.testing.assert_allclose([float(row[0] or "nan") for row in rows], a_table()["E"].value, atol=0.05)  # as shown
    assert [int(row[1]) for row in rows] == a_table()["n_stars"].tolist()
    assert [row[2] for row in rows] == ["true", "false", "true"]
    again = tmp_path / "again.fits"
    stilts("tpipe", f"in={path}", f"ifmt={form}", f"out={again}", "ofmt=fits-basic")
    np.testing.assert_array_equal(fits.getdata(again)["E"], a_table()["E"].value)


@needs_stilts
def test_votlint_finds_nothing_wrong_with_a_votable(tmp_path):
    path = save_table(tmp_path / "boundary.vot", a_table(), RECORD)
    assert stilts("votlint", str(path)) == ""


@needs_stilts
def test_a_votable_that_stil_wrote_again_opens_without_its_seal(tmp_path):
    path, other = save_table(tmp_path / "boundary.vot", a_table(), RECORD), tmp_path / "again.vot"
    stilts("tpipe", f"in={path}", "ifmt=votable", "cmd=clearparams content_sha256", f"out={other}", "ofmt=votable")
    found = load_table(other)
    assert found.meta["level"] == 0.5
    np.testing.assert_array_equal(np.asarray(found["E"]), a_table()["E"].value)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\x00", "tab\there", "\x85"])
@pytest.mark.parametrize("suffix", FORMS)
def test_names_with_control_characters_are_refused_in_every_form(tmp_path, suffix, name):
    with pytest.raises(OutputError, match="has control characters in its name; rename it") as caught:
        save_table(tmp_path / f"odd{suffix}", Table({name: [1.0]}), {})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("twin", ["E ", " E", "e"])
def test_names_that_fits_takes_for_one_are_refused_there_alone(tmp_path, twin):
    table = Table({"E": [1.0], twin: [2.0]})
    with pytest.raises(OutputError, match=r"takes the columns 'E' and .* for one.*name it \.ecsv"):
        save_table(tmp_path / "odd.fits", table, {})
    found = load_table(save_table(tmp_path / "odd.ecsv", table, {}))
    assert [found[name][0] for name in found.colnames] == [1.0, 2.0]


HOSTILE = (
    "<script>alert(1)</script>",
    'a"b',
    "$\\nosuch$",
    "__proto__",
    "N" * 3000,
    "x\u202egnp",
    "#c",
    "=1+1",
    "a,b",
    "é",
    "kind",
)


@pytest.mark.parametrize("suffix", [".ecsv", ".vot"])
@pytest.mark.parametrize("name", HOSTILE)
def test_any_other_name_comes_back(tmp_path, suffix, name):
    found = load_table(save_table(tmp_path / f"odd{suffix}", Table({"E": [1.0], name: [2.0]}), {}))
    assert found.colnames == ["E", name]
    assert float(found[name][0]) == 2.0
