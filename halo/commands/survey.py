"""Data: a mock survey, and the prepared catalogue of a survey."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from ..errors import UsageError
from ..fields import Argument, Option
from ..mock.settings import MockSettings
from ..stars.settings import DEFAULT_ELEMENTS
from ..survey.settings import DEFAULT_COLUMNS, NO_FLAGS, SURVEYS, PrepareSettings
from .answer import answer, warn, wrote
from .console import Terminal
from .options import Columns, Folder, Overwrite, Quiet, command
from .output import Output


@command("halonmf mock mock/ --stars 60000 --seed 1")
def mock(directory: Folder, *, settings: MockSettings, overwrite: Overwrite = False, quiet: Quiet = False) -> None:
    """Make a mock survey with a known truth.

    Writes the survey's files, those of cluster members, and truth.fits.
    """
    from ..mock.survey import make

    with Terminal(quiet) as progress:
        drawn = (settings.stars, settings.seed, settings.full)
        paths = make(directory, *drawn, progress, overwrite, settings.model, settings.survey)
    thinned = f"1 disc star in {paths.thinning:g} kept" if paths.thinning != 1 else "discs not thinned"
    wrote(*(path for path in (paths.allstar, paths.astronn, paths.members, paths.truth) if path.exists()))
    facts = {"rows": paths.n_rows, "thinning": paths.thinning, "seed": settings.seed, "model": settings.model}
    answer(f"{paths.n_rows:,} rows ({thinned}) -> {paths.allstar.parent}", facts)


@command("halonmf prepare allStarLite-dr17-synspec_rev1.fits apogee_astroNN-DR17.fits -o stars.fits")
def prepare(
    allstar: Annotated[Path, "A survey's catalogue, or your own.", Argument("FILE")],
    astronn: Annotated[Path | None, "Second file, such as astroNN's for APOGEE DR17.", Argument("FILE2")] = None,
    output: Annotated[Path, "Prepared catalogue to write.", Option("--output", "-o")] = Path("stars.fits"),
    *,
    settings: PrepareSettings,
    survey: Annotated[str | None, "The survey; by default recognised by its columns.", Option(choices=SURVEYS)] = None,
    join: Annotated[
        tuple[str, ...], "File that goes with it, such as distances, or NAME=FILE.", Option("--distances", "--join")
    ] = (),
    members: Annotated[Path | None, "Cluster members: a folder, zip, text or FITS file."] = None,
    columns: Columns | None = None,
    keep: Annotated[tuple[str, ...], "Further column of the catalogue to carry along; repeatable."] = (),
    no_flags: Annotated[bool, "The same as --flags none."] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Clean the survey's catalogues and compute orbits.

    Reads the catalogues, applies the quality cuts, and computes orbits in McMillan (2017) or MWPotential2014.
    """
    from ..products.record import record
    from ..survey.prepare import prepare as make

    if no_flags:
        settings = replace(settings, flags=NO_FLAGS)
    settings = replace(settings, columns=tuple(dict.fromkeys((*DEFAULT_COLUMNS, *keep))))
    if columns is not None and (settings.columns, settings.elements) != (DEFAULT_COLUMNS, DEFAULT_ELEMENTS):
        raise UsageError("with --columns the mapping names abundances and other columns; leave out --element, --keep.")
    joined = [Path(text.partition("=")[2] or text) for text in join]
    out = Output.catalogue(output, (allstar, astronn, *joined, members, columns), overwrite)
    chosen: dict[str, Any] = {"columns": columns, "survey": survey, "further": join}
    with Terminal(quiet) as progress:
        made = make(allstar, astronn, members, **chosen, settings=settings, progress=progress)
    out.save_stars(made.table, made.cutflow, made.provenance)
    for warning in made.warnings:
        warn(warning)
    known = made.provenance["settings"].get("survey")
    said = f"survey {known}" + (", by the columns of its catalogue" * (survey is None)) + "\n" if known else ""
    answer(f"{said}{made.cutflow}\n{len(made):,} stars -> {output}", lambda: {"survey": known, **record(made)})
