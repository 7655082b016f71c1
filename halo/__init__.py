"""From a star catalogue to chemical components of the stellar halo, and from components to science."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fits.fit import Fit
    from .stars.catalogue import Catalogue


FITS, CATALOGUES, TABLES = (".h5", ".hdf5"), (".fits", ".fit"), (".ecsv",)
"""How the names of fits, prepared catalogues and tables end."""


def load(path: str | Path) -> Fit | Catalogue | Any:
    """Return what a file of this software holds: a fit (.h5), a prepared catalogue (.fits) or a table (.ecsv).

    Raises
    ------
    halonmf.halo.errors.InputError
        The file is missing, damaged or of another kind.
    """
    # imported here: naming the package must not load astropy or torch
    from .errors import InputError

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in FITS:
        from .fits.store import load_fit

        return load_fit(path)
    if suffix in CATALOGUES:
        from .stars.catalogue import read_catalogue

        return read_catalogue(path)
    if suffix in TABLES:
        from .io.tables import load_table

        return load_table(path)
    raise InputError(f"{path}: expected a .h5, .fits or .ecsv file of this software.")
