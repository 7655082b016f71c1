"""Simulated galaxies are drawn with the components of a fit."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from halonmf.halo import figures
from halonmf.halo.errors import UsageError
from halonmf.halo.products.profile import profile_of
from halonmf.halo.simulations.fractions import simulate
from halonmf.halo.simulations.particles import Galaxy
from halonmf.halo.simulations.recovery import recover

from ..helpers.drawn import lines_of
from ..helpers.planted import hand_made_application, planted, planted_fit


@pytest.fixture(scope="module")
def galaxy():
    rng = np.random.default_rng(0)
    n = 4000
    r = rng.uniform(0.5, 14, n)
    table = QTable({"r_sph": r * u.kpc, "FE_H": rng.uniform(-2.5, 0, n), "mass": np.ones(n) * u.Msun})
    table["accreted"] = rng.random(n) < r / 14
    return Galaxy("m12x", table, n, "flagged", np.zeros(3), np.array([0.0, 0.0, 1.0]), {})


def test_simulations_draw_both_fractions_and_the_fits_points(galaxy):
    result = simulate(galaxy, ["r:10:2:14"])
    ours = profile_of(hand_made_application(np.linspace(0.1, 0.9, 10), "r:10:2:14"))
    picture = figures.simulations([result, result], {"r": ours}, thick=["m12x"])
    (axes,) = picture.figure.axes
    drawn = lines_of(axes)
    fractions = result.profiles["r"].fractions
    for j in range(2):
        assert sum(len(y) == 10 and np.allclose(y, fractions[:, j]) for y in drawn) == 2
    assert any(len(y) == 10 and np.allclose(y, np.linspace(0.1, 0.9, 10)) for y in drawn)
    assert "FE_H < -1.1" in picture.caption
    assert f"{result.cutflow.passed:,} of 4,000 particles" in picture.caption
    assert len(picture.data) == 20
    with pytest.raises(UsageError, match="one or more"):
        figures.simulations([])


def test_what_is_drawn_can_be_written(tmp_path, galaxy):
    picture = figures.simulations([simulate(galaxy, ["r:10:2:14"])])
    paths = figures.save(picture, tmp_path / "fig11")
    assert [path.name for path in paths] == ["fig11.png", "fig11.pdf"]
    picture.data.write(tmp_path / "fig11.ecsv", format="ascii.ecsv")
    assert len(QTable.read(tmp_path / "fig11.ecsv")) == 10


def test_a_recovery_draws_the_fits_fractions_the_truth_and_what_could_be_had():
    stars = planted()[0].copy()
    stars["accreted"] = (np.asarray(stars["E"]) > np.median(np.asarray(stars["E"]))).astype(int)
    stars["r_sph"] = np.linspace(2, 14, len(stars))
    result = recover(planted_fit(), stars, ["r:4:2:14", "E:3"])
    picture = figures.galaxy_recovery(result)
    axes = picture.figure.axes[0]
    drawn = lines_of(axes)
    found = result.profiles["r"].application.accreted_fractions
    assert any(len(y) == 4 and np.allclose(y, found) for y in drawn)
    assert any(len(y) == 4 and np.allclose(y, result.true_fractions["r"]) for y in drawn)
    trade = picture.figure.axes[-1]
    assert (trade.get_xlabel(), trade.get_ylabel()) == ("completeness", "purity")
    assert any(len(y) == 1 and np.isclose(y[0], result.score.likely_purity) for y in lines_of(trade))
    assert f"{100 * result.score.purity:.1f}" in picture.caption
    assert len(picture.data) == 7
