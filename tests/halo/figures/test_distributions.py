"""Densities and eccentricities: the products' own numbers in the paper's colours, with their tables."""

from dataclasses import replace

import numpy as np
from matplotlib.colors import to_hex

from halonmf.halo import figures
from halonmf.halo.figures import style as look
from halonmf.halo.fits.bootstrap import refit
from halonmf.halo.products.densities import densities
from halonmf.halo.products.eccentricity import eccentricities

from ..helpers.four import four_found
from ..helpers.planted import planted, planted_fit


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def dashes(line):
    return str(line._unscaled_dash_pattern)


def test_densities_are_drawn_in_the_papers_colours_and_dashes():
    _, four = four_found()
    fits = [four.high, four.low]
    found = densities(fits)
    picture = figures.densities(found, fits)
    assert len(picture.figure.axes) == 3
    assert [axes.get_xlabel() for axes in picture.figure.axes] == [
        look.scale(v).label for v in ("FE_H", "AL_FE", "MG_FE")
    ]
    drawn = lines(picture.figure.axes[1])
    for name in ("HE1", "HE2", "LE1", "LE2"):
        d = next(d for d in found if (d.component, d.variable) == (name, "AL_FE"))
        assert np.array_equal(drawn[name].get_ydata(), d.density)
        assert to_hex(drawn[name].get_color()) == (look.ORANGE if name[0] == "H" else look.CYAN)
    assert dashes(drawn["HE1"]) == dashes(drawn["LE1"]) != dashes(drawn["HE2"]) == dashes(drawn["LE2"])
    assert f"{four.high.cutflow.passed:,} of" in picture.caption
    assert len(picture.data) == 4 * 3 * 30


def test_eccentricities_are_drawn_with_bands_and_peaks():
    table, _ = planted()
    made = replace(planted_fit(), settings=planted_fit().settings.replace(selection="all"))
    found = eccentricities(made, table, refits=refit(made, 5))
    picture = figures.eccentricities(found, made)
    drawn = lines(picture.figure.axes[0])
    assert np.array_equal(drawn["HE"].get_ydata(), found.density[1])
    assert len(picture.figure.axes[0].collections) == 2
    assert f"{found.peaks[0]:.2f}" in {text.get_text() for text in picture.figure.axes[0].texts}
    assert f"HE: {found.kept[1]} bins, {found.n_stars[1]:,} stars" in picture.caption
    assert len(picture.data) == 20


def test_a_kinematically_pure_halo_is_drawn_in_red_and_blue():
    found = eccentricities(planted_fit(), planted()[0])
    drawn = lines(figures.eccentricities(found).figure.axes[0])
    assert (drawn["HE"].get_color(), drawn["LE"].get_color()) == (look.HIGH, look.BLUE)
