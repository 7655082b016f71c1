"""Tables and texts with provenance: ECSV, VOTable or FITS, by how the name ends."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.exceptions import AstropyWarning

from ..errors import InputError, OutputError
from .atomic import CATALOGUES, VOTABLES, write_atomically, write_bytes
from .columns import described, renamed
from .hdus import from_hdu, table_hdu, unknown_units, write_sealed
from .opening import BLOCK, open_fits
from .packed import beginning
from .part import as_unit
from .provenance import plain
from .reading import check_file, cleaned, first_line, kind_of
from .votable import from_votable, to_votable

SEAL = "content_sha256"
"""The entry of a table's metadata that holds the checksum of all of its text, with zeros in its own place."""
LARGEST = 2**30
"""Most bytes of a table that are read."""
LONGEST, MOST_NODES = 2**24, 1e6
"""Most characters of metadata, and most values in them."""
SCHEMA = 1
"""Version of the layout of FITS tables; it rises when a reader of the old one would misread the new."""
TABLE, METADATA, UNITS = "table", "METADATA", "column_units"
"""What a FITS table calls itself, its extension of metadata, and the entry for units that a format does not know."""
_HEAD, _COMMENT = re.compile(r"(?:#.*\n)*"), re.compile(r"^[^\S\n]*#[^\s\"]*(?=\s)", re.MULTILINE)
_WITHIN = re.compile(r"^[^\S\n]*(#|$(?!\Z))", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ZEROS = "0" * 64
_SEALED_INFO = re.compile(rf'(name="{SEAL}" value=")([0-9a-f]{{64}})'.encode())
_SEALED = re.compile(rf"^(# .*{SEAL}: '?)([0-9a-f]{{64}})\b", re.MULTILINE)


def save_table(path: str | Path, table: Table, provenance: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write a product with its provenance in the metadata: as VOTable or FITS where the name ends so, else as ECSV.

    Columns have units, descriptions, formats and UCDs, where the table or `columns.described` know them.

    Raises
    ------
    OutputError
        The file exists, or cannot be written; or FITS or a VOTable cannot hold what is in the table.
    """
    path = Path(path)
    table = described(table.copy(copy_data=False), str(provenance.get("command", "")))
    table.meta["provenance"] = plain(provenance)
    odd = [name for name in table.colnames if _CONTROL.search(name)]
    if odd:
        raise OutputError(f"{path}: column {cleaned(odd[0], 60)!r} has control characters in its name; rename it.")
    suffix = path.suffix.lower()
    write = _as_fits if suffix in CATALOGUES else _as_votable if suffix in VOTABLES else _as_ecsv
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # of names that other software may find odd
            written = write(table)
    except (ValueError, TypeError, KeyError, AssertionError, fits.VerifyError) as error:
        other = ".vot" if write is _as_ecsv else ".ecsv"
        raise OutputError(f"{path}: cannot be written so ({cleaned(first_line(error))}); name it {other}.") from error
    return write_bytes(path, written, overwrite=overwrite)


def _as_ecsv(table: Table) -> bytes:
    table = Table(table, copy=False)  # of plain columns with units: STIL refuses the classes of astropy
    table.meta[SEAL] = _ZEROS
    written = io.StringIO()
    table.write(written, format="ascii.ecsv")
    text = _quoted(written.getvalue())
    seal = hashlib.sha256(text.encode()).hexdigest()
    return _SEALED.sub(rf"\g<1>{seal}", text, count=1).encode()


def _quoted(text: str) -> str:
    """Return ECSV with texts in quotes where one at the beginning of a row would make a comment of it.

    Raises
    ------
    ValueError
        There is such a line within a text, or an empty one, which readers leave out.
    """
    end = _HEAD.match(text).end()  # type: ignore[union-attr]
    rows = _COMMENT.sub(r'"\g<0>"', text[end:])
    if _WITHIN.search(rows):
        raise ValueError("ECSV has no texts with lines that are empty or begin with #")
    return text[:end] + rows


def _as_votable(table: Table) -> bytes:
    record = _record(table, "vounit")
    infos = {name: json.dumps(value) for name, value in record["meta"].items()}
    if record["units"]:
        infos[UNITS] = json.dumps(record["units"])
    title = f"Made by halonmf {record['meta']['provenance'].get('command', '')}".rstrip()
    data = to_votable(table, title, infos | {SEAL: _ZEROS})
    seal = hashlib.sha256(data).hexdigest().encode()
    return _SEALED_INFO.sub(rb"\g<1>" + seal, data, count=1)


def _as_fits(table: Table) -> bytes:
    missing = [x.name for x in table.itercols() if x.dtype.kind == "b" and np.any(getattr(x, "mask", False))]
    if missing:
        raise ValueError(f"truth values are missing in {', '.join(missing)}, for which FITS has no place")
    folded = [name.strip().upper() for name in table.colnames]
    alike = [name for name, own in zip(table.colnames, folded, strict=True) if folded.count(own) > 1]
    if alike:
        raise ValueError(f"FITS takes the columns {' and '.join(map(repr, alike))} for one")
    primary = fits.PrimaryHDU()
    primary.header["HALONMF"] = (TABLE, "what this file is")
    primary.header["SCHEMA"] = (SCHEMA, "version of the file layout")
    text = json.dumps(_record(table, "fits"), sort_keys=True).encode("ascii")
    record = fits.ImageHDU(np.frombuffer(text, dtype=np.uint8), name=METADATA)  # so that the file has one table
    written = io.BytesIO()
    write_sealed(fits.HDUList([primary, table_hdu(table, "TABLE"), record]), written)
    return written.getvalue()


def _record(table: Table, form: str) -> dict[str, Any]:
    """Return what formats other than ECSV hold as JSON: the metadata, and units that the format does not know."""
    return {"meta": plain(table.meta), "units": unknown_units(table, form)}


def save_text(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write a text, such as a figure's caption.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """

    def write(temporary: Path) -> None:
        temporary.write_text(text + "\n", encoding="utf-8")

    return write_atomically(path, write, overwrite=overwrite)


def load_table(path: str | Path) -> Table:
    """Read a product that `save_table` wrote, in any of its formats: the file's content tells which.

    Columns that an earlier version numbered have their components' names.

    Raises
    ------
    InputError
        Missing, not such a table, or another one than was written.
    """
    path = check_file(path)
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path}: has more than {LARGEST:,} bytes, which no table of this software has.")
    kind = kind_of(path)
    if kind and not kind.startswith(("a FITS", "an ECSV", "a gzip")):
        raise InputError(f"{path}: {kind}, expected a table of this software (.ecsv, .vot or .fits).")
    head = beginning(path).lstrip()
    if head.startswith(b"SIMPLE  ="):
        form, read = "a FITS table of this software", _from_fits
    elif head.startswith((b"<?xml", b"<VOTABLE")):
        form, read = "a VOTable", _from_votable
    else:
        form, read = "ECSV", _from_ecsv
    try:
        table = read(path)
    except RecursionError:
        raise InputError(f"{path}: cannot be read as {form} (metadata nested without end).") from None
    except InputError:
        raise
    except Exception as error:  # readers of damaged files raise their own, of every kind
        raise InputError(f"{path}: cannot be read as {form} ({cleaned(first_line(error))}).") from error
    table.meta.pop(SEAL, None)
    return renamed(table)


def is_table(path: str | Path) -> bool:
    """Return whether a file is a FITS table of this software, which is no prepared catalogue.

    The header's first block tells; whoever reads the file looks at the rest.
    """
    try:
        return f"HALONMF = '{TABLE}" in beginning(path, BLOCK).decode("ascii", "replace")
    except InputError:
        return False


def _from_ecsv(path: Path) -> Table:
    text = path.read_bytes().decode("utf-8-sig")
    if "\r\n" in text and text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")  # of an editor, or of Git, on Windows
    sealed = _SEALED.search(text)
    if sealed and sealed[2] != hashlib.sha256(_SEALED.sub(rf"\g<1>{_ZEROS}", text, count=1).encode()).hexdigest():
        raise _altered(path)
    lines = text.split("\n")
    check_aliases(path, lines)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # of what is then refused, or changes nothing
        table = QTable.read(lines, format="ascii.ecsv")
    for name in table.colnames:
        if isinstance(table[name], MaskedColumn) and table[name].dtype.kind == "U":
            table[name] = table[name].filled("")  # the reader masks every empty text
    return table


def _from_votable(path: Path) -> Table:
    data = path.read_bytes()
    sealed = _SEALED_INFO.search(data)
    if (
        sealed
        and sealed[2].decode()
        != hashlib.sha256(_SEALED_INFO.sub(rb"\g<1>" + _ZEROS.encode(), data, count=1)).hexdigest()
    ):
        raise _altered(path)
    table, infos = from_votable(data)
    infos.pop(SEAL, None)
    given = json.loads(infos.pop(UNITS, "{}"))
    return _completed(table, {name: _from_json(value) for name, value in infos.items()}, given)


def _from_fits(path: Path) -> Table:
    with open_fits(path) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        if hdus[0].header.get("HALONMF") != TABLE or hdus[0].header.get("SCHEMA") != SCHEMA:
            raise InputError(f"{path}: no table of this software, or of another layout than version {SCHEMA}.")
        if any(0 in (hdu.verify_checksum(), hdu.verify_datasum()) for hdu in hdus):
            raise _altered(path, "the cards CHECKSUM and DATASUM")
        record = json.loads(hdus[METADATA].data.tobytes())
        return _completed(from_hdu(hdus[1], mask_invalid=False), record["meta"], record["units"])


def _completed(table: Table, meta: Mapping[str, Any], given: Mapping[str, str]) -> Table:
    """Return a table with its metadata, and with units that the file's format did not know."""
    table.meta = {name: _numbers(value) for name, value in meta.items()}
    for name, unit in given.items():
        info = table[name].info
        said = info.format, info.description, info.meta
        known = as_unit(unit)
        if isinstance(known, units.UnrecognizedUnit | units.function.FunctionUnitBase):
            table[name].unit = known
        else:
            table[name] = units.Quantity(np.asarray(table[name]), known)
        info = table[name].info
        info.format, info.description, info.meta = said
    return table


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # of other software


def _numbers(value: Any) -> Any:
    """Return metadata with NaN and infinities, which JSON has as text."""
    if isinstance(value, dict):
        return {name: _numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    return float(value) if value in ("nan", "inf", "-inf") else value


def _altered(path: Path, seal: str = f"the line of {SEAL}") -> InputError:
    return InputError(
        f"{path}: has another checksum than it should: it is damaged or was edited. Make it again, or take {seal} out "
        "if the change is meant."
    )


def check_aliases(path: Path, lines: Iterable[str] | None = None) -> None:
    """Raise where aliases in the metadata of an ECSV file multiply: lists of lists of them fill any memory.

    Raises
    ------
    InputError
        The metadata have more than `LONGEST` characters, or more than `MOST_NODES` values once written out; or they
        are no YAML.
    """
    if lines is None:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            check_aliases(path, iter(lambda: file.readline(LONGEST), ""))
        return
    header = ""
    for line in itertools.islice(itertools.takewhile(lambda line: line.startswith("#"), lines), 1, None):
        header += line[2:].rstrip("\n") + "\n"
        if len(header) > LONGEST:
            raise InputError(f"{path}: its metadata have more than {LONGEST:,} characters, which are refused.")
    try:
        size = _written_out(yaml.compose(header), {})
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as ECSV ({cleaned(first_line(error))}).") from None
    if size > MOST_NODES:
        raise InputError(f"{path}: its metadata have aliases that make {size:.3g} values of them, which is refused.")


def _written_out(node: Any, known: dict[int, float]) -> float:
    """Return how many values a YAML document has with its aliases written out; infinite where one holds itself."""
    if not isinstance(getattr(node, "value", None), list):
        return 1.0
    if id(node) not in known:
        known[id(node)] = math.inf  # until it is known: met again within itself
        within = (part for child in node.value for part in (child if isinstance(child, tuple) else (child,)))
        known[id(node)] = 1.0 + sum(_written_out(part, known) for part in within)
    return known[id(node)]
