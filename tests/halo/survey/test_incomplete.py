"""Stars without some abundance: left out as before, or kept with NaN in place of what is no measurement."""

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo.errors import UsageError
from halonmf.halo.stars.cuts import apply_cuts
from halonmf.halo.survey.quality import QualityCuts, mapped_quality_cuts, measured_only
from halonmf.halo.survey.settings import PrepareSettings

ELEMENTS = ("FE_H", "AL_FE", "MG_FE")


def stars():
    """All measured; Al flagged; Mg too uncertain; Al and Mg bad; Fe bad; Al not a number."""
    table = Table({name: np.full(6, 0.1) for name in ELEMENTS})
    for name in ELEMENTS:
        table[f"{name}_ERR"], table[f"{name}_FLAG"] = np.full(6, 0.05), np.zeros(6, int)
    table["AL_FE_FLAG"][[1, 3]] = 1
    table["MG_FE_ERR"][[2, 3]] = 0.5
    table["FE_H_FLAG"][4] = 1
    table["AL_FE"][5] = np.nan
    return table


def kept(settings):
    table = stars()
    mask, flow = apply_cuts(table, mapped_quality_cuts(table, settings))
    return measured_only(table[mask], settings, mapped=True), mask, flow


def test_by_default_a_star_needs_every_abundance():
    found, mask, _ = kept(QualityCuts(ELEMENTS))
    assert mask.tolist() == [True, False, False, False, False, False]
    assert np.isfinite(found["AL_FE"]).all()


def test_kept_stars_have_iron_and_one_more_and_nan_for_the_rest():
    found, mask, flow = kept(QualityCuts(ELEMENTS, missing="keep"))
    assert mask.tolist() == [True, True, True, False, False, True]
    assert np.isnan(found["AL_FE"]).tolist() == [False, True, False, True]
    assert np.isnan(found["MG_FE"]).tolist() == [False, False, True, False]
    assert np.isfinite(found["FE_H"]).all()
    assert "AL_FE or MG_FE measured" in flow.names


def test_without_flags_only_errors_count():
    found, _, _ = kept(QualityCuts(ELEMENTS, flags=False, missing="keep"))
    assert np.isnan(found["AL_FE"]).sum() == 1


def test_an_unknown_way_is_refused():
    with pytest.raises(UsageError, match="drop, keep"):
        PrepareSettings(missing="guess")
