"""Probabilities are drawn against the truth."""

import numpy as np

from halonmf.halo import figures
from halonmf.halo.products.memberships import reliability

from ..helpers.drawn import (
    lines_of,
)


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
