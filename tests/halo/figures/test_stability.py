"""Repeated fits are drawn with their mass fractions."""

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.checks.stability import Stability, stability
from halonmf.halo.errors import UsageError
from halonmf.halo.mixtures.settings import Chemistry

from ..helpers.drawn import lines_of
from ..helpers.planted import SMALL, planted


def test_stabilities_draw_the_fractions_of_converged_fits():
    result = stability(
        planted(2000)[0], SMALL.replace(chemistry=Chemistry(pixels=10)), starts=2, bins=(4, 5), pixels=(8,)
    )
    picture = figures.stabilities(result)
    drawn = lines_of(picture.figure.axes[0])
    assert any(len(y) == 2 and np.allclose(y, result.fraction[result.of("start"), 0]) for y in drawn)
    assert f"{result.least_cosine('q'):.4f}" in picture.caption
    assert len(picture.data) == 5
    none = Stability(result.base, (), np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)), ())
    with pytest.raises(UsageError, match="no fit converged"):
        figures.stabilities(none)
