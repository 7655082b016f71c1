"""Figures 11 to 15 and those of checks show the products' own numbers, and say what was cut."""

import itertools

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table
from matplotlib.colors import to_rgb

from halonmf.halo.checks.injection import inject
from halonmf.halo.checks.stability import Stability, stability
from halonmf.halo.errors import UsageError
from halonmf.halo.figures import fit as figures
from halonmf.halo.figures import populations as populationplots
from halonmf.halo.figures import style as look
from halonmf.halo.mixtures.settings import Chemistry, Plane
from halonmf.halo.populations.aurora import aurora
from halonmf.halo.populations.bifurcation import bifurcation
from halonmf.halo.populations.regions import read_regions, region_energies
from halonmf.halo.products.memberships import reliability
from halonmf.halo.products.profile import profile_of
from halonmf.halo.simulations.fractions import simulate
from halonmf.halo.simulations.particles import Galaxy

from ..checks.test_injection import SETTINGS, STREAM
from ..helpers.planted import SMALL, hand_made_application, hand_made_fit, planted
from ..populations.test_aurora import fit_and_stars
from ..populations.test_bifurcation import LINE, two_branches
from .test_figures import MACHADO, lab, legend_texts, make_boundary, make_fit


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


@pytest.fixture(scope="module")
def galaxy():
    rng = np.random.default_rng(0)
    n = 4000
    r = rng.uniform(0.5, 14, n)
    table = QTable({"r_sph": r * u.kpc, "FE_H": rng.uniform(-2.5, 0, n), "mass": np.ones(n) * u.Msun})
    table["accreted"] = rng.random(n) < r / 14
    return Galaxy("m12x", table, n, "flagged", np.zeros(3), np.array([0.0, 0.0, 1.0]), {})


def lines_of(axes):
    return [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]


# Fig 11


def test_simulations_draw_both_fractions_and_the_fits_points(galaxy):
    result = simulate(galaxy, ["r:10:2:14"])
    ours = profile_of(hand_made_application(np.linspace(0.1, 0.9, 10), "r:10:2:14"))
    picture = figures.simulations([result, result], {"r": ours}, thick=["m12x"])
    (axes,) = picture.figure.axes
    drawn = lines_of(axes)
    fractions = result.profiles["r"].fractions
    for j in range(2):
        assert sum(len(y) == 10 and np.allclose(y, fractions[:, j]) for y in drawn) == 2
    assert any(len(y) == 10 and np.allclose(y, np.linspace(0.1, 0.9, 10)) for y in drawn)
    assert "FE_H < -1.1" in picture.caption
    assert f"{result.cutflow.passed:,} of 4,000 particles" in picture.caption
    assert len(picture.data) == 20
    with pytest.raises(UsageError, match="one or more"):
        figures.simulations([])


# Fig 12, 13


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
    rgb = [np.array(to_rgb(colour)) for colour in populationplots.COLOURS.values()]
    seen = [lab(MACHADO[vision] @ np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)) for c in rgb]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


def test_regions_by_other_names_have_colours_of_their_own():
    shades = populationplots.colours(["Eos", "mine", "yours"])
    assert len(set(shades.values())) == 3


# Fig 14


@pytest.mark.parametrize("region", [None, "Eos"])
def test_branches_draw_the_means_and_name_the_stars(region):
    stars, _ = two_branches()
    result = bifurcation(stars, region, line=LINE, draws=20, selection="all")
    picture = figures.branches(stars, result)
    meshes = [c.get_array() for axes in picture.figure.axes for c in axes.collections if c.get_array() is not None]
    scale = look.scale("J_r").factor
    shown = [m for m in meshes if np.size(m) == result.means[0].size]
    assert any(
        np.allclose(np.ma.filled(m, np.nan).ravel(), result.means[0].ravel() / scale, equal_nan=True) for m in shown
    )
    assert f"({result.n_stars[0]:,} and {result.n_stars[1]:,} stars)" in picture.caption
    assert ("region Eos" in picture.caption) == (region == "Eos")
    assert len(picture.data) == result.counts.size


# Fig 15


def test_aurora_draws_mask_maps_and_scatter():
    fit, stars, bins = fit_and_stars(1500)
    result = aurora(fit, stars, 0, bins=bins, iterations=20)
    for line in (None, make_boundary(make_fit())):
        picture = figures.aurora_maps(result, line, "LE1")
        first, second, third, fourth = picture.figure.axes[:4]
        black = np.ma.filled(first.images[1].get_array(), 0) > 0
        assert (black == result.mask).all()
        for axes, x in ((second, result.drawn_mean[0]), (third, result.drawn_mean[1])):
            (drawn,) = [c.get_array() for c in axes.collections if c.get_array() is not None]
            np.testing.assert_allclose(drawn, x[np.isfinite(x)])
        points = np.concatenate([line.get_xydata() for line in fourth.lines if len(line.get_xydata())])
        assert {round(float(y), 9) for _, y in points} >= {round(float(y), 9) for y in result.al_fe}
        assert f"{int(result.mask.sum())} of 32 x 32" in picture.caption
        assert ("boundary" in picture.caption) == (line is not None)
    assert len(picture.data) == len(bins)


# checks


def test_injections_draw_what_was_found():
    result = inject(planted(1500)[0], SETTINGS, STREAM, widths=(0.1, 0.6), numbers=(10, 400), repeats=2)
    picture = figures.injections(result)
    first, second = picture.figure.axes[:2]
    np.testing.assert_array_equal(first.images[0].get_array(), result.found)
    drawn = lines_of(second)
    assert any(len(y) == 2 and np.allclose(y, result.cosine[0].mean(axis=1)) for y in drawn)
    assert "1,500 stars" in picture.caption
    assert len(picture.data) == 4


def test_reliabilities_draw_every_bin_and_give_the_scores():
    rng = np.random.default_rng(0)
    p = rng.random(2000)
    results = {"good": reliability(p, rng.random(2000) < p), "bad": reliability(p, rng.random(2000) < 0.5)}
    picture = figures.reliabilities(results)
    drawn = lines_of(picture.figure.axes[0])
    for result in results.values():
        assert any(len(y) == 10 and np.allclose(y, result.observed) for y in drawn)
        assert f"Brier score {result.brier:.3f}" in picture.caption
    assert set(picture.data["of"]) == {"good", "bad"}


def test_stabilities_draw_the_shares_of_converged_fits():
    result = stability(
        planted(2000)[0], SMALL.replace(chemistry=Chemistry(pixels=10)), starts=2, bins=(4, 5), pixels=(8,)
    )
    picture = figures.stabilities(result)
    drawn = lines_of(picture.figure.axes[0])
    assert any(len(y) == 2 and np.allclose(y, result.share[result.of("start"), 0]) for y in drawn)
    assert f"{result.least_cosine('q'):.4f}" in picture.caption
    assert len(picture.data) == 5
    none = Stability(result.base, (), np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)), ())
    with pytest.raises(UsageError, match="no fit converged"):
        figures.stabilities(none)


def test_what_is_drawn_can_be_written(tmp_path, galaxy):
    picture = figures.simulations([simulate(galaxy, ["r:10:2:14"])])
    paths = figures.save(picture, tmp_path / "fig11")
    assert [path.name for path in paths] == ["fig11.png", "fig11.pdf"]
    picture.data.write(tmp_path / "fig11.ecsv", format="ascii.ecsv")
    assert len(QTable.read(tmp_path / "fig11.ecsv")) == 10
