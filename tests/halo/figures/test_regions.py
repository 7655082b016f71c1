"""Regions are drawn on a component, and the energies of their stars."""

import itertools

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import to_rgb

from halonmf.halo import figures
from halonmf.halo.errors import UsageError
from halonmf.halo.figures import regions
from halonmf.halo.mixtures.settings import Chemistry, Plane
from halonmf.halo.populations.regions import read_regions, region_energies

from ..helpers.drawn import (
    MACHADO,
    lab,
    legend_texts,
    lines_of,
    make_fit,
)
from ..helpers.planted import hand_made_fit


def halo(n=3000, seed=0):
    """Stars spread over the plane of [Al/Fe] and [Fe/H]."""
    rng = np.random.default_rng(seed)
    return Table(
        {
            "FE_H": rng.uniform(-2, 0.2, n),
            "AL_FE": rng.uniform(-0.5, 0.5, n),
            "MG_FE": rng.uniform(0, 0.4, n),
            "E": rng.normal(-1.7e5, 0.25e5, n),
            "Lz": rng.normal(0, 500, n),
        }
    )


def test_regions_are_drawn_on_the_component():
    fit = make_fit(chemistry=Chemistry(pixels=12))
    picture = figures.labelled_component(fit, 1, read_regions())
    axes = picture.figure.axes[0]
    image = fit.images[1, 0]
    np.testing.assert_allclose(axes.images[0].get_array(), image / image.max())
    assert {text.get_text() for text in axes.texts} == {"Eos", "Splash", "Aurora", "GS/E"}
    corners = read_regions()["Eos"].polygon
    assert any(len(p.get_xy()) == len(corners) + 1 and np.allclose(p.get_xy()[:-1], corners) for p in axes.patches)
    assert "Lz < 0 or e > 0.7" in picture.caption
    assert set(picture.data["region"]) == set(read_regions())
    other = Chemistry.of([Plane("MG_FE", "FE_H")], pixels=4)
    with pytest.raises(UsageError, match="needs the plane AL_FE:FE_H"):
        figures.labelled_component(hand_made_fit(np.ones(16), other), 0, read_regions())


def test_energies_draw_shares_and_ratios_with_their_stars():
    stars, regions = halo(), read_regions()
    result = region_energies(stars, regions, draws=5, selection="all")
    picture = figures.energies(stars, regions, result)
    _, second, third = picture.figure.axes
    steps = [patch.get_data().values for patch in second.patches]
    for density in result.density:
        assert any(np.allclose(density, step) for step in steps)
    drawn = lines_of(third)
    for ratio in result.ratio[1:]:
        known = np.isfinite(ratio)
        assert any(len(y) == len(ratio) and np.allclose(y[known], ratio[known]) for y in drawn)
    assert f"Eos  ({result.n_stars[0]:,})" in legend_texts(picture.figure)
    assert f"nearest: {result.nearest}" in picture.caption
    assert picture.data["n_Eos"].tolist() == result.counts[0].tolist()


@pytest.mark.parametrize("vision", MACHADO)
def test_region_colours_stay_apart_for_the_colour_blind(vision):
    rgb = [np.array(to_rgb(colour)) for colour in regions.COLOURS.values()]
    seen = [lab(MACHADO[vision] @ np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)) for c in rgb]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


def test_regions_by_other_names_have_colours_of_their_own():
    shades = regions.colours(["Eos", "mine", "yours"])
    assert len(set(shades.values())) == 3
