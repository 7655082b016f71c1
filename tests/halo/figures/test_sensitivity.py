"""The tornado shows each choice's range, the widest on top, about the base."""

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.checks.headlines import HEADLINES
from halonmf.halo.checks.movements import BASE, TOGETHER, Row, Sensitivity


def numbers(fraction, **others):
    return dict.fromkeys(HEADLINES, float("nan")) | {"accreted fraction": fraction} | others


@pytest.fixture
def found():
    rows = (
        Row(BASE, "", numbers(0.4, **{"E at 50 %": -1.7e5})),
        Row("bins", "q = 5", numbers(0.41, **{"E at 50 %": -1.6e5})),
        Row("bins", "q = 6", numbers(0.38, **{"E at 50 %": -1.7e5})),
        Row("loss", "kullback-leibler", numbers(0.5, **{"E at 50 %": -1.71e5})),
        Row(TOGETHER, "a", numbers(0.35)),
        Row(TOGETHER, "b", numbers(0.45)),
    )
    return Sensitivity(rows, {"flags": "give the files"}, ("bins", "loss"), None)


def test_bars_reach_from_the_base_to_both_ends_widest_first(found):
    picture = figures.tornado(found)
    first, second = picture.figure.axes[:2]
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["loss", "bins"]
    assert [tick.get_text() for tick in second.get_yticklabels()] == ["bins", "loss"]
    bars = [(bar.get_x(), bar.get_width()) for container in first.containers for bar in container]
    np.testing.assert_allclose(bars, [(40, 0), (40, 10), (40, -2), (40, 1)], atol=1e-9)


def test_the_caption_says_what_is_the_base_and_what_is_left_out(found):
    picture = figures.tornado(found)
    for text in ("3 alternatives of 2 choices", "accreted fraction 40.00 %", "2 analyses", "Left out: flags"):
        assert text in picture.caption
    assert "accreted fraction moves most with loss" in picture.alt


def test_the_band_is_that_of_the_draws(found):
    first = figures.tornado(found).figure.axes[0]
    low, high = found.interval("accreted fraction")
    (band,) = [p for p in first.patches if p.get_height() == 1 and p.get_facecolor()[0] > 0.8]
    np.testing.assert_allclose([band.get_x(), band.get_width()], [40 + 100 * low, 100 * (high - low)])


def test_it_is_drawn_without_draws_and_with_one_number(found):
    rows = tuple(Row(r.choice, r.name, numbers(r.numbers["accreted fraction"])) for r in found.rows[:4])
    picture = figures.tornado(Sensitivity(rows, {}, (), None))
    assert len(picture.figure.axes) == 1
    assert "together" not in picture.caption
