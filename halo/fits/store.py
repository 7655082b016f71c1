"""Fits as HDF5 and tables as ECSV: the only module that knows their layout. Complete under their name, or absent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np

from ..errors import InputError, UsageError
from ..io.atomic import write_bytes
from ..io.hdf5 import Held, attributes_of, check_seal, held
from ..io.hdf5_writing import pack
from ..io.reading import check_file, first_line, kind_of
from ..mixtures.bins import Bins
from ..mixtures.counts import Mixtures
from ..orbits.convention import Convention, stated
from ..stars.cutflow import CutFlow
from .fit import Fit
from .labelled import SCHEMA, labelled
from .settings import settings_of
from .verdict import Verdict

READABLE = (1, 2, SCHEMA)
"""Layouts that are read. Layout 2 had no names of axes; layout 1 kept a sentence for the status, of which these are the
first words."""
_SENTENCES = {"converged": "CONVERGED", "reached max_iter": "MAX_ITER", "became NaN": "NON_FINITE"}


def save_fit(path: str | Path, fit: Fit, *, overwrite: bool = False) -> Path:
    """Write a fit as HDF5.

    Data sets, dimensions and attributes are those of `labelled.labelled`.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    return write_bytes(path, pack(labelled(fit), sealed=True), overwrite=overwrite)


def load_fit(path: str | Path) -> Fit:
    """Read what `save_fit` wrote.

    Raises
    ------
    InputError
        Missing, damaged, not a fit, of another layout version, with links that lead out of the file, or with numbers
        that no fit has.
    """
    path = check_file(path, "make it with halonmf fit.")
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
            found = _held(path, file)
            attributes = attributes_of(file)
        try:
            sealed = check_seal(attributes, found)
        except InputError as error:
            raise InputError(f"{path}: {error} Fit again.") from None
        return _fit(record, found.arrays, sealed=sealed)
    except InputError:
        raise
    except OSError as error:
        kind = kind_of(path)
        if kind and "HDF5" not in kind:
            raise InputError(f"{path}: {kind}, expected a fit (.h5); make one with halonmf fit.") from None
        raise InputError(f"{path}: cannot be read as HDF5, as a fit is ({first_line(error)}).") from error
    except RecursionError:
        raise InputError(f"{path}: damaged (texts nested without end); fit again.") from None
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError, AttributeError, UsageError) as error:
        raise InputError(f"{path}: damaged or incomplete ({first_line(error)}); fit again.") from error


def convention_of_fit(path: Path) -> Convention | None:
    """Return what a fit's file says of its energies, without reading the fit."""
    with h5py.File(path, "r") as file:
        return stated(json.loads(_text(file.attrs["outcome"])))


FitLike: TypeAlias = Fit | str | Path
"""A fit, or the path of its file."""


def as_fit(fit: FitLike) -> Fit:
    """Return the fit, which may be given as the path of its file.

    Raises
    ------
    InputError
        As `load_fit`.
    """
    return load_fit(fit) if isinstance(fit, str | Path) else fit


def as_fits(fits: FitLike | Sequence[FitLike]) -> tuple[Fit, ...]:
    """Return the fits, of which there may be one or several, each as `as_fit` takes it."""
    return tuple(as_fit(fit) for fit in ([fits] if isinstance(fits, Fit | str | Path) else fits))


def _held(path: Path, file: h5py.File) -> Held:
    try:
        return held(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _fit(record: dict[str, Any], data: dict[str, np.ndarray], *, sealed: bool) -> Fit:
    settings = settings_of(record["settings"])
    outcome = record["outcome"]
    edges = tuple(data[f"edges_{i + 1}"] for i in range(len(settings.axes)))
    bins = Bins(settings.axes, edges)
    mixtures = Mixtures(
        V=data["V"],
        bins=bins,
        chemistry=settings.chemistry,
        n_stars=data["n_stars"],
        rows=data["rows"].astype(np.int64),
        columns=data["columns"].astype(np.int64),
        weights=data["weights"] if settings.weights is not None else data.get("weights"),
        convention=stated(outcome),
    )
    W, H = data["W"], data["H"]
    m, n, k = len(bins), settings.chemistry.n, len(outcome["names"])
    shapes = {"W": (m, k), "H": (k, n), "V": (m, n), "n_stars": (m,), "bin_energy": (m,), "mean_energy": (k,)}
    for name, shape in shapes.items():
        if data[name].shape != shape:
            raise ValueError(f"{name} has shape {data[name].shape}, expected {shape}")
    _check_meaning(data, edges, (m, n))
    flow = record["cutflow"]
    return Fit(
        W=W,
        H=H,
        names=tuple(outcome["names"]),
        mean_energy=data["mean_energy"],
        mixtures=mixtures,
        settings=settings,
        cutflow=CutFlow(flow["total"], tuple(flow["names"]), tuple(flow["removed"])),
        bin_energy=data["bin_energy"],
        loss=float(outcome["loss"]),
        kkt=float(outcome["kkt"]),
        n_iter=int(outcome["n_iter"]),
        status=str(outcome["status"]),
        device=str(outcome["device"]),
        provenance=record["provenance"],
        clusters={str(name): int(number) for name, number in outcome.get("clusters", {}).items()},
        judged=Verdict.from_record(outcome["verdict"]) if outcome.get("verdict") else None,
        verified=sealed,
        survey=str(outcome.get("survey", "")),
    )


def _check_meaning(data: dict[str, np.ndarray], edges: Sequence[np.ndarray], shape: tuple[int, int]) -> None:
    # A checksum says that a file is as it was written, not that what was written is a fit.
    for name in ("W", "H", "V", "n_stars"):
        x = data[name]
        if not np.isfinite(x).all() or (x < 0).any():
            raise ValueError(f"{name} has negative or infinite entries or NaN")
    if np.isinf(data["mean_energy"]).any():
        raise ValueError("mean_energy is infinite")
    if any(x.size < 2 or not np.isfinite(x).all() or (np.diff(x, axis=-1) < 0).any() for x in edges):
        raise ValueError("edges of bins are not finite and in order")
    if data["rows"].ndim != 1 or data["columns"].ndim != 2 or len(data["columns"]) != len(data["rows"]):
        raise ValueError("rows and columns are not of the same stars")
    for name, size in zip(("rows", "columns"), shape, strict=True):
        x = data[name]
        if x.dtype.kind not in "iu" or (x.size and not (-1 <= x.min() and x.max() < size)):
            raise ValueError(f"{name} has numbers outside -1 to {size - 1}")
    if data["n_stars"].sum() != (data["rows"] >= 0).sum():
        raise ValueError("n_stars and rows do not agree")


def _status_of(sentence: str) -> str:
    for words, status in _SENTENCES.items():
        if sentence.startswith(words):
            return status
    raise ValueError(f"unknown status {sentence!r}")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
