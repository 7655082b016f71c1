"""What interrupted commands have kept, damaged or of others: one line with a remedy, or the same result again."""

import json
import os
import shutil

import numpy as np
import pytest

from halonmf.halo.checks import injection, penalties
from halonmf.halo.io import unfinished
from halonmf.halo.io.tables import load_table
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted
from .test_help import run

FIT = ("--pixels", "6", "--bins", "E:3", "--selection", "all", "-q")
CHECKS = {
    "search": ("--draws", "20", "--folds", "2", "--no-figure", *FIT),
    "stability": ("--starts", "1", "--vary-bins", "2:3", "--vary-pixels", "5:5", *FIT),
    "injection": ("--repeats", "1", "--widths", "0.1,0.5", "--numbers", "10,100", *FIT),
}
ENSEMBLE = ("--bootstrap", "3", "--batch", "2", "--sweep", "seed=0:1", "--no-figures", *FIT)
TEXTS = {
    "empty": "", "null": "null", "a list": "[]", "a number": "3", "endless": "[" * 100_000, "digits": "1" * 5000,
    "no text": None, "another layout": '{"halonmf": "unfinished", "layout": 2}', "NaN": '{"layout": NaN}',
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(penalties, "BATCH", 7)
        patched.setattr(injection, "BATCH", 3)
        yield


@pytest.fixture(scope="module")
def kept(small_batches, tmp_path_factory):
    """The folder of the stars, and what each command has kept and made."""
    folder = tmp_path_factory.mktemp("kept")
    table = planted(600)[0]
    table["APOGEE_ID"] = [f"2M{i:08d}" for i in range(len(table))]
    write_catalogue(folder / "stars.fits", table, CutFlow(len(table)), {})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(unfinished.Unfinished, "remove", lambda self: None)
        for name, options in CHECKS.items():
            made = run(name, folder / "stars.fits", "-o", folder / f"{name}.ecsv", *options)
            assert made.exit_code in (0, 4), made.output
    assert run("ensemble", folder / "stars.fits", "-o", folder / "run", *ENSEMBLE).exit_code in (0, 4)
    return folder


def numbers(path):
    table = load_table(path)
    return [np.asarray(table[name]).tolist() for name in table.colnames if table[name].dtype.kind != "O"]


def resumed(kept, folder, name):
    return run(name, kept / "stars.fits", "-o", folder / f"{name}.ecsv", *CHECKS[name], "--resume")


def copied(kept, folder, name):
    return shutil.copytree(kept / f"{name}.ecsv.partial", folder / f"{name}.ecsv.partial")


def refused(result, *words):
    line = result.stderr.strip()
    assert result.exit_code in (2, 3, 5), result.output
    assert "\n" not in line
    assert line.isprintable()
    assert all(word in line for word in words), line


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("text", TEXTS)
def test_settings_that_cannot_be_read_are_refused_with_a_remedy(kept, tmp_path, name, text):
    path = copied(kept, tmp_path, name) / "settings.json"
    path.write_bytes(b"\xff\xfe" if TEXTS[text] is None else TEXTS[text].encode())
    refused(resumed(kept, tmp_path, name), "settings.json", "begin again by removing the folder (--overwrite")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize(
    "change", [{"version": "9.9"}, {"fit": None}, {"fit": 2**70}, {"\x1b[2J": "\x1b"}, {"fit": "x"}]
)
def test_settings_of_another_version_or_type_are_named(kept, tmp_path, name, change):
    path = copied(kept, tmp_path, name) / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    refused(resumed(kept, tmp_path, name), "with other settings", "or begin again by removing the folder")


@pytest.mark.parametrize("name", CHECKS)
def test_the_folder_of_another_command_is_refused_and_its_pieces_are_made_again(kept, tmp_path, name):
    other = next(one for one in CHECKS if one != name)
    folder = copied(kept, tmp_path, name)
    shutil.copy(kept / f"{other}.ecsv.partial" / "settings.json", folder)
    refused(resumed(kept, tmp_path, name), f"check: {other} there, {name} here")
    shutil.copy(kept / f"{name}.ecsv.partial" / "settings.json", folder)
    for path in (kept / f"{other}.ecsv.partial").glob("0*.h5"):
        shutil.copy(path, folder)
    assert resumed(kept, tmp_path, name).exit_code in (0, 4)
    assert numbers(tmp_path / f"{name}.ecsv") == numbers(kept / f"{name}.ecsv")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("what", ["cut", "empty", "flipped", "folder", "pipe", "link"])
def test_a_damaged_piece_is_made_again_or_refused_by_name(kept, tmp_path, name, what):
    path = sorted(copied(kept, tmp_path, name).glob("0*.h5"))[0]
    data = bytearray(path.read_bytes())
    path.unlink()
    if what in ("folder", "pipe", "link"):
        {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "link": lambda: path.symlink_to("/dev/zero")}[what]()
        refused(resumed(kept, tmp_path, name), path.name)
        return
    data[len(data) // 2] ^= 255
    path.write_bytes({"cut": bytes(data[:500]), "empty": b"", "flipped": bytes(data)}[what])
    assert resumed(kept, tmp_path, name).exit_code in (0, 4)
    assert numbers(tmp_path / f"{name}.ecsv") == numbers(kept / f"{name}.ecsv")


@pytest.mark.parametrize("command", ["ensemble", "summary", "info"])
@pytest.mark.parametrize("file", ["settings.json", "verdict.json"])
@pytest.mark.parametrize(
    "text", ["", "null", "[]", "3", "[" * 100_000, "1" * 5000, '{"run": NaN, "schema": NaN}', "pipe"]
)
def test_a_run_whose_files_are_damaged_is_refused_in_a_line(kept, tmp_path, command, file, text):
    folder = shutil.copytree(kept / "run", tmp_path / "run")
    (folder / file).unlink(missing_ok=True)
    if text == "pipe":
        os.mkfifo(folder / file)
    else:
        (folder / file).write_text(text)
    options = {
        "ensemble": (kept / "stars.fits", "-o", folder, *ENSEMBLE, "--resume"),
        "summary": (folder, "--no-figures", "-q"),
        "info": (folder,),
    }[command]
    result = run(command, *options)
    if file == "verdict.json" and text.startswith('{"run": NaN'):
        assert result.exit_code in (0, 4)  # of no run: measured again
    else:
        refused(result, file)
