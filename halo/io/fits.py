"""FITS tables, checked as they are read: every kind of damage becomes an error of one line.

Columns are copied in chunks from short-lived memory maps, so that a wide catalogue of any length takes only the memory
of the columns that are read.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from ..errors import InputError
from .reading import check_file, cleaned

BLOCK = 2880
"""FITS files are whole numbers of blocks of this many bytes."""

MOST_FIELDS = 999
"""Most columns of a FITS table (FITS standard 4.0, section 7.3.1)."""
CHUNK_BYTES = 1 << 26
"""Bytes of file that are mapped at a time."""

_OTHER_FORMATS = {
    b"\x1f\x8b": "a gzip file; decompress it first (gunzip)",
    b"BZh": "a bzip2 file; decompress it first (bunzip2)",
    b"PK\x03\x04": "a zip file; unpack it first",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
    b"version https://git-lfs": "a Git LFS pointer; fetch the file itself",
}


@dataclass(frozen=True)
class FitsTable:
    """Where the rows of a FITS table lie.

    Attributes
    ----------
    path : Path
    extension : int
    columns : dict of str to astropy.io.fits.Column
        By upper-case name.
    dtype : numpy.dtype
        One row as it lies in the file, big-endian; fields by upper-case name.
    offset : int
        Byte of the first row.
    n_rows : int
    """

    path: Path
    extension: int
    columns: dict[str, fits.Column]
    dtype: np.dtype
    offset: int
    n_rows: int


def check_signature(path: str | Path) -> None:
    """Raise `InputError` unless the file exists and begins as FITS; name what it is instead where that is known."""
    path = check_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions.") from error
    if head.startswith(b"SIMPLE  ="):
        return
    if not head:
        raise InputError(f"{path}: empty file, expected FITS; download it again.")
    if is_html(head):
        raise InputError(f"{path}: a web page saved under this name, expected FITS; the download failed, repeat it.")
    for magic, name in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise InputError(f"{path}: not FITS but {name}.")
    raise InputError(f"{path}: not a FITS file (begins with {head[:16]!r}); check the path or download it again.")


def is_html(head: bytes) -> bool:
    """Return True where the beginning of a file looks like a web page."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")) and b"votable" not in text


@contextmanager
def open_fits(path: str | Path) -> Iterator[fits.HDUList]:
    """All HDUs of a FITS file whose extensions are known to be complete.

    Raises
    ------
    InputError
        Not FITS, truncated, or with headers that make no sense.
    """
    path = Path(path)
    check_signature(path)
    with warnings.catch_warnings():
        # damage is reported below, in our own words
        warnings.simplefilter("ignore", AstropyWarning)
        # opened here, since astropy leaves a file open that it cannot read
        with path.open("rb") as file:
            try:
                hdus = fits.open(file, mode="readonly", memmap=True, lazy_load_hdus=False)
            except Exception as error:
                raise InputError(
                    f"{path}: truncated or damaged FITS ({_one_line(error)}); download it again."
                ) from error
            try:
                _check_complete(path, hdus)
                yield hdus
            except fits.VerifyError as error:  # cards are looked at when they are first asked for
                raise InputError(f"{path}: damaged header ({_one_line(error)}); download it again.") from error
            finally:
                hdus.close()


def find_table(path: str | Path, extension: int = 1) -> FitsTable:
    """Locate the binary table in an extension.

    Raises
    ------
    InputError
        As `open_fits`, or there is no table in that extension.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        kinds = [type(hdu).__name__.replace("HDU", "") for hdu in hdus]
        if not (0 <= extension < len(hdus)) or not isinstance(hdus[extension], fits.BinTableHDU):
            tables = [str(i) for i, kind in enumerate(kinds) if kind == "BinTable"]
            raise InputError(
                f"{path}: no table in extension {extension} (the file has {', '.join(kinds)}; tables in extension "
                f"{' and '.join(tables) or 'none'}); check that this is the right file, or download it again."
            )
        hdu = hdus[extension]
        try:
            for column in hdu.columns:
                for value in (column.bscale, column.bzero, column.null):
                    float(value or 0)
            columns = {column.name.upper(): column for column in hdu.columns}
            plain = hdu.columns.dtype.newbyteorder(">")
            fields = {name.upper(): plain.fields[name][:2] for name in plain.names or ()}
            dtype = np.dtype(
                {
                    "names": list(fields),
                    "formats": [f[0] for f in fields.values()],
                    "offsets": [f[1] for f in fields.values()],
                    "itemsize": plain.itemsize,
                }
            )
            n_rows, width = int(hdu.header["NAXIS2"]), int(hdu.header["NAXIS1"])
            offset = int(hdu.fileinfo()["datLoc"])
        except Exception as error:
            raise InputError(f"{path}: damaged table header ({_one_line(error)}); download it again.") from error
    if dtype.itemsize != width or len(columns) != len(fields):
        raise InputError(
            f"{path}: damaged table header: the columns take {dtype.itemsize} bytes, a row {width}; download it again."
        )
    return FitsTable(path, extension, columns, dtype, offset, n_rows)


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
        Upper-case column names.
    progress : callable, optional
        Called with rows done and rows in all.

    Raises
    ------
    InputError
        The file shrank while it was read.
    """
    out = {name: np.empty((table.n_rows, *_shape(table, name)), _native(table, name)) for name in names}
    step = max(1, CHUNK_BYTES // max(1, table.dtype.itemsize))
    for start in range(0, table.n_rows, step):
        count = min(step, table.n_rows - start)
        try:
            rows = np.memmap(
                table.path, table.dtype, "r", offset=table.offset + start * table.dtype.itemsize, shape=(count,)
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{table.path}: shrank while it was read; is it still being downloaded?") from error
        for name in names:
            out[name][start : start + count] = _decoded(table, name, rows[name])
        del rows  # unmaps: pages of a finished chunk do not count against the memory
        if progress is not None:
            progress(start + count, table.n_rows)
    return out


def _native(table: FitsTable, name: str) -> np.dtype:
    column, dtype = table.columns[name], table.dtype[name].base
    if _is_scaled(column) and dtype.kind in "iu" and not _is_integer_scale(column):
        return np.dtype(np.float64)
    return dtype.newbyteorder("=")


def _shape(table: FitsTable, name: str) -> tuple[int, ...]:
    return table.dtype[name].shape


def _decoded(table: FitsTable, name: str, raw: np.ndarray) -> np.ndarray:
    column = table.columns[name]
    if raw.dtype.kind == "S":
        return np.char.rstrip(raw, b" \x00") if raw.size else raw
    found: np.ndarray = raw
    if _is_scaled(column):
        scale, zero = column.bscale or 1, column.bzero or 0
        integer = raw.dtype.kind in "iu" and _is_integer_scale(column)
        if integer:
            # overflow is wanted here: so FITS stores unsigned integers
            found = (raw.astype(np.uint64) + np.uint64(int(zero))).astype(raw.dtype.newbyteorder("="))
        else:
            found = raw * float(scale) + float(zero)
    if column.null not in (None, "") and raw.dtype.kind in "iu":
        found = np.where(raw == int(column.null), -1, found)
    return found


def _is_scaled(column: fits.Column) -> bool:
    return column.bscale not in (None, "", 1) or column.bzero not in (None, "", 0)


def _is_integer_scale(column: fits.Column) -> bool:
    return column.bscale in (None, "", 1) and float(column.bzero or 0) >= 0 and float(column.bzero or 0).is_integer()


def _check_complete(path: Path, hdus: fits.HDUList) -> None:
    size = path.stat().st_size
    end = 0
    for index, hdu in enumerate(hdus):
        fields = hdu.header.get("TFIELDS", 0)
        if not isinstance(fields, int) or not 0 <= fields <= MOST_FIELDS:
            raise InputError(
                f"{path}: extension {index} has {cleaned(fields, 40)} columns by its header, and FITS allows "
                f"{MOST_FIELDS}; download it again."
            )
        if hdu.__class__.__name__.startswith("_Corrupted"):
            raise InputError(f"{path}: extension {index} has a damaged header; download it again.")
        info = hdu.fileinfo()
        start, end = int(info["datLoc"]), int(info["datLoc"]) + int(info["datSpan"])
        if end > size or start > size:
            raise InputError(
                f"{path}: truncated: it has {size:,} bytes, extension {index} ends at byte {end:,}; download it again."
            )
    if size < end or not _is_blank(path, end):
        raise InputError(
            f"{path}: truncated or damaged: {size - end:,} bytes follow extension {len(hdus) - 1} and make no further "
            "one; download it again."
        )


def _is_blank(path: Path, start: int) -> bool:
    """Return True where nothing or zeros follow: some archives pad files beyond their last block."""
    with path.open("rb") as file:
        file.seek(start)
        return not any(chunk.strip(b"\x00") for chunk in iter(lambda: file.read(1 << 20), b""))


def _one_line(error: BaseException) -> str:
    return cleaned(error) or type(error).__name__
