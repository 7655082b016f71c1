"""Wrong units, signs and meanings are found by size, and each refusal says what to do."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo.errors import InputError
from halonmf.halo.survey.mapping import read_mapped
from halonmf.halo.survey.plausible import check_plausible
from halonmf.halo.survey.prepare import prepare

DATA = Path(__file__).parents[3].parent / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data with real APOGEE giants is absent")


def sample(n=400, seed=0):
    """Stars of a disc and a halo, with every quantity that is judged."""
    rng = np.random.default_rng(seed)
    disc = rng.random(n) < 0.6
    iron = np.where(disc, rng.normal(-0.3, 0.2, n), rng.normal(-1.2, 0.3, n))
    t = Table()
    t["RA"], t["DEC"] = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    t["distance"] = rng.uniform(1, 9, n)
    t["distance_error"] = 0.05 * t["distance"]
    t["pmra"], t["pmdec"] = rng.normal(0, 4, n), rng.normal(-2, 4, n)
    t["pmra_error"] = t["pmdec_error"] = np.full(n, 0.02)
    t["pmra_pmdec_corr"] = rng.uniform(-0.5, 0.5, n)
    t["radial_velocity"], t["radial_velocity_error"] = rng.normal(0, 80, n), np.full(n, 0.2)
    t["E"] = np.where(disc, rng.normal(-1.6e5, 5e3, n), rng.normal(-1.5e5, 2e4, n))
    t["Lz"] = np.where(disc, rng.normal(1700, 250, n), rng.normal(100, 600, n))
    t["ecc"], t["J_r"], t["J_z"] = rng.uniform(0, 1, n), rng.exponential(100, n), rng.exponential(100, n)
    t["r_peri"], t["r_apo"], t["z_max"] = rng.uniform(1, 5, n), rng.uniform(5, 15, n), rng.exponential(2, n)
    t["r_sph"], t["R_cyl"] = rng.uniform(5, 12, n), rng.uniform(5, 12, n)
    t["LOGG"], t["TEFF"] = rng.uniform(1, 3, n), rng.uniform(4000, 5200, n)
    t["FE_H"], t["FE_H_ERR"] = iron, np.full(n, 0.03)
    t["MG_FE"] = np.where(disc, 0.05 - 0.3 * (iron + 0.3), 0.25) + rng.normal(0, 0.05, n)
    t["AL_FE"] = np.where(disc, 0.1, -0.25) + rng.normal(0, 0.05, n)
    return t


def phase_space(n=300):
    """Stars on circular orbits about the Galactic centre, prograde."""
    rng = np.random.default_rng(1)
    R, phi = rng.uniform(5, 12, n), rng.uniform(0, 2 * np.pi, n)
    t = Table()
    t["x"], t["y"], t["z_gal"] = R * np.cos(phi), R * np.sin(phi), rng.normal(0, 0.3, n)
    t["v_x"], t["v_y"], t["v_z"] = 220 * np.sin(phi), -220 * np.cos(phi), rng.normal(0, 20, n)
    return t


def check(table, unusual=()):
    check_plausible(table, Path("t.fits"), Path("m.toml"), unusual)


def test_a_plausible_sample_passes():
    check(sample())
    check(phase_space())


WRONG = {
    "E in 1e5": ("E", lambda x: x / 1e5, r"median \|E\| would be 1\.\d+ km2 / s2; .*unit = \"1e5 km2 / s2\""),
    "E in 100 km2 / s2": ("E", lambda x: x / 100, r"median \|E\| would be"),
    "E in m2 / s2": ("E", lambda x: x * 1e6, r"median \|E\| would be"),
    "E of another sign": ("E", lambda x: -x, "most energies are positive.*scale = -1"),
    "Lz in 1e3": ("Lz", lambda x: x / 1e3, r"median \|Lz\| would be .* kpc km / s; .*1e3 kpc km / s"),
    "Lz in pc km / s": ("Lz", lambda x: x * 1e3, r"median \|Lz\| would be"),
    "Lz reversed": ("Lz", lambda x: -x, r"of \d+ stars with \|Lz\| above 1000 kpc km / s are retrograde; .*scale = -1"),
    "distance in pc": ("distance", lambda x: x * 1e3, "median distance would be .* kpc; .*pc or kpc"),
    "distance_error in pc": ("distance_error", lambda x: x * 1e3, "median distance_error would be 50 of the distance"),
    "pmra in arcsec / yr": ("pmra", lambda x: x / 1e3, r"median \|pmra\| would be .*arcsec / yr"),
    "pmdec in rad / yr": ("pmdec", lambda x: x * 5e-9, r"median \|pmdec\| would be .*rad / yr"),
    "pmra_error in arcsec / yr": ("pmra_error", lambda x: x / 1e3, "median pmra_error would be"),
    "velocity in m / s": ("radial_velocity", lambda x: x * 1e3, r"median \|rv\| would be .*m / s or km / s"),
    "velocity in units of c": ("radial_velocity", lambda x: x / 3e5, r"median \|rv\| would be"),
    "apocentre in pc": ("r_apo", lambda x: x * 1e3, "median r_apo would be"),
    "radius in pc": ("r_sph", lambda x: x * 1e3, "median r would be"),
    "g for its logarithm": ("LOGG", lambda x: 10**x, "median LOGG would be .*log10"),
    "logarithm of the temperature": ("TEFF", np.log10, "median TEFF would be .*not of their logarithms"),
    "an inclination for e": ("ecc", lambda x: 90 * x, "eccentricities lie outside 0 to 1"),
    "a covariance": ("pmra_pmdec_corr", lambda x: 30 * x, "beyond 1; .*a covariance is no correlation"),
    "A(Fe)": ("FE_H", lambda x: x + 7.5, r"median FE_H would be .*\[Fe/H\], relative to the Sun"),
    "A(Mg)": ("MG_FE", lambda x: x + 7.6, r"median MG_FE would be .*\[X/Fe\], relative to the Sun"),
    "Z": ("FE_H", lambda x: 0.0134 * 10**x, "as mass fractions do"),
    "errors in per cent": ("FE_H_ERR", lambda x: 100 * x, "median error of FE_H would be 3 dex"),
}
ENTRIES = {"radial_velocity": "rv", "r_sph": "r", "ecc": "e", "FE_H_ERR": "FE_H"}


@pytest.mark.parametrize("case", list(WRONG))
def test_each_wrong_unit_or_sign_is_refused_with_a_remedy(case):
    name, change, said = WRONG[case]
    table = sample()
    table[name] = change(np.asarray(table[name]))
    with pytest.raises(InputError, match=said) as caught:
        check(table)
    entry = ENTRIES.get(name, name)
    assert "\n" not in str(caught.value)
    assert "in m.toml" in str(caught.value)
    assert f"add {entry} to the list unusual" in str(caught.value)
    check(table, [entry, "distance_error"])


@pytest.mark.parametrize("element", ["MG_FE", "AL_FE"])
def test_an_abundance_over_hydrogen_is_told_from_one_over_iron(element):
    table = sample()
    table[element] += table["FE_H"]
    with pytest.raises(InputError, match=rf"{element} rises with FE_H as \[X/H\] does.*subtract \[Fe/H\] by minus"):
        check(table)
    check(table, [element])


@real
def test_real_abundances_are_over_iron_and_would_be_told_over_hydrogen():
    files = [DATA / name for name in ("allStarLite-dr17-halo-giants.fits", "apogee_astroNN-dr17-halo-giants.fits")]
    stars = Table(prepare(*files).table)
    check(stars)
    for name in ("MG_FE", "AL_FE"):
        wrong = stars.copy()
        wrong[name] += wrong["FE_H"]
        with pytest.raises(InputError, match=r"as \[X/H\] does"):
            check(wrong)
    stars["Lz"] *= -1
    with pytest.raises(InputError, match="are retrograde"):
        check(stars)


@pytest.mark.parametrize(
    ("factor", "dec", "said"), [(np.pi / 180, np.pi / 180, "as radians do"), (1 / 15, 1, "as hours do")]
)
def test_other_units_of_the_sky_are_found_by_its_extent(factor, dec, said):
    table = sample()
    table["RA"] *= factor
    table["DEC"] *= dec
    with pytest.raises(InputError, match=said):
        check(table)


def test_a_small_field_is_no_sky_in_radians():
    table = sample()
    table["RA"], table["DEC"] = 2 + table["RA"] / 300, table["DEC"] / 90
    check(table)


def test_positions_off_the_sphere_are_named_by_value():
    table = sample()
    table["DEC"][7] = 95.0
    with pytest.raises(InputError, match="1 values of dec lie outside -90 to 90 deg, first 95"):
        check(table)


@pytest.mark.parametrize(
    ("names", "factor", "said"),
    [
        (("x", "y", "z_gal"), 1e3, "median radius of x, y, z would be"),
        (("v_x", "v_y", "v_z"), 1e3, "median speed of v_x, v_y, v_z would be"),
        (("x", "v_x"), -1, "are retrograde; the Sun is at x < 0"),
    ],
)
def test_phase_space_in_other_units_or_hands_is_found(names, factor, said):
    table = phase_space()
    for name in names:
        table[name] *= factor
    with pytest.raises(InputError, match=said):
        check(table)


def test_few_stars_are_not_judged_but_by_their_distance():
    table = sample(8)
    table["Lz"] /= 1e3
    check(table)
    table["distance"] *= 1e3
    with pytest.raises(InputError, match="median distance"):
        check(table)


def test_a_mapping_lists_what_is_unusual(tmp_path):
    n = 60
    Table({"id": np.arange(n), "E": np.full(n, -1.2e5), "L": np.linspace(-2500, -1500, n)}).write(tmp_path / "t.fits")
    text = '[columns]\nid = "id"\nE = "E"\nLz = "L"\n'
    (tmp_path / "m.toml").write_text(f"version = 2\n{text}")
    with pytest.raises(InputError, match=r"60 of 60 stars .* are retrograde"):
        read_mapped(tmp_path / "t.fits", tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text(f'version = 2\n[catalogue]\nunusual = ["Lz"]\n{text}')
    assert len(read_mapped(tmp_path / "t.fits", tmp_path / "m.toml").table) == n
