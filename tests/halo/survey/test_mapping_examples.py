"""The complete examples of docs/catalogue-mapping.md, run on files written here."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from typer.testing import CliRunner

from halonmf.cli import app
from halonmf.halo.errors import InputError
from halonmf.halo.stars.catalogue import read_catalogue, write_catalogue
from halonmf.halo.stars.cutflow import CutFlow
from halonmf.halo.stars.variables import values
from halonmf.halo.survey.parsing import read_mapping
from halonmf.halo.survey.prepare import prepare_mapped

PAGE = Path(__file__).parents[3] / "docs" / "catalogue-mapping.md"
EXAMPLES = {
    re.match(r"# (\w+)\.toml", text)[1]: text for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
}
N = 60


def example(tmp_path, name):
    path = tmp_path / f"{name}.toml"
    path.write_text(EXAMPLES[name])
    return path


def giants(seed=0):
    """What a survey measures of stars, in the units of the conventions."""
    rng = np.random.default_rng(seed)
    iron = rng.normal(-0.6, 0.4, N)
    return {
        "ra": rng.uniform(0, 360, N), "dec": rng.uniform(-80, 80, N), "distance": rng.uniform(1, 6, N),
        "pmra": rng.normal(-1, 3, N), "pmdec": rng.normal(-3, 3, N), "rv": rng.normal(0, 60, N),
        "logg": rng.uniform(1, 2.9, N), "fe_h": iron, "mg_fe": 0.3 - 0.2 * iron**2, "al_fe": rng.normal(0, 0.1, N),
    }  # fmt: skip


def run(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments), "-q"])
    assert done.exit_code == 0, done.output
    return done.output


def removed(flow):
    return dict(zip(flow.names, flow.removed, strict=True))


def test_the_page_has_at_least_five_complete_examples_of_version_2(tmp_path):
    assert len(EXAMPLES) >= 5
    for name, text in EXAMPLES.items():
        assert "version = 2" in text
        read_mapping(example(tmp_path, name))


def test_no_example_uses_the_flag_of_iron_that_its_survey_advises_against():
    assert "flag_fe_h" not in EXAMPLES["joined"] + EXAMPLES["survey"]


def test_a_survey_in_one_file(tmp_path):
    star = giants()
    table = Table({name: star[name] for name in ("ra", "dec", "pmra", "pmdec", "logg", "fe_h", "mg_fe", "al_fe")})
    table["star_id"], table["gaia_source_id"] = np.arange(N), np.arange(N) + 2**60
    table["d_med"], table["radial_velocity"] = 1000 * star["distance"], star["rv"]
    table["d_lo"], table["d_hi"] = 0.9 * table["d_med"], 1.2 * table["d_med"]
    table["pmra_error"] = table["pmdec_error"] = np.full(N, 0.02)
    table["pmra_pmdec_corr"], table["e_radial_velocity"], table["teff"] = 0.3, 0.5, 4500.0
    table["snr"], table["flag_sp"] = np.where(np.arange(N) < 3, 20, 80), np.where(np.arange(N) == 3, 1, 0)
    for name in ("fe_h", "al_fe", "mg_fe"):
        table[f"e_{name}"], table[f"flag_{name}"] = 0.05, 0
    table["flag_al_fe"][4] = 2
    texts = [str(x) for x in table["mg_fe"]]
    texts[5], table["radial_velocity"][6] = "null", -999
    table["mg_fe"] = texts
    table.write(tmp_path / "survey.csv")
    run("prepare", tmp_path / "survey.csv", "--columns", example(tmp_path, "survey"), "-o", tmp_path / "stars.fits")
    made = read_catalogue(tmp_path / "stars.fits")
    assert list(made.table["APOGEE_ID"]) == [str(i) for i in range(7, N)]
    taken = {name: n for name, n in removed(made.cutflow).items() if n}
    assert taken == {
        "quality: snr > 30": 3, "quality: flag_sp == 0": 1, "AL_FE_FLAG = 0": 1, "MG_FE_ERR < 0.2": 1,
        "6-d phase space": 1,
    }  # fmt: skip
    np.testing.assert_allclose(values(made.table, "distance"), star["distance"][7:], rtol=1e-6)
    np.testing.assert_allclose(values(made.table, "distance_error"), 0.15 * star["distance"][7:], rtol=1e-6)
    assert (values(made.table, "pmra_pmdec_corr") == 0.3).all()


def test_two_files_joined_by_id(tmp_path):
    star, order = giants(), np.random.default_rng(1).permutation(N)
    table = Table({name: star[name] for name in ("ra", "dec", "logg", "fe_h", "mg_fe", "al_fe")})
    table["sobject_id"], table["gaiadr3_source_id"] = np.arange(N) + 10**14, np.arange(N)
    table["rv_comp_1"], table["flag_sp"], table["snr_px_ccd3"] = star["rv"], 0, 60.0
    for name in ("fe_h", "al_fe", "mg_fe"):
        table[f"e_{name}"], table[f"flag_{name}"] = np.full(N, 0.05), 0
    table["flag_fe_h"] = 1  # not asked
    table.write(tmp_path / "allstar.fits")
    gaia = Table({"star": order + 10**14, "ruwe": np.ones(N)})
    gaia["pmra"], gaia["pmdec"] = star["pmra"][order], star["pmdec"][order]
    gaia["r_med"] = 1000 * star["distance"][order]
    gaia["r_lo"], gaia["r_hi"] = 0.9 * gaia["r_med"], 1.1 * gaia["r_med"]
    gaia.add_row({**dict(gaia[0]), "ruwe": 5.0, "pmra": 99.0})  # a second row of the first star, a worse one
    gaia.write(tmp_path / "gaia.fits")
    mapping = example(tmp_path, "joined")
    run("prepare", tmp_path / "allstar.fits", tmp_path / "gaia.fits", "--columns", mapping, "-o", tmp_path / "s.fits")
    made = read_catalogue(tmp_path / "s.fits")
    assert len(made) == N
    np.testing.assert_allclose(values(made.table, "pmra"), star["pmra"])
    np.testing.assert_allclose(values(made.table, "distance_error"), 0.1 * star["distance"])
    assert [entry["name"] for entry in made.provenance["inputs"]] == ["allstar.fits", "gaia.fits", "joined.toml"]


def test_abundances_over_hydrogen_in_the_second_extension_of_a_gzip_file(tmp_path):
    star = giants()
    table = Table({name: np.float32(star[name]) for name in ("ra", "dec", "pmra", "logg", "fe_h")})
    table["sdss_id"], table["gaia_dr3_source_id"] = np.arange(N), np.arange(N)
    table["pmde"], table["r_med"] = np.float32(star["pmdec"]), np.float32(1000 * star["distance"])
    table["v_rad"] = MaskedColumn(np.float32(star["rv"]), unit="m / s")  # wrong in the header
    table["mg_h"] = np.float32(star["mg_fe"] + star["fe_h"])
    table["al_h"] = np.float32(star["al_fe"] + star["fe_h"])
    for name in ("fe_h", "mg_h", "al_h"):
        table[f"e_{name}"], table[f"{name}_flags"] = np.float32(0.03), 0
    table["snr"], table["spectrum_flags"], table["telescope"] = np.float32(80), 0, "apo25m"
    table["sdss_id"][0] = -1
    table["sdss_id"][2], table["snr"][2] = table["sdss_id"][1], 50
    table["spectrum_flags"][3], table["spectrum_flags"][4] = 1 << 3, 1 << 4
    table["telescope"][5] = "lco25m"
    table["mg_h_flags"][6], table["al_h_flags"][7], table["fe_h_flags"][8] = 1 << 8, 1 << 6, 128
    table["mg_h"][9] = np.nan  # its bits read 0, which looks good
    hdus = [fits.table_to_hdu(table[:0]), fits.table_to_hdu(table)]
    hdus[0].name, hdus[1].name = "BOSS", "APOGEE"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "all.fits")
    (tmp_path / "all.fits.gz").write_bytes(gzip.compress((tmp_path / "all.fits").read_bytes()))
    mapping = example(tmp_path, "over_hydrogen")
    run("prepare", tmp_path / "all.fits.gz", "--columns", mapping, "-o", tmp_path / "stars.fits")
    made = read_catalogue(tmp_path / "stars.fits")
    assert [int(i) for i in made.table["APOGEE_ID"]] == [1, 4, 7, *range(10, N)]
    assert {name: n for name, n in removed(made.cutflow).items() if n} == {
        "require: sdss_id > 0": 1, "best snr of each id": 1,
        "quality: no bit persistent, 9 in spectrum_flags": 1, "quality: telescope == 'apo25m'": 1,
        "FE_H_FLAG = 0": 1, "MG_FE_FLAG = 0": 1, "MG_FE_ERR < 0.2": 1,
    }  # fmt: skip
    np.testing.assert_allclose(values(made.table, "MG_FE")[3:], star["mg_fe"][10:], atol=1e-6)
    np.testing.assert_allclose(values(made.table, "MG_FE_ERR"), 0.03 * np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(values(made.table, "radial_velocity")[3:], star["rv"][10:], rtol=1e-6)


def test_clusters_without_abundances(tmp_path):
    star = giants()
    table = Table({name: star[name] for name in ("ra", "dec", "distance", "pmra", "pmdec")})
    table["name"], table["vlos"], table["distance_error"] = [f"NGC {i}" for i in range(N)], star["rv"], 0.1
    table["pmra_error"] = table["pmdec_error"] = np.full(N, 0.02)
    table["distance"][0] = 80.0
    table.write(tmp_path / "clusters.csv")
    arguments = ("--max-distance", 300, "--clusters", "ignore", "-o", tmp_path / "clusters.fits")
    run("prepare", tmp_path / "clusters.csv", "--columns", example(tmp_path, "clusters"), *arguments)
    made = read_catalogue(tmp_path / "clusters.fits").table
    assert np.isfinite(values(made, "E")).all()
    assert np.isfinite(values(made, "Lz")).all()
    assert len(made) >= N - 1  # the one at 80 kpc may be unbound


def orbits():
    rng = np.random.default_rng(2)
    iron = rng.normal(-0.8, 0.4, N)
    table = Table({"name": [f"s{i}" for i in range(N)], "feh": iron, "mgfe": 0.2 + 0 * iron, "alfe": 0 * iron})
    table["Energy"] = MaskedColumn(rng.uniform(-1.9, -1.0, N), unit="km-2 s-2")
    table["L_Z"] = MaskedColumn(rng.uniform(-2, 1, N), unit="km")
    table["ecc"] = rng.uniform(0, 1, N)
    return table


def test_orbits_of_another_hand_in_wrong_units(tmp_path):
    table = orbits()
    table.write(tmp_path / "orbits.fits")
    mapping = example(tmp_path, "orbits")
    run("prepare", tmp_path / "orbits.fits", "--columns", mapping, "-o", tmp_path / "stars.fits")
    made = read_catalogue(tmp_path / "stars.fits")
    np.testing.assert_allclose(values(made.table, "E"), 1e5 * np.asarray(table["Energy"]))
    np.testing.assert_allclose(values(made.table, "Lz"), -1e3 * np.asarray(table["L_Z"]))
    said = made.provenance["orbits"]
    assert (said["potential"], said["zero_point"]) == ("McMillan (2017)", "Phi(infinity) = 0")
    mapping.write_text(EXAMPLES["orbits"].replace(", overrule = true", ""))
    with pytest.raises(InputError, match="overrule = true where the file is wrong"):
        prepare_mapped(tmp_path / "orbits.fits", mapping)


@pytest.mark.slow
def test_bins_in_the_energy_alone_need_nothing_else(tmp_path):
    table = orbits()
    table["mgfe"], table["alfe"] = np.random.default_rng(3).normal(0, 0.1, (2, N))
    table.write(tmp_path / "orbits.fits")
    mapping = tmp_path / "m.toml"
    text = "\n".join(line for line in EXAMPLES["orbits"].splitlines() if not line.startswith(("Lz", "e =")))
    mapping.write_text(text)
    run("prepare", tmp_path / "orbits.fits", "--columns", mapping, "-o", tmp_path / "stars.fits")
    assert "Lz" not in read_catalogue(tmp_path / "stars.fits").table.colnames
    fit, stars = tmp_path / "fit.h5", tmp_path / "stars.fits"
    for arguments in (
        ("fit", stars, "--selection", "all", "--bins", "E:4", "-o", fit),
        ("apply", fit, stars, "--by", "E:4", "-o", tmp_path / "profile.ecsv"),
    ):
        done = CliRunner().invoke(app, [*map(str, arguments), "-q"])
        assert done.exit_code in (0, 4), done.output  # 4: few stars, so the fit is not to be trusted
    assert len(Table.read(tmp_path / "profile.ecsv")) == 4


def test_an_edited_catalogue_is_sent_to_a_mapping_and_read_through_one(tmp_path):
    star = giants()
    table = Table({"APOGEE_ID": [f"s{i}" for i in range(N)], "SOURCE_ID": np.arange(N)})
    rng = np.random.default_rng(4)
    table["E"], table["Lz"] = rng.uniform(-1.9e5, -1e5, N), rng.uniform(-500, 2000, N)
    for name, low, high in (("ecc", 0, 1), ("J_r", 10, 300), ("J_z", 10, 300), ("r_peri", 1, 5), ("r_apo", 5, 15),
                            ("z_max", 0.1, 5), ("r_sph", 5, 12), ("R_cyl", 5, 12)):  # fmt: skip
        table[name] = rng.uniform(low, high, N)
    for name in ("fe_h", "al_fe", "mg_fe"):
        table[name.upper()], table[f"{name.upper()}_ERR"] = star[name], 0.05
    path = write_catalogue(tmp_path / "stars.fits", table, CutFlow(N), {})
    for how, said in ((rewritten, "not a prepared catalogue"), (poked, "checksum mismatch in STARS")):
        edited = how(path, tmp_path)
        done = CliRunner().invoke(app, ["fit", str(edited), "-o", str(tmp_path / "fit.h5")])
        assert done.exit_code == 3
        assert said in done.output
        assert "--columns" in " ".join(done.output.split())
        made = prepare_mapped(edited, example(tmp_path, "edited"))
        assert len(made) == N
        np.testing.assert_allclose(values(made.table, "r"), table["r_sph"])
        assert values(made.table, "E")[0] == -1.234e5


def rewritten(path, tmp_path):
    """The catalogue as another program writes its table."""
    table = Table.read(path, hdu="STARS")
    table["E"][0] = -1.234e5
    table.write(tmp_path / "rewritten.fits")
    return tmp_path / "rewritten.fits"


def poked(path, tmp_path):
    """The catalogue with one number changed in its place."""
    out = tmp_path / "poked.fits"
    out.write_bytes(path.read_bytes())
    with fits.open(out, mode="update", checksum=False) as hdus:
        hdus["STARS"].data["E"][0] = -1.234e5
    return out
