"""Panels leave room for what they show."""

from astropy import units as u

from halonmf.halo.figures import panels
from halonmf.halo.mixtures.bins import make_bins

from ..helpers.drawn import EL, GRID, make_stars


def test_outermost_equal_count_bins_do_not_crowd_out_the_others():
    stars = make_stars()
    stars["E"][0] = -1.0 * u.km**2 / u.s**2
    bins = make_bins(stars, EL)
    low, high = panels.frame(bins, 0)
    assert low <= bins.edges[0][1] / 1e5 < bins.edges[0][-2] / 1e5 <= high < -1.0
    regular = make_bins(stars, GRID)
    assert panels.frame(regular, 1) == (-3.0, -1.0)
