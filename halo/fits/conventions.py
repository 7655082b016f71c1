"""What the energies of files and fits are measured in, and the refusal to mix those of different conventions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.atomic import CATALOGUES, FITS, TABLES
from ..io.opening import open_fits
from ..io.tables import is_table, load_table
from ..orbits.convention import REMEDY, Convention, check_same, stated
from ..stars.catalogue import StarsLike, as_table, is_prepared, read_catalogue, record_of
from ..stars.origin import check_scale
from .fit import Fit
from .store import convention_of_fit


def checked(fit: Fit, stars: StarsLike, *, any_survey: bool = False) -> Any:
    """Return the table of stars, whose E, Lz and abundances are measured as those that the fit was made from.

    Parameters
    ----------
    fit : Fit
    stars : Table, Catalogue or path
    any_survey : bool
        Whether stars of another survey are taken, because the caller sees to their zero points.

    Raises
    ------
    InputError
        Their energies are of another convention; or as `stars.catalogue.read_catalogue`.
    UsageError
        Their abundances are on the scale of another survey.
    """
    if isinstance(stars, str | Path):
        stars = read_catalogue(stars)
    if not any_survey:
        check_scale(stars, fit.survey)
    table = as_table(stars)
    check_same(getattr(table, "meta", {}), fit.mixtures.convention)
    return table


def convention_of(path: str | Path) -> Convention | None:
    """Return what a file says of its energies: a prepared catalogue, a fit, or a table of this software.

    None of a file that says nothing, and of one that cannot be read: its reader says why.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    try:
        if suffix in CATALOGUES and not is_table(path):
            with open_fits(path) as hdus:
                return stated(record_of(hdus)) if is_prepared(hdus) else None
        if suffix in FITS:
            return convention_of_fit(path)
        if suffix in TABLES:
            return stated(load_table(path).meta)
    except Exception:  # damage of any kind: whatever reads the file reports it
        return None
    return None


def common_convention(paths: Iterable[Path]) -> Convention | None:
    """Return the convention that files state, None where none does.

    Raises
    ------
    InputError
        Two of them state different ones.
    """
    found: tuple[Path, Convention] | None = None
    for path in paths:
        said = convention_of(path) if path.is_file() else None
        if said is None:
            continue
        if found is not None:
            differs = said.differs(found[1])
            if differs:
                raise InputError(f"{path}: E and Lz are measured otherwise than in {found[0]}: {differs}. {REMEDY}")
        else:
            found = path, said
    return None if found is None else found[1]
