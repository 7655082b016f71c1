"""Few stars get bins and pixels that their fit can be trusted with; those that were asked for win."""

import dataclasses

import numpy as np
import pytest
from astropy.table import vstack

from halonmf.halo.errors import InputError
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.verdict import UNSOUND
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.paper.settings import PaperSettings
from halonmf.halo.paper.suited import (
    Choices,
    as_in_the_paper,
    layout,
    numbers_of_pixels,
    require_names,
    suit,
    without_clusters,
)
from halonmf.halo.stars.catalogue import Catalogue
from halonmf.halo.stars.clusters import centres
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted
from ..stars.test_clusters import near

PAPER = SMALL.replace(bins="E:8,Lz:8", pixels=50)


def test_enough_stars_keep_the_settings():
    table, _ = planted(12_000)
    found = suit(table, PAPER)
    assert found.settings == PAPER
    assert found.verdict.word != UNSOUND
    assert found.said == found.refused == ""


def test_few_stars_get_bins_and_pixels_that_the_verdict_accepts_and_are_told_why():
    table, _ = planted(350)
    assert fit(table, PAPER).verdict.word == UNSOUND
    found = suit(table, PAPER)
    assert fit(table, found.settings).verdict.word == found.verdict.word != UNSOUND
    assert found.settings.axes[0].count < 8
    assert found.settings.chemistry.pixels < 50
    assert layout(found.settings) in found.said
    assert layout(PAPER) in found.said
    assert "few stars: 5 a bin" in found.said
    found.require()


def test_a_sample_that_no_setting_suits_is_refused_with_both_that_were_tried():
    table, _ = planted(300)
    # one population under two names: halves of the stars find other components every time
    rng = np.random.default_rng(1)
    for name, middle, scatter in (("FE_H", -1.0, 0.5), ("AL_FE", 0.0, 0.2), ("MG_FE", 0.2, 0.1)):
        table[name] = rng.normal(middle, scatter, len(table))
    found = suit(table, PAPER)
    assert "bins E:8,Lz:8 and 50 pixels or bins E:2,Lz:2" in found.refused
    assert "--bins and --pixels" in found.refused
    with pytest.raises(InputError, match="no fit of the 300 all stars is to be trusted"):
        found.require()


def test_bins_and_pixels_that_were_given_win():
    table, _ = planted(500)
    given = PaperSettings(axes=parse_axes("E:7,Lz:6"), device="cpu")
    found = Choices(table, given).of("retrograde")
    assert layout(found.settings) == "bins E:7,Lz:6 and 50 pixels"
    assert found.verdict is None
    both = Choices(table, dataclasses.replace(given, pixels=33))
    assert layout(both.of("retrograde").settings) == "bins E:7,Lz:6 and 33 pixels"
    assert both.said(["retrograde"]) == ()
    pixels = Choices(table, PaperSettings(pixels=33))
    assert layout(pixels.of("retrograde").settings) == "bins E:8,Lz:8 and 33 pixels"


def test_what_was_changed_does_not_depend_on_what_was_asked_for_before():
    table, _ = planted(350)
    settings = PaperSettings(device="cpu")
    before, after = Choices(table, settings), Choices(table, settings)
    before.of("prograde")
    before.of("all")
    said = after.said(("all", "prograde"))
    assert before.said(("all", "prograde")) == said
    assert "for the 350 all stars" in said[0]
    assert before.said(["prograde"]) == said[1:]


def test_too_few_stars_for_any_fit_are_refused_when_they_are_asked_for():
    table, _ = planted(20)
    found = Choices(table, PaperSettings(device="cpu")).of("retrograde")
    with pytest.raises(InputError, match="stars"):
        found.require()


def test_errors_are_taken_over_the_paper_s_pixels_or_none_finer_than_what_was_chosen():
    assert numbers_of_pixels(PAPER) == (10, 20, 30, 40, 50, 60)
    assert numbers_of_pixels(PAPER.replace(pixels=19)) == (10, 19)
    assert numbers_of_pixels(PAPER.replace(pixels=20)) == (10, 20)
    assert as_in_the_paper(PAPER)
    assert not as_in_the_paper(PAPER.replace(pixels=20))
    assert not as_in_the_paper(PAPER.replace(bins="E:8,Lz:7"))


def test_components_that_are_not_le_and_he_are_refused():
    table, _ = planted(4000)
    good = fit(table, SMALL)
    require_names(good)
    with pytest.raises(InputError, match="not what LE and HE mean"):
        require_names(dataclasses.replace(good, H=good.H[::-1]))


def test_clusters_are_left_out_where_they_are_too_many():
    row = centres()[list(centres()["name"]).index("NGC_6121_M_4")]
    table, _ = planted(400)
    table["RA"], table["DEC"] = np.linspace(0, 300, 400), np.linspace(-60, -40, 400)
    table["pmra"], table["pmdec"], table["radial_velocity"] = np.full((3, 400), 400.0)
    some, _ = planted(60, seed=1)
    for name in ("RA", "DEC", "pmra", "pmdec", "radial_velocity"):
        some[name] = near(row)[name]
    table["Lz"], some["Lz"] = -np.abs(table["Lz"]), -np.abs(some["Lz"])
    both = Catalogue(vstack([table, some]), CutFlow(460), {})
    found, said = without_clusters(both, ("chemically-pure",))
    assert 400 <= len(found) < 410
    assert "of NGC_6121_M_4 by place and motion" in said
    assert found.cutflow.passed == len(found)
    # a few do no harm, and stars whose motion nobody knows are in no cluster
    few = Catalogue(vstack([table, some[:3]]), CutFlow(403), {})
    assert without_clusters(few, ("chemically-pure",)) == (few, "")
    bare = Catalogue(planted(50)[0], CutFlow(50), {})
    assert without_clusters(bare, ("chemically-pure",)) == (bare, "")
