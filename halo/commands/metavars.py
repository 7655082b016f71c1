"""Words for values: those that stand for them in the help, such as LOW:HIGH or PATH, and those a shell completes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_origin

KINDS = {int: "N", float: "X", Path: "PATH"}
"""Words for numbers and paths; texts have the option's name."""
WRITTEN = re.compile(r"[A-Z][A-Z0-9]*(?:[:=\[\]]+[A-Z0-9]*)+|i/N")
"""How a value is written, where a help begins with it."""


def metavar(kind: Any, help_: str, flags: Sequence[str]) -> str | None:
    """Return the word for an option's value; None where Typer has one, as for choices.

    A help that begins with how the value is written, such as ``LOW:HIGH``, names it.

    Parameters
    ----------
    kind : type
        Of the value.
    help_ : str
        The option's help.
    flags : sequence of str
        Its flags.
    """
    if kind is bool or get_origin(kind) is Literal:
        return None
    written = WRITTEN.match(help_)
    flag = next((one for one in flags if one.startswith("--")), "")
    return written[0] if written else KINDS.get(kind, flag.rpartition("-")[2].upper())


def beginning(words: Callable[[], Sequence[str]] | None) -> Callable[[str], list[str]] | None:
    """Return what completes a word by some words; None where there are none."""
    if words is None:
        return None
    known = words

    def complete(incomplete: str) -> list[str]:
        return [word for word in known() if word.startswith(incomplete)]

    return complete
