"""Products and what their axes are as labelled arrays: names of axes, units and a sentence on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from ..io.labelled import DEX, PURE, Labelled, along, labels, plain_name
from ..stars.naming import in_words, plane_in_words, unit_in_files
from .table import find

COMPONENT, LEVEL, PERCENTILE, COLUMN, REPLICATE = "component", "level", "percentile", "column", "replicate"
EXTRAS = {
    "loss": ((), "objective of the fit", PURE),
    "kkt": ((), "residual of the optimality conditions of the fit", PURE),
    "n_iter": ((), "iterations of the fit", PURE),
    "status": ((), "how the fit ended, 0 where it converged", ""),
    "start": ((), "which start won, 0 being the solution of the full sample", ""),
    "similarity": ((COMPONENT,), "cosine between the component and that of the full sample", PURE),
    "permutation": ((COMPONENT,), "place that the component had before it was matched to the full sample's", ""),
    "refused": ((), "whether the components match those of the full sample too badly", ""),
    "W": (("fit_bin", COMPONENT), "weight of the component in the bin, in counts", PURE),
    "H": ((COMPONENT, "pixel"), "component: its distribution over the pixels, sum 1", PURE),
    "fit_status": ((), "how the fit of the full sample ended", ""),
    "fit_kkt": ((), "residual of the optimality conditions of the fit of the full sample", PURE),
    "delete_factor": ((), "factor from the spread of the replicates to a standard error", PURE),
    "accreted": (("accreted_component",), "places of the components that are read as accreted", ""),
}
"""Axes, sentence and unit of what a replicate or the full sample has in addition to its products."""


@lru_cache(maxsize=4096)
def described(name: str) -> tuple[tuple[str, ...], str, str]:
    """Return axes, sentence and unit of a product, or of what else a replicate or the full sample has.

    Raises
    ------
    KeyError
        It is nothing that is known.
    """
    if name in EXTRAS:
        return EXTRAS[name]
    if name.startswith("n_stars_"):
        variable = name.removeprefix("n_stars_")
        return (axis_of(variable),), f"stars of the full sample in the bin: {in_words(variable)}", PURE
    found = find(name)
    product, of = found.product, found.of
    of_bins = {"bin": axis_of(of), "pixel": axis_of(of.partition(":")[2], pixels=True)}
    axes = tuple(of_bins.get(axis, axis) for axis in product.axes)
    words = product.label.removesuffix(", dex")
    if product.several:
        words += f": {plane_in_words(of) if ':' in of else in_words(of)}"
    if found.unit:
        return axes, words, unit_in_files(product.unit.format(variable=of))
    if product.name.endswith(("{abundance}", "{plane}")):
        return axes, words, unit_in_files(of.partition(":")[0]) or DEX
    if product.unit:  # of a variable whose unit is not known
        return axes, words, unit_in_files(of)
    return axes, words, "" if product.kind == "boundary_status" else PURE


def axis_of(variable: str, *, pixels: bool = False) -> str:
    """Return the name of the axis of a variable's bins, or of an abundance's pixels; ``boundary`` has Lz columns."""
    return COLUMN if variable == "boundary" else plain_name(f"{'pixel' if pixels else 'bin'}_{variable}")


def abundances_of(products: Sequence[str]) -> set[str]:
    """Return the abundances whose pixels some products have, by their names."""
    kinds = ("track_", "deviation_", "percentile_")
    return {part for name in products if name.startswith(kinds) for part in name.partition("_")[2].split(":")}


def coordinates_of_axes(
    coordinates: Mapping[str, np.ndarray], abundances: set[str], names: Sequence[str] = ()
) -> dict[str, Labelled]:
    """Return the coordinates of the axes of products.

    Parameters
    ----------
    coordinates : dict of str to ndarray
        As `products.coordinates` makes them; of these ``levels``, ``percentiles`` and ``edges_X``.
    abundances : set of str
        Those whose edges are of pixels.
    names : sequence of str
        Of the components; none where they are not known.
    """
    found = labels(COMPONENT, names, "component, in order of increasing mean energy") if names else {}
    if "levels" in coordinates:
        found[LEVEL] = Labelled((LEVEL,), coordinates["levels"], "level of the accreted fraction", PURE)
    if "percentiles" in coordinates:
        found[PERCENTILE] = Labelled(
            (PERCENTILE,), coordinates["percentiles"], "percentile of the component", "percent"
        )
    for name, edges in coordinates.items():
        if name.startswith("edges_") and np.ndim(edges) == 1 and len(edges) > 1:
            of = name.removeprefix("edges_")
            variable = "Lz" if of == "boundary" else of
            axis = axis_of(of, pixels=of in abundances)
            found |= along(axis, edges, in_words(variable), unit_in_files(variable))
    return found
