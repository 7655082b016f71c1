"""Tables as ECSV: what is read is what was written, or the file says that it is not."""

import numpy as np
import pytest
from astropy import units
from astropy.table import QTable

from halonmf.halo.errors import InputError
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
