"""Samples of stars are drawn whole, and counted where they are not."""

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.errors import InputError
from halonmf.halo.mixtures.settings import Chemistry, Plane

from ..helpers.drawn import make_stars


def test_samples_have_their_counts_in_the_titles_and_every_star_in_a_cell():
    stars = make_stars(5000)
    picture = figures.sample({"all": stars, "retrograde": stars[stars["Lz"] < 0]})
    panels_ = picture.figure.axes[:2]
    n = int((stars["Lz"] < 0).sum())
    assert [axes.get_title() for axes in panels_] == ["all\n$N$ = 5,000", f"retrograde\n$N$ = {n:,}"]
    frame = picture.figure.axes[0]
    inside = np.ones(len(stars), dtype=bool)
    for x, (low, high) in ((stars["Lz"].value / 1e3, frame.get_xlim()), (stars["E"].value / 1e5, frame.get_ylim())):
        inside &= (x >= low) & (x <= high)
    assert frame.collections[0].get_array().sum() == inside.sum()
    assert f"all: 5,000 stars, {5000 - inside.sum()} of them outside the frame" in picture.caption


def test_small_samples_are_drawn_star_by_star():
    stars = make_stars()
    points = figures.sample({"all": stars}).figure.axes[0].collections[0].get_offsets()
    np.testing.assert_array_equal(points, np.stack([stars["Lz"].value / 1e3, stars["E"].value / 1e5], axis=-1))


def test_stars_without_energy_are_left_out_of_the_count():
    stars = make_stars()
    stars["E"][:3] = np.nan
    assert "N$ = 397" in figures.sample({"all": stars}).figure.axes[0].get_title()


def test_no_stars_is_an_error():
    with pytest.raises(InputError, match="no stars to draw"):
        figures.sample({"none": make_stars()[:0]})
    with pytest.raises(InputError, match="no stars to draw"):
        figures.sample({})


def test_chemistry_shows_each_plane_with_the_cut():
    figure = figures.chemistry(make_stars(), max_fe_h=-1.2).figure
    assert [axes.get_ylabel() for axes in figure.axes] == [r"$\mathrm{[Al/Fe]}$ [dex]", r"$\mathrm{[Mg/Fe]}$ [dex]"]
    for axes in figure.axes:
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), -1.2)


def test_chemistry_of_other_planes_has_no_cut_line():
    images = Chemistry.of((Plane("AL_FE", "MG_FE"),))
    (axes,) = figures.chemistry(make_stars(), images=images).figure.axes
    assert len(axes.lines) == 0
