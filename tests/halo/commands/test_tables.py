"""Tables of commands in every form, and what their columns say: of stars, of products, of a mock's truth."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from halonmf import halo
from halonmf.halo.io.hdus import from_hdu

from ..helpers.columns import faults
from .test_commands import ALLSTAR, ASTRONN, real, small  # noqa: F401 - a fixture
from .test_help import ok

FORMS = ("ecsv", "vot", "xml", "fits")


@pytest.fixture(scope="module", params=FORMS)
def chain(small, request, tmp_path_factory):  # noqa: F811
    """The folder of a boundary, what it says of stars, and a profile, all of one form."""
    folder, _ = small
    made, form = tmp_path_factory.mktemp("chain"), request.param
    inputs = folder / "fit.h5", folder / "stars.fits"
    line = made / f"boundary.{form}"
    ok("boundary", *inputs, "-o", line, "--grid", 4, "--bootstrap", 0)
    ok("classify", folder / "stars.fits", "--boundary", line, "-o", made / f"classified.{form}")
    ok("apply", *inputs, "-o", made / f"profile.{form}")
    return made, form


def test_a_command_reads_the_table_that_another_wrote_in_any_form(chain):
    made, form = chain
    found = halo.load(made / f"classified.{form}")
    line = halo.load(made / f"boundary.{form}")
    assert found.meta["convention"] == line.meta["convention"]
    assert 0 < found["accreted"].sum() < len(found)


def test_the_columns_of_every_form_say_what_they_are(chain):
    made, form = chain
    for name, kind in (("boundary", "boundary"), ("profile", ""), ("classified", "classify")):
        assert faults(halo.load(made / f"{name}.{form}"), kind) == []


def test_info_tells_of_every_form_what_it_tells_of_ecsv(chain):
    made, form = chain
    facts = json.loads(ok("info", made / f"profile.{form}", "--json"))
    assert facts["kind"] == "table"
    assert facts["columns"]["lower"] == "km2 / s2"
    assert facts["provenance"]["command"] == "apply"
    assert {"fraction_LE", "fraction_HE"} < set(facts["columns"])


def test_a_prepared_catalogue_says_what_its_columns_are(small):  # noqa: F811
    folder, _ = small
    assert faults(halo.load(folder / "stars.fits").table, "stars") == []


def test_astropy_and_stil_read_the_stars_first(small):  # noqa: F811
    folder, _ = small
    stars = halo.load(folder / "stars.fits").table
    found = QTable.read(folder / "stars.fits", hdu=1)
    np.testing.assert_array_equal(found["E"], stars["E"])
    stilts = shutil.which("stilts")
    if stilts is None:
        pytest.skip("stilts, which needs Java, is not on the path")
    words = ["tpipe", f"in={folder / 'stars.fits'}", "ifmt=fits", "cmd=meta Name Units UCD Description", "ofmt=csv"]
    said = subprocess.run([stilts, *words], capture_output=True, text=True, timeout=120, check=True).stdout
    rows = [line.split(",", 3) for line in said.splitlines()[1:]]
    assert [row[0] for row in rows] == stars.colnames
    assert ["E", "km2 s-2", "phys.energy"] in [row[:3] for row in rows]
    assert all(all((name, ucd, text)) for name, _, ucd, text in rows)


def test_the_truth_of_a_mock_says_what_its_columns_are(small):  # noqa: F811
    folder, _ = small
    with fits.open(folder / "mock" / "truth.fits") as hdus:
        assert faults(from_hdu(hdus[1]), "truth") == []


def test_the_catalogue_of_members_says_what_its_columns_are(small, tmp_path):  # noqa: F811
    folder, _ = small
    ok("members", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "members.fits")
    table = halo.load(tmp_path / "members.fits").table
    assert {"P_LE", "P_HE", "bin", "images"} < set(table.colnames)
    assert faults(table, "stars") == []


@pytest.mark.parametrize("form", ["ecsv", "vot", "fits"])
def test_members_are_the_same_stars_in_every_form(small, tmp_path, form):  # noqa: F811
    folder, _ = small
    inputs = folder / "fit.h5", folder / "stars.fits"
    ok("members", *inputs, "-o", tmp_path / "right.fits")
    ok("members", *inputs, "-o", tmp_path / f"members.{form}")
    right, found = halo.load(tmp_path / "right.fits"), halo.load(tmp_path / f"members.{form}")
    table = found.table if form == "fits" else found
    assert table.colnames == right.table.colnames
    for name in ("APOGEE_ID", "E", "P_HE", "bin"):
        np.testing.assert_array_equal(np.asarray(table[name]), np.asarray(right.table[name]))
        assert table[name].unit == right.table[name].unit
    assert faults(table, "stars") == []
    if form != "fits":
        assert table.meta["cutflow"]["passed"] == right.cutflow.passed == len(table)
        assert table.meta["provenance"]["command"] == "members"
        assert table.meta["convention"] == right.table.meta["convention"]


def test_all_tables_of_a_split_say_what_their_columns_are(small, tmp_path):  # noqa: F811
    folder, _ = small
    ok("split", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "four", "--bootstrap", 3, "--quiet")
    kinds = {"boundary": "boundary", "table1": "table"}
    paths = sorted((tmp_path / "four").glob("*.ecsv"))
    assert len(paths) == 5
    for path in paths:
        assert faults(halo.load(path), kinds.get(path.stem, "")) == []


@real
def test_a_catalogue_of_real_stars_says_what_its_columns_are(tmp_path):
    ok("prepare", ALLSTAR, ASTRONN, "-o", tmp_path / "stars.fits", "-q")
    assert faults(halo.load(tmp_path / "stars.fits").table, "stars") == []


def test_members_state_what_their_energies_are_measured_in(small, tmp_path):  # noqa: F811
    folder, _ = small
    ok("members", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "members.fits")
    stars, members = (halo.load(path).convention for path in (folder / "stars.fits", tmp_path / "members.fits"))
    assert members == stars is not None
