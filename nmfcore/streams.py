"""Random numbers that can be had one by one, the same on every device."""

from __future__ import annotations

import numpy as np

# Scales the sum of four 16-bit numbers, less their mean, to unit variance.
HALF_NORMAL = np.float32(3**0.5 / 2**16)
# What SplitMix64 (Steele, Lea & Flood 2014) adds and multiplies by.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mix(z: np.ndarray) -> np.ndarray:
    """Return SplitMix64's scrambling of 64-bit numbers; the kernels compile it."""
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))


def half_normals(number: int, replicate: int, seed: int, start: int) -> np.ndarray:
    """Return absolute values of draws from a normal distribution, very nearly, of one replicate's stream; float32.

    Each is the sum of four 16-bit parts of one output of SplitMix64, so that any of them can be had without the
    others, and every device has the same: the compiled kernels draw the same ones (`kernels.beginning.half_normal`).
    """
    state = mix(_stream(seed, replicate) ^ mix(np.array([start], np.uint64) * FIRST + SECOND))
    z = mix(state + np.arange(1, number + 1, dtype=np.uint64) * GOLDEN)
    total = sum(((z >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64) for shift in (0, 16, 32, 48))
    return np.abs(total - 131070).astype(np.float32) * HALF_NORMAL


def _stream(seed: int, replicate: int) -> np.ndarray:
    # As `kernels.streams.stream`, in arrays: numpy warns where scalars overflow.
    names = (np.array([x % 2**64], np.uint64) for x in (seed, int(replicate)))
    first, second = names
    return mix(mix(first + GOLDEN) ^ mix(second * FIRST + SECOND))
