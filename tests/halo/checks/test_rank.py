"""How many components the stars of a catalogue call for: planted numbers are found, and doubts are said."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import vstack

import nmfcore
from halonmf import halo
from halonmf.halo.checks.rank import Rank, rank
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.io.tables import load_table, save_table

from ..helpers.planted import SMALL, planted

SETTINGS = SMALL.replace(pixels=12)
QUICK = {"max_components": 3, "splits": 3, "starts": 2}


@pytest.fixture(scope="module")
def found():
    return rank(planted(3000)[0], SETTINGS, **QUICK)


def test_two_planted_populations_are_found(found):
    assert found.choice == 2
    assert (
        "2 components by squared error (best for 6 of 6 halves of the stars), 2 by Kullback-Leibler; 3,000 stars"
        in found.describe()
    )
    assert found.notes() == []
    assert found.problems() == ""


def test_stars_of_one_population_need_one_component():
    stars, high = planted(3000)
    assert rank(stars[high], SETTINGS, **QUICK).choice == 1


def test_a_table_has_a_row_per_number_and_the_choice(found, tmp_path):
    save_table(tmp_path / "rank.ecsv", found.table(), {})
    table = load_table(tmp_path / "rank.ecsv")
    assert table.colnames[:5] == ["k", "score", "gain", "gain_se", "chosen"]
    assert "gain_kullback_leibler" in table.colnames
    assert table["k"].tolist() == [1, 2, 3]
    assert table.meta["choice"] == 2
    assert table.meta["choices"] == {"kullback-leibler": 2, "frobenius": 2}
    np.testing.assert_allclose(np.diff(table["score"]), table["gain"][1:])


def test_rows_are_json_and_a_first_number_gains_nothing(found):
    rows = json.loads(json.dumps(found.rows(), allow_nan=False))
    assert rows[0]["gain"] is None
    assert rows[1]["gain"] > 5 * rows[1]["gain_se"]


def test_the_loss_that_is_asked_for_makes_the_choice():
    other = rank(planted(1000)[0], SETTINGS, **QUICK, loss="kullback-leibler")
    assert other.record()["loss"] == "kullback-leibler"
    assert "gain_frobenius" in other.table().colnames


def test_scores_that_disagree_and_a_largest_number_are_said(found):
    first, second = found.found.by_loss
    swapped = replace(second, scores=second.scores[..., [0, 2, 1]])
    doubtful = replace(found, found=replace(found.found, by_loss=(first, swapped)))
    assert ["disagree" in note or "largest" in note for note in doubtful.notes()] == [True, True]
    assert "2 by squared error, 3 by Kullback-Leibler" in doubtful.describe()


def test_pixels_that_are_too_fine_for_the_stars_are_said(found):
    assert "fewer pixels" in rank(planted(300)[0], SETTINGS.replace(pixels=50), **QUICK).notes()[-1]
    assert not found.notes()


def test_fits_that_did_not_converge_are_a_problem(found):
    assert replace(found, found=replace(found.found, not_converged=2)).problems() == "not converged: 2 fits of halves"


def test_copies_of_stars_in_one_field_do_not_vote_for_components():
    stars, high = planted(200)
    one = stars[high]
    one["FIELD"] = [f"field {i}" for i in range(len(one))]
    copies = vstack([one] * 25)
    assert rank(copies, SETTINGS, **QUICK).choice > 1
    assert rank(copies, SETTINGS, **QUICK, by="field").choice == 1
    assert rank(copies, SETTINGS, **QUICK, by="FIELD").by == "FIELD"


def test_every_bin_is_halved_by_itself_where_asked(monkeypatch):
    asked = {}
    engine = nmfcore.select_rank

    def noted(*args, **options):
        asked.update(options)
        return engine(*args, **options)

    monkeypatch.setattr(nmfcore, "select_rank", noted)
    assert rank(planted(1000)[0], SETTINGS, **QUICK, by="bin").choice == 2
    assert asked["within_rows"]


def test_the_default_is_the_papers_bins_with_fewer_pixels(monkeypatch):
    monkeypatch.setattr(nmfcore, "select_rank", lambda *args, **options: (args[2], options["ranks"]))
    found = halo.rank(planted(3000)[0])
    assert isinstance(found, Rank)
    assert found.found == ((64, 800), range(1, 7))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"max_components": 1}, "max_components"),
        ({"splits": 1}, "splits"),
        ({"starts": 0}, "starts"),
        ({"seed": -1}, "seed"),
        ({"loss": "itakura-saito"}, "loss"),
        ({"by": "field"}, "--keep FIELD"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, word):
    with pytest.raises(UsageError, match=word):
        rank(planted(300)[0], SETTINGS, **{**QUICK, **change})


def test_too_few_stars_are_told():
    with pytest.raises(InputError, match="fewer components"):
        rank(planted(40)[0], SETTINGS.replace(bins="E:2,Lz:2"), **{**QUICK, "max_components": 5})


def test_progress_tells_the_fits_that_are_done():
    said = []
    rank(planted(300)[0], SETTINGS, **QUICK, progress=lambda *x: said.append(x))
    assert said[-1] == ("fits of halves", 36, 36)
