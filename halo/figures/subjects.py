"""What the figures of an ensemble are about: one configuration, or a group of them, with the lines of its products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ensembles.statistics import Group, Part
from ..ensembles.summary import Summary
from ..replicates.table import find
from .style import colours


@dataclass(frozen=True)
class Line:
    """A product along an axis, ready to be drawn.

    Attributes
    ----------
    value, low, high : ndarray
        The value, and the 68 % interval of its sampling error.
    spread : ndarray or None
        Standard deviation over configurations.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spread: np.ndarray | None


@dataclass(frozen=True)
class Subject:
    """The subject of one set of figures: a configuration, or a group of them and the one nearest to their mean."""

    part: Part
    group: Group | None
    name: str

    @property
    def shades(self) -> tuple[Any, ...]:
        """A colour for each component."""
        return colours(len(self.part.names))

    def line(self, product: str) -> Line | None:
        """Return a product: of the group where it has it, else of the configuration; None where neither has."""
        if product not in self.part.statistics:
            return None
        if self.group is None or product not in self.group.statistics:
            return alone(self.part, product)
        mean, spread, se = (self.group(product, name) for name in ("mean", "spread", "se"))
        low, high = mean - se, mean + se
        limits = find(product).product.limits
        if limits is not None:
            low, high = np.maximum(low, limits[0]), np.minimum(high, limits[1])
        return Line(mean, low, high, spread)

    @property
    def about(self) -> str:
        """A sentence on the configurations and replicates."""
        part = self.part
        if self.group is None:
            return f"{part.label}: {part.used:,} of {part.replicates:,} replicates ({part.setup.scheme})."
        return (
            f"Mean over {len(self.group.members)} configurations; dotted, their standard deviation; shaded, "
            f"the sampling error within one ({part.setup.scheme}, {part.replicates:,} replicates each)."
        )


def alone(part: Part, product: str) -> Line:
    """Return a product of one configuration."""
    return Line(part(product, "base"), part(product, "low_68"), part(product, "high_68"), None)


def subjects(summary: Summary) -> list[Subject]:
    """Return the subjects: groups, and configurations that are in none."""
    found, grouped = [], set()
    for group in summary.groups:
        members = [summary.parts[i] for i in group.members]
        mean = group("mass_fraction", "mean")
        away = [np.abs(part("mass_fraction", "base") - mean).sum() for part in members]
        found.append(Subject(members[int(np.argmin(away))], group, group.label))
        grouped |= set(group.members)
    alone = [part for i, part in enumerate(summary.parts) if i not in grouped]
    return found + [Subject(part, None, part.label) for part in alone]
