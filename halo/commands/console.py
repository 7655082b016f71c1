"""The terminal: how commands are found, what they print, and what they exit with."""

from __future__ import annotations

import errno
import functools
import json
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from ..ensembles.signals import NOTHING, stoppable
from ..errors import HalonmfError
from ..io.reading import cleaned
from .progress import Terminal as Terminal

if TYPE_CHECKING:
    from ..products.protocol import Product


SENTENCE = 2000
"""Most characters of an error: it may list columns, and what strangers wrote is part of it."""
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


def say(as_json: bool, text: str, *, err: bool = False, **record: Any) -> None:
    """Print a line for people, or what it says as JSON for programs."""
    if not as_json:
        typer.echo(text, err=err)
        return
    from ..io.provenance import plain

    typer.echo(json.dumps(plain(record)))


def tell(product: Product, output: Path, quiet: bool, *also: str) -> None:
    """Print what a product says, of a quiet command its last line, and where it went; exit 4 where it has problems."""
    *lines, last = product.describe().splitlines()
    typer.echo("\n".join([*([] if quiet else lines), *also, f"{last} -> {output}"]))
    leave(product.problems())


def leave(warning: str) -> None:
    """Leave with 4, and say why, where a product is there but something in it did not converge."""
    if warning:
        typer.echo(f"halonmf: {warning}", err=True)
        raise typer.Exit(4)


def _mute() -> None:
    """Send standard output nowhere: what it still holds would fail once more when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def guarded(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose known errors, and signals to stop, become one line and an exit code."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with stoppable(NOTHING):
                function(*args, **kwargs)
        except HalonmfError as error:
            typer.echo(f"halonmf: {cleaned(error, SENTENCE)}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo(f"halonmf: interrupted; {NOTHING}", err=True)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise  # a reader that left, as head does, is no fault: typer ends silently
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                _mute()
                typer.echo(
                    f"halonmf: standard output cannot be written ({error.strerror}); files that have their names are "
                    "complete: free space where it goes, or use --quiet",
                    err=True,
                )
                raise typer.Exit(5) from None
            if os.environ.get("HALONMF_DEBUG"):
                traceback.print_exc()
            typer.echo(
                f"halonmf: internal error ({type(error).__name__}: {cleaned(error)}); please report it, "
                "with what HALONMF_DEBUG=1 prints",
                err=True,
            )
            raise typer.Exit(1) from None

    return run
