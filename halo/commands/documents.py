"""What ``--json`` prints, as one JSON Schema.

From the keys that `keys_fits` and `keys_studies` declare come the schema that ships (results.schema.json) and the
tables of docs/json.md, both written by ``python docs/schema.py``; tests validate the document of every command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .forms import HEAD, PARTS, Form, Key, object_of
from .keys_fits import FITS
from .keys_studies import KINDS, PROVENANCE, STUDIES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KEYS = FITS | STUDIES
"""Every command's own keys; ``info`` has those of `KINDS`."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of all that ``--json`` prints, a definition for every command.

    Examples
    --------
    >>> jsonschema.validate(document, halo.schema())  # doctest: +SKIP
    """
    kinds = {f"info, {kind}": _document("info", (*keys, PROVENANCE), kind) for kind, keys in KINDS.items()}
    documents = {name: _document(name, keys) for name, keys in KEYS.items()} | kinds
    return {
        "$schema": DIALECT,
        "title": "What halonmf prints with --json",
        "description": "The last line of standard output is a document; an error is one on standard error.",
        "anyOf": [{"$ref": _ref(name)} for name in (*documents, "error", "progress")],
        "$defs": {**PARTS, **documents},
    }


def _ref(name: str) -> str:
    return f"#/$defs/{name.replace(' ', '%20')}"


def _document(command: str, keys: Sequence[Key], kind: str = "") -> Form:
    found = object_of((*HEAD, *keys))
    found["properties"]["command"]["const"] = command
    if kind:
        found["properties"]["kind"]["const"] = kind
    return found
