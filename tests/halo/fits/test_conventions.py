"""Tables say what their energies are of, and a fit takes no stars of another convention."""

import numpy as np
import pytest

from halonmf import halo
from halonmf.halo.errors import InputError
from halonmf.halo.fits.conventions import common_convention, convention_of
from halonmf.halo.orbits.convention import own, stated
from halonmf.halo.stars.variables import values

from ..helpers.planted import SMALL, observed, planted

OURS, OTHER = own().record(), own("mwpotential2014").record()


@pytest.fixture(scope="module")
def stars():
    table = observed(900)
    table["APOGEE_ID"] = [f"2M{i:016d}" for i in range(len(table))]
    return halo.recompute(table, backend="builtin")


@pytest.fixture(scope="module")
def other(stars):
    return halo.recompute(stars, potential="mwpotential2014")


@pytest.fixture(scope="module")
def found(stars):
    return halo.fit(stars, SMALL.replace(pixels=10, bins="E:3,Lz:3"))


def test_a_fit_knows_what_its_stars_energies_are_of_and_its_file_too(found, tmp_path):
    assert found.mixtures.convention == own()
    path = halo.save(tmp_path / "fit.h5", found)
    assert halo.load(path).mixtures.convention == convention_of(path) == own()


@pytest.mark.parametrize(
    "make",
    [
        lambda fit, stars: fit,
        lambda fit, stars: halo.apply(fit, stars, "Lz:4:-2000:2000,E:4:-2.5e5:-1e5"),
        lambda fit, stars: halo.profile(fit, stars, "E:4:-2.5e5:-1e5"),
        lambda fit, stars: halo.boundary(fit, stars, grid=3, min_stars=1),
        lambda fit, stars: halo.sensitivity(stars, settings=fit.settings, choices=("loss",), draws=0),
    ],
    ids=["fit", "map", "profile", "boundary", "sensitivity"],
)
def test_every_table_of_energies_states_potential_zero_point_and_sun(found, stars, make):
    said = stated(make(found, stars).table().meta)
    assert said == own()
    assert said.sun


@pytest.mark.parametrize(
    "use",
    [
        lambda fit, stars: halo.apply(fit, stars, "E:4:-2.5e5:-1e5"),
        lambda fit, stars: halo.boundary(fit, stars),
        lambda fit, stars: halo.classifier(fit, stars),
        lambda fit, stars: halo.split(fit, stars),
        lambda fit, stars: halo.memberships(fit, stars),
        lambda fit, stars: halo.eccentricities(fit, stars),
        lambda fit, stars: halo.aurora(fit, stars),
        lambda fit, stars: halo.report(fit, stars, bootstrap=0),
        lambda fit, stars: halo.compare(fit, fit, stars, replicates=0),
        lambda fit, stars: halo.compare(fit, halo.fit(stars, fit.settings), replicates=0),
        lambda fit, stars: halo.sensitivity(stars, {"b": as_ours(stars)}, fit.settings, draws=0),
    ],
    ids=[
        "apply", "boundary", "classifier", "split", "members", "eccentricity", "aurora", "report", "compare",
        "fits", "sensitivity",
    ],
)  # fmt: skip
def test_stars_of_another_convention_are_refused(found, other, use):
    with pytest.raises(InputError, match=r"measured otherwise .* recompute"):
        use(found, other)


def as_ours(stars):
    return halo.recompute(stars, backend="builtin")


def test_stars_that_say_nothing_are_taken(found):
    assert stated(planted(500)[0].meta) is None
    halo.apply(found, planted(500)[0], "E:4:-2.5e5:-1e5")


def test_the_published_line_is_for_its_own_energies_alone(stars, other):
    assert np.isfinite(values(stars.table, "dE")).all()
    with pytest.raises(InputError, match="Belokurov"):
        values(other.table, "dE")


def test_files_of_two_conventions_are_told_apart(stars, other, found, tmp_path):
    a, b, c = tmp_path / "a.fits", tmp_path / "b.fits", tmp_path / "fit.h5"
    for path, what in ((a, stars), (b, other), (c, found)):
        halo.save(path, what)
    assert common_convention([a, c]) == own()
    assert common_convention([b]) == own("mwpotential2014")
    with pytest.raises(InputError, match=r"b\.fits: E and Lz are measured otherwise than in .*fit\.h5"):
        common_convention([c, b])


def test_a_file_that_cannot_be_read_states_nothing(tmp_path):
    for name in ("a.fits", "a.h5", "a.ecsv", "a.csv", "missing.h5"):
        if not name.startswith("missing"):
            (tmp_path / name).write_text("nonsense")
        assert convention_of(tmp_path / name) is None


def test_a_mapped_catalogues_own_energies_state_what_the_mapping_names(tmp_path):
    table = planted(300)[0]
    table["name"] = [f"s{i}" for i in range(len(table))]
    table.write(tmp_path / "t.ecsv")
    text = 'id = "name"\nE = "E"\nLz = "Lz"\ne = "ecc"\n[abundances]\nFE_H = "FE_H"\nAL_FE = "AL_FE"\nMG_FE = "MG_FE"\n'
    (tmp_path / "m.toml").write_text('version = 2\n[catalogue]\npotential = "MINESweeper"\n[columns]\n' + text)
    made = halo.prepare(tmp_path / "t.ecsv", columns=tmp_path / "m.toml")
    assert made.convention.potential == stated(made.table.meta).potential == "MW2022"
    (tmp_path / "silent.toml").write_text("[columns]\n" + text)
    silent = halo.prepare(tmp_path / "t.ecsv", columns=tmp_path / "silent.toml")
    assert silent.convention is None
    assert any("does not say what E is measured from" in line for line in silent.warnings)
    settings = halo.PrepareSettings(recompute=True)
    with pytest.raises(InputError, match="nothing to compute orbits from"):
        halo.prepare(tmp_path / "t.ecsv", columns=tmp_path / "m.toml", settings=settings)


def test_prepare_computes_again_where_it_is_asked_to(stars, tmp_path):
    table = stars.table.copy()
    table.meta.clear()
    table["E"] = table["E"] + 0.3e5 * table["E"].unit
    names = ["APOGEE_ID", "E", "Lz", "x", "y", "z_gal", "v_x", "v_y", "v_z", "FE_H", "AL_FE", "MG_FE"]
    table[names].write(tmp_path / "t.ecsv")
    columns = {key: key for key in ("E", "Lz", "x", "y", "v_x", "v_y", "v_z")} | {"z": "z_gal"}
    keys = "\n".join(f'{key} = "{name}"' for key, name in columns.items())
    (tmp_path / "m.toml").write_text(
        f'version = 2\n[catalogue]\npotential = "MINESweeper"\n[columns]\nid = "APOGEE_ID"\n{keys}\n'
        '[abundances]\nFE_H = "FE_H"\nAL_FE = "AL_FE"\nMG_FE = "MG_FE"\n'
    )
    settings = halo.PrepareSettings(recompute=True, potential_backend="builtin")
    made = halo.prepare(tmp_path / "t.ecsv", columns=tmp_path / "m.toml", settings=settings)
    assert made.convention == own()
    np.testing.assert_allclose(made.table["E"].value, stars.table["E"].value, rtol=1e-9)


def test_a_truncated_catalogue_states_nothing_and_warns_of_nothing(tmp_path):
    import warnings

    from astropy.table import Table

    whole = tmp_path / "whole.fits"
    Table({"x": np.arange(10_000.0)}).write(whole)
    (tmp_path / "cut.fits").write_bytes(whole.read_bytes()[:20_000])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert convention_of(tmp_path / "cut.fits") is None
    assert caught == []
