"""Runs that someone forged, every checksum right: refused in one line, whatever they hold."""

import json
import shutil

import numpy as np
import pytest

from halonmf.halo.ensembles import batchfile
from halonmf.halo.ensembles.batchfile import Computed
from halonmf.halo.ensembles.judged import read_verdict
from halonmf.halo.ensembles.run import VERDICT, batch_path, identity, open_run
from halonmf.halo.ensembles.summary import summarise
from halonmf.halo.errors import InputError

from ..helpers.fake_run import run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(folder)
    return folder


def forge(whole, folder, change):
    """A run whose first batch has other products, under a right checksum."""
    shutil.copytree(whole, folder)
    header, computed = batchfile.decode(batch_path(folder, 0).read_bytes())
    parts = [
        Computed(one.part, *change(dict(one.replicates), dict(one.base), dict(one.coordinates))) for one in computed
    ]
    batch_path(folder, 0).write_bytes(batchfile.encode(header.run, header.index, parts))
    return open_run(folder)


def test_texts_nested_without_end_are_refused(whole, tmp_path):
    with pytest.raises(InputError, match="has a header that cannot be read"):
        batchfile.read_header(batchfile._head(b"[" * 100_000, b""))
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / VERDICT).write_text("[" * 100_000)
    with pytest.raises(InputError, match=rf"{VERDICT}: damaged"):
        read_verdict(open_run(tmp_path / "run"))


@pytest.mark.parametrize(
    "change",
    [
        lambda replicates, base, coordinates: ({"other": replicates["n"]}, base, coordinates),
        lambda replicates, base, coordinates: ({**replicates, "more": replicates["n"]}, base, coordinates),
        lambda replicates, base, coordinates: (
            {**replicates, "mass_fraction": replicates["n"][:, None]}, base, coordinates),
        lambda replicates, base, coordinates: (
            {**replicates, "n": np.zeros((len(replicates["n"]), 2, 2))}, base, coordinates),
    ],
)  # fmt: skip
def test_batches_that_do_not_belong_together_are_refused(whole, tmp_path, change):
    forged = forge(whole, tmp_path / "run", change)
    assert 0 in forged.headers  # its checksum is right
    with pytest.raises(InputError, match="do not belong together"):
        forged.replicates(0)


def test_a_run_of_products_that_no_run_makes_is_refused_by_the_summary(whole):
    # made-up fits have neither a status nor products that a summary knows
    with pytest.raises(InputError, match=r"hold other products than a run makes \(KeyError: 'status'\)"):
        summarise(open_run(whole))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bootstrap": 10**15}, "parts, more than 1,000,000"),
        ({"bootstrap": 10**9, "batch": 1}, "parts, more than 1,000,000"),
        ({"bootstrap": "many"}, "invalid literal"),
        ({"sweeps": [{"name": n, "values": list(range(1, 90_001))} for n in ("seed", "pixels")]}, "more than 100,000"),
        ({"sweeps": [{"name": "seed", "values": [[1], None]}]}, "expected numbers or texts, got list"),
        ({"sweeps": [{}]}, "'name'"),
    ],
)
def test_settings_that_no_run_has_are_refused_at_once(whole, tmp_path, change, says):
    shutil.copytree(whole, tmp_path / "run")
    path = tmp_path / "run" / "settings.json"
    record = json.loads(path.read_text())
    record["plan"] |= change
    path.write_text(json.dumps(record | {"settings_sha256": identity(record)}))
    with pytest.raises(InputError, match="its plan cannot be read") as caught:
        open_run(tmp_path / "run")
    assert says in str(caught.value)
