"""Figures show the products' own numbers, under names and units, and are written whole or not at all."""

import errno
import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from matplotlib.legend import Legend

from halonmf.halo import figures
from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.figures import panels, picture
from halonmf.halo.figures import style as look
from halonmf.halo.fits.apply import Application
from halonmf.halo.fits.fit import Fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Axis, Chemistry, Plane
from halonmf.halo.products.boundary import CROSSES, NEVER, TWICE, Boundary
from halonmf.halo.products.profile import Crossing, Profile
from halonmf.halo.products.published_line import belokurov_kravtsov
from halonmf.halo.products.tracks import track
from halonmf.halo.stars.cutflow import CutFlow

SHARED = Path(__file__).parents[3] / "../shared"
N = 400
EL = (Axis("E", 4), Axis("Lz", 4))
CROSSINGS = (Crossing(0.5, (-1.7e5,)), Crossing(0.9, ()), Crossing(0.1, ()))
GRID = (Axis("Lz", 6, -2000.0, 2000.0), Axis("E", 5, -3.0e5, -1.0e5))


def make_stars(n=N, seed=1):
    rng = np.random.default_rng(seed)
    return QTable(
        {
            "E": rng.normal(-1.7e5, 2e4, n) * u.km**2 / u.s**2,
            "Lz": rng.normal(0, 500, n) * u.kpc * u.km / u.s,
            "r_sph": rng.uniform(2, 14, n) * u.kpc,
            "FE_H": rng.normal(-1.0, 0.4, n),
            "AL_FE": rng.normal(0.0, 0.2, n),
            "MG_FE": rng.normal(0.2, 0.1, n),
        }
    )


def make_fit(k=2, axes=EL, chemistry=None, empty=False):
    stars = make_stars()
    mixtures = mix(stars, make_bins(stars, axes), chemistry or Chemistry(pixels=6))
    if empty:
        mixtures = replace(mixtures, n_stars=np.r_[0, mixtures.n_stars[1:]])
    rng = np.random.default_rng(2)
    W, H = rng.gamma(1.0, 20.0, (len(mixtures.bins), k)), rng.gamma(0.3, 1.0, (k, mixtures.chemistry.n))
    return Fit(
        W=W,
        H=H / H.sum(axis=1, keepdims=True),
        names=("LE", "HE") if k == 2 else tuple(f"C{i + 1}" for i in range(k)),
        mean_energy=np.linspace(-1.8e5, -1.5e5, k),
        mixtures=mixtures,
        settings=FitSettings.of(components=k, axes=axes),
        cutflow=CutFlow(1000, ("Lz < 0 or e > 0.7",), (1000 - N,)),
        bin_energy=np.zeros(len(mixtures.bins)),
        loss=1.0,
        kkt=0.0,
        n_iter=7,
        status="CONVERGED",
        device="cpu",
    )


def make_application(fit, axes=GRID):
    stars = make_stars()
    mixtures = mix(stars, make_bins(stars, axes), fit.mixtures.chemistry)
    W = np.random.default_rng(3).gamma(1.0, 1.0, (len(mixtures.bins), len(fit.names)))
    W = np.where(mixtures.n_stars[:, None] > 0, W, 0.0)
    return Application(W, mixtures, fit.names, fit.cutflow, np.arange(len(W)) > 0, fit.status, fit.kkt)


def make_boundary(fit):
    E = np.array([np.nan, -1.6e5, -1.7e5, np.nan])
    return Boundary(
        Lz_edges=np.linspace(-2000, 2000, 5),
        E=E,
        smoothed=E,
        n_crossings=np.array([0, 1, 3, 0]),
        status=(NEVER, CROSSES, TWICE, NEVER),
        n_stars=np.full(4, 100),
        level=0.5,
        smoothing=0.0,
        application=make_application(fit),
    )


def make_profile(fit, crossings=CROSSINGS):
    return Profile(make_application(fit, (Axis("E", 8, -2.4e5, -1.2e5),)), crossings)


def every_label(figure):
    return {text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())}


def axes_titled(figure, start):
    (found,) = [axes for axes in figure.axes if axes.get_title().startswith(start)]
    return found


def axes_labelled(figure, y):
    (found,) = [axes for axes in figure.axes if axes.get_ylabel() == y]
    return found


def map_axes(figure):
    """Return the axes of the share map: the only ones with cells in the map's colours."""
    (found,) = [
        axes
        for axes in figure.axes
        if any(isinstance(c, PolyCollection) and c.get_cmap().name == look.SHARES for c in axes.collections)
    ]
    return found


def coloured(axes):
    (found,) = [c for c in axes.collections if c.get_array() is not None]
    return found


def legend_texts(figure):
    legends = [child for axes in figure.axes for child in axes.get_children() if isinstance(child, Legend)]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


# components


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


def test_outermost_equal_count_bins_do_not_crowd_out_the_others():
    stars = make_stars()
    stars["E"][0] = -1.0 * u.km**2 / u.s**2
    bins = make_bins(stars, EL)
    low, high = panels.frame(bins, 0)
    assert low <= bins.edges[0][1] / 1e5 < bins.edges[0][-2] / 1e5 <= high < -1.0
    regular = make_bins(stars, GRID)
    assert panels.frame(regular, 1) == (-3.0, -1.0)


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


# fractions


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


# stars


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


# summary


@pytest.mark.parametrize("k", [2, 4])
def test_summary_holds_components_map_and_profile(k):
    fit = make_fit(k)
    picture = figures.summary(fit, make_application(fit), make_boundary(fit), make_profile(fit))
    assert len(picture.figure.axes) == 3 * (k + 1) + 2 + 2
    assert picture.figure.get_suptitle().startswith("400 stars of the chemically pure halo in 4 \u00d7 4 bins of E, Lz")


def test_summary_without_map_takes_the_boundarys():
    fit = make_fit()
    figure = figures.summary(fit, None, make_boundary(fit), make_profile(fit)).figure
    assert len(coloured(map_axes(figure)).get_array()) > 0
    with pytest.raises(UsageError, match="needs a map_application or a boundary"):
        figures.summary(fit, None, None, make_profile(fit))


# colours and style


MACHADO = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
"""Machado, Oliveira & Fernandes (2009, IEEE TVCG 15, 1291), severity 1."""


def lab(rgb):
    """CIE L*a*b* of linear sRGB, D65."""
    xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]] @ np.clip(rgb, 0, 1)
    t = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * t[1] - 16, 500 * (t[0] - t[1]), 200 * (t[1] - t[2])])


@pytest.mark.parametrize("vision", MACHADO)
@pytest.mark.parametrize("k", range(2, 8))
def test_component_colours_stay_apart_for_the_colour_blind(vision, k):
    rgb = [np.array(to_rgb(colour)) for colour in look.colours(k)]
    seen = [lab(MACHADO[vision] @ np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)) for c in rgb]
    distance = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert distance > (60 if k == 2 else 15)


def test_image_shades_fall_steadily_in_lightness():
    for colour in look.colours(7):
        luminance = look.ramp(colour)(np.linspace(0, 1, 50))[:, :3] @ [0.2126, 0.7152, 0.0722]
        assert np.all(np.diff(luminance) < 0)


def test_the_callers_settings_are_left_as_they_were():
    # to ask for the backend is to choose one
    before = {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}
    figures.fractions(make_profile(make_fit()))
    assert {name: mpl.rcParams[name] for name in before} == before


def test_drawing_loads_neither_pyplot_nor_torch(tmp_path):
    code = """
import sys
from astropy.table import Table
from halonmf.halo import figures
stars = Table({"E": [-1.7e5, -1.6e5], "Lz": [0.0, 100.0]})
figures.save(figures.sample({"all": stars}), sys.argv[1])
sys.exit(bool({"matplotlib.pyplot", "torch"} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, tmp_path / "a"], check=True, timeout=120)


# files


def one_panel():
    return figures.chemistry(make_stars(), images=Chemistry.of(Chemistry().planes[:1]))


@pytest.fixture(scope="module")
def drawn():
    return one_panel()


def test_save_writes_png_and_pdf(drawn, tmp_path):
    paths = figures.save(drawn, tmp_path / "run.1")
    assert paths == [tmp_path / "run.1.png", tmp_path / "run.1.pdf"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert paths[1].read_bytes().startswith(b"%PDF")
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_png_is_not_blank(tmp_path):
    fit = make_fit()
    summary = figures.summary(fit, make_application(fit), make_boundary(fit), make_profile(fit))
    (path,) = figures.save(summary, tmp_path / "a", ["png"])
    pixels = imread(path)
    assert pixels.shape[0] > 1000
    assert 0.05 < (pixels[..., :3] < 0.9).any(axis=-1).mean() < 0.95


def test_suffix_names_a_format_not_the_file(drawn, tmp_path):
    assert [path.name for path in figures.save(drawn, tmp_path / "a.svg", ["png"])] == ["a.png", "a.svg"]


def test_same_picture_gives_the_same_bytes(drawn, tmp_path):
    first = [path.read_bytes() for path in figures.save(drawn, tmp_path / "a", picture.FORMATS)]
    assert [path.read_bytes() for path in figures.save(one_panel(), tmp_path / "b", picture.FORMATS)] == first


def test_caption_travels_in_the_file(drawn, tmp_path):
    (path,) = figures.save(drawn, tmp_path / "a", ["png"])
    assert drawn.caption.encode("latin-1") in path.read_bytes()


def test_save_refuses_to_replace_a_file(drawn, tmp_path):
    (tmp_path / "a.pdf").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        figures.save(drawn, tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf"]
    figures.save(drawn, tmp_path / "a", overwrite=True)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_save_into_no_folder_is_an_error(drawn, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        figures.save(drawn, tmp_path / "absent" / "a")


def test_full_disk_leaves_no_file(drawn, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(drawn.figure, "savefig", full)
    with pytest.raises(OutputError, match="No space left"):
        figures.save(drawn, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_is_refused(drawn, tmp_path):
    with pytest.raises(UsageError, match="formats must be among png, pdf, svg; got gif"):
        figures.save(drawn, tmp_path / "a", ["gif"])


# the real stars


@pytest.mark.slow
def test_real_stars_draw_from_files_to_picture(tmp_path):
    files = [SHARED / "data" / f"{name}-dr17-halo-giants.fits" for name in ("allStarLite", "apogee_astroNN")]
    if not all(file.exists() for file in files):
        pytest.skip(f"{files[0].parent} is absent")
    from halonmf.halo.fits.apply import apply
    from halonmf.halo.fits.fit import fit
    from halonmf.halo.products.boundary import boundary
    from halonmf.halo.products.profile import profile
    from halonmf.halo.survey.prepare import prepare

    stars = prepare(*files).table
    axes = (Axis("E", 5), Axis("Lz", 5))
    found = fit(stars, FitSettings.of(selection="retrograde", axes=axes, chemistry=Chemistry(pixels=20)))
    along_E = profile(found, stars, (Axis("E", 9, -2.1e5, -1.2e5),))
    page = figures.summary(found, apply(found, stars, GRID), boundary(found, stars), along_E)
    (path,) = figures.save(page, tmp_path / "summary", ["png"])
    assert "270 retrograde stars" in page.caption
    assert imread(path)[..., :3].std() > 0.1
