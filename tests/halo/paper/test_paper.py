"""The whole paper on a small mock: what is left behind, what it says, and what it says of what is missing."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from halonmf.cli import app
from halonmf.halo import load
from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.fits.verdict import UNSOUND
from halonmf.halo.mock.galaxy import MockGalaxy, write_galaxy
from halonmf.halo.paper import run as paper
from halonmf.halo.paper.checks import simulations
from halonmf.halo.paper.fractions import distances
from halonmf.halo.paper.galaxies import MOCK_COLUMNS, read_galaxies
from halonmf.halo.paper.numbers import crossing, of_parts, values
from halonmf.halo.paper.origins import FOUR, origins, true_fractions_of_four, true_parts
from halonmf.halo.paper.quoted import numbers
from halonmf.halo.paper.steps import STEPS, TITLES, steps_of
from halonmf.halo.paper.study import CHEMICAL, PaperSettings, Study
from halonmf.halo.paper.two import gap
from halonmf.halo.products.tracks import percentiles
from halonmf.halo.stars.catalogue import write_catalogue

from ..helpers import browser as _browser
from ..helpers.columns import faults
from .test_report import Reader, check_in_browser

SMALL = PaperSettings(rows=16_000, bootstrap=25, expected=1, draws=10)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    return folder, paper.run(folder, settings=SMALL)


@pytest.fixture
def copied(made, tmp_path):
    """The same in a folder of the test's own."""
    return shutil.copytree(made[0], tmp_path / "copy"), made[1]


@pytest.fixture(scope="module")
def study(made):
    folder, _ = made
    return Study(load(folder / "stars.fits").table, SMALL, truth_file=folder / "mock" / "truth.fits")


def test_every_column_of_every_table_says_what_it_is(made):
    folder, _ = made
    paths = sorted(folder.glob("*/*.ecsv"))
    assert len(paths) > 30
    # their kinds, and with them their units, are those of the products, which have tests of their own
    found = {path.name: [each for each in faults(load(path)) if "expected" not in each] for path in paths}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_every_figure_has_a_title_and_a_step():
    drawn = [name for step in steps_of("both") for name in step.figures]
    assert sorted(drawn) == sorted(TITLES)
    assert all(TITLES.values())


def test_no_figure_shares_its_name_with_a_table_and_none_begins_with_another_s():
    figures = [name for step in steps_of("both") for name in step.figures]
    names = figures + [name for step in steps_of("both") for name in step.tables]
    assert len(names) == len(set(names))
    # the data of a figure are known by its name and a dash
    assert not [(a, b) for a in figures for b in figures if b.startswith(f"{a}-")]


def test_every_step_makes_products_of_the_paper():
    made = {name for step in STEPS for name in step.products} - {"members"}
    assert made <= {number.product for number in numbers()}


@pytest.mark.slow
def test_a_run_leaves_every_figure_with_its_data_and_every_table(made):
    folder, found = made
    named = {file for part in json.loads((folder / "scoreboard.json").read_text())["files"].values() for file in part}
    assert all((folder / file).stat().st_size > 0 for file in named)
    for step in STEPS:
        part = found.parts[step.title]
        if set(step.products) <= found.skipped.keys():  # too few stars of a kind in so small a mock
            assert "Not made" in part.said[0]
            continue
        assert part.pictures.keys() == set(step.figures)
        assert part.tables.keys() == set(step.tables)
        for name in step.figures:
            assert len(part.pictures[name].alt) > 60
            assert np.asarray(Image.open(folder / "figures" / f"{name}.png"))[..., :3].std() > 0
            assert (folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF-")
            assert any(file.startswith(f"figures/{name}") and file.endswith(".ecsv") for file in named), name
    tables = [file for file in named if file.endswith(".ecsv")]
    assert all(len(load(folder / file)) > 0 for file in tables)
    assert all("provenance" in load(folder / file).meta for file in tables)


@pytest.mark.slow
def test_every_number_of_a_product_that_was_made_has_a_value_or_a_reason(made):
    _, found = made
    for row in found.scores.rows:
        excused = {row.number.id, row.number.product} & found.skipped.keys()
        assert row.value is not None or excused, row.number.id
        assert "no reason given" not in row.reason


@pytest.mark.slow
def test_the_scoreboard_holds_a_mock_to_its_truth(made):
    folder, found = made
    record = json.loads((folder / "scoreboard.json").read_text())
    by_id = {line["id"]: line for line in record["numbers"]}
    assert record["sample"] == "mock"
    assert record["counts"] == found.scores.counts
    share = by_id["R1.mass.HE"]
    assert share["held_to"] == "truth"
    # the method's bias is known of the default mock: 5 to 7 % too many
    assert 3 < share["ours"] - share["truth"] < 10
    assert share["status"] == "FAIL"
    assert "the method's bias" in share["note"]
    assert share["low"] < share["ours"] + 1
    assert share["high"] > share["ours"] - 1
    assert by_id["R1.rows"]["status"] == "PASS"
    assert by_id["R0.stars.chemically-pure"]["status"] == "NOT COMPARABLE"
    assert by_id["R6.HE1.FE_H.90"]["status"] == "MISPRINTED"


@pytest.mark.slow
def test_the_report_is_well_formed_and_its_links_lead_somewhere(made):
    folder, found = made
    for name in ("report.html", "scoreboard.html"):
        read = Reader((folder / name).read_text())
        anchors = {attributes["id"] for _, attributes in read.seen if "id" in attributes}
        for link in read.all("a"):
            target = link["href"]
            assert target[1:] in anchors if target.startswith("#") else (folder / target).is_file(), target
    read = Reader((folder / "report.html").read_text())
    assert len(read.all("img")) == found.figures > 8


@pytest.mark.slow
def test_a_browser_shows_the_report(made, tmp_path):
    if _browser.found() is None:
        pytest.skip(f"needs a browser, one of {', '.join(_browser.NAMES)}: apt-get install chromium")
    folder, found = made
    browser = _browser.Browser(tmp_path / "profile")
    try:
        check_in_browser(browser, (folder / "report.html").read_text(), tmp_path, pictures=found.figures)
    finally:
        browser.close()


@pytest.mark.slow
def test_a_second_run_refuses_and_with_leave_takes_up_the_mock_and_repeats_the_numbers(copied, monkeypatch):
    folder, found = copied
    with pytest.raises(OutputError, match="exists already"):
        paper.run(folder, settings=SMALL)
    mock = folder / "mock" / "truth.fits"
    before = mock.stat().st_mtime_ns
    mine = folder / "figures" / "mine.png"
    mine.touch()
    monkeypatch.setattr(paper, "steps_of", lambda analysis: STEPS[:2])
    again = paper.run(folder, settings=SMALL, overwrite=True)
    assert mock.stat().st_mtime_ns == before
    assert len(again.parts) == 2
    # what the new page does not speak of is gone, but for files of others
    assert mine.exists()
    assert {path.stem[:5] for path in (folder / "figures").iterdir()} == {"mine", "fig01", "fig02", "fig03"}
    for title, part in again.parts.items():
        assert part.values == found.parts[title].values


@pytest.mark.slow
def test_the_truth_is_counted_from_the_stars_origins(study):
    accreted = study.truth(CHEMICAL).accreted
    true = study.true_numbers(CHEMICAL)
    stars = study.two(CHEMICAL).stars
    # stars outside the images count in neither
    assert true["R1.mass.HE"] == pytest.approx(100 * accreted.mean(), abs=0.5)
    iron = np.asarray(stars["FE_H"])[accreted]
    assert true["R6.HE.FE_H.50"] == pytest.approx(np.median(iron), abs=0.04)
    E = np.asarray(stars["E"])
    near = np.abs(E - true["R9.chemically-pure.50"]) < 0.05e5
    assert abs(accreted[near].mean() - 0.5) < 0.2


@pytest.mark.slow
def test_four_components_are_held_to_the_origins_of_the_stars_of_each_part(study, made):
    origin, accreted = origins(study), study.truth(CHEMICAL).accreted
    stars = study.two(CHEMICAL).stars
    number = np.bincount(origin[origin >= 0], minlength=4)
    true = of_parts(true_parts(study))
    for name, other in (("HE1", "HE2"), ("LE1", "LE2")):
        both = number[FOUR.index(name)] + number[FOUR.index(other)]
        assert true[f"R5.mass.{name}"] == pytest.approx(100 * number[FOUR.index(name)] / both, abs=0.6)
    assert accreted[origin == FOUR.index("HE1")].all()
    assert not accreted[origin == FOUR.index("HE2")].any()
    # the boundary parts them: what is above it belongs to no component of the part below
    E = np.asarray(stars["E"])
    assert (E[origin >= 2] >= study.four.boundary(np.asarray(stars["Lz"])[origin >= 2])).all()
    aluminium = np.asarray(stars["AL_FE"])[origin == FOUR.index("HE2")]
    assert true["R6.HE2.AL_FE.50"] == pytest.approx(np.median(aluminium), abs=0.04)
    _, found = made
    rows = {row.number.id: row for row in found.scores.rows}
    assert rows["R6.HE2.AL_FE.50"].expected == pytest.approx(true["R6.HE2.AL_FE.50"])
    assert rows["R6.LE2.FE_H.50"].off_in_errors is not None
    assert "without noise" in rows["R5.mass.HE2"].value.note


@pytest.mark.slow
def test_the_page_says_which_component_is_not_to_be_trusted_by_its_numbers(made):
    folder, found = made
    text = " ".join("".join(Reader((folder / "report.html").read_text()).text).split())
    bad = [each for each in found.scores.components if not each.trusted]
    assert {each.name for each in bad} == {"HE2"}
    # at the top, and where its numbers are: R5 to R7
    assert text.count(f"Not to be trusted is {bad[0].describe()}.") == 4


@pytest.mark.slow
def test_the_true_fractions_of_four_are_counts_of_stars(study):
    true = true_fractions_of_four(study, "r")
    mixtures, origin = study.two(CHEMICAL).applications["r"].mixtures, origins(study)
    mine = origin[mixtures.rows == 3]
    assert true[3] == pytest.approx(np.bincount(mine[mine >= 0], minlength=4) / (mine >= 0).sum())


@pytest.mark.slow
def test_a_sub_sample_is_said_to_be_one_and_what_it_does_not_allow_is_left_out(made, tmp_path, monkeypatch):
    folder, _ = made
    kept = [step for step in STEPS if step.products not in (("R15",), ("R16",))]
    monkeypatch.setattr(paper, "steps_of", lambda analysis: kept)
    stars = load(folder / "stars.fits")
    few = stars.table[::12]
    flow = stars.cutflow.removing("eleven of twelve", len(stars) - len(few))
    write_catalogue(tmp_path / "few.fits", few, flow, stars.provenance)
    found = paper.run(tmp_path / "out", stars=tmp_path / "few.fits", settings=PaperSettings(bootstrap=0, draws=0))
    assert found.scores.sample == "sub-sample"
    assert {row.status for row in found.scores.rows if not row.number.of_method} <= {
        "NOT COMPARABLE",
        "MISPRINTED",
        "UNDEFINED",
    }
    assert not (tmp_path / "out" / "mock").exists()
    assert "not comparable with the paper" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.slow
def test_few_stars_are_fitted_in_bins_that_they_allow_and_the_page_and_the_prompt_say_so(made, tmp_path, monkeypatch):
    folder, _ = made
    kept = [step for step in STEPS if step.products not in (("R15",), ("R16",), ("S",))]
    monkeypatch.setattr(paper, "steps_of", lambda analysis: kept)
    stars = load(folder / "stars.fits")
    few = stars.table[::5]
    flow = stars.cutflow.removing("four of five", len(stars) - len(few))
    write_catalogue(tmp_path / "few.fits", few, flow, stars.provenance)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["paper", str(out), "--stars", str(tmp_path / "few.fits"), "--bootstrap", "0"])
    assert done.exit_code == 0, done.output
    fit = load(out / "fits" / "chemically-pure.h5")
    bins, pixels = fit.settings.axes[0].count, fit.settings.chemistry.pixels
    assert bins < 8
    assert pixels < 50
    assert fit.verdict.word != UNSOUND
    low, high = percentiles(fit, "AL_FE", (50.0,))[:, 0]
    assert high < low
    words = f"bins E:{bins},Lz:{bins} and {pixels} pixels for the {int(fit.mixtures.n_stars.sum())} chemically pure"
    assert f"changed        {words}" in " ".join(done.output.split("\n"))
    text = " ".join("".join(Reader((out / "report.html").read_text()).text).split())
    assert f"B{words[1:]}" in text
    record = json.loads((out / "scoreboard.json").read_text())
    assert words in record["said"][0]
    reasons = {line["id"]: line["reason"] for line in record["numbers"]}
    assert reasons["R1.rows"] == f"not made: made with bins E:{bins},Lz:{bins} and {pixels} pixels"


@pytest.mark.slow
def test_a_catalogue_without_distances_has_everything_else(made, tmp_path, monkeypatch):
    folder, _ = made
    wanted = ("R1", "R5", "R6", "R7", "R9", "R10", "R11", "members")
    kept = [step for step in STEPS if step.products[0] in wanted]
    monkeypatch.setattr(paper, "steps_of", lambda analysis: kept)
    stars = load(folder / "stars.fits")
    table = stars.table.copy()
    table.remove_columns(["r_sph", "R_cyl", "z_gal"])
    write_catalogue(tmp_path / "bare.fits", table, stars.cutflow, stars.provenance)
    truth = folder / "mock" / "truth.fits"
    settings = PaperSettings(bootstrap=0, expected=0)
    found = paper.run(tmp_path / "out", stars=tmp_path / "bare.fits", truth=truth, settings=settings)
    assert found.skipped.keys() >= {"R10", "R11", "fig11"}
    assert found.skipped["R10"] == "the catalogue has no r, z, R"
    assert not {"R5", "R6", "R7", "R9"} & found.skipped.keys()
    rows = {row.number.id: row for row in found.scores.rows}
    assert rows["R5.mass.HE2"].status == "FAIL"
    assert "the catalogue has no r, z, R" in rows["R10.chemically-pure.r"].reason
    assert (tmp_path / "out" / "figures" / "fig08.png").exists()
    assert not (tmp_path / "out" / "figures" / "fig09.png").exists()
    # of one distance alone the others are said to be missing
    table["z_gal"] = stars.table["z_gal"]
    study = Study(table, settings, truth_file=truth)
    part = distances(study)
    assert part.values.keys() == {f"R10.{name}" for name in ("chemically-pure.z", "kinematically-pure.z", "LE2.z")}
    assert part.skipped["R10.chemically-pure.r"] == part.skipped["R10.LE2.r"] == "the catalogue has no r"
    assert part.skipped["R10.HE1.r"] == "the catalogue has no r"
    assert part.pictures.keys() == {"fig09", "fig10"}


def test_a_truth_without_stars_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="--truth is that of given stars"):
        paper.run(tmp_path, truth=tmp_path / "truth.fits")


def test_outputs_are_checked_before_anything_is_computed(tmp_path):
    (tmp_path / "report.html").touch()
    with pytest.raises(OutputError, match=r"report\.html: exists already"):
        paper.run(tmp_path, settings=SMALL)
    assert not (tmp_path / "mock").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        paper.run(tmp_path / "file")


def test_stars_that_are_none_fail_before_any_product(tmp_path):
    (tmp_path / "stars.fits").write_text("no FITS")
    with pytest.raises(InputError, match=r"stars\.fits"):
        paper.run(tmp_path / "out", stars=tmp_path / "stars.fits")


def test_only_files_of_its_own_folders_are_taken_for_an_earlier_run_s(tmp_path):
    names = ["figures/a.png", "../b.png", "/tmp/c.png", "mock/d.fits", "figures/../e.png", "figures/f/g.png"]
    (tmp_path / "scoreboard.json").write_text(json.dumps({"files": {"x": names}}))
    assert paper._left_before(tmp_path) == {"figures/a.png"}
    (tmp_path / "scoreboard.json").write_text("[1, 2")
    assert paper._left_before(tmp_path) == set()


def test_settings_below_zero_are_refused():
    with pytest.raises(UsageError, match="bootstrap must be >= 0"):
        PaperSettings(bootstrap=-1)


def test_the_gap_is_where_stars_are_fewest():
    rng = np.random.default_rng(1)
    E = np.concatenate([rng.normal(-2.35e5, 0.12e5, 4000), rng.normal(-1.7e5, 0.12e5, 4000)])
    assert gap(E) == pytest.approx(-2.03e5, abs=0.06e5)


def test_of_several_crossings_the_lowest_counts_or_the_one_near_another():
    share = np.array([0.0, 0.2, 0.6, 0.2, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 1.0])
    products = {"fraction_r": np.stack([1 - share, share], axis=1)}
    coordinates = {"edges_r": np.arange(12) - 0.5, "n_stars_r": np.full(11, 100)}
    assert 1 < crossing(products, coordinates, "r", 0.5) < 2
    assert 6 < crossing(products, coordinates, "r", 0.5, near=8.0) < 7
    assert np.isnan(crossing(products, coordinates, "r", 1.01))


def test_intervals_need_replicates_enough():
    replicates = [{"R1.mass.HE": 30.0 + i} for i in range(101)]
    assert values({"R1.mass.HE": 80.0}, replicates)["R1.mass.HE"].low == pytest.approx(46.0)
    assert values({"R1.mass.HE": 80.0}, replicates[:10])["R1.mass.HE"].low is None


def test_a_bias_is_named_only_where_the_noise_free_fit_misses_too():
    ours, truth = {"R1.mass.HE": 40.0}, {"R1.mass.HE": 33.0}
    assert "the method's bias" in values(ours, (), truth, {"R1.mass.HE": 39.0})["R1.mass.HE"].note
    assert "the method's bias" not in values(ours, (), truth, {"R1.mass.HE": 33.5})["R1.mass.HE"].note


@pytest.mark.slow
def test_galaxies_are_ranked_by_likeness_to_the_halo(made, tmp_path):
    folder, _ = made
    kinds = {
        "m12f": MockGalaxy(n_disc=2000, n_in_situ=12_000, n_accreted=12_000),
        "m12r": MockGalaxy(n_disc=2000, n_in_situ=12_000, n_accreted=12_000, a_accreted=3.0),
        "m12b": MockGalaxy(n_disc=2000, n_in_situ=12_000, n_accreted=2_000, a_in_situ=6.0),
    }
    for name, kind in kinds.items():
        (tmp_path / name).mkdir()
        write_galaxy(tmp_path / name, kind)
    (tmp_path / "columns.toml").write_text(MOCK_COLUMNS)
    texts = [f"{name}={tmp_path}/{name}/snapshot*" for name in kinds]
    truth = folder / "mock" / "truth.fits"
    found = read_galaxies(texts, tmp_path / "columns.toml")
    assert [galaxy.name for galaxy in found] == list(kinds)
    ranked = simulations(Study(load(folder / "stars.fits").table, SMALL, truth_file=truth, galaxies=found))
    assert ranked.values["R11.nearest"].value == 2  # m12f and m12r come first and second
    assert 0 < ranked.values["R11.further"].value <= 1  # the in-situ stars of m12b reach far
    assert not ranked.skipped
    assert ranked.pictures.keys() == {"fig11"}
    # none but the far-reaching one is unlike the halo: without it nothing is said of the order
    alone = simulations(Study(load(folder / "stars.fits").table, SMALL, truth_file=truth, galaxies=found[2:]))
    assert "given: m12b" in alone.skipped["R11.nearest"]
