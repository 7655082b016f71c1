"""Write the JSON Schema that ships, and the tables of docs/json.md, from the keys that the code declares.

Run with: python docs/schema.py [--check]
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from marked import keep, put

from halonmf import halo
from halonmf.halo.commands.documents import KEYS, KINDS, PLAN, PLANNED
from halonmf.halo.commands.forms import HEAD, Key

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCHEMA, PAGE = ROOT / "halo" / "commands" / "results.schema.json", ROOT / "docs" / "json.md"
MARKERS = ("<!-- keys: made by docs/schema.py -->", "<!-- keys end -->")


def written() -> dict[pathlib.Path, str]:
    """Return the files as they should be."""
    return {
        SCHEMA: json.dumps(halo.schema(), indent=1) + "\n",
        PAGE: put(PAGE.read_text(), MARKERS, "\n".join(tables())),
    }


def tables() -> Iterator[str]:
    """Yield the lines of the page: what every document has, and every command's own keys."""
    yield from _table("Every document", HEAD)
    for name, keys in KEYS.items():
        yield from _table(f"`halonmf {name}`", keys)
    yield from _table(f"`halonmf {'`, `'.join(PLANNED)}` with --dry-run", PLAN)
    for kind, keys in KINDS.items():
        yield from _table(f"`halonmf info` of a {kind}", keys)


def _table(title: str, keys: Sequence[Key]) -> Iterator[str]:
    yield from ("", f"### {title}", "", "| key | is | what |", "|---|---|---|")
    for key in keys:
        yield f"| `{key.name}`{'' if key.always else ' (not always)'} | {_kind(key.form)} | {_cell(key.help)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _kind(form: dict[str, Any]) -> str:
    """Return in a word or two what a value is."""
    if "$ref" in form:
        return form["$ref"].rpartition("/")[2]
    if "anyOf" in form:
        return " or ".join(map(_kind, form["anyOf"]))
    if "const" in form:
        return json.dumps(form["const"])
    if "enum" in form:
        return " or ".join(map(json.dumps, form["enum"]))
    kinds = form.get("type", "any value")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


if __name__ == "__main__":
    keep(__doc__, "python docs/schema.py", written)
