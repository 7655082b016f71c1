"""Which components of a fit are read as accreted: decided here alone, for every product.

Components are ordered by mean energy. Of up to three the last one is accreted. Of more than three a population may have
been divided, so that the last one and all of its kind are: those whose mean [Al/Fe] is nearer to that of the last
component than to the highest of all (docs/recommended.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..mixtures.settings import Chemistry

IN_SITU, ACCRETED = "in situ", "accreted"
"""Names of the two parts that components are read as."""
LAST = (-1,)
"""The component of the highest energy."""
WHOLE = 3
"""Up to so many components each is a population, and the last one alone is accreted."""


@dataclass(frozen=True)
class Reading:
    """The components of a fit, and which of them are read as accreted.

    Attributes
    ----------
    names : tuple of str
        All k, in order of increasing energy.
    accreted : tuple of int
        Places of the accreted ones, rising.
    """

    names: tuple[str, ...]
    accreted: tuple[int, ...] = LAST

    def __post_init__(self) -> None:
        places = sorted({range(len(self.names))[j] for j in self.accreted})
        object.__setattr__(self, "accreted", tuple(places))

    @property
    def others(self) -> tuple[int, ...]:
        """Places of the components that are not accreted."""
        return tuple(j for j in range(len(self.names)) if j not in self.accreted)

    @property
    def nameless(self) -> bool:
        """Whether no component is called accreted by its name, as HE is: three and more have numbers."""
        return len(self.names) > 2

    @property
    def label(self) -> str:
        """Names of the accreted components, such as "HE", "C3" or "C4 + C5"."""
        return " + ".join(self.names[j] for j in self.accreted)

    @property
    def label_of_others(self) -> str:
        """Names of the other components; of a single component its own."""
        return " + ".join(self.names[j] for j in self.others) or self.names[0]

    def of(self, parts: np.ndarray) -> np.ndarray:
        """Return the accreted part: the sum over the accreted components, which lie along the last axis.

        Parameters
        ----------
        parts : ndarray, shape (..., k)
            Such as fractions, weights or probabilities.

        Returns
        -------
        ndarray, shape (...)
        """
        if len(self.accreted) == 1:
            return parts[..., self.accreted[0]]
        return parts[..., list(self.accreted)].sum(axis=-1)

    def both(self, parts: np.ndarray) -> np.ndarray:
        """Return the in-situ and the accreted part, shape (..., 2)."""
        rest = parts[..., list(self.others)].sum(axis=-1)
        return np.stack([rest, self.of(parts)], axis=-1)

    def merged(self, W: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the in-situ and the accreted part as two components: sums of weights, and means of images by mass.

        Parameters
        ----------
        W : ndarray, shape (..., m, k)
            Weights; H at unit sum.
        H : ndarray, shape (..., k, n)
            Components.

        Returns
        -------
        W : ndarray, shape (..., m, 2)
        H : ndarray, shape (..., 2, n)
        """
        mass = W.sum(axis=-2)
        parts = []
        for places in (self.others, self.accreted):
            fraction, images = mass[..., list(places)], H[..., list(places), :]
            total = fraction.sum(axis=-1, keepdims=True)
            # of a part without mass, which has no mean image, the plain mean
            even = np.full_like(fraction, 1 / max(len(places), 1))
            fraction = np.divide(fraction, total, out=even, where=total > 0)
            parts.append((fraction[..., None] * images).sum(axis=-2))
        return self.both(W), np.stack(parts, axis=-2)


def read(H: np.ndarray, names: tuple[str, ...], chemistry: Chemistry) -> Reading:
    """Return which components are accreted.

    Parameters
    ----------
    H : ndarray, shape (k, n)
        Components in order of increasing energy.
    names : tuple of str
        Their names.
    chemistry : Chemistry
        Their images; without one of [Al/Fe] the last component alone is accreted.
    """
    al = mean_abundance(H, chemistry, "AL_FE")
    if len(H) <= WHOLE or al is None or not np.isfinite(al).all():
        return Reading(names)
    alike = np.abs(al - al[-1]) < np.abs(al - al.max())
    alike[-1] = True  # also where it is the richest itself
    return Reading(names, tuple(int(j) for j in np.flatnonzero(alike)))


def mean_abundance(H: np.ndarray, chemistry: Chemistry, name: str) -> np.ndarray | None:
    """Return each component's mean of an abundance that is along y or else x of a plane, shape (k,), dex, or None."""
    for axis in ("y", "x"):
        for i, plane in enumerate(chemistry.planes):
            if getattr(plane, axis) == name:
                mass = chemistry.images(H)[:, i].sum(axis=2 if axis == "y" else 1)
                total = mass.sum(axis=1)
                return np.divide(mass @ chemistry.centres(name), total, out=np.full(len(H), np.nan), where=total > 0)
    return None
