"""Every command on a fit of more components than there are populations: its accreted part is one for all of them."""

import numpy as np
import pytest

import halonmf.halo as halo
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted
from .test_help import ok, run

CHOICES = ("--selection", "all", "--components", 5, "--loss", "kullback-leibler", "--pixels", 12, "--bins", "E:5,Lz:5")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Stars of two planted populations, and their fit of five components."""
    folder = tmp_path_factory.mktemp("many")
    stars, _ = planted()
    stars["APOGEE_ID"] = [f"s{i}" for i in range(len(stars))]
    write_catalogue(folder / "stars.fits", stars, CutFlow(len(stars)), {})
    said = ok("fit", folder / "stars.fits", "-o", folder / "fit.h5", *CHOICES)
    label = halo.load(folder / "fit.h5").reading.label
    assert "+" in label
    return folder, label, said


def test_a_fit_says_which_components_are_accreted(made):
    _, label, said = made
    assert f"accreted ({label}) " in said


def test_a_profile_and_a_boundary_are_of_the_accreted_part(made):
    folder, label, _ = made
    arguments = folder / "fit.h5", folder / "stars.fits"
    said = ok("apply", *arguments, "-o", folder / "profile.ecsv")
    assert f"{label} fraction: 50 % at -1.7" in said
    assert f"{label}=0.5" in halo.load(folder / "profile.ecsv").meta["crossings"]
    ok("boundary", *arguments, "--bootstrap", 4, "-o", folder / "boundary.ecsv")
    ok("classify", folder / "stars.fits", "--boundary", folder / "boundary.ecsv", "-o", folder / "classified.ecsv")
    classified = halo.load(folder / "classified.ecsv")
    assert classified["P_accreted"].mean() == pytest.approx(planted()[1].mean(), abs=0.05)


def test_memberships_have_the_sum_as_a_column_that_cuts_can_use(made):
    folder, label, _ = made
    arguments = folder / "fit.h5", folder / "stars.fits"
    assert f"accreted ({label})" in ok("members", *arguments, "-o", folder / "members.fits")
    stars = halo.load(folder / "members.fits").table
    group = [f"P_{name}" for name in label.split(" + ")]
    assert np.allclose(stars["P_accreted"], sum(np.asarray(stars[name]) for name in group))
    cut = ok("fit", folder / "members.fits", "--cut", "P_accreted>0.9", *CHOICES[:2], "-o", folder / "sure.h5")
    assert "P_accreted > 0.9" in cut or "P_accreted>0.9" in cut


def test_table_1_and_pictures_show_the_sum(made):
    folder, label, _ = made
    assert "accreted" in ok("table", folder / "fit.h5", "--bootstrap", 4, "-o", folder / "table1.ecsv")
    ok("plot", folder / "fit.h5", folder / "stars.fits", "-o", folder / "figures")
    assert f"Read as accreted: {label}" in (folder / "figures" / "components.txt").read_text()
    assert f"{label}: 50 % at" in (folder / "figures" / "fractions.txt").read_text()


def test_an_ensemble_has_the_accreted_fraction_with_its_interval(made):
    folder, label, _ = made
    said = ok("ensemble", folder / "stars.fits", *CHOICES, "--bootstrap", 8, "-o", folder / "runs", "--no-figures")
    assert f"accreted fraction ({label}) " in said
    assert f"{label} 50 % against E" in said
    summary = ok("summary", folder / "runs")
    assert f"accreted fraction ({label}) " in summary


def test_a_fit_of_five_components_is_not_split_and_no_boundary_is_sought(made, tmp_path, monkeypatch):
    monkeypatch.setattr("halonmf.halo.products.boundary.boundary", None)
    result = run("split", made[0] / "fit.h5", made[0] / "stars.fits", "-o", tmp_path / "four")
    assert result.exit_code == 2
    assert "this fit has 5. Fit two." in result.output
    assert not (tmp_path / "four").exists()
