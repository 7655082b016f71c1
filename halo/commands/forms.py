"""Forms that the values of a ``--json`` document have, in the words of JSON Schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .answer import SCHEMA

Form = dict[str, Any]
TEXT: Form = {"type": "string"}
COUNT: Form = {"type": "integer", "minimum": 0}
TRUTH: Form = {"type": "boolean"}
NUMBER: Form = {"type": ["number", "null"]}
FRACTION: Form = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
ANY: Form = {}


def listed(of: Form) -> Form:
    """Return the form of a list."""
    return {"type": "array", "items": of}


def named(of: Form) -> Form:
    """Return the form of values by name."""
    return {"type": "object", "additionalProperties": of}


def known(**forms: Form) -> Form:
    """Return the form of an object with these keys and no others."""
    return {"type": "object", "properties": forms, "required": list(forms), "additionalProperties": False}


def maybe(of: Form) -> Form:
    """Return a form, or null."""
    return {"anyOf": [of, {"type": "null"}]}


NUMBERS, NAMES = listed(NUMBER), listed(TEXT)
FLOW = {"$ref": "#/$defs/cutflow"}
VERDICT = maybe({"$ref": "#/$defs/verdict"})
CONVENTION: Form = named(TEXT)
"""Potential, zero point, Sun and sign of Lz that energies are of."""
PARTS: dict[str, Form] = {
    "cutflow": known(total=COUNT, cuts=NAMES, removed=listed(COUNT), passed=COUNT),
    "verdict": known(word=TEXT, reasons=NAMES, advice=TEXT, measures=named(ANY)),
    "error": known(
        schema={"const": SCHEMA},
        command=TEXT,
        halonmf=TEXT,
        error=known(code={"type": "integer"}, kind=TEXT, message=TEXT),
    ),
    "progress": known(event={"const": "progress"}, done=COUNT, total=COUNT, rate=NUMBER, seconds_left=NUMBER),
}
"""Forms that several documents have; ``error`` goes to standard error, ``progress`` comes before the document."""


@dataclass(frozen=True)
class Key:
    """A key of a document: its form, what it is, and whether it is always there."""

    name: str
    form: Form
    help: str
    always: bool = True


HEAD = (
    Key("schema", {"const": SCHEMA}, "Version of the documents."),
    Key("command", TEXT, "The command."),
    Key("halonmf", TEXT, "Version of the software."),
    Key("outputs", NAMES, "Files that were written, as their paths were given."),
    Key("warnings", NAMES, "What to know of the result; on the terminal lines on standard error."),
    Key("problems", NAMES, "What did not go well; where there are any, the exit code is 4."),
)
"""What every document begins with."""


def table(columns: str, *meta: Key, at: str = "") -> tuple[Key, ...]:
    """Return the keys of a table: a pattern that the names of its columns match, and its metadata."""
    names = {"pattern": f"^({columns})$"}
    rows = {"type": "object", "propertyNames": names}
    return (
        Key("columns", {**named(TEXT), "propertyNames": names}, "Unit of each column; empty for a pure number."),
        Key("rows", listed(rows), f"The rows, an object each{at}."),
        Key("meta", object_of(meta), "; ".join(f"`{key.name}`: {_lower(key.help)}" for key in meta) + "."),
    )


def _lower(text: str) -> str:
    text = text.removesuffix(".")
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def object_of(keys: Sequence[Key]) -> Form:
    """Return the form of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": {key.name: {**key.form, "description": key.help} for key in keys},
        "required": [key.name for key in keys if key.always],
        "additionalProperties": False,
    }
