"""Four components are drawn from high to low energy."""

import numpy as np

from halonmf.halo import figures

from ..helpers.four import four_found


def test_four_components_go_from_high_to_low_energy():
    _, four = four_found()
    picture = figures.four_components(four)
    titles = [axes.get_title().split()[0] for axes in picture.figure.axes if axes.get_title()]
    assert titles == ["HE1", "HE2", "LE1", "LE2"]
    assert f"{four.filled:,} stars lie in Lz columns without a boundary" in picture.caption
    assert len(picture.data) == 50
    assert np.array_equal(picture.data["weight_1"][:25], four.high.W[:, 1])
