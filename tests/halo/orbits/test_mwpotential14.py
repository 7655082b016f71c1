"""MWPotential2014 is galpy's, but for the zero of its bulge; and energies in it are told apart from McMillan's."""

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.errors import UsageError
from halonmf.halo.orbits import focal
from halonmf.halo.orbits.convention import own
from halonmf.halo.orbits.kinematics import energy, kinematics, orbit_mask
from halonmf.halo.orbits.mwpotential14 import table

KM_S = u.km / u.s
TOLERANCE = 1e-3
"""Largest difference from galpy's energies that is allowed, km2 / s2."""


@pytest.fixture(scope="module")
def galpy():
    pytest.importorskip("galpy")
    from halonmf.halo.orbits import galpy_backend  # noqa: F401 - imports galpy without its files and its network

    return pytest.importorskip("galpy.potential")


@pytest.fixture(scope="module")
def stars():
    rng = np.random.default_rng(4)
    return rng.normal(0, 6, (300, 3)) * u.kpc, rng.normal(0, 110, (300, 3)) * KM_S


def theirs(galpy, position):
    x = position.to_value(u.kpc)
    return np.array(
        [
            galpy.evaluatePotentials(galpy.MWPotential2014, R / 8, z / 8, use_physical=False) * 220.0**2
            for R, z in zip(np.hypot(x[:, 0], x[:, 1]), x[:, 2], strict=True)
        ]
    )


def test_energies_are_galpys_but_for_the_zero_of_its_bulge(galpy, stars):
    position, velocity = stars
    ours = energy(position, velocity, "mwpotential2014").to_value(KM_S**2)
    kinetic = 0.5 * (velocity.to_value(KM_S) ** 2).sum(axis=1)
    bulge = galpy.MWPotential2014[0]
    zero = bulge(1e9, 0.0, use_physical=False) * 220.0**2  # galpy's is zero at its centre, ours at infinity
    assert np.abs(theirs(galpy, position) + kinetic - zero - ours).max() < TOLERANCE
    assert zero == pytest.approx(0.651e5, abs=50)  # what docs/orbits.md and orbits.public say


def test_forces_are_galpys(galpy):
    R, z = np.geomspace(0.01, 200, 30), np.geomspace(60, 0.001, 30)
    dR, dz = table().gradient(R, z)
    for ours, force in ((dR, galpy.evaluateRforces), (dz, galpy.evaluatezforces)):
        other = [
            -force(galpy.MWPotential2014, a / 8, b / 8, use_physical=False) * 220.0**2 / 8
            for a, b in zip(R, z, strict=True)
        ]
        np.testing.assert_allclose(ours, other, rtol=1e-9)


def test_actions_are_near_galpys_staeckel_code_with_the_same_focal_lengths(galpy, stars):
    from galpy.actionAngle import actionAngleStaeckel

    position, velocity = (x[:60] for x in stars)
    found = kinematics(position, velocity, model="mwpotential2014")
    x, v = position.to_value(u.kpc), velocity.to_value(KM_S)
    R = np.hypot(x[:, 0], x[:, 1])
    v_R, v_T = (x[:, 0] * v[:, 0] + x[:, 1] * v[:, 1]) / R, found["Lz"].value / R
    delta = focal.focal_length("mwpotential2014")(found["E"].value, found["Lz"].value)
    finder = actionAngleStaeckel(pot=galpy.MWPotential2014, delta=0.4, c=True, use_physical=False)
    J_r, _, J_z = finder(R / 8, v_R / 220, v_T / 220, x[:, 2] / 8, v[:, 2] / 220, delta=delta / 8)
    good = np.isfinite(found["J_r"].value) & (J_r < 9999)
    total = (found["J_r"] + found["J_z"]).value + np.abs(found["Lz"].value)
    for ours, other in ((found["J_r"].value, J_r), (found["J_z"].value, J_z)):
        assert np.median((np.abs(ours - other * 8 * 220) / total)[good]) < 0.01


@given(st.floats(0.05, 300), st.floats(0, 100))
def test_it_is_zero_at_infinity_and_rises_outwards(R, z):
    here, further, far = (float(table().potential(np.array([k * R]), np.array([k * z]))[0]) for k in (1, 1.5, 1e9))
    assert here < further < 0
    assert abs(far) < 1.0


def test_the_speed_at_eight_kiloparsecs_is_220():
    R = np.array([8.0])
    assert np.sqrt(R * table().gradient(R, np.zeros(1))[0]) == pytest.approx(220.0)


def test_the_convention_stands_in_the_record(stars):
    meta = kinematics(*(x[:2] for x in stars), model="mwpotential2014").meta
    assert meta["potential"] == own("mwpotential2014").potential == "MWPotential2014"
    assert meta["zero_point"] == "Phi(infinity) = 0"
    assert meta["Sun"].startswith("(-8.122")


def test_only_the_builtin_backend_has_it(stars):
    assert kinematics(*(x[:2] for x in stars), model="mwpotential2014").meta["backend"] == "builtin"
    with pytest.raises(UsageError, match="builtin"):
        kinematics(*(x[:2] for x in stars), backend="galpy", model="mwpotential2014")
    with pytest.raises(UsageError, match="potential must be one of"):
        kinematics(*(x[:2] for x in stars), model="Irrgang")


def test_stars_may_be_bound_in_one_potential_and_not_in_the_other():
    position, velocity = [[8.0, 0, 0]] * u.kpc, [[0.0, 530.0, 0]] * KM_S
    assert orbit_mask(position, velocity).all()
    assert energy(position, velocity, "mwpotential2014")[0] > 0
    assert np.isnan(kinematics(position, velocity, model="mwpotential2014")["J_r"][0])
