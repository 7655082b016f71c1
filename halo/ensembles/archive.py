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
from ..io.atomic import FITS, write_bytes
from ..io.hdf5 import Held, check_seal, read
from ..io.hdf5 import said as said_in
from ..io.hdf5_writing import pack
from ..io.kept import digest
from ..io.provenance import provenance
from ..io.reading import first_line
from ..io.tables import save_table
from .labelled import KIND, RECORD, labelled
from .rows import Summary
from .run import SETTINGS, open_run
from .summary import summarise

TABLE, ARRAYS = "summary.ecsv", "summary.h5"


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
    named = labelled(summary, timeless)
    names, text = sorted(named.arrays), str(named.attributes[RECORD])
    arrays = {name: np.ascontiguousarray(named.arrays[name].values) for name in names}
    shapes = json.dumps([(name, arrays[name].dtype.str, arrays[name].shape) for name in names])
    content = digest(text.encode(), shapes.encode(), *(arrays[name].tobytes() for name in names))
    return Archive(summary, files, record, content)


def image(summary: Summary, record: Mapping[str, Any]) -> bytes:
    """Return a summary as HDF5: the arrays of `labelled.labelled`.

    The attribute ``record`` is JSON: names of the statistics, labels of configurations and groups, provenance.
    """
    return pack(labelled(summary, record), sealed=True)


def is_summary(path: Path) -> bool:
    """Return whether a file says that it is the summary of an ensemble; whoever reads it looks at the rest."""
    return path.suffix.lower() in FITS and f'"halonmf": "{KIND}"' in said_in(path, RECORD)


def read_record(path: str | Path) -> dict[str, Any]:
    """Return what an HDF5 summary says of itself, its arrays checked: labels, statistics, verdict and provenance.

    Raises
    ------
    InputError
        It is no summary, damaged, or another one than was written.
    """
    return open_arrays(path)[0]


def open_arrays(path: str | Path) -> tuple[dict[str, Any], Held]:
    """Return what an HDF5 summary says of itself, and its arrays.

    Raises
    ------
    InputError
        As `read_record`.
    """
    attributes, held = read(path)
    try:
        found = json.loads(attributes[RECORD])
        if found["halonmf"] != KIND:
            raise ValueError("not the summary of an ensemble")
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as a summary ({first_line(error)}).") from error
    try:
        check_seal(attributes, held)
    except InputError as error:
        raise InputError(f"{path}: {error} Make it again with halonmf summary.") from None
    return dict(found), held
