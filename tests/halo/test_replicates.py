"""Replicates of an ensemble: their products are those of the ordinary functions, whatever batch they are in."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo import boundary, profile, tracks
from halonmf.halo.binning import parse_axes
from halonmf.halo.errors import UsageError
from halonmf.halo.model import fit
from halonmf.halo.products import PROFILES
from halonmf.halo.replicates import Setup, Stars, begin, reduce

from ._planted import SMALL, planted


def setup(**settings):
    own = {name: settings.pop(name) for name in ("scheme", "drop", "edges", "errors", "floor") if name in settings}
    return Setup(replace(SMALL, **settings), **own)


def same(a, b, **limits):
    """Whether two sets of products are equal, NaN in the same places."""
    assert a.keys() == b.keys()
    for name, x in a.items():
        np.testing.assert_allclose(x, b[name], err_msg=name, **limits)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_products_of_the_base_fit_are_those_of_the_ordinary_functions(k, loss):
    table, _ = planted(3000)
    base = begin(table, setup(components=k, loss=loss, selection="chemically-pure"))
    made, found = fit(table, base.setup.fit), base.products
    limits = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(found["mass_fraction"], made.mass_fractions, **limits)
    np.testing.assert_allclose(found["mean_fraction"], made.mean_fractions, **limits)
    np.testing.assert_allclose(found["mean_energy"], made.mean_energy, **limits)
    for name in ("E", "Lz", "e"):
        line = profile.profile(made, table, parse_axes(PROFILES[name]))
        np.testing.assert_allclose(found[f"fraction_{name}"], line.application.fractions, **limits)
        assert base.coordinates[f"n_stars_{name}"].tolist() == line.application.mixtures.n_stars.tolist()
        for i, crossing in enumerate(line.crossings):
            assert found[f"crossing_{name}_number"][i] == len(crossing.at)
            expected = crossing.at[0] if len(crossing.at) == 1 else np.nan
            np.testing.assert_allclose(found[f"crossing_{name}"][i], expected, rtol=1e-5, atol=1e-4)
    assert "fraction_r" not in found  # these stars have no radii
    if k > 1:
        line = boundary.boundary(made, table)
        np.testing.assert_allclose(found["boundary"], line.E, rtol=1e-5)
        np.testing.assert_allclose(found["boundary_smoothed"], line.smoothed, rtol=1e-5)
        assert found["boundary_number"].tolist() == line.n_crossings.tolist()
        assert [boundary.STATUSES[i] for i in found["boundary_status"]] == list(line.status)
    else:
        assert "boundary" not in found
    for name in ("FE_H", "AL_FE", "MG_FE"):
        np.testing.assert_allclose(found[f"percentile_{name}"], tracks.percentiles(made, name), **limits)
    for image in range(2):
        for component in range(k):
            line = tracks.track(made, component, image)
            name = f"{line.plane.y}_{line.plane.x}"
            np.testing.assert_allclose(found[f"track_{name}"][component], line.median, **limits)
            np.testing.assert_allclose(found[f"deviation_{name}"][component], line.deviation, **limits)


def test_a_replicate_that_changes_nothing_has_the_products_of_the_base():
    base = begin(planted()[0], setup(scheme="none"))
    found = reduce(base, 0, 2)
    for name, x in base.products.items():
        scale = 1e5 if name in ("crossing_E", "boundary", "boundary_smoothed", "mean_energy") else 1.0
        np.testing.assert_allclose(found[name], np.stack([x, x]), atol=1e-5 * scale, err_msg=name)
    assert not found["refused"].any()
    assert (found["status"] == 0).all()


@pytest.mark.parametrize("scheme", ["multinomial", "poisson", "delete"])
def test_a_replicate_is_the_same_in_every_batch(scheme):
    base = begin(Stars(planted()[0]), setup(scheme=scheme, components=3))
    whole = reduce(base, 0, 40, keep_factors=True)
    for first, count in ((0, 1), (1, 16), (17, 23)):
        part = reduce(base, first, count, keep_factors=True)
        same(part, {name: x[first : first + count] for name, x in whole.items()}, rtol=0)


def test_stars_that_set_ups_share_are_selected_once():
    stars = Stars(planted()[0])
    one, other = (begin(stars, setup(axes=parse_axes(f"E:{q},Lz:{q}"))) for q in (3, 4))
    assert one.sample is other.sample
    assert one.sample.places is other.sample.places
    assert begin(stars, setup(selection="retrograde")).sample is not one.sample


def test_refused_replicates_are_marked():
    found = reduce(begin(planted()[0], setup(floor=1.0)), 0, 5)
    assert found["refused"].all()
    assert (found["similarity"] > 0.9).all()


def test_unconverged_replicates_are_marked():
    base = begin(planted()[0], setup(max_iter=1))
    assert base.fit.status == "MAX_ITER"
    assert (reduce(base, 0, 5)["status"] == 1).all()


@pytest.mark.parametrize(
    ("name", "value"), [("scheme", "jackknife"), ("drop", -1), ("drop", "half"), ("edges", "new"), ("floor", 2.0)]
)
def test_settings_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises(UsageError, match=name):
        setup(**{name: value})
