"""The branches of the bifurcation are drawn with their mean actions."""

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.figures import style as look
from halonmf.halo.populations.bifurcation import bifurcation

from ..populations.test_bifurcation import LINE, two_branches


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
