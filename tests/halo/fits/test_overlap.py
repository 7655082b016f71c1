"""Zero points by populations: images move as counts do, gradients are slopes, planted zero points are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from halonmf.halo.errors import InputError
from halonmf.halo.fits.apply import apply
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.overlap import FLOOR, Cells, Moved, log_likelihood, maximise, move
from halonmf.halo.fits.relate import zeropoints
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Chemistry

from ..helpers.planted import SMALL, planted

COARSE = SMALL.replace(chemistry=Chemistry(pixels=24), loss="kullback-leibler", bins="E:4")
PLANTED = {"FE_H": 0.06, "AL_FE": 0.05, "MG_FE": -0.03}


def moved_stars(n=6000, seed=5, noise=0.02):
    table, _ = planted(n, seed)
    rng = np.random.default_rng(seed)
    for name, offset in PLANTED.items():
        table[name] = table[name] + offset + rng.normal(0, noise, n)
    table.meta["survey"] = "second"
    return table


@pytest.fixture(scope="module")
def held():
    table, _ = planted(6000, 4)
    table.meta["survey"] = "first"
    return fit(table, COARSE)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.floats(-0.3, 0.3), st.floats(0.02, 0.2))
def test_a_moved_pixel_is_a_box_convolved_with_a_gaussian(offset, blur):
    width, pixels = 0.1, 12
    found = move(offset, blur, pixels, width)[0][:, 6]
    inside = (np.arange(2000) + 0.5) / 2000 * width + (6 - 0.5) * width
    edges = (np.arange(pixels + 1) - 0.5) * width
    expected = np.diff(norm.cdf((edges[:, None] - inside - offset) / blur), axis=0).mean(axis=1)
    assert found == pytest.approx(expected, abs=1e-6)


def test_nothing_is_lost_within_the_image():
    sums = move(0.05, 0.03, 60, 0.1)[0].sum(axis=0)
    assert sums[5:-5] == pytest.approx(1.0, abs=1e-12)
    assert (sums <= 1 + 1e-12).all()


def test_gradients_are_slopes(held):
    counted = mix(moved_stars(1500), held.mixtures.bins, held.mixtures.chemistry)
    cells, images = Cells.of(counted.V, counted.chemistry), Moved(held.H, counted.chemistry)
    rng = np.random.default_rng(1)
    at = [rng.normal(0, 0.03, 3), np.array([0.12, 0.05, 0.03]), rng.normal(size=(4, 2))]
    found = log_likelihood(cells, images, *at)[1:]
    for part, gradient in enumerate(found):
        for place in np.ndindex(at[part].shape):
            step = [x.copy() for x in at], [x.copy() for x in at]
            step[0][part][place] += 1e-5
            step[1][part][place] -= 1e-5
            slope = (log_likelihood(cells, images, *step[0])[0] - log_likelihood(cells, images, *step[1])[0]) / 2e-5
            assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-3)


def test_how_many_stars_have_an_abundance_does_not_enter(held):
    counted = mix(moved_stars(), held.mixtures.bins, held.mixtures.chemistry)
    V = counted.V.copy()
    V[:, : V.shape[1] // 2] *= 3  # as of stars with aluminium three times
    at = np.zeros(3), np.full(3, 0.1), np.zeros((4, 2))
    images = Moved(held.H, counted.chemistry)
    one, three = (log_likelihood(Cells.of(x, counted.chemistry), images, *at)[0] for x in (counted.V, V))
    only = counted.V.copy()
    only[:, only.shape[1] // 2 :] = 0
    al = log_likelihood(Cells.of(only, counted.chemistry), images, *at)[0]
    assert three == pytest.approx(one + 2 * al)


def test_the_blur_is_the_additional_noise(held):
    counted = mix(moved_stars(noise=0.1), held.mixtures.bins, held.mixtures.chemistry)
    found = maximise(Cells.of(counted.V, counted.chemistry), Moved(held.H, counted.chemistry))
    images = Moved(held.H, counted.chemistry)
    assert found.converged
    for name, blur in zip(counted.chemistry.variables, found.blur, strict=True):
        assert blur == pytest.approx(0.1, abs=0.02) or blur == pytest.approx(FLOOR * images.width[name])


@pytest.mark.slow
def test_planted_zero_points_are_found_within_their_errors(held):
    found = zeropoints(held, moved_stars(), bootstrap=20)
    assert (found.survey, found.scale, found.method) == ("second", "first", "populations")
    assert found.names == held.mixtures.chemistry.variables
    for name, x, error in zip(found.names, found.offset, found.error, strict=True):
        assert abs(x - PLANTED[name]) < 4 * error
        assert 0 < error < 0.02


@pytest.mark.slow
def test_fractions_return_with_zero_points_and_carry_their_error(held):
    stars = moved_stars()
    found = zeropoints(held, stars, bootstrap=20)
    true = stars.copy()
    for name, offset in PLANTED.items():
        true[name] -= offset
    aim = apply(held, true, "E:6", zeropoints="none").fractions
    without = apply(held, stars, "E:6", zeropoints="none").fractions
    there = apply(held, stars, "E:6", zeropoints=found, draws=40)
    assert np.abs(there.fractions - aim).mean() < 0.5 * np.abs(without - aim).mean()
    table = there.table()
    assert (table["fraction_HE_low"] <= table["fraction_HE"]).all()
    assert (table["fraction_HE"] <= table["fraction_HE_high"]).all()
    assert (table["fraction_HE_high"] - table["fraction_HE_low"]).max() > 0
    assert table.meta["zeropoints"]["offsets"]["AL_FE"]["offset"] == found.offset[found.names.index("AL_FE")]


def test_populations_that_are_not_the_fits_are_refused(held):
    stars = moved_stars(1500)
    stars["AL_FE"] = stars["AL_FE"] + 0.9
    with pytest.raises(InputError, match=r"no maximum within|none of"):
        zeropoints(held, stars, bootstrap=2)
