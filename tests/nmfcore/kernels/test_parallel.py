"""Threads around the kernels: torch's number comes back, whoever overlaps with whom."""

from threading import Barrier, Thread

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - whose BLAS is its own
from threadpoolctl import threadpool_info, threadpool_limits

from nmfcore import threads, use_threads
from nmfcore.kernels.parallel import in_parallel, kernels_only, number_of_threads, quiet_blas


def test_callers_that_overlap_leave_the_number_of_threads_as_it_was():
    before = threads()
    use_threads(3)
    first_in, second_in, first_out = Barrier(2), Barrier(2), Barrier(2)
    seen = []

    def first():
        with kernels_only():
            first_in.wait()
            second_in.wait()
        first_out.wait()

    def second():
        first_in.wait()
        with kernels_only():
            second_in.wait()
            first_out.wait()
            seen.append(number_of_threads())

    both = [Thread(target=each) for each in (first, second)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    try:
        assert seen == [3]
        assert threads() == 3
    finally:
        use_threads(before)


def test_inside_another_the_first_number_counts():
    before = threads()
    use_threads(2)
    try:
        with kernels_only(), kernels_only():
            assert number_of_threads() == 2
        assert threads() == 2
    finally:
        use_threads(before)


@pytest.mark.parametrize(("count", "grain"), [(1, 1), (2, 1), (7, 1), (100, 1), (100, 30), (100, 1000)])
@pytest.mark.parametrize("number", [1, 3])
def test_ranges_cover_all_that_there_is_once(count, grain, number):
    before, done = threads(), np.zeros(count, int)
    use_threads(number)

    def work(first, last):
        done[first:last] += 1  # ranges that do not overlap: no lock

    try:
        in_parallel(work, count, grain=grain)
    finally:
        use_threads(before)
    assert (done == 1).all()


def test_an_error_in_a_thread_is_the_callers():
    before = threads()
    use_threads(2)

    def work(first, last):
        if last == 10:
            raise ValueError("the last range")

    try:
        with pytest.raises(ValueError, match="the last range"):
            in_parallel(work, 10)
    finally:
        use_threads(before)


def blas_threads():
    return {each["filepath"]: each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_blas_computes_on_one_thread_inside_and_on_its_own_number_after():
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        assert set(before.values()) == {2}
        with kernels_only(), kernels_only():
            assert set(blas_threads().values()) == {1}
        assert blas_threads() == before


def test_torch_keeps_its_threads_where_blas_alone_has_one():
    before = threads()
    use_threads(2)
    try:
        with threadpool_limits(2, "blas"), quiet_blas():
            assert set(blas_threads().values()) == {1}
            assert threads() == 2
    finally:
        use_threads(before)


def test_blas_has_its_threads_back_after_an_error():
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        with pytest.raises(RuntimeError, match="within"), kernels_only():
            raise RuntimeError("within")
        assert blas_threads() == before
