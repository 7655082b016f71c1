"""Planted streams are drawn as found or not."""

import numpy as np

from halonmf.halo import figures
from halonmf.halo.checks.injection import inject

from ..checks.test_injection import SETTINGS, STREAM
from ..helpers.drawn import lines_of
from ..helpers.planted import planted


def test_injections_draw_what_was_found():
    result = inject(planted(1500)[0], SETTINGS, STREAM, widths=(0.1, 0.6), numbers=(10, 400), repeats=2)
    picture = figures.injections(result)
    first, second = picture.figure.axes[:2]
    np.testing.assert_array_equal(first.images[0].get_array(), result.found)
    drawn = lines_of(second)
    assert any(len(y) == 2 and np.allclose(y, result.cosine[0].mean(axis=1)) for y in drawn)
    assert "1,500 stars" in picture.caption
    assert len(picture.data) == 4
