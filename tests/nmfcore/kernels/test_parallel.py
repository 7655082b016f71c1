"""Threads around the kernels: torch's number comes back, whoever overlaps with whom."""

from threading import Barrier, Thread

import pytest
import scipy.linalg  # noqa: F401 - whose BLAS is its own
from threadpoolctl import threadpool_info, threadpool_limits

from nmfcore import threads, use_threads
from nmfcore.kernels.parallel import kernels_only, number_of_threads, quiet_blas


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
