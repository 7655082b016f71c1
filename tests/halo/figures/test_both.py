"""Two analyses beside each other: curves with bands and the truth, and numbers by how many tolerances they are off."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo import figures
from halonmf.halo.ensembles.spread import spread
from halonmf.halo.errors import UsageError

EDGES = {"E": np.linspace(-2.5e5, -1.0e5, 7), "r": np.linspace(2, 14, 7)}


def a_spread(variable, shift=0.0, k=2):
    share = 1 / (1 + np.exp(-(np.linspace(-4, 4, 6) + shift)))
    parts = [(1 - share) / (k - 1)] * (k - 1) + [share]
    setups = np.stack(parts, axis=-1)[None]
    drawn = np.clip(setups + 0.02 * np.random.default_rng(0).standard_normal((20, 6, 1)), 0, 1)
    names = tuple(f"C{j + 1}" for j in range(k))
    return spread(variable, EDGES[variable], names, setups, np.array([3, 40, 50, 60, 70, 80]), replicates=drawn)


def curves(k=2):
    return {
        "chemically-pure": {
            "the paper's analysis": {name: a_spread(name) for name in EDGES},
            "recommended": {name: a_spread(name, 0.5, k) for name in EDGES},
        }
    }


def test_the_accreted_fraction_of_either_analysis_is_drawn_with_the_truth():
    shown = curves(k=3)
    truth = {"chemically-pure": {name: np.linspace(0, 1, 6) for name in EDGES}}
    picture = figures.analyses(shown, truth)
    first, second = picture.figure.axes
    drawn = [line.get_ydata() for line in first.lines]
    ours = shown["chemically-pure"]["recommended"]["E"]
    assert any(len(y) == 6 and np.allclose(y[1:], ours.mean[1:, -1]) for y in drawn)
    assert any(len(y) == 6 and np.allclose(y[1:], np.linspace(0, 1, 6)[1:]) for y in drawn)
    assert len(second.collections) == 2
    assert set(picture.data["analysis"]) == {"the paper's analysis", "recommended"}
    assert len(picture.data) == 2 * 2 * 6


def test_bins_of_few_stars_are_not_drawn():
    axes = figures.analyses(curves()).figure.axes[0]
    assert all(np.isnan(line.get_ydata()[0]) for line in axes.lines if len(line.get_ydata()) == 6)


def test_a_sum_of_components_has_no_band_of_one_of_them():
    shown = curves(k=3)
    both = shown["chemically-pure"]["recommended"]
    shown["chemically-pure"]["recommended"] = {name: replace(one, accreted=(1, 2)) for name, one in both.items()}
    data = figures.analyses(shown).data
    ours = np.asarray(data["analysis"]) == "recommended"
    assert np.isnan(data["accreted_lower"][ours]).all()
    assert np.isfinite(data["accreted_lower"][~ours]).all()


def test_nothing_to_draw_is_refused():
    with pytest.raises(UsageError, match="no fractions to draw"):
        figures.analyses({})


def a_comparison(truth):
    table = Table({"what": ["one", "far", "nothing held"], "paper": [1.0, 2.0, np.nan]})
    for side, x in (("two", [3.0, 20.0, 1.0]), ("recommended", [1.5, 2.0, 1.0])):
        table[side] = x
        table[f"{side}_lower"], table[f"{side}_upper"] = table[side] - 0.5, table[side] + 0.5
        table[f"{side}_truth"] = [truth, truth, np.nan]
    table["tolerance"] = [1.0, 1.0, np.nan]
    return table


def test_numbers_are_drawn_by_how_many_tolerances_they_are_off_the_truth():
    picture = figures.comparison(a_comparison(1.0))
    (axes,) = picture.figure.axes
    places = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() in "so"]
    assert [2.0] in places  # the other one of two components is off the frame, at which an arrow stands
    assert [0.5, 1.0] in places
    assert [4.0] in [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == ">"]
    assert "truth of the mock" in axes.get_xlabel()
    assert len(picture.data) == 2


def test_without_truth_numbers_are_held_to_the_papers():
    (axes,) = figures.comparison(a_comparison(np.nan)).figure.axes
    assert "the paper's" in axes.get_xlabel()
