"""FITS tables, plain or within gzip, checked as they are read: every kind of damage becomes an error of one line.

Columns are copied in chunks, from short-lived memory maps or from the gzip stream, so that a wide catalogue of any
length takes only the memory of the columns that are read.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ..errors import InputError
from .opening import BLOCK, MOST_FIELDS, check_signature, one_line, open_fits
from .packed import UNPACKED, Unpacked, is_packed, unpacked
from .reading import cleaned

CHUNK_BYTES = 1 << 26
"""Bytes of file that are mapped at a time."""
LONGEST_HEADER, MOST_EXTENSIONS = 4000, 1000
"""Most blocks of a header and most extensions of a packed file that are looked at."""
TRUE, FALSE = ord("T"), ord("F")
_DAMAGED = "damaged table header"
LAYOUT = re.compile(
    r"XTENSION|BITPIX|NAXIS\d*|[PG]COUNT|TFIELDS|THEAP|T[A-Z]{3,4}\d+|EXTNAME|EXTVER|CHECKSUM|DATASUM|COMMENT|HISTORY|"
)
"""Cards that say how a table is laid out, or nothing that counts."""


@dataclass(frozen=True)
class FitsTable:
    """Where the rows of a FITS table lie.

    Attributes
    ----------
    path : Path
    extension : int
    columns : dict of str to astropy.io.fits.Column
        By key: the upper-case name, or the name as it is where several differ by case alone.
    dtype : numpy.dtype
        One row as it lies in the file, big-endian; fields by key.
    offset : int
        Byte of the first row, of the unpacked file where it is packed.
    n_rows : int
    packed : bool
        The file is within gzip.
    cards : dict
        What the extension's header says besides the layout.
    """

    path: Path
    extension: int
    columns: dict[str, fits.Column]
    dtype: np.dtype
    offset: int
    n_rows: int
    packed: bool = False
    cards: dict[str, Any] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, str]:
        """The key of every column by its name as it is."""
        return {column.name: key for key, column in self.columns.items()}


def find_table(path: str | Path, extension: int | str = 1) -> FitsTable:
    """Locate the binary table in an extension.

    Parameters
    ----------
    path : path
        FITS, or FITS within gzip.
    extension : int or str
        Its number, where 0 is the primary one, which holds no table; or its name.

    Raises
    ------
    InputError
        As `opening.open_fits`, or there is no table in that extension, or two of its columns have one name.
    """
    path = Path(path)
    check_signature(path, packed=True)
    if is_packed(path):
        return _find_packed(path, extension)
    with open_fits(path) as hdus:
        names = [(hdu.name, type(hdu).__name__.replace("HDU", "")) for hdu in hdus]
        number = _number(extension, [name for name, _ in names])
        if number is None or number >= len(hdus) or not isinstance(hdus[number], fits.BinTableHDU):
            raise InputError(_no_table(path, extension, names))
        return _located(path, number, hdus[number], lambda hdu: int(hdu.fileinfo()["datLoc"]))


def _number(extension: int | str, names: Sequence[str]) -> int | None:
    if isinstance(extension, int):
        return extension if extension >= 0 else None
    return next((i for i, name in enumerate(names) if name.upper() == extension.strip().upper()), None)


def _no_table(path: Path, extension: int | str, names: Sequence[tuple[str, str]]) -> str:
    kinds = ", ".join(f"{kind} {name}" if name and kind == "BinTable" else kind for name, kind in names)
    tables = [str(i) for i, (_, kind) in enumerate(names) if kind == "BinTable"]
    return (
        f"{path}: no table in extension {cleaned(extension, 80)} (the file has {cleaned(kinds)}; tables in extension "
        f"{' and '.join(tables) or 'none'}); check that this is the right file, or download it again."
    )


def _located(path: Path, number: int, hdu: fits.BinTableHDU, offset: Callable[[fits.BinTableHDU], int]) -> FitsTable:
    try:
        found = list(hdu.columns)
        for column in found:
            for value in (column.bscale, column.bzero, column.null):
                float(value or 0)
        names = [str(column.name) for column in found]
        folded = [name.upper() for name in names]
        keys = [name if folded.count(name.upper()) > 1 else name.upper() for name in names]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(
                f"{path}: more than one column is called {cleaned(', '.join(twice))}; rename or remove one."
            )
        plain = hdu.columns.dtype.newbyteorder(">")
        fields = [plain.fields[name][:2] for name in plain.names or ()]
        n_rows, width, start = int(hdu.header["NAXIS2"]), int(hdu.header["NAXIS1"]), offset(hdu)
        cards = {key: value for key, value in hdu.header.items() if not LAYOUT.fullmatch(key)}
        formats, offsets = [f[0] for f in fields], [f[1] for f in fields]
        layout = {"names": keys, "formats": formats, "offsets": offsets, "itemsize": plain.itemsize}
        dtype = np.dtype(layout)  # type: ignore[call-overload]
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: {_DAMAGED} ({one_line(error)}); download it again.") from error
    if dtype.itemsize != width or len(found) != len(fields) or n_rows < 0:
        raise InputError(
            f"{path}: {_DAMAGED}: the columns take {dtype.itemsize} bytes, a row {width}; download it again."
        )
    return FitsTable(path, number, dict(zip(keys, found, strict=True)), dtype, start, n_rows, cards=cards)


def _find_packed(path: Path, extension: int | str) -> FitsTable:
    """Locate a table from the headers up to its own; what follows is looked at when the rows are read."""
    names: list[tuple[str, str]] = []
    at = 0
    with unpacked(path) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd cards, which are refused where they count
        while len(names) < MOST_EXTENSIONS:
            raw = _header(path, stream)
            if not raw:
                break
            try:
                header = fits.Header.fromstring(raw)
                size = _data_size(header)
                kind = "BinTable" if str(header.get("XTENSION", "")).strip() in ("BINTABLE", "A3DTABLE") else "Image"
                names.append((str(header.get("EXTNAME", "")), kind if names else "Primary"))
            except Exception as error:
                raise InputError(f"{path}: damaged header ({one_line(error)}); download it again.") from error
            at += len(raw)
            last = len(names) - 1
            if last == _number(extension, [name for name, _ in names]) and kind == "BinTable":
                table = _packed_table(path, last, raw, header, at)
                if table.n_rows * table.dtype.itemsize > UNPACKED * path.stat().st_size:
                    raise InputError(f"{path}: truncated: no file of its size unpacks to {table.n_rows:,} rows.")
                return table
            if stream.skip(size) < size:
                raise InputError(f"{path}: truncated within extension {last}; download it again.")
            at += size
    raise InputError(_no_table(path, extension, names))


def _packed_table(path: Path, number: int, raw: bytes, header: fits.Header, start: int) -> FitsTable:
    fields = header.get("TFIELDS", 0)
    if not isinstance(fields, int) or not 0 <= fields <= MOST_FIELDS:
        raise InputError(
            f"{path}: extension {number} has {cleaned(fields, 40)} columns by its header, and FITS allows "
            f"{MOST_FIELDS}; download it again."
        )
    try:
        hdu = fits.BinTableHDU.fromstring(raw)
    except Exception as error:
        raise InputError(f"{path}: {_DAMAGED} ({one_line(error)}); download it again.") from error
    return replace(_located(path, number, hdu, lambda _: start), packed=True)


def _header(path: Path, stream: Unpacked) -> bytes:
    blocks: list[bytes] = []
    while len(blocks) < LONGEST_HEADER:
        block = stream.read(BLOCK)
        if not block.strip(b"\x00") and not blocks:
            return b""  # the end, or what pads it
        if len(block) < BLOCK:
            raise InputError(f"{path}: truncated within a header; download it again.")
        blocks.append(block)
        if any(block[i : i + 8] == b"END     " for i in range(0, BLOCK, 80)):
            return b"".join(blocks)
    raise InputError(f"{path}: a header without end; download it again.")


def _data_size(header: fits.Header) -> int:
    """Return the bytes of the data that follow a header, in whole blocks."""
    axes = [int(header[f"NAXIS{i}"]) for i in range(1, int(header.get("NAXIS", 0)) + 1)]
    pixels = 0 if not axes else 1
    for axis in axes:
        pixels *= axis
    bits = abs(int(header.get("BITPIX", 8))) * int(header.get("GCOUNT", 1)) * (int(header.get("PCOUNT", 0)) + pixels)
    if bits < 0:
        raise ValueError("data of a negative size")
    return -(-bits // 8 // BLOCK) * BLOCK


def read_columns(
    table: FitsTable,
    names: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Columns as native, contiguous, writable arrays.

    Missing integers (TNULL) become -1, in which every bit is set, so that no flag cut passes them. Floats keep what the
    file holds; `apogee.clean` judges sentinels. Text stays bytes, without its padding.

    Parameters
    ----------
    table : FitsTable
    names : sequence of str
        Keys of the table's columns.
    progress : callable, optional
        Called with rows done and rows in all.

    Raises
    ------
    InputError
        The file is truncated or damaged, or shrank while it was read.
    """
    out = {name: np.empty((table.n_rows, *table.dtype[name].shape), _native(table, name)) for name in names}
    for start, rows in _chunks(table):
        for name in names:
            out[name][start : start + len(rows)] = _decoded(table, name, rows[name])
        if progress is not None:
            progress(start + len(rows), table.n_rows)
        del rows  # unmaps: pages of a finished chunk do not count against the memory
    return out


def read_masked(
    table: FitsTable,
    names: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ma.MaskedArray]:
    """Columns as `read_columns` has them, with missing integers (TNULL) masked, and logical columns as true and false.

    Raises
    ------
    InputError
        As `read_columns`.
    """
    out: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    for name in names:
        kind = np.dtype(bool) if _is_logical(table, name) else _native(table, name)
        out[name] = np.empty((table.n_rows, *table.dtype[name].shape), kind)
    for start, rows in _chunks(table):
        part = slice(start, start + len(rows))
        for name in names:
            raw, null = rows[name], table.columns[name].null
            missing = np.zeros(raw.shape, dtype=bool)
            if _is_logical(table, name):
                out[name][part], missing = raw == TRUE, (raw != TRUE) & (raw != FALSE)
            else:
                out[name][part] = _decoded(table, name, raw)
                if null not in (None, "") and raw.dtype.kind in "iu":
                    missing = raw == int(null)
            if missing.any():
                masks.setdefault(name, np.zeros(out[name].shape, dtype=bool))[part] = missing
        if progress is not None:
            progress(start + len(rows), table.n_rows)
        del rows
    return {name: np.ma.masked_array(out[name], mask=masks.get(name, np.ma.nomask)) for name in names}


def _chunks(table: FitsTable) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of a first row, and it with those that follow in its chunk."""
    width = table.dtype.itemsize
    step = max(1, CHUNK_BYTES // max(1, width))
    if table.packed:
        with unpacked(table.path) as stream:
            stream.skip(table.offset)
            for start in range(0, table.n_rows, step):
                size = min(step, table.n_rows - start) * width
                raw = stream.read(size)
                if len(raw) < size:
                    raise InputError(f"{table.path}: truncated within its rows; download it again.")
                yield start, np.frombuffer(raw, table.dtype)
            stream.skip()  # only at its end does a gzip file tell whether it is whole
        return
    for start in range(0, table.n_rows, step):
        shape = (min(step, table.n_rows - start),)
        try:
            rows = np.memmap(table.path, table.dtype, "r", offset=table.offset + start * width, shape=shape)
        except (OSError, ValueError) as error:
            raise InputError(f"{table.path}: shrank while it was read; is it still being downloaded?") from error
        yield start, rows


def _is_logical(table: FitsTable, name: str) -> bool:
    return str(table.columns[name].format).strip("0123456789") == "L"


def _native(table: FitsTable, name: str) -> np.dtype:
    column, dtype = table.columns[name], table.dtype[name].base
    if _is_unsigned(column, dtype):
        return np.dtype(f"u{dtype.itemsize}")
    if _is_scaled(column) and dtype.kind in "iu":
        return np.dtype(np.float64)
    return dtype.newbyteorder("=")


def _decoded(table: FitsTable, name: str, raw: np.ndarray) -> np.ndarray:
    column = table.columns[name]
    if raw.dtype.kind == "S":
        return np.char.rstrip(raw, b" \x00") if raw.size else raw
    found: np.ndarray = raw
    if _is_unsigned(column, raw.dtype):
        # the highest bit is turned over: so FITS stores unsigned integers
        native = raw.astype(raw.dtype.newbyteorder("="))
        found = native.view(_native(table, name)) ^ (np.ones((), _native(table, name)) << (8 * raw.dtype.itemsize - 1))
    elif _is_scaled(column):
        found = raw * float(column.bscale or 1) + float(column.bzero or 0)
    if column.null not in (None, "") and raw.dtype.kind in "iu":
        every_bit = np.iinfo(found.dtype).max if found.dtype.kind == "u" else -1
        found = np.where(raw == int(column.null), np.asarray(every_bit, found.dtype), found)
    return found


def _is_scaled(column: fits.Column) -> bool:
    return column.bscale not in (None, "", 1) or column.bzero not in (None, "", 0)


def _is_unsigned(column: fits.Column, dtype: np.dtype) -> bool:
    zero = 0.5 * 256.0**dtype.itemsize
    return dtype.kind == "i" and column.bscale in (None, "", 1) and float(column.bzero or 0) == zero
