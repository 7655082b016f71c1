"""Data: a mock survey, and the prepared catalogue of a survey."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..fields import Argument, Option
from ..mock.settings import MockSettings
from ..stars.settings import DEFAULT_ELEMENTS
from ..survey.settings import DEFAULT_COLUMNS, PrepareSettings
from .console import Terminal
from .options import Columns, Folder, Overwrite, Quiet, command
from .output import Output


@command("halonmf mock mock/ --stars 60000 --seed 1")
def mock(directory: Folder, *, settings: MockSettings, overwrite: Overwrite = False, quiet: Quiet = False) -> None:
    """Make a mock survey with a known truth.

    Writes allStarLite, astroNN and cluster-member files, and truth.fits.
    """
    from ..mock.survey import make

    with Terminal(quiet) as progress:
        paths = make(directory, settings.stars, settings.seed, settings.full, progress, overwrite, settings.model)
    thinned = f"1 disc star in {paths.thinning:g} kept" if paths.thinning != 1 else "discs not thinned"
    typer.echo(f"{paths.n_rows:,} rows ({thinned}) -> {paths.allstar.parent}")


@command("halonmf prepare allStarLite-dr17-synspec_rev1.fits apogee_astroNN-DR17.fits -o stars.fits")
def prepare(
    allstar: Annotated[Path, "allStarLite, or your own catalogue.", Argument("ALLSTAR")],
    astronn: Annotated[Path | None, "astroNN catalogue; none with --columns.", Argument("ASTRONN")] = None,
    output: Annotated[Path, "Prepared catalogue to write.", Option("--output", "-o")] = Path("stars.fits"),
    *,
    settings: PrepareSettings,
    members: Annotated[Path | None, "Cluster members: a folder, zip, text or FITS file."] = None,
    columns: Columns | None = None,
    keep: Annotated[tuple[str, ...], "Further allStar column to carry along; repeatable."] = (),
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Clean the survey's catalogues and compute orbits.

    Reads the catalogues, applies the quality cuts, and computes orbits in McMillan (2017) or MWPotential2014.
    """
    from ..survey.prepare import prepare as make

    if (columns is None) == (astronn is None):
        raise UsageError("give ALLSTAR and ASTRONN, or one catalogue with --columns.")
    settings = replace(settings, columns=tuple(dict.fromkeys((*DEFAULT_COLUMNS, *keep))))
    if columns is not None and (settings.columns, settings.elements) != (DEFAULT_COLUMNS, DEFAULT_ELEMENTS):
        raise UsageError("with --columns the mapping names abundances and other columns; leave out --element, --keep.")
    out = Output.catalogue(output, (allstar, astronn, members, columns), overwrite)
    with Terminal(quiet) as progress:
        made = make(allstar, astronn, members, columns=columns, settings=settings, progress=progress)
    out.save_stars(made.table, made.cutflow, made.provenance)
    for warning in made.warnings:
        typer.echo(f"halonmf: {warning}", err=True)
    typer.echo(f"{made.cutflow}\n{len(made):,} stars -> {output}")
