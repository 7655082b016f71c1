"""Which device gets which replicates, and chunks that fit: no device is needed."""

import pytest

from nmfcore.kernels.cuda import devices


@pytest.mark.parametrize(("count", "parts"), [(10, 3), (2, 4), (7, 1), (8, 8)])
def test_a_split_covers_everything_evenly(count, parts):
    ranges = devices.split(count, parts)
    assert [i for first, last in ranges for i in range(first, last)] == list(range(count))
    lengths = [last - first for first, last in ranges]
    assert max(lengths) - min(lengths) <= 1
    assert len(ranges) == min(count, parts)


def test_chunks_follow_the_free_memory_and_halve_when_it_runs_out():
    done, free = [], iter([8, 8, 8, 2, 100, 100, 100])

    def work(first, last):
        if last - first > 5:
            raise RuntimeError("CUDA_ERROR_OUT_OF_MEMORY")
        done.append((first, last))

    devices.in_chunks(work, 13, lambda: next(free))
    assert done == [(0, 4), (4, 8), (8, 10), (10, 13)]


@pytest.mark.parametrize(("count", "message"), [(1, "out of memory"), (8, "launch failure")])
def test_other_failures_and_a_single_replicate_too_large_are_raised(count, message):
    calls = []

    def work(first, last):
        calls.append(last - first)
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match=message):
        devices.in_chunks(work, count, lambda: 100)
    assert calls == [count]
