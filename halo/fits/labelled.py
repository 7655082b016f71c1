"""A fit as labelled arrays: what its file holds, and what xarray is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io.labelled import PURE, Labelled, Labels, heading, labels, plain_name
from ..io.provenance import plain
from ..mixtures.settings import Chemistry
from ..stars.naming import in_words, unit_in_files

if TYPE_CHECKING:
    from .fit import Fit

SCHEMA = 3
"""Version of the layout of files; it rises when a reader of the old one would go wrong."""
DERIVED = ("fraction", "mass_fraction", "accreted")
"""Arrays that follow from the others: those who open a file have them, and reading a fit does without."""


def labelled(fit: Fit) -> Labels:
    """Return everything that a fit is.

    Arrays ``W`` (bin, component), ``H`` (component, pixel), ``V`` (bin, pixel), ``n_stars`` and ``bin_energy`` (bin),
    ``mean_energy`` (component), ``edges_1`` and ``edges_2``, ``rows`` (star) and ``columns`` (star, plane), ``weights``
    (star) of weighted stars, and `DERIVED`; coordinates ``component``, ``plane`` and ``bin``, of bins the lower and
    upper edges and the centre in each variable, of pixels the plane and the centre. The attributes ``settings``,
    ``cutflow``, ``outcome`` and ``provenance`` are JSON.
    """
    mixtures = fit.mixtures
    variables = [axis.variable for axis in mixtures.bins.axes]
    first = "E" if _has_energy(fit) else variables[0]
    energy, unit = in_words(first), unit_in_files(first)
    counts = "number of stars" if mixtures.weights is None else "sum of the weights of the stars"
    W = np.ascontiguousarray(fit.W)  # sums depend on the order in memory, and a fit is the same before and after
    total = W.sum(axis=1, keepdims=True)
    fraction = np.divide(W, total, out=np.full(W.shape, np.nan), where=total > 0)
    accreted = np.isin(np.arange(len(fit.names)), fit.reading.accreted)
    arrays = {
        "W": Labelled(("bin", "component"), W, "weight of the component in the bin, in counts", PURE),
        "H": Labelled(("component", "pixel"), fit.H, "component: its distribution over the pixels, sum 1", PURE),
        "V": Labelled(("bin", "pixel"), mixtures.V, f"{counts} in the pixel", PURE),
        "fraction": Labelled(("bin", "component"), fraction, "fraction of the component in the bin", PURE),
        "mass_fraction": Labelled(("component",), W.sum(axis=0) / W.sum(), "mass fraction of the component", PURE),
        "accreted": Labelled(("component",), accreted, "whether the component is read as accreted"),
        "n_stars": Labelled(("bin",), mixtures.n_stars, "number of stars in the bin", PURE),
        "bin_energy": Labelled(("bin",), fit.bin_energy, f"mean over the bin's stars: {energy}", unit),
        "mean_energy": Labelled(("component",), fit.mean_energy, f"weighted mean of the bins: {energy}", unit),
        "rows": Labelled(("star",), mixtures.rows.astype(np.int32), "bin of the star, -1 outside"),
        "columns": Labelled(
            ("star", "plane"), mixtures.columns.astype(np.int32), "pixel of the star in the plane, -1 outside"
        ),
        **_edges(fit, variables),
        **labels("component", fit.names, "component, in order of increasing mean energy"),
        **labels("plane", list(map(str, mixtures.chemistry.planes)), "abundance plane, y against x"),
        "bin": Labelled(("bin",), np.arange(len(W), dtype=np.int32), "number of the bin, by which rows name it"),
    }
    if mixtures.weights is not None:
        arrays["weights"] = Labelled(("star",), mixtures.weights, "weight of the star", PURE)
    bins, pixels = _bins(fit, variables), pixel_coordinates(mixtures.chemistry)
    title = f"halonmf fit of {len(fit.names)} components"
    attributes = {**heading(title, fit.provenance), "halonmf": "fit", "schema": SCHEMA, **_records(fit)}
    return Labels({**arrays, **bins, **pixels}, attributes, (*bins, *pixels))


def pixel_coordinates(chemistry: Chemistry) -> dict[str, Labelled]:
    """Return plane and centre of every pixel, in the order of the columns of V."""
    l, planes = chemistry.pixels, chemistry.planes  # noqa: E741
    x = np.concatenate([np.tile(chemistry.centres(plane.x), l) for plane in planes])
    y = np.concatenate([np.repeat(chemistry.centres(plane.y), l) for plane in planes])
    names = np.repeat([str(plane) for plane in planes], l * l)
    units = {axis: {unit_in_files(getattr(plane, axis)) for plane in planes} for axis in "xy"}
    return {
        "pixel_plane": Labelled(("pixel",), names, "plane of the pixel"),
        **{
            f"pixel_{axis}": Labelled(
                ("pixel",),
                centres,
                f"centre of the pixel along {axis}: "
                + ", ".join(dict.fromkeys(in_words(getattr(plane, axis)) for plane in planes)),
                units[axis].pop() if len(units[axis]) == 1 else "",
            )
            for axis, centres in (("x", x), ("y", y))
        },
    }


def _records(fit: Fit) -> dict[str, str]:
    record: dict[str, Any] = {
        "settings": plain(fit.settings),
        "cutflow": plain(fit.cutflow),
        "outcome": {
            "names": list(fit.names),
            "loss": fit.loss,
            "kkt": fit.kkt,
            "n_iter": fit.n_iter,
            "status": fit.status,
            "device": fit.device,
            "clusters": fit.clusters,
            **({"survey": fit.survey} if fit.survey else {}),
            "convention": None if fit.mixtures.convention is None else fit.mixtures.convention.record(),
            "verdict": None if fit.judged is None else plain(fit.judged),
        },
        "provenance": plain(fit.provenance),
    }
    return {name: json.dumps(value, sort_keys=True) for name, value in record.items()}


def _has_energy(fit: Fit) -> bool:
    # what means are of is not said by the fit itself: of the first variable where the stars had no energy
    first = fit.mixtures.bins.axes[0].variable
    if first == "E" or fit.mixtures.convention is not None:
        return True
    low, high = fit.mixtures.bins.bounds[:, 0, 0], fit.mixtures.bins.bounds[:, 0, 1]
    known = np.isfinite(fit.bin_energy)
    return not bool(np.all((low[known] <= fit.bin_energy[known]) & (fit.bin_energy[known] <= high[known])))


def _bins(fit: Fit, variables: list[str]) -> dict[str, Labelled]:
    found = {}
    for name, (lower, upper) in zip(variables, fit.mixtures.bins.bounds.transpose(1, 2, 0), strict=True):
        each = {"lower edge": lower, "upper edge": upper, "centre": 0.5 * (lower + upper)}
        for what, x in each.items():
            words = f"{what} of the bin: {in_words(name)}"
            found[f"{plain_name(name)}_{what.split()[0]}"] = Labelled(("bin",), x, words, unit_in_files(name))
    return found


def _edges(fit: Fit, variables: list[str]) -> dict[str, Labelled]:
    axes = (("edge_1",), ("bin_1", "edge_2"))
    where = ("", ", in each bin of the first variable")
    return {
        f"edges_{i + 1}": Labelled(
            axes[i], edges, f"edges of the bins{where[i]}: {in_words(name)}", unit_in_files(name)
        )
        for i, (name, edges) in enumerate(zip(variables, fit.mixtures.bins.edges, strict=True))
    }
