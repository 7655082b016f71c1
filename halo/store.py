"""HDF5 files: the only module that knows their layout. Complete under their final name, or absent; no pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.table import QTable, Table

from .binning import Axis, Bins
from .cutflow import CutFlow
from .errors import InputError, UsageError
from .files import write_atomically
from .mixtures import Chemistry, Mixtures, Plane
from .model import Fit, FitSettings
from .provenance import plain

SCHEMA = 2
"""Version of the file layout; it rises when a reader of the old one would go wrong."""
READABLE = (1, 2)
"""Layouts that are read. Layout 1 kept a sentence for the status, of which these are the first words."""
_SENTENCES = {"converged": "CONVERGED", "reached max_iter": "MAX_ITER", "became NaN": "NON_FINITE"}
LARGEST = 2**31
"""Bytes above which a data set is refused: no fit of this software comes near."""


def save_fit(path: str | Path, fit: Fit, *, overwrite: bool = False) -> Path:
    """Write a fit as HDF5.

    Data sets ``W`` (m, k), ``H`` (k, n), ``V`` (m, n), ``n_stars`` and ``bin_energy`` (m,), ``mean_energy`` (k,),
    ``edges_1`` and ``edges_2``, ``rows`` (N,) and ``columns`` (N, images); everything else as JSON attributes.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    mixtures = fit.mixtures
    arrays = {
        "W": fit.W,
        "H": fit.H,
        "V": mixtures.V,
        "n_stars": mixtures.n_stars,
        "rows": mixtures.rows.astype(np.int32),
        "columns": mixtures.columns.astype(np.int32),
        "bin_energy": fit.bin_energy,
        "mean_energy": fit.mean_energy,
        **{f"edges_{i + 1}": edges for i, edges in enumerate(mixtures.bins.edges)},
    }
    record = {
        "settings": plain(fit.settings),
        "cutflow": plain(fit.cutflow),
        "outcome": {
            "names": list(fit.names),
            "loss": fit.loss,
            "kkt": fit.kkt,
            "n_iter": fit.n_iter,
            "status": fit.status,
            "device": fit.device,
        },
        "provenance": plain(fit.provenance),
    }

    # Made in memory: HDF5 cannot be relied upon to fail cleanly when a disk is full.
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        file.attrs["halonmf"] = "fit"
        file.attrs["schema"] = SCHEMA
        for name, value in record.items():
            file.attrs[name] = json.dumps(value, sort_keys=True)
        for name, array in arrays.items():
            options = {"compression": "gzip", "shuffle": True} if array.size > 1000 else {}
            file.create_dataset(name, data=array, fletcher32=bool(options), **options)

    def write(temporary: Path) -> None:
        temporary.write_bytes(image.getbuffer())

    return write_atomically(path, write, overwrite=overwrite)


def load_fit(path: str | Path) -> Fit:
    """Read what `save_fit` wrote.

    Raises
    ------
    InputError
        Missing, damaged, not a fit, of another layout version, or with links that lead out of the file.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; make it with halonmf fit.")
    try:
        with h5py.File(path, "r") as file:
            if _text(file.attrs.get("halonmf")) != "fit":
                raise InputError(f"{path}: HDF5, but no fit of this software; make one with halonmf fit.")
            schema = file.attrs.get("schema")
            if schema not in READABLE:
                raise InputError(
                    f"{path}: layout version {schema}, this software reads {', '.join(map(str, READABLE))}; fit again."
                )
            record = {
                name: json.loads(_text(file.attrs[name])) for name in ("settings", "cutflow", "outcome", "provenance")
            }
            if schema == 1:
                record["outcome"]["status"] = _status_of(record["outcome"]["status"])
            arrays = {name: _array(path, file, name) for name in file}
        return _fit(record, arrays)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read as HDF5, as a fit is ({_first_line(error)}).") from error
    except (KeyError, ValueError, TypeError, IndexError, UsageError) as error:
        raise InputError(f"{path}: damaged or incomplete ({_first_line(error)}); fit again.") from error


def save_table(path: str | Path, table: Table, provenance: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write a product as ECSV, with its provenance in the metadata.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    table = table.copy(copy_data=False)
    table.meta["provenance"] = plain(provenance)

    def write(temporary: Path) -> None:
        table.write(temporary, format="ascii.ecsv")

    return write_atomically(path, write, overwrite=overwrite)


def save_text(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write a text, such as a figure's caption.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """

    def write(temporary: Path) -> None:
        temporary.write_text(text + "\n", encoding="utf-8")

    return write_atomically(path, write, overwrite=overwrite)


def load_table(path: str | Path) -> Table:
    """Read a product that `save_table` wrote.

    Raises
    ------
    InputError
        Missing, or no such table.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file.")
    try:
        return QTable.read(path, format="ascii.ecsv")
    except (OSError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as ECSV ({_first_line(error)}).") from error


def _array(path: Path, file: h5py.File, name: str) -> np.ndarray:
    # A file from elsewhere must not make this process read other files or fill its memory.
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise InputError(f"{path}: {name} is a link out of the data set tree; such files are refused.")
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise InputError(f"{path}: {name} is a group or keeps its data elsewhere; such files are refused.")
    if data.dtype.kind not in "iuf" or data.nbytes > LARGEST:
        raise InputError(f"{path}: {name} has {data.dtype} {data.shape}, no array of a fit; such files are refused.")
    return data[()]


def _fit(record: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fit:
    settings = _settings(record["settings"])
    outcome = record["outcome"]
    edges = tuple(arrays[f"edges_{i + 1}"] for i in range(len(settings.axes)))
    bins = Bins(settings.axes, edges)
    mixtures = Mixtures(
        V=arrays["V"],
        bins=bins,
        chemistry=settings.chemistry,
        n_stars=arrays["n_stars"],
        rows=arrays["rows"].astype(np.int64),
        columns=arrays["columns"].astype(np.int64),
    )
    W, H = arrays["W"], arrays["H"]
    m, n, k = len(bins), settings.chemistry.n, len(outcome["names"])
    shapes = {"W": (m, k), "H": (k, n), "V": (m, n), "n_stars": (m,), "bin_energy": (m,), "mean_energy": (k,)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
    flow = record["cutflow"]
    return Fit(
        W=W,
        H=H,
        names=tuple(outcome["names"]),
        mean_energy=arrays["mean_energy"],
        mixtures=mixtures,
        settings=settings,
        cutflow=CutFlow(flow["total"], tuple(flow["names"]), tuple(flow["removed"])),
        bin_energy=arrays["bin_energy"],
        loss=float(outcome["loss"]),
        kkt=float(outcome["kkt"]),
        n_iter=int(outcome["n_iter"]),
        status=str(outcome["status"]),
        device=str(outcome["device"]),
        provenance=record["provenance"],
    )


def _settings(record: dict[str, Any]) -> FitSettings:
    chemistry = record["chemistry"]
    return FitSettings(
        **{
            **record,
            "cuts": tuple(record["cuts"]),
            "axes": tuple(Axis(**axis) for axis in record["axes"]),
            "chemistry": Chemistry(
                tuple(Plane(**plane) for plane in chemistry["planes"]),
                tuple((name, (float(limits[0]), float(limits[1]))) for name, limits in chemistry["ranges"]),
                chemistry["pixels"],
            ),
        }
    )


def _status_of(sentence: str) -> str:
    for words, status in _SENTENCES.items():
        if sentence.startswith(words):
            return status
    raise ValueError(f"unknown status {sentence!r}")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
