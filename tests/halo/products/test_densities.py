"""Densities of abundances: unit integrals, peaks, and where they fall off, against shapes known in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.errors import UsageError
from halonmf.halo.products.densities import Density, densities

from ..helpers.four import MEDIANS, POPULATIONS, WIDTHS, four_found

EDGES = np.linspace(-0.6, 0.6, 241)
X = 0.5 * (EDGES[:-1] + EDGES[1:])


def gaussian(at, sigma):
    return np.exp(-0.5 * ((X - at) / sigma) ** 2)


def test_densities_integrate_to_one_and_lie_where_the_planted_populations_do():
    _, four = four_found()
    found = densities([four.high, four.low])
    assert [d.component for d in found[::3]] == ["HE1", "HE2", "LE1", "LE2"]
    for d in found:
        assert (d.density * np.diff(d.edges)).sum() == pytest.approx(1)
        centre = MEDIANS[d.variable][POPULATIONS.index(d.component)]
        inside = np.abs(d.centres - centre) < WIDTHS[d.variable] + 0.06
        assert (d.density * np.diff(d.edges))[inside].sum() > 0.9


def test_the_edge_of_a_gaussian_is_its_half_maximum_on_the_upper_side():
    d = Density("C", "AL_FE", EDGES, gaussian(0.1, 0.08))
    assert d.peak == pytest.approx(0.1, abs=0.005)
    assert d.edge() == pytest.approx(0.1 + 0.08 * np.sqrt(2 * np.log(2)), abs=0.002)
    assert d.edge(0.1) == pytest.approx(0.1 + 0.08 * np.sqrt(2 * np.log(10)), abs=0.002)


def test_lesser_peaks_count_when_they_stand_out():
    d = Density("HE", "AL_FE", EDGES, gaussian(-0.3, 0.05) + 0.2 * gaussian(0.2, 0.05) + 0.05 * gaussian(0.45, 0.03))
    assert d.peaks() == pytest.approx([-0.3, 0.2], abs=0.005)
    assert d.peaks(0.03) == pytest.approx([-0.3, 0.2, 0.45], abs=0.005)


def test_a_density_may_be_highest_at_the_end_of_its_range():
    d = Density("C", "AL_FE", EDGES, np.exp((X - 0.6) / 0.2))
    assert d.edge() == EDGES[-1]
    assert len(d.peaks()) == 1


def test_a_component_of_nothing_has_no_peak():
    d = Density("C", "AL_FE", EDGES, np.zeros(240))
    assert np.isnan([d.peak, d.edge()]).all()
    assert len(d.peaks()) == 0


def test_the_table_holds_every_pixel_and_the_features():
    _, four = four_found()
    found = densities([four.fit])
    table = found.table()
    assert len(table) == 4 * 3 * 30
    chosen = table[(table["component"] == "LE2") & (table["variable"] == "MG_FE")]
    d = next(d for d in found if (d.component, d.variable) == ("LE2", "MG_FE"))
    assert np.array_equal(chosen["density"], d.density)
    assert table.meta["peak"]["LE2 MG_FE"] == d.peak
    assert table.meta["falls_below_0.5_of_maximum"]["LE2 MG_FE"] == d.edge()


def test_senseless_requests_are_refused():
    with pytest.raises(UsageError, match="need a fit"):
        densities([])
    with pytest.raises(UsageError, match="part"):
        Density("C", "AL_FE", EDGES, gaussian(0, 1)).edge(1.0)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1e3), min_size=3, max_size=60), st.floats(0.05, 0.9), st.floats(1e-3, 1e3))
def test_an_edge_lies_above_the_peak_and_further_out_for_a_smaller_part_whatever_the_scale(counts, part, scale):
    counts = np.round(counts, 6)
    d = Density("C", "AL_FE", np.linspace(0, 1, len(counts) + 1), counts)
    if not counts.any():
        assert np.isnan(d.edge(part))
        return
    assert d.edge(part) >= d.peak - 1e-9
    assert d.edge(0.5 * part) >= d.edge(part) - 1e-9
    scaled = Density("C", "AL_FE", d.edges, counts * scale)
    assert scaled.edge(part) == pytest.approx(d.edge(part), abs=1e-6)
    assert (np.diff(d.peaks()) > 0).all()
