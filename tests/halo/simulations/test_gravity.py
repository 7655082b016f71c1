"""The potential of particles: that of closed forms, from samples of them."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from halonmf.halo.errors import InputError
from halonmf.halo.simulations.gravity import G, multipoles, turning_points

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
    peri, apo = turning_points(sphere, x, v)
    assert peri[0] == pytest.approx(r.min(), rel=0.01)
    assert apo[0] == pytest.approx(r.max(), rel=0.01)


def test_circular_and_radial_orbits_are_the_limits(sphere):
    r = np.array([3.0, 8.0, 30.0])
    x = np.stack([r, 0 * r, 0 * r], axis=1)
    speed = np.sqrt(G * M * r) / (r + A)
    peri, apo = turning_points(sphere, x, np.stack([0 * r, speed, 0 * r], axis=1))
    assert ((apo - peri) / (apo + peri)).max() < 0.12  # a circle to within the noise of the particles
    peri, apo = turning_points(sphere, x, np.stack([speed, 0.01 * speed, 0 * r], axis=1))
    assert ((apo - peri) / (apo + peri)).min() > 0.95


def test_stars_that_leave_have_no_turning_points(sphere):
    peri, apo = turning_points(sphere, np.array([[8.0, 0, 0]]), np.array([[900.0, 0, 0]]))
    assert np.isnan([peri, apo]).all()


def test_a_handful_of_particles_is_no_galaxy():
    with pytest.raises(InputError, match="1,000 are needed"):
        multipoles([(np.ones((5, 3)), np.ones(5))])
