"""What comes of the paper's numbers: the list itself, and how ours are held to it."""

import json
import math
import re
from pathlib import Path

import pytest

from halonmf.halo.paper import quoted
from halonmf.halo.paper.quoted import Number, kind_of_sample, numbers
from halonmf.halo.paper.scoreboard import (
    FAIL,
    MISPRINTED,
    NOT_COMPARABLE,
    PASS,
    UNDEFINED,
    Value,
    board,
    judge,
)

SPECIFICATION = Path(__file__).resolve().parents[4] / "shared" / "PAPER.md"
CROSSING = Number("R9.half", "R9", "crossing", "km2 / s2", -1.67e5, 4000.0, "half a bin")


def status(number, value, sample="survey", **more):
    return judge(number, value, sample, **more).status


def test_every_number_has_a_tolerance_and_a_reason_or_a_fault_and_a_note():
    for number in numbers():
        if number.fault:
            assert number.note
            assert math.isinf(number.tolerance)
        else:
            assert len(number.why) > 10
            assert 0 <= number.tolerance < math.inf


def test_every_product_of_the_paper_has_a_number():
    assert {number.product for number in numbers()} == {"S", *(f"R{i}" for i in range(17))}


def test_the_numbers_of_the_specification_are_all_listed():
    if not SPECIFICATION.exists():
        pytest.skip(f"needs ../shared/{SPECIFICATION.name}, the paper as a specification")
    text = SPECIFICATION.read_text()
    table = re.search(r"## 4\. Results.*?\n(.*?)\n## 5", text, re.DOTALL).group(1)
    by_row = {row.split("|")[1].strip(): row.rsplit("|", 2)[1] for row in table.splitlines() if row.startswith("| R")}
    assert len(by_row) == 17
    listed = {}
    for number in numbers():
        if number.paper is not None:
            listed.setdefault(number.product, []).append(number.paper)
    # percentages, percentiles, crossings and actions: what each row gives with digits after the point, or in kpc km/s
    for product in ("R1", "R5", "R6"):
        for text in re.findall(r"-?\d+\.\d+", by_row[product]):
            assert float(text) in listed[product], (product, text)
    for text in re.findall(r"(-\d\.\d+)e5", by_row["R9"]):
        assert float(text) * 1e5 in listed["R9"], text
    for text in re.findall(r"\d+", by_row["R13"].split("J_r")[1]):
        assert float(text) in listed["R13"], text


def test_within_the_tolerance_is_a_pass_and_beyond_it_a_failure():
    assert status(CROSSING, Value(-1.67e5 + 4000)) == PASS
    assert status(CROSSING, Value(-1.67e5 + 4001)) == FAIL
    assert status(CROSSING, Value(-1.67e5 - 4001)) == FAIL


def test_a_relative_tolerance_is_a_part_of_what_the_number_is_held_to():
    action = Number("a", "R13", "J_r", "kpc km / s", 500.0, 0.1, "why", relative=True)
    assert [status(action, Value(x)) for x in (450.0, 449.0)] == [PASS, FAIL]
    assert [status(action, Value(x, truth=100.0), "mock") for x in (110.0, 111.0)] == [PASS, FAIL]


def test_limits_are_open_on_one_side():
    at_most = Number("a", "R10", "share", "", 0.0, 0.1, "why", bound="at most")
    at_least = Number("b", "R10", "lead", "", 0.0, 0.1, "why", bound="at least")
    assert [status(at_most, Value(x)) for x in (-5.0, 0.1, 0.2)] == [PASS, PASS, FAIL]
    assert [status(at_least, Value(x)) for x in (5.0, -0.1, -0.2)] == [PASS, PASS, FAIL]


def test_a_limit_must_hold_of_ours_on_a_mock_if_it_holds_in_truth():
    at_most = Number("a", "R10", "share", "", 0.0, 0.1, "why", bound="at most")
    outcomes = {(ours, true): status(at_most, Value(ours, truth=true), "mock") for ours in (0, 1) for true in (0, 1)}
    assert outcomes == {(0, 0): PASS, (1, 1): PASS, (0, 1): FAIL, (1, 0): FAIL}


def test_on_a_mock_the_truth_takes_the_paper_s_place():
    assert status(CROSSING, Value(-1.9e5, truth=-1.9e5), "mock") == PASS
    assert status(CROSSING, Value(-1.67e5, truth=-1.9e5), "mock") == FAIL
    assert judge(CROSSING, Value(-1.9e5, truth=-1.9e5), "mock").expected == -1.9e5


def test_without_a_truth_a_mock_is_not_comparable_but_numbers_of_the_method_are():
    assert status(CROSSING, Value(-1.67e5), "mock") == NOT_COMPARABLE
    cosine = Number("c", "R15", "cosine", "", 1.0, 0.01, "why", of_method=True)
    assert status(cosine, Value(0.999), "mock") == PASS
    assert status(cosine, Value(0.5), "sub-sample") == FAIL


def test_a_sub_sample_is_not_comparable_however_near_it_comes():
    row = judge(CROSSING, Value(-1.67e5), "sub-sample")
    assert row.status == NOT_COMPARABLE
    assert "sub-sample" in row.reason


def test_a_bias_that_explains_a_miss_does_not_mend_it():
    row = judge(CROSSING, Value(-1.8e5, truth=-1.67e5, note="a fit without noise gives -1.8e5"), "mock")
    assert row.status == FAIL
    assert row.value.note


def test_a_crossing_that_never_happens_is_a_miss_unless_it_never_does_in_truth():
    assert status(CROSSING, Value(None)) == FAIL
    assert status(CROSSING, Value(None, truth=math.nan), "mock") == PASS
    assert status(CROSSING, Value(-1.6e5, truth=math.nan), "mock") == FAIL


def test_what_was_not_made_says_why():
    row = judge(CROSSING, None, "survey", "no simulated galaxies were given")
    assert row.status == NOT_COMPARABLE
    assert "no simulated galaxies" in row.reason


def test_misprinted_and_undefined_numbers_are_never_compared():
    misprinted = Number(
        "m", "R6", "percentile", "dex", -1.75, math.inf, "", fault="misprinted", note="below its median"
    )
    undefined = Number("u", "R16", "span", "%", None, math.inf, "", fault="undefined", note="no number given")
    assert status(misprinted, Value(-1.75)) == MISPRINTED
    assert status(undefined, Value(30.0), "mock") == UNDEFINED
    assert status(undefined, None) == UNDEFINED


def test_a_sample_near_the_paper_s_number_is_the_survey():
    assert kind_of_sample(13_147, False) == "survey"
    assert kind_of_sample(12_000, False) == "survey"
    assert kind_of_sample(870, False) == "sub-sample"
    assert kind_of_sample(13_147, True) == "mock"


def test_the_board_holds_every_number_once_and_counts_them():
    made = board({"R1.mass.HE": Value(33.0, 32.0, 34.0)}, "survey", 13_147, skipped={"R11": "no galaxies"})
    assert [row.number.id for row in made.rows] == [number.id for number in numbers()]
    assert sum(made.counts.values()) == len(numbers())
    assert made.counts[PASS] == 1
    record = json.loads(json.dumps(made.record(), allow_nan=False))
    line = next(row for row in record["numbers"] if row["id"] == "R1.mass.HE")
    assert (line["ours"], line["low"], line["high"], line["paper"]) == (33.0, 32.0, 34.0, 33.53)
    assert "no galaxies" in next(row for row in record["numbers"] if row["id"] == "R11.nearest")["reason"]


def test_a_wide_tolerance_shows_as_many_standard_errors():
    row = judge(CROSSING, Value(-1.68e5, -1.681e5, -1.679e5, truth=-1.67e5), "mock")
    assert row.status == PASS
    assert row.off_in_errors == pytest.approx(-10.0)
    # nothing to divide by, or nothing to compare with
    assert judge(CROSSING, Value(-1.68e5, truth=-1.67e5), "mock").off_in_errors is None
    assert judge(CROSSING, Value(-1.68e5, -1.68e5, -1.68e5, truth=-1.67e5), "mock").off_in_errors is None
    assert judge(CROSSING, Value(-1.68e5, -1.681e5, -1.679e5), "mock").off_in_errors is None
    assert judge(CROSSING, Value(None, -1.681e5, -1.679e5, truth=-1.67e5), "mock").off_in_errors is None


def test_what_no_mock_was_made_to_have_is_not_compared_on_a_mock():
    place = Number("R13.rank", "R13", "place", "", 1.0, 0.0, "why", unplanned="no one put this into it")
    row = judge(place, Value(4.0, truth=5.0), "mock")
    assert (row.status, row.expected) == (NOT_COMPARABLE, None)
    assert "no one put this" in row.reason
    assert status(place, Value(4.0), "survey") == FAIL
    listed = {number.id for number in numbers() if number.unplanned}
    assert listed == {"R13.rank"}


def test_each_number_of_one_component_knows_which():
    of = {number.id: number.component for number in numbers()}
    assert of["R5.mass.HE2"] == of["R7.peak.HE2"] == of["R6.HE2.AL_FE.50"] == "HE2"
    assert of["R1.mass.HE"] == "HE"
    assert of["R9.chemically-pure.50"] == ""


def test_a_component_is_not_trusted_where_most_of_its_numbers_miss():
    def made(offs):
        # in tolerances, the first numbers of the list of HE2
        mine = [number for number in numbers() if number.component == "HE2"]
        return {
            number.id: Value(off * number.tolerance, -0.5 * number.tolerance, 0.5 * number.tolerance, truth=0.0)
            for number, off in zip(mine, offs, strict=False)
        }

    (half,) = board(made([2.0, 2.0, 0.5, 0.5]), "mock", 1).components
    assert (half.name, half.compared, half.missed, half.trusted) == ("HE2", 4, 2, True)
    (most,) = board(made([2.0, 2.0, 2.0, 0.5]), "mock", 1).components
    assert not most.trusted
    assert most.off_in_errors == pytest.approx(4.0)
    assert "3 of its 4 numbers" in most.describe()
    # of a sub-sample nothing is held to anything
    assert board(made([2.0, 2.0, 2.0]), "sub-sample", 1).components == ()


def test_the_range_of_the_revised_abstract_stands_beside_the_number_it_is_of():
    record = board({"R1.mass.HE": Value(39.4)}, "survey", 13_147).record()
    revised = {line["id"]: line["revised"] for line in record["numbers"] if line["revised"]}
    assert revised == {"R1.mass.HE": [34.0, 53.0]}


def test_a_value_of_no_number_is_refused():
    with pytest.raises(ValueError, match=r"R99\.nothing"):
        board({"R99.nothing": Value(1.0)}, "survey", 1)


def test_a_list_that_contradicts_itself_is_refused():
    rules = {"t": {"absolute": 1.0, "why": "because"}}
    good = {"id": "x", "product": "R1", "what": "w", "paper": 1.0, "tolerance": "t"}
    assert quoted._number(good, rules).tolerance == 1.0
    for broken in ({"fault": "wrong"}, {"bound": "near"}, {"of": "mine"}):
        with pytest.raises(ValueError, match="x has an unknown"):
            quoted._number({**good, **broken}, rules)
    with pytest.raises(ValueError, match="needs the paper's number"):
        quoted._number({key: good[key] for key in ("id", "product", "what")}, rules)
