"""Four components from a sample in two parts: those planted, under the paper's names, in bins of any variable."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.apply import apply
from halonmf.halo.fits.fit import NAMES
from halonmf.halo.fits.store import load_fit, save_fit
from halonmf.halo.mixtures.settings import Axis
from halonmf.halo.products import four as module
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.four import SplitSettings, split, stack
from halonmf.halo.products.tracks import percentiles

from ..helpers.four import EDGE, MEDIANS, POPULATIONS, flat, four_found, four_planted
from ..helpers.planted import planted_fit


def test_components_are_the_planted_populations_under_the_papers_names():
    _, four = four_found()
    assert four.fit.names == NAMES == POPULATIONS
    assert four.low.names == NAMES[:2]
    assert four.high.names == NAMES[2:]
    for name, planted in MEDIANS.items():
        assert percentiles(four.fit, name, (50.0,))[:, 0] == pytest.approx(planted, abs=0.05)
    assert four.disagree == ()
    assert four.fit.converged


def test_by_default_the_sample_is_split_at_the_fits_own_boundary():
    table, _ = four_planted()
    two, _ = four_found()
    four = split(two, table)
    line = boundary(two, table)
    assert np.array_equal(four.boundary.E, line.E, equal_nan=True)
    assert four.high.cutflow.passed == (table["E"] >= line(np.asarray(table["Lz"]))).sum()
    assert np.nanmax(np.abs(line.E - EDGE)) < 0.1e5


def test_each_part_shares_out_its_own_stars():
    _, population = four_planted()
    _, four = four_found()
    high = population >= 2
    assert four.high.cutflow.passed == high.sum()
    assert four.low.cutflow.passed == (~high).sum()
    assert four.high.cutflow.names[-1] == "E >= E_b(Lz)"
    assert four.high.mass_fractions[1] == pytest.approx((population == 3)[high].mean(), abs=0.03)
    assert four.low.mass_fractions[1] == pytest.approx((population == 1)[~high].mean(), abs=0.03)


def test_the_four_re_applied_together_find_the_true_fractions_along_another_variable():
    table, population = four_planted()
    _, four = four_found()
    found = apply(four.fit, table, [Axis("r_sph", 6, 2.0, 14.0)])
    rows = found.mixtures.rows
    truth = np.array([[(population[rows == i] == j).mean() for j in range(4)] for i in range(6)])
    assert np.abs(found.fractions - truth).max() < 0.06


def test_the_four_are_weighed_in_the_bins_of_the_fit_of_two():
    two, four = four_found()
    assert four.fit.W.shape == (25, 4)
    assert four.fit.mixtures is two.mixtures
    assert np.array_equal(four.fit.H, np.concatenate([four.low.H, four.high.H]))
    assert (np.diff(four.fit.mean_energy) > 0).all()


def test_weights_that_did_not_converge_are_said(monkeypatch):
    two, four = four_found()
    real = module.apply_mixtures

    def stuck(*args):
        found = real(*args)
        return replace(found, converged=np.arange(len(found.W)) > 0)

    monkeypatch.setattr(module, "apply_mixtures", stuck)
    assert stack(two, four.high, four.low).status == "MAX_ITER"
    lame = replace(four.low, status="STUCK")
    monkeypatch.setattr(module, "apply_mixtures", real)
    assert stack(two, four.high, lame).status == "STUCK"


def test_a_saved_four_is_applied_like_the_one_in_memory(tmp_path):
    table, _ = four_planted()
    _, four = four_found()
    axes = [Axis("E", 5, -2.5e5, -1e5)]
    read = load_fit(save_fit(tmp_path / "four.h5", four.fit))
    assert read.names == NAMES
    assert np.array_equal(apply(read, table, axes).W, apply(four.fit, table, axes).W)


def test_where_metallicity_orders_otherwise_than_energy_it_is_said_and_either_may_lead():
    table, _ = four_planted(upside_down=True)
    two, four = four_found(upside_down=True)
    assert four.disagree == ("HE",)
    assert "by metallicity the two of HE would come the other way" in four.describe()
    other = split(two, table, SplitSettings(order="metallicity"), line=flat(two, table))
    assert other.disagree == ("HE",)
    assert other.high.names == four.high.names
    assert np.array_equal(other.high.H, four.high.H[::-1])
    assert np.array_equal(other.low.H, four.low.H)
    assert percentiles(other.high, "FE_H", (50.0,))[:, 0] == pytest.approx([-0.8, -1.5], abs=0.05)


def test_columns_without_a_boundary_take_their_neighbours_or_lose_their_stars_and_are_counted():
    table, _ = four_planted()
    two, _ = four_found()
    line = flat(two, table, columns=[4, 5])
    outside = int((np.abs(table["Lz"]) > 400).sum())
    nearest = split(two, table, line=line)
    assert (nearest.filled, nearest.dropped) == (outside, 0)
    assert nearest.high.cutflow.passed == (table["E"] >= EDGE).sum()
    assert f"{outside:,} stars in the others or outside" in nearest.describe()
    dropped = split(two, table, SplitSettings(fill="drop", bins=4), line=line)
    assert (dropped.filled, dropped.dropped) == (outside, outside)
    assert dropped.high.cutflow.removed[0] == outside
    assert sum(part.cutflow.passed for part in dropped.parts) == len(table) - outside
    assert "left out" in dropped.describe()


def test_a_slanted_boundary_is_followed():
    table, _ = four_planted()
    two, _ = four_found()
    line = boundary(two, table)
    slant = np.linspace(-1.9e5, -1.5e5, 10)
    four = split(two, table, line=replace(line, E=slant, smoothed=slant))
    E_b = np.interp(table["Lz"], line.Lz, slant)
    assert four.high.cutflow.passed == (table["E"] >= E_b).sum()


def test_too_small_a_part_is_refused_with_its_numbers():
    table, _ = four_planted()
    two, _ = four_found()
    number = int((table["E"] >= -1.01e5).sum())
    with pytest.raises(InputError, match=rf"the HE part has {number} stars of 8000, too few .* 5 x 5 bins of 10"):
        split(two, table, line=flat(two, table, -1.01e5))


def test_no_boundary_at_all_is_refused():
    table, _ = four_planted()
    two, _ = four_found()
    with pytest.raises(UsageError, match="no Lz column has a boundary"):
        split(two, table, line=flat(two, table, columns=[]))


def test_only_two_components_can_be_split():
    with pytest.raises(UsageError, match="this fit has 3"):
        split(planted_fit(k=3), four_planted()[0])


@pytest.mark.parametrize("wrong", [{"bins": 1}, {"fill": "guess"}, {"order": "name"}, {"min_stars": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        SplitSettings(**wrong)
