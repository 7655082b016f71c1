"""The compiled eigenvectors of small matrices against LAPACK's."""

import numpy as np
import pytest

from nmfcore.kernels.vectors import leading_vectors


def _share(work, count):
    work(0, count)


@pytest.mark.parametrize("m", [1, 2, 3, 20, 32])
def test_leading_vectors_are_eigenvectors_of_the_largest_eigenvalues(m):
    V = np.random.default_rng(0).random((40, m, m + 5))
    V[0], V[1], V[2, 1:] = 0.0, 1.0, 0.0
    squares, k = V @ V.transpose(0, 2, 1), min(3, m)
    values, vectors = leading_vectors(squares.copy(), k, _share)
    size = 1e-13 * squares.max()
    np.testing.assert_allclose(values, np.linalg.eigvalsh(squares)[:, ::-1][:, :k], rtol=0, atol=10 * size)
    np.testing.assert_allclose(vectors @ squares, values[:, :, None] * vectors, rtol=0, atol=10 * size)
    np.testing.assert_allclose(vectors @ vectors.transpose(0, 2, 1), np.tile(np.eye(k), (40, 1, 1)), atol=1e-12)
