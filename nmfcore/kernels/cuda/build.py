"""What is built into the code of a kernel, and the names of the arrays that its device functions hand each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...losses import FLOOR
from ...rules.multiplicative import ROOM
from .placement import Placement


class Build(NamedTuple):
    """What the code of the solver depends on."""

    k: int  # components
    dtype: np.dtype[Any]  # of the factors
    value_dtype: np.dtype[Any]  # of cells in shared memory
    kind: int  # of half-step: see `settings.HalfStep`
    sweeps_W: int
    sweeps_H: int
    extrapolated: bool
    threads: int  # per block, a power of two
    registers: int | None  # most per thread; fewer let more blocks share a multiprocessor
    place: Placement


class Constants(NamedTuple):
    """Numbers of the factors' type: zero, one, and where entries and denominators end."""

    zero: Any
    one: Any
    tiny: Any  # the smallest normal number
    least: Any  # the smallest positive entry under multiplicative updates
    lowest: Any  # stands in for a denominator of zero
    doubtful: Any  # the fraction of a product below which a determinant is rounding


def constants(dtype: np.dtype[Any]) -> Constants:
    """Return the constants of a type."""
    F = dtype.type
    tiny = np.finfo(dtype).tiny
    return Constants(F(0), F(1), F(tiny), F(ROOM * tiny), F(FLOOR), F(16 * np.finfo(dtype).eps))


# Device functions take arrays in groups; once they are inlined nothing is left of these.
class Starts(NamedTuple):
    """Where jobs begin: one start for all or one for each; see `tiles.Jobs`."""

    W: Any  # (jobs, m, k)
    H: Any  # (jobs, k, columns)
    extra: Any  # (jobs, k + 1, k)


class Answers(NamedTuple):
    """What the jobs are answered; `numbers` are the loss, the divergence and the KKT residual."""

    W: Any  # (jobs, m k)
    H: Any  # (jobs, columns k)
    n_iter: Any
    status: Any
    numbers: Any  # (jobs, 3)


class Memory(NamedTuple):
    """Global memory to work in."""

    W_before: Any  # (jobs, m k), unit-sum factors at the check before
    H_before: Any  # (jobs, columns k)
    spare: Any  # (jobs, 3 m k + m) where the short factor is not in shared memory


class Block(NamedTuple):
    """Sums and small matrices of a block, in shared memory; `scratch` and `wide` are the same bytes, used in turn."""

    scratch: Any  # (group, threads)
    wide: Any  # (threads,), float64
    packed: Any  # half a Gram matrix and the sums
    G: Any  # (k, k): W's Gram matrix, or what W is updated by
    GH: Any  # (k, k)
    inverse: Any  # what `update` divides by
    sums: Any  # of H, (k,)
    W_sums: Any  # (k,)


class Fit(NamedTuple):
    """One replicate and its factors, flat, components last."""

    cells: Any
    W: Any
    Y: Any  # what H is fitted to: W, or its extrapolation
    A: Any  # V @ H.T
    new: Any  # W's update before it is extrapolated
    H: Any
    row_mass: Any  # sums of V over columns
    W_before: Any  # unit-sum factors at the check before
    H_before: Any


class Local(NamedTuple):
    """A thread's own rows of k numbers, and its part of a Gram matrix and of sums."""

    x: Any
    y: Any
    r: Any
    q: Any


class Penalties(NamedTuple):
    """The coefficients in the type of the factors."""

    l1_W: Any
    l2_W: Any
    l1_H: Any
    l2_H: Any
