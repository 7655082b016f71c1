"""Tables of every format: named before they are read, the same whatever holds them, or refused in one line."""

import gzip
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.table import MaskedColumn, Table

from halonmf.halo.errors import InputError
from halonmf.halo.io.tabular import open_part


def stars():
    return Table(
        {
            "id": [2**61 + 1, 2, 3],
            "name": ["a", "bb", "c c"],
            "x": np.array([0.5, np.nan, -999.0], np.float32),
            "good": [True, False, True],
        }
    )


def packed(path):
    out = path.with_name(path.name + ".gz")
    out.write_bytes(gzip.compress(path.read_bytes()))
    return out


def two(path):
    """A FITS file whose tables have one row, and two."""
    first, second = (fits.table_to_hdu(Table({"x": np.arange(n) + 10 * n})) for n in (1, 2))
    first.name, second.name = "BOSS", "APOGEE"
    fits.HDUList([fits.PrimaryHDU(), first, second]).writeto(path)
    return path


@pytest.mark.parametrize("name", ["t.fits", "t.fits.gz", "t.ecsv", "t.csv", "t.csv.gz", "t.ecsv.gz", "t.vot", "t.hdf5"])
def test_a_table_is_the_same_in_every_format(tmp_path, name):
    plain = tmp_path / name.removesuffix(".gz")
    extra = {"t.hdf5": {"path": "t", "serialize_meta": False}, "t.vot": {"format": "votable"}}.get(plain.name, {})
    stars().write(plain, **extra)
    part = open_part(packed(plain) if name.endswith(".gz") else plain)
    assert part.names == ("id", "name", "x", "good")
    found = part.read(["x", "id"])
    assert found.colnames == ["x", "id"]
    assert found["id"].tolist() == [2**61 + 1, 2, 3]
    assert np.ma.filled(found["x"], np.nan)[0] == 0.5
    whole = part.read()
    assert [str(one) for one in whole["name"]] == ["a", "bb", "c c"]


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize(("extension", "expected"), [(1, [10]), (2, [20, 21]), ("apogee", [20, 21]), ("BOSS", [10])])
def test_the_extension_asked_for_is_read(tmp_path, pack, extension, expected):
    path = two(tmp_path / "t.fits")
    assert open_part(packed(path) if pack else path, extension=extension).read()["x"].tolist() == expected


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("extension", [0, 3, "MWM"])
def test_an_extension_without_a_table_is_refused_with_those_that_have_one(tmp_path, pack, extension):
    path = two(tmp_path / "t.fits")
    with pytest.raises(InputError, match=rf"no table in extension {extension} .*BOSS.*in extension 1 and 2"):
        open_part(packed(path) if pack else path, extension=extension)


def test_a_table_without_rows_names_the_remedy(tmp_path):
    stars()[:0].write(tmp_path / "t.fits")
    with pytest.raises(InputError, match="extension 1 has no rows; name another"):
        open_part(tmp_path / "t.fits").read()


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_packed_table_is_refused(tmp_path, kept):
    Table({"x": np.random.default_rng(0).normal(size=20_000)}).write(tmp_path / "t.fits")
    path = packed(tmp_path / "t.fits")
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError, match=r"t\.fits\.gz: truncated"):
        open_part(path).read()


def test_rows_that_a_packed_file_cannot_hold_are_refused_before_memory_is_asked_for(tmp_path):
    hdu = fits.table_to_hdu(stars())
    hdu.header["NAXIS2"] = 10**12
    with gzip.open(tmp_path / "t.fits.gz", "wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode() + hdu.header.tostring().encode())
    with pytest.raises(InputError, match="truncated: no file of its size"):
        open_part(tmp_path / "t.fits.gz")


def test_logical_columns_are_true_false_or_missing(tmp_path):
    hdu = fits.BinTableHDU.from_columns([fits.Column("bad", "L", array=np.array([True, False, False]))])
    hdu.writeto(tmp_path / "t.fits")
    data = bytearray((tmp_path / "t.fits").read_bytes())
    at = data.rindex(b"TFF")
    data[at + 2] = 0
    (tmp_path / "t.fits").write_bytes(data)
    found = open_part(tmp_path / "t.fits").read()["bad"]
    assert found.tolist() == [True, False, None]


def test_masked_integers_of_fits_are_masked(tmp_path):
    Table({"flag": MaskedColumn([0, 4, 0], mask=[False, False, True], fill_value=-7)}).write(tmp_path / "t.fits")
    assert open_part(tmp_path / "t.fits").read()["flag"].tolist() == [0, 4, None]


def test_unsigned_integers_of_sixteen_bits_keep_their_sign(tmp_path):
    Table({"flag": np.array([40_000, 1], np.uint16)}).write(tmp_path / "t.fits")
    assert open_part(tmp_path / "t.fits").read()["flag"].tolist() == [40_000, 1]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path, name):
    data = b"\xef\xbb\xbfid,x\n1,2.5\n"
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert open_part(tmp_path / name).names == ("id", "x")
    assert open_part(tmp_path / name).read(["id"])["id"].tolist() == [1]


def test_a_byte_order_mark_before_ecsv_is_passed_over(tmp_path):
    stars().write(tmp_path / "t.ecsv")
    (tmp_path / "t.ecsv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "t.ecsv").read_bytes())
    assert open_part(tmp_path / "t.ecsv").names[0] == "id"


@pytest.mark.parametrize(
    ("name", "form", "text"),
    [
        ("t.csv", None, "E,Lz,E\n1,2,3\n"),
        ("t.csv", "ascii.csv", "E,Lz,E\n1,2,3\n"),
        ("t.txt", "ascii.basic", "E Lz E\n1 2 3\n"),
        ("t.txt", "ascii.commented_header", "# E Lz E\n1 2 3\n"),
    ],
)
def test_two_columns_of_one_name_are_refused(tmp_path, name, form, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="more than one column is called E;"):
        open_part(tmp_path / name, form=form)


def test_columns_that_are_numbered_by_their_author_are_no_repeats(tmp_path):
    (tmp_path / "t.txt").write_text("E E_1\n1 2\n")
    assert open_part(tmp_path / "t.txt", form="ascii.basic").names == ("E", "E_1")


def test_two_columns_of_one_name_in_fits_are_refused(tmp_path):
    Table({"x": [1.0], "y": [2.0]}).write(tmp_path / "t.fits")
    data = (tmp_path / "t.fits").read_bytes().replace(b"TTYPE2  = 'y       '", b"TTYPE2  = 'x       '")
    (tmp_path / "t.fits").write_bytes(data)
    with pytest.raises(InputError, match="more than one column is called x"):
        open_part(tmp_path / "t.fits")


def test_columns_that_differ_by_case_are_both_there(tmp_path):
    hdu = fits.BinTableHDU.from_columns([fits.Column("E", "D", array=[-1.5e5]), fits.Column("e", "D", array=[0.5])])
    hdu.writeto(tmp_path / "t.fits")
    part = open_part(tmp_path / "t.fits")
    found = part.read()
    assert (found["E"][0], found["e"][0]) == (-1.5e5, 0.5)
    assert (part.find("E", "m"), part.find("e", "m")) == ("E", "e")


def test_case_is_passed_over_where_one_column_fits_and_refused_where_several_do(tmp_path):
    (tmp_path / "t.csv").write_text("Energy,LZ,lz\n1,2,3\n")
    part = open_part(tmp_path / "t.csv")
    assert part.find("ENERGY", "m.toml") == "Energy"
    with pytest.raises(InputError, match=r"'Lz', which m\.toml names, may be any of LZ, lz"):
        part.find("Lz", "m.toml")
    with pytest.raises(InputError, match=r"no column 'e', which m\.toml names; found Energy, LZ, lz"):
        part.find("e", "m.toml")


def test_units_of_fits_are_read_in_every_spelling_or_kept_as_they_are(tmp_path):
    texts = ["mas.yr-1", "km.s**-1", "arcsec/yr", "km/sec", "RADIANS"]
    columns = [fits.Column(f"c{i}", "D", unit=text, array=[1.0]) for i, text in enumerate(texts)]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    found = open_part(tmp_path / "t.fits").read()
    assert [found[f"c{i}"].unit for i in range(4)] == [u.mas / u.yr, u.km / u.s, u.arcsec / u.yr, u.km / u.s]
    assert isinstance(found["c4"].unit, u.UnrecognizedUnit)


def test_a_part_of_hdf5_is_named_or_counted(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["a"] = np.zeros(2, [("x", "f8")])
        file.create_group("cat/stars")
        file["cat/stars/x"], file["cat/stars/name"] = np.arange(3.0), np.array([b"a", b"b", b"c"])
        file["cat/stars/x"].attrs["unit"] = "kpc"
    with pytest.raises(InputError, match=r"has 2 tables \(1 a, 2 cat/stars\)"):
        open_part(tmp_path / "t.h5")
    found = open_part(tmp_path / "t.h5", extension="cat/stars").read()
    assert found["x"].tolist() == [0.0, 1.0, 2.0]
    assert found["x"].unit == u.kpc
    assert open_part(tmp_path / "t.h5", extension=2).names == ("name", "x")
    with pytest.raises(InputError, match="no table stars"):
        open_part(tmp_path / "t.h5", extension="stars")


def test_hdf5_leads_to_no_other_file(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["t"] = np.zeros(2, [("x", "f8")])
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["t"] = h5py.ExternalLink("other.h5", "/t")
    with pytest.raises(InputError, match="no table"):
        open_part(tmp_path / "t.h5", extension="t")


def test_units_that_astropy_wrote_into_hdf5_are_read(tmp_path):
    Table({"d": [1.0, 2.0] * u.pc, "n": [1, 2]}).write(tmp_path / "t.hdf5", path="t", serialize_meta=True)
    assert open_part(tmp_path / "t.hdf5").read(["d"])["d"].unit == u.pc


def test_a_part_of_a_votable_is_named_or_counted(tmp_path):
    from astropy.io.votable.tree import Resource, VOTableFile

    file, inner = VOTableFile(), Resource()
    file.resources.append(inner)
    for name, n in (("few", 1), ("many", 3)):
        table = from_table(Table({"x": np.arange(n)})).get_first_table()
        table.name = name
        inner.tables.append(table)
    writeto(file, str(tmp_path / "t.vot"))
    assert len(open_part(tmp_path / "t.vot", extension="many").read()) == 3
    assert len(open_part(tmp_path / "t.vot", extension=1).read()) == 1
    with pytest.raises(InputError, match=r"has 2 tables \(1 few, 2 many\)"):
        open_part(tmp_path / "t.vot")


def test_a_format_of_one_table_has_no_second(tmp_path):
    (tmp_path / "t.csv").write_text("x\n1\n")
    with pytest.raises(InputError, match="has one table"):
        open_part(tmp_path / "t.csv", extension=2)


def test_parquet_says_what_it_needs_where_it_is_absent(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"needs pyarrow: pip install 'halonmf\[parquet\]'"):
        open_part(tmp_path / "t.parquet")


def test_parquet_is_read_with_its_holes(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    table = pyarrow.table({"id": [2**61 + 1, None, 3], "x": [0.5, None, 2.0], "name": ["a", None, "c"]})
    parquet.write_table(table, tmp_path / "t.parquet")
    part = open_part(tmp_path / "t.parquet")
    assert part.names == ("id", "x", "name")
    found = part.read(["name", "id", "x"])
    assert found["id"].tolist() == [2**61 + 1, None, 3]
    assert found["x"].tolist() == [0.5, None, 2.0]
    assert found["name"].tolist() == ["a", None, "c"]


def test_damaged_parquet_is_refused(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + bytes(50))
    with pytest.raises(InputError, match=r"t\.parquet: cannot be read"):
        open_part(tmp_path / "t.parquet")


MEASURE = """
import pathlib, re, resource, sys, time
from halonmf.halo.io.tabular import open_part
start = time.process_time()  # which others on the machine do not lengthen
found = open_part(sys.argv[1], extension=2).read(["id", "x"])
assert found["id"].tolist()[-1] == len(found) - 1
peak, status = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, pathlib.Path("/proc/self/status")
if status.exists():  # there ru_maxrss begins at the parent's
    peak = re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]
print(time.process_time() - start, peak)
"""


@pytest.mark.slow
def test_a_wide_packed_table_is_read_in_bounded_memory(tmp_path):
    """Run with HALONMF_TEST_ROWS=1505140 for the size of DR19."""
    rows = int(os.environ.get("HALONMF_TEST_ROWS", "200000"))
    dtype = np.dtype([("id", ">i8"), ("x", ">f4"), ("rest", "S2056")])
    empty = fits.BinTableHDU(np.zeros(0, dtype))
    full = fits.BinTableHDU(np.zeros(1, dtype))
    full.header["NAXIS2"] = rows
    with gzip.open(tmp_path / "t.fits.gz", "wb", compresslevel=1) as file:
        for hdu in (fits.PrimaryHDU(), empty, full):
            file.write(hdu.header.tostring().encode())
        for start in range(0, rows, 20_000):
            chunk = np.zeros(min(20_000, rows - start), dtype)
            chunk["id"] = np.arange(start, start + len(chunk))
            file.write(chunk.tobytes())
        file.write(bytes(-rows * dtype.itemsize % 2880))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "t.fits.gz")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    seconds, kilobytes = map(float, run.stdout.split())
    assert seconds < max(30, 180 * rows / 1_505_140)
    assert kilobytes < 1e6


def test_a_name_of_several_lines_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text('E,"two\nlines"\n1,2\n')
    with pytest.raises(InputError, match=r"a column's name has several lines \(two lines\)"):
        open_part(tmp_path / "t.csv")
