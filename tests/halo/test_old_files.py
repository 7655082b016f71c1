"""Files that earlier states of version 0.1.0 wrote: they still open, and give the numbers they gave."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo import load, save
from halonmf.halo.commands.contents import contents
from halonmf.halo.ensembles.archive import read_record
from halonmf.halo.ensembles.run import open_run
from halonmf.halo.ensembles.summary import summarise
from halonmf.halo.errors import InputError
from halonmf.halo.fits.fit import fit

GOLDEN = Path(__file__).parent / "golden" / "version-0.1.0"


def test_an_old_catalogue_opens():
    catalogue = load(GOLDEN / "stars.fits")
    assert len(catalogue.table) == 300
    assert catalogue.cutflow.names[-1] == "chosen at random"
    assert catalogue.cutflow.passed == 300


def test_an_old_fit_opens_with_its_settings_and_is_as_good_as_a_fit_of_today():
    old = load(GOLDEN / "fit.h5")
    assert old.mass_fractions.tolist() == pytest.approx([0.5756648262747712, 0.4243351737252289], rel=1e-12)
    assert (old.settings.selection.name, old.settings.chemistry.pixels) == ("all", 5)
    assert (old.settings.solver.components, old.settings.solver.device) == (2, "auto")
    new = fit(load(GOLDEN / "stars.fits").table, old.settings)
    # Four bins leave a range of W and H with this product: which of them is found depends on the rule.
    V = old.mixtures.V
    np.testing.assert_allclose(new.W @ new.H, old.W @ old.H, atol=1e-5 * (old.W @ old.H).max())
    assert np.sum((V - new.W @ new.H) ** 2) == pytest.approx(np.sum((V - old.W @ old.H) ** 2), rel=1e-9)


def test_a_sealed_fit_without_names_of_axes_opens_is_verified_and_is_saved_with_them(tmp_path):
    old = load(GOLDEN.parent / "fit-layout-2.h5")
    assert old.verified
    assert old.mass_fractions.tolist() == pytest.approx([0.5648242157136587, 0.43517578428634124], rel=1e-12)
    save(tmp_path / "new.h5", old)
    new = load(tmp_path / "new.h5")
    for name in ("W", "H", "mean_energy", "bin_energy"):
        np.testing.assert_array_equal(getattr(new, name), getattr(old, name))
    assert (new.settings, new.provenance, new.cutflow) == (old.settings, old.provenance, old.cutflow)


def test_an_old_summary_opens_and_one_bit_of_it_is_still_noticed(tmp_path):
    path = shutil.copy(GOLDEN.parent / "summary-layout-1.h5", tmp_path / "summary.h5")
    assert [one["label"] for one in read_record(path)["setups"]] == ["pixels=4"]
    found = contents(path)
    assert found.kind == "summary"
    assert any(line.startswith("  mass fraction HE ") for line in found.lines)
    assert any("HE 50 % against E" in line for line in found.lines)
    assert "refused" not in found.describe()
    with h5py.File(path, "a") as file:
        file["0000.mass_fraction"][0, 0] += 1e-9
    with pytest.raises(InputError, match="another checksum"):
        read_record(path)


def test_an_old_summary_without_a_seal_tells_the_spread_over_its_configurations():
    said = contents(GOLDEN / "runs" / "summary.h5").describe()
    assert "over 2 configurations" in said


def test_old_tables_open():
    profile, boundary = load(GOLDEN / "profile.ecsv"), load(GOLDEN / "boundary.ecsv")
    assert profile.colnames[:4] == ["lower", "upper", "centre", "n_stars"]
    assert len(profile) == 3
    assert len(boundary) == 4


def test_components_that_an_old_table_numbered_have_their_names():
    written = (GOLDEN / "profile.ecsv").read_text(encoding="utf-8")
    assert "name: fraction_2" in written
    profile = load(GOLDEN / "profile.ecsv")
    assert profile.colnames[4:] == ["weight_LE", "fraction_LE", "weight_HE", "fraction_HE"]
    (row,) = (line for line in written.splitlines() if line.split()[:1] == [str(profile["lower"][0].value)])
    assert [float(x) for x in row.split()[4:]] == [profile[name][0] for name in profile.colnames[4:]]


SHARES = {
    "table1.vot": (
        "share", "share_lower", "share_upper", "mean_share", "mean_share_lower", "mean_share_upper"
    ),
    "four.ecsv": ("share",),
    "stability.ecsv": ("share_LE", "share_HE", "base_shares", "share_std"),
    "search.fits": ("share",),
    "separations.ecsv": ("share_LE_above", "share_LE_above_poor"),
}  # fmt: skip
"""Names of fractions that files of an earlier version have, one of each kind of table, in every format."""


@pytest.mark.parametrize("name", SHARES)
def test_what_an_old_table_calls_a_share_is_a_fraction_once_it_is_loaded(name, tmp_path):
    path = GOLDEN.parent / "named-share" / name
    table = load(path)
    entries = {*table.colnames, *table.meta, *(x for said in table.meta.get("planes", {}).values() for x in said)}
    assert {old.replace("share", "fraction") for old in SHARES[name]} <= entries
    assert not {x for x in entries if "share" in x}
    written = path.read_bytes()
    assert all(old.encode() in written for old in SHARES[name])
    assert table.colnames == _columns_of(path)
    again = load(save(tmp_path / name, table))
    assert again.colnames == table.colnames
    assert all(again[x].info.description == table[x].info.description for x in table.colnames)


def _columns_of(path):
    """The columns as the file has them, in its order, with what was a share by its new name."""
    read = {".vot": Table.read, ".fits": lambda x: Table.read(x, hdu=1), ".ecsv": Table.read}[path.suffix](path)
    return [x.replace("share", "fraction") for x in read.colnames]


def test_fractions_of_old_tables_are_the_numbers_that_they_were():
    stability = load(GOLDEN.parent / "named-share" / "stability.ecsv")
    assert stability["fraction_HE"][0] == 0.42608076350700136
    assert stability.meta["base_fractions"] == {"HE": 0.43517578428634124, "LE": 0.5648242157136587}
    assert stability.meta["fraction_std"]["start"]["HE"] == 0.0064321040547297
    four = load(GOLDEN.parent / "named-share" / "four.ecsv")
    assert four["fraction"].tolist() == [0.4897201188124506, 0.5102798811875493, 0.4959048557370521, 0.504095144262948]
    separations = load(GOLDEN.parent / "named-share" / "separations.ecsv")
    assert separations.meta["planes"]["AL_FE:FE_H"]["fraction_LE_above"] == 0.42857142857142855


def test_an_old_run_opens_is_complete_and_has_nothing_left_to_compute(tmp_path):
    from halonmf.halo.ensembles.plan import decode, encode

    folder = tmp_path / "runs"
    shutil.copytree(GOLDEN / "runs", folder)
    run = open_run(folder)
    assert run.complete
    assert len(run.setups) == 2
    assert [setup.fit.chemistry.pixels for setup in run.setups] == [4, 5]
    assert encode(decode(encode(run.plan))) == encode(run.plan)
    assert {header.schema for header in run.headers.values()} == {1}
    assert run.base(1)[1]["fit_status"] == "CONVERGED"
    found = summarise(run)
    assert found.to_xarray().pixels.values.tolist() == [4, 5]
