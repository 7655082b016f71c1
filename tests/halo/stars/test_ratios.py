"""Ratios of abundances by name: computed from those of the table, unless it has them as a column."""

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo.errors import UsageError
from halonmf.halo.figures.style import scale
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.reading import mean_abundance
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Chemistry, parse_plane
from halonmf.halo.replicates.scatter import require_errors
from halonmf.halo.stars.cuts import user_cuts
from halonmf.halo.stars.variables import parts_of, ratio, values, variable

from ..helpers.planted import SMALL, observed, planted


def stars():
    return Table({"MG_FE": [0.3, 0.1, np.nan], "MN_FE": [-0.2, 0.0, 0.1], "FE_H": [-1.0, -0.5, 0.0]})


def test_a_ratio_is_the_difference_of_abundances_by_iron():
    assert values(stars(), "MG_MN") == pytest.approx([0.5, 0.1, np.nan], nan_ok=True)
    assert values(stars(), "MG_H") == pytest.approx([-0.7, -0.4, np.nan], nan_ok=True)


def test_a_column_of_that_name_goes_first():
    table = stars()
    table["MG_MN"] = [1.0, 2.0, 3.0]
    assert values(table, "MG_MN").tolist() == [1, 2, 3]


def test_ratios_are_cut_on_and_labelled():
    assert user_cuts(["MG_MN>0.2"])[0].keep(stars()).tolist() == [True, False, False]
    assert scale("MG_MN").label == r"$\mathrm{[Mg/Mn]}$ [dex]"


@pytest.mark.parametrize("name", ["MG_MG", "MG_XX", "M_H", "MG", "FE_MG", "mg_mn"])
def test_what_is_no_ratio_of_two_elements_is_none(name):
    assert ratio(name) is None


def test_a_missing_part_is_named():
    with pytest.raises(UsageError, match="no column AL_FE for the variable 'AL_MG'"):
        variable("AL_MG", stars())


def test_parts_are_named_once():
    assert parts_of(["MG_MN", "AL_FE", "MG_FE"]) == ("MG_FE", "MN_FE", "AL_FE")


def test_planes_of_ratios_are_fitted():
    table, _ = planted(3000)
    chemistry = Chemistry.of([parse_plane("MG_AL:AL_FE")], {"MG_AL": (-0.8, 1.2), "AL_FE": (-1.2, 0.6)}, 12)
    counted = mix(table, "E:4", chemistry)
    x, y = np.asarray(table["AL_FE"]), np.asarray(table["MG_FE"]) - np.asarray(table["AL_FE"])
    expected = np.histogram2d(y, x, bins=[chemistry.edges("MG_AL"), chemistry.edges("AL_FE")])[0]
    assert np.array_equal(counted.V.sum(axis=0).reshape(12, 12), expected)
    found = fit(table, SMALL.replace(chemistry=chemistry, bins="E:4"))
    assert found.names == ("LE", "HE")
    al = mean_abundance(found.H, chemistry, "AL_FE")  # along x
    assert al[1] < al[0]


def test_errors_of_a_ratio_are_those_of_its_parts():
    require_errors(observed(300), ["MG_AL", "FE_H"])
    with pytest.raises(UsageError, match="MN_FE_ERR"):
        require_errors(observed(300), ["MG_MN"])
