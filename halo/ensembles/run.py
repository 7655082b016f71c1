"""Reading ensembles from disk: settings, base fits and replicates of every configuration, and what is missing.

A run is a folder of ``settings.json`` (the effective settings and their hash), ``batches/`` (a file per batch, never
changed once it has its name; see `batchfile`), and what is made from them: ``manifest.json`` and the summary. Only a
file whose checksum is right counts as done, so a run interrupted at any moment can be read as far as it got.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from ..io.provenance import libraries, settings_sha256
from ..io.reading import check_file
from ..replicates.setup import Setup
from .batchfile import Computed, Header, decode, read_header
from .plan import Batch, Part, Plan, encode
from .plan import decode as decode_plan

SCHEMA = 1
"""Version of the folder's layout; it rises when a reader of the old one would go wrong."""
SETTINGS, MANIFEST, BATCHES, DAMAGED, CLAIMS = "settings.json", "manifest.json", "batches", "damaged", "claims"
VERDICT, EARLIER = "verdict.json", "earlier"
LARGEST = 2**31
"""Bytes above which a batch file is not even opened."""


@dataclass(frozen=True)
class Failure:
    """A configuration that could not be computed, and why."""

    setup: int
    label: str
    reason: str


@dataclass(frozen=True)
class Run:
    """An ensemble on disk.

    Attributes
    ----------
    folder : Path
        Where it is.
    plan : Plan
        The plan.
    stars : dict
        ``name``, ``bytes`` and ``sha256`` of the prepared catalogue.
    sha256 : str
        Of the effective settings, the catalogue's among them.
    headers : dict of int to Header
        Of the batches that are complete.
    damaged : dict of int to str
        What is wrong with the other files.
    """

    folder: Path
    plan: Plan
    stars: Mapping[str, Any]
    sha256: str
    headers: Mapping[int, Header]
    damaged: Mapping[int, str]
    _held: dict[int, tuple[Computed, ...]] = field(default_factory=dict, repr=False)

    @property
    def setups(self) -> tuple[Setup, ...]:
        """Every configuration."""
        return self.plan.setups

    @property
    def labels(self) -> tuple[str, ...]:
        """What sets each configuration apart, such as ``bins=8 pixels=50``."""
        return self.plan.labels

    @property
    def missing(self) -> tuple[Batch, ...]:
        """Batches that are not there, or damaged."""
        return tuple(batch for batch in self.plan.batches if batch.index not in self.headers)

    @property
    def complete(self) -> bool:
        """Whether every batch is there; what could not be computed is listed in `failed`."""
        return len(self.headers) == len(self.plan.batches)

    @property
    def failed(self) -> tuple[Failure, ...]:
        """Configurations that could not be computed."""
        reasons: dict[int, str] = {}
        for index in sorted(self.headers):
            for setup, reason in self.headers[index].failures.items():
                reasons.setdefault(setup, reason)
        return tuple(Failure(i, self.labels[i], reasons[i]) for i in sorted(reasons))

    def base(self, setup: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the products of a configuration's base fit, and their coordinates.

        Raises
        ------
        InputError
            It failed, or is not there yet.
        """
        for one in self._computed(setup, first=True):
            return dict(one.base), dict(one.coordinates)
        raise InputError(f"{self.folder}: the base fit of {self.labels[setup]} is not there; run again with --resume.")

    def replicates(self, setup: int) -> dict[str, np.ndarray]:
        """Return the products of a configuration's replicates, in their order; the leading axis is the replicate.

        Raises
        ------
        InputError
            It failed, or replicates of it are not there yet.
        """
        parts = sorted(self._computed(setup), key=lambda one: one.part.first)
        number = sum(one.part.count for one in parts)
        if number < self.plan.replicates:
            raise InputError(
                f"{self.folder}: {number} of {self.plan.replicates} replicates of {self.labels[setup]} are there; "
                "run again with --resume."
            )
        if number == 0:
            return {}
        try:
            return {name: np.concatenate([one.replicates[name] for one in parts]) for name in parts[0].replicates}
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{self.folder}: the batches of {self.labels[setup]} do not belong together ({error}); "
                "remove them and run again with --resume."
            ) from None

    def _computed(self, setup: int, *, first: bool = False) -> list[Computed]:
        failed = {failure.setup: failure.reason for failure in self.failed}
        if setup in failed:
            raise InputError(f"{self.folder}: {self.labels[setup]} could not be computed: {failed[setup]}")

        def wanted(part: Part) -> bool:
            return part.setup == setup and (part.first == 0 or not first)

        found = []
        for index, header in self.headers.items():
            if any(wanted(part) for part in header.parts):
                found += [one for one in self._batch(index) if wanted(one.part)]
        return found

    def _batch(self, index: int) -> tuple[Computed, ...]:
        # The last one is kept: the configurations of a batch are asked for one after the other.
        if index not in self._held:
            path = batch_path(self.folder, index)
            try:
                header, computed = decode(path.read_bytes())
            except (InputError, OSError) as error:
                raise InputError(f"{path}: {error}; run again with --resume.") from None
            if header != self.headers[index]:
                raise InputError(f"{path}: has changed since the run was opened.")
            self._held.clear()
            self._held[index] = computed
        return self._held[index]


def open_run(folder: str | Path) -> Run:
    """Return the ensemble in a folder, complete or not, with the checksum of every file compared.

    Raises
    ------
    InputError
        No run, one of another layout, or with damaged settings.
    """
    folder = Path(folder)
    record = read_settings(folder)
    run = identity(record)
    plan = _plan(folder / SETTINGS, record)
    headers: dict[int, Header] = {}
    damaged: dict[int, str] = {}
    for batch in plan.batches:
        path = batch_path(folder, batch.index)
        try:
            header = open_batch(path)
            if (header.run, header.index, header.parts) != (run, batch.index, batch.parts):
                raise InputError("belongs to other settings or another place")
            headers[batch.index] = header
        except FileNotFoundError:
            continue
        except InputError as error:
            damaged[batch.index] = str(error)
        except OSError as error:
            damaged[batch.index] = f"cannot be read ({error.strerror})"
    return Run(folder, plan, record["stars"], run, headers, damaged)


def as_run(run: Run | str | Path) -> Run:
    """Return the ensemble, which may be given as the path of its folder."""
    return run if isinstance(run, Run) else open_run(run)


def open_batch(path: Path) -> Header:
    """Return the header of a batch file, the checksum of all of it compared.

    Raises
    ------
    InputError
        No file, too large, of another layout, or damaged.
    FileNotFoundError, OSError
        It is not there, or cannot be read.
    """
    if path.exists() and not path.is_file():
        raise InputError("is a folder, a pipe or a device")
    if path.stat().st_size > LARGEST:
        raise InputError(f"has {path.stat().st_size:,} bytes, more than any batch")
    return read_header(path.read_bytes())


def batch_path(folder: Path, index: int) -> Path:
    """Return where a batch is kept."""
    return folder / BATCHES / f"{index:06d}.h5"


def describe(plan: Plan, stars: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return the content of ``settings.json``: everything that determines the numbers of a run, its hash, libraries."""
    record = {"halonmf": "ensemble", "schema": SCHEMA, "version": version, "stars": dict(stars), "plan": encode(plan)}
    return {**record, "settings_sha256": identity(record), "libraries": libraries()}


def identity(record: Mapping[str, Any]) -> str:
    """Return the hash that names a run. The catalogue's content counts, its name does not."""
    content = {"sha256": record["stars"]["sha256"]}
    return settings_sha256({**{k: record[k] for k in ("schema", "version", "plan")}, "stars": content})


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the effective settings of the run in a folder, their hash compared.

    Raises
    ------
    InputError
        No run, one of another layout, or with damaged settings.
    """
    path = folder / SETTINGS
    try:
        if path.exists() and check_file(path).stat().st_size > LARGEST:
            raise InputError(f"{path}: has {path.stat().st_size:,} bytes, more than any settings.")
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or record.get("halonmf") != "ensemble":
            raise InputError(f"{path}: is not the settings of an ensemble; make one with halonmf ensemble.")
        if record.get("schema") != SCHEMA:
            raise InputError(
                f"{path}: layout version {record.get('schema')}, this software reads {SCHEMA}; "
                "read it with the version that made it, or start a new folder."
            )
        if identity(record) != record["settings_sha256"]:
            raise InputError(f"{path}: its hash does not match: the file was changed; start a new folder.")
    except FileNotFoundError:
        raise InputError(f"{folder}: no run is there, {SETTINGS} is missing; make one with halonmf ensemble.") from None
    except NotADirectoryError:
        raise InputError(f"{folder}: is a file, expected the folder of a run; give that of halonmf ensemble.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    except RecursionError:
        raise InputError(f"{path}: damaged (nested without end); start a new folder.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error}); start a new folder.") from None
    return record


def _plan(path: Path, record: Mapping[str, Any]) -> Plan:
    try:
        return decode_plan(record["plan"])
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise InputError(f"{path}: its plan cannot be read ({error}); start a new folder.") from None
