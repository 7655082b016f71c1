"""Eccentricities of components: the weighted sum of the bins' own, which planted populations give back."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.bootstrap import refit
from halonmf.halo.fits.fit import fit
from halonmf.halo.products.eccentricity import eccentricities
from halonmf.halo.stars.selection import choose

from ..helpers.planted import SMALL, planted, planted_fit


@pytest.fixture(scope="module")
def round_and_radial():
    """Stars whose high-energy population has e around 0.85, the other around 0.4, and their fit."""
    table, high = planted(20_000, seed=5, apart=True)
    rng = np.random.default_rng(6)
    table["ecc"] = np.where(high, rng.beta(25, 5, len(table)), rng.beta(10, 15, len(table)))
    return table, high, fit(table, SMALL)


def test_f_is_the_sum_of_the_papers_equation(round_and_radial):
    table, _, made = round_and_radial
    found = eccentricities(made, table, bins=10, cut=0.1)
    rows, e = made.mixtures.rows, np.asarray(table["ecc"])
    for k in range(2):
        F = np.zeros(10)
        for i in range(25):
            if made.W[i, k] > 0.1 * made.W[:, k].max():
                F += made.W[i, k] * np.histogram(e[rows == i], np.linspace(0, 1, 11), density=True)[0]
        assert found.density[k] == pytest.approx(F / F.mean())
    assert found.density.mean(axis=1) == pytest.approx(1)


def test_a_star_of_weight_three_counts_as_three_stars(round_and_radial):
    table, _, _ = round_and_radial
    axes = "E:4:-2e5:-1e5"
    some = table[:4000]
    some["w"] = np.where(np.asarray(some["ecc"]) > 0.6, 3, 1)
    weighted = eccentricities(fit(some, SMALL.replace(bins=axes, weights="w")), some)
    thrice = some[np.repeat(np.arange(len(some)), some["w"])]
    repeated = eccentricities(fit(thrice, SMALL.replace(bins=axes)), thrice)
    assert weighted.density == pytest.approx(repeated.density, abs=1e-6)
    assert weighted.n_stars.sum() < repeated.n_stars.sum()  # stars are stars


def test_populations_that_live_apart_in_energy_give_their_own_eccentricities_back(round_and_radial):
    table, high, made = round_and_radial
    found = eccentricities(made, table, cut=0.9)  # bins that are nearly pure
    truth = [np.histogram(np.asarray(table["ecc"])[x], 20, (0, 1), density=True)[0] for x in (~high, high)]
    assert 0.5 * np.abs(found.density - truth).mean(axis=1).max() < 0.08
    assert found.peaks == pytest.approx([9 / 23, 24 / 28], abs=0.05)  # modes of the beta distributions


def test_bins_of_little_weight_are_left_out(round_and_radial):
    table, _, made = round_and_radial
    few, all_ = eccentricities(made, table, cut=0.5), eccentricities(made, table, cut=0.0)
    share = made.W / made.W.max(axis=0)
    assert few.kept.tolist() == (share > 0.5).sum(axis=0).tolist()
    assert few.n_stars.tolist() == [made.mixtures.n_stars[share[:, k] > 0.5].sum() for k in range(2)]
    assert (all_.kept >= few.kept).all()


def test_each_component_is_cut_at_its_own_largest_weight(round_and_radial):
    table, _, made = round_and_radial
    scaled = replace(made, W=made.W * [1.0, 20.0])
    found, own = eccentricities(scaled, table), eccentricities(made, table)
    assert found.kept.tolist() == own.kept.tolist()
    assert found.density == pytest.approx(own.density)


def test_how_many_stars_of_a_bin_have_an_eccentricity_changes_only_the_noise(round_and_radial):
    table, _, made = round_and_radial
    holes = table.copy()
    holes["ecc"][(table["E"] > -1.6e5) & (np.arange(len(table)) % 10 > 0)] = np.nan
    found, own = eccentricities(made, holes), eccentricities(made, table)
    assert 0.5 * np.abs(found.density - own.density).mean(axis=1).max() < 0.05


def test_bands_are_what_scatter_of_the_weights_makes(round_and_radial):
    table, _, made = round_and_radial
    refits = refit(made, 20, seed=1)
    found = eccentricities(made, table, refits=refits)
    drawn = np.stack([eccentricities(replace(made, W=W), table).density for W in refits.W])
    assert found.bands == pytest.approx(np.percentile(drawn, (16, 84), axis=0))
    assert (found.peak_intervals[0] <= found.peak_intervals[1]).all()


def test_stars_without_eccentricity_have_no_say(round_and_radial):
    table, _, made = round_and_radial
    holes = table.copy()
    holes["ecc"][::3] = np.nan
    found, whole = eccentricities(made, holes), eccentricities(made, table)
    assert (found.n_stars < whole.n_stars).all()
    assert found.kept.tolist() == whole.kept.tolist()
    assert np.isfinite(found.density).all()


def test_an_eccentricity_of_one_is_in_the_last_bin():
    table, _ = planted()
    table["ecc"] = 1.0
    found = eccentricities(planted_fit(), table, bins=5)
    assert found.density == pytest.approx(np.tile([0, 0, 0, 0, 5], (2, 1)))
    assert found.peaks == pytest.approx([0.9, 0.9])


def test_other_stars_than_the_fits_are_refused(round_and_radial):
    table, _, made = round_and_radial
    with pytest.raises(InputError, match="not the stars that the fit was made of"):
        eccentricities(made, table[:-5])
    empty = table.copy()
    empty["ecc"] = np.nan
    with pytest.raises(InputError, match="no star of the fit"):
        eccentricities(made, empty)
    assert len(choose(table, made.settings.selection)[0]) == len(table)


@pytest.mark.parametrize("wrong", [{"bins": 2}, {"cut": 1.0}, {"level": 0.0}])
def test_numbers_that_make_no_sense_are_refused(round_and_radial, wrong):
    table, _, made = round_and_radial
    with pytest.raises(UsageError):
        eccentricities(made, table, **wrong)


def test_the_table_and_the_report_say_peaks_and_what_they_are_of(round_and_radial):
    table, _, made = round_and_radial
    found = eccentricities(made, table)
    written = found.table()
    assert np.array_equal(written["HE"], found.density[1])
    assert np.isnan(written["HE_lower"]).all()
    assert written.meta["peaks"] == dict(zip(("LE", "HE"), found.peaks, strict=True))
    assert f"HE: peak at e = {found.peaks[1]:.3f}; {found.kept[1]} bins" in found.describe()
    assert found.problems() == ""
    assert replace(found, lost=3, status="MAX_ITER").problems() == "not converged: the fit (MAX_ITER), 3 replicates"
