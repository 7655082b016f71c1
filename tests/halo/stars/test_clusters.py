"""Stars of globular clusters are found by place and motion, and others are not."""

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.stars.clusters import centres, described, members, number_by_cluster


def near(row, n=60, seed=0, **moved):
    """Stars drawn around a cluster's centre with its motion and dispersion."""
    rng = np.random.default_rng(seed)
    spread = float(row["sigma"]) / (4.74 * float(row["distance"]))
    angle, r = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.random(n)) * 0.9 * float(row["radius"]) / 60
    table = Table(
        {
            "RA": (float(row["ra"]) + r * np.cos(angle) / np.cos(np.radians(float(row["dec"])))) % 360,
            "DEC": float(row["dec"]) + r * np.sin(angle),
            "pmra": rng.normal(float(row["pmra"]), np.hypot(spread, 0.02), n),
            "pmdec": rng.normal(float(row["pmdec"]), np.hypot(spread, 0.02), n),
            "radial_velocity": rng.normal(np.nan_to_num(float(row["vlos"])), np.hypot(float(row["sigma"]), 0.5), n),
        }
    )
    for name, shift in moved.items():
        table[name] = np.asarray(table[name]) + shift
    return table


def test_the_table_has_the_published_clusters():
    table = centres()
    assert len(table) == 170
    assert len(set(table["name"])) == 170
    assert (np.abs(table["dec"]) < 90).all()
    assert (table["distance"] > 0).all()
    assert "Baumgardt" in table.meta["source"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 169), st.integers(0, 100))
def test_members_of_every_cluster_are_found_under_its_name(i, seed):
    row = centres()[i]
    names = members(near(row, seed=seed))
    assert np.mean(names == row["name"]) > 0.85


@pytest.mark.parametrize("moved", [{"pmra": 8.0}, {"pmdec": -8.0}, {"radial_velocity": 120.0}, {"DEC": 3.0}])
def test_stars_that_differ_in_one_respect_are_no_members(moved):
    row = centres()[list(centres()["name"]).index("NGC_6121_M_4")]
    assert np.mean(members(near(row)) == row["name"]) > 0.9
    assert not (members(near(row, **moved)) == row["name"]).any()


def test_field_stars_are_hardly_ever_taken_for_members():
    rng = np.random.default_rng(1)
    n = 50_000
    table = Table(
        {
            "RA": rng.uniform(0, 360, n),
            "DEC": np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
            "pmra": rng.normal(-2, 4, n),
            "pmdec": rng.normal(-3, 4, n),
            "radial_velocity": rng.normal(0, 120, n),
        }
    )
    assert (members(table) != "").sum() < 10


def test_without_motions_nothing_is_found():
    row = centres()[0]
    table = near(row)
    table.remove_column("pmra")
    assert set(members(table)) == {""}


def test_missing_motions_are_no_members():
    table = near(centres()[0])
    table["pmra"][:] = np.nan
    assert set(members(table)) == {""}


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["", ""], ""),
        (["A", ""], "1 star of A"),
        (["A"] * 95 + ["B", "B", "C"], "95 stars of A and 3 of 2 other clusters"),
    ],
)
def test_clusters_in_words(names, text):
    assert described(number_by_cluster(np.array(names, dtype=str))) == text
