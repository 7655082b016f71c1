"""Energies and angular momenta that no star has are refused, with the remedy, wherever stars are read."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from halonmf.halo.errors import InputError
from halonmf.halo.stars.catalogue import as_table, read_catalogue, write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

AT_INFINITY = {"convention": {"potential": "McMillan (2017)", "zero_point": "Phi(infinity) = 0"}}


def stars(E=(-1.9e5, -1.2e5, np.nan), Lz=(100.0, -200.0, np.nan)):
    ids = [f"2M{i:02}" for i in range(len(E))]
    return QTable({"APOGEE_ID": ids, "E": E * u.km**2 / u.s**2, "Lz": Lz * u.kpc * u.km / u.s})


def written(path, table, record=AT_INFINITY):
    return write_catalogue(path / "stars.fits", table, CutFlow(len(table)), record)


def test_stars_without_a_value_are_read(tmp_path):
    assert len(read_catalogue(written(tmp_path, stars()))) == 3


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"E": (-1.9e5, -np.inf, np.nan)}, r"E of 1 of 3 stars is infinite or beyond 1e\+07 km2/s2.*-inf in row 1"),
        ({"E": (-1.9e5, -1e5, -1.1e7)}, r"E of 1 of 3 stars .* in row 2"),
        ({"Lz": (1e302, -2e302, 3e302)}, r"Lz of 3 of 3 stars .* beyond 1e\+06 kpc km/s.* in row 0"),
        ({"E": (1.9e5, 0.0, np.nan)}, "all 2 energies are zero or more.*halonmf recompute"),
    ],
)
def test_impossible_values_are_refused_in_files_and_tables(tmp_path, column, said):
    table = stars(**column)
    with pytest.raises(InputError, match=said):
        read_catalogue(written(tmp_path, table))
    table.meta.update(AT_INFINITY)
    with pytest.raises(InputError, match=said):
        as_table(table)


def test_energies_of_another_zero_point_may_be_positive(tmp_path):
    centre = {"convention": {"potential": "of a simulation", "zero_point": "Phi(0) = 0"}}
    assert len(read_catalogue(written(tmp_path, stars(E=(1e5, 2e5, 3e5)), centre))) == 3
    assert len(as_table(stars(E=(1e5, 2e5, 3e5)))) == 3


def test_one_bound_star_is_enough(tmp_path):
    assert len(read_catalogue(written(tmp_path, stars(E=(1e5, -1e5, 3e5))))) == 3
