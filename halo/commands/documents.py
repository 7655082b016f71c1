"""What ``--json`` prints, as one JSON Schema.

From the keys that `keys_fits` and `keys_studies` declare come the schema that ships (results.schema.json) and the
tables of docs/json.md, both written by ``python docs/schema.py``; tests validate the document of every command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import UsageError
from .forms import HEAD, PARTS, Form, Key, object_of
from .keys_fits import FITS
from .keys_studies import KINDS, PLAN, PLANNED, PROVENANCE, STUDIES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KEYS = FITS | STUDIES
"""Every command's own keys; ``info`` has those of `KINDS`."""


def schema(command: str = "") -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what ``--json`` prints, a definition for every command.

    Parameters
    ----------
    command : str
        The schema of its documents alone; by default that of all documents, errors and lines of progress.

    Returns
    -------
    dict

    Raises
    ------
    UsageError
        There is no such command.

    Examples
    --------
    >>> jsonschema.validate(document, halo.schema("fit"))  # doctest: +SKIP
    """
    kinds = {f"info, {kind}": _document("info", (*keys, PROVENANCE), kind) for kind, keys in KINDS.items()}
    plans = {f"{name}, plan": _document(name, PLAN) for name in PLANNED}
    documents = {name: _document(name, keys) for name, keys in KEYS.items()} | plans | kinds
    chosen = [name for name in documents if command in ("", name.partition(",")[0])]
    if not chosen:
        raise UsageError(f"command must be one of {', '.join([*KEYS, 'info'])}; got {command!r}.")
    others = () if command else ("error", "progress")
    return {
        "$schema": DIALECT,
        "title": f"What halonmf {command} prints with --json" if command else "What halonmf prints with --json",
        "description": "The last line of standard output is a document; an error is one on standard error.",
        "anyOf": [{"$ref": _ref(name)} for name in (*chosen, *others)],
        "$defs": {**PARTS, **{name: documents[name] for name in chosen}},
    }


def _ref(name: str) -> str:
    return f"#/$defs/{name.replace(' ', '%20')}"


def _document(command: str, keys: Sequence[Key], kind: str = "") -> Form:
    found = object_of((*HEAD, *keys))
    found["properties"]["command"]["const"] = command
    if kind:
        found["properties"]["kind"]["const"] = kind
    return found
