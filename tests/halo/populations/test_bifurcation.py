"""The branches of a bifurcation: means, statistics with errors, and a scan that corrects for its length."""

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.populations.bifurcation import bifurcation, holm, scan
from halonmf.halo.populations.regions import Region

LINE = ((-0.9, 0.2), (-0.2, 0.2))


def two_branches(n=2000, seed=0, above=600.0, below=400.0):
    """Stars above and below [Mg/Fe] = 0.2 whose radial actions are exponential with these means."""
    rng = np.random.default_rng(seed)
    up = rng.random(n) < 0.5
    return Table(
        {
            "FE_H": rng.uniform(-0.9, -0.2, n),
            "MG_FE": np.where(up, rng.uniform(0.21, 0.34, n), rng.uniform(0.06, 0.19, n)),
            "AL_FE": rng.normal(0, 0.05, n),
            "J_r": rng.exponential(np.where(up, above, below)),
            "J_z": rng.exponential(300.0, n),
            "J_phi": rng.normal(0, 500, n),
            "Lz": rng.normal(0, 500, n),
            "ecc": rng.uniform(0, 1, n),
            "APOGEE_ID": [f"s{i}" for i in range(n)],
        }
    ), up


@pytest.fixture(scope="module")
def split():
    stars, up = two_branches()
    return bifurcation(stars, None, line=LINE, draws=300, selection="all"), stars, up


def test_statistics_are_those_of_exponential_distributions(split):
    result, _, up = split
    assert result.n_stars.tolist() == [up.sum(), (~up).sum()]
    for row, mean in zip(result.statistics, (600, 400), strict=True):
        np.testing.assert_allclose(row, [mean * np.log(2), mean, mean], rtol=0.12)


def test_errors_are_the_standard_errors_of_theory(split):
    result, *_ = split
    n = result.n_stars
    mean = np.array([600, 400])
    # of an exponential distribution: sigma / sqrt(n) for the mean, 1 / (2 f sqrt(n)) = mean / sqrt(n) for the median
    np.testing.assert_allclose(result.error[:, 1], mean / np.sqrt(n), rtol=0.25)
    np.testing.assert_allclose(result.error[:, 0], mean / np.sqrt(n), rtol=0.3)


def test_the_interval_holds_the_true_difference_and_excludes_none(split):
    result, *_ = split
    low, high = result.difference_interval
    assert low[1] < 200 < high[1]
    assert low[0] > 0


def test_the_scan_finds_the_one_property_that_differs_and_no_other(split):
    result, *_ = split
    assert {row.name for row in result.scan if row.differs} == {"J_r"}
    names = [row.name for row in result.scan]
    assert {"AL_FE", "e", "J_z", "J_phi", "FE_H", "MG_FE"} <= set(names)
    assert next(row for row in result.scan if row.name == "MG_FE").by_construction
    assert result.place("J_r") == 1
    assert result.place("MG_FE") is None


def test_branches_alike_differ_in_nothing_most_of_the_time():
    alarms = 0
    for seed in range(40):
        stars, _ = two_branches(300, seed, above=500, below=500)
        alarms += any(row.differs for row in bifurcation(stars, None, line=LINE, draws=2, selection="all").scan)
    assert alarms <= 3  # 0.4 expected at the level of 1 %


def test_without_correction_alarms_would_be_common():
    raw = [
        min(row.p_ks, row.p_rank) < 0.05
        for seed in range(25)
        for row in bifurcation(two_branches(200, seed, 500, 500)[0], None, line=LINE, draws=2, selection="all").scan
        if not row.by_construction
    ]
    assert np.mean(raw) > 0.02


def test_pixels_hold_means_of_their_own_stars(split):
    result, stars, _ = split
    table = result.tables()["pixels"]
    assert table["n_stars"].sum() == result.counts.sum() == len(stars)
    full = np.flatnonzero(table["n_stars"] > 10)[0]
    row = table[full]
    inside = (stars["FE_H"] >= row["lower_FE_H"]) & (stars["FE_H"] < row["upper_FE_H"])
    inside &= (stars["MG_FE"] >= row["lower_MG_FE"]) & (stars["MG_FE"] < row["upper_MG_FE"])
    assert inside.sum() == row["n_stars"]
    assert row["mean_J_r"] == pytest.approx(stars["J_r"][inside].mean())
    assert np.isnan(table["mean_J_r"][table["n_stars"] < 3]).all()


def test_a_slanted_line_parts_the_stars_by_its_own_height():
    stars = Table(
        {
            "FE_H": [-0.8, -0.8, -0.3, -0.3] * 2,
            "MG_FE": [0.11, 0.09, 0.31, 0.29] * 2,
            **{name: np.arange(8.0) for name in ("J_r", "J_z", "J_phi")},
        }
    )
    result = bifurcation(stars, None, line=((-0.8, 0.1), (-0.3, 0.3)), draws=2, selection="all")
    np.testing.assert_allclose(result.statistics[:, 1], [np.mean([0, 2, 4, 6]), np.mean([1, 3, 5, 7])])


def test_a_region_limits_the_stars():
    stars, _ = two_branches()
    poor = Region("poor", None, None, "AL_FE < 0")
    limited = bifurcation(stars, poor, line=LINE, draws=2, selection="all")
    assert limited.n_stars.sum() == limited.counts.sum() == (stars["AL_FE"] < 0).sum()
    assert limited.region == "poor"
    assert 0 < bifurcation(stars, line=LINE, draws=2, selection="all").n_stars.sum() < len(stars)  # Eos, by default
    with pytest.raises(UsageError, match="no region 'Eros'"):
        bifurcation(stars, "Eros", selection="all")


def test_what_cannot_be_split_is_refused():
    stars, _ = two_branches(50)
    with pytest.raises(UsageError, match="must not be vertical"):
        bifurcation(stars, None, line=((-0.5, 0.1), (-0.5, 0.3)), selection="all")
    with pytest.raises(InputError, match="have 0 and"):
        bifurcation(stars, None, line=((-0.9, 0.9), (-0.2, 0.9)), selection="all")


def test_holm_corrects_as_its_definition_says():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.5, 0.9])), [1.0, 1.0])


def test_properties_that_are_constant_or_missing_are_left_out_of_the_scan():
    stars, up = two_branches(100)
    stars["SNR"] = 1.0
    stars["TEFF"] = np.nan
    names = {row.name for row in scan(stars, [up, ~up])}
    assert "SNR" not in names
    assert "TEFF" not in names
    assert [row.name for row in scan(stars, [up, ~up], ["J_z"])] == ["J_z"]


def test_tables_hold_every_number(split):
    result, *_ = split
    table = result.table()
    assert len(table) == 9
    assert table["J_r"][2] == pytest.approx(table["J_r"][0] - table["J_r"][1])
    assert table.meta["differ"] == ["J_r"]
    assert result.tables()["scan"]["name"].tolist() == [row.name for row in result.scan]
