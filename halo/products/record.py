"""Results for programs: what ``--json`` prints of a product, in one way for all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import Table

from ..fits.fit import Fit
from ..io.provenance import plain
from ..io.reading import cleaned
from ..stars.catalogue import Catalogue
from ..stars.cutflow import CutFlow

_AS_WRITTEN = {"km kpc / s": "kpc km / s"}
"""Units that astropy puts in another order than this package and the field do."""


def record(product: Any) -> dict[str, Any]:
    """Return a result as JSON can hold it, in full precision; None for what is not a number.

    A product that has a method ``record`` says itself what it is. Of a fit and of a prepared catalogue it is what
    ``halonmf info`` knows. Every other product is its table: ``columns`` (the unit of each), ``rows`` and ``meta``,
    and further ones under ``tables``.

    Parameters
    ----------
    product : Product, Fit, Catalogue or Table
        Any result of this package.

    Returns
    -------
    dict
        Of dicts, lists, text and numbers. Energies are in km2 / s2.

    Examples
    --------
    >>> halo.record(halo.profile(fit, "stars.fits", "E:20"))["rows"][0]  # doctest: +SKIP
    """
    if isinstance(product, Fit):
        found = _fit(product)
    elif isinstance(product, Catalogue):
        found = _catalogue(product)
    elif isinstance(product, Table):
        found = table_record(product)
    elif callable(own := getattr(product, "record", None)):
        found = own()
    elif callable(several := getattr(product, "tables", None)):
        tables = {name: table_record(each) for name, each in several().items()}
        first = next(iter(tables))
        found = {**tables.pop(first), "tables": tables}
    else:
        found = table_record(product.table())
    return jsonable(found)


def jsonable(value: Any) -> Any:
    """Return a value as JSON can hold it, with None for what is not finite, which JSON cannot say."""
    return plain(_finite(value))


def table_record(table: Any) -> dict[str, Any]:
    """Return a table: ``columns`` (the unit of each, or nothing), ``rows`` (by column), and its metadata."""
    columns = {name: _values(table[name]) for name in table.colnames}
    return {
        "columns": units_of(table),
        "rows": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
        "meta": {name: value for name, value in table.meta.items() if name != "provenance"},
    }


def units_of(table: Any) -> dict[str, str]:
    """Return the unit of each column as text, empty where it has none."""
    units = {name: table[name].unit for name in table.colnames}
    return {name: "" if unit is None else _AS_WRITTEN.get(str(unit), str(unit)) for name, unit in units.items()}


def flow_record(flow: CutFlow) -> dict[str, Any]:
    """Return a cut-flow: how many there were, what each cut removed, how many passed."""
    return {"total": flow.total, "cuts": list(flow.names), "removed": list(flow.removed), "passed": flow.passed}


def _fit(fit: Fit) -> dict[str, Any]:
    m, n = fit.mixtures.V.shape
    names, judged = list(fit.names), fit.judged
    return {
        "kind": "fit",
        "components": names,
        "stars": int(fit.mixtures.n_stars.sum()),
        "bins": m,
        "pixels": n,
        "stars_outside_bins": int(fit.mixtures.outside_bins),
        "stars_outside_images": _by_plane(fit),
        "empty_bins": int(fit.mixtures.empty_bins),
        "selection": fit.settings.selection.name,
        "loss": fit.settings.solver.loss,
        "mass_fractions": dict(zip(names, fit.mass_fractions.tolist(), strict=True)),
        "mean_fractions": dict(zip(names, fit.mean_fractions.tolist(), strict=True)),
        "accreted_fraction": fit.accreted_fraction,
        "status": fit.status,
        "kkt": fit.kkt,
        "iterations": fit.n_iter,
        "verdict": None if judged is None else judged.record(),
        "verified": fit.verified,
        "cutflow": flow_record(fit.cutflow),
    }


def _by_plane(fit: Fit) -> dict[str, int]:
    planes = map(str, fit.mixtures.chemistry.planes)
    return dict(zip(planes, map(int, fit.mixtures.outside_images), strict=True))


def _catalogue(catalogue: Catalogue) -> dict[str, Any]:
    orbits = catalogue.provenance.get("orbits")
    return {
        "kind": "prepared catalogue",
        "stars": len(catalogue),
        "columns": list(catalogue.table.colnames),
        "orbits": {str(name): cleaned(x) for name, x in orbits.items()} if isinstance(orbits, Mapping) else {},
        "cutflow": flow_record(catalogue.cutflow),
    }


def _values(column: Any) -> list[Any]:
    """Return the values of a column without its unit; None where they are masked."""
    values = np.ma.asarray(getattr(column, "value", column))
    return [x.decode(errors="replace") if isinstance(x, bytes) else x for x in values.tolist()]


def _finite(value: Any) -> Any:
    if hasattr(value, "tolist") and not hasattr(value, "unit"):  # NumPy arrays and scalars
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
