"""Survey files: read whole and right, or refused in one line that names the file and helps."""

import gzip
import zipfile
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.io.fits import find_table, read_columns
from halonmf.halo.survey.apogee import clean, read_survey
from halonmf.halo.survey.members import read_members

from ..helpers.catalogues import member_lines, survey, write_members, write_survey, write_table

DATA = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.fixture(scope="module")
def template():
    return survey(3000, seed=3)


@pytest.fixture
def made(template):
    return deepcopy(template)


@pytest.fixture
def files(made, tmp_path):
    return write_survey(tmp_path, made)


def refused(allstar, astronn, *words):
    with pytest.raises(InputError) as caught:
        read_survey(allstar, astronn)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def without(rows, *names):
    return rows[[n for n in rows.dtype.names if n not in names]].copy()


def packed(rows):
    """Rows whose dtype has no holes left by dropped columns."""
    out = np.zeros(len(rows), [(n, rows.dtype[n]) for n in rows.dtype.names])
    for name in rows.dtype.names:
        out[name] = rows[name]
    return out


def test_every_row_of_allstar_is_kept_in_order(made, files):
    table = read_survey(*files)
    assert np.array_equal(np.asarray(table["APOGEE_ID"]), made.allstar["APOGEE_ID"])


def test_source_ids_keep_all_their_digits(made, files):
    assert np.array_equal(read_survey(*files)["SOURCE_ID"], made.allstar["GAIAEDR3_SOURCE_ID"])


def test_motions_and_distance_come_from_astronn(made, files):
    made.astronn["pmra"][5], made.astronn["VHELIO_AVG"][5], made.astronn["weighted_dist"][5] = 1.25, -77.5, 2500.0
    table = read_survey(*write_survey(files[0].parent, made))
    assert (table["pmra"][5], table["radial_velocity"][5], table["distance"][5]) == (1.25, -77.5, 2.5)


def test_errors_of_motions_come_along_where_the_files_have_them(made, files):
    made.astronn["pmra_error"], made.astronn["pmdec_error"] = 0.02, 0.03
    made.astronn["pmra_error"][5] = -9999.99
    made.allstar["NVISITS"], made.allstar["VSCATTER"] = 4, 1.0
    made.allstar["VSCATTER"][6] = 0.0
    made.allstar["VSCATTER"][7] = -9999.0
    table = read_survey(*write_survey(files[0].parent, made))
    assert np.isnan(table["pmra_error"][5])
    assert (table["pmra_error"][6], table["pmdec_error"][6]) == (0.02, 0.03)
    error = table["radial_velocity_error"]
    assert (error[5], error[6]) == (0.5, 0.1)  # that of a mean of four; never below the wavelengths' own
    assert np.isnan(error[7])
    astronn = packed(without(made.astronn, "pmra_error", "pmdec_error"))
    bare = replace(made, allstar=packed(without(made.allstar, "VSCATTER")), astronn=astronn)
    table = read_survey(*write_survey(files[0].parent, bare))
    assert np.isnan([table["pmra_error"], table["pmdec_error"], table["radial_velocity_error"]]).all()


def test_columns_are_native(files):
    table = read_survey(*files)
    assert all(table[name].dtype.isnative for name in table.colnames)


def test_sentinels_are_nan_before_any_cut(made, files):
    table = read_survey(*files)
    for name in ("FE_H", "FE_H_ERR", "AL_FE", "LOGG", "pmra", "distance"):
        bare = np.asarray(table[name])
        assert np.isnan(bare).any()
        assert (np.abs(bare[np.isfinite(bare)]) < 9000).all()


def test_an_error_of_zero_is_missing():
    assert np.isnan(clean(np.array([0.0, -1.0]), error=True)).all()


@pytest.mark.parametrize("dtype", [">f4", "<f8"])
@pytest.mark.parametrize("value", [-9999.0, -9999.99, 99.99, 1e20, -1e20, np.inf, np.nan])
def test_each_sentinel_is_missing(value, dtype):
    assert np.isnan(clean(np.array([value, 0.3], dtype)).astype(float)).tolist() == [True, False]


def test_a_sentinel_rounded_to_single_precision_is_missing():
    assert np.isnan(clean(np.array([np.float64(np.float32(-9999.99))]))).all()


def test_a_right_ascension_of_99_99_is_a_position():
    assert clean(np.array([99.99]), sky=True)[0] == 99.99


def test_a_masked_entry_is_missing():
    assert np.isnan(clean(np.ma.masked_array([1.0, 2.0], [True, False]))).tolist() == [True, False]


def test_clean_leaves_a_read_only_array_alone():
    array = np.array([1.0, 99.99])
    array.flags.writeable = False
    assert clean(array)[0] == 1.0
    assert array[1] == 99.99


def test_a_masked_flag_has_every_bit_set(tmp_path):
    column = fits.Column("FE_H_FLAG", "J", null=-2147483648, array=np.array([0, -2147483648], np.int32))
    fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "t.fits")
    table = find_table(tmp_path / "t.fits")
    assert read_columns(table, ["FE_H_FLAG"])["FE_H_FLAG"].tolist() == [0, -1]


def test_unsigned_integers_are_read_exactly(tmp_path):
    ids = np.array([2**63 + 5, 7], np.uint64)
    Table({"ID": ids}).write(tmp_path / "t.fits")
    table = find_table(tmp_path / "t.fits")
    assert read_columns(table, ["ID"])["ID"].astype(np.uint64).tolist() == ids.tolist()


def test_scaled_columns_are_unscaled(tmp_path):
    path = write_table(tmp_path / "t.fits", np.array([(2,), (5,)], [("X", ">i2")]), TSCAL1=0.5, TZERO1=10.0)
    assert read_columns(find_table(path), ["X"])["X"].tolist() == [11.0, 12.5]


def test_tables_with_every_kind_of_column_are_read(tmp_path):
    n = 4
    columns = [
        fits.Column("A", "3A", array=np.array(["abc", "d", "", "e"])),
        fits.Column("BITS", "11X", array=np.ones((n, 11), bool)),
        fits.Column("LOGICAL", "L", array=np.array([True, False, True, True])),
        fits.Column("ARRAY", "6E", dim="(2,3)", array=np.zeros((n, 3, 2))),
        fits.Column("VARIABLE", "PE()", array=np.array([np.arange(i) for i in range(n)], dtype=object)),
        fits.Column("X", "D", array=np.arange(4.0)),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    found = read_columns(find_table(tmp_path / "t.fits"), ["A", "X"])
    assert (found["A"].tolist(), found["X"].tolist()) == ([b"abc", b"d", b"", b"e"], [0.0, 1.0, 2.0, 3.0])


def test_zeros_after_the_last_block_do_no_harm(files, made):
    with files[0].open("ab") as file:
        file.write(bytes(1000))
    assert len(read_survey(*files)) == len(made.allstar)


def test_chunks_make_no_difference(files, monkeypatch):
    whole = read_survey(*files)
    monkeypatch.setattr("halonmf.halo.io.fits.CHUNK_BYTES", 50_000)
    pieces = read_survey(*files)
    assert all(np.array_equal(whole[n], pieces[n], equal_nan=whole[n].dtype.kind == "f") for n in whole.colnames)


def test_any_element_of_the_survey_can_be_asked_for(files):
    table = read_survey(*files, elements=("FE_H", "MN_FE", "TIII_FE"))
    assert {"MN_FE_ERR", "TIII_FE_FLAG"} <= set(table.colnames)
    assert "AL_FE" not in table.colnames


def test_an_unknown_element_is_a_usage_error(files):
    with pytest.raises(UsageError, match="XX_FE"):
        read_survey(*files, elements=("XX_FE",))


def test_progress_ends_at_the_last_row(files):
    seen = []
    read_survey(*files, progress=lambda *args: seen.append(args))
    assert {("read allStar", 3000, 3000), ("read astroNN", 3000, 3000)} <= set(seen)


def test_a_shuffled_catalogue_is_joined_by_id(made, files):
    paired = read_survey(*files)
    order = np.random.default_rng(1).permutation(len(made.astronn))
    write_table(files[1], made.astronn[order])
    joined = read_survey(*files)
    kept = ~made.faults["no duplicates"]
    for name in ("distance", "pmra", "radial_velocity"):
        assert np.array_equal(joined[name][kept], paired[name][kept], equal_nan=True)


def test_stars_that_astronn_lacks_have_no_motion(made, files):
    write_table(files[1], made.astronn[: len(made.astronn) // 4 * 3])
    joined = read_survey(*files)
    assert np.isnan(joined["radial_velocity"][-500:]).all()
    assert np.isfinite(joined["radial_velocity"][:500][~made.faults["no duplicates"][:500]]).all()


def test_ids_repeated_beyond_the_flagged_duplicates_are_listed(made, files):
    allstar = made.allstar.copy()
    allstar["APOGEE_ID"][[10, 20]] = allstar["APOGEE_ID"][30]
    allstar["EXTRATARG"][[10, 20, 30]] = 0
    write_table(files[0], allstar)
    refused(*files, files[0].name, "1 APOGEE_ID repeated", allstar["APOGEE_ID"][30].decode())


def test_rows_of_astronn_that_nothing_tells_apart_are_listed(made, files):
    star = int(np.flatnonzero(~made.faults["no duplicates"])[7])
    extra = made.astronn[[star, star]].copy()
    extra["weighted_dist"] = [1000.0, 2000.0]
    write_table(files[1], np.concatenate([np.delete(made.astronn, star), extra]))
    refused(*files, files[1].name, "1 APOGEE_ID repeated", made.allstar["APOGEE_ID"][star].decode())


def test_equal_rows_of_astronn_are_as_good_as_one(made, files):
    write_table(files[1], np.concatenate([made.astronn, made.astronn[100:200]]))
    kept = ~made.faults["no duplicates"]
    assert np.isfinite(read_survey(*files)["radial_velocity"][kept]).all()


def test_a_catalogue_of_other_stars_is_refused(made, files):
    write_table(files[1], survey(3000, seed=99).astronn)
    refused(*files, files[1].name, "of the", "DR17")


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_cut_anywhere_is_refused(made, tmp_path, which):
    files = write_survey(tmp_path, survey(20, seed=1))
    whole = files[which].read_bytes()
    for cut in [0, 1, 79, 80, 2879, 2880, 2881, 5000, *np.linspace(5761, len(whole) - 1, 25, dtype=int)]:
        files[which].write_bytes(whole[:cut])
        refused(*files, files[which].name)


def test_headers_with_flipped_bytes_never_crash(tmp_path):
    files = write_survey(tmp_path, survey(20, seed=1))
    whole = files[1].read_bytes()
    rng = np.random.default_rng(0)
    end = len(whole) // 2880 * 2880 - 2880
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(0, min(end, 2880 * 4), 3):
            damaged[at] = rng.integers(0, 256)
        files[1].write_bytes(bytes(damaged))
        with suppress(InputError):  # anything else would be a crash
            read_survey(*files)


def test_a_web_page_is_named_as_such(files):
    files[0].write_text("<!DOCTYPE html>\n<html><body>Not found</body></html>")
    refused(*files, files[0].name, "web page")


def test_a_compressed_file_is_read_as_it_is(files, tmp_path):
    plain = read_survey(*files)
    packed = tmp_path / "packed.fits.gz"
    packed.write_bytes(gzip.compress(files[1].read_bytes(), 1))
    found = read_survey(files[0], packed)
    assert all(np.array_equal(plain[n], found[n], equal_nan=plain[n].dtype.kind == "f") for n in plain.colnames)


def test_a_damaged_compressed_file_is_refused(files):
    files[1].write_bytes(b"\x1f\x8b\x08\x00" + bytes(100))
    refused(*files, files[1].name, "damaged gzip")


def test_a_missing_file_is_named(files, tmp_path):
    refused(tmp_path / "nowhere.fits", files[1], "nowhere.fits", "no such file")


def test_a_table_in_another_extension_is_pointed_out(files):
    with fits.open(files[0]) as hdus:
        fits.HDUList([hdus[0], fits.ImageHDU(np.zeros((3, 3))), hdus[1]]).writeto(files[0].with_name("b.fits"))
    refused(files[0].with_name("b.fits"), files[1], "extension 1", "extension 2")


def test_missing_columns_are_listed_with_what_was_found(made, files):
    write_table(files[0], packed(without(made.allstar, "MG_FE_ERR", "EXTRATARG")))
    refused(*files, files[0].name, "MG_FE_ERR", "EXTRATARG", "TELESCOPE")


def test_swapped_files_are_recognised(files):
    refused(files[1], files[0], "swap", files[1].name)


def test_an_older_release_is_recognised(made, files):
    old = packed(without(made.allstar, "GAIAEDR3_SOURCE_ID"))
    old = packed(old.astype([("GAIA_SOURCE_ID" if n == "STARFLAG" else n, old.dtype[n]) for n in old.dtype.names]))
    write_table(files[0], old)
    refused(*files, "DR16", "GAIAEDR3_SOURCE_ID")


def test_an_array_valued_column_is_refused(made, files):
    rows = np.zeros(len(made.allstar), [(n, made.allstar.dtype[n]) for n in made.allstar.dtype.names if n != "FE_H"] +
                    [("FE_H", ">f4", (3,))])  # fmt: skip
    for name in made.allstar.dtype.names:
        rows[name] = made.allstar[name][:, None] if name == "FE_H" else made.allstar[name]
    write_table(files[0], rows)
    refused(*files, "FE_H", "3E", "release")


def test_a_table_without_rows_is_refused(made, files):
    hdu = fits.BinTableHDU(made.astronn[:0])
    hdu.writeto(files[1], overwrite=True)
    refused(*files, files[1].name, "no rows")


@pytest.mark.parametrize(("factor", "word"), [(1e-3, "kpc"), (1e3, "smaller")])
def test_distances_in_other_units_are_recognised(made, files, factor, word):
    rows = made.astronn.copy()
    rows["weighted_dist"][rows["weighted_dist"] > 0] *= factor
    write_table(files[1], rows)
    refused(*files, files[1].name, "pc", word)


def test_positions_off_the_sky_are_refused(made, files):
    rows = made.allstar.copy()
    rows["DEC"][17] = 123.0
    write_table(files[0], rows)
    refused(*files, files[0].name, "DEC", "row 17", "123")


def test_members_below_the_probability_are_left_out(tmp_path):
    (tmp_path / "a.txt").write_text(member_lines([5, 6], 0.8) + member_lines([7], 0.79))
    assert read_members(tmp_path / "a.txt").tolist() == [5, 6]
    assert read_members(tmp_path / "a.txt", 0.5).tolist() == [5, 6, 7]


def test_a_byte_order_mark_before_members_changes_nothing(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + member_lines([5, 6], 0.9).encode())
    assert read_members(tmp_path / "a.txt").tolist() == [5, 6]


def test_a_survey_with_whole_columns_in_one_row_is_told_how_to_save_it(made, files):
    rows = made.allstar
    Table({name: [np.asarray(rows[name])] for name in rows.dtype.names}).write(files[0], overwrite=True)
    refused(*files, "its one row has whole columns", "save it with a row for each star")


def test_members_are_the_same_from_folder_zip_and_fits(tmp_path):
    ids = np.arange(20, dtype=np.int64) * 1_000_003 + 6_000_000_000_000_000_001
    folder = write_members(tmp_path / "catalogues", ids)
    with zipfile.ZipFile(tmp_path / "clusters.zip", "w") as archive:
        for file in folder.glob("*.txt"):
            archive.write(file, f"catalogues/{file.name}")
        archive.writestr("readme.txt", "not a catalogue")
        archive.writestr("__MACOSX/catalogues/._NGC_104.txt", b"\x00\x05")
    Table({"SOURCE_ID": ids, "memberprob": np.full(20, 0.9)}).write(tmp_path / "members.fits")
    for path in (folder, tmp_path, tmp_path / "clusters.zip", tmp_path / "members.fits"):
        assert read_members(path).tolist() == ids.tolist()


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("page.txt", b"<html>404</html>", "web page"),
        ("few.txt", b"#source_id\n1 2 3\n", "column"),
        ("float.txt", b"1.5 " + b"0 " * 16 + b"\n", "source_id"),
        ("percent.txt", b"1 " + b"0 " * 15 + b"95\n", "between 0 and 1"),
        ("empty.txt", b"", "not a catalogue"),
        ("bytes.txt", b"\xff\xfe\x00" * 9, "not a catalogue"),
        ("broken.zip", b"PK\x03\x04" + bytes(50), "zip"),
    ],
)
def test_bad_member_files_are_refused(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=word) as caught:
        read_members(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_catalogues_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no \*\.txt"):
        read_members(tmp_path)


def test_a_fits_file_without_members_is_refused(files):
    with pytest.raises(InputError, match="SOURCE_ID"):
        read_members(write_table(files[1], np.zeros(3, [("A", ">f4")])))


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data with real APOGEE giants is absent")
def test_the_real_sample_is_read_whole():
    table = read_survey(DATA / "allStarLite-dr17-halo-giants.fits", DATA / "apogee_astroNN-dr17-halo-giants.fits")
    assert len(table) == 1202
    flags = np.all([np.asarray(table[f"{e}_FLAG"]) == 0 for e in ("FE_H", "AL_FE", "MG_FE")], axis=0)
    assert flags.sum() == 1198
