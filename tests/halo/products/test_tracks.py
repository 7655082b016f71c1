"""Percentiles and tracks: held to NumPy's of large samples from known densities."""

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import median_abs_deviation

from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.mixtures.bins import columns_of
from halonmf.halo.mixtures.settings import Chemistry, Plane
from halonmf.halo.products.histograms import marginal, quantile
from halonmf.halo.products.tracks import percentiles, track

from ..helpers.planted import SMALL, hand_made_fit, planted

seeded = settings(derandomize=True, deadline=None, max_examples=80)
WEIGHTS = hnp.arrays(np.float64, st.integers(1, 30), elements=st.sampled_from([0.0, 0.0, 1.0, 2.0, 7.5, 1e-3]))


def sample(n=200_000, seed=0):
    """A lopsided one-dimensional density within the range of [Fe/H]."""
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(n) < 0.3, rng.normal(-1.4, 0.3, n), rng.normal(-0.5, 0.2, n))
    return x[(x > -2.5) & (x < 0.7)]


def component(fe_h, al_fe, mg_fe, pixels):
    """A component whose images are the histograms of these stars."""
    chemistry = Chemistry(pixels=pixels)
    columns = columns_of(Table({"FE_H": fe_h, "AL_FE": al_fe, "MG_FE": mg_fe}), chemistry)
    return hand_made_fit(np.bincount(columns[columns >= 0], minlength=chemistry.n)[None], chemistry)


# quantiles


@pytest.mark.parametrize("p", [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("bins", [20, 60, 200])
def test_quantiles_are_numpys_of_the_sample(p, bins):
    x = sample()
    weight, edges = np.histogram(x, bins, (-2.5, 0.7))
    assert quantile(edges, weight, p) == pytest.approx(np.quantile(x, p), abs=0.2 * (edges[1] - edges[0]) + 0.001)


def test_a_quantile_is_linear_within_its_bin():
    assert [quantile(np.array([0.0, 1.0, 2.0]), np.array([1, 3]), p) for p in (0.1, 0.25, 0.5, 1.0)] == pytest.approx(
        [0.4, 1.0, 4 / 3, 2.0]
    )


@seeded
@given(WEIGHTS, st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_quantiles_rise_and_lie_in_filled_bins(weight, p):
    edges = np.linspace(-1, 2, len(weight) + 1)
    found = [quantile(edges, weight, q) for q in sorted(p)]
    if not weight.any():
        assert np.isnan(found).all()
        return
    assert found == sorted(found)
    filled = np.flatnonzero(weight)
    for x in found:
        assert any(edges[i] - 1e-12 <= x <= edges[i + 1] + 1e-12 for i in filled)


@seeded
@given(WEIGHTS, st.floats(0.0, 1.0))
def test_as_much_lies_below_a_quantile_as_it_says(weight, p):
    edges = np.linspace(-1, 2, len(weight) + 1)
    if weight.any():
        below = np.interp(quantile(edges, weight, p), edges, np.append(0, np.cumsum(weight)) / weight.sum())
        assert below == pytest.approx(p, abs=1e-9)


def test_the_ends_are_those_of_the_filled_bins():
    weight, edges = np.array([0, 0, 1, 0, 2, 0]), np.arange(7.0)
    assert (quantile(edges, weight, 0.0), quantile(edges, weight, 1.0)) == (2.0, 5.0)


def test_nothing_has_no_quantile():
    assert np.isnan(quantile(np.arange(4.0), np.zeros(3), 0.5))


# marginals and percentiles


@pytest.mark.parametrize(("name", "at"), [("FE_H", 0), ("AL_FE", 1), ("MG_FE", 2)])
def test_percentiles_are_numpys_of_the_sample(name, at):
    rng, fe_h = np.random.default_rng(1), sample()
    columns = fe_h, rng.normal(0.1, 0.1, len(fe_h)), rng.normal(0.2, 0.05, len(fe_h))
    found = percentiles(component(*columns, pixels=50), name)
    assert found.shape == (1, 3)
    width = np.ptp(Chemistry(pixels=50).edges(name)[:2])
    assert found[0] == pytest.approx(np.percentile(columns[at], [10, 50, 90]), abs=0.1 * width + 0.001)


def test_an_abundance_of_two_planes_counts_once():
    # the second plane has seen only half of the stars: [Fe/H] is still the mean of the two planes' shapes
    fe_h = np.array([-2.0, -2.0, 0.0, 0.0])
    found = component(fe_h, np.zeros(4), np.array([0.1, 0.1, 5.0, 5.0]), pixels=8)
    shown = marginal(found.mixtures.chemistry, found.H[0], "FE_H")
    assert shown.sum() == pytest.approx(1)
    assert shown[shown > 0] == pytest.approx([0.75, 0.25])


def test_the_marginal_of_y_runs_along_y():
    found = component(np.full(2, -1.0), np.array([-0.5, 0.5]), np.zeros(2), pixels=6)
    assert marginal(found.mixtures.chemistry, found.H[0], "AL_FE") == pytest.approx([0.5, 0, 0, 0, 0, 0.5])


def test_a_component_of_nothing_has_no_percentiles():
    chemistry = Chemistry(pixels=4)
    assert np.isnan(percentiles(hand_made_fit(np.eye(1, chemistry.n), chemistry), "MG_FE")).all()


def test_an_abundance_that_no_plane_shows_is_refused():
    chemistry = Chemistry.of([Plane("MG_FE", "FE_H")], pixels=4)
    with pytest.raises(UsageError, match="no plane shows AL_FE; the planes have FE_H, MG_FE"):
        percentiles(hand_made_fit(np.ones((1, chemistry.n)), chemistry), "AL_FE")


@pytest.mark.parametrize("q", [-1.0, 101.0, np.nan])
def test_percentiles_beyond_0_to_100_are_refused(q):
    with pytest.raises(UsageError, match="percentiles must lie between 0 and 100"):
        percentiles(hand_made_fit(np.ones((1, 32)), Chemistry(pixels=4)), "FE_H", (q,))


def test_planted_percentiles_are_recovered():
    stars, high = planted(20_000, seed=3, apart=True)
    found = percentiles(fit(stars, SMALL), "AL_FE")
    for j, mask in enumerate((~high, high)):
        assert found[j] == pytest.approx(np.percentile(stars["AL_FE"][mask], [10, 50, 90]), abs=0.02)


# tracks


@pytest.mark.parametrize("pixels", [15, 20, 50])
def test_a_track_is_the_median_of_each_column_of_stars(pixels):
    rng, fe_h = np.random.default_rng(2), sample()
    al_fe = 0.3 - 0.2 * (fe_h + 1) ** 2 + rng.normal(0, 0.07, len(fe_h))
    found = track(component(fe_h, al_fe, np.zeros(len(fe_h)), pixels), 0, 0, min_share=0.01)
    chemistry = Chemistry(pixels=pixels)
    edges, width = chemistry.edges("FE_H"), np.ptp(chemistry.edges("AL_FE")[:2])
    for i in np.flatnonzero(np.isfinite(found.median)):
        column = al_fe[(fe_h >= edges[i]) & (fe_h < edges[i + 1])]
        assert found.median[i] == pytest.approx(np.median(column), abs=0.15 * width + 0.003)
        assert found.deviation[i] == pytest.approx(median_abs_deviation(column), abs=0.1 * width + 0.003)
    assert np.isfinite(found.median).sum() > 5


def test_a_columns_weight_is_its_share_of_the_image():
    found = track(component(np.array([-2.0, -1.0, -1.0, -1.0]), np.zeros(4), np.zeros(4), pixels=8), 0, 1)
    assert found.plane == Plane("MG_FE", "FE_H")
    assert found.weight[found.weight > 0] == pytest.approx([0.25, 0.75])
    assert found.x == pytest.approx(Chemistry(pixels=8).centres("FE_H"))


def test_columns_of_little_weight_have_no_track():
    fe_h = np.append(np.full(999, -1.0), -2.0)
    made = component(fe_h, np.zeros(1000), np.zeros(1000), pixels=8)
    assert np.isfinite(track(made, 0, 0, min_share=0.01).median).sum() == 1
    assert np.isfinite(track(made, 0, 0, min_share=0.0).median).sum() == 2


def test_one_filled_pixel_is_taken_as_evenly_filled():
    found = track(component(np.array([-1.0]), np.array([0.1]), np.array([0.1]), pixels=6), 0, 0)
    (i,) = np.flatnonzero(found.weight)
    assert found.median[i] == pytest.approx(0.1)
    assert found.deviation[i] == pytest.approx(0.25 * 0.2)


def test_two_pixels_apart_deviate_by_their_distance():
    found = track(component(np.full(2, -1.0), np.array([-0.5, 0.5]), np.zeros(2), pixels=6), 0, 0)
    (i,) = np.flatnonzero(found.weight)
    # the median is the first point with half below it, the upper edge of the lower pixel
    assert (found.median[i], found.deviation[i]) == pytest.approx((-0.4, 0.2))


def test_an_image_without_weight_has_no_track():
    chemistry = Chemistry(pixels=4)
    found = track(hand_made_fit(np.eye(1, chemistry.n), chemistry), 0, 1)
    assert np.isnan(found.median).all()
    assert found.weight.sum() == 0
