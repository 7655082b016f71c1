"""The same components on every repeat and over bins and pixels: as a table, and where it is not so."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo.checks.stability import Stability, _compared, stability
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.apply import held_components
from halonmf.halo.fits.fit import fit
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Chemistry

from ..helpers.planted import SMALL, planted

SETTINGS = SMALL.replace(chemistry=Chemistry(pixels=12))


@pytest.fixture(scope="module")
def found():
    return stability(planted(3000)[0], SETTINGS, starts=3, bins=(4, 5, 7), pixels=(8, 12))


def test_random_starts_find_the_same_components(found):
    assert found.of("start").sum() == 3
    assert found.least_cosine("start") > 1 - 1e-6
    np.testing.assert_allclose(found.spread("start"), 0, atol=1e-4)


def test_the_bases_own_bins_and_pixels_find_the_base(found):
    for kind, value in (("q", 5), ("l", 12)):
        (row,) = np.flatnonzero((np.array(found.kind) == kind) & (found.value == value))
        np.testing.assert_allclose(found.cosine[row], 1, atol=1e-6)
        np.testing.assert_allclose(found.fraction[row], found.base.mass_fractions, atol=1e-6)


def test_planted_populations_are_stable_over_bins_and_pixels(found):
    assert found.least_cosine("q", "l") > 0.98
    assert (found.spread("q", "l") < 0.05).all()


def test_bins_that_the_sample_is_too_small_for_fail_and_are_said():
    few = stability(
        planted(60)[0],
        SETTINGS.replace(axes=tuple(replace(a, count=3) for a in SETTINGS.axes)),
        starts=0,
        bins=(3, 30),
        pixels=(),
    )
    assert few.status[1] == "FAILED"
    assert np.isnan(few.cosine[1]).all()
    assert few.good.tolist() == [few.status[0] == "CONVERGED", False]
    assert few.table().meta["not_converged"] >= 1


def test_components_come_in_the_bases_order_whatever_their_own():
    stars = planted(3000)[0]
    result = stability(stars, SETTINGS, starts=6, bins=(), pixels=())
    assert (result.cosine > 0.9).all()


def test_a_fit_with_its_components_the_other_way_round_is_the_same():
    base = fit(planted(3000)[0], SETTINGS)
    swapped = replace(base, W=base.W[:, ::-1], H=base.H[::-1])
    fraction, cosine = _compared(base, swapped, False)
    np.testing.assert_allclose(fraction, base.mass_fractions)
    np.testing.assert_allclose(cosine, 1)


def test_components_of_another_sample_are_not_called_the_same():
    stars = planted(3000)[0]
    base = fit(stars, SETTINGS)
    shuffled = stars.copy()
    shuffled["FE_H"] = np.random.default_rng(0).permutation(stars["FE_H"])
    other = fit(shuffled, SETTINGS)
    assert _compared(base, other, False)[1].min() < 0.9


def test_held_weights_give_back_the_components():
    stars = planted(3000)[0]
    made = fit(stars, SETTINGS)
    H, converged = held_components(made.mixtures.V, made.W, SETTINGS.solver)
    assert converged
    np.testing.assert_allclose(H, made.H, atol=1e-6)
    finer = mix(stars, made.mixtures.bins, Chemistry(pixels=24))
    H, _ = held_components(finer.V, made.W, SETTINGS.solver)
    fold = H.reshape(2, 2, 12, 2, 12, 2).sum(axis=(3, 5)).reshape(2, -1)
    np.testing.assert_allclose(fold, made.H, atol=0.01)


def test_numbers_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="bins and pixels >= 1"):
        stability(planted(300)[0], SETTINGS, bins=(0,))
    with pytest.raises(InputError, match="equal-count bins need"):
        stability(planted(10)[0], SETTINGS)


def test_the_table_has_a_row_per_fit_and_the_summary(found):
    table = found.table()
    assert len(table) == 3 + 3 + 2
    assert {"kind", "value", "fraction_LE", "cosine_HE", "status"} <= set(table.colnames)
    assert table.meta["least_cosine"]["start"] == found.least_cosine("start")
    assert table.meta["base_q"] == [5, 5]


def test_without_fits_of_a_kind_there_is_no_number(found):
    empty = Stability(found.base, (), np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)), ())
    assert np.isnan(empty.least_cosine("q"))
    assert np.isnan(empty.spread("q")).all()
