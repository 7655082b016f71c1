"""What is made from a fit that is not to be trusted says so, and is made all the same."""

import dataclasses

import pytest
from typer.testing import CliRunner

from halonmf import halo
from halonmf.cli import app
from halonmf.halo.fits.verdict import SOUND, UNSOUND, Verdict
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted

REASON = "few stars: 2 a bin"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untrusted")
    table, _ = planted(1500)
    table["APOGEE_ID"] = [f"2M{i:08d}" for i in range(len(table))]
    write_catalogue(folder / "stars.fits", table, CutFlow(len(table)), {})
    fit = halo.fit(table, bins="E:4,Lz:2", pixels=8, selection="all", loss="kullback-leibler")
    for word in (SOUND, UNSOUND):
        judged = Verdict(word, () if word == SOUND else (REASON,), "", {})
        halo.save(folder / f"{word.replace(' ', '-')}.h5", dataclasses.replace(fit, judged=judged))
    return folder


@pytest.mark.parametrize("word", [SOUND, UNSOUND])
@pytest.mark.parametrize("command", ["apply", "boundary", "members", "table", "likelihood"])
def test_the_products_of_an_untrusted_fit_say_so(made, tmp_path, command, word):
    fit = made / f"{word.replace(' ', '-')}.h5"
    stars = [] if command in ("table", "likelihood") else [str(made / "stars.fits")]
    output = tmp_path / ("out.fits" if command == "members" else "out.ecsv")
    extra = {"apply": ["--by", "E:4"], "table": ["--bootstrap", "0"]}.get(command, [])
    done = CliRunner().invoke(app, [command, str(fit), *stars, "-o", str(output), "-q", *extra])
    assert done.exit_code in (0, 4), done.output
    assert output.exists()
    assert (f"{fit}: {UNSOUND}: {REASON}" in done.stderr) == (word == UNSOUND)
