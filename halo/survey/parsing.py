"""Mapping files, read with suspicion: every entry makes sense, or one line says which does not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.reading import cleaned
from ..io.toml import read_toml
from ..stars.variables import VARIABLES
from .conditions import read_conditions
from .entries import check_keys, check_types, listed
from .flags import read_flags
from .grammar import IDENTIFIERS, SKY_KEYS, Abundance, Mapped, Source, Value

VERSIONS = (1, 2)
SECTIONS = ("catalogue", "columns", "abundances")
CATALOGUE_KEYS = ("name", "format", "extension", "quality", "missing")
QUANTITY_KEYS = ("column", "unit", "scale")
ABUNDANCE_KEYS = ("column", "error", "flag")
LATER_SECTIONS = ("version", "tables", "bits")
LATER_CATALOGUE = ("require", "best", "unusual", "potential", "zero_point")
LATER_QUANTITY = ("plus", "minus", "overrule", "missing", "low", "high", "centre", "quadrature")
TABLE_KEYS = ("on", "optional", "format", "extension", "missing", "require", "best", "name")


def read_mapping(path: str | Path) -> Mapped:
    """Return what a mapping file says, each of its entries checked.

    Raises
    ------
    InputError
        It cannot be read, or makes no sense.
    """
    path = Path(path)
    return parse_mapping(read_toml(path, "the mapping", "see docs/catalogue-mapping.md"), path)


def parse_mapping(content: Mapping[str, Any], path: Path) -> Mapped:
    """Return what the content of a mapping file says.

    Raises
    ------
    InputError
        It makes no sense.
    """
    version = content.get("version", 1)
    if version not in VERSIONS or isinstance(version, bool):
        raise InputError(
            f"{path}: version must be {' or '.join(map(str, VERSIONS))}, got {cleaned(repr(version), 60)}."
        )
    new = version == VERSIONS[1]
    check_keys(path, "the top level", content, SECTIONS + LATER_SECTIONS * new + ("version",), LATER_SECTIONS)
    known = CATALOGUE_KEYS + LATER_CATALOGUE * new
    catalogue = check_keys(path, "[catalogue]", content.get("catalogue", {}), known, LATER_CATALOGUE)
    bits = _bits(path, content.get("bits", {}))
    tables = check_keys(path, "[tables]", content.get("tables", {}), tuple(content.get("tables", {})))
    sources = [_source(path, key, found, bits) for key, found in tables.items()]
    check_keys(path, "[columns]", content.get("columns", {}), _column_keys())
    elements = tuple(n for n in VARIABLES if n.endswith(("_FE", "_H")))
    check_keys(path, "[abundances]", content.get("abundances", {}), elements)
    plain = {key: value for key, value in catalogue.items() if key not in ("quality", "require")}
    check_types(path, "[catalogue]", plain)
    reader = _Reader(path, bits, new)
    entries = (*content.get("columns", {}), *content.get("abundances", {}))
    unknown = [name for name in catalogue.get("unusual", ()) if name not in entries]
    if unknown:
        raise InputError(
            f"{path}: unusual in [catalogue] lists {cleaned(', '.join(unknown), 200)}, which is no entry of [columns] "
            "or [abundances]."
        )
    return Mapped(
        path,
        dict(content),
        _of(path, "", catalogue, bits),
        tuple(sources),
        tuple(
            replace(one, with_units=not new)
            for one in read_conditions(path, "quality", catalogue.get("quality", []), bits)
        ),
        tuple(catalogue.get("unusual", ())),
        {key: reader.values(key, found) for key, found in content.get("columns", {}).items()},
        {key: reader.abundances(key, found) for key, found in content.get("abundances", {}).items()},
    )


def _column_keys() -> tuple[str, ...]:
    own = (v.name for v in VARIABLES.values() if not v.parts)
    return tuple(dict.fromkeys((*IDENTIFIERS, *SKY_KEYS, "rv_error", *own)))


def _bits(path: Path, found: Any) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for column, names in check_keys(path, "[bits]", found, tuple(found) if isinstance(found, Mapping) else ()).items():
        if not isinstance(names, Mapping):
            raise InputError(f"{path}: [bits.{cleaned(column, 60)}] must be a table of names and numbers of bits.")
        for name, number in names.items():
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 64:
                raise InputError(
                    f"{path}: bit {cleaned(name, 60)} of {cleaned(column, 60)} must be a whole number from 0 to 63, "
                    f"got {cleaned(repr(number), 60)}."
                )
        out[column] = dict(names)
    return out


def _source(path: Path, key: str, found: Any, bits: Mapping[str, Mapping[str, int]]) -> Source:
    where = f"[tables.{cleaned(key, 60)}]"
    table = check_keys(path, where, found, TABLE_KEYS)
    if not key.isidentifier():
        raise InputError(f"{path}: the name of {where} must be letters, digits and underscores.")
    if "on" not in table:
        raise InputError(f"{path}: {where} needs on, the column by which its rows are joined to the catalogue's.")
    check_types(path, where, {name: value for name, value in table.items() if name != "require"})
    return _of(path, key, table, bits)


def _of(path: Path, key: str, table: Mapping[str, Any], bits: Mapping[str, Mapping[str, int]]) -> Source:
    on = listed(table["on"]) if "on" in table else ()
    return Source(
        key,
        on * 2 if len(on) == 1 else on,
        bool(table.get("optional", False)),
        table.get("format"),
        table.get("extension"),
        listed(table.get("missing", [])),
        read_conditions(path, "require", table.get("require", []), bits),
        str(table.get("best", "")),
    )


@dataclass(frozen=True)
class _Reader:
    """Reads the entries of [columns] and [abundances]."""

    path: Path
    bits: Mapping[str, Mapping[str, int]]
    new: bool

    def values(self, key: str, found: Any) -> tuple[Value, ...]:
        """Return the alternatives for an entry of [columns]."""
        many = found if isinstance(found, list) and self.new else [found]
        if not many:
            self._refuse(key, "[columns]", found, QUANTITY_KEYS)
        return tuple(self._value(key, "[columns]", one) for one in many)

    def abundances(self, key: str, found: Any) -> tuple[Abundance, ...]:
        """Return the alternatives for an entry of [abundances]."""
        many = found if isinstance(found, list) and self.new else [found]
        if not many:
            self._refuse(key, "[abundances]", found, ABUNDANCE_KEYS)
        return tuple(self._abundance(key, one) for one in many)

    def _abundance(self, key: str, found: Any) -> Abundance:
        if not isinstance(found, Mapping):
            return Abundance(self._value(key, "[abundances]", found, ABUNDANCE_KEYS))
        inner = {name: value for name, value in found.items() if name not in ("error", "flag")}
        value = self._value(key, "[abundances]", inner, ABUNDANCE_KEYS)
        error = None
        if "error" in found:
            said = found["error"]
            if isinstance(said, str | list):
                check_types(self.path, f"{key} of [abundances]", {"quadrature" if self.new else "column": said})
                said = {"quadrature": said} if isinstance(said, list) else said
            error = self._value(f"error of {key}", "[abundances]", said)
        flags = read_flags(self.path, f"flag of {key}", found["flag"], self.bits, self.new) if "flag" in found else ()
        return Abundance(value, error, flags)

    def _value(self, key: str, where: str, found: Any, keys: tuple[str, ...] = QUANTITY_KEYS) -> Value:
        if isinstance(found, str):
            found = {"column": found}
        allowed = keys + (("unit", "scale") if self.new and keys is ABUNDANCE_KEYS else ()) + LATER_QUANTITY * self.new
        if not isinstance(found, Mapping):
            self._refuse(key, where, found, allowed)
        later = [name for name in found if name in LATER_QUANTITY and not self.new]
        if later:
            raise InputError(f"{self.path}: {', '.join(later)} of {key} needs version = 2 at the top of the file.")
        ways = ("column" in found) + ("quadrature" in found) + ("low" in found or "high" in found)
        if ways != 1 or set(found) - set(allowed) or ("low" in found) != ("high" in found):
            self._refuse(key, where, found, allowed)
        check_types(self.path, f"{key} of {where}", found)
        if "centre" in found and "low" not in found:
            raise InputError(f"{self.path}: centre of {key} in {where} needs low and high.")
        if found.get("overrule") and "unit" not in found:
            raise InputError(f"{self.path}: overrule of {key} in {where} needs unit, the unit that is to hold.")
        return Value(
            str(found.get("column", "")),
            listed(found.get("plus", [])),
            listed(found.get("minus", [])),
            str(found.get("unit", "")),
            bool(found.get("overrule", False)),
            float(found.get("scale", 1.0)),
            listed(found.get("missing", [])),
            str(found.get("low", "")),
            str(found.get("high", "")),
            str(found.get("centre", "")),
            listed(found.get("quadrature", [])),
        )

    def _refuse(self, key: str, where: str, found: Any, keys: Iterable[str]) -> None:
        raise InputError(
            f"{self.path}: {key} in {where} must be a column's name or a table of {', '.join(keys)}; "
            f"got {cleaned(repr(found), 200)}."
        )
