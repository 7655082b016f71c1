"""Which device gets which replicates, and chunks that fit: no device is needed."""

import numpy as np
import pytest

from nmfcore import SharedPattern
from nmfcore.kernels.cuda import devices, launch


@pytest.mark.parametrize(("count", "parts"), [(10, 3), (2, 4), (7, 1), (8, 8)])
def test_a_split_covers_everything_evenly(count, parts):
    ranges = devices.split(count, parts)
    assert [i for first, last in ranges for i in range(first, last)] == list(range(count))
    lengths = [last - first for first, last in ranges]
    assert max(lengths) - min(lengths) <= 1
    assert len(ranges) == min(count, parts)


def test_several_devices_share_a_batch_and_keep_their_own_counts():
    pattern = SharedPattern.from_dense(np.ones((7, 2, 3)))
    tasks = launch._tasks(pattern, np.arange(7), [0, 1, 2])
    assert [device for device, _ in tasks] == [0, 1, 2]
    assert sorted(np.concatenate([jobs for _, (jobs, _) in tasks])) == list(range(7))
    parts = tuple(devices.DevicePart(d, 3 * d, 3 * d + 3, None, np.dtype(np.uint8)) for d in range(2))
    object.__setattr__(pattern, "on_device", parts)
    tasks = launch._tasks(pattern, np.array([5, 0, 4, 1]), [0])
    assert [(device, list(jobs)) for device, (jobs, _) in tasks] == [(0, [1, 3]), (1, [0, 2])]


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
