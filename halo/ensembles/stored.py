"""An ensemble's summary read from its file: the numbers of every configuration that do not lie along bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from ..fits.engine import CONVERGED
from ..fits.fit import component_names
from ..fits.verdict import Verdict
from ..io.hdf5 import Held, first_line
from ..io.labelled import plain_name
from ..io.reading import cleaned
from ..replicates.labelled import COMPONENT, LEVEL, described
from ..replicates.table import averaged, find
from .archive import open_arrays
from .labelled import COUNTS
from .plan import decode_setup
from .rows import Summary
from .statistics import STATISTICS, TIMES, Part
from .summary import groups

LARGEST = 1e12
"""No number of a summary is as large."""
WITHOUT_BINS = {"component", "level"}
"""Axes of the products that are read."""


def read_summary(path: str | Path) -> tuple[Summary, dict[str, Any]]:
    """Return a summary with the products that are numbers of components or levels, and what its file says of itself.

    Files of layout 1 do not say how many replicates were left out: those that count are taken for all.

    Raises
    ------
    InputError
        It is no summary, damaged, or another one than was written.
    """
    record, held = open_arrays(path)
    try:
        if list(record["statistics"]) != list(STATISTICS):
            raise ValueError("its statistics are others")
        read = _first_layout if record["schema"] == 1 else _part
        parts = tuple(read(held, i, said) for i, said in enumerate(record["setups"]))
        if not parts:
            raise ValueError("it has no configuration")
        return Summary(
            parts,
            groups(parts),
            str(record["interval"]),
            tuple((cleaned(name), cleaned(why)) for name, why in record.get("failed", {}).items()),
            tuple(map(cleaned, record.get("missing", ()))),
            str(record.get("run", "")),
            Verdict.from_record(record["verdict"]) if "verdict" in record else None,
        ), record
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, UsageError) as error:
        reason = cleaned(first_line(error), 120)
        raise InputError(f"{path}: damaged or incomplete ({reason}); make it again with halonmf summary.") from None


def _part(held: Held, i: int, said: Mapping[str, Any]) -> Part:
    arrays = held.arrays
    setup = decode_setup(said["setup"])
    known = arrays[COMPONENT].tolist()
    own = _names(setup.fit.solver.components, len(known))
    places = [known.index(name) for name in own]
    plain = {plain_name(name): name for name in _products(arrays)}
    statistics, counts = {}, {}
    for stored, name in plain.items():
        x = arrays[stored][i]
        x = x[..., places] if COMPONENT in find(name).product.axes else x
        if np.isnan(x[STATISTICS.index("n_used")]).all():
            continue  # a product of other configurations
        statistics[name] = _checked(name, x, (len(STATISTICS), *x.shape[1:]))
        if stored + COUNTS in arrays:
            counts[name] = _checked(name, arrays[stored + COUNTS][i], (len(TIMES), *x.shape[1:]))
    coordinates: dict[str, Any] = {"accreted": np.flatnonzero(arrays["accreted"][i][places])}
    if LEVEL in arrays:
        coordinates["levels"] = arrays[LEVEL]
    return Part(
        int(said["index"]),
        cleaned(said["label"]),
        setup,
        statistics,
        counts,
        coordinates,
        *(int(arrays["replicates"][i]), int(arrays["refused"][i]), int(arrays["unconverged"][i])),
        base_status=cleaned(arrays["fit_status"][i]),
        factor=float(arrays["delete_factor"][i]),
    )


def _first_layout(held: Held, i: int, said: Mapping[str, Any]) -> Part:
    start = f"{int(said['index']):04d}."
    arrays = {name.removeprefix(start): x for name, x in held.arrays.items() if name.startswith(start)}
    setup = decode_setup(said["setup"])
    _names(setup.fit.solver.components, arrays["mass_fraction"].shape[-1])
    names = _products(arrays)
    statistics = {name: _checked(name, arrays[name], (len(STATISTICS), *arrays[name].shape[1:])) for name in names}
    counts = {name: arrays[f"{name}.counts"] for name in names if f"{name}.counts" in arrays}
    coordinates = {str(name): arrays[name] for name in ("levels", "accreted") if name in arrays}
    used = int(statistics["mass_fraction"][STATISTICS.index("n_used")].max())
    factor = float(arrays.get("delete_factor", 1.0))
    label, index = cleaned(said["label"]), int(said["index"])
    return Part(index, label, setup, statistics, counts, coordinates, used, 0, 0, CONVERGED, factor)


def _names(components: int, most: int) -> tuple[str, ...]:
    if not 1 <= components <= most:
        raise ValueError(f"{components} components, of {most}")
    return component_names(components)


def _products(arrays: Mapping[str, np.ndarray]) -> Sequence[str]:
    """Return the products that are read, by the names of arrays."""
    found = averaged(name for name in arrays if not name.endswith((COUNTS, ".counts")))
    return [name for name in found if WITHOUT_BINS >= {*described(name)[0]}]


def _checked(name: str, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if x.shape != shape or (np.abs(x) > LARGEST).any():
        raise ValueError(f"{name} {x.shape} has another shape, or numbers that are too large")
    return x
