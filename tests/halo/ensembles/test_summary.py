"""Summaries of ensembles: statistics of replicates, what was left out, the spread over configurations, the files."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from halonmf.cli import app
from halonmf.halo import figures
from halonmf.halo.ensembles import archive as summary_files
from halonmf.halo.ensembles.plan import Plan
from halonmf.halo.ensembles.run import open_run
from halonmf.halo.ensembles.runner import ensemble
from halonmf.halo.ensembles.statistics import STATISTICS
from halonmf.halo.ensembles.summary import Summary, groups, summarise, summarise_setup
from halonmf.halo.ensembles.sweeps import parse_sweep
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.io.tables import load_table
from halonmf.halo.mixtures.settings import Chemistry, parse_axes
from halonmf.halo.replicates.replicate import begin, delete_factor, reduce
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow
from halonmf.halo.survey.prepare import prepare

from ..helpers.planted import SMALL, planted

BASE = Setup(SMALL.replace(axes=parse_axes("E:3,Lz:3")))


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    table, _ = planted(2000)
    table["APOGEE_ID"] = [f"2M{i:05d}" for i in range(len(table))]
    return write_catalogue(tmp_path_factory.mktemp("stars") / "stars.fits", table, CutFlow(len(table)), {})


@pytest.fixture(scope="module")
def run(stars, tmp_path_factory):
    """A run of six configurations: three numbers of pixels, of two and of three components."""
    folder = tmp_path_factory.mktemp("run") / "run"
    plan = Plan(BASE, tuple(map(parse_sweep, ("components=2,3", "pixels=10:14:2"))), 12, batch=5)
    ensemble(stars, folder, plan)
    return folder


def one(replicates, base=None, **own):
    """The summary of a configuration with the given replicates in place of its own."""
    made = begin(planted(1000)[0], replace(BASE, **own))
    found = reduce(made, 0, 4)
    number = len(replicates["status"])
    found = {name: np.repeat(x[:1], number, axis=0) for name, x in found.items()} | replicates
    return summarise_setup(0, "base", made.setup, made.products | (base or {}), made.coordinates, found)


def test_statistics_are_those_of_the_replicates():
    x = np.random.default_rng(0).random((50, 2))
    part = one({"mass_fraction": x, "status": np.zeros(50, int)}, {"mass_fraction": np.array([0.4, 0.6])})
    assert part("mass_fraction", "base").tolist() == [0.4, 0.6]
    for name, p in (("median", 50), ("p16", 16), ("p84", 84), ("p2_5", 2.5), ("p97_5", 97.5)):
        np.testing.assert_allclose(part("mass_fraction", name), np.percentile(x, p, axis=0))
    np.testing.assert_allclose(part("mass_fraction", "se"), x.std(axis=0, ddof=1))
    np.testing.assert_allclose(part("mass_fraction", "bias"), x.mean(axis=0) - [0.4, 0.6])
    assert part("mass_fraction", "n_used").tolist() == [50, 50]


def test_refused_and_unconverged_replicates_count_nowhere_but_in_their_numbers():
    x = np.array([[0.5, 0.5]] * 6 + [[0.0, 1.0]] * 4)
    status = np.array([0] * 6 + [1, 1, 2, 0])
    refused = np.array([False] * 7 + [True] * 3)
    part = one({"mass_fraction": x, "status": status, "refused": refused})
    assert (part.replicates, part.unconverged, part.refused, part.used) == (10, 3, 1, 6)
    assert part("mass_fraction", "se").tolist() == [0.0, 0.0]
    said = Summary((part,)).describe()
    assert "10 replicates: 1 refused, 3 not converged" in said
    assert "3 replicates did not converge" in Summary((part,)).problems()
    assert "no replicate counts" not in Summary((part,)).problems()


def test_a_set_up_all_of_whose_replicates_are_refused_is_warned_of():
    x = np.array([[0.5, 0.5]] * 3)
    part = one({"mass_fraction": x, "status": np.zeros(3, int), "refused": np.full(3, True)})
    assert Summary((part,)).problems() == "no replicate counts, and no error is known, in 1 configuration"


def test_crossings_that_are_not_there_are_counted_and_not_invented():
    number = np.array([[1, 0, 0]] * 7 + [[0, 0, 0]] * 2 + [[2, 0, 0]] + [[-1, -1, -1]])
    at = np.full(number.shape, np.nan)
    at[:7, 0] = np.linspace(-1.7e5, -1.6e5, 7)
    part = one({"crossing_E": at, "crossing_E_number": number, "status": np.zeros(11, int)})
    assert part.counts["crossing_E"][:, 0].tolist() == [2, 7, 1, 1]
    assert part("crossing_E", "n_used").tolist() == [7, 0, 0]
    assert part("crossing_E", "median")[0] == pytest.approx(-1.65e5)
    assert np.isnan(part("crossing_E", "median")[1:]).all()
    said = Summary((part,)).describe()
    assert "crosses once in 7 of 11 (2 never, 1 more than once, 1 too few stars)" in said


def test_a_base_fit_without_replicates_has_values_and_no_intervals():
    made = begin(planted(1000)[0], BASE)
    part = summarise_setup(0, "base", made.setup, made.products, made.coordinates, {})
    for name, x in part.statistics.items():
        assert np.array_equal(x[0], made.products[name], equal_nan=True)
        assert np.isnan(x[1:-1]).all()
        assert (x[-1] == 0).all()
    assert "0 replicates" in Summary((part,)).describe()


def test_the_spread_over_set_ups_stands_apart_from_the_sampling_error(run):
    found = summarise(open_run(run))
    assert [len(group.members) for group in found.groups] == [3, 3]
    assert [group.label for group in found.groups] == ["components=2", "components=3"]
    group, members = found.groups[0], [found.parts[i] for i in found.groups[0].members]
    base = np.array([part("mass_fraction", "base") for part in members])
    se = np.array([part("mass_fraction", "se") for part in members])
    np.testing.assert_allclose(group("mass_fraction", "mean"), base.mean(axis=0))
    np.testing.assert_allclose(group("mass_fraction", "spread"), base.std(axis=0, ddof=1))
    np.testing.assert_allclose(group("mass_fraction", "se"), np.sqrt((se**2).mean(axis=0)))
    np.testing.assert_allclose(group("mass_fraction", "highest"), base.max(axis=0))
    assert "fraction_E" in group.statistics
    assert "track_AL_FE:FE_H" not in group.statistics  # of other pixels in every configuration


def test_only_set_ups_that_ask_the_same_are_grouped(run):
    parts = list(summarise(open_run(run)).parts)
    other = replace(parts[1], setup=replace(parts[1].setup, scheme="poisson"))
    assert [group.members for group in groups([parts[0], other])] == []
    technical = replace(parts[1].setup, fit=parts[1].setup.fit.replace(loss="kullback-leibler", seed=3, init="random"))
    assert [group.members for group in groups([parts[0], replace(parts[1], setup=technical)])] == [(0, 1)]


def test_a_set_up_whose_own_fit_did_not_converge_is_in_no_spread_and_is_named(run):
    parts = list(summarise(open_run(run)).parts)
    parts[1] = replace(parts[1], base_status="MAX_ITER")
    assert [group.members for group in groups(parts)] == [(0, 2), (3, 4, 5)]
    said = Summary(tuple(parts), groups(parts)).describe()
    assert f"not converged: the fit of all stars for {parts[1].label}" in said
    assert "the fit of all stars did not converge in 1 configuration" in Summary(tuple(parts)).problems()


def test_deleting_has_a_factor_that_makes_its_spread_a_standard_error():
    setup = replace(BASE, scheme="delete")
    assert delete_factor(setup, np.array([205])) == pytest.approx(np.sqrt((205 - 14) / 14))
    assert delete_factor(replace(setup, drop=5), np.array([100, 3])) == pytest.approx(np.sqrt(95 / 8))
    assert delete_factor(BASE, np.array([205])) == 1
    part = one({"status": np.zeros(3, int)}, scheme="delete")
    said = Summary((part,)).describe()
    assert f"times {part.factor:.3f} it is one" in said.replace(f"{part.factor:g}", f"{part.factor:.3f}")


def test_intervals_are_of_the_type_asked_for(run):
    parts = {kind: summarise(open_run(run), interval=kind).parts[0] for kind in ("percentile", "basic")}
    low, high, base = (parts["percentile"]("mass_fraction", name) for name in ("low_68", "high_68", "base"))
    np.testing.assert_allclose(parts["basic"]("mass_fraction", "low_68"), 2 * base - high)
    np.testing.assert_allclose(low, parts["basic"]("mass_fraction", "p16"))
    with pytest.raises(UsageError, match="interval must be one of"):
        summarise(open_run(run), interval="exact")


def test_no_interval_of_a_fraction_reaches_beyond_its_limits():
    x = np.stack([np.linspace(0.9, 1.0, 50), np.linspace(0.1, 0.0, 50)], axis=1)
    part = one({"mass_fraction": x, "status": np.zeros(50, int)}, {"mass_fraction": np.array([1.0, 0.0])})
    assert part("mass_fraction", "high_95").max() == 1
    assert part("mass_fraction", "low_95").min() == 0


# files


def test_the_table_has_a_row_for_every_number_with_its_unit(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    made = summary_files.archive(folder).summary
    table = load_table(folder / "summary.ecsv")
    assert len(table) == sum(x[0].size for of in (*made.parts, *made.groups) for x in of.statistics.values())
    assert table.meta["provenance"]["command"] == "summary"
    first = table[(table["label"] == made.parts[0].label) & (table["product"] == "fraction_E")]
    assert first["component"].tolist() == ["LE", "HE"] * 20
    assert first["base"].tolist() == made.parts[0]("fraction_E", "base").ravel().tolist()
    assert (first["lower"][0], first["upper"][1], first["axis_unit"][0]) == (-2.5e5, -2.425e5, "km2 / s2")
    half = table[(table["product"] == "crossing_E") & (table["at"] == 0.5)][0]
    assert (half["unit"], half["component"]) == ("km2 / s2", "HE")
    assert half["median"] == made.parts[0]("crossing_E", "median")[0]
    tenth = table[(table["product"] == "percentile_FE_H") & (table["at"] == 10)][1]
    assert tenth["base"] == made.parts[0]("percentile_FE_H", "base")[1, 0]
    track = table[(table["product"] == "track_AL_FE:FE_H") & (table["component"] == "HE")][3]
    assert track["lower"] == pytest.approx(-2.5 + 3 * 0.32)
    over = table[(table["label"] == "all set-ups components=2") & (table["product"] == "mass_fraction")]
    assert over["spread"].tolist() == made.groups[0]("mass_fraction", "spread").tolist()


def test_the_arrays_are_those_of_the_summary(run):
    made = summarise(open_run(run))
    with h5py.File(io.BytesIO(summary_files.image(made, {"command": "summary"})), "r") as file:
        content = json.loads(file.attrs["record"])
        assert content["statistics"] == list(STATISTICS)
        assert [one["label"] for one in content["setups"]] == list(open_run(run).labels)
        names = [name.decode() for name in file["component"][()]]
        for part in made.parts:
            own = [names.index(name) for name in part.names]
            for name, x in part.statistics.items():
                data = file[name.replace(":", "_against_")]
                axes = [axis[0].name.strip("/") for axis in data.dims]
                assert axes[:2] == ["configuration", "statistic"]
                found = data[part.index]
                for i, (axis, size) in enumerate(zip(axes[1:], x.shape, strict=True)):
                    found = found.take(own if axis == "component" else range(size), axis=i)
                assert np.array_equal(found, x, equal_nan=True)
                assert np.isfinite(data[part.index]).sum() == np.isfinite(x).sum()  # all else is filled up
        assert np.array_equal(
            file["over_mass_fraction"][1][:, [names.index(name) for name in ("C1", "C2", "C3")]],
            made.groups[1].statistics["mass_fraction"],
        )


def test_every_question_has_its_figures(run):
    drawn = figures.ensemble(summarise(open_run(run)))
    assert list(drawn) == [f"{name}-{i}" for i in (1, 2) for name in ("fractions", "boundary", "tracks")] + ["setups"]
    assert "12 replicates each" in drawn["fractions-2"].caption
    axes = drawn["fractions-1"].figure.axes
    assert [a.get_xlabel().split()[0] for a in axes] == ["$E$", "$L_z$", "$e$"]
    shaded = axes[0].collections
    assert len(shaded) == 2  # the sampling error of either component
    made = summarise(open_run(run)).groups[0]
    top = shaded[1].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(min(1, np.nanmax(made("fraction_E", "mean")[:, 1] + made("fraction_E", "se")[:, 1])))


# the command


def said(*arguments):
    return CliRunner().invoke(app, ["summary", *map(str, arguments)])


def test_the_command_writes_all_of_it_anew(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    first = said(folder)
    assert first.exit_code == 0, first.output
    assert "over 3 configurations (components=2): mean, spread over them, sampling error within one" in first.output
    names = {path.name for path in (folder / "figures").iterdir()}
    assert {"fractions-1.png", "fractions-1.txt", "setups.png"} <= names
    assert not any(name.endswith(".pdf") for name in names)
    (folder / "summary.ecsv").write_text("spoilt")
    again = said(folder, "--no-figures", "--quiet", "--interval", "basic")
    assert again.output == f"2 files -> {folder}\n"
    assert load_table(folder / "summary.ecsv").meta["interval"] == "basic"


def when(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "figures").iterdir()}


@pytest.fixture(scope="module")
def drawn(run, tmp_path_factory):
    folder = shutil.copytree(run, tmp_path_factory.mktemp("drawn") / "run")
    assert said(folder, "--pdf").exit_code == 0
    return folder


def test_pdf_is_drawn_on_request(drawn):
    assert (drawn / "figures" / "fractions-1.pdf").read_bytes().startswith(b"%PDF")


def test_figures_that_would_come_out_the_same_are_left_as_they_are(drawn):
    before, files = when(drawn), len(list((drawn / "figures").iterdir())) - 1
    assert said(drawn, "--quiet").output == f"{files + 2} files -> {drawn}\n"
    assert when(drawn) == before


def test_a_spoilt_figure_is_drawn_again(drawn, tmp_path):
    folder = shutil.copytree(drawn, tmp_path / "run")
    figure = folder / "figures" / "setups.png"
    good = figure.read_bytes()
    figure.write_bytes(good[:-1])
    assert said(folder).exit_code == 0
    assert figure.read_bytes() == good


def test_other_numbers_are_drawn_again_in_every_format_that_is_there(drawn, tmp_path):
    folder = shutil.copytree(drawn, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (folder / "figures").glob("fractions-1.*")}
    assert said(folder, "--interval", "basic").exit_code == 0
    after = {path.name: path.read_bytes() for path in (folder / "figures").glob("fractions-1.*")}
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before if not name.endswith(".txt"))


def test_the_command_prints_json(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    record = json.loads(said(folder, "--json", "--no-figures").output)
    part = summarise(open_run(run)).parts[0]
    assert record["setups"][0]["products"]["mass_fraction"]["median"] == part("mass_fraction", "median").tolist()
    assert None in record["setups"][0]["products"]["crossing_Lz"]["base"]


def test_what_is_not_there_yet_is_listed_with_exit_4(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    gone = open_run(folder).plan.batches[0]
    (folder / "batches" / f"{gone.index:06d}.h5").unlink()
    found = said(folder, "--no-figures")
    assert found.exit_code == 4
    label = open_run(folder).labels[gone.parts[0].setup]
    assert "not there yet" in found.output
    assert f"{label}: {gone.parts[0].count} fits" in found.output
    assert len(summarise(open_run(folder)).parts) < 6


def test_a_set_up_that_failed_is_listed_with_its_reason(stars, tmp_path):
    ensemble(stars, tmp_path / "run", Plan(BASE, (parse_sweep("bins=3,200"),), 2))
    found = said(tmp_path / "run", "--no-figures")
    assert found.exit_code == 4
    assert "bins=200: 40000 equal-count bins need at least as many stars" in found.output
    with pytest.raises(InputError, match="no run is there"):
        summary_files.archive(tmp_path)


# real stars


def test_real_retrograde_giants_cross_one_half_with_a_finite_interval():
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    files = [folder / f"{name}-dr17-halo-giants.fits" for name in ("allStarLite", "apogee_astroNN")]
    if not all(file.exists() for file in files):
        pytest.skip("../shared/data is not there")
    settings = SMALL.replace(selection="retrograde", chemistry=Chemistry(pixels=15))
    made = begin(prepare(*files).table, Setup(settings))
    assert len(made.sample) == 270
    part = summarise_setup(0, "base", made.setup, made.products, made.coordinates, reduce(made, 0, 200))
    half, low, high = (part("crossing_E", name)[0] for name in ("base", "p16", "p84"))
    # the paper: -1.67e5, of its 13,147 stars; a converged scikit-learn fit of these: -1.70e5 to -1.65e5
    assert -1.70e5 < half < -1.65e5
    assert low < half < high
    assert 0.02e5 < high - low < 0.2e5
    assert part.counts["crossing_E"][1, 0] > 100
