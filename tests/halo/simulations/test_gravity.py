"""The potential of particles: that of closed forms, from samples of them."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from halonmf.halo.errors import InputError
from halonmf.halo.orbits.integrate import orbit_extent
from halonmf.halo.simulations.gravity import G, extent, multipoles, tabulated

M, A = 1e12, 20.0


def hernquist(n=200_000, seed=0):
    """Quantiles of a sphere of Hernquist (1990), and directions."""
    rng = np.random.default_rng(seed)
    root = np.sqrt((np.arange(n) + 0.5) / n)
    x = rng.normal(size=(n, 3))
    return x * (A * root / (1 - root) / np.linalg.norm(x, axis=1))[:, None], np.full(n, M / n)


def phi(r):
    return -G * M / (r + A)


def points(n=500, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x * (np.geomspace(0.5, 100, n) / np.linalg.norm(x, axis=1))[:, None]


@pytest.fixture(scope="module")
def sphere():
    return multipoles([hernquist()])


def test_a_sphere_has_the_potential_of_the_closed_form(sphere):
    x = points()
    np.testing.assert_allclose(sphere.potential(x), phi(np.linalg.norm(x, axis=1)), rtol=4e-3)
    np.testing.assert_allclose(sphere.spherical(np.array([5000.0])), -G * M / 5000, rtol=1e-6)


def test_parts_add_up(sphere):
    x, m = hernquist()
    parts = multipoles([(x[:70_000], m[:70_000]), (x[70_000:], m[70_000:])])
    at = points()
    np.testing.assert_allclose(parts.potential(at), sphere.potential(at), rtol=1e-10)
    assert parts.mass == pytest.approx(M)
    assert parts.n == 200_000


def test_a_flat_galaxy_has_the_potential_of_the_closed_form():
    # an exponential disc, thin, whose potential in the plane is Freeman's (1970)
    from scipy.special import i0, i1, k0, k1

    n, scale, mass = 400_000, 2.6, 5e10
    rng = np.random.default_rng(2)
    R, angle = rng.gamma(2, scale, n), rng.uniform(0, 2 * np.pi, n)
    x = np.stack([R * np.cos(angle), R * np.sin(angle), np.zeros(n)], axis=1)
    disc = multipoles([(x, np.full(n, mass / n))])
    at = np.geomspace(2, 20, 40)
    y = at / (2 * scale)
    wanted = -G * mass / (2 * scale) * 2 * y * (i0(y) * k1(y) - i1(y) * k0(y))
    plane = np.stack([at, np.zeros(40), np.zeros(40)], axis=1)
    np.testing.assert_allclose(disc.potential(plane), wanted, rtol=0.025)
    round_one = multipoles([(x, np.full(n, mass / n))], order=0)
    worse = np.abs(round_one.potential(plane) / wanted - 1)
    assert np.abs(disc.potential(plane) / wanted - 1).max() < 0.3 * worse.max()


def test_turning_points_are_those_of_an_integrated_orbit(sphere):
    x, v = np.array([[12.0, 3.0, -4.0]]), np.array([[60.0, 140.0, 30.0]])

    def slope(_, y):
        r = np.linalg.norm(y[:3])
        return [*y[3:], *(-G * M / (r + A) ** 2 * y[:3] / r)]

    orbit = solve_ivp(slope, (0, 3), [*x[0], *v[0]], rtol=1e-9, atol=1e-9, max_step=0.002)
    r = np.linalg.norm(orbit.y[:3], axis=0)
    found = extent(tabulated(sphere), x, v)
    assert found.r_peri[0] == pytest.approx(r.min(), rel=0.01)
    assert found.r_apo[0] == pytest.approx(r.max(), rel=0.01)
    assert found.z_max[0] == pytest.approx(np.abs(orbit.y[2]).max(), rel=0.05)


class Flat:
    """A disc of Miyamoto & Nagai (1975) in a sphere of Hernquist (1990)."""

    disc, a, b = 6e10, 3.0, 0.3

    def potential(self, R, z):
        return phi(np.hypot(R, z)) - G * self.disc / np.hypot(R, self.a + np.hypot(z, self.b))

    def gradient(self, R, z):
        r, height = np.hypot(R, z), np.hypot(z, self.b)
        pull, halo = G * self.disc / np.hypot(R, self.a + height) ** 3, G * M / (r + A) ** 2 / r
        return R * (pull + halo), z * (pull * (self.a + height) / height + halo)


@pytest.fixture(scope="module")
def flat():
    """Particles of that galaxy: those of the disc are drawn from a grid of its density."""
    rng = np.random.default_rng(4)
    R, z = np.meshgrid(np.geomspace(0.01, 200, 500), np.sinh(np.linspace(-9, 9, 801)) * 0.02, indexing="ij")
    height = np.hypot(z, Flat.b)
    density = (Flat.a * R**2 + (Flat.a + 3 * height) * (Flat.a + height) ** 2) / (
        (R**2 + (Flat.a + height) ** 2) ** 2.5 * height**3
    )
    weight = (density * R * np.gradient(R, axis=0) * np.gradient(z, axis=1)).ravel()
    cell = rng.choice(weight.size, 300_000, p=weight / weight.sum())
    angle = rng.uniform(0, 2 * np.pi, len(cell))
    R, z = R.ravel()[cell], z.ravel()[cell]
    disc = np.stack([R * np.cos(angle), R * np.sin(angle), z], axis=1)
    return tabulated(multipoles([hernquist(), (disc, np.full(len(cell), Flat.disc / len(cell)))]))


def test_eccentricities_in_a_flat_galaxy_are_those_of_integrated_orbits(flat):
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (400, 3)) * [6, 6, 3]
    v = rng.normal(0, 1, (400, 3)) * [110, 110, 90]
    found = extent(flat, x, v)
    peri, apo, _ = orbit_extent(Flat(), x, v)
    wanted, ours = (apo - peri) / (apo + peri), (found.r_apo - found.r_peri) / (found.r_apo + found.r_peri)
    assert np.isfinite(ours).all()
    assert np.sqrt(np.mean((ours - wanted) ** 2)) < 0.05
    assert np.mean((ours > 0.7) == (wanted > 0.7)) > 0.95


def test_circular_orbits_in_the_plane_are_round(flat):
    R = np.array([3.0, 8.0, 20.0])
    x = np.stack([R, 0 * R, 0 * R], axis=1)
    speed = np.sqrt(R * Flat().gradient(R, 0 * R)[0])
    found = extent(flat, x, np.stack([0 * R, speed, 0 * R], axis=1))
    assert ((found.r_apo - found.r_peri) / (found.r_apo + found.r_peri)).max() < 0.12  # but for the particles' noise


def test_the_slope_of_the_table_is_that_of_its_values(flat):
    R, z = np.array([0.5, 3.0, 8.0, 40.0, 3000.0]), np.array([0.2, -1.0, 0.5, 20.0, 10.0])
    for i, found in enumerate(flat.gradient(R, z)):
        step = 1e-4
        at = [flat.potential(R + s * step * (i == 0), z + s * step * (i == 1)) for s in (1, -1)]
        np.testing.assert_allclose(found, (at[0] - at[1]) / (2 * step), rtol=1e-3, atol=1e-4)


def test_stars_that_leave_have_no_turning_points(sphere):
    found = extent(tabulated(sphere), np.array([[8.0, 0, 0]]), np.array([[900.0, 0, 0]]))
    assert np.isnan([found.r_peri, found.r_apo]).all()


def test_a_handful_of_particles_is_no_galaxy():
    with pytest.raises(InputError, match="1,000 are needed"):
        multipoles([(np.ones((5, 3)), np.ones(5))])
