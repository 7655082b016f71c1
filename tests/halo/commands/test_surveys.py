"""From the files of each survey to a profile and a figure; and the mock recovered alike through each layout."""

import numpy as np
import pytest
from astropy.table import Table

from halonmf import halo
from halonmf.halo.mock.settings import FILES
from halonmf.halo.mock.survey import draw, write

from .test_help import ok, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("surveys")


@pytest.fixture(scope="module", params=FILES)
def files(request, folder):
    """The files of a small mock in one layout, written at the prompt."""
    where = folder / request.param
    ok("mock", where, "--stars", 5000, "--seed", 3, "--survey", request.param, "--quiet")
    return request.param, *(where / name for name in FILES[request.param])


@pytest.mark.slow
def test_a_survey_goes_from_its_files_to_a_profile_and_a_figure(files, tmp_path):
    name, catalogue, other = files
    said = ok("prepare", catalogue, "--distances", other, "-o", tmp_path / "stars.fits", "-q")
    assert f"survey {name}, by the columns of its catalogue" in said
    stars = halo.load(tmp_path / "stars.fits")
    assert len(stars) > 1000
    ok("fit", tmp_path / "stars.fits", "-o", tmp_path / "fit.h5", "--bins", "E:5,Lz:4", "--pixels", 20)
    ok("apply", tmp_path / "fit.h5", tmp_path / "stars.fits", "--by", "E:8:-2.3e5:-1.1e5", "-o", tmp_path / "p.ecsv")
    profile = Table.read(tmp_path / "p.ecsv")
    assert len(profile) == 8
    ok("plot", tmp_path / "fit.h5", tmp_path / "stars.fits", "-o", tmp_path / "figures")
    assert list((tmp_path / "figures").glob("*.png"))


@pytest.mark.slow
def test_a_survey_that_is_named_is_said_and_recorded(files, tmp_path):
    name, catalogue, other = files
    said = ok("prepare", "--survey", name, catalogue, other, "--flags", "0", "-o", tmp_path / "s.fits", "-q")
    assert f"survey {name}\n" in said
    settings = halo.load(tmp_path / "s.fits").provenance["settings"]
    assert (settings["survey"], settings["flags"]) == (name, "0")
    ok("prepare", catalogue, other, "--no-flags", "-o", tmp_path / "n.fits", "-q")
    assert halo.load(tmp_path / "n.fits").provenance["settings"]["flags"] == "none"


def test_a_survey_and_columns_exclude_each_other(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a\n1\n")
    found = run("prepare", path, "--survey", "mwm-dr19", "--columns", path, "-o", tmp_path / "s.fits")
    assert found.exit_code == 2
    assert "--survey or --columns, not both" in found.output


@pytest.mark.slow
def test_a_mock_is_recovered_alike_through_each_layout(folder):
    mock, found = draw(60_000, seed=2), {}
    for name in FILES:
        paths = write(folder / f"large-{name}", mock, layout=name)
        stars = halo.prepare(paths.allstar, paths.astronn, paths.members)
        fit = halo.fit(stars)
        crossing = halo.profile(fit, stars, "E:20:-2.5e5:-1.0e5").crossings[0]
        found[name] = (fit.mass_fractions[-1], crossing.at[0])
    fractions, crossings = np.array(list(found.values())).T
    assert np.ptp(fractions) < 0.003  # sampling scatter of one survey is 0.006
    assert np.ptp(crossings) < 600  # 0.006e5
