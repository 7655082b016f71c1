"""Steps of the paper that are not made again: each by the hash of what goes into it, while its files are whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.atomic import make_folder, remove, write_bytes
from ..io.kept import digest, sealed, unseal
from ..io.provenance import describe_input, libraries, own_version, plain, sha256_of
from ..io.reading import check_file
from ..io.tables import load_table
from ..simulations.particles import Galaxy
from .blocks import Sheet
from .page import as_shown
from .part import Drawn, Part
from .scoreboard import Value
from .settings import FOLDERS, STEPS, PaperSettings

SAMPLE = "stars"
"""The step before all others."""
SCHEMA = 2
"""Version of these files; with another one all is made again."""
LARGEST = 2**26
"""Most bytes of such a file."""
CODE = (".py", ".toml", ".tsv", ".csv", ".mplstyle", ".cu", ".cuh")
"""Files of this software that can change a product; the page is made again in any case."""


@dataclass(frozen=True)
class Left:
    """What a step came to and left.

    Attributes
    ----------
    part : Part
        Without its figures' drawings, the data behind them and the fits: those stand in the files.
    files : dict of str to list of str
        The files below the paper's folder, by figure, table or fit.
    """

    part: Part
    files: dict[str, list[str]]


@dataclass(frozen=True)
class Steps:
    """The steps that are kept in a paper's folder.

    Attributes
    ----------
    directory : Path
        The paper's folder.
    source : str
        Hash of all that every step is made from.
    resume : bool
        Whether what is there is taken up; else it is only written.
    """

    directory: Path
    source: str = ""
    resume: bool = False

    @property
    def begun(self) -> bool:
        """Whether an earlier run has kept steps here."""
        return any((self.directory / STEPS).glob("*.json"))

    def find(self, name: str) -> Left | None:
        """Return what a step left, where it is made from the same and all of its files are as they were written."""
        record = self._record(name) if self.resume else None
        try:
            if record is None or record["source"] != self._source(name):
                return None
            files = {check_file(self._inside(path)): sha256 for path, sha256 in record["files"].items()}
            if any(sha256_of(path) != sha256 for path, sha256 in files.items()):
                return None
            return _left(self.directory, record)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
            return None  # not there, damaged, or not of this software: made again

    def keep(self, name: str, left: Left) -> None:
        """Write down what a step was made from and what it left; its files are there already.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        paths = sorted({path for named in left.files.values() for path in named})
        record = {
            "halonmf": "step of the paper",
            "source": self._source(name),
            "files": {path: sha256_of(self.directory / path) for path in paths},
            "named": left.files,
            **_plain(left.part),
        }
        make_folder(self.directory / STEPS)
        record = json.loads(json.dumps(record, default=_number))
        text = json.dumps(sealed(record), indent=1) + "\n"
        write_bytes(self._path(name), text.encode(), overwrite=True)

    def forget(self, steps: Iterable[str]) -> None:
        """Remove what is kept of steps other than these: they are no part of the paper as it is now."""
        known = {*steps, SAMPLE}
        for path in (self.directory / STEPS).glob("*.json"):
            if path.stem not in known:
                remove(path)

    def named(self) -> set[str]:
        """Return the files that steps of earlier runs left, whatever they were made from."""
        found: set[str] = set()
        for path in (self.directory / STEPS).glob("*.json"):
            files = (self._record(path.stem) or {}).get("files", {})
            if isinstance(files, dict) and path.stem != SAMPLE:
                found |= own_files(files)
        return found

    def _source(self, name: str) -> str:
        return digest(self.source.encode(), name.encode())

    def _path(self, name: str) -> Path:
        return self.directory / STEPS / f"{name}.json"

    def _record(self, name: str) -> dict[str, Any] | None:
        path = self._path(name)
        try:
            if check_file(path).stat().st_size > LARGEST:
                return None
            record = json.loads(path.read_text(encoding="utf-8"))
            return record if unseal(record) else None
        except (InputError, OSError, ValueError, RecursionError, TypeError, AttributeError):
            return None

    def _inside(self, name: str) -> Path:
        path = Path(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name} lies outside the paper's folder")
        return self.directory / path


def own_files(names: Iterable[Any]) -> set[str]:
    """Return those of some names that are of files within the folders of a paper: a record may name any others."""
    paths = (Path(str(name)) for name in names)
    return {
        path.as_posix() for path in paths if len(path.parts) == 2 and path.parts[0] in FOLDERS and path.name != ".."
    }


def source_of(
    settings: PaperSettings, device: str, inputs: Sequence[Path] = (), galaxies: Sequence[Galaxy] = (), **more: Any
) -> str:
    """Return the hash of all that a step of the paper can depend on.

    The settings, the content of the inputs and of the galaxies, and this software with its libraries.
    """
    record = {
        "schema": SCHEMA,
        "version": own_version(),
        "libraries": libraries(),
        "settings": plain(settings),
        "device": device,
        "inputs": [describe_input(path)["sha256"] for path in inputs],
        **more,
    }
    columns = [
        np.ascontiguousarray(np.asarray(each.table[name])).tobytes()
        for each in galaxies
        for name in each.table.colnames
    ]
    known = json.dumps([(each.name, each.criterion, plain(each.mapping), each.table.colnames) for each in galaxies])
    return digest(json.dumps(plain(record), sort_keys=True).encode(), code().encode(), known.encode(), *columns)


def code() -> str:
    """Return the hash of this software's own files."""
    engine = find_spec("nmfcore")
    assert engine is not None
    roots = (Path(__file__).parents[1], Path(str(engine.origin)).parent)
    files = sorted(path for root in roots for path in root.rglob("*") if path.suffix in CODE and path.is_file())
    return digest(*(path.name.encode() + path.read_bytes() for path in files))


def _plain(part: Part) -> dict[str, Any]:
    return {
        "values": {name: vars(value) for name, value in part.values.items()},
        "pictures": {name: {"caption": x.caption, "alt": x.alt} for name, x in part.pictures.items()},
        "tables": list(part.tables),
        # as the page shows them: read back from files, an empty text is not the same
        "sheets": {name: vars(sheet) for name, table in part.tables.items() if (sheet := as_shown(part, name, table))},
        **{name: getattr(part, name) for name in ("said", "skipped", "warnings", "headlines")},
    }


def _left(directory: Path, record: Mapping[str, Any]) -> Left:
    part = Part(
        values={str(name): Value(**value) for name, value in record["values"].items()},
        pictures={str(name): Drawn(x["caption"], x["alt"]) for name, x in record["pictures"].items()},
        tables={str(name): load_table(directory / record["named"][name][0]) for name in record["tables"]},
        sheets={str(name): _sheet(sheet) for name, sheet in record["sheets"].items()},
        said=tuple(record["said"]),
        skipped=dict(record["skipped"]),
        warnings=tuple(record["warnings"]),
        headlines=tuple(record["headlines"]),
    )
    return Left(part, {str(name): list(files) for name, files in record["named"].items()})


def _sheet(said: Mapping[str, Any]) -> Sheet:
    rows = tuple(tuple(map(str, row)) for row in said["rows"])
    tuples = {"header": tuple(said["header"]), "rows": rows, "files": tuple(said["files"])}
    return Sheet(**{**said, **tuples})


def _number(value: Any) -> Any:
    """Return a NumPy number as JSON has it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no value of a step")
