"""The commands on components, on files: what they write, print and exit with."""

import numpy as np
import pytest

import halonmf.halo as halo
from halonmf.halo.commands.components import SPLIT_FILES

from ..helpers.planted import SMALL, planted, planted_fit
from .test_help import ok, run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small mock, prepared, fitted and split once; and what the split said."""
    folder = tmp_path_factory.mktemp("made")
    ok("mock", folder / "mock", "--stars", 9000, "--seed", 3, "-q")
    catalogues = (next((folder / "mock").glob(pattern)) for pattern in ("allStar*", "apogee_astroNN*"))
    ok("prepare", *catalogues, "-o", folder / "stars.fits", "-q")
    ok("fit", folder / "stars.fits", "-o", folder / "fit.h5", "--bins", "E:5,Lz:4", "--pixels", 20, "--device", "cpu")
    said = ok("split", *arguments(folder), "--bins", 3, "--bootstrap", 10, "-o", folder / "four", "--device", "cpu")
    return folder, said


def arguments(folder):
    return folder / "fit.h5", folder / "stars.fits"


def test_split_writes_fits_and_tables_that_can_be_used(made, tmp_path):
    folder, said = made
    assert sorted(path.name for path in (folder / "four").iterdir()) == sorted(SPLIT_FILES)
    four = halo.load(folder / "four" / "four.h5")
    assert four.names == ("LE2", "LE1", "HE2", "HE1")
    assert four.provenance["command"] == "split"
    assert four.provenance["settings"]["split"]["bins"] == 3
    high = halo.load(folder / "four" / "HE.h5")
    assert f"HE: {high.cutflow.passed:,} stars, HE1 " in said
    ok("apply", folder / "four" / "four.h5", folder / "stars.fits", "--by", "r:4:2:14", "-o", tmp_path / "r.ecsv")
    assert halo.load(tmp_path / "r.ecsv").meta["components"] == list(four.names)


def test_split_re_applies_the_four_against_the_papers_distances(made):
    folder, _ = made
    for name, width in (("r_sph", 1.2), ("z_gal", 1.0), ("R_cyl", 1.2)):
        table = halo.load(folder / "four" / f"{name}.ecsv")
        assert np.allclose((table["upper"] - table["lower"]).value, width)
        total = sum(table[f"fraction_{one}"] for one in ("LE2", "LE1", "HE2", "HE1"))
        assert np.allclose(total[np.isfinite(total)], 1)


def test_table_gives_what_split_wrote(made, tmp_path):
    folder, _ = made
    fits = folder / "fit.h5", folder / "four" / "HE.h5", folder / "four" / "LE.h5"
    said = ok("table", *fits, "--bootstrap", 10, "-o", tmp_path / "t.ecsv")
    assert "6 components" in said
    table, written = halo.load(tmp_path / "t.ecsv"), halo.load(folder / "four" / "table1.ecsv")
    for name in table.colnames:
        same = np.array_equal if name == "component" else np.allclose
        assert same(table[name], written[name]), name


def test_table_of_four_together_has_no_intervals(made, tmp_path):
    folder, _ = made
    result = run("table", folder / "four" / "four.h5", "-o", tmp_path / "t.ecsv")
    assert result.exit_code == 2
    assert "come from the fits of two parts" in result.output
    ok("table", folder / "four" / "four.h5", "-o", tmp_path / "t.ecsv", "--bootstrap", 0)
    assert np.isnan(halo.load(tmp_path / "t.ecsv")["FE_H_lower"]).all()


def test_split_checks_its_outputs_before_it_computes(made, tmp_path):
    folder, _ = made
    (tmp_path / "r_sph.ecsv").write_text("mine")
    result = run("split", *arguments(folder), "-o", tmp_path)
    assert result.exit_code == 5
    assert "r_sph.ecsv: exists already" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["r_sph.ecsv"]


def test_too_few_stars_in_a_part_are_bad_data(made, tmp_path):
    folder, _ = made
    result = run("split", *arguments(folder), "-o", tmp_path / "four", "--min-stars", 100_000)
    assert result.exit_code == 3
    assert "too few for two components in 5 x 5 bins" in result.output
    assert not (tmp_path / "four").exists()


@pytest.mark.parametrize("wrong", [("--percentiles", "a"), ("--bootstrap", "1"), ("--level", "2")])
def test_wrong_usage_of_table_is_one_line(made, tmp_path, wrong):
    folder, _ = made
    result = run("table", folder / "fit.h5", "-o", tmp_path / "t.ecsv", *wrong)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1


@pytest.fixture
def by_likelihood(tmp_path):
    halo.save(tmp_path / "kl.h5", planted_fit("kullback-leibler"))
    return tmp_path / "kl.h5"


def test_likelihood_writes_and_prints_an_interval_of_each_component(by_likelihood, tmp_path):
    said = ok("likelihood", by_likelihood, "-o", tmp_path / "l.ecsv", "--level", 0.95)
    table = halo.load(tmp_path / "l.ecsv")
    assert list(table["component"]) == ["LE", "HE"]
    assert (table["low"] < table["fraction"]).all()
    assert (table["fraction"] < table["high"]).all()
    assert table.meta["level"] == 0.95
    low, fraction, high = (100 * table[name][1] for name in ("low", "fraction", "high"))
    assert f"HE  {fraction:.1f} ({low:.1f} to {high:.1f}) %" in said
    assert "95 % intervals of the profile likelihood (deviance + 7.68)" in said


def test_likelihood_is_that_of_python(by_likelihood, tmp_path):
    ok("likelihood", by_likelihood, "-o", tmp_path / "l.ecsv", "-q")
    found = halo.likelihood(by_likelihood)
    assert halo.load(tmp_path / "l.ecsv")["high"] == pytest.approx(found.high)


def test_likelihood_needs_a_fit_by_likelihood(made, tmp_path):
    folder, _ = made
    result = run("likelihood", folder / "fit.h5", "-o", tmp_path / "l.ecsv")
    assert result.exit_code == 2
    assert "by --loss kullback-leibler, without penalties; this one is by frobenius" in result.output
    assert not (tmp_path / "l.ecsv").exists()


def test_likelihood_leaves_with_4_where_the_fit_did_not_converge(tmp_path):
    stopped = halo.fit(planted(600)[0], SMALL.replace(loss="kullback-leibler", pixels=12, max_iter=1))
    halo.save(tmp_path / "kl.h5", stopped)
    result = run("likelihood", tmp_path / "kl.h5", "-o", tmp_path / "l.ecsv")
    assert result.exit_code == 4
    assert "not converged: the fit (MAX_ITER" in result.output


def test_eccentricity_writes_peaks_and_bands(made, tmp_path):
    folder, _ = made
    said = ok("eccentricity", *arguments(folder), "-o", tmp_path / "e.ecsv", "--bins", 10, "--bootstrap", 5)
    table = halo.load(tmp_path / "e.ecsv")
    assert len(table) == 10
    for name in ("LE", "HE"):
        assert f"{name}: peak at e = {table.meta['peaks'][name]:.3f}" in said
        assert np.mean(table[name]) == pytest.approx(1)
        assert (table[f"{name}_lower"] <= table[f"{name}_upper"]).all()


def test_eccentricity_refuses_other_stars(made, tmp_path):
    folder, _ = made
    result = run("eccentricity", folder / "four" / "HE.h5", folder / "stars.fits", "-o", tmp_path / "e.ecsv")
    assert result.exit_code == 3
    assert "not the stars that the fit was made of" in result.output


@pytest.mark.parametrize("command", ["apply", "boundary", "plot"])
def test_a_part_is_not_applied_to_stars_of_the_other(made, tmp_path, command):
    folder, _ = made
    result = run(command, folder / "four" / "LE.h5", folder / "stars.fits", "-o", tmp_path / "out.ecsv")
    assert result.exit_code == 2
    assert "LE1 and LE2 are components of the stars on one side of a boundary" in result.output


def test_a_part_can_be_drawn_without_its_stars(made, tmp_path):
    folder, _ = made
    ok("plot", folder / "four" / "LE.h5", "-o", tmp_path / "figures")


def test_split_takes_the_boundary_that_is_asked_for(made, tmp_path):
    folder, _ = made
    ok("split", *arguments(folder), "-o", tmp_path, "--bins", 3, "--bootstrap", 0, "--smoothing", 2, "--level", 0.4)
    table = halo.load(tmp_path / "boundary.ecsv")
    assert (table.meta["smoothing_columns"], table.meta["level"]) == (2.0, 0.4)
    assert halo.load(tmp_path / "HE.h5").provenance["settings"]["level"] == 0.4
