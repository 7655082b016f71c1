"""What the columns of tables are: description, unit, display format and UCD, from one vocabulary for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from astropy import units

from .toml import read_toml

VOCABULARY = Path(__file__).with_name("columns.toml")
ANY, STARS, OTHERS = "any", "stars", "classify"
"""Sections of the vocabulary: what every table may have, prepared catalogues, and tables of others with our columns."""
OF_VARIABLE, IN_COLUMN = "{variable}", "column"
"""Units that a name alone does not tell: the binned variable's, and those in a column of the table."""
DIGITS = ".6g"
"""Format of numbers for which the vocabulary has none."""
UCD = "ucd"
"""Key of a column's metadata that holds its UCD, as astropy has it for VOTables."""
_NUMBERED = re.compile(r"(weight|fraction|setups|noise_lower|noise_upper)_([1-9]\d?)(_low|_high)?")
_SHARE = re.compile(r"(?P<before>|mean_)share(?P<after>|_.+)")
_OF_SHARES = (
    {"component", "percentile"},
    {"component", "part", "stars"},
    {"kind", "value", "status"},
    {"alpha_W", "alpha_H", "l1_ratio"},
)
"""Columns by which tables are known whose mass fractions had another name: Table 1, four components, checks."""
_ENTRIES = {"base_shares": "base_fractions", "share_std": "fraction_std"}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_OF_BINS = ("lower", "upper", "centre")


@dataclass(frozen=True)
class Known:
    """What the vocabulary says of a column.

    Attributes
    ----------
    text : str
        Description.
    ucd : str
        Unified content descriptor, words of UCD1+ (IVOA).
    unit : str
        As astropy writes it; `OF_VARIABLE` or `IN_COLUMN`, or empty for none.
    format : str
        How numbers are shown.
    """

    text: str
    ucd: str
    unit: str = ""
    format: str = ""


def described(table: Any, kind: str = "", variable: str = "") -> Any:
    """Return the table itself, with description, format and UCD in its columns, and units where they lacked.

    What a column has already stays. Columns that the vocabulary does not know stay as they are.

    Parameters
    ----------
    table : Table or QTable
        Changed in place.
    kind : str
        Section of the vocabulary; by default what every table may have.
    variable : str
        The one that the table's bins are of, where there is one.
    """
    for name in table.colnames:
        found, section = _found(name, kind, variable)
        if found is None or (section == STARS != kind and not _agrees(table[name], found.unit)):
            continue
        _add_unit(table, name, found.unit)
        info = table[name].info
        number = info.dtype is not None and info.dtype.kind in "iuf"
        if info.description is None:
            info.description = found.text
        if info.format is None and number:
            info.format = (found.format or DIGITS) if info.dtype.kind == "f" else "d"
        if UCD not in (info.meta or {}):
            info.meta = {**(info.meta or {}), UCD: found.ucd}
    return table


def _agrees(column: Any, unit: str) -> bool:
    """Whether a column of a star's property has a unit of that kind, and none, or dex, where it has none."""
    own = getattr(column, "unit", None)
    if own is None or not unit:
        return not unit and str(own) in ("None", "dex")
    try:
        return units.Unit(own).is_equivalent(unit)
    except (ValueError, TypeError):
        return False


def _add_unit(table: Any, name: str, unit: str) -> None:
    column = table[name]
    if unit in ("", OF_VARIABLE, IN_COLUMN) or getattr(column, "unit", None) is not None or column.dtype.kind != "f":
        return
    if table.__class__.__name__ == "QTable" and not hasattr(column, "mask"):
        table[name] = units.Quantity(column.data, unit, copy=False)
    else:
        column.unit = unit


def known(name: str, kind: str = "", variable: str = "") -> Known | None:
    """Return what the vocabulary says of a column; None where it does not know it."""
    return _found(name, kind, variable)[0]


def _found(name: str, kind: str, variable: str) -> tuple[Known | None, str]:
    """Return what the vocabulary says of a column, and in which section."""
    if variable and name in _OF_BINS and name not in _sections().get(kind, {}):
        name = f"{name}_{variable}"
    for section in (kind, STARS) if kind in (STARS, OTHERS) else (kind, ANY, STARS):
        found = _lookup(name, section)
        if found is not None:
            return found, section
    return None, ""


@cache
def _lookup(name: str, section: str) -> Known | None:
    exact, patterns = _sections().get(section, {}), _patterns().get(section, ())
    if name in exact:
        return exact[name]
    for pattern, entry in patterns:
        match = pattern.fullmatch(name)
        if match:
            return Known(_filled(entry.text, match), _words(entry.ucd, match), entry.unit, entry.format)
    return None


def _filled(text: str, match: re.Match[str]) -> str:
    found = match.groupdict()
    if "element" in found:
        spelt = {"CI": "C I", "TIII": "Ti II"}
        found = {key: spelt.get(x, x.capitalize() if len(x) <= 2 else x) for key, x in found.items()}
    return _PLACEHOLDER.sub(lambda placeholder: found[placeholder[1]], text)


def _words(ucd: str, match: re.Match[str]) -> str:
    """Return a UCD with the words of the variable that a name holds; those of any number where it is unknown."""
    if OF_VARIABLE not in ucd:
        return ucd
    of = _lookup(match["variable"], STARS)
    return ucd.replace(OF_VARIABLE, "stat.value" if of is None else of.ucd)


@cache
def _vocabulary() -> dict[str, Any]:
    return read_toml(VOCABULARY, "the vocabulary of columns")


@cache
def _sections() -> dict[str, dict[str, Known]]:
    return {
        section: {name: Known(**entry) for name, entry in entries.items() if "{" not in name}
        for section, entries in _vocabulary().items()
        if section != "placeholders"
    }


@cache
def _patterns() -> Mapping[str, Sequence[tuple[re.Pattern[str], Known]]]:
    """Return the patterns of every section, the longest first: `fraction_{component}_low` is also a fraction."""
    any_of = _vocabulary()["placeholders"]

    def compiled(name: str) -> re.Pattern[str]:
        parts = _PLACEHOLDER.split(name)
        return re.compile(
            "".join(f"(?P<{x}>{any_of.get(x, '.+')})" if i % 2 else re.escape(x) for i, x in enumerate(parts))
        )

    return {
        section: [
            (compiled(name), Known(**entry))
            for name, entry in sorted(entries.items(), key=lambda item: -len(_PLACEHOLDER.sub("", item[0])))
            if "{" in name
        ]
        for section, entries in _vocabulary().items()
        if section != "placeholders"
    }


def renamed(table: Any) -> Any:
    """Return a table with the names of today in place of those of an earlier version.

    Components have their names in the columns where they had their numbers, which the metadata tell: what is
    ``fraction_HE`` was ``fraction_2``. And what is a fraction was a share in some tables, such as ``share_HE``.
    """
    names = table.meta.get("components")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        for old in table.colnames:
            match = _NUMBERED.fullmatch(old)
            if match and int(match[2]) <= len(names):
                _rename(table, old, f"{match[1]}_{names[int(match[2]) - 1]}{match[3] or ''}")
    if any(columns <= set(table.colnames) for columns in _OF_SHARES):
        for old in table.colnames:
            match = _SHARE.fullmatch(old)
            if match:
                _rename(table, old, f"{match['before']}fraction{match['after']}")
        table.meta = {_ENTRIES.get(name, name): value for name, value in table.meta.items()}
    elif {"plane", "difference", "ratio"} <= set(table.colnames) and isinstance(table.meta.get("planes"), dict):
        table.meta["planes"] = {plane: _fractions(said) for plane, said in table.meta["planes"].items()}
    return table


def _rename(table: Any, old: str, new: str) -> None:
    if new not in table.colnames:
        table.rename_column(old, new)


def _fractions(said: Any) -> Any:
    """Return what the metadata say of separations in one plane, with the names of today."""
    if not isinstance(said, dict):
        return said
    return {re.sub(r"^share_(.+_above(_poor)?)$", r"fraction_\1", name): value for name, value in said.items()}
