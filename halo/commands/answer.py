"""What a command answers: lines for people as it goes, or with ``--json`` one document at its end.

With ``--json`` standard output holds that document and nothing else, in one line, and an error is an object on standard
error; `documents` declares what they hold. Commands say what they found through `answer`, `warn` and `leave`, which
know which of the two is wanted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

SCHEMA = 1
"""Version of what ``--json`` prints; it rises when a key changes its meaning or goes."""


@dataclass
class Answer:
    """What one call of a command has said so far.

    Attributes
    ----------
    command : str
    as_json : bool
        Whether a document is wanted.
    facts : dict
        What the command found.
    outputs, warnings, problems : list of str
        Files that were written, what to know, and what did not go well, with which the command leaves with 4.
    failed : bool
        An error ended the command: there is no document.
    """

    command: str = ""
    as_json: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failed: bool = False

    def head(self) -> dict[str, Any]:
        """Return what every document begins with."""
        from ..io.provenance import own_version

        return {"schema": SCHEMA, "command": self.command, "halonmf": own_version()}

    def document(self) -> dict[str, Any]:
        """Return the document."""
        from ..products.record import jsonable

        said = {name: [*dict.fromkeys(getattr(self, name))] for name in ("outputs", "warnings", "problems")}
        return {**self.head(), **said, **jsonable(self.facts)}

    @contextmanager
    def given(self) -> Iterator[None]:
        """Print the document when the command ends or leaves, if one is wanted."""
        try:
            yield
        except typer.Exit:
            self._print()
            raise
        self._print()

    def _print(self) -> None:
        if self.as_json and not self.failed:
            typer.echo(json.dumps(self.document(), allow_nan=False))

    def fail(self, code: int, kind: str, message: str) -> typer.Exit:
        """Say on standard error why the command ends, and return what leaves with that code."""
        self.failed = True
        if self.as_json:
            error = {"code": code, "kind": kind, "message": message}
            typer.echo(json.dumps({**self.head(), "error": error}), err=True)
        else:
            typer.echo(f"halonmf: {message}", err=True)
        return typer.Exit(code)


_NOW: ContextVar[Answer] = ContextVar("answer")


def current() -> Answer:
    """Return the answer of the command that runs; outside of the command line one that prints text."""
    return _NOW.get(None) or Answer()


@contextmanager
def answering(command: str, as_json: bool) -> Iterator[Answer]:
    """Make an answer the current one."""
    token = _NOW.set(Answer(command, as_json))
    try:
        yield _NOW.get()
    finally:
        _NOW.reset(token)


def answer(text: str, facts: Callable[[], Mapping[str, Any]] | Mapping[str, Any]) -> None:
    """Print a text for people, unless it is empty; for programs keep the facts, a function of which returns them."""
    now = current()
    if now.as_json:
        now.facts.update(facts() if callable(facts) else facts)
    elif text:
        typer.echo(text)


def wrote(*paths: Path) -> None:
    """Note files that the command has written."""
    current().outputs.extend(str(path) for path in paths)


def warn(text: str) -> None:
    """Say what to know of a result: a line on standard error, or a warning of the document."""
    now = current()
    now.warnings.append(text)
    if not now.as_json:
        typer.echo(f"halonmf: {text}", err=True)


def leave(*problems: str) -> None:
    """Leave with 4, and say why, where a product is there but something in it did not converge."""
    said = [problem for problem in problems if problem]
    if said:
        now = current()
        now.problems.extend(said)
        if not now.as_json:
            typer.echo(f"halonmf: {'; '.join(said)}", err=True)
        raise typer.Exit(4)
