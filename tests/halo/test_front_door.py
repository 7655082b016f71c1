"""The front door: every name is there, lazily, documented and typed, and gives what the command line gives."""

import ast
import importlib
import importlib.metadata
import inspect
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from halonmf import halo
from halonmf.cli import app
from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.fits.settings import FitChoices
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from .helpers.planted import SMALL, planted, planted_fit

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTIONS = [name for name in halo.__all__ if name[0].islower() and name != "figures"]
GRID = "Lz:4:-2000:2000,E:4:-2.5e5:-1.0e5"


def names_for_type_checkers():
    """Names, their modules and what they are called there, from the block that only type checkers read."""
    (block,) = (
        node
        for node in ast.parse((ROOT / "halo" / "__init__.py").read_text()).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    )
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname, node.module or alias.name, alias.name


# names


def test_the_names_are_those_of_the_table():
    assert halo.__all__ == list(halo._HOME)
    assert len(set(halo.__all__)) == len(halo.__all__)
    assert set(halo.__all__) <= set(dir(halo))


def test_type_checkers_see_the_same_names_from_the_same_modules():
    seen = {name: (room, own) for name, room, own in names_for_type_checkers()}
    assert seen == {name: (room, halo._OTHERWISE.get(name, name)) for name, room in halo._HOME.items()}


@pytest.mark.parametrize("name", halo.__all__)
def test_every_name_resolves_and_is_documented(name):
    found = getattr(halo, name)
    assert inspect.getdoc(found), name
    if name in FUNCTIONS:
        text = inspect.getdoc(found)
        for heading in ("Parameters", "Examples"):
            assert f"{heading}\n{'-' * len(heading)}" in text, heading
        signature = inspect.signature(found)
        assert len(signature.parameters) <= 12
        for parameter in signature.parameters.values():
            assert parameter.annotation is not parameter.empty, parameter.name
            if parameter.kind is parameter.KEYWORD_ONLY or parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                assert parameter.name in text, parameter.name


def test_an_unknown_name_is_an_error_of_that_name():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = halo.fitt


def test_the_version_is_that_which_is_installed():
    assert halo.__version__ == importlib.metadata.version("halonmf")


def test_settings_load_nothing_heavy():
    code = (
        "import sys; from halonmf import halo; halo.FitSettings.of(components=3, bins='E:5,Lz:5'); halo.RunOptions();"
        "heavy = {'torch', 'astropy', 'matplotlib', 'numpy'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_choices_that_editors_see_are_those_that_a_fit_takes():
    with pytest.raises(UsageError, match="; it has ") as caught:
        halo.FitSettings().replace(nothing=1)
    known = str(caught.value).partition("; it has ")[2].rstrip(".").split(", ")
    assert sorted(FitChoices.__annotations__) == known


# text and objects


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A folder with prepared stars and a fit of them."""
    folder = tmp_path_factory.mktemp("there")
    table, _ = planted()
    table["APOGEE_ID"] = [f"s{i}" for i in range(len(table))]
    write_catalogue(folder / "stars.fits", table, CutFlow(len(table)), {})
    halo.save(folder / "fit.h5", planted_fit())
    return folder


@pytest.fixture(params=["table", "catalogue", "path", "text"])
def stars(request, there):
    path = there / "stars.fits"
    found = {"path": path, "text": str(path)}
    return found.get(request.param) or (halo.load(path) if request.param == "catalogue" else halo.load(path).table)


def test_stars_may_be_a_table_a_catalogue_or_a_path(stars):
    made = halo.fit(stars, SMALL, pixels=12)
    assert np.array_equal(made.W, planted_fit().W)
    assert halo.select(stars, "retrograde")[0].sum() == (planted()[0]["Lz"] < 0).sum()


@pytest.mark.parametrize("fit", ["fit", "path", "text"])
def test_a_fit_may_be_a_path(there, fit):
    path, table = there / "fit.h5", planted()[0]
    own = halo.load(path)
    given = {"fit": own, "path": path, "text": str(path)}[fit]
    assert np.array_equal(halo.apply(given, table, GRID).W, halo.apply(own, table, parse_axes(GRID)).W)
    assert halo.memberships(given, table).probability.shape == (len(table), 2)
    assert [one.peak for one in halo.densities(given)] == [one.peak for one in halo.densities([own])]
    assert halo.table1([given]).fraction.tolist() == halo.table1(own).fraction.tolist()
    assert np.array_equal(halo.tracks(given)[1][0].median, halo.tracks(own)[1][0].median, equal_nan=True)
    assert np.array_equal(halo.refit(given, 3).W, halo.refit(own, 3).W)
    assert np.array_equal(halo.eccentricities(given, table).density, halo.eccentricities(own, table).density)
    assert halo.boundary(given, table).status == halo.boundary(own, table).status


def test_bins_may_be_text_an_axis_axes_or_bins():
    fit, table = planted_fit(), planted()[0]
    (axis,) = parse_axes("E:6:-2.5e5:-1.0e5")
    found = [halo.profile(fit, table, bins).application.W for bins in (str(axis), axis, [axis], make_bins(table, axis))]
    assert all(np.array_equal(W, found[0]) for W in found)


def test_a_selection_may_be_a_name_which_keeps_the_limits_of_the_fit():
    settings = SMALL.replace(max_fe_h=-1.0, cuts="ecc<0.9")
    table = planted()[0]
    fit = halo.fit(table, settings)
    by_name = halo.apply(fit, table, GRID, selection="kinematically-pure")
    by_value = halo.apply(
        fit, table, GRID, selection=halo.Selection("kinematically-pure", max_fe_h=-1.0, cuts=("ecc<0.9",))
    )
    assert by_name.cutflow == by_value.cutflow
    assert by_name.cutflow.names == ("FE_H <= -1", "ecc<0.9")
    assert np.array_equal(by_name.W, by_value.W)


def test_flat_choices_are_those_of_the_settings():
    table = planted()[0]
    flat = halo.fit(table, SMALL, bins="E:4", planes="AL_FE:FE_H", ranges="FE_H:-2:0", pixels=8, components=3)
    axes, plane = (halo.Axis("E", 4),), halo.Plane("AL_FE", "FE_H")
    chemistry = halo.Chemistry.of([plane], {"FE_H": (-2.0, 0.0)}, 8)
    assert flat.settings == SMALL.replace(axes=axes, chemistry=chemistry, components=3)


def test_a_plan_may_be_text():
    plan = halo.Plan.of(bootstrap=7, sweep=["pixels=10:20:10", "seed=1,2"], scheme="poisson", components=3)
    assert (plan.fits, plan.base.scheme, plan.base.fit.solver.components) == (32, "poisson", 3)
    assert halo.Plan.of(sweep="seed=1,2").sweeps == plan.sweeps[1:]
    with pytest.raises(UsageError, match="a fit has no setting sceme"):
        halo.Plan.of(sceme="poisson")


def test_an_ensemble_takes_a_plan_or_what_makes_one(there, tmp_path):
    plan = halo.Plan(halo.Setup(SMALL.replace(pixels=8)), replicates=3)
    with pytest.raises(UsageError, match="give a plan or bootstrap, not both"):
        halo.ensemble(there / "stars.fits", tmp_path / "run", plan, bootstrap=4)
    stars = halo.load(there / "stars.fits")
    seen = []
    options = halo.RunOptions(threads=1, progress=lambda *call: seen.append(call))
    outcome = halo.ensemble(stars, tmp_path / "run", plan, options=options)
    assert seen[-1] == ("fits", 4, 4)
    assert outcome.run.complete
    assert halo.summarise(tmp_path / "run").parts[0].replicates == 3
    with pytest.raises(UsageError, match="write them first"):
        halo.ensemble(stars.table, tmp_path / "other", plan)


def test_overwriting_a_run_goes_with_nothing_else():
    for other in ({"resume": True}, {"shard": (1, 2)}):
        with pytest.raises(UsageError, match="--overwrite does not go with"):
            halo.RunOptions(overwrite=True, **other)


def test_what_is_saved_is_what_is_loaded(there, tmp_path):
    catalogue = halo.load(there / "stars.fits")
    halo.save(tmp_path / "copy.fits", catalogue)
    assert halo.load(tmp_path / "copy.fits").cutflow == catalogue.cutflow
    halo.save(tmp_path / "stars.ecsv", catalogue.table[:5])
    assert len(halo.load(tmp_path / "stars.ecsv")) == 5
    assert halo.load(there / "fit.h5").provenance["command"] == "fit"
    with pytest.raises(OutputError, match="exists already"):
        halo.save(tmp_path / "copy.fits", catalogue)
    with pytest.raises(UsageError, match="must end in"):
        halo.save(tmp_path / "fit.fits", planted_fit())
    with pytest.raises(UsageError, match="got int"):
        halo.save(tmp_path / "x.ecsv", 3)
    with pytest.raises(InputError, match=r"expected a \.h5, \.ecsv, .* or \.fits file"):
        halo.load(tmp_path / "x.txt")


def test_regions_are_those_of_a_selection(there):
    path = there / "stars.fits"
    mine = there / "mine.toml"
    mine.write_text('[Eos]\ncut = "FE_H < -0.6"\n[Splash]\ncut = "FE_H > -0.9"\n')
    retro = halo.regions(path, mine, selection="retrograde", draws=2)
    table = halo.load(path).table
    assert (
        retro.n_stars.sum() + retro.outside.sum()
        == sum((table["Lz"] < 0) & keep for keep in (table["FE_H"] < -0.6, table["FE_H"] > -0.9)).sum()
    )
    assert halo.regions(path, mine, draws=2).n_stars.sum() > retro.n_stars.sum()


# the same as the command line


def command(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


def test_a_session_from_files_to_the_split_gives_the_files_of_the_command_line(tmp_path):
    command("mock", tmp_path / "mock", "--stars", 9000, "--seed", 3, "-q")
    survey = [next((tmp_path / "mock").glob(pattern)) for pattern in ("allStar*", "apogee_astroNN*", "members")]
    files = fit_file, stars_file = tmp_path / "fit.h5", tmp_path / "stars.fits"
    command("prepare", *survey[:2], "--members", survey[2], "-o", stars_file, "-q")
    command("fit", stars_file, "-o", fit_file, "--bins", "E:5,Lz:4", "--pixels", 20, "--device", "cpu")
    command("apply", *files, "--by", "r:10:2:14", "-o", tmp_path / "profile.ecsv")
    command("boundary", *files, "-o", tmp_path / "boundary.ecsv")
    command("split", *files, "--bins", 3, "--bootstrap", 5, "-o", tmp_path / "four", "--device", "cpu")

    stars = halo.prepare(*survey)
    fit = halo.fit(stars, bins="E:5,Lz:4", pixels=20, device="cpu")
    profile, line = halo.profile(fit, stars, "r:10:2:14"), halo.boundary(fit, stars)
    four = halo.split(fit, stars, halo.SplitSettings(bins=3), line=line)
    table = halo.table1([fit, *four.parts], [halo.refit(one, 5) for one in (fit, *four.parts)])

    written = halo.load(stars_file).table
    assert all(np.array_equal(written[name], stars.table[name], equal_nan=name != "APOGEE_ID") for name in ("E", "Lz"))
    assert np.array_equal(halo.load(fit_file).W, fit.W)
    assert np.array_equal(halo.load(tmp_path / "profile.ecsv")["fraction_HE"], profile.application.fractions[:, 1])
    assert np.array_equal(halo.load(tmp_path / "boundary.ecsv")["E"].value, line.E, equal_nan=True)
    for name, found in (("HE", four.high), ("LE", four.low), ("four", four.fit)):
        assert np.array_equal(halo.load(tmp_path / "four" / f"{name}.h5").H, found.H)
    kept = halo.load(tmp_path / "four" / "table1.ecsv")
    # a fit that was just made has other strides than one that was read, and sums round otherwise
    np.testing.assert_allclose(kept["fraction"][:: len(table.q)], table.fraction, rtol=1e-14)
    np.testing.assert_allclose(kept["fraction_lower"][:: len(table.q)], table.fraction_interval[0], rtol=1e-14)


@pytest.mark.parametrize("name", ["regions", "bifurcation"])
def test_commands_on_every_star_leave_none_out(there, tmp_path, name):
    # the functions take the halo by default, the commands hand them stars that are chosen already
    table = planted(9000, 3)[0]
    rng = np.random.default_rng(0)
    n = len(table)
    table["APOGEE_ID"] = [f"s{i}" for i in range(n)]
    table["FE_H"], table["MG_FE"] = rng.uniform(-1.5, -0.2, n), rng.uniform(0.0, 0.35, n)
    table["AL_FE"], table["J_r"], table["J_z"] = rng.uniform(-0.3, 0.4, n), rng.exponential(500, n), rng.random(n)
    table["J_phi"] = table["Lz"]
    write_catalogue(tmp_path / "stars.fits", table, CutFlow(n), {})
    command(name, tmp_path / "stars.fits", "--selection", "all", "-o", tmp_path / "out.ecsv")
    kept = halo.load(tmp_path / "out.ecsv")
    if name == "regions":
        found = halo.regions(tmp_path / "stars.fits", selection="all", draws=2)
        assert kept.meta["stars"] == dict(zip(found.names, found.n_stars.tolist(), strict=True))
    else:
        found = halo.bifurcation(tmp_path / "stars.fits", selection="all", draws=2)
        assert found.n_stars.sum() > halo.bifurcation(tmp_path / "stars.fits", draws=2).n_stars.sum()
        assert str(found.n_stars[0]) in (tmp_path / "out.ecsv").read_text()


# types


TYPED = """
from pathlib import Path
from typing import assert_type

from halonmf import halo

stars = halo.prepare("allStar.fits", Path("astroNN.fits"), settings=halo.PrepareSettings(max_logg=2.5))
assert_type(stars, halo.Catalogue)
fit = halo.fit(stars, components=3, bins="E:5,Lz:5", cuts=["LOGG<2.5"])
assert_type(fit, halo.Fit)
assert_type(halo.fit("stars.fits", halo.FitSettings.of(pixels=20)).converged, bool)
assert_type(halo.profile("fit.h5", "stars.fits", "r:10:2:14").variable, str)
assert_type(halo.boundary(fit, stars, selection="retrograde").status, tuple[str, ...])
assert_type(halo.split(fit, stars, halo.SplitSettings(bins=6)).fit, halo.Fit)
assert_type(halo.ensemble("stars.fits", "run", bootstrap=10, sweep="seed=1,2").fits, int)
assert_type(halo.Plan.of(bootstrap=10), halo.Plan)
assert_type(halo.__version__, str)
halo.fit(stars, componnts=3)
halo.fit(stars, components="three")
halo.profile(fit, stars, 3)
halo.nothing
"""


@pytest.mark.slow
def test_type_checkers_see_the_signatures(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "halonmf").symlink_to(ROOT)
    (tmp_path / "session.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "session.py"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": f"{tmp_path}{os.pathsep}{ROOT.parent}"},
        capture_output=True,
        text=True,
        check=False,
    )
    faults = [line for line in done.stdout.splitlines() if line.startswith("session.py") and ": error:" in line]
    lines = TYPED.splitlines()
    assert sorted({lines[int(fault.split(":")[1]) - 1] for fault in faults}) == sorted(lines[-4:]), done.stdout
