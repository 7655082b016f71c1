import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from scipy.integrate import dblquad, quad
from scipy.special import erf, j0

from halonmf.halo.errors import UsageError
from halonmf.halo.orbits import kinematics as orbits
from halonmf.halo.orbits import mcmillan17
from halonmf.halo.orbits.integrate import orbit_extent
from halonmf.halo.orbits.staeckel import staeckel

REFERENCE = Path(__file__).parents[3].parent / "shared" / "reference" / "kinematics_mcmillan17.ecsv"
KM_S = u.km / u.s
SUN = [[-8.122, 0.0, 0.0208]] * u.kpc, [[12.9, 245.6, 7.78]] * KM_S
COLUMNS = ["E", "Lz", "J_r", "J_phi", "J_z", "r_peri", "r_apo", "ecc", "z_max", "r_sph", "R_cyl"]


@pytest.fixture(scope="module")
def reference():
    if not REFERENCE.exists():
        pytest.skip("AGAMA's answers, ../shared/reference/kinematics_mcmillan17.ecsv, are not here")
    return QTable.read(REFERENCE)


def phase_space(table):
    position = np.stack([table[name].to_value(u.kpc) for name in ("x", "y", "z")], axis=1) * u.kpc
    velocity = np.stack([table[name].to_value(KM_S) for name in ("vx", "vy", "vz")], axis=1) * KM_S
    return position, velocity


@pytest.fixture(scope="module")
def ours(reference):
    return orbits.kinematics(*phase_space(reference), backend="builtin")


@pytest.fixture(scope="module")
def sum_of_actions(reference):
    return (reference["agama_jr"] + reference["agama_jz"] + np.abs(reference["agama_jphi"])).value


def random_stars(n=200, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 5, (n, 3)) * u.kpc, rng.normal(0, 110, (n, 3)) * KM_S


# the potential


def test_energies_are_agamas_to_50(reference, ours):
    off = (ours["E"] - reference["agama_energy"]).value
    assert np.abs(off).max() < 50
    assert np.sqrt(np.mean(off**2)) < 20


def test_potential_is_the_integral_over_the_thin_disc_far_up_its_axis():
    model, z = mcmillan17.MCMILLAN17, 5.0
    disc = model.discs[0]

    def ring(height, R):
        density = disc.surface_density(np.array(R))[0] * disc.layer(np.array(height))[0]
        return 2 * np.pi * R * density * (1 / np.hypot(R, z - height) + 1 / np.hypot(R, z + height))

    direct = -mcmillan17.G * dblquad(ring, 1e-3, 50, 0, 6, epsabs=1e-2, epsrel=1e-8)[0]
    alone = replace(model, discs=(disc,), bulge=replace(model.bulge, rho0=0.0), halo=replace(model.halo, rho0=0.0))
    assert mcmillan17.solve(np.array(1e-6), np.array(z), alone) == pytest.approx(direct, abs=1.0)


def test_circular_speed_at_the_sun_is_the_models():
    assert orbits.circular_speed(8.122 * u.kpc).to_value(KM_S) == pytest.approx(233.10, abs=0.02)


def test_energy_of_the_sun():
    assert orbits.energy(*SUN).value == pytest.approx(-153521.19, abs=20)


def test_table_reproduces_the_expansion_from_the_bulge_to_beyond_the_halo():
    rng = np.random.default_rng(4)
    r, mu = 10 ** rng.uniform(-1, 4, 5000), rng.uniform(0, 1, 5000) ** 3
    R, z = r * np.sqrt(1 - mu**2), r * mu
    np.testing.assert_allclose(mcmillan17.table().potential(R, z), mcmillan17.solve(R, z), rtol=0, atol=0.01)


def test_gradient_is_the_slope_of_the_potential():
    rng = np.random.default_rng(5)
    R, z = 10 ** rng.uniform(-1, 2, (2, 500))
    table, step = mcmillan17.table(), 1e-5
    dR, dz = table.gradient(R, z)
    np.testing.assert_allclose(
        dR, (table.potential(R + step, z) - table.potential(R - step, z)) / (2 * step), rtol=1e-3
    )
    np.testing.assert_allclose(
        dz, (table.potential(R, z + step) - table.potential(R, z - step)) / (2 * step), rtol=1e-3
    )


def test_potential_is_the_same_below_the_plane():
    position, _ = random_stars()
    np.testing.assert_array_equal(orbits.potential(position), orbits.potential(position * [1, 1, -1]))


def test_potential_vanishes_at_infinity():
    far = orbits.potential([[1e6, 0, 0], [0, 0, 1e6]] * u.kpc).value
    assert (far < 0).all()
    assert (far > -100).all()


def only(**parts):
    """McMillan's model with no other part than those given."""
    none = {
        "discs": (),
        "bulge": replace(mcmillan17.MCMILLAN17.bulge, rho0=0.0),
        "halo": replace(mcmillan17.MCMILLAN17.halo, rho0=0.0),
    }
    return mcmillan17.Model(**{**none, **parts})


def test_potential_of_a_gaussian_ball_is_the_error_function():
    scale, density = 2.0, 1e9
    ball = only(bulge=mcmillan17.Bulge(rho0=density, r0=1.0, rcut=scale, q=1.0, alpha=0.0))
    r, angle = np.geomspace(0.01, 100, 40), np.linspace(0, 1.5, 40)
    closed = -mcmillan17.G * np.pi**1.5 * density * scale**3 * erf(r / scale) / r
    np.testing.assert_allclose(mcmillan17.solve(r * np.cos(angle), r * np.sin(angle), ball), closed, rtol=1e-6)


@pytest.mark.parametrize("zd", [0.05, 0.3])
def test_potential_in_the_plane_of_an_exponential_disc_is_its_hankel_integral(zd):
    Sigma0, Rd = 1e9, 2.5
    R = np.array([1.0, 2.5, 5.0, 8.0, 15.0])

    def integrand(k, radius):  # Binney & Tremaine (2008), section 2.6.1, each layer of the disc weighed by exp(-k |z|)
        return j0(k * radius) / (1 + (k * Rd) ** 2) ** 1.5 / (1 + k * zd)

    integral = [quad(integrand, 0, 60, args=(radius,), limit=2000)[0] for radius in R]
    closed = -2 * np.pi * mcmillan17.G * Sigma0 * Rd**2 * np.array(integral)
    found = mcmillan17.solve(R, np.zeros(5), only(discs=(mcmillan17.Disc(Sigma0, Rd, zd),)))
    np.testing.assert_allclose(found, closed, rtol=5e-5)


def test_energy_of_a_star_at_rest_is_the_potential_there():
    position, velocity = random_stars(50)
    found = orbits.kinematics(position, 0 * velocity, backend="builtin")["E"]
    x, y, z = position.value.T
    np.testing.assert_allclose(found.value, mcmillan17.solve(np.hypot(x, y), z), atol=0.02)


# angular momentum


def test_angular_momentum_is_agamas_to_1e_9(reference, ours):
    np.testing.assert_allclose(ours["Lz"].value, reference["lz"].value, rtol=1e-9)


def test_sun_moves_prograde_with_1995():
    assert orbits.angular_momentum(*SUN).value == pytest.approx(1994.76, abs=0.01)


# actions and turning points


@pytest.mark.parametrize("action", ["J_r", "J_z"])
def test_actions_are_agamas_to_a_median_of_0_3_percent(action, reference, ours, sum_of_actions):
    theirs = reference[f"agama_{action.lower().replace('_', '')}"].value
    off = np.abs(ours[action].value - theirs) / sum_of_actions
    assert np.median(off) < 0.001
    assert off.max() < 0.06


def test_staeckel_eccentricity_is_that_of_agamas_orbits_to_0_06_rms(reference, ours):
    off = ours["ecc"].value - reference["agama_orbit_ecc"].value
    assert np.sqrt(np.mean(off**2)) < 0.03
    assert abs(np.median(off)) < 0.005


def test_integrated_eccentricity_is_that_of_agamas_orbits_to_0_02_rms(reference):
    few = reference[::10]
    found = orbits.kinematics(*phase_space(few), backend="builtin", eccentricity="orbit")
    off = found["ecc"].value - few["agama_orbit_ecc"].value
    assert np.sqrt(np.mean(off**2)) < 0.02
    assert abs(np.median(off)) < 0.005


@pytest.mark.parametrize("eccentricity", ["staeckel", "orbit"])
def test_turning_points_are_ordered_and_bracket_the_star(eccentricity):
    found = orbits.kinematics(*random_stars(), backend="builtin", eccentricity=eccentricity)
    seen = np.isfinite(found["ecc"])
    found = found[seen]
    assert len(found) > 150
    assert (found["r_peri"] <= found["r_sph"] * (1 + 1e-9)).all()
    assert (found["r_sph"] <= found["r_apo"] * (1 + 1e-9)).all()
    assert (found["ecc"] >= 0).all()
    assert (found["ecc"] <= 1).all()


def test_circular_orbit_has_no_radial_action():
    speed = orbits.circular_speed(8 * u.kpc).to_value(KM_S)
    found = orbits.kinematics([[8, 0, 0]] * u.kpc, [[0, -speed, 0]] * KM_S, backend="builtin")[0]
    assert found["J_r"].value == pytest.approx(0, abs=1e-3)
    assert found["J_z"].value == pytest.approx(0, abs=1e-3)
    assert found["ecc"].value == pytest.approx(0, abs=1e-3)
    assert found["Lz"].value == pytest.approx(8 * speed)


def test_planar_orbit_turns_where_its_energy_says():
    found = orbits.kinematics([[8, 0, 0]] * u.kpc, [[100, -150, 0]] * KM_S, backend="builtin")[0]
    for r in (found["r_peri"], found["r_apo"]):
        speed = found["Lz"] / r
        assert orbits.energy([[r.value, 0, 0]] * u.kpc, [[0, speed.value, 0]] * KM_S)[0].value == pytest.approx(
            found["E"].value, abs=1e-2
        )


def test_actions_do_not_change_along_the_orbit():
    potential = mcmillan17.table()
    x, v = np.array([8.0, 0.0, 2.0]), np.array([60.0, -120.0, 80.0])
    dt, path = 1e-4, []
    for i in range(4000):
        R = np.hypot(x[0], x[1])
        dR, dz = potential.gradient(R, x[2])
        v = v - 0.5 * dt * np.array([dR * x[0] / R, dR * x[1] / R, dz])
        x = x + dt * v
        R = np.hypot(x[0], x[1])
        dR, dz = potential.gradient(R, x[2])
        v = v - 0.5 * dt * np.array([dR * x[0] / R, dR * x[1] / R, dz])
        if i % 100 == 0:
            path.append(np.concatenate([x, v]))
    path = np.array(path)
    found = orbits.kinematics(path[:, :3] * u.kpc, path[:, 3:] * KM_S, backend="builtin")
    assert np.ptp(found["E"].value) < 1.0
    assert np.std(found["J_r"].value) < 0.02 * np.mean(found["J_r"].value)
    assert np.std(found["J_z"].value) < 0.02 * np.mean(found["J_z"].value)


# the same code in potentials whose orbits have closed forms

GM = 4.3e5  # kpc (km/s)^2: some 1e11 Msun


@dataclass(frozen=True)
class Isochrone:
    """Henon's (1959) potential -GM / (b + sqrt(b^2 + r^2)); b = 0 is Kepler's."""

    b: float

    def potential(self, R, z):
        return -GM / (self.b + np.sqrt(self.b**2 + R**2 + z**2))

    def gradient(self, R, z):
        a = np.sqrt(self.b**2 + R**2 + z**2)
        pull = GM / (a * (self.b + a)) / (self.b + a)
        return pull * R, pull * z

    def orbits(self, x, v):
        """E, L, L_z, J_r, r_peri, r_apo; Binney & Tremaine (2008), section 3.5.2."""
        E = self.potential(np.hypot(x[:, 0], x[:, 1]), x[:, 2]) + 0.5 * (v**2).sum(axis=1)
        L_vector = np.cross(x, v)
        L = np.linalg.norm(L_vector, axis=1)
        J_r = GM / np.sqrt(-2 * E) - 0.5 * (L + np.sqrt(L**2 + 4 * GM * self.b))
        # with s = sqrt(b^2 + r^2) the turning points solve 2 E (s^2 - b^2) + 2 GM (s - b) - L^2 = 0
        middle = -GM / (2 * E)
        half = np.sqrt(middle**2 + self.b**2 + (GM * self.b + 0.5 * L**2) / E)
        r_peri, r_apo = (np.sqrt(np.maximum(s**2 - self.b**2, 0)) for s in (middle - half, middle + half))
        return E, L, L_vector[:, 2], J_r, r_peri, r_apo


def bound_stars(galaxy, deepest):
    """Stars of every direction, slower than 0.85 of the escape speed, that come no closer than `deepest` kpc."""
    rng = np.random.default_rng(6)
    x, v = rng.normal(0, 6, (2, 500, 3))
    escape = np.sqrt(-2 * galaxy.potential(np.hypot(x[:, 0], x[:, 1]), x[:, 2]))
    v *= (escape * rng.uniform(0, 0.85, 500) / np.linalg.norm(v, axis=1))[:, None]
    keep = galaxy.orbits(x, v)[4] > deepest
    assert keep.sum() > 200
    return x[keep], v[keep]


def test_fudge_gives_the_actions_and_turning_points_of_the_isochrone():
    galaxy = Isochrone(b=2.0)
    x, v = bound_stars(galaxy, deepest=0.3)
    _, L, Lz, J_r, r_peri, r_apo = galaxy.orbits(x, v)
    R, r = np.hypot(x[:, 0], x[:, 1]), np.linalg.norm(x, axis=1)
    v_R = (x[:, 0] * v[:, 0] + x[:, 1] * v[:, 1]) / R
    found = staeckel(galaxy, R, x[:, 2], v_R, -Lz / R, v[:, 2], 0.001 * r)  # spherical: the limit of small Delta
    total = J_r + L
    np.testing.assert_allclose(found.J_r / total, J_r / total, atol=1e-4)
    np.testing.assert_allclose(found.J_z / total, (L - np.abs(Lz)) / total, atol=1e-4)
    np.testing.assert_allclose(found.r_peri, r_peri, rtol=1e-3)
    np.testing.assert_allclose(found.r_apo, r_apo, rtol=1e-5)


@pytest.mark.parametrize("b", [0.0, 2.0], ids=["Kepler", "isochrone"])
def test_integration_finds_the_eccentricities_of_closed_forms(b):
    galaxy = Isochrone(b)
    x, v = bound_stars(galaxy, deepest=0.3)
    *_, r_peri, r_apo = galaxy.orbits(x, v)
    low, high, _ = orbit_extent(galaxy, x, v)
    np.testing.assert_allclose((high - low) / (high + low), (r_apo - r_peri) / (r_apo + r_peri), atol=1.5e-3)
    np.testing.assert_allclose(high, r_apo, rtol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("b", [0.0, 2.0], ids=["Kepler", "isochrone"])
def test_integration_converges_to_the_turning_points_of_closed_forms(b):
    galaxy = Isochrone(b)
    x, v = bound_stars(galaxy, deepest=0.3)
    *_, r_peri, r_apo = galaxy.orbits(x, v)
    low, high, _ = orbit_extent(galaxy, x, v, step=0.01)
    np.testing.assert_allclose(low, r_peri, rtol=5e-4)
    np.testing.assert_allclose(high, r_apo, rtol=5e-5)


def test_orbits_are_the_same_whatever_else_is_integrated():
    position, velocity = random_stars(20)
    x, v = position.value, velocity.value * 0.5
    together = np.stack(orbit_extent(mcmillan17.table(), x, v))
    alone = np.stack(orbit_extent(mcmillan17.table(), x[7:8], v[7:8]))
    np.testing.assert_array_equal(together[:, 7:8], alone)


def test_integrated_orbits_end_where_their_energy_does():
    found = orbits.kinematics([[8, 0, 2]] * u.kpc, [[0, 560, 0]] * KM_S, backend="builtin", eccentricity="orbit")[0]
    at_apocentre = orbits.potential([[found["r_apo"].value, 0, 0]] * u.kpc)[0]
    assert at_apocentre.value < found["E"].value + 20


# what has no orbit

NO_ORBIT = {
    "unbound": ([8, 0, 0], [0, 900, 0]),
    "nan_position": ([np.nan, 0, 1], [0, 100, 0]),
    "nan_velocity": ([8, 0, 1], [0, np.nan, 0]),
    "infinite_velocity": ([8, 0, 1], [np.inf, 0, 0]),
    "on_the_axis": ([0, 0, 3], [0, 100, 0]),
    "at_the_centre": ([0, 0, 0], [0, 100, 0]),
}


@pytest.mark.parametrize("case", NO_ORBIT)
def test_star_without_an_orbit_has_no_actions_and_leaves_the_others_alone(case):
    x, v = NO_ORBIT[case]
    position, velocity = np.array([[8.0, 0, 1], x]) * u.kpc, np.array([[0, 150.0, 20], v]) * KM_S
    found = orbits.kinematics(position, velocity, backend="builtin")
    for name in ("J_r", "J_phi", "J_z", "r_peri", "r_apo", "ecc", "z_max"):
        assert np.isnan(found[name][1]), name
        assert np.isfinite(found[name][0]), name
    assert orbits.orbit_mask(position, velocity).tolist() == [True, False]


def test_unbound_star_keeps_its_energy():
    found = orbits.kinematics([[8, 0, 0]] * u.kpc, [[0, 900, 0]] * KM_S, backend="builtin")
    assert found["E"][0] > 0
    assert found["Lz"][0].value == pytest.approx(-7200)


EXTREME = {
    "at_rest": ([8, 0, 3], [0, 0, 0]),
    "radial": ([8, 0, 1], [100, 0, 50]),
    "over_the_pole": ([1e-3, 0, 8], [200, 0, 0]),
    "barely_off_the_axis": ([1e-5, 0, 3], [50, 10, 30]),
    "in_the_nucleus": ([0.01, 0, 0.01], [30, 30, 10]),
    "almost_unbound": ([8, 0, 2], [0, 599, 0]),
}


@pytest.mark.parametrize("case", EXTREME)
@pytest.mark.parametrize("eccentricity", ["staeckel", "orbit"])
def test_extreme_orbit_has_sensible_numbers(case, eccentricity):
    x, v = EXTREME[case]
    found = orbits.kinematics([x] * u.kpc, [v] * KM_S, backend="builtin", eccentricity=eccentricity)[0]
    assert all(np.isfinite(found[name]) for name in COLUMNS)
    assert found["J_r"] >= 0
    assert found["J_z"] >= 0
    assert 0 <= found["ecc"] <= 1


# the interface


def test_columns_and_units_are_those_of_the_conventions():
    found = orbits.kinematics(*SUN, backend="builtin")
    assert found.colnames == COLUMNS
    units = [str(found[name].unit) for name in COLUMNS]
    assert units == ["km2 / s2", *["km kpc / s"] * 4, "kpc", "kpc", "", "kpc", "kpc", "kpc"]


def test_chunks_do_not_show(monkeypatch):
    position, velocity = random_stars()
    whole = orbits.kinematics(position, velocity, backend="builtin")
    monkeypatch.setattr(orbits, "_CHUNK", 37)
    parts = orbits.kinematics(position, velocity, backend="builtin")
    for name in COLUMNS:
        np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)


def test_progress_counts_up_to_all_stars(monkeypatch):
    monkeypatch.setattr(orbits, "_CHUNK", 100)
    calls = []
    orbits.kinematics(*random_stars(250), backend="builtin", progress=lambda *call: calls.append(call))
    assert calls == [("orbits", 100, 250), ("orbits", 200, 250), ("orbits", 250, 250)]


def test_no_stars_give_an_empty_table():
    found = orbits.kinematics(np.zeros((0, 3)) * u.kpc, np.zeros((0, 3)) * KM_S, backend="builtin")
    assert len(found) == 0
    assert found.colnames == COLUMNS


def test_unknown_backend_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="auto, agama, builtin"):
        orbits.kinematics(*SUN, backend="gala")


def test_unknown_eccentricity_is_refused():
    with pytest.raises(UsageError, match="staeckel, orbit"):
        orbits.kinematics(*SUN, eccentricity="planar")


def test_position_without_units_is_refused():
    with pytest.raises(UsageError, match="position must be a Quantity"):
        orbits.potential(np.zeros((2, 3)))


@pytest.mark.slow
def test_200_000_stars_take_less_than_90_seconds():
    position, velocity = random_stars(200_000)
    start = time.process_time()  # which others on the machine do not lengthen
    orbits.kinematics(position, velocity, backend="builtin")
    assert time.process_time() - start < 90
