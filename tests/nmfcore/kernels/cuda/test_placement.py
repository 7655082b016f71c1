"""What lies where: no device is needed."""

import numpy as np

from nmfcore import SharedPattern
from nmfcore.kernels.cuda import placement

from .test_solve import counts


def test_shared_memory_is_given_to_the_short_factor_first_and_to_the_cells_last():
    shapes = {"k": 2, "m": 64, "columns": 1565, "cells": 19000, "item": 4, "value_item": 1, "threads": 128}
    headline = placement.place(**shapes, limit=placement.PLAIN_SHARED)
    assert headline[:3] == (True, True, True)
    assert 32_000 < headline.nbytes <= placement.PLAIN_SHARED
    assert placement.place(**shapes, limit=headline.nbytes - 8)[:3] == (True, True, False)
    assert placement.place(**shapes, limit=8000)[:3] == (True, False, False)
    assert placement.place(**shapes, limit=4000)[:3] == (False, False, False)
    assert placement.place(**shapes, limit=3000) is None


def test_the_layout_by_row_holds_the_same_cells():
    V = counts(seed=4, replicates=1, m=6, n=30)[0]
    pattern = SharedPattern.from_dense(V)
    layout, cells = placement.layout_of(pattern), pattern.cells()[0]
    again = np.zeros_like(V)
    for i in range(6):
        places = slice(layout.row_start[i], layout.row_start[i + 1])
        again[i, pattern.columns[layout.row_column[places]]] = cells[layout.row_cell[places]]
    np.testing.assert_array_equal(again, V)
    assert sorted(layout.order) == list(range(len(pattern.columns)))
    assert (np.diff(np.diff(layout.start)[layout.order]) <= 0).all()
