"""The boundary of a fit with intervals: the values are the ordinary products', the intervals the replicates'."""

from pathlib import Path

import numpy as np
import pytest

from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import Bootstrap
from halonmf.halo.orbits.convention import own
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.profile import profile
from halonmf.halo.products.settings import PROFILES, BoundarySettings
from halonmf.halo.replicates.posterior import classifier
from halonmf.halo.replicates.replicate import begin, reduce
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted

SETTINGS = SMALL.replace(components=2, selection="chemically-pure")


@pytest.fixture(scope="module")
def sample():
    table, _ = planted(3000)
    return table, fit(table, SETTINGS)


@pytest.fixture(scope="module")
def line(sample):
    table, made = sample
    return classifier(made, table, bootstrap=Bootstrap(40))


def test_values_are_those_of_the_boundary_and_of_the_profile(sample, line):
    table, made = sample
    np.testing.assert_array_equal(line.free.value, boundary(made, table).smoothed)
    along = profile(made, table, PROFILES["dE"])
    assert along.crossings[0].at == (line.offset.value,)


def test_intervals_are_those_of_an_ensemble_of_the_same_draws(sample, line):
    table, made = sample
    found = reduce(begin(table, Setup(SETTINGS)), 0, 40)
    spread = np.nanstd(found["crossing_dE"][:, 0])
    width = 0.5 * (line.offset.upper - line.offset.lower)
    assert width == pytest.approx(spread, rel=0.35)
    assert line.offset.lower < line.offset.value < line.offset.upper
    share = found["fraction_dE"][:, :, -1].mean(axis=0)
    # a bin of few stars has too few in some replicates, which are then left out here
    good = profile(made, table, PROFILES["dE"]).application.mixtures.n_stars > 40
    np.testing.assert_allclose(line.fraction.value[good], share[good], atol=1e-4)


def test_no_replicates_no_intervals(sample, line):
    table, made = sample
    bare = classifier(made, table, bootstrap=Bootstrap(0))
    assert bare.offset.value == line.offset.value
    assert np.isnan([bare.offset.lower, bare.offset.upper]).all()
    assert np.isnan(bare.free.lower).all()
    assert bare.replicates == 0


def test_a_grid_of_ones_own_has_intervals_in_its_columns(sample):
    table, made = sample
    found = classifier(made, table, settings=BoundarySettings(grid=6), bootstrap=Bootstrap(20))
    assert found.free.lower.shape == (6,)
    good = np.isfinite(found.free.value)
    assert good.any()
    assert np.isfinite(found.free.lower[good]).any()
    assert (found.free.lower[good] <= found.free.upper[good]).all()


def test_other_stars_than_the_fits_are_drawn_by_themselves(sample):
    table, made = sample
    found = classifier(made, table[::2], bootstrap=Bootstrap(20))
    assert np.isfinite(found.offset.lower)


@pytest.mark.parametrize("kind", [str, Path])
def test_energies_are_those_that_the_file_states(sample, tmp_path, kind):
    table, made = sample
    table = table.copy()
    table["APOGEE_ID"] = [f"2M{i}" for i in range(len(table))]
    path = write_catalogue(tmp_path / "stars.fits", table, CutFlow(len(table)), {"orbits": own().record()})
    assert classifier(made, kind(path), bootstrap=Bootstrap(0)).convention == own()


def test_coverage_is_checked(sample):
    table, made = sample
    with pytest.raises(UsageError, match="coverage must lie between"):
        classifier(made, table, coverage=68)
