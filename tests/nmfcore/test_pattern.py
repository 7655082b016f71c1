"""SharedPattern: what goes in comes out, from every kind of input."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import nmfcore
from nmfcore import ProblemError, SharedPattern

batches = st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(1, 7)).flatmap(
    lambda shape: arrays.arrays(np.int64, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 255, 256, 70_000]))
)


@settings(max_examples=60, deadline=None)
@given(batches)
def test_a_dense_batch_comes_back(V):
    pattern = SharedPattern.from_dense(V)
    np.testing.assert_array_equal(pattern.to_dense(dtype=np.float64), V)
    largest = V.max()
    expected = np.uint8 if largest < 256 else np.uint16 if largest < 65536 else np.float32
    assert pattern.values.dtype == expected
    assert pattern.shape == V.shape
    assert set(pattern.columns) == set(np.flatnonzero(V.any(axis=(0, 1))))


@settings(max_examples=30, deadline=None)
@given(batches)
def test_sparse_matrices_share_the_union_of_their_cells(V):
    matrices = [scipy.sparse.coo_array(v) for v in V]
    pattern = SharedPattern.from_scipy(matrices)
    np.testing.assert_array_equal(pattern.to_dense(dtype=np.float64), V)
    assert len(pattern.rows) == np.count_nonzero(V.any(axis=0))


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok"])
def test_every_sparse_format_is_taken(kind):
    V = np.array([[0.0, 1.5, 0.0], [2.0, 0.0, 0.25]])
    pattern = SharedPattern.from_scipy(scipy.sparse.coo_array(V).asformat(kind))
    assert pattern.values.dtype == np.float32
    np.testing.assert_array_equal(pattern.to_dense()[0], V)


def test_duplicate_entries_are_summed_and_the_input_is_left_alone():
    V = scipy.sparse.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), shape=(2, 3))
    assert SharedPattern.from_scipy(V).to_dense()[0, 0, 1] == 3
    assert V.nnz == 2


def test_selected_replicates_keep_their_numbers():
    V = np.random.default_rng(0).poisson(0.5, (37, 4, 9))
    pattern = SharedPattern.from_dense(V)
    chosen = [36, 0, 17, 17]
    np.testing.assert_array_equal(pattern.select(chosen).to_dense(), V[chosen])
    np.testing.assert_array_equal(pattern.to_dense(chosen), V[chosen])
    assert pattern.select(chosen).shape == (4, 4, 9)


@pytest.mark.parametrize(
    ("V", "message"),
    [
        (np.array([[1.0, -1.0]]), "below zero"),
        (np.array([[1.0, np.nan]]), "NaN or infinite"),
        (np.zeros((0, 3)), "no empty axis"),
        (np.zeros(3), "no empty axis"),
    ],
)
def test_bad_data_are_refused(V, message):
    with pytest.raises(ProblemError, match=message):
        SharedPattern.from_dense(V)


def test_matrices_of_different_shapes_are_refused():
    with pytest.raises(ProblemError, match="one shape"):
        SharedPattern.from_scipy([scipy.sparse.eye(2), scipy.sparse.eye(3)])
    with pytest.raises(ProblemError, match="non-empty sequence"):
        SharedPattern.from_scipy([])
    with pytest.raises(ProblemError, match="lie in 0 to 0"):
        SharedPattern.from_dense(np.ones((2, 2))).to_dense([1])
    with pytest.raises(ProblemError, match="no base"):
        SharedPattern.from_dense(np.ones((2, 2))).base_dense()


def test_a_pattern_says_what_it_is():
    pattern = SharedPattern.from_dense(np.ones((3, 2, 2)))
    assert repr(pattern).startswith("SharedPattern(3 x 2 x 2, 4 cells of uint8")
    assert pattern.nbytes == sum(x.nbytes for x in (pattern.rows, pattern.columns, pattern.start, pattern.values))
    assert nmfcore.factorize(pattern, 1).W.shape == (3, 2, 1)
