"""The check of every figure's colours: its numbers against published ones, what it must find, and what it finds."""

import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure

from halonmf.halo import figures
from halonmf.halo.figures import regions
from halonmf.halo.figures import style as look
from halonmf.halo.products.overview import products

from .halo.helpers.planted import planted, planted_fit
from .scripts import script

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def colours():
    return script("colours")


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        # Sharma, Wu & Dalal (2005), table 1: pairs 1, 4, 7, 9, 13, 17, 20, 25, 28, 32, 34
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
        ((50.0, -0.0010, 2.4900), (50.0, 0.0009, -2.4900), 4.8045),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((35.0831, -44.1164, 3.7933), (35.0232, -40.0716, 1.5901), 1.8645),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_colour_differences_are_the_published_ones(colours, one, other, difference):
    assert colours.ciede2000(one, other) == pytest.approx(difference, abs=6e-5)
    assert colours.ciede2000(other, one) == pytest.approx(difference, abs=6e-5)


def test_lightness_of_primaries_and_greys(colours):
    # Lindbloom's values of sRGB under D65
    np.testing.assert_allclose(colours.lab((1, 0, 0)), (53.24, 80.09, 67.20), atol=0.02)
    np.testing.assert_allclose(colours.lab((1, 1, 1)), (100, 0, 0), atol=1e-3)
    np.testing.assert_allclose(colours.lab((0, 0, 1)), (32.30, 79.19, -107.86), atol=0.02)


@pytest.mark.parametrize("sight", ["deuteranopia", "protanopia", "tritanopia", "greyscale"])
def test_greys_look_the_same_to_all(colours, sight):
    grey = np.linspace(0, 1, 6)[:, None] * np.ones(3)
    np.testing.assert_allclose(colours.lab(grey, sight), colours.lab(grey), atol=0.05)


def test_each_dichromat_confuses_what_is_known_to_be_confused(colours):
    red_green, blue_green = ("#c44f00", "#6f7f00"), ("#00b8c4", "#00c080")
    assert colours.apart(*red_green, "normal") > 2 * colours.apart(*red_green, "deuteranopia")
    assert colours.apart(*blue_green, "normal") > 2 * colours.apart(*blue_green, "tritanopia")


def drawn(colours, *styles):
    figure = Figure()
    axes = figure.add_subplot()
    for i, style in enumerate(styles):
        axes.plot([0, 1], [i, i], label=f"line {i}", **style)
    axes.legend()
    return colours.check(figure)


def test_red_and_green_lines_fail_and_a_dashed_one_mends_it(colours):
    red, green = {"c": "#c44f00"}, {"c": "#6f7f00"}
    assert any(fault.startswith("deuteranopia") for fault in drawn(colours, red, green).faults)
    assert drawn(colours, red, {**green, "ls": "--"}).faults == ()
    assert drawn(colours, red, {**green, "marker": "s"}).faults == ()


def test_colours_of_one_lightness_fail_without_colour_alone(colours):
    faults = drawn(colours, {"c": look.LOW}, {"c": look.HIGH}).faults
    assert faults
    assert all(fault.startswith("greyscale") for fault in faults)


def test_two_entries_of_a_legend_that_look_the_same_fail(colours):
    (fault,) = drawn(colours, {"c": "k"}, {"c": "k"}).faults
    assert fault == "'line 0' and 'line 1' look the same"


def test_lines_that_no_legend_names_are_looked_at_too(colours):
    figure = Figure()
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], c="#c44f00")
    axes.plot([0, 1], [1, 0], c="#6f7f00")
    assert colours.check(figure).faults


def test_maps_that_go_back_and_lopsided_ones_fail(colours):
    assert colours.map_faults(mpl.colormaps["jet"])
    assert not colours.map_faults(mpl.colormaps["viridis"])
    lopsided = ListedColormap(mpl.colormaps["RdBu"](np.linspace(0.3, 1, 256)), name="RdBu")
    assert any("its sides differ" in fault for fault in colours.map_faults(lopsided))
    red_green = LinearSegmentedColormap.from_list("RdBu", ["#b05000", "white", "#557000"])
    assert any("its ends differ" in fault for fault in colours.map_faults(red_green))


@pytest.mark.parametrize("name", [look.WEIGHTS, look.FRACTIONS, look.DENSITY, "Greys", "BrBG", "viridis_r"])
def test_maps_of_the_figures_hold(colours, name):
    assert colours.map_faults(mpl.colormaps[name]) == []


@pytest.mark.parametrize("k", range(1, 8))
def test_components_are_told_apart_by_all_sights(colours, k):
    styles = [{"c": shade, "ls": look.LINES[i]} for i, shade in enumerate(look.colours(k))]
    assert drawn(colours, *styles).faults == ()
    seen = [x for x in colours.SIGHTS if x != "greyscale"]
    pairs = itertools.combinations(look.hexes(look.colours(k)), 2)
    assert all(colours.apart(*pair, sight) >= colours.DELTA_E for pair in pairs for sight in seen)
    assert all(colours.map_faults(look.ramp(shade)) == [] for shade in look.colours(k))


def test_regions_are_told_apart_by_all_who_see_colours(colours):
    shades = [*regions.COLOURS.values(), *regions.OTHERS[:3]]
    seen = [x for x in colours.SIGHTS if x != "greyscale"]
    least = min(
        colours.apart(*pair, sight) for pair in itertools.combinations(list(dict.fromkeys(shades)), 2) for sight in seen
    )
    assert least >= colours.DELTA_E


def test_figures_of_a_fit_hold(colours):
    made = figures.every(products(planted_fit(), planted()[0]))
    assert {name: colours.check(picture.figure).faults for name, picture in made.items()} == dict.fromkeys(made, ())


@pytest.mark.slow
def test_every_figure_is_drawn_and_holds():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "colours.py"], capture_output=True, text=True, timeout=3000, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "0 fail, 0 are not drawn" in done.stdout
