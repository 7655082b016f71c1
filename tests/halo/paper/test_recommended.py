"""The recommended analysis: as many components as stars call for, every product of them, both analyses beside."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo import load
from halonmf.halo.checks.settings import RankSettings
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.fits.verdict import Verdict
from halonmf.halo.paper import run as paper
from halonmf.halo.paper.comparison import HEADLINES, Both, counted, lines, sheet, table
from halonmf.halo.paper.recommended import COARSE, FINE, recommended, settings_for
from halonmf.halo.paper.scoreboard import Value, judge, numbers
from halonmf.halo.paper.settings import PaperSettings
from halonmf.halo.paper.steps import RECOMMENDED, STEPS, steps_of
from halonmf.halo.paper.two import verdict_line
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted

QUICK = RankSettings(splits=2, starts=1, max_components=3)
NUMBERS = {number.id: number for number in numbers()}


@pytest.fixture(scope="module")
def found():
    """Of two planted populations; their energy also stands for a distance."""
    stars, _ = planted()
    return recommended(stars, SMALL, compared=QUICK, replicates=25)


# what is fitted


def test_many_stars_get_the_bins_that_were_asked_for_and_fine_pixels():
    settings = settings_for(13_000, FitSettings())
    assert [axis.count for axis in settings.axes] == [8, 8]
    assert (settings.chemistry.pixels, settings.solver.loss) == (FINE, "kullback-leibler")


def test_few_stars_get_fewer_bins_and_coarse_pixels():
    settings = settings_for(900, FitSettings())
    assert [axis.count for axis in settings.axes] == [5, 5]
    assert settings.chemistry.pixels == COARSE


def test_regular_bins_keep_their_limits():
    (axis,) = settings_for(300, FitSettings.of(bins="E:20:-2.5e5:-1e5")).axes
    assert (axis.count, axis.low, axis.high) == (8, -2.5e5, -1e5)


def test_the_number_of_components_is_that_which_the_stars_call_for(found):
    assert found.rank.choice == len(found.fit.names) == 2
    assert found.fit.settings.solver.loss == "kullback-leibler"


def test_another_number_can_be_given():
    stars, _ = planted(2000)
    made = recommended(stars, SMALL, components=3, compared=QUICK, replicates=0)
    assert len(made.fit.names) == 3
    assert made.reading.label == "C3"


def test_stars_of_one_population_are_refused():
    stars, high = planted(4000, apart=True)
    with pytest.raises(InputError, match="call for one component"):
        recommended(stars[high], SMALL, compared=QUICK, replicates=0)


def test_one_component_is_refused_as_a_setting_and_not_as_what_the_stars_call_for():
    stars, _ = planted(200)
    with pytest.raises(UsageError, match="components must be >= 2, got 1"):
        recommended(stars, SMALL, components=1)


def test_the_ranks_compared_are_no_more_than_there_are_bins():
    stars, _ = planted(200)
    made = recommended(stars, SMALL, compared=replace(QUICK, max_components=6), components=2, replicates=0)
    assert made.rank.found.ranks[-1] == len(made.fit.mixtures.bins) == 4


def test_the_prompts_line_says_which_fit_the_verdict_is_on_and_why(found):
    fit = replace(found.fit, judged=Verdict("doubtful", ("few stars: 9 a bin",)))
    line = verdict_line("chemically-pure", fit)
    assert line == "verdict on 2 components by kullback-leibler, chemically pure: doubtful: few stars: 9 a bin"


# its products


def test_the_accreted_fraction_and_its_interval_hold_the_truth_of_planted_stars(found):
    _, high = planted()
    value, low, top = found.accreted_fraction()
    assert value == pytest.approx(high.mean(), abs=0.02)
    assert low < value < top


def test_the_profile_crosses_one_half_where_the_populations_do(found):
    half = found.profiles["E"].crossings[0]
    assert half.at[0] == pytest.approx(-1.7e5, abs=0.02e5)
    low, high = found.profiles["E"].crossing_noise[:, 0]
    assert low < 0 < high


def test_memberships_table_and_boundary_are_of_the_same_fit(found):
    assert found.memberships.names == found.fit.names
    assert found.table1.components == found.fit.names[::-1]
    assert np.isfinite(found.table1.fraction_interval).all()
    assert np.isfinite(found.classifier.offset.lower)


def test_the_merged_products_are_the_fits_own_where_it_has_two_components(found):
    for name, x in found.base.products.items():
        assert found.merged[name] == pytest.approx(x, nan_ok=True), name


def test_the_table_has_a_row_for_every_number_that_is_quoted(found):
    made = found.table()
    assert {"accreted fraction", "50 % in E", "offset of the published line"} <= set(made["what"])
    inside = np.isfinite(made["lower"])
    assert inside.any()
    assert (made["lower"][inside] <= made["value"][inside]).all()
    assert (made["value"][inside] <= made["upper"][inside]).all()


def test_without_replicates_there_are_no_intervals():
    stars, _ = planted(2000)
    made = recommended(stars, SMALL, compared=QUICK, replicates=0)
    assert np.isnan(made.accreted_fraction()[1:]).all()
    assert not made.merged_replicates
    assert made.problems() == ""


def test_a_single_replicate_is_refused():
    with pytest.raises(UsageError, match="two replicates"):
        recommended(planted(2000)[0], SMALL, compared=QUICK, replicates=1)


# both analyses


def one(name, two, ours, truth):
    number = NUMBERS[name]
    return Both(number, *(judge(number, Value(x, x - 1, x + 1, truth=truth), "mock") for x in (two, ours)))


def test_both_analyses_are_held_to_the_same_truth():
    compared = [one("R1.mass.HE", 40.0, 34.0, 33.0)]
    assert [row.status for row in compared[0].rows] == ["FAIL", "PASS"]
    made = table(compared)
    assert made["two_outcome"][0] == "FAIL"
    assert made["recommended"][0] == 34.0
    assert made["tolerance"][0] == 3.0
    assert counted(compared).endswith("the paper's analysis 0 of 1, recommended 1 of 1.")


def test_the_page_shows_both_and_the_truth_where_it_is_known():
    compared = [one("R1.mass.HE", 40.0, 34.0, 33.0)]
    made = sheet(compared, True)
    assert made.header[1:4] == ("the paper's analysis", "recommended", "truth of the mock")
    assert made.rows[0][1:4] == ("40 [39, 41]", "34 [33, 35]", "33")
    assert "truth of the mock" not in sheet(compared, False).header
    assert lines(compared) == ("contribution of HE: 34.00 %, of two components 40.00, in truth 33.00",)


def test_every_headline_is_a_number_of_the_paper():
    assert set(HEADLINES) <= NUMBERS.keys()


def test_each_analysis_has_its_steps():
    assert steps_of("paper") == STEPS
    assert steps_of("both") == (*STEPS, *RECOMMENDED)
    assert steps_of("recommended") == (STEPS[0], *RECOMMENDED)
    with pytest.raises(UsageError, match="analysis must be one of paper, recommended, both"):
        PaperSettings(analysis="mine")


@pytest.mark.slow
def test_a_run_of_the_recommended_analysis_comes_closer_to_the_truth_than_two_components(tmp_path):
    settings = PaperSettings(rows=30_000, bootstrap=25, expected=0, analysis="recommended")
    made = paper.run(tmp_path, settings=settings)
    record = json.loads((tmp_path / "scoreboard.json").read_text())
    by_id = {line["id"]: line for line in record["numbers"]}
    assert all(line["ours"] is not None for line in by_id.values())
    assert by_id["R1.mass.HE"]["status"] == "PASS"
    both = load(tmp_path / "tables" / "comparison.ecsv")
    share = both[both["id"] == "R1.mass.HE"][0]
    assert abs(share["recommended"] - share["recommended_truth"]) < 0.5 * abs(share["two"] - share["two_truth"])
    verdicts = [line for line in made.headlines if line.startswith("verdict on ")]
    assert len(verdicts) == 4  # of both analyses of both selections
    assert verdicts[0] == "verdict on 3 components by kullback-leibler, chemically pure: sound"
    assert len(made.headlines) == 8
    page = (tmp_path / "report.html").read_text()
    for step in RECOMMENDED:
        assert step.title in page
        part = made.parts[step.title]
        assert part.pictures.keys() == set(step.figures)
        assert part.tables.keys() == set(step.tables)
    members = load(tmp_path / "tables" / "members-chemically-pure.ecsv")
    assert np.isfinite(members["P_C1"]).all()
    assert load(tmp_path / "fits" / "recommended-chemically-pure.h5").reading.label == "C3"


@pytest.mark.slow
def test_what_a_selection_does_not_allow_is_left_out_and_the_rest_is_made(tmp_path):
    stars, _ = planted(2500)
    stars["FE_H"] = np.maximum(stars["FE_H"], -1.0)  # none is metal-poor
    stars["Lz"] = -np.abs(stars["Lz"])
    stars["APOGEE_ID"] = [f"s{i}" for i in range(len(stars))]
    flow = CutFlow(len(stars))
    write_catalogue(tmp_path / "stars.fits", Table(stars), flow, {})
    settings = PaperSettings(bootstrap=0, analysis="recommended")
    made = paper.run(tmp_path / "out", stars=tmp_path / "stars.fits", settings=settings)
    assert "recommended-kinematically-pure" in made.skipped
    assert "analyses" not in made.skipped
    assert (tmp_path / "out" / "tables" / "comparison.ecsv").exists()
