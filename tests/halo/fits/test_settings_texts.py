"""Texts where settings take them: one text is one thing, an empty one is a mistake."""

import pytest

from halonmf.halo.ensembles.settings import RunOptions
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import as_axes, parse_axes
from halonmf.halo.stars.settings import Selection


def test_one_condition_may_be_a_text():
    assert Selection(cuts="LOGG<2").cuts == ("LOGG<2",)
    assert FitSettings.of(cuts="LOGG<2").selection.cuts == ("LOGG<2",)
    assert Selection(cuts=["LOGG<2", "|z|<2"]).cuts == ("LOGG<2", "|z|<2")


def test_bins_may_be_several_texts():
    assert as_axes(["E:5", "Lz:4"]) == parse_axes("E:5,Lz:4")
    assert FitSettings.of(bins=["E:5", "Lz:4"]).axes == parse_axes("E:5,Lz:4")


def test_empty_or_doubled_bins_are_refused():
    with pytest.raises(UsageError, match="neither"):
        FitSettings.of(bins="")
    with pytest.raises(UsageError, match="mean the same"):
        FitSettings.of(bins="E:5", axes="Lz:4")


def test_a_shard_is_a_text_or_numbers_within_their_limits():
    assert RunOptions(shard="1/2").shard == (1, 2)
    with pytest.raises(UsageError, match="from 1 to 2"):
        RunOptions(shard=(3, 2))
