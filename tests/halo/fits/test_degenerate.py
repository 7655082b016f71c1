"""Fits that converge on next to nothing say so, in the verdict and on standard error."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from halonmf.cli import app
from halonmf.halo.fits.degenerate import degenerate
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.verdict import DOUBTFUL, SOUND, UNSOUND
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted, planted_fit


def test_a_usual_fit_is_not_degenerate():
    assert degenerate(planted_fit()) == []


def test_stars_in_one_pixel_are_not_to_be_trusted():
    table = planted(600)[0]
    table["FE_H"], table["AL_FE"], table["MG_FE"] = -1.0, 0.01, 0.21
    verdict = fit(table, SMALL).verdict
    assert verdict.word == UNSOUND
    assert any("all stars lie in one pixel of each image" in reason for reason in verdict.reasons)


def test_two_stars_of_334_in_the_bins_are_not_to_be_trusted():
    table = planted(334)[0]
    table["E"] = -2e5
    table["E"][:2] = -1.2e5, -1.1e5
    verdict = fit(table, SMALL.replace(bins="E:2:-1.3e5:-1.0e5")).verdict
    assert verdict.word == UNSOUND
    assert any("the bins hold 2 of 334 stars: widen --bins" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(("part", "word"), [(0.6, SOUND), (0.3, DOUBTFUL), (0.05, UNSOUND)])
def test_the_part_of_the_stars_in_the_bins_is_judged(part, word):
    found = planted_fit()
    rows = found.mixtures.rows.copy()
    rows[int(part * len(rows)) :] = -1
    told = degenerate(replace(found, mixtures=replace(found.mixtures, rows=rows)))
    assert [bad for bad, _ in told] == ([] if word == SOUND else [word == UNSOUND])
    assert all(f"hold {int(part * 6000)} of 6000" in text for _, text in told)


def test_stars_outside_the_images_are_judged():
    found = planted_fit()
    columns = found.mixtures.columns.copy()
    columns[600:] = -1
    ((bad, text),) = degenerate(replace(found, mixtures=replace(found.mixtures, columns=columns)))
    assert not bad
    assert "of 6000 stars of the bins: widen --range" in text


def test_a_component_of_no_mass_is_named():
    found = planted_fit()
    W = found.W.copy()
    W[:, 1] *= 1e-9
    told = degenerate(replace(found, W=W))
    assert told == [(True, "no star is in HE (mass fraction below 1e-06): take fewer components")]


def test_the_command_warns_of_bins_that_hold_few_stars(tmp_path):
    table = planted(6000)[0]
    table["APOGEE_ID"] = np.char.add("2M", np.arange(6000).astype(str))
    path = write_catalogue(tmp_path / "stars.fits", table, CutFlow(6000), {})
    arguments = ["--selection", "all", "--bins", "E:3:-2.5e5:-2.0e5", "--pixels", "8", "-o", str(tmp_path / "fit.h5")]
    result = CliRunner().invoke(app, ["fit", str(path), *arguments])
    assert result.exit_code == 0
    assert "of 6000 stars: widen --bins" in result.stderr


def test_twelve_components_on_334_stars_are_not_to_be_trusted():
    verdict = fit(planted(334)[0], SMALL.replace(components=12)).verdict
    assert verdict.word == UNSOUND
    assert verdict.advice
