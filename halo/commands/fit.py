"""One function per command: files in, the product on disk with its provenance, the product back to be reported.

Outputs are checked before anything is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..fits.apply import Application
from ..fits.apply import apply as apply_components
from ..fits.engine import resolve_device
from ..fits.fit import Fit
from ..fits.fit import fit as fit_components
from ..fits.settings import FitSettings
from ..fits.store import load_fit, save_fit
from ..io.atomic import CATALOGUES, FITS, TABLES, check_output, make_folder
from ..io.provenance import provenance
from ..io.tables import save_table, save_text
from ..mixtures.settings import Axis
from ..products.boundary import E_RANGE, GRID, LEVEL, LZ_RANGE, SMOOTHING, Boundary
from ..products.boundary import boundary as find_boundary
from ..products.four import check_whole
from ..products.overview import MAP_AXES, PROFILE_AXES, products
from ..products.profile import MIN_STARS, Profile, profile_of
from ..progress import Progress, silent
from ..stars.catalogue import Catalogue, read_catalogue, write_catalogue
from ..survey import prepare as preparing


def prepare(
    allstar: Path,
    astronn: Path | None,
    output: Path,
    settings: preparing.PrepareSettings,
    *,
    members: Path | None = None,
    columns: Path | None = None,
    progress: Progress = silent,
    overwrite: bool = False,
) -> Catalogue:
    """Write the prepared catalogue of APOGEE's files, or with `columns` of a user's own, and return it.

    Raises
    ------
    UsageError
        Neither an astroNN catalogue nor `columns`, or both.
    InputError
        Files that cannot be read, or hold something else.
    OutputError
        `output` exists, is one of the inputs, or cannot be written.
    """
    if (columns is None) == (astronn is None):
        raise UsageError("give ALLSTAR and ASTRONN, or one catalogue with --columns.")
    if columns is not None and (settings.columns, settings.elements) != (
        preparing.DEFAULT_COLUMNS,
        preparing.DEFAULT_ELEMENTS,
    ):
        raise UsageError("with --columns the mapping names abundances and other columns; leave out --element, --keep.")
    check_output(output, overwrite=overwrite, suffixes=CATALOGUES, inputs=(allstar, astronn, members, columns))
    made = preparing.prepare(allstar, astronn, members, columns=columns, settings=settings, progress=progress)
    write_catalogue(output, made.table, made.cutflow, made.provenance, overwrite=overwrite)
    return made


def fit(stars: Path, output: Path, settings: FitSettings, *, overwrite: bool = False) -> Fit:
    """Fit components to a prepared catalogue, write the fit and return it, converged or not.

    Raises
    ------
    UsageError
        Settings that make no sense, or no device of that name.
    InputError
        No prepared catalogue, or too few stars.
    OutputError
        `output` exists, or cannot be written.
    """
    check_output(output, overwrite=overwrite, suffixes=FITS, inputs=(stars,))
    found = fit_components(read_catalogue(stars).table, settings)
    record = provenance("fit", {"fit": settings}, inputs=[stars], seeds=[settings.solver.seed], device=found.device)
    found = replace(found, provenance=record)
    save_fit(output, found, overwrite=overwrite)
    return found


def apply(
    fit: Path,
    stars: Path,
    output: Path,
    axes: Sequence[Axis],
    *,
    selection: str | None = None,
    cuts: Sequence[str] | None = None,
    min_stars: int = MIN_STARS,
    device: str = "auto",
    overwrite: bool = False,
) -> Profile | Application:
    """Apply a fit to stars in other bins and write the table: a profile of one variable, a map of two.

    Parameters
    ----------
    selection : str, optional
        Another than the fit's.
    cuts : sequence of str, optional
        In place of the fit's.

    Raises
    ------
    UsageError, InputError, OutputError
        As `fit`.
    """
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(fit, stars))
    found = load_fit(fit)
    check_whole(found)
    settings = _elsewhere(found, selection, cuts, device)
    application = apply_components(found, read_catalogue(stars), axes, selection=settings.selection, device=device)
    result = profile_of(application, min_stars=min_stars) if len(axes) == 1 else application
    choices = {"by": axes, "fit": settings, "min_stars": min_stars}
    record = provenance("apply", choices, inputs=[fit, stars], device=resolve_device(device))
    save_table(output, result.table(), record, overwrite=overwrite)
    return result


def boundary(
    fit: Path,
    stars: Path,
    output: Path,
    *,
    grid: int = GRID,
    level: float = LEVEL,
    smoothing: float = SMOOTHING,
    E_range: tuple[float, float] = E_RANGE,
    Lz_range: tuple[float, float] = LZ_RANGE,
    min_stars: int = MIN_STARS,
    selection: str | None = None,
    cuts: Sequence[str] | None = None,
    device: str = "auto",
    overwrite: bool = False,
) -> Boundary:
    """Find the boundary between a fit's components and write it; the choices are those of `boundary.boundary`.

    Raises
    ------
    UsageError, InputError, OutputError
        As `apply`.
    """
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(fit, stars))
    choices: dict[str, Any] = {
        "grid": grid,
        "level": level,
        "smoothing": smoothing,
        "E_range": E_range,
        "Lz_range": Lz_range,
        "min_stars": min_stars,
    }
    found = load_fit(fit)
    check_whole(found)
    settings = _elsewhere(found, selection, cuts, device)
    line = find_boundary(found, read_catalogue(stars), selection=settings.selection, device=device, **choices)
    record = provenance("boundary", {**choices, "fit": settings}, inputs=[fit, stars], device=resolve_device(device))
    save_table(output, line.table(), record, overwrite=overwrite)
    return line


def plot(fit: Path, stars: Path | None, folder: Path, *, overwrite: bool = False) -> tuple[dict[str, list[Path]], str]:
    """Draw a fit, with its stars also what it says of them; return the files by figure, and what did not converge.

    Raises
    ------
    UsageError, InputError, OutputError
        As `apply`.
    """
    from .. import figures

    found = load_fit(fit)
    if stars is not None:
        check_whole(found)
    names = figures.NAMES if stars is not None else figures.NAMES[:1]
    make_folder(folder)
    for name in names:
        for suffix in ("png", "pdf", "txt"):
            check_output(folder / f"{name}.{suffix}", overwrite=overwrite)
    if stars is None:
        pictures, said = {"components": figures.components(found)}, found.problems()
        record = provenance("plot", {"fit": found.settings}, inputs=[fit])
    else:
        shown = products(found, read_catalogue(stars).table)
        pictures, said = figures.every(shown), shown.problems()
        choices = {"fit": found.settings, "map": MAP_AXES, "profile": PROFILE_AXES}
        record = provenance("plot", choices, inputs=[fit, stars], device=resolve_device(found.settings.solver.device))
    files = {}
    for name, picture in pictures.items():
        files[name] = figures.save(picture, folder / name, overwrite=overwrite, provenance=record)
        files[name].append(save_text(folder / f"{name}.txt", picture.caption, overwrite=overwrite))
    return files, said


def _elsewhere(fit: Fit, selection: str | None, cuts: Sequence[str] | None, device: str) -> FitSettings:
    settings = fit.settings.replace(device=device)
    if selection is not None:
        settings = settings.replace(selection=selection)
    return settings if cuts is None else settings.replace(cuts=tuple(cuts))
