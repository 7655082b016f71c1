"""The terminal: how commands are found, what they print, and what they exit with."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from ..ensembles.signals import NOTHING, check, stoppable
from ..errors import HalonmfError
from ..io.reading import cleaned
from .answer import Answer, answering, current, leave

if TYPE_CHECKING:
    from ..products.protocol import Product


SENTENCE = 2000
"""Most characters of an error: it may list columns, and what strangers wrote is part of it."""
TYPED = "halonmf.typed"
_WRONG: Any = typer.BadParameter.__base__
"""What Typer raises where options make no sense; its module differs between versions."""
HELP_NAMES = {"help_option_names": ["--help", "-h"]}


class Door(TyperGroup):
    """Commands by group, each imported when it is called or its help is asked for.

    Attributes
    ----------
    groups : mapping
        By the title of a group, its modules in this folder with the names of their commands.
    """

    groups: Mapping[str, Mapping[str, tuple[str, ...]]] = {}

    @property
    def modules(self) -> dict[str, str]:
        """Module of every command, in the order of the groups."""
        return {name: module for group in self.groups.values() for module, names in group.items() for name in names}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return list(self.modules)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take apart what was typed, and keep it: an error of what follows is to be in the form that was asked for."""
        ctx.meta[TYPED] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Call the command; with ``--json`` what is wrong with its options is said as an object."""
        typed = ctx.meta[TYPED]
        try:
            return super().invoke(ctx)
        except _WRONG as error:
            if "--json" not in typed:
                raise
            name = next((word for word in typed if word in self.modules), "")
            code, kind = error.exit_code, type(error).__name__
            raise Answer(name, as_json=True).fail(code, kind, error.format_message()) from None

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None where there is none of this name."""
        if cmd_name not in self.modules:
            return None
        return getattr(import_module(f".{self.modules[cmd_name]}", __package__), cmd_name).typed

    @property
    def commands(self) -> Any:
        """Every command by its name, all imported: for documents and tests."""
        return {name: self.get_command(None, name) for name in self.modules}

    @commands.setter
    def commands(self, _: Any) -> None:
        """Take none: `groups` names them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the groups, each command with the first line of its help."""
        for title, group in self.groups.items():
            rows = [(name, self.get_command(ctx, name)) for names in group.values() for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, first_line(command.help)) for name, command in rows])


def first_line(text: str) -> str:
    """Return the first paragraph of a help, in one line."""
    return " ".join(text.strip().partition("\n\n")[0].split())


class Terminal:
    """Progress on standard error: bars on a terminal, one line per stage elsewhere, nothing when quiet."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._since = time.monotonic()

    def __enter__(self) -> Terminal:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=Console(stderr=True))
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` is done of a stage; a signal to stop that was lost acts here."""
        check()
        if self._bars is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done, total=total)
        elif not self._quiet and done >= total and stage not in self._tasks:
            # From the stage before: many stages report only when they are done.
            self._tasks[stage], start, self._since = None, self._since, time.monotonic()
            typer.echo(f"{stage}: done in {self._since - start:.1f} s", err=True)


class Meter:
    """Progress of many equal pieces: a bar with rate and time left, lines in a log, lines of JSON, or nothing.

    Rate and time left are of the pieces done since the start, those of an earlier run left out.
    """

    EVERY = 15.0

    def __init__(self, quiet: bool, as_json: bool = False, noun: str = "fits") -> None:
        self._quiet, self._json, self._noun = quiet, as_json, noun
        self._bar: Any = None
        self._task: Any = None
        self._start = self._said = time.monotonic()
        self._before: int | None = None

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if self._quiet:
            return
        now = time.monotonic()
        if self._before is None:
            self._before, self._start, self._said = done, now, now
            if not self._json and sys.stderr.isatty():
                self._open(total)
        rate = (done - self._before) / (now - self._start) if now > self._start else 0.0
        left = (total - done) / rate if rate else None
        if self._bar is not None:
            said = f"{rate:,.0f} per s, {_left(left)}" if rate else ""
            self._bar.update(self._task, completed=done, said=f"{done:,} of {total:,} {said}")
        elif now - self._said >= (1.0 if self._json else self.EVERY) or (done >= total and rate):
            self._said = now
            text = f"{self._noun}: {done:,} of {total:,}, {rate:,.1f} per s, {_left(left)}"
            say(self._json, text, err=True, event="progress", done=done, total=total, rate=rate, seconds_left=left)

    def _open(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}"),
        )
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task(self._noun, total=total, said="")
        self._bar.start()


@contextmanager
def compiling(quiet: bool) -> Iterator[None]:
    """Say once, unless quiet, that kernels are being compiled: nothing else moves meanwhile."""
    from nmfcore.kernels.compiling import when_compiling

    text = "compiling kernels: some ten seconds at the first use of a number of components, then they are kept"
    with when_compiling(lambda: None if quiet else typer.echo(text, err=True)):
        yield


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours} h {minutes:02d} min left" if hours else f"{minutes} min {whole % 60:02d} s left"


def say(as_json: bool, text: str, *, err: bool = False, **record: Any) -> None:
    """Print a line for people, or what it says as JSON for programs."""
    if not as_json:
        typer.echo(text, err=err)
        return
    from ..io.provenance import plain

    typer.echo(json.dumps(plain(record)))


def tell(product: Product, output: Path, quiet: bool, *also: str, facts: Callable[[], dict[str, Any]] = dict) -> None:
    """Print what a product says, of a quiet command its last line, and where it went; exit 4 where it has problems.

    For programs the product's record, and further facts that a function returns.
    """
    now = current()
    if now.as_json:
        from ..products.record import record

        now.facts.update(record(product) | facts())
    else:
        *lines, last = product.describe().splitlines()
        typer.echo("\n".join([*([] if quiet else lines), *also, f"{last} -> {output}"]))
    leave(product.problems())


def _mute() -> None:
    """Send standard output nowhere: what it still holds would fail once more when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def guarded(function: Callable[..., None], name: str = "") -> Callable[..., None]:
    """Return a command whose known errors, and signals to stop, become one line and an exit code."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        with answering(name, bool(kwargs.get("as_json"))) as answer:
            try:
                with stoppable(NOTHING), answer.given():
                    function(*args, **kwargs)
            except HalonmfError as error:
                raise answer.fail(error.exit_code, type(error).__name__, cleaned(error, SENTENCE)) from None
            except KeyboardInterrupt:
                raise answer.fail(130, "KeyboardInterrupt", "interrupted") from None
            except (typer.Exit, typer.Abort, BrokenPipeError):
                raise  # a reader that left, as head does, is no fault: typer ends silently
            except Exception as error:
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    _mute()
                    text = (
                        f"standard output cannot be written ({error.strerror}); files that have their names are "
                        "complete: free space where it goes, or use --quiet"
                    )
                    raise answer.fail(5, "OSError", text) from None
                if os.environ.get("HALONMF_DEBUG"):
                    traceback.print_exc()
                text = (
                    f"internal error ({type(error).__name__}: {cleaned(error)}); please report it, "
                    "with what HALONMF_DEBUG=1 prints"
                )
                raise answer.fail(1, "internal", text) from None

    return run
