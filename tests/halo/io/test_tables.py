"""Tables as ECSV: what is read is what was written, or the file says that it is not."""

import numpy as np
import pytest
from astropy import units
from astropy.table import Column, MaskedColumn, QTable

from halonmf.halo.errors import InputError, OutputError
from halonmf.halo.io.tables import SEAL, load_table, save_table


@pytest.fixture
def path(tmp_path):
    table = QTable({"E": np.linspace(-2, -1, 5) * 1e5 * units.km**2 / units.s**2, "name": list("abcd\u00e9")})
    table.meta["content_sha256_of_another"] = "1" * 64
    return save_table(tmp_path / "t.ecsv", table, {"inputs": [{"sha256": "2" * 64}]})


def test_a_table_comes_back_without_its_checksum(path):
    table = load_table(path)
    assert table["E"].unit == units.km**2 / units.s**2
    assert table["name"][-1] == "\u00e9"
    assert table.meta["provenance"] == {"inputs": [{"sha256": "2" * 64}]}
    assert SEAL not in table.meta


def test_no_changed_byte_changes_a_value(path):
    whole, right = path.read_bytes(), load_table(path)
    unseen = 0
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            found = load_table(path)
        except InputError:
            continue
        unseen += 1  # in the name of the seal, without which a file is one of an earlier version
        assert found.colnames == right.colnames
        assert (found["E"] == right["E"]).all()
        assert (found["name"] == right["name"]).all()
        assert found.meta["provenance"] == right.meta["provenance"]
    assert unseen < 10


def test_a_table_edited_on_purpose_opens_without_its_seal(path):
    text = path.read_text(encoding="utf-8")
    changed = text.replace("-200000.0", "-210000.0")
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(InputError, match="or was edited"):
        load_table(path)
    path.write_text("\n".join(x for x in changed.splitlines() if SEAL + ": " not in x), encoding="utf-8")
    assert load_table(path)["E"][0].value == -210000


def test_a_byte_order_mark_is_no_damage(path):
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load_table(path)) == 5


def test_metadata_that_nest_without_end_are_refused(tmp_path):
    deep = "[" * 20_000
    (tmp_path / "t.ecsv").write_text(f"# %ECSV 1.0\n# ---\n# meta: {deep}\n# datatype:\n# - {{name: a}}\na\n1\n")
    with pytest.raises(InputError, match="cannot be read as ECSV"):
        load_table(tmp_path / "t.ecsv")


def test_aliases_that_multiply_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    head = "\n".join(f"#   {line}" for line in lines)
    (tmp_path / "t.ecsv").write_text(f"# %ECSV 1.0\n# ---\n# meta:\n{head}\n# datatype:\n# - {{name: a}}\na\n1\n")
    with pytest.raises(InputError, match="aliases that make"):
        load_table(tmp_path / "t.ecsv")


FORMS = [".ecsv", ".vot", ".fits"]


def _again(folder, suffix, **columns):
    return load_table(save_table(folder / f"t{suffix}", QTable(columns), {"command": "test"}))


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("text", ["blank at the end ", "  ", "#1", "#x y", "# z", "\r", "a\rb", '"', "--", "'"])
def test_no_text_of_a_user_loses_a_row_or_the_seal(tmp_path, suffix, text):
    found = _again(tmp_path, suffix, name=[text, "b"], n=[1, 2])
    assert list(found["n"]) == [1, 2]
    assert found["name"][0].split() == text.split()


def test_a_text_that_ecsv_would_lose_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"lines that are empty or begin with #.*name it \.vot"):
        _again(tmp_path, ".ecsv", name=["a\n#b", "c"])


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("used", [[999_999, 5, -(2**63)], [2**53 + 1, 2**63 - 1, -(2**63) + 1]])
def test_missing_integers_take_no_number_that_is_used(tmp_path, suffix, used):
    column = MaskedColumn([*used, 7], mask=[False, False, False, True])
    found = _again(tmp_path, suffix, ident=column)["ident"]
    assert list(found.mask) == [False, False, False, True]
    assert found[:3].tolist() == used


def test_every_integer_of_a_byte_may_be_used_but_one(tmp_path):
    column = MaskedColumn(np.arange(256, dtype=np.uint8), mask=np.arange(256) == 77)
    found = _again(tmp_path, ".fits", flag=column)["flag"]
    assert np.flatnonzero(found.mask).tolist() == [77]


def test_short_integers_do_not_become_truth_values(tmp_path):
    assert _again(tmp_path, ".fits", n=np.array([-3, 0, 5], np.int8))["n"].tolist() == [-3, 0, 5]


def test_fits_refuses_truth_values_that_are_missing(tmp_path):
    with pytest.raises(OutputError, match="truth values are missing in b"):
        _again(tmp_path, ".fits", b=MaskedColumn([True, False], mask=[True, False]))


def test_a_name_too_long_for_fits_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="68 characters"):
        _again(tmp_path, ".fits", **{"x" * 80: [1.0]})


@pytest.mark.parametrize("suffix", FORMS)
def test_nan_is_a_number_and_not_masked(tmp_path, suffix):
    found = _again(tmp_path, suffix, E=np.array([np.nan, -1.0]) * units.km**2 / units.s**2)["E"]
    assert type(found) is units.Quantity
    assert np.isnan(found[0])


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("unit", ["dex", "dex(cm/s2)", "furlong per night", '"', "1e5 km2/s2", "electron"])
def test_odd_units_come_back(tmp_path, suffix, unit):
    unit = units.Unit(unit, parse_strict="silent")
    found = _again(tmp_path, suffix, x=Column([1.5, 2.25], unit=unit))["x"]
    assert found.unit == unit
    assert np.asarray(found.value).tolist() == [1.5, 2.25]


def test_line_ends_of_windows_are_no_damage(path):
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(load_table(path)) == 5
