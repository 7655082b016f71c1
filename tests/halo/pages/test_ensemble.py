"""The page of an ensemble: its numbers, and with its stars the map of its first configuration."""

import re
import shutil

import numpy as np
import pytest
from bs4 import BeautifulSoup

from halonmf import halo
from halonmf.halo.ensembles.archive import archive
from halonmf.halo.ensembles.sweeps import parse_sweep
from halonmf.halo.errors import InputError
from halonmf.halo.pages.ensemble import as_ensemble
from halonmf.halo.pages.numbers import bin_intervals
from halonmf.halo.replicates.replicate import begin, reduce
from halonmf.halo.stars.catalogue import read_catalogue, write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted, planted_fit

REPLICATES = 6


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    for name, seed in (("stars", 1), ("others", 2)):
        table = planted(2000, seed=seed)[0].copy()
        table["APOGEE_ID"] = [f"s{i}" for i in range(len(table))]
        write_catalogue(folder / f"{name}.fits", table, CutFlow(len(table)), {})
    settings = planted_fit().settings.replace(bins="E:4", pixels=8)
    plan = halo.Plan(halo.Setup(settings), (parse_sweep("bins=4,5"),), replicates=REPLICATES)
    halo.ensemble(folder / "stars.fits", folder / "run", plan, options=halo.RunOptions(threads=1))
    archive(folder / "run")
    return folder / "run"


def read(page):
    return BeautifulSoup(page.html, "html.parser")


def rows(soup, name):
    return [[cell.text for cell in row.find_all(["th", "td"])] for row in soup.find(id=name).tbody.find_all("tr")]


@pytest.fixture(scope="module")
def plain(ensemble):
    return read(halo.report(ensemble))


@pytest.fixture(scope="module")
def full(ensemble):
    return read(halo.report(ensemble, ensemble.parent / "stars.fits"))


def test_it_has_its_numbers_and_figures(plain):
    assert f"{2 * REPLICATES} replicates" in plain.header.text
    assert plain.find(id="figure-fractions") is not None
    assert plain.find(id="crossings") is not None
    assert plain.find(class_="explorer") is None


def test_each_configuration_has_a_row_and_the_spread_has_one(ensemble, plain):
    summary = halo.summarise(ensemble)
    for row, part in zip(rows(plain, "configurations"), summary.parts, strict=True):
        assert row[:2] == [part.label, f"{100 * part.accreted('base'):.2f}"]
        low, high = (float(x) for x in row[2].split(" to "))
        assert low <= float(row[1]) <= high
    (spread,) = rows(plain, "spread")
    assert spread[2:4] == [f"{100 * summary.groups[0].accreted(name):.2f}" for name in ("mean", "spread")]


def test_what_a_terminal_shows_is_there_to_unfold(ensemble, plain):
    assert plain.pre.text.split() == halo.summarise(ensemble).describe().split()
    assert plain.pre.parent.name == "details"


def test_with_its_stars_it_has_the_cut_flow_and_the_map_of_the_first_configuration(ensemble, full):
    fit = begin(read_catalogue(ensemble.parent / "stars.fits").table, halo.summarise(ensemble).parts[0].setup).fit
    assert full.find(id="cutflow") is not None
    assert len(full.find_all(class_="bin")) == len(fit.mixtures.bins)
    assert [row[2] for row in rows(full, "bins")] == [f"{n:,}" for n in fit.mixtures.n_stars]


def test_intervals_of_bins_are_of_the_ensembles_own_replicates(ensemble, full):
    run = as_ensemble(ensemble).run
    base = begin(read_catalogue(ensemble.parent / "stars.fits").table, run.setups[0])
    drawn = reduce(base, 0, REPLICATES, keep_factors=True)
    np.testing.assert_allclose(drawn["mass_fraction"], run.replicates(0)["mass_fraction"], rtol=1e-9)
    limits = 100 * bin_intervals(base.fit, drawn["W"])
    said = [[float(x) for x in re.findall(r"[\d.]+", row[-1])] for row in rows(full, "bins")]
    np.testing.assert_allclose(said, limits.T, atol=0.051)


def test_without_replicates_the_map_says_that_it_has_no_intervals(ensemble):
    page = halo.report(ensemble, ensemble.parent / "stars.fits", bootstrap=0)
    assert "bins have no intervals" in page.html
    assert "interval" not in read(page).find(id="bins").thead.text


def test_other_stars_are_refused_by_their_file_and_as_a_table(ensemble):
    others = ensemble.parent / "others.fits"
    with pytest.raises(InputError, match=r"not those of the ensemble.*stars\.fits"):
        halo.report(ensemble, others)
    with pytest.raises(InputError, match="not those of the ensemble"):
        halo.report(halo.summarise(ensemble), read_catalogue(others).table)


def test_the_summarys_file_is_the_ensemble_where_it_lies_in_its_folder(ensemble, tmp_path):
    lone = shutil.copy(ensemble / "summary.h5", tmp_path)
    with pytest.raises(InputError, match="needs its folder"):
        halo.report(lone)
    assert halo.report(ensemble / "summary.h5").title == "An ensemble of 2 configurations"


def test_four_components_of_a_split_have_a_page_without_intervals_and_say_where_they_are():
    stars = planted(6000)[0]
    fit = halo.fit(stars, planted_fit().settings)
    four = halo.split(fit, stars, halo.SplitSettings(bins=2)).fit
    soup = read(halo.report(four, stars))
    assert [row[0] for row in rows(soup, "fractions-table")][:4] == list(four.names)
    assert "halonmf split" in soup.find(id="numbers").parent.text
    assert all(row[3] == "" for row in rows(soup, "crossings"))
