"""Probabilities of components: calibrated where the model holds, and not where [Fe/H] is counted twice."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo.errors import UsageError
from halonmf.halo.mixtures.bins import columns_of, make_bins
from halonmf.halo.mixtures.settings import Axis, Chemistry, Plane
from halonmf.halo.products.memberships import (
    memberships,
    reliability,
    shared_variable,
)

from ..helpers.planted import SMALL, hand_made_fit, planted, planted_fit

PIXELS = 8
CHEMISTRY = Chemistry(pixels=PIXELS)


def model(seed=0):
    """A fit of two components that overlap in [Fe/H] most, and the tables of their distributions."""
    rng = np.random.default_rng(seed)
    f = np.stack([rng.dirichlet(np.full(PIXELS, 1.5)) for _ in range(2)])
    al, mg = (rng.dirichlet(np.full(PIXELS, 4.0), size=(2, PIXELS)) for _ in range(2))  # given f
    images = np.stack([f[:, :, None] * al, f[:, :, None] * mg], axis=1)  # k, plane, f, y
    H = images.transpose(0, 1, 3, 2).reshape(2, -1)
    fit = hand_made_fit(H, CHEMISTRY)
    table = Table({"E": np.linspace(-2.5e5, -1.0e5, 9)})
    bins = make_bins(table, [Axis("E", 3)])
    W = np.array([[9e5, 1e5], [5e5, 5e5], [2e5, 8e5]])  # so many counts that smoothing changes nothing
    return replace(fit, W=W, mixtures=replace(fit.mixtures, bins=bins)), f, al, mg


def draw(fit, f, al, mg, n=20_000, seed=1):
    """Draw stars from the model; returns them with their component."""
    rng = np.random.default_rng(seed)
    row = rng.integers(0, 3, n)
    k = (rng.random(n) > (fit.W / fit.W.sum(axis=1, keepdims=True))[row, 0]).astype(int)

    def pick(p):
        return (rng.random((len(p), 1)) > np.cumsum(p, axis=1)[:, :-1]).sum(axis=1)

    i = pick(f[k])
    j, m = pick(al[k, i]), pick(mg[k, i])
    centre = fit.mixtures.bins.bounds[:, 0].mean(axis=1)
    values = {name: CHEMISTRY.centres(name)[x] for name, x in (("FE_H", i), ("AL_FE", j), ("MG_FE", m))}
    return Table({"E": centre[row], "Lz": np.zeros(n), **values}), k


def counted_twice(fit, stars):
    """Probabilities from the product of a star's pixels, in which [Fe/H] stands once per plane."""
    columns, bins = columns_of(stars, CHEMISTRY), fit.mixtures.bins.assign(stars)
    weight = fit.W[bins] * np.prod([fit.H[:, columns[:, p]].T for p in range(2)], axis=0)
    return weight / weight.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def drawn():
    fit, *tables = model()
    return (fit, tables, *draw(fit, *tables))


def test_probabilities_are_those_of_bayes(drawn):
    fit, (f, al, mg), stars, _ = drawn
    result = memberships(fit, stars[:50], prior_counts=1e-9)
    bins, fe = (
        fit.mixtures.bins.assign(stars),
        [np.searchsorted(CHEMISTRY.edges(name), stars[name]) - 1 for name in ("FE_H", "AL_FE", "MG_FE")],
    )
    for s in range(50):
        i, j, m = (int(x[s]) for x in fe)
        by_hand = np.array([fit.W[bins[s], k] * f[k, i] * al[k, i, j] * mg[k, i, m] for k in range(2)])
        np.testing.assert_allclose(result.probability[s], by_hand / by_hand.sum(), rtol=1e-6)


def test_probabilities_are_calibrated_and_beat_one_for_all(drawn):
    fit, _, stars, k = drawn
    result = memberships(fit, stars)
    found = reliability(result.probability[:, 1], k == 1)
    assert found.calibration < 0.01
    assert found.brier < 0.8 * found.brier_base
    pull = (found.observed - found.predicted) / found.error
    assert np.nanmax(np.abs(pull)) < 4


def test_counting_the_metallicity_twice_is_seen_in_the_reliability(drawn):
    fit, _, stars, k = drawn
    good = reliability(memberships(fit, stars).probability[:, 1], k == 1)
    bad = reliability(counted_twice(fit, stars)[:, 1], k == 1)
    assert bad.calibration > 3 * good.calibration
    assert bad.brier > good.brier


def test_mean_probability_is_the_share(drawn):
    fit, _, stars, k = drawn
    result = memberships(fit, stars)
    for row in range(3):
        inside = result.bins == row
        share = np.mean(k[inside] == 1)
        assert abs(result.probability[inside, 1].mean() - share) < 4 * np.sqrt(share * (1 - share) / inside.sum())


def test_a_pixel_without_stars_forbids_nothing():
    fit, *_ = model()
    H = fit.H.copy()
    H[:, 0] = 0.0
    stars = Table({"E": [-2.0e5], "Lz": [0.0], **{n: [CHEMISTRY.centres(n)[0]] for n in CHEMISTRY.variables}})
    result = memberships(replace(fit, H=H / H.sum(axis=1, keepdims=True)), stars)
    assert np.isfinite(result.probability).all()
    with pytest.raises(UsageError, match="prior_counts must be positive"):
        memberships(fit, stars, prior_counts=0.0)


def test_stars_outside_the_bins_have_none_and_outside_an_image_less():
    fit, *_ = model()
    inside = {n: CHEMISTRY.centres(n)[3] for n in CHEMISTRY.variables}
    rows = [
        {"E": -2.0e5, **inside},
        {"E": -9.0e5, **inside},  # outside the bins
        {"E": -2.0e5, **inside, "AL_FE": 5.0},  # outside one image
        {"E": -2.0e5, **inside, "FE_H": np.nan},  # no metallicity: only the bin speaks
    ]
    stars = Table(rows)
    stars["Lz"] = 0.0
    result = memberships(fit, stars)
    assert result.images.tolist() == [2, 2, 1, 0]
    assert result.outside == 1
    assert np.isnan(result.probability[1]).all()
    np.testing.assert_allclose(result.probability[3], fit.W[1] / fit.W[1].sum())
    assert not np.allclose(result.probability[0], result.probability[2])


def test_a_bin_without_weights_says_nothing():
    fit, *_ = model()
    stars = Table({"E": [-2.4e5], "Lz": [0.0], **{n: [CHEMISTRY.centres(n)[3]] for n in CHEMISTRY.variables}})
    empty = replace(fit, W=np.array([[0.0, 0.0], [5.0, 5.0], [2.0, 8.0]]))
    assert memberships(empty, stars).outside == 1
    only = memberships(replace(fit, W=np.array([[7.0, 0.0], [5.0, 0.0], [2.0, 0.0]])), stars)
    np.testing.assert_allclose(only.probability, [[1, 0]])


def test_planes_must_share_one_variable():
    assert shared_variable(CHEMISTRY) == "FE_H"
    assert shared_variable(Chemistry.of([Plane("AL_FE", "FE_H")], pixels=4)) == "FE_H"
    assert shared_variable(Chemistry.of([Plane("FE_H", "AL_FE"), Plane("MG_FE", "FE_H")], pixels=4)) == "FE_H"
    ring = Chemistry.of([Plane("AL_FE", "FE_H"), Plane("MG_FE", "FE_H"), Plane("AL_FE", "MG_FE")], pixels=4)
    with pytest.raises(UsageError, match="exactly one variable in common"):
        shared_variable(ring)


def test_the_same_star_has_the_same_probability_whichever_way_its_planes_lie():
    fit, *_ = model()
    turned = Chemistry.of([Plane("FE_H", "AL_FE"), Plane("MG_FE", "FE_H")], pixels=PIXELS)
    images = fit.images.copy()
    images[:, 0] = images[:, 0].transpose(0, 2, 1)
    other = replace(fit, H=images.reshape(2, -1), mixtures=replace(fit.mixtures, chemistry=turned))
    stars = Table({"E": [-2.0e5], "Lz": [0.0], "FE_H": [-1.0], "AL_FE": [0.2], "MG_FE": [0.1]})
    np.testing.assert_allclose(memberships(other, stars).probability, memberships(fit, stars).probability)


def test_members_of_planted_populations_are_found():
    stars, high = planted()
    result = memberships(planted_fit(), stars)
    found = reliability(result.probability[:, 1], high)
    assert found.brier < 0.5 * found.brier_base
    assert result.cutflow.passed == len(result.probability) == len(stars)


def test_the_table_is_the_stars_with_probabilities():
    stars, _ = planted(500)
    table = memberships(planted_fit(), stars).table()
    assert {"P_LE", "P_HE", "bin", "images", "E", "FE_H"} <= set(table.colnames)
    assert "P_LE" not in stars.colnames
    np.testing.assert_allclose((table["P_LE"] + table["P_HE"])[table["bin"] >= 0], 1)


def test_only_stars_of_the_selection_are_members():
    stars, _ = planted(500)
    fit = planted_fit()
    backwards = replace(fit, settings=SMALL.replace(selection="retrograde", chemistry=fit.settings.chemistry))
    assert len(memberships(backwards, stars).stars) == (stars["Lz"] < 0).sum()


# reliability


def test_reliability_of_a_hand_made_case():
    p, true = np.array([0.1, 0.1, 0.9, 0.9, np.nan]), np.array([False, False, True, False, True])
    found = reliability(p, true, bins=2)
    np.testing.assert_allclose(found.predicted, [0.1, 0.9])
    np.testing.assert_allclose(found.observed, [0.0, 0.5])
    assert found.n.tolist() == [2, 2]
    assert found.brier == pytest.approx((0.01 + 0.01 + 0.01 + 0.81) / 4)
    assert found.brier_base == pytest.approx(0.25 * 0.75)
    assert found.calibration == pytest.approx((0.1 + 0.4) / 2)
    table = found.table()
    assert table.colnames == ["lower", "upper", "n_stars", "predicted", "observed", "error"]
    assert table.meta["brier"] == found.brier


@pytest.mark.parametrize("p", [[1.5, 0.2], [np.nan, np.nan], [0.5, 0.2, 0.1]])
def test_what_are_no_probabilities_is_refused(p):
    with pytest.raises(UsageError, match="probabilit"):
        reliability(np.array(p), np.array([True, False]))
