"""The commands on files: what they write, print and exit with."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
from astropy.table import QTable

import halonmf.halo as halo
from halonmf.halo.errors import InputError
from halonmf.halo.fits.store import save_fit
from halonmf.halo.products.boundary import CROSSES, EMPTY, NEVER, REVERSED, TWICE

from .test_help import ok, run

ROOT = pathlib.Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared" / "data"
ALLSTAR, ASTRONN = DATA / "allStarLite-dr17-halo-giants.fits", DATA / "apogee_astroNN-dr17-halo-giants.fits"
GOLDEN = ROOT / "tests" / "halo" / "golden" / "fit-layout-1.h5"
real = pytest.mark.skipif(not ALLSTAR.exists(), reason="the real sample ../shared/data is not here")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small mock, prepared and fitted once."""
    folder = tmp_path_factory.mktemp("small")
    ok("mock", folder / "mock", "--stars", 6000, "--seed", 3, "--quiet")
    files = {
        name: next((folder / "mock").glob(pattern))
        for name, pattern in (("allstar", "allStar*"), ("astronn", "apogee_astroNN*"))
    }
    ok("prepare", files["allstar"], files["astronn"], "-o", folder / "stars.fits", "--quiet")
    ok("fit", folder / "stars.fits", "-o", folder / "fit.h5", "--bins", "E:5,Lz:4", "--pixels", 20, "--device", "cpu")
    return folder, files


@real
@pytest.mark.parametrize("pixels", [15, 20, 30])
def test_real_stars_cross_where_the_paper_says(tmp_path, pixels):
    ok("prepare", ALLSTAR, ASTRONN, "-o", tmp_path / "stars.fits", "-q")
    ok(
        "fit",
        tmp_path / "stars.fits",
        "-o",
        tmp_path / "fit.h5",
        "--selection",
        "retrograde",
        "--bins",
        "E:5,Lz:5",
        "--pixels",
        pixels,
    )
    said = ok(
        "apply",
        tmp_path / "fit.h5",
        tmp_path / "stars.fits",
        "--by",
        "E:9:-2.1e5:-1.2e5",
        "-o",
        tmp_path / "profile.ecsv",
    )
    (half,) = halo.load(tmp_path / "profile.ecsv").meta["crossings"]["HE=0.5"]
    assert -1.72e5 < half < -1.62e5
    assert f"50 % at {half / 1e5:.3f}e5 km2/s2" in said


@real
def test_prepare_prints_and_saves_a_cut_flow_that_adds_up(tmp_path):
    said = ok("prepare", ALLSTAR, ASTRONN, "-o", tmp_path / "stars.fits", "-q")
    catalogue = halo.load(tmp_path / "stars.fits")
    assert catalogue.cutflow.total == 1202
    assert catalogue.cutflow.total - sum(catalogue.cutflow.removed) == len(catalogue) == 1198
    assert "AL_FE_FLAG = 0" in said
    assert "1,198 stars" in said


def test_fit_writes_what_load_reads(small):
    folder, _ = small
    fit = halo.load(folder / "fit.h5")
    assert fit.W.shape == (20, 2)
    assert fit.H.shape == (2, 800)
    np.testing.assert_allclose(fit.H.sum(axis=1), 1)
    assert fit.names == ("LE", "HE")
    assert fit.mean_energy[0] < fit.mean_energy[1]
    record = fit.provenance
    assert record["settings"]["fit"]["components"] == 2
    assert record["inputs"][0]["name"] == "stars.fits"
    assert len(record["inputs"][0]["sha256"]) == 64
    assert record["device"] == "cpu"
    assert "torch" in record["libraries"]


def test_apply_profile_has_the_documented_columns(small, tmp_path):
    folder, _ = small
    ok("apply", folder / "fit.h5", folder / "stars.fits", "--by", "r:6:2:14", "-o", tmp_path / "p.ecsv")
    table = halo.load(tmp_path / "p.ecsv")
    assert {"lower", "upper", "centre", "n_stars", "fraction_LE", "fraction_HE"} <= set(table.colnames)
    assert str(table["lower"].unit) == "kpc"
    total = table["fraction_LE"] + table["fraction_HE"]
    np.testing.assert_allclose(total[np.isfinite(total)], 1)
    assert "provenance" in table.meta


@pytest.mark.parametrize(("command", "name"), [("apply", "p.txt"), ("boundary", "b.h5"), ("prepare", "stars.h5")])
def test_outputs_whose_kind_could_not_be_told_are_refused(small, tmp_path, command, name):
    folder, files = small
    inputs = files.values() if command == "prepare" else (folder / "fit.h5", folder / "stars.fits")
    result = run(command, *inputs, "-o", tmp_path / name)
    assert result.exit_code == 2
    assert "the name must end in" in result.output
    assert list(tmp_path.iterdir()) == []


def test_apply_with_two_variables_makes_a_map(small, tmp_path):
    folder, _ = small
    ok(
        "apply",
        folder / "fit.h5",
        folder / "stars.fits",
        "--by",
        "Lz:4:-2000:2000,E:5:-3e5:-1e5",
        "-o",
        tmp_path / "m.ecsv",
    )
    table = halo.load(tmp_path / "m.ecsv")
    assert len(table) == 20
    assert {"lower_Lz", "upper_E", "n_stars"} <= set(table.colnames)


def test_boundary_reports_every_column(small, tmp_path):
    folder, _ = small
    said = ok("boundary", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "b.ecsv")
    table = halo.load(tmp_path / "b.ecsv")
    assert len(table) == 10
    found = np.isfinite(table["E"].value)
    assert set(table["status"][found]) <= {CROSSES, TWICE}
    assert set(table["status"][~found]) <= {NEVER, REVERSED, EMPTY}
    assert 0 < found.sum() < 10
    assert f"boundary in {found.sum()} of 10 columns" in said
    assert "inferred" in table.meta["BK23_note"]
    assert table.meta["offset"]["lower"] < table.meta["offset"]["value"] < table.meta["offset"]["upper"]
    assert "at 68 %" in said


def test_stars_are_classified_by_a_boundary(small, tmp_path):
    folder, _ = small
    ok("boundary", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "b.ecsv", "--bootstrap", "20")
    said = ok("classify", folder / "stars.fits", "--boundary", tmp_path / "b.ecsv", "-o", tmp_path / "c.ecsv")
    table = halo.load(tmp_path / "c.ecsv")
    stars = halo.load(folder / "stars.fits").table
    assert len(table) == len(stars)
    assert set(table.colnames) == {*stars.colnames, "P_accreted", "accreted", "in_range"}
    assert f"{int(np.sum(table['accreted'])):,} of {len(stars):,} above the boundary" in said
    assert table.meta["convention"]["potential"] == "McMillan (2017)"


def test_a_table_without_positions_or_energies_is_refused(small, tmp_path):
    folder, _ = small
    ok("boundary", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "b.ecsv", "--bootstrap", "0")
    (tmp_path / "t.csv").write_text("name,mass\na,1\n")
    result = run("classify", tmp_path / "t.csv", "--boundary", tmp_path / "b.ecsv", "-o", tmp_path / "c.ecsv")
    assert result.exit_code == 3
    assert "needs E, Lz; or ra, dec, distance" in result.output
    assert not (tmp_path / "c.ecsv").exists()


def test_plot_leaves_png_and_pdf(small, tmp_path):
    folder, _ = small
    ok("plot", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "figures")
    for name in ("components", "fractions", "sample", "chemistry"):
        assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert "stars" in (tmp_path / "figures" / f"{name}.txt").read_text()


def test_apply_prints_the_crossings_that_it_saves(small, tmp_path):
    folder, _ = small
    said = ok("apply", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "p.ecsv", "--min-stars", 10**6)
    assert halo.load(tmp_path / "p.ecsv").meta["crossings"]["HE=0.5"] == []
    assert "no crossings sought" in said


def test_mock_never_replaces_files_that_are_not_a_mocks(tmp_path):
    ok("mock", tmp_path, "--stars", 500, "-q")
    (tmp_path / "members").mkdir(exist_ok=True)
    (tmp_path / "members" / "notes.txt").write_text("mine")
    ok("mock", tmp_path, "--stars", 500, "-q", "--overwrite")
    assert (tmp_path / "members" / "notes.txt").read_text() == "mine"
    next(tmp_path.glob("allStar*")).write_text("the real survey")
    result = run("mock", tmp_path, "--stars", 500, "-q", "--overwrite")
    assert result.exit_code == 5
    assert next(tmp_path.glob("allStar*")).read_text() == "the real survey"


def test_one_component_is_drawn_without_a_boundary(small, tmp_path):
    folder, _ = small
    ok("fit", folder / "stars.fits", "-o", tmp_path / "one.h5", "-k", 1, "--bins", "E:5", "--pixels", 10)
    ok("plot", tmp_path / "one.h5", folder / "stars.fits", "-o", tmp_path / "figures")
    assert (tmp_path / "figures" / "components.png").stat().st_size > 0


def test_the_readmes_python_runs(small, monkeypatch, capsys):
    folder, _ = small
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert "('LE', 'HE')" in said
    assert "Crossing" in said


def test_info_says_what_each_file_is(small, tmp_path):
    folder, _ = small
    assert "prepared catalogue" in ok("info", folder / "stars.fits")
    assert "20 bins x 800 pixels" in ok("info", folder / "fit.h5")
    ok("apply", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "p.ecsv")
    assert "HE=0.5 crossed at -1." in ok("info", tmp_path / "p.ecsv")


def test_the_same_fit_twice_is_the_same(small, tmp_path):
    folder, _ = small
    ok("fit", folder / "stars.fits", "-o", tmp_path / "again.h5", "--bins", "E:5,Lz:4", "--pixels", 20)
    np.testing.assert_array_equal(halo.load(tmp_path / "again.h5").H, halo.load(folder / "fit.h5").H)


def test_config_sets_defaults_and_flags_win(small, tmp_path):
    folder, _ = small
    (tmp_path / "c.toml").write_text('[fit]\npixels = 10\nbins = "E:4"\nrange = ["FE_H:-2:0.5"]\nalpha-W = 0.0\n')
    ok("fit", folder / "stars.fits", "-o", tmp_path / "a.h5", "--config", tmp_path / "c.toml")
    a = halo.load(tmp_path / "a.h5").settings
    assert (a.chemistry.pixels, len(a.axes), a.chemistry.limits["FE_H"]) == (10, 1, (-2.0, 0.5))
    ok("fit", folder / "stars.fits", "-o", tmp_path / "b.h5", "--config", tmp_path / "c.toml", "--pixels", 12)
    assert halo.load(tmp_path / "b.h5").settings.chemistry.pixels == 12


def test_config_with_unknown_settings_is_refused(small, tmp_path):
    folder, _ = small
    (tmp_path / "c.toml").write_text("[fit]\npixel = 10\n")
    result = run("fit", folder / "stars.fits", "--config", tmp_path / "c.toml")
    assert result.exit_code == 2
    assert "pixel" in result.output
    assert "known" in result.output


BAD_CONFIG = [
    ("fit = 3\n", "fit must be a table, such as [fit]"),
    ("pixels = 3\n", "unknown table or setting 'pixels'"),
    ("[fitt]\npixels = 10\n", "unknown table or setting 'fitt'; known tables: apply, aurora, bench"),
    ("[apply]\nby = 'r:3'\n[boundry]\n", "unknown table or setting 'boundry'"),
    ("[fit]\ncut = [3]\n", "cut must be a text or a list of texts"),
    ("[fit]\nbins = ['E:3']\n", "bins must be one value"),
    ("[fit]\npixels = true\n", "pixels must be a value other than true or false"),
    ("[fit]\noverwrite = 'no'\n", "overwrite must be either true or false"),
    ("[fit]\nalpha-W = 0.0\nalpha_W = 1.0\n", "a setting twice"),
    ("[fit]\nconfig = 'other.toml'\n", "unknown settings config"),
    ("[fit]\npixels = 'many'\n", "--pixels"),
    ("[fit\n", "is no TOML"),
    ("x = \udcff\n", "is no TOML"),
]


@pytest.mark.parametrize(("text", "words"), BAD_CONFIG, ids=[repr(text) for text, _ in BAD_CONFIG])
def test_a_config_that_cannot_be_meant_exits_2_and_says_why(small, tmp_path, text, words):
    folder, _ = small
    (tmp_path / "c.toml").write_bytes(text.encode(errors="surrogateescape"))
    result = run("fit", folder / "stars.fits", "-o", tmp_path / "f.h5", "--config", tmp_path / "c.toml")
    assert result.exit_code == 2, result.output
    assert words in re.sub(r"\s+", " ", result.output)
    assert not (tmp_path / "f.h5").exists()


def test_a_config_may_hold_other_commands_tables_and_one_text_for_a_list(small, tmp_path):
    folder, _ = small
    (tmp_path / "c.toml").write_text('[fit]\ncut = "LOGG<2"\nbins = "E:3"\npixels = 5\n[apply]\nby = "r:3:2:14"\n')
    ok("fit", folder / "stars.fits", "-o", tmp_path / "f.h5", "--config", tmp_path / "c.toml")
    assert halo.load(tmp_path / "f.h5").settings.selection.cuts == ("LOGG<2",)
    options = ("--config", tmp_path / "c.toml", "-o", tmp_path / "p.ecsv")
    ok("apply", tmp_path / "f.h5", folder / "stars.fits", *options)
    assert len(halo.load(tmp_path / "p.ecsv")) == 3


def test_other_planes_ranges_cuts_and_components(small, tmp_path):
    folder, _ = small
    ok(
        "fit",
        folder / "stars.fits",
        "-o",
        tmp_path / "f.h5",
        "--plane",
        "AL_FE:MG_FE",
        "--range",
        "AL_FE:-0.5:0.5",
        "--cut",
        "LOGG<2.5",
        "--cut",
        "E>-2.5e5",
        "-k",
        3,
        "--loss",
        "kullback-leibler",
        "--bins",
        "r:6",
        "--pixels",
        12,
    )
    fit = halo.load(tmp_path / "f.h5")
    assert fit.names == ("C1", "C2", "C3")
    assert fit.H.shape == (3, 144)
    assert fit.cutflow.names[-2:] == ("LOGG<2.5", "E>-2.5e5")


def test_a_fit_that_did_not_converge_is_kept_and_exits_4(small, tmp_path):
    folder, _ = small
    result = run("fit", folder / "stars.fits", "-o", tmp_path / "f.h5", "--max-iter", 1, "--bins", "E:5")
    assert result.exit_code == 4
    assert "raise max_iter" in result.output
    assert "MAX_ITER" in result.output
    found = halo.load(tmp_path / "f.h5")
    assert (found.status, found.converged) == ("MAX_ITER", False)


@pytest.fixture(scope="module")
def hasty(small, tmp_path_factory):
    """A fit that was stopped too early, with a rule that then needs more iterations for its bins, too."""
    folder, _ = small
    path = tmp_path_factory.mktemp("hasty") / "hasty.h5"
    options = ("--max-iter", 3, "--update", "mu", "--loss", "kullback-leibler", "--bins", "E:5", "--pixels", 10)
    assert run("fit", folder / "stars.fits", "-o", path, *options).exit_code == 4
    return path


@pytest.mark.parametrize("command", ["apply", "boundary"])
def test_what_follows_an_unconverged_fit_says_so_and_exits_4(small, hasty, tmp_path, command):
    folder, _ = small
    result = run(command, hasty, folder / "stars.fits", "-o", tmp_path / "p.ecsv", "--quiet")
    assert result.exit_code == 4, result.output
    meta = halo.load(tmp_path / "p.ecsv").meta
    assert (meta["fit_status"], meta["fit_kkt"]) == ("MAX_ITER", halo.load(hasty).kkt)
    assert len(meta["bins_not_converged"]) > 0
    assert "not converged: the fit (MAX_ITER, KKT residual" in result.output
    assert f"the weights of {len(meta['bins_not_converged'])} bins" in result.output
    assert "not converged: the fit (MAX_ITER" in ok("info", tmp_path / "p.ecsv")


def test_bins_that_did_not_converge_exit_4_though_the_fit_did(small, tmp_path, monkeypatch):
    folder, _ = small
    from halonmf.halo.fits import store

    load = store.load_fit
    few = load(folder / "fit.h5").settings.replace(max_iter=1, update="mu")
    monkeypatch.setattr(store, "load_fit", lambda path: dataclasses.replace(load(path), settings=few))
    result = run("apply", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "p.ecsv")
    assert result.exit_code == 4
    assert re.search(r"not converged: the weights of \d+ bins", result.output)
    assert "the fit (" not in result.output


def test_figures_and_info_of_an_unconverged_fit_say_so(small, hasty, tmp_path):
    folder, _ = small
    for stars in ([], [folder / "stars.fits"]):
        result = run("plot", hasty, *stars, "-o", tmp_path / f"figures{len(stars)}", "-q")
        assert result.exit_code == 4, result.output
        assert "MAX_ITER" in (tmp_path / f"figures{len(stars)}" / "components.txt").read_text()
    assert "did not converge (MAX_ITER)" in (tmp_path / "figures1" / "fractions.txt").read_text()
    said = ok("info", hasty)
    assert "not converged: the fit (MAX_ITER, KKT residual" in said
    assert "raise max_iter" in said


def test_info_of_a_converged_fit_has_nothing_to_warn_of(small):
    folder, _ = small
    said = ok("info", folder / "fit.h5")
    assert "CONVERGED, KKT residual" in said
    assert "not converged" not in said


def test_a_fit_of_layout_1_is_read_with_its_sentence_as_a_status(tmp_path):
    found = halo.load(GOLDEN)
    assert (found.status, found.converged, found.n_iter) == ("MAX_ITER", False, 1)
    assert found.kkt == pytest.approx(0.0276564627)
    save_fit(tmp_path / "again.h5", found)
    with h5py.File(tmp_path / "again.h5") as file:
        assert file.attrs["schema"] == 3
        assert json.loads(file.attrs["outcome"])["status"] == "MAX_ITER"


def test_an_unknown_sentence_in_layout_1_is_refused(tmp_path):
    path = tmp_path / "fit.h5"
    shutil.copy(GOLDEN, path)
    with h5py.File(path, "a") as file:
        outcome = json.loads(file.attrs["outcome"])
        file.attrs["outcome"] = json.dumps({**outcome, "status": "went for lunch"})
    with pytest.raises(InputError, match="went for lunch"):
        halo.load(path)


def test_settings_that_make_no_sense_in_a_file_are_its_damage(small, tmp_path):
    folder, _ = small
    path = tmp_path / "fit.h5"
    shutil.copy(folder / "fit.h5", path)
    with h5py.File(path, "a") as file:
        del file.attrs["sha256"]  # as in files of earlier versions
        file.attrs["settings"] = file.attrs["settings"].replace('"count": 5', '"count": 0')
    with pytest.raises(InputError, match=r"damaged or incomplete .*count must be >= 1"):
        halo.load(path)


WRONG = [
    (["--bins", "E"], 2, "VARIABLE:COUNT"),
    (["--bins", "E:8,E:8"], 2, "different variables"),
    (["--bins", "energy:8"], 2, "unknown variable 'energy'"),
    (["--plane", "AL_FE"], 2, "Y:X"),
    (["--range", "FE_H:0.5:-2"], 2, "must be finite and rise"),
    (["--range", "FE_H:-1:0", "--range", "FE_H:-2:0"], 2, "given twice"),
    (["--range", "SI_FE:-1:1"], 2, "no plane uses"),
    (["--plane", "SI_FE:FE_H"], 2, "no default histogram range"),
    (["--cut", "LOGG<"], 2, "LOGG<"),
    (["--loss", "magic"], 2, "loss must be"),
    (["--loss", "itakura-saito"], 2, "strictly positive"),
    (["--update", "magic"], 2, "update must be"),
    (["--init", "magic"], 2, "init must be"),
    (["-k", "400"], 2, "--init random"),
    (["--device", "tpu"], 2, "device must be"),
    (["--seed", "-1"], 2, "seed and first_replicate must be >= 0"),
    (["--pixels", "100000"], 2, "use fewer pixels"),
    (["--selection", "thin-disc"], 2, "selection"),
    (["--output", "fit.fits"], 2, "must end in .h5 or .hdf5"),
    (["--max-fe-h", "nan"], 2, "must be numbers"),
    (["--bins", "E:30000:-3e5:-1e5,Lz:30000:-2e3:2e3"], 2, "use fewer"),
    (["--cut", "E>0"], 3, "no stars"),
    (["--bins", "E:5000"], 3, "at least as many stars"),
    (["--output", "nowhere/fit.h5"], 5, "does not exist"),
]


@pytest.mark.parametrize(("options", "code", "words"), WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_wrong_settings_exit_with_one_helpful_line(small, tmp_path, options, code, words):
    folder, _ = small
    output = [] if "--output" in options else ["-o", tmp_path / "f.h5"]
    result = run("fit", folder / "stars.fits", *output, *options)
    assert result.exit_code == code, result.output
    assert words in result.output
    assert not (tmp_path / "f.h5").exists()
    if "Usage:" not in result.output:
        assert result.output.count("\n") == 1


def test_cuda_without_cuda_is_an_error_never_the_cpu(small, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is there")
    folder, _ = small
    result = run("fit", folder / "stars.fits", "-o", tmp_path / "f.h5", "--device", "cuda")
    assert result.exit_code == 2
    assert "sees no CUDA device" in result.output


def test_existing_output_is_refused_before_computing(small):
    folder, _ = small
    before = (folder / "fit.h5").stat().st_mtime_ns
    result = run("fit", folder / "stars.fits", "-o", folder / "fit.h5")
    assert result.exit_code == 5
    assert "exists already" in result.output
    assert (folder / "fit.h5").stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["missing", "text", "truncated", "wrong kind"])
def test_a_bad_fit_file_exits_3_in_one_line(small, tmp_path, kind):
    folder, _ = small
    path = tmp_path / "fit.h5"
    if kind == "text":
        path.write_text("<html>not found</html>")
    elif kind == "truncated":
        path.write_bytes((folder / "fit.h5").read_bytes()[:5000])
    elif kind == "wrong kind":
        with h5py.File(path, "w") as file:
            file["x"] = 1
    result = run("apply", path, folder / "stars.fits", "-o", tmp_path / "p.ecsv")
    assert result.exit_code == 3, result.output
    assert str(path) in result.output
    assert result.output.count("\n") == 1


def test_every_truncation_of_a_fit_is_noticed(small, tmp_path):
    folder, _ = small
    whole = (folder / "fit.h5").read_bytes()
    for size in np.linspace(0, len(whole) - 1, 40).astype(int):
        (tmp_path / "cut.h5").write_bytes(whole[:size])
        with pytest.raises(InputError):
            halo.load(tmp_path / "cut.h5")


@pytest.mark.parametrize("trick", ["external link", "soft link", "external storage", "virtual", "huge"])
def test_hostile_files_are_refused(small, tmp_path, trick):
    folder, _ = small
    path = tmp_path / "fit.h5"
    shutil.copy(folder / "fit.h5", path)
    with h5py.File(path, "a") as file:
        del file["bin_energy"]
        if trick == "external link":
            file["bin_energy"] = h5py.ExternalLink(folder / "fit.h5", "bin_energy")
        elif trick == "soft link":
            file["bin_energy"] = h5py.SoftLink("/mean_energy")
        elif trick == "external storage":
            file.create_dataset("bin_energy", (20,), "f8", external=[(b"/etc/hostname", 0, 160)])
        elif trick == "virtual":
            layout = h5py.VirtualLayout((20,), "f8")
            layout[:] = h5py.VirtualSource(folder / "fit.h5", "bin_energy", (20,))
            file.create_virtual_dataset("bin_energy", layout)
        else:
            file.create_dataset("bin_energy", (2**40,), "f8", chunks=(1024,))
    with pytest.raises(InputError, match="refused"):
        halo.load(path)


def test_an_older_layout_is_refused_with_the_reason(small, tmp_path):
    folder, _ = small
    path = tmp_path / "fit.h5"
    shutil.copy(folder / "fit.h5", path)
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = 0
    with pytest.raises(InputError, match="layout version 0, this software reads 1, 2"):
        halo.load(path)


def test_a_full_disk_exits_5_and_leaves_nothing_behind(small, tmp_path):
    folder, _ = small
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        f"sys.argv = ['halonmf', 'fit', {str(folder / 'stars.fits')!r}, '-o', 'fit.h5', '--bins', 'E:5'];"
        "from halonmf.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_exits_130(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from halonmf.cli import main; main()",
            "mock",
            str(tmp_path / "m"),
            "--stars",
            "200000",
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # a shell's background jobs, and so the tests among them, ignore the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    begun = process.stderr.readline()  # however long it takes to load: the first line of progress
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, begun + said
    assert "interrupted" in said


@pytest.mark.slow
def test_demo_tells_the_truth_and_leaves_every_product(tmp_path):
    said = ok("demo", tmp_path / "demo", "--stars", 30000, "--seed", 2)
    assert "true accreted fraction" in said
    for name in ("stars.fits", "fit.h5", "profile.ecsv", "map.ecsv", "boundary.ecsv", "summary.png", "summary.pdf"):
        assert (tmp_path / "demo" / name).stat().st_size > 0
    table = QTable.read(tmp_path / "demo" / "profile.ecsv")
    assert json.dumps(table.meta["provenance"]["settings"])


@pytest.mark.parametrize("command", ["fit", "apply", "boundary", "members"])
def test_an_output_without_a_suffix_takes_that_of_its_kind(small, tmp_path, command):
    folder, _ = small
    files = [folder / "stars.fits"] if command == "fit" else [folder / "fit.h5", folder / "stars.fits"]
    small_bins = ("--bins", "E:5,Lz:4", "--pixels", 20) if command == "fit" else ()
    said = ok(command, *files, "-o", tmp_path / "made", *small_bins, "--quiet")
    (written,) = (path for path in tmp_path.iterdir() if path.name.startswith("made."))
    assert written.suffix == {"fit": ".h5", "members": ".fits"}.get(command, ".ecsv")
    assert written.name in said


def test_an_output_of_another_suffix_or_a_folder_is_still_refused(small, tmp_path):
    folder, _ = small
    for name in ("made.txt", "."):
        result = run("apply", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / name)
        assert result.exit_code == 2, result.output
        assert "must end in .ecsv" in result.output
    assert list(tmp_path.iterdir()) == []
