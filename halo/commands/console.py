"""The terminal: how commands are found, what they print, and what they exit with."""

from __future__ import annotations

import codecs
import errno
import functools
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from ..ensembles.signals import NOTHING, stoppable
from ..errors import HalonmfError
from ..io.alone import UnlockedWarning
from ..io.reading import cleaned
from .answer import Answer, answering, current, leave, warn
from .progress import Terminal as Terminal

if TYPE_CHECKING:
    from ..products.protocol import Product


SENTENCE = 2000
"""Most characters of an error: it may list columns, and what strangers wrote is part of it."""
TYPED = "halonmf.typed"
_WRONG: Any = typer.BadParameter.__base__
"""What Typer raises where options make no sense; its module differs between versions."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PLACE = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS)
_NO_ROOM = (
    "standard output cannot be written ({}); files that have their names are complete: free space where it goes, "
    "or use --quiet"
)
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
            error.message = error.message.replace("Value error, ", "", 1)  # of the library that checks values
            if "--json" not in typed:
                raise
            name = next((word for word in typed if word in self.modules), "")
            code, kind = error.exit_code, type(error).__name__
            raise Answer(name, as_json=True).fail(code, kind, error.format_message()) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; help that standard output has no room for is said to have none."""
        _print_any_name()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _mute()
            raise SystemExit(Answer().fail(5, "OSError", _NO_ROOM.format(error.strerror)).exit_code) from None

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


@contextmanager
def compiling(quiet: bool) -> Iterator[None]:
    """Say once, unless quiet, that kernels are being compiled: nothing else moves meanwhile."""
    from nmfcore.kernels.compiling import when_compiling

    text = "compiling kernels: some ten seconds at the first use of a number of components, then they are kept"
    with when_compiling(lambda: None if quiet else typer.echo(text, err=True)):
        yield


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


def _print_any_name() -> None:
    """Have standard output take file names of any bytes as they are, and letters that its encoding lacks as escapes."""
    codecs.register_error("halonmf", _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="halonmf")


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


@contextmanager
def _warned() -> Iterator[None]:
    """Say as a command does what the library warns of: that an output cannot be locked."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *others: Any, **more: Any) -> None:
        if issubclass(category, UnlockedWarning):
            warn(str(message))
        else:
            before(message, category, *others, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def guarded(function: Callable[..., None], name: str = "") -> Callable[..., None]:
    """Return a command whose known errors, and signals to stop, become one line and an exit code."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        with answering(name, bool(kwargs.get("as_json"))) as answer:
            try:
                with stoppable(NOTHING), answer.given(), _warned():
                    function(*args, **kwargs)
            except HalonmfError as error:
                raise answer.fail(error.exit_code, type(error).__name__, cleaned(error, SENTENCE)) from None
            except KeyboardInterrupt:
                raise answer.fail(130, "KeyboardInterrupt", f"interrupted; {NOTHING}") from None
            except (typer.Exit, typer.Abort, BrokenPipeError):
                raise  # a reader that left, as head does, is no fault: typer ends silently
            except Exception as error:
                if isinstance(error, OSError) and error.errno in _FULL:
                    _mute()
                    raise answer.fail(5, "OSError", _NO_ROOM.format(error.strerror)) from None
                if isinstance(error, OSError) and error.errno in _PLACE and error.filename is not None:
                    text = f"{cleaned(error.filename)}: cannot be used ({error.strerror}); choose another place"
                    raise answer.fail(5, "OSError", text) from None
                if os.environ.get("HALONMF_DEBUG"):
                    traceback.print_exc()
                text = (
                    f"internal error ({type(error).__name__}: {cleaned(error)}); please report it, "
                    "with what HALONMF_DEBUG=1 prints"
                )
                raise answer.fail(1, "internal", text) from None

    return run
