"""Where the replicates of a pattern begin: given factors, random draws, or singular vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..initialise import SAFE_FACTOR, SAFE_PRODUCT, fill_zeros, nndsvd
from ..kernels import LANES
from ..kernels.parallel import in_parallel
from ..late import is_tensor, torch
from ..pattern import SharedPattern
from ..request import part
from .spectrum import leading_eigenvectors, leading_svd, vectors_of_first


class Starts(NamedTuple):
    """Where jobs begin: W (J, m, k), H (J, k, n), one for all or one for each.

    `extra` (J, k + 1, k) holds the Gram matrices of the columns of H outside the pattern, and below them their sums:
    they count until the first update of H.
    """

    W: np.ndarray
    H: np.ndarray
    extra: np.ndarray


@dataclass(frozen=True)
class Beginning:
    """How the replicates of a pattern begin; `of` returns where.

    Attributes
    ----------
    pattern : SharedPattern
        The replicates.
    init : str or (W, H)
        The first start; all later ones are random.
    n_components : int
        k.
    seed : int
        With the global number of a replicate and that of the start, names a random stream.
    dtype : dtype
        Precision of the factors.
    of_W : bool
        Whether random starts are of W alone: see `rules.hals.fits_H_first`.
    one : bool
        Whether all replicates are the same one.
    """

    pattern: SharedPattern
    init: Any
    n_components: int
    seed: int
    dtype: np.dtype
    of_W: bool = False
    one: bool = False

    @property
    def draws_first(self) -> bool:
        """Whether the first start is drawn as the others are."""
        return isinstance(self.init, str) and self.init == "random"

    def of(self, start: int, chosen: np.ndarray, numbers: np.ndarray, *, narrow: bool) -> Starts:
        """Return start number `start` of the replicates `chosen`, whose global numbers are `numbers`.

        `narrow` asks for one start for each replicate, and of H for the pattern's columns alone.
        """
        init = "random" if start else self.init
        if not isinstance(init, str):
            return self._given(chosen, narrow)
        parts: dict[int, Starts] = {}

        def work(begin: int, end: int) -> None:
            some = slice(begin, end)
            draw = self._random if init == "random" else self._singular
            parts[begin] = draw(start, chosen[some], numbers[some], narrow)

        in_parallel(work, len(chosen), grain=LANES)
        return join([parts[begin] for begin in sorted(parts)])

    def _given(self, chosen: np.ndarray, narrow: bool) -> Starts:
        W, H = (part(x, chosen, len(self.pattern)) for x in self.init)
        W, H = (np.ascontiguousarray(_array(x).reshape(-1, *np.shape(x)[-2:]), self.dtype) for x in (W, H))
        return self._assemble(W, H, len(chosen), narrow)

    def _singular(self, start: int, chosen: np.ndarray, numbers: np.ndarray, narrow: bool) -> Starts:
        (m, n), k = self.pattern.shape[1:], self.n_components
        fast = narrow and self.init != "nndsvdar" and k <= m and not self.one
        short = leading_eigenvectors(self.pattern, chosen, k) if fast else None
        if short is not None:
            return self._from_vectors(chosen, *short)
        if self.one and self.init != "nndsvdar":
            found = vectors_of_first(self.pattern, k)
            if found is not None:
                return self._of_first(*found, narrow)
        means = torch.from_numpy(self._means(chosen))
        svd = leading_svd(self.pattern, chosen, min(k, m, n), precision=means.dtype)
        like = torch.empty((len(chosen), m, n), dtype=means.dtype, device="meta")
        W, H = fill_zeros(self.init, nndsvd(like, k, svd=svd), means, self.seed, start, numbers)
        return self._assemble(W.numpy(), H.numpy(), len(chosen), narrow)

    def _of_first(self, U: np.ndarray, S: np.ndarray, X: np.ndarray, narrow: bool) -> Starts:
        from ..alternating.products import nndsvd

        level = float(self._means(np.zeros(1, np.int64))[0]) if self.init == "nndsvda" else 0.0
        W, short = nndsvd(U, S, X, both=True)
        H = np.zeros((len(S), self.pattern.shape[2]))
        H[:, self.pattern.columns] = short
        W, H = (np.where(x == 0, level, x).astype(self.dtype)[None] for x in (W.T, H))
        return self._assemble(W, H, 1, narrow)

    def _from_vectors(self, chosen: np.ndarray, U: np.ndarray, S: np.ndarray) -> Starts:
        # NNDSVD on the pattern's columns; in the others H is filled evenly.
        from ..kernels.spectra import nndsvd_starts

        pattern, (m, n), (B, k) = self.pattern, self.pattern.shape[1:], S.shape
        level = self._means(chosen) if self.init == "nndsvda" else np.zeros(B, self.dtype)
        W, H = np.empty((B, m, k), self.dtype), np.empty((B, k, len(pattern.columns)), self.dtype)
        where = np.asarray(chosen, np.int64)
        nndsvd_starts(pattern.values, pattern.rows, pattern.start, where, U, S, level, W, H, 0, B)
        outside, extra = n - len(pattern.columns), np.empty((B, k + 1, k))
        extra[:, :k] = (outside * level.astype(np.float64) ** 2)[:, None, None]
        extra[:, k] = (outside * level.astype(np.float64))[:, None]
        return Starts(W, H, extra)

    def _random(self, start: int, chosen: np.ndarray, numbers: np.ndarray, narrow: bool) -> Starts:
        # The draws of `initialise.random_factors`, or of W alone.
        from ..kernels.beginning import draw_factors
        from ..kernels.tiles import Cells

        pattern, (m, n), k = self.pattern, self.pattern.shape[1:], self.n_components
        W, H = np.empty((len(chosen), m, k), self.dtype), np.empty((len(chosen), k, n), self.dtype)
        cells = Cells(pattern.values, pattern.rows, pattern.start, pattern.columns)
        chosen, numbers = np.asarray(chosen, np.int64), np.asarray(numbers, np.int64)
        draw_factors(cells, chosen, numbers, np.uint64(self.seed), start, self.of_W, W, H, 0, len(chosen))
        extra = np.zeros((len(chosen), k + 1, k))
        return Starts(W, H.take(pattern.columns, axis=2) if narrow else H, extra)

    def _assemble(self, W: np.ndarray, H: np.ndarray, jobs: int, narrow: bool) -> Starts:
        extra = _extra(H[:, :, self._outside()].astype(np.float64))
        if not narrow:
            # In one order of axes: kernels would be compiled once more for another.
            return Starts(np.ascontiguousarray(W), np.ascontiguousarray(H), extra)
        W, H, extra = (np.broadcast_to(x, (jobs, *x.shape[1:])) for x in (W, H, extra))
        # Copies: read-only arrays would be compiled for by themselves.
        return Starts(np.array(W, order="C"), H.take(self.pattern.columns, axis=2), np.array(extra, order="C"))

    def _means(self, chosen: np.ndarray) -> np.ndarray:
        m, n = self.pattern.shape[1:]
        means = self.pattern.cells(chosen).sum(axis=1, dtype=np.float64) / (m * n)
        return np.asarray(means.astype(self.dtype))

    def _outside(self) -> np.ndarray:
        # Columns without cells; bool, shape (n,).
        outside = np.ones(self.pattern.shape[2], dtype=bool)
        outside[self.pattern.columns] = False
        return outside


def join(starts: Sequence[Starts]) -> Starts:
    """Return the jobs of all `starts`."""
    return starts[0] if len(starts) == 1 else Starts(*(np.concatenate(parts) for parts in zip(*starts, strict=True)))


def compilable(init: Any, pattern: SharedPattern, k: int) -> bool:
    """Tell whether the kernels can begin at given factors: complete, finite, of ordinary scale, no component empty.

    The dense path completes or rescales the others, or tells what is wrong with them.
    """
    if init[0] is None or init[1] is None:
        return False
    W, H = (_array(x) for x in init)
    m, n = pattern.shape[1:]
    if W.shape[-2:] != (m, k) or H.shape[-2:] != (k, n):
        return False
    if not (np.isfinite(W).all() and np.isfinite(H).all() and (W >= 0).all() and (H >= 0).all()):
        return False
    largest = [x.max(axis=(-2, -1)) for x in (W, H)]
    product = largest[0] * largest[1] / max(pattern.largest, 1.0)
    tame = all(((x > SAFE_FACTOR[0]) & (x < SAFE_FACTOR[1])).all() for x in largest)
    return bool(tame and ((product > SAFE_PRODUCT[0]) & (product < SAFE_PRODUCT[1])).all() and W.any(axis=-2).all())


def _array(x: Any) -> np.ndarray:
    return np.asarray(x.cpu() if is_tensor(x) else x)


def _extra(outside: np.ndarray) -> np.ndarray:
    # See `Starts.extra`.
    return np.concatenate([outside @ outside.swapaxes(-1, -2), outside.sum(-1)[..., None, :]], axis=-2)
