"""Resampled counts: from the bin and pixels of each star to B replicates of the counts, never as dense matrices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from .drawing import NO_DELETIONS, SCHEMES, Drawing
from .errors import ProblemError, refuse_masked, require_whole
from .kernels.cuda.devices import visible_devices, why_missing
from .pattern import SharedPattern, compress, order_of, smallest_dtype, to_tiles

# Cells are counted in a table of V up to so many entries of it for each count; in a larger V their places are sorted.
ENTRIES_PER_COUNT = 64
# Replicates whose weighted stars are in memory at once.
WEIGHTED = 256


def bootstrap(
    rows: Any,
    columns: Any,
    shape: tuple[int, int],
    *,
    replicates: int = 1000,
    scheme: str = "multinomial",
    drop: int | str = "sqrt",
    seed: int = 0,
    first_replicate: int = 0,
    device: str = "cpu",
    weights: Any = None,
) -> SharedPattern:
    """Resample stars and return the counts of every replicate.

    Parameters
    ----------
    rows : array of int, shape (n_stars,)
        Each star's bin; -1 outside all.
    columns : array of int, shape (n_stars,) or (n_stars, n_images)
        Each star's pixel in every image, as a column of V; -1 where it falls outside. A star counts once in each.
    shape : tuple of int
        (m, n) of V.
    replicates : int
        B.
    scheme : {"multinomial", "poisson", "delete"}
        "multinomial" draws n_stars stars with replacement (Efron 1979). "poisson" gives each star a weight of its own,
        a Poisson number of mean 1, so that the size of the sample varies too. "delete" takes `drop` stars away from
        each bin without replacement and keeps the others once: its spread is not a standard error, but is proportional
        to one.
    drop : int or "sqrt"
        Stars to take from each bin with scheme "delete": a number, or the square root of the bin's number, rounded.
    seed, first_replicate : int
        Replicate b draws from a stream named by (seed, first_replicate + b): it is the same in every batch.
    device : {"cpu", "cuda"}
        Where `factorize` draws and solves: "cuda" divides the replicates among the visible devices, "cuda:1" takes that
        one. The counts are the same everywhere.
    weights : array, shape (n_stars,), optional
        For how much each star counts. Stars are drawn as without weights, and each time that one is drawn its weight is
        added to its cells. These are then drawn here at once, in single precision, and `device` is of no consequence.

    Returns
    -------
    SharedPattern
        Its cells are those of the full sample, which is its `base`. Without weights nothing is drawn before it is used.

    Raises
    ------
    ProblemError
        If indices lie outside `shape`, no star counts, or an argument makes no sense.
    RuntimeError
        If `device` is CUDA and there is none.

    Notes
    -----
    Random numbers are SplitMix64's (Steele, Lea & Flood 2014, OOPSLA, 453), whose i-th output is a function of i: the
    same numbers on every device, in any order. Stars get Poisson weights first, of mean 1 - 3 / sqrt(n_stars) for
    "multinomial", where stars are then drawn until there are n_stars; in the rare case that there are more, drawn ones
    are taken away at random. Poisson weights of a given sum are multinomial, so that both steps are exact. A star is
    chosen by the upper half of a 32 x 32 bit product, whose departure from uniformity is below n_stars / 2^32.

    Examples
    --------
    >>> import nmfcore
    >>> counts = nmfcore.bootstrap([0, 0, 1, 1], [[0], [2], [2], [1]], (2, 4), replicates=3, seed=1)
    >>> counts.shape, int(counts.to_dense().sum())
    ((3, 2, 4), 12)
    """
    m, n = (int(x) for x in shape)
    row, pixel = places_of(rows, columns, m, n)
    _check(scheme, replicates, seed, first_replicate)
    remote = device.partition(":")[0] == "cuda"
    if not remote and device != "cpu":
        raise ProblemError(f"device must be 'cpu' or 'cuda': counts are drawn there; got {device!r}")
    if remote and not visible_devices(device):
        raise RuntimeError(why_missing(device))
    cells = cells_of(row, pixel, m, n)
    # Room for ten standard deviations above the largest count, so that no replicate overflows.
    most = cells.base.max()
    largest = most + 10 * np.sqrt(most) + 20 if scheme != "delete" else most
    deletions = _deletions(row, m, drop) if scheme == "delete" else NO_DELETIONS
    drawing = Drawing(
        cells.of_star, len(cells.rows), smallest_dtype(largest, True), scheme, seed, first_replicate, deletions
    )
    if weights is not None:
        return _weighted(cells, drawing, _checked_weights(weights, len(row)), (replicates, m, n))
    values: Any = None
    return SharedPattern(
        cells.rows, cells.columns, cells.start, values, (replicates, m, n), base=cells.base, seed=seed,
        first_replicate=first_replicate, on_device=device if remote else None, draw=drawing,
    )  # fmt: skip


def star_weights(
    rows: Any,
    *,
    replicates: int = 1000,
    scheme: str = "multinomial",
    drop: int | str = "sqrt",
    seed: int = 0,
    first_replicate: int = 0,
) -> np.ndarray:
    """Return how often each star is in every replicate that `bootstrap` makes of the same arguments.

    Parameters
    ----------
    rows : array of int, shape (n_stars,)
        Each star's bin; -1 outside all. Only "delete" looks at the bins; the others need their number.
    replicates, scheme, drop, seed, first_replicate
        As in `bootstrap`.

    Returns
    -------
    ndarray of uint8, shape (B, n_stars)

    Raises
    ------
    ProblemError
        If an argument makes no sense.

    Examples
    --------
    >>> import nmfcore
    >>> nmfcore.star_weights([0, 0, 1, 1], replicates=3, seed=1).sum(axis=1).tolist()
    [4, 4, 4]
    """
    row = _indices(rows, np.iinfo(np.int64).max, "rows")
    if row.ndim != 1 or len(row) == 0:
        raise ProblemError(f"rows must have shape (n_stars,), one star at least; got {row.shape}")
    _check(scheme, replicates, seed, first_replicate)
    deletions = _deletions(row, int(row.max()) + 1, drop) if scheme == "delete" else NO_DELETIONS
    nowhere = np.zeros((len(row), 1), np.int32)
    return Drawing(nowhere, 0, np.dtype(np.uint8), scheme, seed, first_replicate, deletions).weights(replicates)


def _checked_weights(weights: Any, stars: int) -> np.ndarray:
    refuse_masked(weights, "weights", "fill them with 0, which counts nowhere")
    found = np.asarray(weights, dtype=np.float64)
    if found.shape != (stars,) or not (np.isfinite(found) & (found >= 0)).all() or not found.any():
        raise ProblemError(
            f"weights must have shape ({stars},), be finite and >= 0, and one of them above 0; got shape {found.shape}"
        )
    return found


def _weighted(cells: Cells, drawing: Drawing, weights: np.ndarray, shape: tuple[int, int, int]) -> SharedPattern:
    (stars, images), number = cells.of_star.shape, len(cells.rows)
    star = np.repeat(np.arange(stars), images)
    each = scipy.sparse.csr_array(
        (weights[star], (cells.of_star.ravel(), star)), shape=(number + 1, stars)
    )  # from how often every star is drawn to what the cells hold; where a star does not count is one cell more
    values = np.empty((shape[0], number), np.float32)
    for first in range(0, shape[0], WEIGHTED):
        drawn = drawing.since(first).weights(min(WEIGHTED, shape[0] - first))
        values[first : first + len(drawn)] = (each @ drawn.T.astype(np.float64)).T[:, :number]
    base = (each @ np.ones(stars))[:number]
    return SharedPattern(
        cells.rows, cells.columns, cells.start, to_tiles(values), shape, base=base, seed=drawing.seed,
        first_replicate=drawing.first_replicate,
    )  # fmt: skip


def _check(scheme: str, replicates: int, seed: int, first_replicate: int) -> None:
    if scheme not in SCHEMES:
        raise ProblemError(f"scheme must be one of {SCHEMES}; got {scheme!r}")
    for name, value in (("replicates", replicates), ("seed", seed), ("first_replicate", first_replicate)):
        require_whole(name, value)
    if replicates < 1 or seed < 0 or first_replicate < 0:
        raise ProblemError(
            f"replicates must be >= 1, seed and first_replicate >= 0; got {replicates}, {seed} and {first_replicate}"
        )


class Cells(NamedTuple):
    """The cells that the full sample fills, as `SharedPattern` keeps them."""

    rows: np.ndarray
    columns: np.ndarray
    start: np.ndarray
    base: np.ndarray  # counts of the full sample
    of_star: np.ndarray  # (n_stars, n_images), int32; the number of cells where a star does not count


def cells_of(row: np.ndarray, pixel: np.ndarray, m: int, n: int) -> Cells:
    """Return the cells that stars fill, from their bins (n_stars,) and pixels (n_stars, n_images); -1 is nowhere."""
    # Images first: loops over stars are long, those over images would be short.
    pixel = np.ascontiguousarray(pixel.T)
    counted = (row >= 0) & (pixel >= 0)
    key = pixel * m + row
    key = key.ravel() if counted.all() else key[counted]
    if len(key) == 0:
        raise ProblemError("no star falls into a bin and an image")
    if m * n <= ENTRIES_PER_COUNT * len(key):
        number = np.bincount(key, minlength=m * n)
        keys, of_entry = np.flatnonzero(number > 0), np.empty(m * n, dtype=np.int32)
        of_entry[keys] = np.arange(len(keys), dtype=np.int32)
        number, inverse = number[keys], of_entry[key]
    else:
        keys, inverse, number = np.unique(key, return_inverse=True, return_counts=True)
    order = order_of(keys // m)
    keys, place = keys[order], np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    of_star = np.full(pixel.shape, len(keys), dtype=np.int32)
    of_star[counted] = place[inverse]
    columns = keys // m
    of_star = np.ascontiguousarray(of_star.T)
    return Cells(*compress(keys - columns * m, columns, m), number[order].astype(np.float64), of_star)


def places_of(rows: Any, columns: Any, m: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each star's bin (n_stars,), and its pixel in every image (n_stars, n_images), checked."""
    row = _indices(rows, m, "rows")
    pixel = _indices(columns, n, "columns")
    pixel = pixel.reshape(len(pixel), -1)
    if row.ndim != 1 or len(row) != len(pixel):
        raise ProblemError(f"rows must have shape (n_stars,) like columns; got {row.shape} and {pixel.shape}")
    return row, pixel


def _indices(x: Any, size: int, name: str) -> np.ndarray:
    refuse_masked(x, name, "fill them with -1, which counts nowhere")
    array = np.asarray(x)
    if array.dtype.kind not in "iu":
        raise ProblemError(f"{name} must hold integers; got {array.dtype}")
    array = array.astype(np.int64)
    bad = (array < -1) | (array >= size)
    if bad.any():
        raise ProblemError(
            f"{name} must lie in 0 to {size - 1}, or be -1; {int(bad.sum())} do not (first {array[bad][0]})"
        )
    return array


def _deletions(row: np.ndarray, m: int, drop: int | str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Stars ordered by bin, where each bin begins, and how many go from each.
    number = np.bincount(row[row >= 0], minlength=m)
    if drop == "sqrt":
        drops = np.rint(np.sqrt(number)).astype(np.int64)
    elif isinstance(drop, (int, np.integer)) and not isinstance(drop, bool) and drop >= 0:
        drops = np.minimum(int(drop), number)
    else:
        raise ProblemError(f"drop must be 'sqrt' or an integer >= 0; got {drop!r}")
    order = np.argsort(row, kind="stable")[(row < 0).sum() :]
    return order.astype(np.int64), np.concatenate([[0], np.cumsum(number)]).astype(np.int64), drops
