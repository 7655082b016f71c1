"""The boundary: known columns, columns without an answer, smoothing, and the published line beside it."""

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter1d

from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.products import boundary as module
from halonmf.halo.products.boundary import CROSSES, EMPTY, NEVER, REVERSED, TWICE, boundary
from halonmf.halo.stars.published_line import belokurov_kravtsov

from ..helpers.planted import SMALL, TRANSITION, hand_made_application, planted

GRID = "Lz:{0}:-2000:2000,E:{0}:-3e5:-1e5"


@pytest.fixture(scope="module")
def stars():
    return planted(20_000, seed=4)[0]


@pytest.fixture(scope="module")
def fitted(stars):
    return fit(stars, SMALL)


def of_map(share, monkeypatch, fitted, n_stars=100, **choices):
    """The boundary of a map given as shares of HE: one row per Lz column, energies rising."""
    share = np.asarray(share, dtype=float)
    made = hand_made_application(share, GRID.format(len(share)), np.ravel(n_stars) if np.ndim(n_stars) else n_stars)
    monkeypatch.setattr(module, "apply", lambda *args, **kwargs: made)
    return boundary(fitted, None, grid=len(share), **choices)


# columns; energies are the centres -2.75e5, -2.25e5, -1.75e5, -1.25e5


@pytest.mark.parametrize(
    ("column", "E", "status", "number"),
    [
        ([0.0, 0.0, 1.0, 1.0], -2.0e5, CROSSES, 1),
        ([0.0, 0.4, 0.8, 1.0], -2.125e5, CROSSES, 1),
        ([0.0, 0.0, 0.0, 0.6], -1.3333e5, CROSSES, 1),
        ([0.0, 1.0, 0.0, 1.0], -1.5e5, TWICE, 3),
        ([1.0, 0.0, 1.0, 1.0], -2.0e5, TWICE, 2),
        ([0.0, 1.0, 1.0, 0.0], -2.5e5, TWICE, 2),
        ([1.0, 1.0, 1.0, 1.0], np.nan, NEVER, 0),
        ([0.0, 0.1, 0.2, 0.4], np.nan, NEVER, 0),
        ([1.0, 1.0, 0.0, 0.0], np.nan, REVERSED, 1),
        ([np.nan, np.nan, np.nan, np.nan], np.nan, EMPTY, 0),
        ([np.nan, 1.0, np.nan, np.nan], np.nan, EMPTY, 0),
        ([np.nan, 0.0, 1.0, np.nan], -2.0e5, CROSSES, 1),
        ([0.0, np.nan, np.nan, 1.0], -2.0e5, CROSSES, 1),
        ([0.0, 0.5, 1.0, 1.0], -2.25e5, CROSSES, 1),
    ],
)
def test_each_column_says_what_happened_in_it(monkeypatch, fitted, column, E, status, number):
    found = of_map([column] + [[0.0, 0.0, 1.0, 1.0]] * 3, monkeypatch, fitted)
    assert found.E[0] == pytest.approx(E, abs=50, nan_ok=True)
    assert (found.status[0], found.n_crossings[0]) == (status, number)
    assert found.status[1:] == (CROSSES,) * 3


def test_the_first_fall_from_high_energies_counts(monkeypatch, fitted):
    found = of_map([[0.0, 1.0, 0.0, 1.0]] * 4, monkeypatch, fitted, smoothing=0)
    assert np.abs(found.E - [-1.5e5] * 4).max() < 1e-6


def test_another_level_lies_elsewhere(monkeypatch, fitted):
    found = of_map([[0.0, 0.0, 1.0, 1.0]] * 4, monkeypatch, fitted, level=0.9)
    assert np.abs(found.E - [-1.8e5] * 4).max() < 1e-6


def test_cells_of_few_stars_have_no_say(monkeypatch, fitted):
    n_stars = np.full((4, 4), 100)
    n_stars[0, 2] = 9
    share = [[0.0, 0.0, 0.0, 1.0]] * 4
    share[0] = [0.0, 1.0, 0.0, 1.0]
    found = of_map(share, monkeypatch, fitted, n_stars=n_stars)
    assert found.status[0] == CROSSES
    assert found.n_stars.tolist() == [309, 400, 400, 400]


# smoothing


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.integers(1, 20), st.floats(0, 5), st.floats(-3e5, -1e5), st.integers(0, 2**20 - 1))
def test_a_constant_smoothed_is_constant(n, sigma, level, holes):
    E = np.where([(holes >> i) & 1 for i in range(n)], np.nan, level)
    assert module.smooth(E, sigma) == pytest.approx(E, rel=1e-12, nan_ok=True)


def test_smoothing_is_a_gaussian_mean_of_the_columns_that_have_a_boundary():
    E, sigma = np.array([-1.5e5, np.nan, -1.7e5, -1.6e5, -1.9e5]), 1.3
    good = np.isfinite(E)
    for i in np.flatnonzero(good):
        weight = np.exp(-0.5 * ((np.arange(5) - i) / sigma) ** 2)[good]
        # the filter ends at four sigma, of which little is left
        assert module.smooth(E, sigma)[i] == pytest.approx(np.average(E[good], weights=weight), rel=1e-4)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    E=arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 25)), elements=st.floats(-3e5, -1e5)),
    sigma=st.floats(0.125, 8),
)
def test_the_filter_is_scipy_s_bit_for_bit(E, sigma):
    assert np.array_equal(module._filtered(E, sigma), gaussian_filter1d(E, sigma, mode="constant"))


def test_no_smoothing_changes_nothing():
    E = np.array([-1.5e5, np.nan, -1.7e5])
    assert np.array_equal(module.smooth(E, 0.0), E, equal_nan=True)


def test_smoothing_invents_no_boundary():
    E = np.array([np.nan, -1.7e5, np.nan])
    assert np.isnan(module.smooth(E, 2.0)).tolist() == [True, False, True]


# of a fit


def test_the_planted_transition_is_found_at_every_lz(fitted, stars):
    found = boundary(fitted, stars)
    assert set(found.status) == {CROSSES}
    assert found.smoothed == pytest.approx(np.full(10, TRANSITION), abs=0.06e5)
    assert found.n_stars.sum() == 20_000


def test_the_grid_is_the_papers(fitted, stars):
    found = boundary(fitted, stars)
    assert found.Lz.tolist() == list(range(-1800, 2000, 400))
    assert [str(axis) for axis in found.application.mixtures.bins.axes] == ["Lz:10:-2000:2000", "E:10:-300000:-100000"]


def test_a_columns_stars_are_those_of_its_lz(fitted, stars):
    found = boundary(fitted, stars[stars["Lz"] > 0])
    assert found.n_stars[:5].tolist() == [0] * 5
    assert found.status[:5] == (EMPTY,) * 5
    assert np.isnan(found.E[:5]).all()
    assert set(found.status[5:]) == {CROSSES}


def test_the_boundary_is_a_function_of_lz(monkeypatch, fitted):
    share = [[0.0, 0.0, 1.0, 1.0], [np.nan] * 4, [0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    found = of_map(share, monkeypatch, fitted, smoothing=0)
    assert found.Lz.tolist() == [-1500, -500, 500, 1500]
    assert found(np.array([-9000.0, -1500.0, -500.0, 500.0, 1500.0])) == pytest.approx(
        [-2.0e5, -2.0e5, -2.25e5, -2.5e5, -2.5e5]
    )


def test_no_column_at_all_is_no_function(monkeypatch, fitted):
    found = of_map(np.ones((4, 4)), monkeypatch, fitted)
    assert np.isnan(found.smoothed).all()
    with pytest.raises(UsageError, match="no Lz column has a boundary"):
        found(np.zeros(3))


def test_another_selection_may_be_used(fitted, stars):
    chosen = fitted.settings.replace(selection="retrograde")
    assert boundary(fitted, stars, selection=chosen.selection).n_stars[5:].tolist() == [0] * 5


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"level": 0.0}, "level must lie between 0 and 1"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
        ({"level": np.nan}, "level must lie between 0 and 1"),
        ({"smoothing": -1.0}, "smoothing must be"),
        ({"smoothing": np.inf}, "smoothing must be"),
        ({"grid": 1}, "grid must be >= 2"),
        ({"E_range": (-1e5, -3e5)}, "bins of E: limits must be finite and rise"),
        ({"Lz_range": (0.0, 0.0)}, "bins of Lz: limits must be finite and rise"),
    ],
)
def test_choices_that_make_no_sense_are_refused(fitted, stars, choices, text):
    with pytest.raises(UsageError, match=text):
        boundary(fitted, stars, **choices)


def test_one_component_has_no_boundary(stars):
    with pytest.raises(UsageError, match="this fit has one"):
        boundary(fit(stars, SMALL.replace(components=1)), stars)


# Belokurov & Kravtsov (2023)


@pytest.mark.parametrize(("Lz", "E"), [(-2000, -1.3e5), (-600, -1.3e5), (0, -1.4e5), (500, -1.325e5), (1000, -1.25e5)])
def test_the_published_line_is_theirs_without_the_offset(Lz, E):
    assert belokurov_kravtsov(Lz, offset=0.0) == pytest.approx(E)


def test_the_lowered_line_averages_to_the_papers_mean():
    assert belokurov_kravtsov(np.linspace(-2000, 2000, 100_001)).mean() == pytest.approx(-1.564e5, abs=50)


@pytest.mark.parametrize("Lz", [-580.0, 580.0])
def test_the_line_hardly_jumps_where_its_pieces_meet(Lz):
    before, after = belokurov_kravtsov(Lz + np.array([-1e-6, 1e-6]))
    assert abs(after - before) < 110


# tables


def test_the_table_has_a_row_per_column_with_the_line_beside_it(monkeypatch, fitted, tmp_path):
    share = [[0.0, 0.0, 1.0, 1.0], [np.nan] * 4, [0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    found = of_map(share, monkeypatch, fitted)
    found.table().write(tmp_path / "boundary.ecsv")
    table = Table.read(tmp_path / "boundary.ecsv")
    assert table["status"].tolist() == [CROSSES, EMPTY, TWICE, NEVER]
    assert np.isnan(table["E"]).tolist() == [False, True, False, True]
    assert str(table["E"].unit) == "km2 / s2"
    assert np.array_equal(table["E_BK23"], belokurov_kravtsov(found.Lz))
    assert (table.meta["level"], table.meta["BK23_offset"]) == (0.5, -0.285e5)
    assert "not published" in table.meta["BK23_note"]
    assert (table.meta["fit_status"], table.meta["bins_not_converged"]) == ("CONVERGED", [])
