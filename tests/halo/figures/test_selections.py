"""A selection is drawn with another's boundary."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.apply import apply
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.products.boundary import boundary

from ..helpers.planted import planted, planted_fit


def test_another_selections_boundary_is_dotted():
    table, _ = planted()
    made = planted_fit()
    line = boundary(made, table)
    other = replace(line, E=line.E + 1e4, smoothed=line.smoothed + 1e4)
    grid = apply(made, table, parse_axes("Lz:10:-2000:2000,E:10:-3e5:-1e5"))
    picture = figures.selection_maps(made, grid, line, other)
    axes = next(axes for axes in picture.figure.axes if axes.get_legend())
    assert "chemically pure" in [text.get_text() for text in axes.get_legend().get_texts()]
    drawn = [
        line for line in axes.get_lines() if np.array_equal(line.get_ydata(), other.smoothed / 1e5, equal_nan=True)
    ]
    assert len(drawn) == 2  # with its rim
    assert "Dotted: the boundary of the chemically pure halo." in picture.caption
    assert np.array_equal(picture.data["E_smoothed chemically pure"].value, other.smoothed, equal_nan=True)
    with pytest.raises(UsageError, match="E and Lz"):
        figures.selection_maps(made, apply(made, table, parse_axes("E:10:-3e5:-1e5")), line)
