"""Stars of globular clusters: Gaia source ids of the likely members that Vasiliev & Baumgardt (2021) list."""

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
from astropy.table import Table

from ..errors import InputError, UsageError
from ..io.fits import find_table, read_columns
from ..io.reading import check_file, cleaned, is_html
from ..progress import Progress, silent
from ..stars.cuts import Cut
from .settings import DEFAULT_PROBABILITY as DEFAULT_PROBABILITY
from .stages import MEMBERS

ID_COLUMN, PROBABILITY_COLUMN = 0, 16
"""Columns of source_id and memberprob in the text files (Zenodo 4891252)."""

LINE, EMPTY, CATALOGUE = 10_000, 100_000, 2**29
"""Most bytes of a line, most lines without a star, and most bytes of a text file; real ones stay far below."""

FEWEST = 5
"""Least number of ids by whose digits it is judged whether they were once floats."""
_PLACE = 35
_ID_NAMES = ("SOURCE_ID", "GAIAEDR3_SOURCE_ID", "GAIA_SOURCE_ID")
_PROBABILITY_NAMES = ("PROB", "MEMBERPROB", "MEMBER_PROB")


def read_members(
    path: str | Path,
    min_probability: float = DEFAULT_PROBABILITY,
    *,
    progress: Progress = silent,
) -> np.ndarray:
    """Gaia EDR3 source ids of the cluster members, sorted, each once.

    Parameters
    ----------
    path : path
        A folder of ``*.txt`` (or one with a ``catalogues`` folder in it), ``clusters.zip``, one text file, or a FITS
        table with ``SOURCE_ID`` and ``PROB`` or ``memberprob``.
    min_probability : float
        Members at or above it are returned.
    progress : callable, optional
        Called with the stage, files done and files in all.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    InputError
        Unreadable, of another format, or holding probabilities outside 0 to 1.
    UsageError
        A probability outside 0 to 1.
    """
    if not 0 <= min_probability <= 1:
        raise UsageError(f"member probability must lie between 0 and 1, got {min_probability}.")
    path = Path(path)
    found = [np.empty(0, dtype=np.int64)]
    for name, ids, probability, done, total in _tables(path):
        finite = probability[np.isfinite(probability)]
        if finite.size and not (finite.min() >= 0 and finite.max() <= 1):
            raise InputError(
                f"{name}: member probabilities must lie between 0 and 1, found {finite.min():g} to {finite.max():g}; "
                f"expected source_id in column {ID_COLUMN} and memberprob in column {PROBABILITY_COLUMN}, from 0."
            )
        found.append(ids[probability >= min_probability])  # NaN never passes
        progress(MEMBERS, done, total)
    return np.unique(np.concatenate(found))


def member_cuts(ids: np.ndarray | None, probability: float) -> tuple[Cut, ...]:
    """Return the cut that removes cluster members; none where there are no members."""
    if ids is None:
        return ()
    name = f"no cluster member, probability >= {probability:g}"
    return (Cut(name, lambda t: ~np.isin(np.asarray(t["SOURCE_ID"]), ids)),)


def no_member(table: Table, ids: np.ndarray | None) -> tuple[str, ...]:
    """Return a warning where none of the cluster members is among the stars, with the likely cause; else nothing.

    Gaia's ids begin with the place on the sky, which a star keeps from release to release (Gaia's data model of
    ``source_id``: the HEALPix pixel of level 12, of 0.86 arcmin, is the id divided by 2^35).

    Parameters
    ----------
    table : Table
        All stars, with ``SOURCE_ID``.
    ids : ndarray of int64, optional
        Those of the members.
    """
    if ids is None:
        return ()
    stars = np.asarray(table["SOURCE_ID"])
    if np.isin(stars, ids).any():
        return ()
    start = f"none of the {len(ids):,} cluster members is among the {len(table):,} stars: "
    end = "; nothing was removed"
    rounded = [who for who, one in (("the members", ids), ("the stars", stars[stars > 0])) if _is_rounded(one)]
    if rounded:
        return (f"{start}the ids of {' and '.join(rounded)} were once floats and have lost digits{end}",)
    same = np.isin(stars[stars > 0] >> _PLACE, ids >> _PLACE).sum()
    if same:
        return (
            f"{start}{same:,} stars lie within an arcminute of one by their ids, which are therefore likely to be of "
            f"another Gaia release (Gaia DR2 and DR3 number stars differently){end}",
        )
    return (
        f"{start}no star is near one by its id; the survey may have seen none of these clusters, or the ids may be of "
        f"another Gaia release (Gaia DR2 and DR3 number stars differently){end}",
    )


def _is_rounded(ids: np.ndarray) -> bool:
    """Return whether ids were floats of 64 bits, in which those of Gaia are multiples of 64 at least."""
    large = ids[ids > 2**59]
    return bool(len(large) >= FEWEST and (large % 64 == 0).all())


def _tables(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, int, int]]:
    if path.is_dir():
        files = sorted(path.glob("*.txt")) or sorted(path.glob("catalogues/*.txt"))
        if not files:
            raise InputError(
                f"{path}: no *.txt in this folder; expected the unpacked catalogues of the cluster members."
            )
        for done, file in enumerate(files, 1):
            with check_file(file).open("rb") as stream:
                yield (str(file), *_parse(str(file), stream), done, len(files))
        return
    check_file(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
            stream.seek(0)
            if head.startswith(b"SIMPLE  ="):
                yield (str(path), *_fits(path), 1, 1)
            elif head.startswith(b"PK"):
                yield from _zipped(path)
            else:
                yield (str(path), *_parse(str(path), stream), 1, 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error


def _zipped(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, int, int]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(
                name
                for name in archive.namelist()
                # archives made on a Mac have shadow files under __MACOSX
                if PurePosixPath(name).suffix == ".txt" and not name.startswith("__MACOSX/")
            )
            # clusters.zip also holds other text files
            names = [name for name in names if PurePosixPath(name).parent.name == "catalogues"] or names
            if not names:
                raise InputError(f"{path}: no *.txt in this archive; expected clusters.zip with catalogues/*.txt.")
            for done, name in enumerate(names, 1):
                with archive.open(name) as stream, BufferedReader(cast(RawIOBase, stream)) as buffered:
                    yield (f"{path}:{name}", *_parse(f"{path}:{name}", buffered), done, len(names))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise InputError(f"{path}: truncated or damaged zip ({error}); download it again.") from error


def _parse(name: str, stream: "BufferedReader[Any]") -> tuple[np.ndarray, np.ndarray]:
    if is_html(stream.peek(512)):
        raise InputError(f"{name}: a web page saved under this name; the download failed, repeat it.")
    row = np.dtype([("id", np.int64), ("probability", np.float64)])
    try:
        with warnings.catch_warnings():
            # NumPy only warns of an empty file, and of an integer that is no integer
            warnings.simplefilter("error")
            # ids have 19 digits: read as integers, for a float holds 16
            rows = np.loadtxt(
                _lines(name, stream), dtype=row, comments="#", usecols=(ID_COLUMN, PROBABILITY_COLUMN), ndmin=1
            )
    except (ValueError, Warning) as error:
        reason = cleaned(error)
        raise InputError(
            f"{name}: not a catalogue of cluster members ({reason}); expected white-space separated columns, source_id "
            f"in column {ID_COLUMN} and memberprob in column {PROBABILITY_COLUMN}, from 0."
        ) from error
    return rows["id"], rows["probability"]


def _lines(name: str, stream: "BufferedReader[Any]") -> Iterator[str]:
    # A few kilobytes of an archive can unpack to one line, or to lines of nothing, that fill any memory and time.
    empty = size = 0
    while line := stream.readline(LINE + 1):
        size += len(line)
        empty += line.isspace() or line.startswith(b"#")
        if len(line) > LINE or empty > EMPTY or size > CATALOGUE:
            raise InputError(
                f"{name}: not a catalogue of cluster members: a line of more than {LINE:,} bytes, more than {EMPTY:,} "
                f"lines without a star, or more than {CATALOGUE:,} bytes."
            )
        yield line.removeprefix(b"\xef\xbb\xbf").decode("ascii")


def _fits(path: Path) -> tuple[np.ndarray, np.ndarray]:
    table = find_table(path)
    names = []
    for known, kinds in ((_ID_NAMES, "iu"), (_PROBABILITY_NAMES, "f")):
        name = next((n for n in known if n in table.columns), None)
        if name is None or table.dtype[name].kind not in kinds or table.dtype[name].shape:
            wrong = f"missing {known[0]}" if name is None else f"{name} has format {table.columns[name].format}"
            raise InputError(
                f"{path}: not a table of cluster members: {wrong}; expected an integer SOURCE_ID and a real PROB or "
                f"memberprob, found {len(table.columns)} columns ({', '.join(list(table.columns)[:12])})."
            )
        names.append(name)
    columns = read_columns(table, names)
    return columns[names[0]].astype(np.int64), columns[names[1]].astype(np.float64)
