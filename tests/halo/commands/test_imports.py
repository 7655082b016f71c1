"""What the everyday commands load: each library costs a tenth of a second to one, however little there is to do."""

import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("words", [("fit", "none.fits"), ("prepare", "none.fits", "none.fits"), ("info", "none.h5")])
def test_a_missing_input_is_said_before_libraries_are_loaded(tmp_path, words):
    code = (
        "import sys; from halonmf.cli import main\n"
        f"sys.argv = ['halonmf', *{words!r}]\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, {'numpy', 'astropy', 'torch', 'numba'} & set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["3", "none"]
    assert done.stderr == f"halonmf: {words[1]}: no such file; check the path.\n"
