"""Catalogues from public archives, and the sample that ships."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..ensembles.signals import stoppable
from ..errors import CancelledError, UsageError
from ..fields import Argument, Option
from ..progress import Progress, announce
from ..rounding import of_bytes
from .answer import answer, current, wrote
from .options import DryRun, Quiet, command
from .progress import Terminal

if TYPE_CHECKING:
    from ..archives.fetch import FetchPlan, Wanted
    from ..archives.sources import Source

LARGE = 100_000_000
"""Bytes above which the command asks before it fetches."""
KEPT = "what has come is kept, run the same command again to go on."
MEGABYTE = 1_000_000


def _in_megabytes(progress: Progress) -> Progress:
    """Return what is called with bytes, and tells of MB."""
    return lambda stage, done, total: progress(f"{stage}, MB", done // MEGABYTE, max(total // MEGABYTE, 1))


def _names() -> list[str]:
    """Return what a shell completes names by."""
    from ..archives.sources import SAMPLE, read_sources

    return [SAMPLE, *read_sources()]


@command("halonmf fetch dr17 members -o data/")
def fetch(
    names: Annotated[
        list[str] | None, "What to fetch; without a name, list them.", Argument("NAME...", words=_names)
    ] = None,
    output: Annotated[Path, "Folder to write into.", Option("--output", "-o")] = Path(),
    *,
    dry_run: DryRun = False,
    yes: Annotated[bool, "Do not ask before large files are fetched.", Option("--yes", "-y")] = False,
    sources: Annotated[Path | None, "TOML file of further names, such as a mirror's."] = None,
    quiet: Quiet = False,
) -> None:
    """Fetch catalogues from their archives.

    Free space is asked for first; what breaks off is kept and gone on with by the same command, and a file has its name
    only once its checksum holds. The name sample writes a small mock survey that ships, without a network.
    """
    from ..archives.sample import next_commands, split_sample, write_sample
    from ..archives.sources import read_sources

    known = read_sources(sources)
    if not names:
        answer(_listed(known), {"known": {source.name: source.title for source in known.values()}})
        return
    ours, others = split_sample(names)
    commands = next_commands(output) if ours else []
    if others:
        commands += _from_archives(others, output, sources, dry_run=dry_run, yes=yes, quiet=quiet)
    if ours and not dry_run:
        for path in write_sample(output):
            wrote(path)
            answer(f"mock stars, no survey data -> {path}", {})
    said = "" if dry_run or not commands else "\n".join(["next:", *(f"  {one}" for one in commands)])
    answer(said, {"next": commands})


def _from_archives(
    names: tuple[str, ...], folder: Path, sources: Path | None, *, dry_run: bool, yes: bool, quiet: bool
) -> list[str]:
    """Fetch from archives, and return the commands to run next."""
    from ..archives.fetch import carry_out, plan

    with stoppable(KEPT), Terminal(quiet) as progress:
        todo = plan(names, folder, sources=sources, progress=_in_megabytes(progress))
    files = [
        {
            "name": one.remote.name,
            "host": one.remote.host,
            "bytes": one.size,
            "checksum": one.checksum,
            "there": one.there,
        }
        for one in todo.files
    ]
    facts = {"files": files, "bytes_to_come": todo.missing, "bytes_free": todo.free}
    answer("\n".join(_described(todo)), {**facts, "cite": [source.cite for source in todo.sources]})
    todo.check_room()
    if dry_run:
        return todo.next()
    if todo.missing > LARGE and not yes:
        _ask(f"fetch {of_bytes(todo.missing)}?")
    try:
        with stoppable(KEPT), Terminal(quiet) as progress:
            announce(progress, *(f"{one.remote.name}, MB" for one in todo.files if not one.there))
            paths = carry_out(todo, _in_megabytes(progress))
    except KeyboardInterrupt:
        raise CancelledError(f"interrupted; {KEPT}") from None
    for one, path in zip(todo.files, paths, strict=True):
        wrote(path)
        answer(f"{_held(one)} -> {path}", {})
    for source in todo.sources:
        answer(f"cite {source.cite}" + f" ({source.terms})" * bool(source.terms) if source.cite else "", {})
    return todo.next()


def _held(one: Wanted) -> str:
    """Return what a file was held to."""
    if one.checksum:
        return f"whole by its {one.checksum.partition(':')[0]}"
    return "whole by its size; its archive gives no checksum"


def _described(todo: FetchPlan) -> list[str]:
    """Return the lines on what is to be done, and on the room for it."""
    lines = []
    for one in todo.files:
        size = "size unknown" if one.size is None else of_bytes(one.size)
        state = "is there" if one.there else f"{of_bytes(one.begun)} are there" if one.begun else ""
        lines.append(f"{one.remote.name}: {', '.join(filter(None, (size, state, f'from {one.remote.host}')))}")
    unknown = " and files of unknown size" * any(one.missing is None for one in todo.files)
    return [*lines, f"to come: {of_bytes(todo.missing)}{unknown}; free in {todo.folder}: {of_bytes(todo.free)}"]


def _ask(question: str) -> None:
    """Ask on a terminal; elsewhere nobody can answer."""
    if current().as_json or not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody can be asked here: add --yes.")
    if not typer.confirm(question, default=True):
        raise typer.Exit(1)


def _listed(known: dict[str, Source]) -> str:
    """Return what can be fetched."""
    from ..archives.sample import TITLE
    from ..archives.sources import SAMPLE

    lines = [f"{SAMPLE}: {TITLE}"]
    for source in known.values():
        lines.append(f"{source.name}: {source.title}")
        for one in source.files:
            lines.append(f"  {one.name}" + (f", {of_bytes(one.size)}" if one.size else ""))
        lines.append(f"  {source.terms}; {source.about}")
    return "\n".join(lines)
