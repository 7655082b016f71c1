"""Replicates of an ensemble: their products are those of the ordinary functions, whatever batch they are in."""

from dataclasses import replace

import numpy as np
import pytest

import nmfcore
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit, fit_mixtures
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.products import boundary, profile, tracks
from halonmf.halo.products.overview import PROFILES
from halonmf.halo.replicates.replicate import Stars, begin, reduce, usable
from halonmf.halo.replicates.scatter import scatter
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.selection import choose

from ..helpers.planted import SMALL, observed, planted

ENERGIES = ("crossing_E", "crossing_dE", "boundary", "boundary_smoothed", "mean_energy")


def setup(**settings):
    own = {name: settings.pop(name) for name in ("scheme", "drop", "edges", "errors", "floor") if name in settings}
    return Setup(SMALL.replace(**settings), **own)


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
            name = str(line.plane)
            np.testing.assert_allclose(found[f"track_{name}"][component], line.median, **limits)
            np.testing.assert_allclose(found[f"deviation_{name}"][component], line.deviation, **limits)


def test_a_replicate_that_changes_nothing_has_the_products_of_the_base():
    base = begin(planted()[0], setup(scheme="none"))
    found = reduce(base, 0, 2)
    for name, x in base.products.items():
        scale = 1e5 if name in ENERGIES else 1.0
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


def by_hand(table, base, weights):
    """Products of a replicate from the ordinary functions, of a table that holds each star as often as it counts."""
    settings = base.setup.fit
    chosen, flow = choose(table, settings.selection)
    stars = chosen[np.repeat(np.arange(len(chosen)), weights)]
    bins = settings.axes if base.setup.edges == "redrawn" else base.fit.mixtures.bins
    made = fit_mixtures(mix(stars, bins, settings.chemistry), stars, flow, settings)
    found = {"mass_fraction": made.mass_fractions, "mean_energy": made.mean_energy, "loss": made.loss}
    for name in ("E", "Lz", "e"):
        line = profile.profile(made, stars, parse_axes(PROFILES[name]), selection="all")
        found[f"fraction_{name}"] = line.application.fractions
        at = line.crossings[0].at
        found[f"crossing_{name}"] = at[0] if len(at) == 1 else np.nan
    line = boundary.boundary(made, stars, selection="all")
    found |= {"boundary": line.E, "boundary_smoothed": line.smoothed, "boundary_number": line.n_crossings}
    found["percentile_AL_FE"] = tracks.percentiles(made, "AL_FE")
    found["track_MG_FE:FE_H"] = np.array([tracks.track(made, i, 1).median for i in range(len(made.H))])
    found["deviation_MG_FE:FE_H"] = np.array([tracks.track(made, i, 1).deviation for i in range(len(made.H))])
    return found


@pytest.mark.parametrize("edges", ["fixed", "redrawn"])
@pytest.mark.parametrize("scheme", ["multinomial", "poisson", "delete"])
def test_a_replicate_is_the_fit_of_a_resampled_table(scheme, edges):
    table, _ = planted(3000)
    base = begin(table, setup(scheme=scheme, edges=edges, selection="chemically-pure"))
    found = reduce(base, 5, 2)
    for i, b in enumerate((5, 6)):
        rows = base.fit.mixtures.rows
        weights = nmfcore.star_weights(rows, replicates=1, scheme=scheme, seed=0, first_replicate=b)[0]
        assert (weights != 1).any()
        for name, x in by_hand(table, base, weights).items():
            mine = found[name][i][..., 0] if name.startswith("crossing") else found[name][i]
            scale = (
                1e5 if name in ("crossing_E", "crossing_dE", "boundary", "boundary_smoothed", "mean_energy") else 1.0
            )
            scale = 1e3 if name == "crossing_Lz" else scale
            np.testing.assert_allclose(mine, x, atol=2e-4 * scale, rtol=2e-4, err_msg=f"{name}, replicate {b}")


def test_edges_drawn_anew_make_bins_of_equal_counts_in_each_replicate():
    base = begin(planted()[0], setup(edges="redrawn", scheme="none"))
    # with nothing resampled they are the bins of the full sample
    np.testing.assert_allclose(reduce(base, 3, 1)["mass_fraction"][0], base.products["mass_fraction"], atol=1e-5)
    drawn = replace(base, setup=setup(edges="redrawn", scheme="poisson"))
    fixed = replace(base, setup=setup(scheme="poisson"))
    assert not np.array_equal(reduce(drawn, 0, 2)["loss"], reduce(fixed, 0, 2)["loss"])


@pytest.mark.parametrize("own", [{"edges": "redrawn"}, {"errors": "redrawn", "scheme": "none"}])
def test_replicates_with_bins_or_stars_of_their_own_are_the_same_in_every_batch(own):
    base = begin(observed(800), setup(axes=parse_axes("E:3,Lz:2"), **own))
    whole = reduce(base, 0, 4, keep_factors=True)
    same(reduce(base, 2, 2, keep_factors=True), {name: x[2:] for name, x in whole.items()}, rtol=0)


def test_scattered_stars_are_fitted_as_the_table_that_scatter_makes():
    stars = observed(1500)
    base = begin(stars, setup(errors="redrawn", scheme="none", selection="chemically-pure"))
    found = reduce(base, 7, 1)
    table = scatter(stars, base.setup.fit.chemistry.variables, 0, 7)
    for name, x in by_hand(table, base, np.ones(len(choose(table, base.setup.fit.selection)[0]), int)).items():
        mine = found[name][0][..., 0] if name.startswith("crossing") else found[name][0]
        np.testing.assert_allclose(mine, x, rtol=3e-4, atol=3e-4, err_msg=name)


def test_with_three_components_one_replicate_in_sixteen_tries_other_starts(monkeypatch):
    base, tried = begin(planted(2000)[0], setup(components=3)), []
    whole = nmfcore.factorize

    def spy(V, k, **options):
        tried.append((len(V), options["first_replicate"], options["starts"]))
        return whole(V, k, **options)

    monkeypatch.setattr(nmfcore, "factorize", spy)
    reduce(base, 10, 30)
    assert tried == [(30, 10, None), (1, 16, 8), (1, 32, 8)]
    tried.clear()
    reduce(replace(base, setup=setup(components=3, starts=2)), 10, 30)
    assert tried == [(30, 10, 2)]


def test_components_come_in_the_order_of_the_base_fit():
    base = begin(planted(2000)[0], setup())
    swapped = replace(base.fit, W=base.fit.W[:, ::-1].copy(), H=base.fit.H[::-1].copy())
    found, other = reduce(base, 0, 3), reduce(replace(base, fit=swapped), 0, 3)
    np.testing.assert_allclose(found["mass_fraction"], other["mass_fraction"][:, ::-1], atol=1e-4)


def test_a_drop_that_leaves_no_star_is_refused_and_one_that_leaves_some_is_not():
    table, _ = planted(3000)
    with pytest.raises(UsageError, match="drop=3000 leaves no star"):
        begin(table, setup(scheme="delete", drop=3000))
    fullest = begin(table, setup()).fit.mixtures.n_stars.max()
    assert begin(table, setup(scheme="delete", drop=int(fullest) - 1)).coordinates["delete_factor"] > 0


def test_a_replicate_without_enough_stars_for_its_bins_is_counted_and_the_others_are_there():
    table, _ = planted(40)
    base = begin(table, setup(edges="redrawn", axes=parse_axes("E:6,Lz:6"), selection="all", components=1))
    found = reduce(base, 0, 60, keep_factors=True)
    lost = found["status"] == nmfcore.Status.NON_FINITE
    assert 0 < lost.sum() < 60
    assert not usable(found)[lost].any()
    assert np.isnan(found["mass_fraction"][lost]).all()
    assert np.isfinite(found["mass_fraction"][~lost]).all()
    single = reduce(base, int(np.flatnonzero(lost)[0]), 1, keep_factors=True)
    assert {name: (x.dtype, x.shape[1:]) for name, x in single.items()} == {
        name: (x.dtype, x.shape[1:]) for name, x in found.items()
    }
