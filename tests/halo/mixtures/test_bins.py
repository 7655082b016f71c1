"""Bins: every star in exactly one, equal counts to one, edges that mean what they say."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mixtures.bins import Bins, make_bins, place
from halonmf.halo.mixtures.settings import Axis, parse_axes

seeded = settings(derandomize=True, deadline=None, max_examples=60)
FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)
ANY = st.floats(width=64)


def columns(elements, unique=False, least=1):
    return hnp.arrays(np.float64, st.integers(least, 120), elements=elements, unique=unique)


def table(E, Lz=None):
    return Table({"E": E} if Lz is None else {"E": E, "Lz": Lz})


def counts(bins, stars):
    rows = bins.assign(stars)
    return np.bincount(rows[rows >= 0], minlength=len(bins))


# equal counts


@seeded
@given(columns(FINITE, unique=True), st.integers(1, 12))
def test_equal_counts_are_equal_to_one(E, q):
    assume(len(E) >= q)
    found = counts(make_bins(table(E), [Axis("E", q)]), table(E))
    assert found.sum() == len(E)
    assert np.ptp(found) <= 1


@seeded
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 7), st.integers(0, 60))
def test_nested_equal_counts_are_equal_to_one(seed, q1, q2, more):
    E, Lz = np.random.default_rng(seed).normal(size=(2, q1 * q2 + more))
    found = counts(make_bins(table(E, Lz), [Axis("E", q1), Axis("Lz", q2)]), table(E, Lz)).reshape(q1, q2)
    assert found.sum() == len(E)
    assert np.ptp(found.sum(axis=1)) <= 1
    assert np.ptp(found, axis=1).max() <= 1


def test_neighbouring_floats_are_told_apart():
    E = np.array([1.0, np.nextafter(1.0, 2.0)])
    assert make_bins(table(E), [Axis("E", 2)]).assign(table(E)).tolist() == [0, 1]


def test_the_largest_floats_make_finite_edges():
    E = np.array([-1.7e308, 1.6e308, 1.7e308])
    assert np.isfinite(make_bins(table(E), [Axis("E", 3)]).edges[0]).all()


def test_an_inner_edge_lies_half_way_between_two_stars():
    assert make_bins(table([0.0, 1.0, 3.0, 7.0]), [Axis("E", 2)]).edges[0].tolist() == [0.0, 2.0, 7.0]


def test_bins_are_numbered_first_axis_first():
    E, Lz = np.array([0.0, 0.0, 1.0, 1.0]), np.array([5.0, 6.0, 1.0, 2.0])
    bins = make_bins(table(E, Lz), [Axis("E", 2), Axis("Lz", 2)])
    assert bins.assign(table(E, Lz)).tolist() == [0, 1, 2, 3]


def test_the_second_axis_is_cut_within_each_bin_of_the_first():
    E, Lz = np.repeat([0.0, 1.0], 4), np.concatenate([[0, 1, 2, 3], [100, 101, 102, 103.0]])
    bins = make_bins(table(E, Lz), [Axis("E", 2), Axis("Lz", 2)])
    assert bins.edges[1][:, 1].tolist() == [1.5, 101.5]


@seeded
@given(hnp.arrays(np.float64, st.integers(5, 60), elements=st.sampled_from([-2.0, 0.0, 1.0, 5.0])), st.integers(1, 5))
@example(np.zeros(5), 5)
def test_ties_stay_together_and_none_is_lost(E, q):
    rows = make_bins(table(E), [Axis("E", q)]).assign(table(E))
    assert (rows >= 0).all()
    assert all(len(set(rows[value == E])) == 1 for value in set(E))


@seeded
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_stars_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    E, Lz = rng.normal(size=(2, 50)).round(1)
    order, axes = rng.permutation(50), [Axis("E", 3), Axis("Lz", 2)]
    bins, shuffled = make_bins(table(E, Lz), axes), make_bins(table(E[order], Lz[order]), axes)
    assert all(np.array_equal(a, b) for a, b in zip(bins.edges, shuffled.edges, strict=True))
    assert np.array_equal(bins.assign(table(E, Lz))[order], shuffled.assign(table(E[order], Lz[order])))


# assignment


def test_a_bin_has_its_lower_edge_and_the_last_one_both():
    bins = make_bins(table([0.0]), [Axis("E", 2, 0.0, 2.0)])
    assert bins.assign(table([-1e-9, 0.0, 1.0, np.nextafter(2.0, 0.0), 2.0, 2.0 + 1e-9])).tolist() == [
        -1,
        0,
        1,
        1,
        1,
        -1,
    ]


@seeded
@given(columns(ANY), st.integers(1, 9), FINITE, st.floats(1e-3, 1e6))
def test_regular_bins_are_those_of_numpys_histogram(E, q, low, width):
    bins = make_bins(table(E), [Axis("E", q, low, low + width)])
    with np.errstate(over="ignore"):
        expected = np.histogram(E[np.isfinite(E)], bins.edges[0])[0]
    assert counts(bins, table(E)).tolist() == expected.tolist()


@seeded
@given(columns(st.floats(-1e300, 1e300), unique=True, least=6), st.integers(0, 2**32 - 1))
def test_a_star_is_within_the_bounds_of_its_bin_and_of_no_other(E, seed):
    E = np.insert(E, [0, 3, 6], [np.nan, np.inf, -np.inf])
    Lz = np.random.default_rng(seed).permutation(np.linspace(-2000, 2000, len(E)))
    bins = make_bins(table(E, Lz), [Axis("E", 3), Axis("Lz", 2)])
    rows = bins.assign(table(E, Lz))
    assert np.array_equal(rows >= 0, np.isfinite(E))
    (low, high), (left, right) = (bins.bounds[:, i].T for i in (0, 1))
    for star in np.flatnonzero(rows >= 0):
        holds = (low <= E[star]) & (E[star] <= high) & (left <= Lz[star]) & (Lz[star] <= right)
        assert holds[rows[star]]
        # on an edge that bins share, the upper one has the star
        assert rows[star] == np.flatnonzero(holds).max()


def test_a_star_outside_its_own_part_of_a_nested_grid_is_in_no_bin():
    bins = make_bins(table(np.repeat([0.0, 1.0], 2), [0.0, 1.0, 10.0, 11.0]), [Axis("E", 2), Axis("Lz", 1)])
    assert bins.assign(table([0.0, 0.0, 1.0], [0.5, 10.5, 10.5])).tolist() == [0, -1, 1]


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_a_missing_value_is_in_no_bin_and_moves_no_edge(missing):
    with_gap, without = table([0.0, missing, 1.0, 2.0, 3.0]), table([0.0, 1.0, 2.0, 3.0])
    bins = make_bins(with_gap, [Axis("E", 2)])
    assert np.array_equal(bins.edges[0], make_bins(without, [Axis("E", 2)]).edges[0])
    assert bins.assign(with_gap).tolist() == [0, -1, 0, 1, 1]


def test_a_star_without_the_second_variable_moves_no_edge_of_the_first():
    gap = table([0.0, 1.0, 2.0, 3.0, 50.0], [1.0, 2.0, 3.0, 4.0, np.nan])
    assert make_bins(gap, [Axis("E", 2), Axis("Lz", 2)]).edges[0][-1] == 3.0


def test_masked_entries_are_missing():
    E = MaskedColumn([0.0, -9999.0, 1.0, 2.0, 3.0], mask=[False, True, False, False, False])
    bins = make_bins(Table({"E": E}), [Axis("E", 2)])
    assert bins.edges[0][0] == 0.0
    assert bins.assign(Table({"E": E})).tolist() == [0, -1, 0, 1, 1]


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float32, ">f4", ">f8"])
def test_columns_of_any_number_type_are_binned(dtype):
    E = np.arange(8).astype(dtype)
    assert make_bins(table(E), [Axis("E", 4)]).assign(table(E)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_units_are_converted_to_the_variables_own():
    stars = QTable({"r_sph": [1000.0, 3000.0, 9000.0] * u.pc})
    assert make_bins(stars, parse_axes("r:2:0:10")).assign(stars).tolist() == [0, 0, 1]


def test_z_is_binned_by_its_absolute_value():
    stars = Table({"z_gal": [-3.0, 3.0, -0.1]})
    assert make_bins(stars, parse_axes("z:2:0:4")).assign(stars).tolist() == [1, 1, 0]


def test_no_stars_are_assigned_to_no_bins():
    assert make_bins(table([]), [Axis("E", 3, 0.0, 1.0)]).assign(table([])).shape == (0,)


def test_one_star_makes_one_bin():
    assert make_bins(table([7.0]), [Axis("E", 1)]).assign(table([7.0])).tolist() == [0]


def test_bounds_follow_the_numbering_of_the_bins():
    bins = make_bins(table([0.0], [0.0]), [Axis("E", 2, 0, 2), Axis("Lz", 3, 0, 30)])
    assert bins.bounds.shape == (6, 2, 2)
    assert bins.bounds[4].tolist() == [[1.0, 2.0], [10.0, 20.0]]


def test_regular_and_equal_count_axes_may_be_mixed():
    E, Lz = np.random.default_rng(0).uniform(0, 1, (2, 400))
    bins = make_bins(table(E, Lz), [Axis("E", 2, 0, 1), Axis("Lz", 4)])
    found = counts(bins, table(E, Lz)).reshape(2, 4)
    assert found.sum() == 400
    assert np.ptp(found, axis=1).max() <= 1


def test_bins_keep_their_edges_for_other_stars():
    bins = make_bins(table([0.0, 1.0, 2.0, 3.0]), [Axis("E", 2)])
    assert bins.assign(table([1.49, 1.51, 99.0])).tolist() == [0, 1, -1]


@seeded
@given(columns(ANY), hnp.arrays(np.float64, st.integers(2, 9), elements=FINITE).map(np.sort))
def test_place_answers_as_a_plain_comparison_does(x, edges):
    assume(edges[0] < edges[-1])
    index = place(x, edges)
    for value, i in zip(x, index, strict=True):
        expected = max((j for j in range(len(edges) - 1) if edges[j] <= value < edges[j + 1]), default=-1)
        assert i == (len(edges) - 2 if value == edges[-1] else expected)


# what is refused


def test_fewer_stars_than_bins_are_refused_with_both_numbers():
    with pytest.raises(InputError, match=r"^12 equal-count bins .* 10 of 11 have the variables"):
        make_bins(table([*range(10), np.nan], np.arange(11.0)), [Axis("E", 4), Axis("Lz", 3)])


def test_a_part_with_too_few_stars_is_named():
    with pytest.raises(InputError, match=r"bin 0 of E has 0 stars, too few for 2 equal-count bins of Lz"):
        make_bins(table(np.ones(8), np.arange(8.0)), [Axis("E", 2), Axis("Lz", 2)])


def test_a_variable_that_the_stars_lack_is_refused():
    with pytest.raises(UsageError, match="'J_q'"):
        make_bins(table([1.0]), [Axis("J_q", 1)])


@pytest.mark.parametrize("number", [0, 3])
def test_one_or_two_axes_are_needed(number):
    with pytest.raises(UsageError, match=f"one or two variables, got {number}"):
        make_bins(table([1.0]), [Axis("E", 1)] * number)


# as text


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        ("E:8,Lz:8", (Axis("E", 8), Axis("Lz", 8))),
        ("E:5,Lz:5", (Axis("E", 5), Axis("Lz", 5))),
        ("E:20:-2.5e5:-1.0e5", (Axis("E", 20, -2.5e5, -1.0e5),)),
        ("E:9:-2.1e5:-1.2e5", (Axis("E", 9, -2.1e5, -1.2e5),)),
        ("r:10:2:14", (Axis("r", 10, 2.0, 14.0),)),
        (" E:20:-3e5:-1e5 , Lz : 20 : -2000 : 2000 ", (Axis("E", 20, -3e5, -1e5), Axis("Lz", 20, -2000.0, 2000.0))),
        ("e:4", (Axis("e", 4),)),
    ],
)
def test_bins_are_read_as_text(text, axes):
    assert parse_axes(text) == axes


@seeded
@given(st.lists(st.sampled_from(["E", "Lz", "r", "FE_H"]), min_size=1, max_size=2, unique=True), st.data())
def test_bins_written_as_text_are_read_back(names, data):
    limits = st.one_of(st.none(), st.tuples(st.integers(-999, 0), st.integers(1, 999)))
    axes = tuple(Axis(n, data.draw(st.integers(1, 99)), *(data.draw(limits) or (None, None))) for n in names)
    assert parse_axes(",".join(map(str, axes))) == axes


@pytest.mark.parametrize(
    "text",
    ["", "E", "E:", ":8", "E:x", "E:8.5", "E:0", "E:-3", "E:8:1", "E:8:1:2:3", "E:8:2:1", "E:8:1:1", "E:8:nan:1",
     "E:8:0:nan", "E:8:-inf:0", "E:8:0:inf", "E:8,", ",E:8", "E:8,E:4", "E:8,Lz:8,r:8", "E:8;Lz:8", "E:8:a:b"],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError, match="bins"):
        parse_axes(text)


@pytest.mark.parametrize("limits", [(0.0, None), (None, 0.0)])
def test_one_limit_alone_is_refused(limits):
    with pytest.raises(UsageError, match="both limits or none"):
        Axis("E", 3, *limits)


def test_bins_count_all_their_cells():
    axes = (Axis("E", 3, 0, 1), Axis("Lz", 4, 0, 1))
    assert len(Bins(axes, (np.zeros(4), np.zeros((3, 5))))) == 12


@pytest.mark.parametrize("axes", ["E:100000000:-3e5:-1e5", "Lz:100000:-2000:2000,E:100000:-3e5:-1e5"])
def test_bins_beyond_memory_are_refused_before_they_are_made(axes):
    with pytest.raises(UsageError, match="use fewer"):
        make_bins(Table({"E": np.zeros(3), "Lz": np.zeros(3)}), parse_axes(axes))
