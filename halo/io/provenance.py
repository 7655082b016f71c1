"""Provenance: enough to repeat a result, and to notice that an input has changed."""

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any

from ..errors import InputError
from .reading import check_file

LIBRARIES = ("numpy", "scipy", "astropy", "galpy", "agama", "torch", "numba", "scikit-learn", "h5py", "matplotlib")
"""Distributions whose versions can change a number; those not installed are left out."""

_CHUNK = 1 << 22
EPOCH_DIGITS = 12
"""Digits of a SOURCE_DATE_EPOCH that is no longer a time."""


def provenance(
    command: str,
    settings: Mapping[str, Any],
    *,
    inputs: Sequence[str | Path] = (),
    seeds: Sequence[int] = (),
    device: str | None = None,
) -> dict[str, Any]:
    """Record of how a result was made, ready for ``json.dumps``.

    Parameters
    ----------
    command : str
        The command or function, such as ``"prepare"``.
    settings : mapping
        Effective settings; dataclasses, paths, tuples, NumPy scalars and units are made plain.
    inputs : sequence of path
        Input files and directories. Base names are recorded, not folders, so that a result can be shared.
    seeds : sequence of int
        Every seed that random numbers came from.
    device : str, optional
        What computed it, such as ``"cpu"`` or ``"cuda:0"``.

    Returns
    -------
    dict
        ``software``, ``version``, ``command``, ``settings``, ``settings_sha256``, ``seeds``, ``device``, ``inputs``
        (``name``, ``bytes``, ``sha256``), ``libraries``, ``python`` and ``time`` (UTC, ISO 8601).

    Raises
    ------
    InputError
        An input that cannot be read.
    """
    plain_settings = plain(settings)
    return {
        "software": "halonmf",
        "version": own_version(),
        "command": command,
        "settings": plain_settings,
        "settings_sha256": settings_sha256(settings),
        "seeds": [int(seed) for seed in seeds],
        "device": device,
        "inputs": [describe_input(path) for path in inputs],
        "libraries": libraries(),
        "python": python_version(),
        "time": now().isoformat(timespec="seconds"),
    }


def now() -> datetime:
    """Return the time that outputs say they were made at (UTC): SOURCE_DATE_EPOCH where that is set, in seconds.

    With it, a command makes the same files bit for bit each time (https://reproducible-builds.org/specs/source-date-epoch).
    """
    asked = os.environ.get("SOURCE_DATE_EPOCH", "")
    if asked.isascii() and asked.isdigit() and len(asked) < EPOCH_DIGITS:
        return datetime.fromtimestamp(int(asked), UTC)
    return datetime.now(UTC)


def libraries() -> dict[str, str]:
    """Return the versions of the libraries that can change a number."""
    # metadata rather than import: recording a version must not load torch or galpy
    return {name: version for name in LIBRARIES if (version := _version(name)) is not None}


def own_version() -> str:
    """Return the version of this software."""
    return _version("halonmf") or "unknown"


def settings_sha256(settings: Mapping[str, Any]) -> str:
    """SHA-256 of the settings, the same whatever their order."""
    canonical = json.dumps(plain(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def describe_input(path: str | Path) -> dict[str, Any]:
    """Return base name, size in bytes and SHA-256 of a file, or of all files below a directory taken in order of name.

    Raises
    ------
    InputError
        The path does not exist or cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return {"name": shown(path.name), "bytes": check_file(path).stat().st_size, "sha256": sha256_of(path)}
        files = sorted(file for file in path.rglob("*") if file.is_file())
        listing = hashlib.sha256()
        for file in files:
            name = file.relative_to(path).as_posix()
            listing.update(f"{name} {sha256_of(file)}\n".encode(errors="surrogateescape"))
        size = sum(file.stat().st_size for file in files)
        return {"name": shown(path.name), "files": len(files), "bytes": size, "sha256": listing.hexdigest()}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error


def shown(name: str) -> str:
    """Return a file's name as text that files can hold: bytes of it that are no UTF-8 are replaced."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: dataclasses and mappings as dicts, sequences as lists, the rest as text."""
    if hasattr(value, "record") and not isinstance(value, type):
        value = value.record()  # settings define how files hold them
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return shown(Path(value).name)  # folders differ between machines and are private
    if hasattr(value, "tolist") and not hasattr(value, "unit"):  # NumPy arrays and scalars
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no infinity
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def differing(a: Any, b: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Return the name and both values of whatever differs between two records, such as ``("fit.seed", 1, 2)``.

    Parameters
    ----------
    a, b : Any
        As `plain` returns them; a name that one of them lacks is None there.
    name : str
        Of both.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys((*a, *b)):
            yield from differing(a.get(key), b.get(key), f"{name}.{key}" if name else str(key))
    elif a != b:
        yield name, a, b


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
