"""The script that measures the bias over the family of mocks, and what it saved."""

import json

import numpy as np
import pytest

from halonmf.halo.mock.expected import expected
from halonmf.halo.mock.family import MODELS
from halonmf.halo.mock.settings import MockSettings

from ...scripts import script as load


@pytest.fixture(scope="module")
def script():
    return load("family", "benchmarks")


@pytest.fixture(scope="module")
def saved(script):
    return json.loads(script.OUTPUT.read_text())


def row(model, number, bias, analysis="paper", scatter=0.1):
    return {"model": model, "analysis": analysis, "number": number, "bias": bias, "scatter": scatter}


def test_the_truth_of_a_survey_is_that_of_its_stars(script):
    stars = expected(12_000, seed=3, oversample=1)
    found, truth = script.measured(stars, script.ANALYSES["paper"].replace(pixels=20))
    chosen = (np.asarray(stars["Lz"]) < 0) | (np.asarray(stars["ecc"]) > 0.7)
    accreted = np.asarray(stars["origin"])[chosen] == "accreted"
    assert truth["accreted fraction"] == pytest.approx(accreted.mean())
    fe_h = np.asarray(stars["FE_H"])[chosen][accreted]
    assert truth["HE median [Fe/H]"] == pytest.approx(np.median(fe_h), abs=0.16)
    assert found.keys() == truth.keys() == script.NUMBERS.keys()


def test_the_range_of_a_number_names_the_mocks_at_its_ends(script):
    number = "accreted fraction"
    rows = [row("fair", number, 0.02), row("gradients", number, -0.03), row("no-eos", number, None)]
    found = next(r for r in script.ranges(rows) if (r["analysis"], r["number"]) == ("paper", number))
    assert (found["least"], found["least_of"]) == (-0.03, "gradients")
    assert (found["greatest"], found["greatest_of"]) == (0.02, "fair")
    assert found["mocks"] == 2


def test_a_crossing_that_is_not_single_is_none_of_the_mean(script):
    assert script.mean(np.array([1.0, np.nan, 3.0])) == 2.0
    assert script.mean(np.array([np.nan])) is None


def test_the_picture_has_a_panel_for_each_number(script, tmp_path):
    rows = [
        row(model, number, 0.01 * i, analysis)
        for i, model in enumerate(MODELS)
        for number in script.NUMBERS
        for analysis in script.ANALYSES
    ]
    rows[0]["bias"] = rows[0]["scatter"] = None
    script.draw(rows, tmp_path / "family.png")
    assert (tmp_path / "family.png").stat().st_size > 10_000


def test_every_number_of_every_mock_is_saved(script, saved):
    recorded = {(r["model"], r["analysis"], r["number"]) for r in saved["rows"]}
    assert recorded == {(m, a, n) for m in MODELS for a in script.ANALYSES for n in script.NUMBERS}


def test_the_saved_ranges_are_those_of_the_saved_rows(script, saved):
    assert saved["ranges"] == script.ranges(saved["rows"])


def test_several_surveys_of_every_mock_were_drawn(saved):
    settings = saved["provenance"]["settings"]
    assert len(settings["seeds"]) >= 3
    assert settings["rows"] == MockSettings.stars
