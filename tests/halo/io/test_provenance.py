"""Records of how results were made."""

from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.io.provenance import differing

NAMES = st.text("abc", min_size=1, max_size=2)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def test_values_that_differ_are_named_by_their_way_in():
    a = {"fit": {"seed": 1, "loss": "frobenius"}, "rows": 3}
    b = {"fit": {"seed": 2, "loss": "frobenius"}, "cut": "LOGG<2", "rows": 3}
    assert list(differing(a, b)) == [("fit.seed", 1, 2), ("cut", None, "LOGG<2")]


@given(PLAIN)
def test_nothing_differs_from_itself(record):
    assert not list(differing(record, record))


@given(PLAIN, PLAIN)
def test_what_differs_does_so_in_either_direction(a, b):
    assert sorted(map(repr, differing(a, b))) == sorted(repr((name, x, y)) for name, y, x in differing(b, a))
