"""The paper's numbers of two components are read off what an ensemble reduces every fit to, under its names."""

import pytest

from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.paper.numbers import two_components
from halonmf.halo.paper.quoted import numbers
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.overview import PROFILES
from halonmf.halo.products.profile import fraction_at, profile
from halonmf.halo.products.separations import separations
from halonmf.halo.replicates.replicate import begin
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.published_line import belokurov_kravtsov, mean_line

from ..helpers.planted import SMALL, planted

TWO = ("R1.mass", "R2.offset", "R2.low_energy", "R3", "R6.HE.", "R6.LE.", "R9.chemically-pure", "R10.chemically-pure")


@pytest.fixture(scope="module")
def made():
    table, _ = planted()
    table["r_sph"], table["R_cyl"], table["z_gal"] = (8 + (table["E"] + 1.7e5) / 0.15e5 for _ in range(3))
    base = begin(table, Setup(fit=SMALL))
    return table, base, two_components("chemically-pure", base.products, base.coordinates)


def test_every_number_of_two_components_is_made(made):
    *_, found = made
    wanted = {number.id for number in numbers() if number.id.startswith(TWO)}
    assert len(wanted) > 25
    assert wanted <= found.keys()


def test_tracks_are_as_often_apart_as_the_tracks_themselves_say(made):
    _, base, found = made
    al, mg = separations(base.fit)
    chosen = (al.x > -2) & (al.x < 0.5)
    assert found["R3.apart.AL_FE"] == pytest.approx((al.difference[chosen] > 0).mean())
    assert found["R3.apart.MG_FE"] == pytest.approx((mg.difference[(mg.x > -2) & (mg.x < 0.5)] > 0).mean())


def test_the_fraction_at_the_published_lines_mean_is_the_profiles(made):
    table, base, found = made
    along = profile(base.fit, table, parse_axes(PROFILES["E"]))
    assert found["R2.low_energy"] == pytest.approx(fraction_at(along, mean_line()), abs=0.02)
    assert found["R9.chemically-pure.50"] == pytest.approx(along.crossings[0].at[0])


def test_offsets_are_those_of_the_boundary(made):
    table, base, found = made
    line = boundary(base.fit, table)
    assert found["R2.offset.retrograde"] == pytest.approx(
        (line.smoothed - belokurov_kravtsov(line.Lz))[line.Lz < 0].min()
    )
    assert found["R2.offset.prograde"] == pytest.approx(
        (line.smoothed - belokurov_kravtsov(line.Lz))[line.Lz > 0].mean()
    )
