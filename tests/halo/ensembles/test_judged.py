"""The verdict in a run's folder: what was changed or is none is refused in a line, and nothing waits for it."""

import json
import os
from types import SimpleNamespace

import pytest

from halonmf.halo.ensembles.judged import read_verdict
from halonmf.halo.ensembles.run import VERDICT
from halonmf.halo.errors import InputError
from halonmf.halo.io.kept import SEAL
from halonmf.halo.io.provenance import settings_sha256

RECORD = {
    "halonmf": "verdict",
    "run": "0",
    "verdict": {"word": "doubtful", "reasons": ["few stars"], "advice": "take more", "measures": {"gain": 2.5}},
}


@pytest.fixture
def run(tmp_path):
    (tmp_path / VERDICT).write_text(json.dumps({**RECORD, SEAL: settings_sha256(RECORD)}))
    return SimpleNamespace(folder=tmp_path, sha256="0")


def test_a_verdict_is_read_and_that_of_another_run_is_none(run):
    assert read_verdict(run).word == "doubtful"
    run.sha256 = "1"
    assert read_verdict(run) is None


def test_a_verdict_of_an_earlier_version_has_no_checksum_and_is_read(run):
    (run.folder / VERDICT).write_text(json.dumps(RECORD))
    assert read_verdict(run).measures == {"gain": 2.5}


@pytest.mark.parametrize("change", ["word", "reasons", "advice", "measures"])
def test_a_changed_verdict_is_refused(run, change):
    record = json.loads((run.folder / VERDICT).read_text())
    record["verdict"][change] = {"word": "sound", "reasons": [], "advice": "", "measures": {"gain": 2.6}}[change]
    (run.folder / VERDICT).write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"another checksum.*; remove it and run again with --resume"):
        read_verdict(run)


@pytest.mark.parametrize("text", ["", "null", "[]", "3", "{}", "[" * 100_000, "1" * 5000, '{"run": "0"}', "x" * 2**21])
def test_a_verdict_of_any_other_content_is_refused_in_a_line(run, text):
    (run.folder / VERDICT).write_text(text)
    with pytest.raises(InputError, match="remove it and run again with --resume") as caught:
        read_verdict(run)
    assert str(caught.value).isprintable()


def test_a_pipe_is_not_waited_for(run):
    (run.folder / VERDICT).unlink()
    assert read_verdict(run) is None
    os.mkfifo(run.folder / VERDICT)
    with pytest.raises(InputError, match="is a pipe or a device"):
        read_verdict(run)
