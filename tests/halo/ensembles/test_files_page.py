"""docs/files.md describes every data set of fits, summaries and batches, and its example runs on real ones."""

import re
from pathlib import Path

import numpy as np
import pytest

from halonmf import halo
from halonmf.halo.ensembles.archive import archive
from halonmf.halo.ensembles.plan import Plan
from halonmf.halo.ensembles.runner import ensemble
from halonmf.halo.ensembles.sweeps import parse_sweep
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted

xarray = pytest.importorskip("xarray", reason="xarray is not installed (extra xarray)")
pytest.importorskip("h5netcdf", reason="h5netcdf is not installed (extra xarray)")

PAGE = (Path(__file__).parents[3] / "docs" / "files.md").read_text()
HDF5 = PAGE[PAGE.index("## HDF5") :]
OF_VARIABLES = {
    "fraction": "fraction_E", "crossing": "crossing_E", "percentile": "percentile_FE_H", "deviation": "deviation_...",
    "track": "track_AL_FE_against_FE_H", "n": "n_stars_E", "bin": "bin_E_bounds", "over": "over_mass_fraction",
    "column": "bin_E_bounds", "pixel": "bin_E_bounds",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fit, and an ensemble of two configurations with its summary."""
    folder = tmp_path_factory.mktemp("files")
    table, _ = planted(2000)
    table["APOGEE_ID"] = [f"2M{i:05d}" for i in range(len(table))]
    table["r_sph"] = np.random.default_rng(1).uniform(2, 14, len(table))
    stars = write_catalogue(folder / "stars.fits", table, CutFlow(len(table)), {})
    halo.save(folder / "fit.h5", halo.fit(stars, SMALL))
    ensemble(stars, folder / "runs", Plan(Setup(SMALL), (parse_sweep("seed=1,2"),), 4, keep_factors=True))
    archive(folder / "runs")
    return folder


def names_of(section):
    """What stands in backticks in the first column of the tables of a section."""
    text = HDF5[HDF5.index(f"### {section}") :].partition("\n### ")[0]
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row[1] + row[3])}, text


def test_the_example_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (block,) = re.findall(r"```python\n(.*?)```", HDF5, re.DOTALL)
    found = {}
    exec(compile(block, "files.md", "exec"), found)
    assert dict(found["image"].sizes) == {"component": 2, "pixel_y": 20, "pixel_x": 20}
    assert found["near"].dims == ("configuration", "statistic")
    assert found["crossing"].dims == ("configuration",)
    assert found["spread"] > 0
    for name in ("fit", "runs", "batch"):
        found[name].close()


def test_every_data_set_of_a_fit_is_described(folder):
    described, _ = names_of("A fit")
    with xarray.open_dataset(folder / "fit.h5", engine="h5netcdf") as fit:
        assert {*fit.variables} - {"Lz_lower", "Lz_upper", "Lz_centre"} == described - {"weights", "AL_FE:FE_H"}


def test_every_data_set_of_a_summary_is_described(folder):
    described, text = names_of("The summary of an ensemble")
    with xarray.open_dataset(folder / "runs" / "summary.h5", engine="h5netcdf") as summary:
        for name in summary.variables:
            if name in summary.sizes:
                assert re.search(rf"\b{name.partition('_')[0]}", text), name
            elif name not in described and name != "seed":  # which is what this ensemble varies
                assert OF_VARIABLES[name.partition("_")[0]] in described, name


def test_every_kind_of_data_set_of_a_batch_is_described(folder):
    _, summary = names_of("The summary of an ensemble")
    _, text = names_of("A batch of an ensemble")
    with xarray.open_dataset(
        folder / "runs" / "batches" / "000000.h5", engine="h5netcdf", group="configuration_000000"
    ) as batch:
        for name in batch.data_vars:
            name = name.removeprefix("base_")
            found = re.sub(r"^crossing_\w+_number$", "crossing_E_number", name)
            known = f"`{found}`" in text or f"`{found}`" in summary or name.partition("_")[0] in OF_VARIABLES
            assert known or name.startswith("sample_n_stars_"), name
