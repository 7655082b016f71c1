"""The prepared catalogue: the table of stars with its cut-flow and its provenance, in one FITS file."""

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table

from ..errors import InputError, OutputError
from ..io.atomic import write_atomically
from ..io.columns import STARS, described
from ..io.fits import LAYOUT, open_fits
from ..io.hdus import from_hdu, table_hdu, write_sealed
from ..io.notebook import Shown, curves
from ..io.provenance import plain
from ..io.reading import cleaned
from ..orbits.convention import Convention, stated
from ..rounding import measured, number
from ..units import ENERGY
from .cutflow import CutFlow
from .origin import MOVED, SURVEY, labels, survey_of_record
from .ranges import check_ranges

__all__ = ["Catalogue", "StarsLike", "as_table", "read_catalogue", "write_catalogue"]

SCHEMA = 1
"""Version of the file layout; it rises when a reader of the old one would misread the new."""

CONVENTION = "convention"
"""Key of a table's metadata under which what E and Lz are measured in is stated."""
CARDS = ("POTENTL", "ZEROPNT", "SUN")
"""Cards of the header that say the same to whoever opens the file elsewhere."""
HISTOGRAM, LONGEST_PATH = 40, 80
"""Bins of the histogram of E in notebooks, and most characters of a path there and in consoles."""
ODD_NAME = "It is strongly recommended that column names"
"""How astropy begins to warn of columns that are called as their survey called them."""
WIDEST = 68
"""Most characters of a column's name, which must fit into a card of the header."""
REQUIRED = ("APOGEE_ID", "E")
"""Columns that every prepared catalogue has."""


@dataclass(frozen=True, repr=False)
class Catalogue(Shown):
    """Stars ready to be binned.

    Attributes
    ----------
    table : QTable
        One row per star that passed every cut; columns and units of the conventions page.
    cutflow : CutFlow
        From the rows read to the rows of `table`.
    provenance : dict
        As `provenance.provenance` makes it.
    path : Path, optional
        The file it was read from.
    warnings : tuple of str
        What to know of it, where it was just prepared.
    """

    table: QTable
    cutflow: CutFlow
    provenance: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def convention(self) -> Convention | None:
        """What E and Lz are measured in; None where the record does not say."""
        return stated(self.provenance)

    def _shown(self) -> tuple[str, dict[str, str], str]:
        E = np.asarray(self.table["E"], dtype=float) if "E" in self.table.colnames else np.zeros(0)
        E = E[np.isfinite(E)]
        facts = {
            "stars": f"{len(self):,} of {self.cutflow.total:,} rows that were read",
            "survey": survey_of_record(self.provenance) or "not known",
            "E": f"{number(E.min(), ENERGY)} to {measured(E.max(), ENERGY)}" if len(E) else "-",
            "columns": f"{len(self.table.colnames)}, in .table",
            **({} if self.path is None else {"file": cleaned(self.path, LONGEST_PATH)}),
        }
        if len(E) < 2:
            return "Prepared catalogue", facts, ""
        counts, edges = np.histogram(E, HISTOGRAM)
        return "Prepared catalogue", facts, curves(edges[:-1].tolist(), [counts.tolist()], (0.0, float(counts.max())))


StarsLike: TypeAlias = Table | Catalogue | str | Path
"""Prepared stars: a table, a catalogue, or the path of its file."""


def as_table(stars: StarsLike) -> Any:
    """Return the table of prepared stars, which may be given as a table, a catalogue, or the path of its file.

    Raises
    ------
    InputError
        As `read_catalogue`; the E and Lz of tables are checked too.
    """
    if isinstance(stars, str | Path):
        stars = read_catalogue(stars)
    table = stars.table if isinstance(stars, Catalogue) else stars
    check_ranges(table, "the table of stars")
    return table


def write_catalogue(
    path: str | Path,
    table: Table,
    cutflow: CutFlow,
    provenance: Mapping[str, Any],
    *,
    overwrite: bool = False,
) -> Path:
    """Write the prepared catalogue; under its final name the file is complete or absent.

    Extensions: ``STARS`` (the table), ``CUTFLOW`` and ``PROVENANCE`` (JSON in one cell).

    Parameters
    ----------
    path : path
        Usually ``stars.fits``.
    table : Table or QTable
        One row per star, with at least ``APOGEE_ID`` and ``E``.
    cutflow : CutFlow
        Must end with ``len(table)`` stars.
    provenance : mapping
        Anything that JSON can hold.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    ValueError
        The cut-flow does not end with the number of stars in the table.
    """
    path = Path(path)
    if cutflow.passed != len(table):
        raise ValueError(f"cutflow must end with the table's {len(table)} stars, got {cutflow.passed}.")
    odd = [name for name in table.colnames if not (name.isascii() and name.isprintable() and 0 < len(name) <= WIDEST)]
    if odd:
        raise OutputError(
            f"{path}: FITS has no column called {cleaned(odd[0], 60)!r}; names have 1 to {WIDEST} ASCII characters. "
            "Give it another name in the mapping, or in your table."
        )
    text = json.dumps(plain({**labels(table), **provenance}), sort_keys=True)
    table = table.copy(copy_data=False)
    primary = fits.PrimaryHDU()
    primary.header["HALONMF"] = ("catalogue", "what this file is")
    primary.header["SCHEMA"] = (SCHEMA, "version of the file layout")
    said = stated(provenance)
    words = () if said is None else said.record().values()
    cards = [(card, text, "of E and Lz") for card, text in zip(CARDS, words, strict=False)]
    others = [
        (name, x, "") for name, x in table.meta.items() if name not in (SURVEY, MOVED, *CARDS) and _is_card(name, x)
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ODD_NAME)
        stars = table_hdu(described(table, STARS), "STARS", [*others, *cards])
    flow = table_hdu(cutflow.to_table(), "CUTFLOW")
    record = fits.BinTableHDU(Table({"json": np.array([text.encode("ascii")])}), name="PROVENANCE")

    def write(temporary: Path) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ODD_NAME)
            write_sealed(fits.HDUList([primary, stars, flow, record]), temporary)

    return write_atomically(path, write, overwrite=overwrite)


def read_catalogue(path: str | Path) -> Catalogue:
    """Read what `write_catalogue` wrote.

    Raises
    ------
    InputError
        Missing, damaged, not a prepared catalogue, of another layout version, or with E or Lz that no star has.
    """
    path = Path(path)
    try:
        return _read(path)
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"{path}: damaged (texts nested without end); prepare it again.") from None
    except Exception as error:  # headers are read when they are first looked at, and every kind of damage has its own
        raise InputError(f"{path}: damaged ({cleaned(error) or type(error).__name__}); prepare it again.") from error


def is_prepared(hdus: fits.HDUList) -> bool:
    """Return whether an open FITS file says that it is a prepared catalogue."""
    return hdus[0].header.get("HALONMF") == "catalogue"


def record_of(hdus: fits.HDUList) -> dict[str, Any]:
    """Return the provenance in an open prepared catalogue."""
    return dict(json.loads(str(hdus["PROVENANCE"].data["json"][0])))


def _read(path: Path) -> Catalogue:
    with open_fits(path) as hdus:
        header = hdus[0].header
        names = [hdu.name for hdu in hdus]
        if not is_prepared(hdus) or "STARS" not in names:
            found = ", ".join(name or "unnamed" for name in names[1:]) or "none"
            raise InputError(
                f"{path}: not a prepared catalogue (extensions: {cleaned(found)}); make one with halonmf prepare, "
                "which also reads an edited one through a mapping: --columns."
            )
        if header.get("SCHEMA") != SCHEMA:
            raise InputError(
                f"{path}: layout version {header.get('SCHEMA')}, this software reads {SCHEMA}; prepare it again."
            )
        wrong = [name for name in names[1:] if not isinstance(hdus[name], fits.BinTableHDU)]
        if wrong:
            raise InputError(f"{path}: damaged ({cleaned(', '.join(wrong))} is no table); prepare it again.")
        with warnings.catch_warnings():
            warnings.simplefilter("error", fits.verify.VerifyWarning)
            warnings.filterwarnings("ignore", ODD_NAME)
            # checked while the file is open: a flipped bit must not become a star
            damaged = [hdu.name for hdu in hdus if not hdu.verify_checksum()]
            table = described(from_hdu(hdus["STARS"]), STARS)
            flow = CutFlow.from_table(Table.read(hdus["CUTFLOW"], character_as_bytes=False))
            record = record_of(hdus)
    if damaged:
        raise InputError(
            f"{path}: checksum mismatch in {', '.join(damaged)}; the file is damaged, prepare it again; if it was "
            "edited on purpose, give it to halonmf prepare with a mapping, --columns."
        )
    missing = [name for name in REQUIRED if name not in table.colnames]
    if missing:
        raise InputError(f"{path}: the star table lacks {', '.join(missing)}; it has {', '.join(table.colnames)}.")
    said = {SURVEY: survey_of_record(record), MOVED: record.get(MOVED)}
    table.meta |= {name: text for name, text in said.items() if text}
    made = Catalogue(table, flow, record, path)
    if made.convention is not None:
        table.meta[CONVENTION] = made.convention.record()
    check_ranges(table, str(path))
    return made


def _is_card(name: str, value: Any) -> bool:
    """Whether metadata of a table may stand in its header: short names, plain values, nothing of the layout."""
    short = re.fullmatch(r"[A-Za-z0-9_-]{1,8}", name) is not None
    return short and isinstance(value, str | int | float) and not LAYOUT.fullmatch(name.upper())
