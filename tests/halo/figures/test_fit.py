"""The components of a fit are drawn with their own numbers, under names and units."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.errors import UsageError
from halonmf.halo.mixtures.settings import Axis, Chemistry
from halonmf.halo.products.tracks import track
from halonmf.halo.stars.published_line import belokurov_kravtsov

from ..helpers.drawn import (
    axes_titled,
    coloured,
    every_label,
    legend_texts,
    make_application,
    make_boundary,
    make_fit,
    map_axes,
)


@pytest.mark.parametrize(("k", "planes"), [(1, 2), (2, 1), (2, 2), (3, 1), (8, 1)])
def test_components_draws_a_column_per_component_and_a_row_per_plane(k, planes):
    chemistry = Chemistry.of(Chemistry().planes[:planes], pixels=6)
    figure = figures.components(make_fit(k, chemistry=chemistry)).figure
    assert len(figure.axes) == (1 + planes) * (k + 1)  # the last column holds the keys


def test_components_adds_the_comparison_beside_the_components():
    fit = make_fit()
    figure = figures.components(fit, make_application(fit)).figure
    assert len(figure.axes) == 3 * 3 + 2 + 2  # map with its key, tracks in two planes


def test_weights_are_drawn_over_their_maximum_bin_by_bin():
    fit = make_fit()
    figure = figures.components(fit).figure
    for j, name in enumerate(fit.names):
        drawn = coloured(axes_titled(figure, name)).get_array()
        np.testing.assert_array_equal(drawn, fit.W[:, j] / fit.W[:, j].max())


def test_weights_stand_on_their_bins():
    fit = make_fit()
    paths = coloured(axes_titled(figures.components(fit).figure, "LE")).get_paths()
    bounds = fit.mixtures.bins.bounds
    for path, (E, Lz) in zip(paths, bounds, strict=True):
        np.testing.assert_allclose([path.vertices[:, 0].min(), path.vertices[:, 0].max()], Lz / 1e3)
        np.testing.assert_allclose([path.vertices[:, 1].min(), path.vertices[:, 1].max()], E / 1e5)


def test_bins_without_stars_are_hatched_and_said_so():
    fit = make_fit(empty=True)
    figure = figures.components(fit).figure
    axes = axes_titled(figure, "LE")
    assert len(coloured(axes).get_array()) == len(fit.W) - 1
    assert [len(c.get_paths()) for c in axes.collections if c.get_hatch()] == [1]
    assert "no stars" in legend_texts(figure)


def test_images_are_the_components_own():
    fit = make_fit()
    drawn = [image.get_array() for axes in figures.components(fit).figure.axes for image in axes.images]
    drawn = [array for array in drawn if array.ndim == 2]  # the keys are in colour
    np.testing.assert_array_equal(drawn, fit.images.reshape(-1, 6, 6))


def test_titles_give_mass_fractions():
    fit = make_fit()
    axes = axes_titled(figures.components(fit).figure, "HE")
    assert axes.get_title() == f"HE  {100 * fit.mass_fractions[1]:.1f} %"


def test_every_axis_of_components_has_its_unit():
    fit = make_fit()
    labels = " ".join(every_label(figures.components(fit, make_application(fit), make_boundary(fit)).figure))
    for text in (r"$E$ [$10^5$ km$^2$ s$^{-2}$]", r"$L_z$ [$10^3$ kpc km s$^{-1}$]", "[Fe/H]}$ [dex]", "LE fraction"):
        assert text in labels


def test_map_shows_the_low_energy_fraction_and_hatches_empty_cells():
    fit = make_fit()
    application = make_application(fit)
    axes = map_axes(figures.components(fit, application).figure)
    known = np.isfinite(application.fractions[:, 0])
    assert 0 < known.sum() < len(known)
    np.testing.assert_array_equal(coloured(axes).get_array(), application.fractions[known, 0])
    assert [len(c.get_paths()) for c in axes.collections if c.get_hatch()] == [(~known).sum()]


def test_map_of_many_components_shows_all_but_the_last():
    fit = make_fit(4)
    application = make_application(fit)
    figure = figures.components(fit, application).figure
    known = application.mixtures.n_stars > 0
    np.testing.assert_allclose(coloured(map_axes(figure)).get_array(), 1 - application.fractions[known, -1])
    assert "C1 + C2 + C3 fraction" in every_label(figure)


def test_cells_of_few_stars_carry_a_dot():
    fit = make_fit()
    application = make_application(fit)
    n_stars = application.mixtures.n_stars
    axes = map_axes(figures.components(fit, application).figure)
    (dots,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(dots.get_xdata()) == ((n_stars > 0) & (n_stars < 10)).sum() > 0


def test_boundary_is_drawn_where_it_is():
    fit = make_fit()
    boundary = make_boundary(fit)
    axes = map_axes(figures.components(fit, boundary=boundary).figure)
    drawn = [line.get_xydata() for line in axes.lines if line.get_color() == "k" and line.get_linestyle() == "-"]
    np.testing.assert_array_equal(drawn[0], np.stack([boundary.Lz / 1e3, boundary.smoothed / 1e5], axis=-1))


def test_line_of_belokurov_and_kravtsov_is_drawn_dashed():
    fit = make_fit()
    axes = map_axes(figures.components(fit, boundary=make_boundary(fit)).figure)
    (line,) = [line for line in axes.lines if line.get_linestyle() == "--" and line.get_color() == "k"]
    np.testing.assert_allclose(line.get_ydata() * 1e5, belokurov_kravtsov(line.get_xdata() * 1e3))


def test_columns_that_cross_more_than_once_have_open_symbols():
    fit = make_fit()
    axes = map_axes(figures.components(fit, boundary=make_boundary(fit)).figure)
    by_face = {line.get_markerfacecolor(): line.get_xdata() for line in axes.lines if line.get_markeredgecolor() == "k"}
    np.testing.assert_array_equal(by_face["k"], [-0.5])
    np.testing.assert_array_equal(by_face["w"], [0.5])


def test_map_of_other_variables_has_no_boundary():
    fit = make_fit()
    application = make_application(fit, (Axis("r", 3, 2.0, 14.0), Axis("Lz", 3, -1000.0, 1000.0)))
    figure = figures.components(fit, application, make_boundary(fit)).figure
    assert "boundary" not in legend_texts(figure)
    assert "$r$ [kpc]" in every_label(figure)


def test_map_on_one_variable_is_refused():
    fit = make_fit()
    with pytest.raises(UsageError, match=r"a map has two variables; got r:3"):
        figures.components(fit, make_application(fit, (Axis("r", 3),)))


def test_bins_on_one_variable_are_drawn_as_bars():
    fit = make_fit(axes=(Axis("r", 5),))
    axes = axes_titled(figures.components(fit).figure, "LE")
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], fit.W[:, 0] / fit.W[:, 0].max())
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$r$ [kpc]", "weight / maximum")


def test_tracks_are_drawn_with_their_deviation():
    fit = make_fit()
    tracks = [[track(fit, j, i) for i in range(2)] for j in range(2)]
    axes = axes_titled(figures.components(fit, tracks=tracks).figure, "median tracks")
    for line, row in zip(axes.lines, tracks, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), row[0].median)
    assert len(axes.collections) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["LE", "HE"]


def test_tracks_of_another_fit_are_refused():
    fit = make_fit()
    tracks = [[track(fit, 0, 0)]]
    with pytest.raises(UsageError, match="tracks must hold one track per component"):
        figures.components(fit, tracks=tracks)


def test_component_without_weight_is_drawn():
    fit = make_fit()
    figure = figures.components(replace(fit, W=fit.W * [1, 0], H=fit.H * [[1], [0]])).figure
    np.testing.assert_array_equal(coloured(axes_titled(figure, "HE")).get_array(), 0)


def test_caption_of_components_says_what_was_cut():
    fit = make_fit()
    caption = figures.components(fit, boundary=make_boundary(fit)).caption
    outside = fit.mixtures.outside_images
    for text in (
        "400 of 1,000 stars pass the selection (Lz < 0 or e > 0.7)",
        f"{outside[0]} outside AL_FE-FE_H",
        "of 4 columns 1 cross more than once (open symbols) and 2 have no boundary",
        "inferred from the public flags of globular clusters, not published",
        "The weights of 1 bins did not converge",
        "The fit ended after 7 iterations, CONVERGED, with KKT residual 0.",
    ):
        assert text in caption
