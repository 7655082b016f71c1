"""V: what NumPy's histograms would give, laid out as said, and nothing lost in silence."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mixtures.bins import columns_of, make_bins
from halonmf.halo.mixtures.counts import count, mix
from halonmf.halo.mixtures.settings import (
    DEFAULT_PLANES,
    DEFAULT_RANGES,
    Axis,
    Chemistry,
    Plane,
    parse_axes,
    parse_plane,
    parse_range,
)

from ..helpers.planted import planted

seeded = settings(derandomize=True, deadline=None, max_examples=60)
ONE_BIN = parse_axes("E:1:-9e5:0")


def stars(n=1, **given_columns):
    fixed = {"E": -2e5, "FE_H": -1.0, "AL_FE": 0.0, "MG_FE": 0.1}
    return Table({name: np.full(n, value) for name, value in fixed.items()} | given_columns)


def test_defaults_are_the_papers():
    found = Chemistry()
    assert (found.planes, found.pixels, found.n) == ((Plane("AL_FE", "FE_H"), Plane("MG_FE", "FE_H")), 50, 5000)
    assert found.limits == {"FE_H": (-2.5, 0.7), "AL_FE": (-0.6, 0.6), "MG_FE": (-0.2, 0.5)}


def test_every_way_to_ask_for_the_defaults_is_equal():
    assert Chemistry.of() == Chemistry() == Chemistry.of(ranges=dict(reversed(DEFAULT_RANGES.items())))


# agreement with NumPy


@seeded
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 150))
def test_rows_are_numpys_histograms(seed, pixels, n):
    rng = np.random.default_rng(seed)
    table = Table({"E": rng.uniform(0, 3, n)} | {name: rng.normal(0, 0.7, n) for name in DEFAULT_RANGES})
    chemistry = Chemistry(ranges=(("FE_H", (-2.5, 2.5)), ("AL_FE", (-2, 2)), ("MG_FE", (-2, 2))), pixels=pixels)
    made = mix(table, [Axis("E", 3, 0, 3)], chemistry)
    for i in range(3):
        part = table[made.rows == i]
        for j, plane in enumerate(chemistry.planes):
            edges = [chemistry.edges(plane.y), chemistry.edges(plane.x)]
            expected = np.histogram2d(part[plane.y], part[plane.x], bins=edges)[0]
            assert np.array_equal(chemistry.images(made.V)[i, j], expected)


@pytest.mark.parametrize("pixels", [10, 15, 20, 30, 50, 60])
@pytest.mark.parametrize("name", list(DEFAULT_RANGES))
def test_a_star_on_an_edge_is_in_the_pixel_above(name, pixels):
    chemistry = Chemistry(pixels=pixels)
    edges = chemistry.edges(name)
    image = next(i for i, plane in enumerate(chemistry.planes) if name in (plane.x, plane.y))
    pixel = columns_of(stars(len(edges), **{name: edges}), chemistry)[:, image] - image * pixels**2
    pixel = pixel % pixels if name == "FE_H" else pixel // pixels
    assert pixel.tolist() == [*range(pixels), pixels - 1]


@pytest.mark.parametrize("name", list(DEFAULT_RANGES))
@pytest.mark.parametrize("pixels", [7, 20, 50])
def test_the_float_below_the_upper_limit_is_inside(name, pixels):
    x = np.nextafter(DEFAULT_RANGES[name][1], -np.inf)
    assert (columns_of(stars(**{name: [x]}), Chemistry(pixels=pixels)) >= 0).all()


@pytest.mark.parametrize("name", list(DEFAULT_RANGES))
def test_values_beyond_the_limits_by_more_than_rounding_are_outside(name):
    low, high = DEFAULT_RANGES[name]
    beyond = [low - 1e-5, high + 1e-5, np.nan, np.inf, -np.inf, 1e300, -9999.0]
    columns = columns_of(stars(7, **{name: beyond}), Chemistry())
    shown = [name in (plane.x, plane.y) for plane in DEFAULT_PLANES]
    assert (columns[:, shown] == -1).all()
    assert (columns[:, ~np.array(shown)] >= 0).all()


# layout


def test_a_column_is_image_then_row_of_y_then_x():
    chemistry = Chemistry.of(ranges={"FE_H": (0, 4), "AL_FE": (0, 4), "MG_FE": (0, 4)}, pixels=4)
    columns = columns_of(stars(FE_H=[1.5], AL_FE=[2.5], MG_FE=[3.5]), chemistry)
    assert columns.tolist() == [[2 * 4 + 1, 16 + 3 * 4 + 1]]


def test_images_undo_the_stacking():
    chemistry = Chemistry(pixels=6)
    V = np.random.default_rng(0).random((3, chemistry.n))
    images = chemistry.images(V)
    assert images.shape == (3, 2, 6, 6)
    assert np.array_equal(images.reshape(3, -1), V)


def test_an_image_has_y_first():
    chemistry = Chemistry(pixels=8)
    columns = columns_of(stars(AL_FE=[0.55], FE_H=[-2.45]), chemistry)
    row = np.bincount(columns[0], minlength=chemistry.n)
    assert np.argwhere(chemistry.images(row)[0]).tolist() == [[7, 0]]


def test_centres_lie_between_edges():
    assert Chemistry(pixels=2).centres("AL_FE") == pytest.approx([-0.3, 0.3])


def test_planes_may_be_any_of_any_variables():
    chemistry = Chemistry.of([Plane("MG_FE", "AL_FE")], pixels=3)
    assert (chemistry.variables, chemistry.n) == (("AL_FE", "MG_FE"), 9)


# counting


@seeded
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_stars_changes_nothing(seed):
    table, _ = planted(80, seed=seed)
    axes, chemistry = parse_axes("E:3,Lz:2"), Chemistry(pixels=5)
    order = np.random.default_rng(seed).permutation(80)
    assert np.array_equal(mix(table, axes, chemistry).V, mix(table[order], axes, chemistry).V)


def test_every_star_inside_counts_once_in_each_image():
    table, _ = planted(500)
    made = mix(table, parse_axes("E:4,Lz:4"), Chemistry(pixels=10))
    per_image = made.chemistry.images(made.V).sum(axis=(0, 2, 3))
    assert (per_image + made.outside_images).tolist() == [500, 500]


def test_counts_are_float64():
    assert mix(stars(), ONE_BIN).V.dtype == np.float64


def test_two_stars_of_one_cell_count_two():
    assert count(np.array([1, 1, 0, -1]), np.array([[2], [2], [-1], [0]]), (2, 3)).tolist() == [[0, 0, 0], [0, 0, 2]]


def test_stars_outside_bins_and_images_are_counted_apart():
    table = stars(4, E=np.array([-2e5, -2e5, -2e5, 5e5]), AL_FE=np.array([0.0, 2.0, np.nan, 2.0]))
    made = mix(table, ONE_BIN)
    assert (made.outside_bins, made.outside_images, made.n_stars.tolist()) == (1, (2, 0), [3])


def test_masked_abundances_are_outside():
    table = stars(2, MG_FE=MaskedColumn([0.1, -9999.0], mask=[False, True]))
    assert mix(table, ONE_BIN).outside_images == (0, 1)


def test_integer_abundances_are_counted():
    assert mix(stars(2, FE_H=np.array([-1, 0])), ONE_BIN).V.sum() == 4


def test_an_empty_bin_keeps_its_row():
    made = mix(stars(3), parse_axes("E:4:-4e5:0"), Chemistry(pixels=5))
    assert made.V.sum(axis=1).tolist() == [0, 0, 6, 0]
    assert made.empty_bins == 3


def test_one_star_makes_a_mixture():
    made = mix(stars(), parse_axes("E:1"))
    assert (made.V.shape, made.V.sum(), made.n_stars.tolist()) == ((1, 5000), 2, [1])


def test_bins_made_before_are_used_as_they_are():
    bins = make_bins(stars(), ONE_BIN)
    assert mix(stars(), bins).bins is bins


def test_the_report_says_what_was_left_out():
    table = stars(4, E=np.array([-2e5, -2e5, -2e5, 5e5]), AL_FE=np.array([0.0, 2.0, 2.0, 0.0]))
    report = mix(table, parse_axes("E:2:-9e5:0")).describe()
    assert report == "3 of 4 stars in 2 bins, 2 outside the AL_FE:FE_H image, 1 bin empty"


# what is refused


def test_no_stars_are_refused():
    with pytest.raises(InputError, match="no stars to bin"):
        mix(stars(0), ONE_BIN)


@pytest.mark.parametrize(
    ("axes", "ranges"), [("E:2:1e5:2e5", None), ("E:1:-9e5:0", {"FE_H": (5.0, 6.0)}), ("Lz:1:0:1", None)]
)
def test_ranges_that_miss_every_star_are_refused(axes, ranges):
    table = stars(3, Lz=np.full(3, np.nan))
    with pytest.raises(InputError, match=r"none of 3 stars falls inside the bins and the images; .*FE_H -?\d"):
        mix(table, parse_axes(axes), Chemistry.of(ranges=ranges))


@pytest.mark.parametrize("limits", [(1.0, 1.0), (1.0, 0.0), (np.nan, 1.0), (-np.inf, 0.0), (0.0, np.inf)])
def test_limits_that_do_not_rise_are_refused(limits):
    with pytest.raises(UsageError, match="range of FE_H: limits must be finite and rise"):
        Chemistry.of(ranges={"FE_H": limits})


def test_a_range_that_no_plane_uses_is_refused():
    with pytest.raises(UsageError, match="range given for SI_FE, which no plane uses"):
        Chemistry.of(ranges={"SI_FE": (0.0, 1.0)})


def test_an_abundance_without_a_range_is_refused():
    with pytest.raises(UsageError, match="no default histogram range for SI_FE"):
        Chemistry.of([Plane("SI_FE", "FE_H")])


@pytest.mark.parametrize("planes", [(), DEFAULT_PLANES[:1] * 2, (Plane("FE_H", "FE_H"),)])
def test_planes_that_show_nothing_new_are_refused(planes):
    with pytest.raises(UsageError, match="plane"):
        Chemistry.of(planes)


def test_pixels_must_be_positive():
    with pytest.raises(UsageError, match="pixels must be >= 1, got 0"):
        Chemistry(pixels=0)


# as text


def test_a_plane_is_read_as_text():
    assert parse_plane("AL_FE:FE_H") == Plane("AL_FE", "FE_H")
    assert parse_plane(str(Plane("MG_FE", "AL_FE"))) == Plane("MG_FE", "AL_FE")


@pytest.mark.parametrize("text", ["", "AL_FE", "AL_FE:", ":FE_H", ":", "A:B:C"])
def test_any_other_plane_is_refused(text):
    with pytest.raises(UsageError, match="expected Y:X"):
        parse_plane(text)


def test_a_range_is_read_as_text():
    assert parse_range("FE_H:-2.5:0.7") == ("FE_H", (-2.5, 0.7))


@pytest.mark.parametrize("text", ["", "FE_H", "FE_H:1", "FE_H:a:b", "FE_H:-2.5:0.7:3", ":-1:1", "-2.5:0.7"])
def test_any_other_range_is_refused(text):
    with pytest.raises(UsageError, match="expected NAME:LOW:HIGH"):
        parse_range(text)


def test_bins_that_equal_values_leave_empty_say_so():
    table = stars(6, E=np.array([-2e5, -2e5, -2e5, -2e5, -1e5, -0.5e5]))
    report = mix(table, parse_axes("E:4")).describe()
    assert report.endswith("bins empty (stars of equal value stay in one bin: take regular bins)")
