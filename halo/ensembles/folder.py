"""Writing the folder of a run: begin, continue or clear it, set damaged files aside, write the manifest."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import OutputError, UsageError
from ..io.atomic import make_folder, remove, set_aside, write_bytes
from ..io.kept import LIST
from ..io.provenance import differing
from ..mixtures.settings import Axis
from .extend import begin_again
from .run import (
    BATCHES,
    CLAIMS,
    DAMAGED,
    EARLIER,
    MANIFEST,
    SETTINGS,
    VERDICT,
    Run,
    batch_path,
    open_run,
    read_settings,
)

OURS = (SETTINGS, MANIFEST, VERDICT, BATCHES, EARLIER, DAMAGED, CLAIMS, "summary.ecsv", "summary.h5", "figures")
"""All that a run's folder holds; only some of it is ever removed."""
_PICTURES = ("fractions", "boundary", "tracks", "setups")
"""With what the names of the figures begin that `figures.ensemble` makes."""


def check_folder(folder: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Raise where a run cannot be written to a folder; called before anything is computed.

    Raises
    ------
    OutputError
        It is a file, holds something else, or holds a run and neither `resume` nor `overwrite` is set.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, expected a folder for the run; choose another name.")
    if not folder.is_dir():
        return
    if (folder / SETTINGS).exists():
        if not (resume or overwrite):
            raise OutputError(
                f"{folder}: holds a run already; go on with it or extend it (--resume), or start again (--overwrite)."
            )
        return
    foreign = sorted({path.name for path in folder.iterdir()} - {path.name for path in _left(folder)} - set(OURS))
    if foreign:
        raise OutputError(f"{folder}: is no run's folder, it holds {', '.join(foreign[:3])}; choose an empty one.")


def begin(folder: Path, record: Mapping[str, Any], *, overwrite: bool = False, alone: bool = True) -> list[str]:
    """Write the settings of a run, or compare them with those that are there; return what a user should know of it.

    A run with the same settings but fewer replicates is extended.

    Parameters
    ----------
    folder : Path
        Claimed already.
    record : mapping
        From `runs.describe`.
    overwrite : bool
        Remove the run that is there.
    alone : bool
        No other process writes to the folder.

    Raises
    ------
    UsageError
        A run with other settings is there; the message names them.
    OutputError
        It cannot be written.
    InputError
        What is there is damaged, or of another layout.
    """
    if overwrite:
        _clear(folder)
    make_folder(folder / BATCHES)
    path = folder / SETTINGS
    if not path.exists():
        kept = next(iter(sorted((folder / BATCHES).glob("*.h5"))), None)
        if kept is not None:
            raise OutputError(f"{folder}: has batches but no {SETTINGS}; put it back, or start again with --overwrite.")
        write_bytes(path, _text(record), overwrite=True)
    # Read back also where it has just been written: shards begin together, and the last to write decides for all.
    there = read_settings(folder)
    notes = []
    changed = "; ".join(differences(there.get("libraries"), record["libraries"]))
    if changed:
        notes = [f"other libraries than when the run was begun, last digits may differ: {changed}"]
    if there["settings_sha256"] == record["settings_sha256"]:
        return notes
    extended = begin_again(folder, there, record, alone=alone)
    if extended:
        write_bytes(path, _text(record), overwrite=True)
        return [*notes, extended]
    differing = differences(_choices(there), _choices(record))
    raise UsageError(
        f"{folder}: holds a run with other settings: {'; '.join(differing[:5])}. "
        "Use its settings, another folder, or --overwrite."
    )


def differences(there: Any, here: Any) -> list[str]:
    """Return the values that differ between two plain records, such as ``fit.seed: 1 there, 2 here``."""
    return [f"{name}: {_say(a)} there, {_say(b)} here" for name, a, b in differing(there, here)]


def recover(folder: Path, *, own: range | None = None) -> tuple[Run, list[str]]:
    """Return the run in a folder, with what is damaged set aside, and a line on each such file.

    Parameters
    ----------
    folder : Path
        Claimed, and begun.
    own : range, optional
        The batches that this process writes, if others write the rest at the same time.

    Raises
    ------
    InputError, OutputError
        The settings are damaged; a file cannot be moved.
    """
    run = open_run(folder)
    lines = []
    for index, reason in run.damaged.items():
        path = batch_path(folder, index)
        if own is None or index in own:
            aside = set_aside(path, folder / DAMAGED)
            lines.append(f"{path.name} {reason}; set aside as {aside.relative_to(folder)} and computed again")
    for temporary in (*(folder / BATCHES).glob(".*.tmp"), *_left(folder)):
        index = int(temporary.name[1:7]) if temporary.name[1:7].isdigit() else -1
        if own is None or index in own:
            remove(temporary)
    return run, lines


def write_manifest(run: Run) -> Path:
    """Write what a run consists of; made from the files alone, so it can be made again at any time.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    record = {
        "halonmf": "manifest",
        "run": run.sha256,
        "complete": run.complete,
        "fits": {"planned": run.plan.fits, "there": sum(run.plan.batches[i].fits for i in run.headers)},
        "batches": [
            {
                "file": batch_path(Path(), i).as_posix(),
                "sha256": header.sha256,
                "parts": [
                    {"setup": run.labels[part.setup], "first": part.first, "count": part.count} for part in header.parts
                ],
            }
            for i, header in sorted(run.headers.items())
        ],
        "missing": [batch.index for batch in run.missing],
        "failed": [{"setup": failure.label, "reason": failure.reason} for failure in run.failed],
    }
    path = run.folder / MANIFEST
    return write_bytes(path, (json.dumps(record, indent=1) + "\n").encode(), overwrite=True)


def _text(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()


def _choices(record: Mapping[str, Any]) -> dict[str, Any]:
    plan = record["plan"]
    fit = plan["base"]["fit"]
    return {
        "version of halonmf": record["version"],
        "content of the catalogue": record["stars"]["sha256"][:12],
        **{k: v for k, v in plan.items() if k not in ("base", "sweeps")},
        **{k: v for k, v in plan["base"].items() if k != "fit"},
        **fit,
        **{f"sweep {sweep['name']}": sweep["values"] for sweep in plan["sweeps"]},
    }


def _say(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(x, dict) and "variable" in x for x in value):
        with contextlib.suppress(TypeError, UsageError):  # of a file that another version wrote
            return ",".join(str(Axis(**x)) for x in value)
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _left(folder: Path) -> list[Path]:
    """Return what a process left that was killed while it wrote settings, manifest or summary."""
    return [path for name in OURS for path in folder.glob(f".{name}.*.tmp")]


def _clear(folder: Path) -> None:
    # The settings are removed last: interrupted before, this leaves the old run with fewer batches.
    pictures = [f"figures/{name}*.{kind}" for name in _PICTURES for kind in ("png", "pdf", "txt")]
    summary = ("summary.ecsv", "summary.h5", f"figures/{LIST}", *pictures)
    for pattern in (
        f"{EARLIER}/*/*.h5",
        f"{BATCHES}/*.h5",
        f"{BATCHES}/.*.tmp",
        f"{DAMAGED}/*",
        MANIFEST,
        VERDICT,
        *summary,
    ):
        for path in folder.glob(pattern):
            remove(path)
    remove(folder / SETTINGS)
