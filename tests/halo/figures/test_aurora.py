"""Aurora is drawn with its mask, its maps and both against each other."""

import numpy as np

from halonmf.halo import figures
from halonmf.halo.populations.aurora import aurora

from ..helpers.drawn import (
    make_boundary,
    make_fit,
)
from ..populations.test_aurora import fit_and_stars


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
