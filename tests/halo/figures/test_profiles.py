"""Fractions along a variable are the profile's own, with crossings, bands and truth."""

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.errors import UsageError
from halonmf.halo.products.profile import Crossing

from ..helpers.drawn import axes_labelled, legend_texts, make_fit, make_profile


def test_fractions_are_the_products_own():
    profile = make_profile(make_fit())
    axes = axes_labelled(figures.fractions(profile).figure, "fractional contribution")
    n_stars = profile.application.mixtures.n_stars
    few = (n_stars > 0) & (n_stars < 10)
    for j, marker in enumerate("os"):
        full, open_ = [line for line in axes.lines if line.get_marker() == marker]
        np.testing.assert_array_equal(full.get_ydata(), profile.application.fractions[n_stars >= 10, j])
        assert open_.get_markerfacecolor() == "w"
        np.testing.assert_array_equal(open_.get_ydata(), profile.application.fractions[few, j])
    assert few.any()


def test_fractions_show_the_stars_of_each_bin():
    profile = make_profile(make_fit())
    axes = axes_labelled(figures.fractions(profile).figure, "stars")
    (stairs,) = axes.patches
    np.testing.assert_array_equal(stairs.get_data().values, profile.application.mixtures.n_stars)
    np.testing.assert_allclose(stairs.get_data().edges, np.linspace(-2.4, -1.2, 9))
    assert axes.get_xlabel() == r"$E$ [$10^5$ km$^2$ s$^{-2}$]"


def test_crossings_are_marked_and_labelled():
    figure = figures.fractions(make_profile(make_fit(), (Crossing(0.5, (-1.7e5, -1.4e5)), Crossing(0.9, ())))).figure
    axes = axes_labelled(figure, "fractional contribution")
    marked = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(marked, [(-1.7, 0.5), (-1.4, 0.5)])
    assert [text.get_text() for text in axes.texts] == ["50 %:  \u22121.70", "50 %:  \u22121.40"]


def test_a_profile_that_never_crosses_has_no_mark():
    picture = figures.fractions(make_profile(make_fit(), (Crossing(0.5, ()),)))
    assert not [line for axes in picture.figure.axes for line in axes.lines if line.get_marker() == "D"]
    assert "50 % never" in picture.caption


def test_bands_and_truth_are_drawn():
    profile = make_profile(make_fit())
    fractions = np.nan_to_num(profile.application.fractions)
    truth = np.linspace(0, 1, 8)
    figure = figures.fractions(profile, np.stack([fractions - 0.1, fractions + 0.1]), truth).figure
    axes = axes_labelled(figure, "fractional contribution")
    assert len(axes.collections) == 2
    assert any(np.array_equal(line.get_ydata(), truth) for line in axes.lines)
    assert "true HE" in legend_texts(figure)


@pytest.mark.parametrize(("name", "shape"), [("extra_bands", (8, 2)), ("truth", (7,))])
def test_bands_and_truth_of_another_shape_are_refused(name, shape):
    with pytest.raises(UsageError, match=rf"{name} must have shape .* got \({shape[0]}"):
        figures.fractions(make_profile(make_fit()), **{name: np.zeros(shape)})
