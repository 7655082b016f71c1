"""A galaxy observed: who is seen, with which errors and energies; and what its fit finds of the truth."""

import shutil

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import DEFAULT_PLANES, Chemistry, Plane
from halonmf.halo.mock.two_populations import G, StellarHalo, TwoPopulations, write_two_populations
from halonmf.halo.orbits.kinematics import energy
from halonmf.halo.simulations.mapping import SHIPPED
from halonmf.halo.simulations.observe import frame_of, observe
from halonmf.halo.simulations.particles import read_galaxy
from halonmf.halo.simulations.recovery import available, recover, score, settings_for
from halonmf.halo.simulations.settings import ObserveSettings
from halonmf.halo.stars.catalogue import read_catalogue, write_catalogue
from halonmf.halo.stars.variables import values

MODEL = TwoPopulations(
    StellarHalo(14_000, 2.5, np.inf, -0.9, 0.4, -0.9, 0.34, -0.2),
    StellarHalo(9_000, 9.0, 12.0, -1.3, 0.4, -1.8, 0.32, -0.2),
    n_disc=10_000, n_dark=60_000, n_gas=3_000,
)  # fmt: skip
SETTINGS = ObserveSettings(stars=12_000)


@pytest.fixture(scope="module", params=["fire2", "auriga"])
def galaxy(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    paths, stars = write_two_populations(folder, MODEL, layout=request.param)
    return read_galaxy(paths, request.param), stars


@pytest.fixture(scope="module")
def observed(galaxy):
    return observe(galaxy[0], SETTINGS)


def test_both_layouts_are_read_to_the_same_truth(galaxy):
    found, stars = galaxy
    assert len(found.table) == len(stars.accreted) == 33_000
    assert found.table["accreted"].sum() == stars.accreted.sum()
    r = np.sort(np.linalg.norm(stars.position, axis=1))
    np.testing.assert_allclose(np.sort(values(found.table, "r")), r, atol=0.3)
    for name, wanted in (("FE_H", stars.fe_h), ("MG_FE", stars.mg_fe)):
        np.testing.assert_allclose(np.sort(found.table[name]), np.sort(wanted), atol=1e-3)


def test_the_potential_is_that_of_all_particles(galaxy):
    found, _ = galaxy
    potential = frame_of(found, "particles").round
    r = np.geomspace(2, 60, 20)
    wanted = -G * MODEL.mass / (r + MODEL.scale)
    np.testing.assert_allclose(potential.spherical(r), wanted, rtol=0.02)
    assert potential.mass == pytest.approx(MODEL.mass, rel=2e-3)
    assert potential.n == 96_000 if found.name == "FIRE-2" else 96_500


def test_energies_and_angular_momenta_are_those_of_the_particles(galaxy):
    found, _ = galaxy
    exact = ObserveSettings(stars=12_000, distance_error=0, pm_error=0, rv_error=0, azimuth=70)
    seen = observe(found, exact).table
    rows = [int(name[1:]) for name in seen["APOGEE_ID"]]
    for name, wanted in (("r", values(found.table[rows], "r")), ("Lz", _momentum(found.table[rows]))):
        np.testing.assert_allclose(values(seen, name), wanted, rtol=1e-6, atol=1e-5)
    v2 = sum(values(seen, name) ** 2 for name in ("v_x", "v_y", "v_z"))
    wanted = -G * MODEL.mass / (values(seen, "r") + MODEL.scale) + 0.5 * v2
    assert np.median(np.abs(values(seen, "E") - wanted)) < 1500  # of 1e5, with 60,000 particles
    disc = (values(seen, "FE_H") > -0.3) & (np.abs(values(seen, "R") - 8) < 1)
    wanted = 8 * MODEL.circular_speed(np.array(8.0))
    assert np.median(values(seen, "Lz")[disc]) == pytest.approx(wanted, rel=0.1)  # prograde is positive


def _momentum(table):
    return values(table, "y") * values(table, "v_x") - values(table, "x") * values(table, "v_y")


def test_the_milky_ways_potential_is_a_choice(galaxy):
    seen = observe(galaxy[0], ObserveSettings(stars=500, potential="milky-way"))
    x, v = (np.stack([seen.table[n] for n in names], axis=1)
            for names in (("x", "y", "z_gal"), ("v_x", "v_y", "v_z")))  # fmt: skip
    np.testing.assert_allclose(values(seen.table, "E"), energy(x, v).to_value(u.km**2 / u.s**2), rtol=1e-6)
    assert seen.provenance["orbits"]["potential"] == "McMillan (2017)"


def test_a_files_own_potential_is_used_with_its_own_zero_point(tmp_path):
    rng = np.random.default_rng(0)
    table = Table({name: rng.normal(0, 4, 3000) for name in ("x", "y", "z")})
    for name in ("vx", "vy", "vz"):
        table[name] = rng.normal(0, 60, 3000)
    table["m"], table["feh"], table["ex"] = 3e7, -1.0, np.arange(3000) % 2
    table["phi"] = -1e5 - np.arange(3000)
    table.write(tmp_path / "p.fits")
    (tmp_path / "map.toml").write_text(
        """
        [galaxy]
        centre = "origin"
        axis = "z"
        [columns]
        position = ["x", "y", "z"]
        velocity = ["vx", "vy", "vz"]
        mass = "m"
        fe_h = "feh"
        accreted = "ex"
        potential = { column = "phi", unit = "km2 / s2" }
        [gravity.rest]
        position = ["x", "y", "z"]
        mass = "m"
        """
    )
    exact = ObserveSettings(stars=3000, distance_error=0, pm_error=0, rv_error=0, max_distance=30)
    seen = observe(read_galaxy(tmp_path / "p.fits", tmp_path / "map.toml"), exact)
    rows = np.array([int(name[1:]) for name in seen.table["APOGEE_ID"]])
    kinetic = 0.5 * sum(table[name][rows] ** 2 for name in ("vx", "vy", "vz"))
    near = np.linalg.norm([table[name] for name in ("vx", "vy", "vz")], axis=0)  # the galaxy is set to rest
    assert np.abs(values(seen.table, "E") - table["phi"][rows] - kinetic).max() < 5 * near.max()
    assert seen.provenance["orbits"]["zero_point"] == "that of the files"


def test_the_survey_reaches_its_limit_and_errors_are_as_asked(galaxy, observed):
    seen = observed.table
    d, true = values(seen, "distance"), seen["true_distance"].to_value(u.kpc)
    assert d.max() < 10
    assert (true > 10).any()
    assert np.std(np.log(d / true)) == pytest.approx(0.10, abs=0.02)
    rows = [int(name[1:]) for name in seen["APOGEE_ID"]]
    assert len(set(rows)) == len(rows)
    for name, error in (("FE_H", 0.02), ("MG_FE", 0.03)):
        difference = seen[name] - galaxy[0].table[name][rows]
        assert np.std(difference) == pytest.approx(error, rel=0.05)
    assert (seen["accreted"] == galaxy[0].table["accreted"][rows]).all()


def test_the_catalogue_is_one_that_every_command_reads(observed, tmp_path):
    path = write_catalogue(tmp_path / "stars.fits", observed.table, observed.cutflow, observed.provenance)
    again = read_catalogue(path)
    assert len(again) == observed.cutflow.passed == len(observed)
    assert "particles of" in again.provenance["orbits"]["potential"]


def test_the_same_seed_observes_the_same_stars(galaxy, observed):
    again = observe(galaxy[0], SETTINGS)
    assert (again.table["E"] == observed.table["E"]).all()
    other = observe(galaxy[0], ObserveSettings(stars=12_000, seed=2))
    assert set(other.table["APOGEE_ID"]) != set(observed.table["APOGEE_ID"])


def test_without_other_mass_than_the_stars_energies_are_refused(galaxy, tmp_path):
    found, _ = galaxy
    text = SHIPPED["fire2" if found.name == "FIRE-2" else "auriga"].read_text()
    folder = found.source.paths[0].parent
    (tmp_path / "alone.toml").write_text(text[: text.index("[gravity.gas]")])
    alone = read_galaxy(found.source.paths, shutil.copy(tmp_path / "alone.toml", folder / "alone.toml"))
    with pytest.raises(UsageError, match=r"give \[gravity\]"):
        observe(alone, SETTINGS)
    assert len(observe(alone, ObserveSettings(stars=100, potential="milky-way"))) > 90
    with pytest.raises(UsageError, match="the mapping names no potential"):
        observe(found, ObserveSettings(potential="file"))
    with pytest.raises(InputError, match="none of 33,000 particles is within"):
        observe(found, ObserveSettings(max_distance=0.001))


# the fit


def test_a_fit_is_scored_against_the_truth(observed):
    settings = settings_for(observed, FitSettings.of(device="cpu", pixels=30, bins="E:6,Lz:4"))
    assert settings.chemistry.planes == (Plane("MG_FE", "FE_H"),)
    made = fit(observed, settings)
    found = recover(made, observed)
    assert found.true_fraction == pytest.approx(found.accreted.mean())
    assert found.true_fraction < found.score.purity < found.best.purity
    assert found.best.purity > 0.6
    table = found.table()
    assert set(table["variable"]) == {"r", "z", "R", "E"}
    r = table["variable"] == "r"
    rows = made.mixtures
    assert table["n_stars"][r].sum() <= rows.n_stars.sum()
    # the truth of a bin is the mean of its stars
    radius = values(found.stars, "r")
    here = (radius >= table["lower"][r][1]) & (radius < table["upper"][r][1])
    assert table["true_fraction"][r][1] == pytest.approx(found.accreted[here].mean())
    assert "HE: purity" in found.describe().splitlines()[-1]


def test_planes_that_are_asked_for_stay(observed):
    chosen = Chemistry.of([Plane("MG_FE", "FE_H")], pixels=20)
    assert available(observed.table, chosen) is chosen
    with pytest.raises(InputError, match="none of the planes"):
        available(observed.table["E", "Lz"], Chemistry.of(DEFAULT_PLANES))


def test_stars_without_a_truth_are_refused(observed):
    made = fit(observed, settings_for(observed, FitSettings.of(device="cpu", pixels=20, bins="E:4,Lz:3")))
    bare = observed.table.copy()
    del bare["accreted"]
    with pytest.raises(UsageError, match="no column accreted"):
        recover(made, bare)
    bare["accreted"] = 1
    with pytest.raises(InputError, match="chosen stars are accreted"):
        recover(made, bare)


def test_scores_are_those_of_their_definitions():
    truth = np.array([True, True, False, False])
    found = score(np.array([0.9, 0.4, 0.8, np.nan]), truth)
    assert found.purity == pytest.approx(1.3 / 2.1)
    assert found.completeness == pytest.approx(1.3 / 2)
    assert (found.likely_purity, found.likely_completeness) == (0.5, 0.5)
    assert np.isnan(score(np.zeros(4), truth).purity)
