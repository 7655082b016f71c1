"""An ensemble's summary on disk: the table and the arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..fits.intervals import RECOMMENDED, interval_type
from ..io.atomic import write_bytes
from ..io.hdf5 import check_seal, first_line, pack, read
from ..io.kept import digest
from ..io.provenance import plain, provenance
from ..io.tables import save_table
from .rows import Summary
from .run import SETTINGS, open_run
from .statistics import OVER, STATISTICS, TIMES
from .summary import summarise

TABLE, ARRAYS = "summary.ecsv", "summary.h5"
SCHEMA = 1
"""Version of the layout of the arrays."""


@dataclass(frozen=True)
class Archive:
    """A summary, the files that hold it, and their provenance.

    Attributes
    ----------
    summary : Summary
    files : tuple of Path
    record : mapping
        The provenance.
    content : str
        Names all that is in it: every number, the settings and the versions; not the time.
    """

    summary: Summary
    files: tuple[Path, ...]
    record: Mapping[str, Any]
    content: str = ""


def archive(folder: str | Path, *, interval: str = RECOMMENDED) -> Archive:
    """Summarise the ensemble in a folder, as far as it is there, and write `TABLE` and `ARRAYS` into the folder anew.

    Parameters
    ----------
    folder : path
        A run, whole or not.
    interval : str
        A type of `intervals.TYPES`.

    Returns
    -------
    Archive

    Raises
    ------
    InputError
        No run, or nothing of it is there yet.
    UsageError
        An unknown type of interval.
    OutputError
        A file cannot be written.
    """
    folder = Path(folder)
    interval_type(interval)
    run = open_run(folder)
    summary = summarise(run, interval=interval)
    said = run.stars.get("convention")
    record = provenance("summary", {"interval": interval, "run": run.sha256}, inputs=[folder / SETTINGS])
    table = summary.table()
    if said:
        table.meta["convention"] = dict(said)
    files = (
        save_table(folder / TABLE, table, record, overwrite=True),
        write_bytes(folder / ARRAYS, image(summary, record), overwrite=True),
    )
    timeless = {name: value for name, value in record.items() if name != "time"}
    arrays, text = _contents(summary, timeless)
    names = sorted(arrays)
    shapes = json.dumps([(name, arrays[name].dtype.str, arrays[name].shape) for name in names])
    content = digest(text.encode(), shapes.encode(), *(arrays[name].tobytes() for name in names))
    return Archive(summary, files, record, content)


def image(summary: Summary, record: Mapping[str, Any]) -> bytes:
    """Return a summary as HDF5: data sets ``SETUP.PRODUCT`` and ``over-GROUP.PRODUCT``, statistics first.

    The attribute ``record`` is JSON: names of the statistics, labels of configurations and groups, provenance.
    Coordinates are ``SETUP.edges_X`` and so on.
    """
    arrays, text = _contents(summary, record)
    return pack(arrays, attributes={"record": text})


def _contents(summary: Summary, record: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], str]:
    """Return the arrays of a summary, and what else there is as JSON."""
    arrays: dict[str, np.ndarray] = {}
    for part in summary.parts:
        numbers = {n: x for n, x in part.coordinates.items() if np.asarray(x).dtype.kind in "biuf"}
        for name, x in (*part.statistics.items(), *numbers.items()):
            arrays[f"{part.index:04d}.{name}"] = np.asarray(x)
        for name, x in part.counts.items():
            arrays[f"{part.index:04d}.{name}.counts"] = x
    for i, group in enumerate(summary.groups):
        for name, x in group.statistics.items():
            arrays[f"over-{i}.{name}"] = x
    content = {
        "halonmf": "summary",
        "schema": SCHEMA,
        "statistics": STATISTICS,
        "over": OVER,
        "counts": TIMES,
        "interval": summary.interval,
        "setups": [{"index": part.index, "label": part.label, "setup": part.setup} for part in summary.parts],
        "groups": [
            {"label": group.label, "members": [summary.parts[i].index for i in group.members]}
            for group in summary.groups
        ],
        "provenance": record,
        **({} if summary.verdict is None else {"verdict": summary.verdict.record()}),
    }
    return arrays, json.dumps(plain(content), sort_keys=True)


def read_record(path: str | Path) -> dict[str, Any]:
    """Return what an HDF5 summary says of itself, its arrays checked: labels, statistics, verdict and provenance.

    Raises
    ------
    InputError
        It is no summary, damaged, or another one than was written.
    """
    attributes, arrays = read(path)
    try:
        found = json.loads(attributes["record"])
        if found["halonmf"] != "summary":
            raise ValueError("not the summary of an ensemble")
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as a summary ({first_line(error)}).") from error
    try:
        check_seal(attributes, arrays)
    except InputError as error:
        raise InputError(f"{path}: {error} Make it again with halonmf summary.") from None
    return dict(found)
