"""Regions select what lies inside them, and their energies are compared with counting errors."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mixtures.settings import Plane
from halonmf.halo.populations.regions import Region, inside, outlines, read_regions, region_energies

PLANE = Plane("AL_FE", "FE_H")
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def box(name, x, y=(-1.0, 1.0)):
    return Region(name, PLANE, np.array([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]]))


# regions


def test_the_packages_own_regions_are_the_papers_four_and_do_not_overlap():
    regions = read_regions()
    assert list(regions) == ["Eos", "Splash", "Aurora", "GS/E"]
    x, y = (g.ravel() for g in np.meshgrid(np.linspace(-2.5, 0.7, 400), np.linspace(-0.6, 0.6, 400)))
    stars = Table({"FE_H": x, "AL_FE": y})
    found = np.sum([region.select(stars) for region in regions.values()], axis=0)
    assert found.max() == 1
    # what the text says: Eos above [Fe/H] = -1, Aurora below, Splash the richest in aluminium, GS/E the poorest
    mean = {name: (x[r.select(stars)].mean(), y[r.select(stars)].mean()) for name, r in regions.items()}
    assert mean["GS/E"][1] < mean["Eos"][1] < mean["Splash"][1]
    assert x[regions["Eos"].select(stars)].min() > -1.0 > x[regions["Aurora"].select(stars)].max() - 0.01


@given(st.floats(-2, 3, allow_subnormal=False), st.floats(-2, 3, allow_subnormal=False), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_a_square_holds_what_its_inequalities_say_whichever_vertex_comes_first(x, y, first):
    if min(abs(v - e) for v in (x, y) for e in (0, 1)) < 1e-9:
        return
    polygon = np.roll(SQUARE, first, axis=0)
    expected = 0 < x < 1 and 0 < y < 1
    assert inside(polygon, np.array([x]), np.array([y]))[0] == expected
    assert inside(polygon[::-1], np.array([x]), np.array([y]))[0] == expected


def test_a_concave_polygon_leaves_out_its_notch():
    polygon = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [1.0, 0.5], [0.0, 2.0]])
    x, y = np.array([1.0, 0.1, 1.9, 1.0]), np.array([1.5, 1.5, 1.5, 0.3])
    assert inside(polygon, x, y).tolist() == [False, True, True, True]


def test_the_area_of_a_polygon_is_that_of_the_shoelace_formula():
    polygon = read_regions()["Eos"].polygon
    x, y = polygon.T
    area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    points = np.random.default_rng(0).uniform(-1, 1, (200_000, 2))
    assert 4 * inside(polygon, *points.T).mean() == pytest.approx(area, rel=0.03)


def test_missing_abundances_lie_nowhere():
    stars = Table({"FE_H": [np.nan, 0.5, np.inf], "AL_FE": [0.5, np.nan, 0.5]})
    assert not Region("a", PLANE, SQUARE).select(stars).any()


def test_a_region_may_have_a_condition_too(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[a]\nplane = "AL_FE:FE_H"\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]\ncut = "E > -2e5"\n'
        '[b]\ncut = "0 < FE_H < 1 and AL_FE > 0"\n'
    )
    regions = read_regions(path)
    stars = Table({"FE_H": [0.5, 0.5, 2.0], "AL_FE": [0.5, 0.5, 0.5], "E": [-1e5, -3e5, -1e5]})
    assert regions["a"].select(stars).tolist() == [True, False, False]
    assert regions["b"].select(stars).tolist() == [True, True, False]
    assert outlines(regions, PLANE)["region"].tolist() == ["a"] * 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\n", "region a: empty"),
        ("", "no region in it"),
        ("a = 3\n", "region a: no table"),
        ('[a]\nplane = "AL_FE:FE_H"\n', "plane and polygon belong together"),
        ("[a]\nshape = 1\n", "unknown shape"),
        ('[a]\nplane = "AL_FE:FE_H"\npolygon = [[0, 0], [1, 1]]\n', "three or more vertices"),
        ('[a]\nplane = "AL_FE:FE_H"\npolygon = [[0, 0], [1, 1], ["x", 2]]\n', "region a: could not convert"),
        ('[a]\nplane = "AL_FE"\npolygon = [[0, 0], [1, 1], [1, 2]]\n', "expected Y:X"),
        ('[a]\ncut = "FE_H <"\n', "is not a condition"),
        ("[a\n", "no TOML"),
    ],
)
def test_a_region_that_makes_no_sense_is_named(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_regions(path)


def test_a_region_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        read_regions(tmp_path / "none.toml")


# energies


def stars_of(samples, seed=0):
    """Stars in boxes along [Fe/H], one per sample of energies."""
    rng = np.random.default_rng(seed)
    E = np.concatenate(samples)
    row = np.repeat(np.arange(len(samples)), [len(s) for s in samples])
    return Table({"E": E, "FE_H": row + rng.uniform(0.1, 0.9, len(E)), "AL_FE": rng.uniform(-0.5, 0.5, len(E))})


REGIONS = {"Eos": box("Eos", (0, 1)), "near": box("near", (1, 2)), "far": box("far", (2, 3))}


def normal(mean, n, seed):
    return np.random.default_rng(seed).normal(mean, 0.1e5, n)


@pytest.fixture(scope="module")
def compared():
    samples = [normal(-1.7e5, 4000, 10), normal(-1.71e5, 900, 2), normal(-1.5e5, 7000, 13)]
    return region_energies(stars_of(samples), REGIONS, draws=100, selection="all")


def test_the_region_of_like_energies_is_nearest(compared):
    assert compared.names == ("Eos", "near", "far")
    assert compared.nearest == "near"
    assert compared.places == {"near": 1, "far": 2}
    assert compared.support.tolist() == [0, 1, 0]
    assert compared.distance[0] == 0
    assert compared.p_value[1] > compared.p_value[2]


def test_the_distance_is_that_between_normal_distributions(compared):
    # sup of Phi(x) - Phi(x - d) is 2 Phi(d / 2) - 1, at d = 2 standard deviations 0.683
    assert compared.distance[2] == pytest.approx(0.683, abs=0.03)


def test_the_ratio_of_a_sample_to_itself_is_one_and_its_error_counts():
    E = np.repeat(np.linspace(-2.4e5, -1.1e5, 14), 25)
    found = region_energies(stars_of([E, E, E]), REGIONS, draws=3, bins=5, selection="all")
    some = found.counts[0] > 0
    np.testing.assert_allclose(found.ratio[1][some], 1)
    np.testing.assert_allclose(found.ratio_error[1][some], np.sqrt(2 / found.counts[0][some]))
    np.testing.assert_allclose((found.density * np.diff(found.edges) / 1e5).sum(axis=1), 1)


def test_counting_errors_are_those_of_many_samples():
    ratios, errors = [], []
    for seed in range(60):
        samples = [normal(-1.7e5, 300, 3 * seed), normal(-1.7e5, 300, 3 * seed + 1), normal(-1.7e5, 300, 3 * seed + 2)]
        found = region_energies(
            stars_of(samples), REGIONS, draws=1, bins=5, E_range=(-1.95e5, -1.45e5), selection="all"
        )
        ratios.append(found.ratio[1][2])
        errors.append(found.ratio_error[1][2])
    # the density's normalisation shrinks the scatter below that of independent counts
    assert 0.4 < np.std(ratios) / np.mean(errors) < 1.1


def test_bins_without_stars_have_no_ratio(compared):
    empty = (compared.counts[0] == 0) | (compared.counts[2] == 0)
    assert empty.any()
    assert np.isnan(compared.ratio[2][empty]).all()
    assert np.isfinite(compared.ratio[2][~empty]).all()


def test_stars_outside_the_energies_are_counted():
    samples = [normal(-1.7e5, 50, 1), normal(-1.7e5, 50, 2), np.append(normal(-1.6e5, 50, 3), [-9e5, -5e3])]
    found = region_energies(stars_of(samples), REGIONS, draws=1, selection="all")
    assert found.n_stars.tolist() == [50, 50, 50]
    assert found.outside.tolist() == [0, 0, 2]


def test_an_empty_region_and_a_missing_reference_are_errors():
    stars = stars_of([normal(-1.7e5, 50, 1), normal(-1.7e5, 50, 2)])
    with pytest.raises(InputError, match="region far: none of 100 stars"):
        region_energies(stars, REGIONS, selection="all")
    with pytest.raises(UsageError, match="'Aurora' must be one of"):
        region_energies(stars, REGIONS, reference="Aurora", selection="all")


def test_the_table_holds_the_histograms_and_the_verdict(compared):
    table = compared.table()
    assert table["n_far"].tolist() == compared.counts[2].tolist()
    assert "ratio_Eos" not in table.colnames
    assert table.meta["nearest"] == "near"
    assert table.meta["ks_distance"]["far"] == compared.distance[2]
    assert str(table["lower"].unit) == "km2 / s2"
    other = replace(compared, support=compared.support * 0)
    assert other.table().meta["bootstrap_support"] == {"Eos": 0, "near": 0, "far": 0}
