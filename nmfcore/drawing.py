"""How replicates are drawn: a recipe that stands for their counts until these are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .kernels.sampling import Recipe

SCHEMES = ("multinomial", "poisson", "delete")
NO_DELETIONS = (np.zeros(0, np.int64),) * 3


@dataclass(frozen=True, eq=False)
class Drawing:
    """The stars and the random streams that replicates are drawn from; see `nmfcore.bootstrap`.

    Attributes
    ----------
    of_star : ndarray of int32, shape (n_stars, n_images)
        The cell in which each star counts in every image; `cells`, one more than there are, where it does not.
    cells : int
        Number of cells.
    dtype : dtype
        Type of the counts.
    scheme : {"multinomial", "poisson", "delete"}
        The scheme.
    seed, first_replicate : int
        Replicate b draws from the stream named by (seed, first_replicate + b).
    deletions : tuple of ndarray of int64
        For "delete": the stars ordered by bin, where each bin begins, and how many stars go from each.
    """

    of_star: np.ndarray
    cells: int
    dtype: np.dtype
    scheme: str
    seed: int
    first_replicate: int
    deletions: tuple[np.ndarray, np.ndarray, np.ndarray] = NO_DELETIONS

    def since(self, replicate: int) -> Drawing:
        """Return the drawing whose first replicate is this one's number `replicate`."""
        return replace(self, first_replicate=self.first_replicate + replicate)

    def counts(self, replicates: int) -> np.ndarray:
        """Draw so many replicates; shape (tiles, cells * LANES), as `SharedPattern.values`."""
        from .kernels import sampling

        values = np.empty((-(-replicates // sampling.LANES), self.cells * sampling.LANES), self.dtype)
        sampling.fill(values, self.recipe(), replicates)
        return values

    def weights(self, replicates: int) -> np.ndarray:
        """Draw so many replicates; return how often each has every star, uint8, shape (B, n_stars)."""
        from .kernels import sampling

        stars = len(self.of_star)
        itself = replace(self, of_star=np.arange(stars, dtype=np.int32)[:, None], cells=stars)
        out = np.empty((replicates, stars), np.uint8)
        sampling.weigh(out, itself.recipe())
        return out

    def recipe(self) -> Recipe:
        """Return what the compiled loops are told."""
        from .kernels import sampling

        stars, images = self.of_star.shape
        scheme = SCHEMES.index(self.scheme)
        return sampling.Recipe(
            self.of_star.reshape(-1), images, stars, sampling.thresholds_of(scheme, stars), scheme, self.seed,
            self.first_replicate, *self.deletions,
        )  # fmt: skip
