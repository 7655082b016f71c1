"""What the everyday commands load: each library costs a tenth of a second to one, however little there is to do."""

import importlib
import resource
import subprocess
import sys
from inspect import Parameter
from pathlib import Path
from typing import get_args

import pytest
import typer

from halonmf.cli import app
from halonmf.halo.fields import Argument

from .test_help import run

SMALL = ("--bins", "E:3,Lz:3", "--pixels", 8, "--selection", "all", "--device", "cpu")
ENSEMBLE = ("ensemble", "stars.fits", "-o", "other", "--bootstrap", 4, *SMALL, "--overwrite")
DRAWING = {"matplotlib"}
# of scikit-learn only benchmarks and the estimator make use; bars of rich's are for terminals
NEVER = {"sklearn", "rich", "pandas", "matplotlib.pyplot", "matplotlib.backends.backend_pdf", "IPython"}
ENGINE = {"torch", "numba"}
# for problems that neither kernels nor NumPy solve
TORCH = {"torch"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loaded")
    assert run("mock", folder / "mock", "--stars", 6000, "--seed", 3, "-q").exit_code == 0
    files = *folder.glob("mock/allStar*"), *folder.glob("mock/apogee_astroNN*")
    assert run("prepare", *files, "-o", folder / "stars.fits", "-q").exit_code == 0
    assert run("fit", folder / "stars.fits", "-o", folder / "fit.h5", *SMALL, "-q").exit_code == 0
    made = run("ensemble", folder / "stars.fits", "-o", folder / "run", "--bootstrap", 4, *SMALL, "-q")
    assert made.exit_code == 0, made.output
    return folder


def loaded(folder, *words):
    """Return the modules that a command has loaded when it ends."""
    code = (
        f"import sys; sys.argv = {['halonmf', *map(str, words)]}\n"
        "from halonmf.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(*sys.modules, file=open('modules.txt', 'w'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=folder)
    return set((folder / "modules.txt").read_text().split())


@pytest.mark.parametrize(
    ("words", "without"),
    [
        (("info", "fit.h5"), ENGINE | DRAWING | {"scipy"}),
        (("info", "stars.fits"), ENGINE | DRAWING | {"scipy"}),
        (("summary", "run"), ENGINE | DRAWING | {"scipy"}),  # its figures are there
        (("summary", "run", "--no-figures", "--interval", "basic"), ENGINE | DRAWING | {"scipy"}),
        (("fit", "stars.fits", "-o", "other.h5", "--overwrite", *SMALL), DRAWING | TORCH),
        (("apply", "fit.h5", "stars.fits", "-o", "profile.ecsv", "--overwrite"), DRAWING),
        (
            ("ensemble", "stars.fits", "-o", "other", "--bootstrap", 4, *SMALL, "--no-figures", "--overwrite"),
            DRAWING | TORCH,
        ),
        (("ensemble", "stars.fits", "-o", "other", "--bootstrap", 4, *SMALL, "--overwrite"), TORCH),
    ],
    ids=lambda x: "-".join(map(str, x[:2])) if isinstance(x, tuple) else "",
)
def test_a_command_loads_only_what_it_needs(folder, words, without):
    assert not loaded(folder, *words) & (without | NEVER)


def test_a_summary_that_draws_loads_no_engine(folder):
    (folder / "run" / "figures" / "fractions.png").unlink()
    found = loaded(folder, "summary", "run")
    assert "matplotlib" in found
    assert not found & (ENGINE | NEVER | {"scipy"})


HEAVY = {"numpy", "astropy", "scipy", "torch", "numba", "h5py", "matplotlib", "requests", "pooch"}
WRITERS = {"mock", "demo", "bench"}
"""Commands that read no file."""
EVERYDAY = typer.main.get_command(app)


def calls():
    """Calls of every command with a file that is not there: for each argument alone, and for each option of a path."""
    for name, module in EVERYDAY.modules.items():
        one = getattr(importlib.import_module(f"halonmf.halo.commands.{module}"), name)
        arguments = [x for x in one.fields if isinstance(x.option, Argument)]
        paths = [x for x in one.fields if not x.option.written and Path in (x.type, *get_args(x.type))]
        needed = [word for x in arguments if x.default is Parameter.empty for word in ("there",)]
        must = [y for x in one.fields if x.flags and x.default is Parameter.empty for y in (x.flags[0], "there")]
        for x in paths:
            if x in arguments:
                place = arguments.index(x)
                words = [*needed, *["there"] * (place + 1 - len(needed))]
                yield name, (*words[:place], "none.x", *words[place + 1 :], *must)
            elif x.flags[0] in must:
                where = must.index(x.flags[0])
                yield name, (*needed, *must[: where + 1], "none.x", *must[where + 2 :])
            else:
                yield name, (*needed, *must, x.flags[0], "none.x")


CALLS = list(calls())


def test_every_command_that_reads_a_file_is_among_the_calls():
    assert {name for name, _ in CALLS} == EVERYDAY.modules.keys() - WRITERS


@pytest.mark.parametrize(("name", "words"), CALLS, ids=[f"{name} {' '.join(words)}" for name, words in CALLS])
def test_a_missing_input_is_said_within_half_a_second_before_libraries_are_loaded(tmp_path, name, words):
    (tmp_path / "there").touch()
    code = (
        "import sys; from halonmf.cli import main\n"
        f"sys.argv = {['halonmf', name, *words]!r}\n"
        "try: main()\n"
        f"except SystemExit as end: print(end.code, {HEAVY!r} & set(sys.modules) or 'none')"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.split() == ["3", "none"]
    assert done.stderr == "halonmf: none.x: no such file; check the path.\n"
    # of the processor, so that a busy machine does not fail it
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
