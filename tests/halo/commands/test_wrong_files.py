"""A file where another kind is expected: the error says what it is, what was expected, and which command makes one."""

import pytest

from .test_commands import small  # noqa: F401 - a fixture
from .test_help import run

CASES = {
    "a catalogue as a fit": (
        ("apply", "stars.fits", "stars.fits", "-o", "x.ecsv"),
        "stars.fits: a FITS file, as catalogues of stars are, expected a fit (.h5); make one with halonmf fit.",
    ),
    "a table as a fit": (
        ("report", "table.ecsv", "stars.fits", "-o", "x.html"),
        "table.ecsv: an ECSV table, as most results are, expected a fit (.h5); make one with halonmf fit.",
    ),
    "a fit as a catalogue": (
        ("fit", "fit.h5", "-o", "x.h5"),
        "fit.h5: not FITS but an HDF5 file, as fits are; give a catalogue of stars.",
    ),
    "a table as a catalogue": (
        ("fit", "table.ecsv", "-o", "x.h5"),
        "table.ecsv: not FITS but an ECSV table, as most results are; give a catalogue of stars.",
    ),
    "a fit as a boundary": (
        ("classify", "stars.fits", "--boundary", "fit.h5", "-o", "x.ecsv"),
        "fit.h5: an HDF5 file, as fits are, expected a table of this software (.ecsv, .vot or .fits).",
    ),
    "a fit as the stars of a paper": (
        ("paper", "new", "--stars", "fit.h5"),
        "fit.h5: not FITS but an HDF5 file, as fits are; give a catalogue of stars.",
    ),
    "a profile as a boundary": (
        ("classify", "stars.fits", "--boundary", "table.ecsv", "-o", "x.ecsv"),
        "table.ecsv: not a boundary with intervals; make one with halonmf boundary (--bootstrap above 0)",
    ),
    "a fit as a table of stars": (
        ("classify", "fit.h5", "--boundary", "line.ecsv", "-o", "x.ecsv"),
        "fit.h5: holds no table with columns; check the path.",
    ),
    "a fit as an ensemble": (
        ("summary", "fit.h5"),
        "fit.h5: is a file, expected the folder of a run; give that of halonmf ensemble.",
    ),
    "a file as a folder": (
        ("fetch", "sample", "-o", "stars.fits"),
        "stars.fits is a file, expected a folder; choose another.",
    ),
    "no such choice": (
        ("fit", "stars.fits", "-o", "x.h5", "--selection", "chemicaly-pure"),
        "Invalid value for '--selection': 'chemicaly-pure' is not one of 'chemically-pure'",
    ),
}


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("wrong")
    for name in ("stars.fits", "fit.h5"):
        (folder / name).write_bytes((small[0] / name).read_bytes())
    assert run("apply", folder / "fit.h5", folder / "stars.fits", "-o", folder / "table.ecsv").exit_code == 0
    few = ("-o", folder / "line.ecsv", "--bootstrap", 5)
    assert run("boundary", folder / "fit.h5", folder / "stars.fits", *few).exit_code == 0
    return folder


@pytest.mark.parametrize("case", CASES)
def test_the_error_says_what_the_file_is_and_what_was_expected(folder, case, monkeypatch):
    monkeypatch.chdir(folder)
    arguments, expected = CASES[case]
    before = sorted(path.name for path in folder.iterdir())
    done = run(*arguments)
    assert done.exit_code in {2, 3, 5}
    assert expected in " ".join(done.output.split())
    assert sorted(path.name for path in folder.iterdir()) == before
