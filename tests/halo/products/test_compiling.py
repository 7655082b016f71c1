"""Products of one fit and of many are one definition: held to SciPy and NumPy, and the same compiled as in Python."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halonmf.halo.mixtures.settings import Chemistry
from halonmf.halo.products.boundary import STATUSES
from halonmf.halo.products.compiling import as_python, compiled
from halonmf.halo.products.crossings import boundaries, crossings, crossings_of_many, interpolate, single_crossings
from halonmf.halo.products.histograms import PERCENTILES, marginal, percentiles_of, quantile, tracks_of

from ..helpers import oracles

seeded = settings(derandomize=True, deadline=None, max_examples=150)
# rounded: where values differ by less than the smallest normal number, SciPy's own spline overflows
FRACTIONS = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0, np.nan]), st.floats(0, 1).map(lambda x: round(x, 12)))
CELLS = st.one_of(st.just(0.0), st.floats(1e-6, 10.0))
CHEMISTRY = Chemistry(pixels=6)
H = hnp.arrays(np.float64, (2, 2, CHEMISTRY.n), elements=CELLS)


def equal(one, other):
    """Whether two sets of arrays are the same bit for bit, NaN in the same places."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@seeded
@given(st.lists(FRACTIONS, min_size=2, max_size=20), st.sampled_from([0.1, 0.5, 0.9]))
def test_crossings_are_scipys(y, level):
    x, y = np.linspace(-2.5e5, -1.0e5, len(y)), np.array(y)
    found, expected = crossings(x, y, level), oracles.crossings(x, y, level)
    assert len(found) == len(expected)
    # where the curve is flat at the level, rounding of its values moves the place
    spline = [interpolate(x, y, at) for at in found]
    for at, value, wanted in zip(found, spline, expected, strict=True):
        assert at == pytest.approx(wanted, rel=1e-12) or value == pytest.approx(level, abs=1e-14)


@seeded
@given(st.lists(FRACTIONS, min_size=2, max_size=20), st.floats(-0.1, 1.1))
def test_the_spline_is_scipys(y, at):
    x, y = np.linspace(0, 1, len(y)), np.array(y)
    assert interpolate(x, y, at) == pytest.approx(oracles.interpolate(x, y, at), rel=1e-12, abs=1e-14, nan_ok=True)


@seeded
@given(hnp.arrays(np.float64, (4, 9), elements=FRACTIONS))
def test_crossings_of_many_are_those_of_each_and_compiled_the_same_bit_for_bit(share):
    x, levels = np.linspace(-2.5e5, -1.0e5, 9), (0.5, 0.9, 0.1)
    at, number = single_crossings(x, share, levels, run=compiled)
    assert equal((at, number), single_crossings(x, share, levels, run=as_python))
    for b, curve in enumerate(share):
        for j, level in enumerate(levels):
            places = crossings(x, curve, level)
            assert number[b, j] == (len(places) if np.isfinite(curve).sum() > 1 else -1)
            assert at[b, j] == places[0] if len(places) == 1 else np.isnan(at[b, j])


@seeded
@given(hnp.arrays(np.float64, (2, 3, 7), elements=FRACTIONS), st.sampled_from([0.1, 0.5, 0.9]))
def test_boundaries_are_numpys_and_compiled_the_same_bit_for_bit(share, level):
    E = np.linspace(-2.9e5, -1.1e5, 7)
    at, number, status = boundaries(E, share, level, run=as_python)
    assert equal((at, number, status), boundaries(E, share, level, run=compiled))
    for b, i in np.ndindex(share.shape[:2]):
        expected = oracles.column(E, share[b, i], level)
        assert np.array_equal(at[b, i], expected[0], equal_nan=True)
        assert (number[b, i], STATUSES[status[b, i]]) == expected[1:]


@seeded
@given(hnp.arrays(np.float64, st.integers(1, 30), elements=CELLS), st.floats(0, 1))
def test_quantiles_are_numpys(weight, p):
    edges = np.linspace(-1, 2, len(weight) + 1)
    found, expected = quantile(edges, weight, p), oracles.quantile(edges, weight, p)
    # at the edge of an empty stretch rounding decides on which side of it the quantile lies
    below = np.append(0, np.cumsum(weight)) / (weight.sum() or 1)
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True) or np.abs(below - p).min() < 1e-12


@seeded
@given(H)
def test_percentiles_are_numpys_and_compiled_the_same_bit_for_bit(H):
    found = percentiles_of(H, CHEMISTRY, CHEMISTRY.variables, run=as_python)
    assert equal(found, percentiles_of(H, CHEMISTRY, CHEMISTRY.variables, run=compiled))
    for v, name in enumerate(CHEMISTRY.variables):
        edges = CHEMISTRY.edges(name)
        for b, c in np.ndindex(H.shape[:2]):
            shown = oracles.marginal(CHEMISTRY, H[b, c], name)
            assert marginal(CHEMISTRY, H[b, c], name) == pytest.approx(shown, rel=1e-12, abs=1e-15)
            for p, at in zip(PERCENTILES, found[b, v, c], strict=True):
                below = np.append(0, np.cumsum(shown))
                expected = oracles.quantile(edges, shown, p / 100)
                assert at == pytest.approx(expected, abs=1e-9, nan_ok=True) or np.abs(below - p / 100).min() < 1e-12


@seeded
@given(H, st.sampled_from([0.0, 0.05]))
def test_tracks_are_numpys_and_compiled_the_same_bit_for_bit(H, least):
    median, width = tracks_of(H, CHEMISTRY, least, run=as_python)
    assert equal((median, width), tracks_of(H, CHEMISTRY, least, run=compiled))
    for b, c in np.ndindex(H.shape[:2]):
        for i, (plane, picture) in enumerate(zip(CHEMISTRY.planes, CHEMISTRY.images(H[b, c]), strict=True)):
            part = picture.sum(axis=0) / (picture.sum() or 1)
            for x in range(CHEMISTRY.pixels):
                if part[x] == 0 or part[x] < least - 1e-12:
                    assert np.isnan(median[b, c, i, x])
                elif part[x] > least + 1e-12:
                    edges, weight = CHEMISTRY.edges(plane.y), picture[:, x]
                    below = np.append(0, np.cumsum(weight)) / weight.sum()
                    if np.abs(below - 0.5).min() > 1e-12:
                        assert median[b, c, i, x] == pytest.approx(oracles.quantile(edges, weight, 0.5), abs=1e-9)
                        expected = oracles.deviation(edges, weight, median[b, c, i, x])
                        assert width[b, c, i, x] == pytest.approx(expected, abs=1e-9)


def test_a_compiled_loop_is_made_once():
    assert compiled(crossings_of_many) is compiled(crossings_of_many)


def test_one_curve_does_not_wait_for_numba():
    script = (
        "import sys, numpy as np; from halonmf.halo.products.crossings import crossings; "
        "from halonmf.halo.products import boundary, profile, table1, tracks; "
        "assert len(crossings(np.arange(3.0), np.array([0, 0.4, 1]), 0.5)) == 1; sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
