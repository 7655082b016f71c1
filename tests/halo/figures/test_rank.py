"""Gains of numbers of components are drawn with their errors, and the choice is filled."""

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.checks.rank import rank

from ..helpers.planted import SMALL, planted


@pytest.fixture(scope="module")
def found():
    return rank(planted(2000)[0], SMALL.replace(pixels=10), max_components=4, splits=2, starts=2)


def test_gains_and_halves_of_either_loss_are_drawn(found):
    picture = figures.ranks(found)
    gains, _, halves, _ = picture.figure.axes
    drawn = {float(box.lines[0].get_xdata()[0]): float(box.lines[0].get_ydata()[0]) for box in gains.containers}
    one = found.found.by_loss[0]
    assert drawn == {float(k): pytest.approx(gain) for k, gain in zip(one.ranks[1:], one.gain[1:], strict=True)}
    np.testing.assert_array_equal([bar.get_height() for bar in halves.patches], one.chosen)


def test_every_gain_with_its_error_is_inside_its_panel(found):
    for panel, one in zip(figures.ranks(found).figure.axes[:2], found.found.by_loss, strict=True):
        low, high = panel.get_ylim()
        assert (one.gain[1:] - one.gain_se[1:] > low).all()
        assert (one.gain[1:] + one.gain_se[1:] < high).all()


def test_the_choice_alone_is_filled_and_said(found):
    picture = figures.ranks(found)
    filled = [
        box.lines[0].get_xdata()[0]
        for box in picture.figure.axes[0].containers
        if box.lines[0].get_markerfacecolor() != "w"
    ]
    assert filled == [found.choice]
    assert f"{found.choice} by squared error" in picture.caption
    assert len(picture.data) == 4
