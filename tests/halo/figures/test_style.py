"""Colours stay apart for the colour-blind."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from halonmf.halo.figures import style as look

from ..helpers.drawn import (
    MACHADO,
    lab,
)


@pytest.mark.parametrize("vision", MACHADO)
@pytest.mark.parametrize("k", range(2, 8))
def test_component_colours_stay_apart_for_the_colour_blind(vision, k):
    rgb = [np.array(to_rgb(colour)) for colour in look.colours(k)]
    seen = [lab(MACHADO[vision] @ np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)) for c in rgb]
    distance = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert distance > (60 if k == 2 else 15)


def test_image_shades_fall_steadily_in_lightness():
    for colour in look.colours(7):
        luminance = look.ramp(colour)(np.linspace(0, 1, 50))[:, :3] @ [0.2126, 0.7152, 0.0722]
        assert np.all(np.diff(luminance) < 0)
