"""Any file of this software, by how its name ends: read without a word on its kind, and written likewise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from astropy.table import Table

from ..errors import InputError, UsageError
from ..io.atomic import CATALOGUES, FITS, TABLES, check_output
from ..io.provenance import provenance
from ..io.tables import is_table, load_table, save_table
from ..stars.catalogue import Catalogue, read_catalogue, write_catalogue
from .fit import Fit
from .store import load_fit, save_fit


def load(path: str | Path) -> Any:
    """Return what a file of this software holds: a fit, a prepared catalogue, or a table in any of its formats.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    Fit, Catalogue or QTable

    Raises
    ------
    InputError
        The file is missing, damaged or of another kind.

    Examples
    --------
    >>> from halonmf import halo
    >>> fit, stars = halo.load("fit.h5"), halo.load("stars.fits")  # doctest: +SKIP
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in FITS:
        return load_fit(path)
    if suffix in CATALOGUES and not is_table(path):
        return read_catalogue(path)
    if suffix in TABLES:
        return load_table(path)
    raise InputError(f"{path}: expected a {', '.join((FITS[0], *TABLES[:-2]))} or {TABLES[-2]} file of this software.")


def save(path: str | Path, what: Any, *, overwrite: bool = False) -> Path:
    """Write a fit (.h5), a prepared catalogue (.fits), or a table or anything that has one, with provenance.

    Tables are ECSV (.ecsv), VOTables (.vot, .votable, .xml) or FITS (.fits), by how the name ends.

    Parameters
    ----------
    path : path
        Where to write; under its name the file is complete or absent.
    what : Fit, Catalogue, Table or product
        A product has a method ``table``.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        A name that does not end as files of this kind do, or something that no file holds.
    OutputError
        The file exists, or cannot be written.

    Examples
    --------
    >>> from halonmf import halo
    >>> halo.save("fit.h5", halo.fit("stars.fits", components=3))  # doctest: +SKIP
    """
    path = Path(path)
    if isinstance(what, Fit):
        check_output(path, overwrite=overwrite, suffixes=FITS)
        if not what.provenance:
            seeds = [what.settings.solver.seed]
            record = provenance("fit", {"fit": what.settings}, inputs=[], seeds=seeds, device=what.device)
            what = replace(what, provenance=record)
        return save_fit(path, what, overwrite=overwrite)
    if isinstance(what, Catalogue):
        check_output(path, overwrite=overwrite, suffixes=CATALOGUES)
        return write_catalogue(path, what.table, what.cutflow, what.provenance, overwrite=overwrite)
    table = what.table() if callable(getattr(what, "table", None)) else what
    if not isinstance(table, Table):
        raise UsageError(f"a fit, a catalogue, a table or a product can be saved; got {type(what).__name__}.")
    check_output(path, overwrite=overwrite, suffixes=TABLES)
    record = table.meta.get("provenance") or provenance("save", {}, inputs=[])
    return save_table(path, table, record, overwrite=overwrite)
