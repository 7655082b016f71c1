"""Threads around the kernels: torch's number comes back, whoever overlaps with whom."""

from threading import Barrier, Thread

from nmfcore import threads, use_threads
from nmfcore.kernels.parallel import kernels_only, number_of_threads


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
