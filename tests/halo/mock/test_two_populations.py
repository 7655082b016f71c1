"""The galaxy of two populations: in equilibrium, with the chemistry that it states, in the releases' layouts."""

import h5py
import numpy as np
import pytest

from halonmf.halo.errors import UsageError
from halonmf.halo.mock.two_populations import StellarHalo, TwoPopulations, draw, write_two_populations

HALO = TwoPopulations(
    in_situ=StellarHalo(20_000, 2.5, np.inf, -0.9, 0.4, -0.9, 0.34, -0.2),
    accreted=StellarHalo(20_000, 9.0, 12.0, -1.3, 0.4, -1.8, 0.32, -0.2),
    n_disc=0,
)


@pytest.fixture(scope="module")
def stars():
    return draw(HALO, np.random.default_rng(0))


@pytest.mark.parametrize("accreted", [False, True])
def test_both_halos_obey_the_virial_theorem(stars, accreted):
    mine = stars.accreted == accreted
    r = np.linalg.norm(stars.position[mine], axis=1)
    squared = (stars.velocity[mine] ** 2).sum(axis=1)
    assert squared.mean() == pytest.approx((HALO.circular_speed(r) ** 2).mean(), rel=0.02)


def test_the_accreted_halo_is_radial_as_its_anisotropy_radius_says(stars):
    mine = stars.accreted
    r = np.linalg.norm(stars.position[mine], axis=1)
    outward = stars.position[mine] / r[:, None]
    v_r = (stars.velocity[mine] * outward).sum(axis=1)
    v_t = (stars.velocity[mine] ** 2).sum(axis=1) - v_r**2
    for low, high in ((1, 4), (8, 16), (25, 60)):
        here = (r > low) & (r < high)
        beta = 1 - v_t[here].mean() / (2 * (v_r[here] ** 2).mean())
        wanted = np.mean(r[here] ** 2 / (r[here] ** 2 + 12.0**2))  # Osipkov (1979), Merritt (1985)
        assert beta == pytest.approx(wanted, abs=0.06)


def test_an_orbit_later_the_density_is_the_same(stars):
    # orbits in the sphere by leapfrog: what is in equilibrium stays as it is
    x, v = stars.position[stars.accreted][::5].copy(), stars.velocity[stars.accreted][::5].copy()
    before = np.quantile(np.linalg.norm(x, axis=1), [0.25, 0.5, 0.75])

    def pull(x):
        r = np.linalg.norm(x, axis=1, keepdims=True)
        return -(HALO.circular_speed(r) ** 2) * x / r**2

    step = 0.001  # kpc / (km / s)
    for _ in range(1000):
        v += 0.5 * step * pull(x)
        x += step * v
        v += 0.5 * step * pull(x)
    after = np.quantile(np.linalg.norm(x, axis=1), [0.25, 0.5, 0.75])
    np.testing.assert_allclose(after, before, rtol=0.05)


def test_chemistry_is_what_is_stated(stars):
    for accreted, part in ((False, HALO.in_situ), (True, HALO.accreted)):
        mine = stars.accreted == accreted
        assert stars.fe_h[mine].mean() == pytest.approx(part.fe_h, abs=0.02)
        poor = mine & (stars.fe_h < part.knee)
        assert stars.mg_fe[poor].mean() == pytest.approx(part.plateau, abs=0.01)


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(UsageError, match="layout must be one of fire2, auriga"):
        write_two_populations(tmp_path, HALO, layout="illustris")


def test_aurigas_lists_are_in_another_order_and_hold_a_part_of_the_stars(tmp_path):
    small = TwoPopulations(StellarHalo(300, 2.5, np.inf, -0.9, 0.4, -0.9, 0.3, -0.2),
                           StellarHalo(200, 9.0, 12.0, -1.3, 0.4, -1.8, 0.3, -0.2), 100, 2000, 200)  # fmt: skip
    paths, stars = write_two_populations(tmp_path, small, layout="auriga")
    ids, formation = [], []
    for path in paths:
        with h5py.File(path) as file:
            assert "Masses" not in file["PartType1"]
            ids.append(file["PartType4/ParticleIDs"][()])
            formation.append(file["PartType4/GFM_StellarFormationTime"][()])
    ids = np.concatenate(ids)
    assert (np.concatenate(formation) <= 0).sum() == 500
    listed = []
    for path in sorted((tmp_path / "lists" / "accretedstardata").glob("*.hdf5")):
        with h5py.File(path) as file:
            listed.append(file["Exsitu/ParticleIDs"][()])
            assert (file["Exsitu/AccretedFlag"][()] == 0).all()
    listed = np.concatenate(listed)
    assert set(listed) == set(ids[: len(stars.accreted)][stars.accreted])
    place = [int(np.flatnonzero(ids == i)[0]) for i in listed]
    assert place != sorted(place)
