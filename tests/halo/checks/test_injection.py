"""Planted streams: found where they are populous and stand out, not where they are few or everywhere."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo.checks.injection import Injection, Stream, inject
from halonmf.halo.checks.planting import expected_image
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.engine import solve_many
from halonmf.halo.fits.fit import fit_mixtures
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Chemistry
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted

SETTINGS = SMALL.replace(chemistry=Chemistry(pixels=16))
STREAM = Stream(abundances=(("FE_H", -1.9), ("AL_FE", 0.4), ("MG_FE", 0.0)), E=-1.6e5, Lz=0.0)


@pytest.fixture(scope="module")
def stars():
    return planted(4000)[0]


@pytest.fixture(scope="module")
def grid(stars):
    return inject(stars, SETTINGS, STREAM, widths=(0.1, 0.5, 1.0), numbers=(10, 1000), repeats=3)


def test_a_populous_stream_is_found_and_a_handful_of_stars_is_not(grid):
    assert grid.found.shape == (3, 2)
    assert grid.found[0].tolist() == [0, 1]
    assert grid.cosine[0, 1].min() > 0.9 > grid.cosine[0, 0].max()


def test_a_stream_that_is_everywhere_does_not_stand_out(grid):
    # with the orbits of the whole sample its share is the same in all bins: no weights tell it from the rest
    assert grid.found[2, 1] == 0
    assert grid.cosine[2, 1].max() < grid.cosine[0, 1].min()


def test_the_sample_alone_has_no_component_like_the_stream(grid):
    assert grid.null < 0.3


def test_a_stream_of_all_orbits_spans_all_bins_and_of_few_few(grid):
    assert grid.spanned[2] == pytest.approx(1.0, abs=0.01)
    assert 0.08 < grid.spanned[0] < 0.35
    assert np.all(np.diff(grid.spanned) > 0)
    assert np.all(np.diff(grid.sigma_E) > 0)


def test_the_same_seed_gives_the_same_answer(stars, grid):
    again = inject(stars, SETTINGS, STREAM, widths=(0.1,), numbers=(10,), repeats=3)
    other = inject(stars, SETTINGS, STREAM, widths=(0.1,), numbers=(10,), repeats=3, seed=1)
    # To float32's rounding: the cells of a batch are the union of its matrices', and so is the order of sums.
    np.testing.assert_allclose(again.cosine[0, 0], grid.cosine[0, 0], atol=1e-5)
    assert not np.allclose(other.cosine, again.cosine)


def hand_made(cosine):
    cosine = np.asarray(cosine, dtype=float)
    w, s, _ = cosine.shape
    return Injection(
        STREAM, np.array([0.1, 0.4])[:w], np.ones(w), np.ones(w), np.array([0.2, 0.5])[:w],
        np.array([100, 200, 400])[:s], cosine, 0.1, 0.8, 1000, 3,
    )  # fmt: skip


def test_the_fewest_are_those_from_which_on_all_are_found():
    result = hand_made([[[0.9, 0.9], [0.1, 0.9], [0.9, 0.85]], [[0.1, 0.2], [0.9, 0.9], [0.9, 0.9]]])
    np.testing.assert_allclose(result.found, [[1, 0.5, 1], [0, 1, 1]])
    np.testing.assert_allclose(result.fewest, [400, 200])
    np.testing.assert_allclose(result.contrast, [4.0, 0.5])
    assert result.narrowest() == 0.5
    assert result.narrowest(contrast=5) == 0.2


def test_fits_that_did_not_converge_count_neither_way():
    result = hand_made([[[np.nan, 0.9], [np.nan, np.nan], [0.1, 0.1]]])
    assert result.found[0, 0] == 1
    assert np.isnan(result.found[0, 1])
    assert np.isnan(result.fewest[0])
    assert np.isnan(result.narrowest())
    table = result.table()
    assert table["converged"].tolist() == [1, 0, 2]
    assert np.isnan(table["cosine"][1])


def test_the_planted_image_is_its_normal_distribution():
    chemistry = Chemistry(pixels=16)
    image = expected_image(STREAM, chemistry, np.random.default_rng(0))
    assert image.sum() == pytest.approx(1)
    pictures = chemistry.images(image)
    for i, plane in enumerate(chemistry.planes):
        mean = dict(STREAM.abundances)
        x, y = chemistry.centres(plane.x), chemistry.centres(plane.y)
        assert np.average(x, weights=pictures[i].sum(axis=0)) == pytest.approx(mean[plane.x], abs=0.01)
        assert np.average(y, weights=pictures[i].sum(axis=1)) == pytest.approx(mean[plane.y], abs=0.01)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"widths": (0.0,)}, "widths must lie"),
        ({"widths": (1.5,)}, "widths must lie"),
        ({"numbers": (0,)}, "be positive"),
        ({"threshold": 1.0}, "threshold too"),
        ({"stream": Stream(abundances=(("FE_H", -1.0),))}, "the stream has no AL_FE, MG_FE"),
        ({"stream": replace(STREAM, abundances=(("FE_H", 5.0), ("AL_FE", 0.0), ("MG_FE", 0.0)))}, "outside the images"),
    ],
)
def test_what_makes_no_sense_is_refused(stars, options, said):
    with pytest.raises(UsageError, match=said):
        inject(stars, SETTINGS, **{"stream": STREAM, **options})


def test_the_table_has_a_row_per_width_and_number(grid):
    table = grid.table()
    assert len(table) == 6
    assert table["n_stars"].tolist() == [10, 1000] * 3
    assert table.meta["null_cosine"] == grid.null
    assert str(table["sigma_E"].unit) == "km2 / s2"


def test_many_fits_at_once_are_the_fits_one_by_one(stars):
    mixtures = mix(stars, SETTINGS.axes, SETTINGS.chemistry)
    half = mix(stars[:2000], mixtures.bins, SETTINGS.chemistry)
    W, H, converged = solve_many(np.stack([mixtures.V, half.V]), SETTINGS.solver)
    assert converged.all()
    for b, (m, counted) in enumerate(((mixtures, stars), (half, stars[:2000]))):
        alone = fit_mixtures(m, counted, CutFlow(len(counted)), SETTINGS)
        for row in H[b]:
            assert np.max(row @ alone.H.T / np.linalg.norm(row) / np.linalg.norm(alone.H, axis=1)) > 1 - 1e-5
        np.testing.assert_allclose(np.sort(W[b].sum(axis=0)), np.sort(alone.W.sum(axis=0)), rtol=2e-3)
