"""The protocol of products: every result has a table, words and problems, as a terminal and a file need them."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo.checks.injection import Injection, Stream
from halonmf.halo.checks.penalties import Search, search
from halonmf.halo.checks.rank import Rank, rank
from halonmf.halo.checks.settings import RankSettings
from halonmf.halo.checks.stability import Stability, stability
from halonmf.halo.ensembles.rows import Summary
from halonmf.halo.ensembles.spread import Spread, spread
from halonmf.halo.ensembles.summary import summarise_setup
from halonmf.halo.fits.apply import Application
from halonmf.halo.fits.fit import Fit
from halonmf.halo.fits.likelihood import Likelihood, likelihood
from halonmf.halo.io.tables import load_table, save_table
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.settings import Axis, Chemistry, parse_axes
from halonmf.halo.paper.recommended import Recommended, recommended
from halonmf.halo.populations.aurora import Aurora, aurora
from halonmf.halo.populations.bifurcation import Bifurcation, bifurcation
from halonmf.halo.populations.regions import Region, RegionEnergies, region_energies
from halonmf.halo.products.boundary import Boundary, boundary_of
from halonmf.halo.products.densities import Densities, densities
from halonmf.halo.products.eccentricity import Eccentricities, eccentricities
from halonmf.halo.products.four import Four
from halonmf.halo.products.memberships import Memberships, Reliability, memberships, reliability
from halonmf.halo.products.offset import Offset, offset
from halonmf.halo.products.profile import Profile, profile_of
from halonmf.halo.products.protocol import Product
from halonmf.halo.products.separations import Separations, separations
from halonmf.halo.products.table1 import Table1, table1
from halonmf.halo.products.tracks import Tracks, tracks
from halonmf.halo.replicates.replicate import begin
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.simulations.fractions import Simulated, simulate
from halonmf.halo.simulations.particles import Galaxy
from halonmf.halo.simulations.recovery import GalaxyRecovery, recover

from ..helpers.columns import faults
from ..helpers.four import four_found
from ..helpers.planted import SMALL, hand_made_application, planted, planted_fit

CLASSES = (
    Application, Aurora, Bifurcation, Boundary, Densities, Eccentricities, Fit, Four, GalaxyRecovery, Injection,
    Likelihood, Memberships, Offset, Profile, Rank, Recommended, RegionEnergies, Reliability, Search, Separations,
    Simulated, Spread, Stability, Summary, Table1, Tracks,
)  # fmt: skip


def a_profile():
    return profile_of(hand_made_application([0.1, 0.3, 0.7, 0.9], "E:4:-3e5:-1e5"))


def a_boundary():
    return boundary_of(hand_made_application(np.tile([0.1, 0.4, 0.9], 3), "Lz:3:-1500:1500,E:3:-3e5:-1e5"))


def an_aurora():
    stars, _ = planted()
    made = planted_fit()
    bins = make_bins(stars, parse_axes("E:2:-2.5e5:-1e5,Lz:2:-2000:2000"))
    return aurora(made, stars, 1, bins=bins, iterations=5)


def a_bifurcation():
    rng = np.random.default_rng(0)
    names = ("J_r", "J_z", "J_phi", "Lz", "ecc", "AL_FE")
    stars = Table({name: rng.uniform(0.1, 0.9, 60) for name in names})
    stars["FE_H"], stars["MG_FE"] = rng.uniform(-0.9, -0.2, 60), rng.uniform(0.06, 0.34, 60)
    return bifurcation(stars, None, draws=5)


def regions_compared():
    regions = {name: Region(name, None, None, cut) for name, cut in (("Eos", "FE_H>-0.8"), ("GS/E", "FE_H<-0.8"))}
    return region_energies(planted()[0], regions, draws=5)


def an_injection():
    cosine = np.array([[[0.9, 0.9], [0.1, 0.9]]])
    one = np.ones(1)
    return Injection(Stream(), 0.1 * one, one, one, 0.2 * one, np.array([100, 200]), cosine, 0.1, 0.8, 1000, 3)


def a_galaxy():
    rng = np.random.default_rng(0)
    particles = Table({"r_sph": rng.uniform(2, 14, 300), "FE_H": np.full(300, -1.5), "mass": np.ones(300)})
    particles["accreted"] = particles["r_sph"] > 7
    galaxy = Galaxy("toy", particles, 300, "flagged", np.zeros(3), np.array([0.0, 0.0, 1.0]), {})
    return simulate(galaxy, ["r:4:2:14"])


def a_recovery():
    stars = planted()[0].copy()
    stars["accreted"] = (stars["E"].value > np.median(stars["E"].value)).astype(int)
    stars["r_sph"] = np.linspace(2, 14, len(stars))
    return recover(planted_fit(), stars, ["r:4:2:14"])


def a_summary():
    made = begin(planted(1000)[0], Setup(SMALL.replace(chemistry=Chemistry(pixels=10))))
    return Summary((summarise_setup(0, "base", made.setup, made.products, made.coordinates, {}),))


def a_spread():
    high = np.array([[0.1, 0.3, 0.8], [0.1, 0.4, 0.9]])
    return spread("E", np.linspace(-3e5, -1e5, 4), ("LE", "HE"), np.stack([1 - high, high], axis=-1), np.full(3, 100))


EXAMPLES = {
    Application: lambda: a_profile().application,
    Aurora: an_aurora,
    Bifurcation: a_bifurcation,
    Boundary: a_boundary,
    Densities: lambda: densities([planted_fit()]),
    Eccentricities: lambda: eccentricities(planted_fit(), planted()[0]),
    Fit: planted_fit,
    GalaxyRecovery: a_recovery,
    Four: lambda: four_found()[1],
    Injection: an_injection,
    Likelihood: lambda: likelihood(planted_fit("kullback-leibler")),
    Memberships: lambda: memberships(planted_fit(), planted()[0]),
    Offset: lambda: offset(a_boundary()),
    Profile: a_profile,
    Rank: lambda: rank(planted(600)[0], SMALL.replace(pixels=10), max_components=2, splits=2, starts=1),
    Recommended: lambda: recommended(
        planted(1500)[0], SMALL, compared=RankSettings(splits=2, starts=1, max_components=2), replicates=0
    ),
    RegionEnergies: regions_compared,
    Reliability: lambda: reliability(np.array([0.1, 0.8, 0.9]), np.array([False, True, True])),
    Search: lambda: search(planted(600)[0], SMALL.replace(chemistry=Chemistry(pixels=10)), draws=3, number=2),
    Separations: lambda: separations(planted_fit()),
    Simulated: a_galaxy,
    Spread: a_spread,
    Stability: lambda: stability(planted(600)[0], SMALL, starts=2, bins=(), pixels=()),
    Summary: a_summary,
    Table1: lambda: table1([planted_fit()]),
    Tracks: lambda: tracks(planted_fit()),
}


KINDS = {
    Aurora: "aurora", Bifurcation: "bifurcation", Boundary: "boundary", Densities: "densities", Injection: "injection",
    Four: "four", Offset: "offset", Separations: "separations", Simulated: "simulation", Table1: "table",
    Tracks: "tracks",
}  # fmt: skip
"""Kinds of table whose columns have units that their names alone do not tell."""


@pytest.fixture(scope="module", params=CLASSES, ids=lambda c: c.__name__)
def product(request):
    made = EXAMPLES[request.param]()
    assert type(made) is request.param
    return made


def test_every_result_is_a_product(product):
    assert isinstance(product, Product)


def test_nothing_but_self_has_to_be_given(product):
    for name in ("table", "describe", "problems"):
        given = inspect.signature(getattr(product, name)).parameters.values()
        assert all(parameter.default is not parameter.empty for parameter in given), name


def test_the_table_survives_a_file(product, tmp_path):
    table = product.table()
    assert len(table) > 0
    again = load_table(save_table(tmp_path / "product.ecsv", table, {}))
    assert again.colnames == table.colnames
    assert [str(again[name].unit) for name in again.colnames] == [str(table[name].unit) for name in table.colnames]


def test_every_column_says_what_it_is(product):
    tables = product.tables() if hasattr(product, "tables") else {"": product.table()}
    kinds = {"images": "images", "boundary": "boundary"}
    for name, table in tables.items():
        assert faults(table, kinds.get(name) or KINDS.get(type(product), "")) == []


def test_the_description_is_lines_without_an_empty_end(product):
    lines = product.describe().splitlines()
    assert lines
    assert lines[-1].strip()


def test_problems_are_one_line_and_none_where_all_converged(product):
    assert product.problems() == ""


def test_the_first_of_several_tables_is_the_table(product):
    if hasattr(product, "tables"):
        name, first = next(iter(product.tables().items()))
        assert isinstance(name, str)
        assert first.colnames == product.table().colnames


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (Application, {"fit_status": "STUCK"}),
        (Aurora, {"fit_status": "MAX_ITER"}),
        (Eccentricities, {"lost": 2}),
        (Fit, {"status": "MAX_ITER"}),
        (Memberships, {"fit_status": "MAX_ITER"}),
        (Stability, {"status": ("CONVERGED", "FAILED")}),
        (Summary, {"failed": (("base", "too few stars"),)}),
        (Table1, {"statuses": ("MAX_ITER", "CONVERGED")}),
    ],
)
def test_what_did_not_converge_is_said_in_one_line(kind, changed):
    said = replace(EXAMPLES[kind](), **changed).problems()
    assert said
    assert "\n" not in said


def test_what_is_wrong_with_a_map_is_wrong_with_what_is_read_off_it():
    bad = {"fit_status": "STUCK", "fit_kkt": 0.25}
    for made in (a_profile(), a_boundary()):
        changed = replace(made, application=replace(made.application, **bad))
        assert changed.problems() == changed.application.problems() != ""


def test_a_boundary_says_in_how_many_columns_it_was_found():
    line = a_boundary()
    assert line.found == "3 of 3"
    assert line.describe().splitlines()[-1] == "boundary in 3 of 3 columns"


def test_separations_take_another_limit_of_poor_stars():
    found = separations(planted_fit())
    assert found.table(poor=-1.0).meta["poor"] == -1.0


def test_tracks_keep_their_names_when_copied():
    import copy

    found = tracks(planted_fit())
    again = copy.deepcopy(found)
    assert again.names == found.names
    assert again.table()["component"].tolist() == found.table()["component"].tolist()


def test_four_components_are_listed_from_high_to_low_energy():
    table = EXAMPLES[Four]().table()
    assert table["component"].tolist() == ["HE1", "HE2", "LE1", "LE2"]
    assert table["fraction"][:2].sum() == pytest.approx(1)
    assert str(table["mean_energy"].unit) == "km2 / s2"


def test_a_fits_own_weights_are_those_of_its_table():
    made = planted_fit()
    assert np.array_equal(made.table()["weight_HE"].value, made.W[:, 1])
    assert list(made.tables()) == ["weights", "images"]
    assert [axis.variable for axis in (Axis("E", 5), Axis("Lz", 5))] == made.table().meta["variables"]
