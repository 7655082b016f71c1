"""What each long command tells of its progress: stages that rise to their ends, and steps in the order announced."""

from importlib import import_module

import pytest

from halonmf.halo.mock.galaxy import MockGalaxy, write_galaxy
from halonmf.halo.paper.galaxies import MOCK_COLUMNS

from ..helpers.recorded import Recorded
from .test_help import ok, run

MODULES = (
    *("checks", "compared", "components", "ensemble", "fit", "pages", "populations", "sensitivity"),
    *("simulations", "survey", "transfer", "whole"),
)
COMMANDS = {
    "fit": "fit STARS -o OUT.h5 --bins E:3,Lz:3 --pixels 8",
    "apply": "apply FIT STARS -o OUT.ecsv --by E:5",
    "boundary": "boundary FIT STARS -o OUT.ecsv --bootstrap 120",
    "plot": "plot FIT STARS -o OUT",
    "split": "split FIT STARS -o OUT --bootstrap 5",
    "table": "table FIT FIT2 -o OUT.ecsv --bootstrap 5",
    "likelihood": "likelihood KL -o OUT.ecsv",
    "eccentricity": "eccentricity FIT STARS -o OUT.ecsv --bootstrap 5",
    "members": "members FIT STARS -o OUT.fits",
    "report": "report FIT STARS -o OUT.html --bootstrap 5",
    "regions": "regions STARS -o OUT.ecsv",
    "aurora": "aurora FIT STARS -o OUT.ecsv",
    "compare": "compare FIT FIT2 STARS -o OUT.ecsv --replicates 5",
    "rank": "rank STARS -o OUT.ecsv --splits 2 --starts 1 --max-components 2 --bins E:3,Lz:3 --pixels 6",
    "stability": "stability STARS -o OUT.ecsv --starts 1 --vary-bins 3:4 --vary-pixels 6:8:2 --bins E:3,Lz:3",
    "injection": "injection STARS -o OUT.ecsv --widths 0.5 --numbers 50 --repeats 2 --bins E:3,Lz:3 --pixels 8",
    "search": "search STARS -o OUT.ecsv --draws 3 --folds 2 --no-figure --bins E:3,Lz:3 --pixels 8",
    "sensitivity": "sensitivity STARS -o OUT.ecsv --choice start --draws 1",
    "recompute": "recompute STARS -o OUT.fits",
    "ensemble": "ensemble STARS -o OUT --bootstrap 6 --batch 2 --bins E:3,Lz:3 --pixels 8 --no-figures",
    "mock": "mock OUT --stars 500",
    "demo": "demo OUT --stars 6000",
    "simulation": "simulation GALAXY --columns COLUMNS -o OUT.ecsv",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small mock with its fits, and a mock galaxy; by the words of `COMMANDS`."""
    folder = tmp_path_factory.mktemp("steps")
    ok("mock", folder / "mock", "--stars", 9000, "--seed", 3, "-q")
    (allstar,), (astronn,) = (list((folder / "mock").glob(x)) for x in ("allStar*", "apogee_astroNN*"))
    words = {name: folder / f"{name.lower()}.h5" for name in ("FIT", "FIT2", "KL")}
    words |= {"STARS": folder / "stars.fits", "COLUMNS": folder / "columns.toml", "ALLSTAR": allstar}
    words |= {"ASTRONN": astronn, "MEMBERS": folder / "mock" / "members"}
    ok("prepare", allstar, astronn, "-o", words["STARS"], "-q")
    few = ("--bins", "E:4,Lz:4", "--pixels", 12, "--device", "cpu", "-q")
    ok("fit", words["STARS"], "-o", words["FIT"], *few)
    ok("fit", words["STARS"], "-o", words["FIT2"], *few, "--init", "random")
    ok("fit", words["STARS"], "-o", words["KL"], *few, "--loss", "kullback-leibler")
    (words["GALAXY"],), _ = write_galaxy(folder / "galaxy", MockGalaxy(3000), blocks=1)
    words["COLUMNS"].write_text(MOCK_COLUMNS)
    return words


@pytest.fixture
def told(monkeypatch):
    """Everything that a command tells of, in place of what it shows."""

    class Shown(Recorded):
        def __init__(self, quiet, as_json=False):
            super().__init__()
            found.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def done(self, stage):
            return 0, 0

    found = []
    for name in MODULES:
        monkeypatch.setattr(import_module(f"halonmf.halo.commands.{name}"), "Terminal", Shown)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("command", [*COMMANDS, "prepare"])
def test_every_stage_rises_to_its_end_and_every_step_comes_in_its_turn(made, told, tmp_path, command):
    text = COMMANDS.get(command, "prepare ALLSTAR ASTRONN --members MEMBERS -o OUT.fits")
    words = {**{name: str(path) for name, path in made.items()}, "OUT": str(tmp_path / "out")}
    typed = []
    for word in text.split():
        stem, dot, suffix = word.partition(".")
        typed.append(words[stem] + dot + suffix if stem in words else word)
    result = run(*typed)
    assert result.exit_code in (0, 4), result.output  # 4 where so few stars do not converge
    (one,) = told
    one.check()
