from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from halonmf.halo.orbits import kinematics as orbits

pytest.importorskip("agama", reason="AGAMA is not installed")

REFERENCE = Path(__file__).parents[3].parent / "shared" / "reference" / "kinematics_mcmillan17.ecsv"
KM_S = u.km / u.s


def stars(n=300, seed=2):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 5, (n, 3)) * u.kpc, rng.normal(0, 110, (n, 3)) * KM_S


def test_auto_takes_agama_where_it_is_installed():
    assert orbits.kinematics(*stars(3)).meta["backend"] == "agama"


def test_energies_and_actions_are_those_of_the_reference_table():
    if not REFERENCE.exists():
        pytest.skip("AGAMA's answers, ../shared/reference/kinematics_mcmillan17.ecsv, are not here")
    table = QTable.read(REFERENCE)[::5]
    position = np.stack([table[name].value for name in ("x", "y", "z")], axis=1) * u.kpc
    velocity = np.stack([table[name].value for name in ("vx", "vy", "vz")], axis=1) * KM_S
    found = orbits.kinematics(position, velocity, backend="agama")
    np.testing.assert_allclose(found["E"].value, table["agama_energy"].value, rtol=1e-6)
    np.testing.assert_allclose(found["J_phi"].value, table["agama_jphi"].value, rtol=1e-9)
    np.testing.assert_allclose(found["J_r"].value, table["agama_jr"].value, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(found["J_z"].value, table["agama_jz"].value, rtol=1e-3, atol=1e-2)


def test_builtin_energies_differ_by_less_than_50_from_the_nucleus_to_300_kpc():
    rng = np.random.default_rng(3)
    r, direction = 10 ** rng.uniform(np.log10(0.05), np.log10(300), 5000), rng.normal(size=(5000, 3))
    position = (r[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)) * u.kpc
    at_rest = np.zeros((5000, 3)) * KM_S
    theirs = orbits.kinematics(position, at_rest, backend="agama")["E"].value
    assert np.abs(orbits.potential(position).value - theirs).max() < 20


def test_builtin_actions_agree():
    position, velocity = stars()
    theirs = orbits.kinematics(position, velocity, backend="agama")
    ours = orbits.kinematics(position, velocity, backend="builtin")
    total = (theirs["J_r"] + theirs["J_z"] + np.abs(theirs["J_phi"])).value
    for name in ("J_r", "J_z"):
        off = np.abs(ours[name] - theirs[name]).value / total
        assert np.nanmedian(off) < 0.003, name
        assert np.nanmax(off) < 0.08, name


def test_integrated_orbits_agree():
    position, velocity = stars(60)
    theirs = orbits.kinematics(position, velocity, backend="agama", eccentricity="orbit")
    ours = orbits.kinematics(position, velocity, backend="builtin", eccentricity="orbit")
    off = ours["ecc"].value - theirs["ecc"].value
    assert np.sqrt(np.nanmean(off**2)) < 0.02


@pytest.mark.parametrize("eccentricity", ["staeckel", "orbit"])
def test_same_rows_are_invalid(eccentricity):
    position, velocity = stars(40)
    position[3], velocity[5], position[7, :2], velocity[9, 0] = np.nan * u.kpc, np.inf * KM_S, 0 * u.kpc, 900 * KM_S
    theirs = orbits.kinematics(position, velocity, backend="agama", eccentricity=eccentricity)
    ours = orbits.kinematics(position, velocity, backend="builtin", eccentricity=eccentricity)
    assert not np.isfinite(ours["J_r"][[3, 5, 7, 9]]).any()
    for name in ours.colnames:
        np.testing.assert_array_equal(np.isfinite(ours[name]), np.isfinite(theirs[name]), err_msg=name)


def test_pericentre_of_a_barely_bound_plunge_is_resolved():
    found = orbits.kinematics([[8, 0, 2]] * u.kpc, [[0, 597, 0]] * KM_S, backend="agama", eccentricity="orbit")[0]
    assert found["r_peri"].value == pytest.approx(8.2462, abs=0.01)
