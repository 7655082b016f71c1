"""Fit: components of a sample, in other bins, their boundary, and the figures of a fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..fields import Argument, Option
from ..fits.settings import Bootstrap, Elsewhere, FitSettings
from ..fits.transfer import NONE
from ..products.settings import LINES, ApplySettings, BoundarySettings
from ..progress import announce, stage
from .answer import answer, leave, warn
from .console import Terminal, compiling, tell
from .options import Columns, FitFile, Overwrite, Quiet, Stars, Strict, Table, command
from .output import Output, opened, save_figure

if TYPE_CHECKING:
    from ..fits.zeropoints import ZeroPoints


@command("halonmf fit stars.fits -o fit.h5 --bins E:8,Lz:8 --pixels 50 --components 2")
def fit(
    stars: Stars,
    output: Annotated[Path, "Fit to write.", Option("--output", "-o")] = Path("fit.h5"),
    *,
    settings: FitSettings,
    strict: Strict = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Fit chemical components to the stars of a halo selection.

    Stars are binned in energy and angular momentum, or other variables. Says how far the fit is to be trusted.
    """
    from ..fits.degenerate import degenerate
    from ..fits.fit import fit as find
    from ..fits.verdict import STAGE, assess
    from ..stars.catalogue import read_catalogue

    out = Output.fit(output, (stars,), overwrite)
    with Terminal(quiet) as progress, compiling(quiet):
        announce(progress, "read", "fit", STAGE)
        with stage(progress, "read"):
            catalogue = read_catalogue(stars)
        with stage(progress, "fit"):
            found = find(catalogue, settings)
        found = replace(found, judged=assess(found, progress))
    record = out.record("fit", {"fit": settings}, seeds=[settings.solver.seed], device=found.device)
    out.save_fit(found, record)
    if found.verdict.unsound:
        warn(found.verdict.line)
    elif cautions := degenerate(found):
        warn("; ".join(text for _, text in cautions))
    tell(found, output, quiet)
    if strict and found.verdict.unsound:
        raise typer.Exit(4)


@command("halonmf apply fit.h5 stars.fits --by E:20:-2.5e5:-1.0e5 -o profile.ecsv")
def apply(
    fit: FitFile,
    stars: Stars,
    output: Table = Path("profile.ecsv"),
    *,
    settings: ApplySettings,
    elsewhere: Elsewhere,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Find a fit's components in stars binned another way.

    Gives their fractions along one variable, a profile, or along two, a map.
    """
    from ..fits.apply import apply as find
    from ..fits.engine import resolve_device
    from ..mixtures.settings import parse_axes
    from ..products.four import check_whole
    from ..products.profile import profile_of
    from ..stars.catalogue import read_catalogue

    axes = parse_axes(settings.by)
    out = Output.table(output, (fit, stars, _file(elsewhere)), overwrite)
    found = opened(fit)
    check_whole(found)
    there = elsewhere.change(found.settings)
    with Terminal(quiet) as progress, compiling(quiet), stage(progress, "apply"):
        application = find(
            found, read_catalogue(stars), axes, selection=there.selection, device=elsewhere.device,
            zeropoints=elsewhere.zeropoints, draws=settings.draws, seed=settings.seed,
        )  # fmt: skip
    result = profile_of(application, min_stars=settings.min_stars) if len(axes) == 1 else application
    choices = {
        "by": axes, "fit": there, "min_stars": settings.min_stars, **_moved(elsewhere, application.zeropoints)
    }  # fmt: skip
    seeds = [] if application.drawn is None else [settings.seed]
    out.save(result, out.record("apply", choices, seeds=seeds, device=resolve_device(elsewhere.device)))
    tell(result, output, quiet)


@command("halonmf boundary fit.h5 stars.fits -o boundary.ecsv")
def boundary(
    fit: FitFile,
    stars: Stars,
    output: Table = Path("boundary.ecsv"),
    *,
    settings: BoundarySettings,
    elsewhere: Elsewhere,
    bootstrap: Bootstrap,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Find the boundary E_b(Lz) between accreted and in-situ stars.

    In columns of Lz, and as one offset of the line of Belokurov & Kravtsov (2023), both with intervals. halonmf
    classify reads it.
    """
    from ..fits.bootstrap import STAGE as BOOTSTRAPS
    from ..fits.engine import resolve_device
    from ..fits.zeropoints import on_scale
    from ..products.four import check_whole
    from ..replicates.posterior import STAGE as BOUNDARIES
    from ..replicates.posterior import classifier
    from ..stars.catalogue import read_catalogue

    out = Output.table(output, (fit, stars, _file(elsewhere)), overwrite)
    found = opened(fit)
    check_whole(found)
    there = elsewhere.change(found.settings)
    variables = found.mixtures.chemistry.variables
    moved, by = on_scale(read_catalogue(stars), found.survey, variables, elsewhere.zeropoints)
    with Terminal(quiet) as progress, compiling(quiet):
        announce(progress, *(BOOTSTRAPS, BOUNDARIES) * bool(bootstrap.replicates))
        line = classifier(
            found, moved, settings=settings, bootstrap=bootstrap, selection=there.selection,
            device=elsewhere.device, progress=progress,
        )  # fmt: skip
    choices = {**vars(settings), "fit": there, "bootstrap": bootstrap.replicates, **_moved(elsewhere, by)}
    out.save(line, out.record("boundary", choices, seeds=[bootstrap.seed], device=resolve_device(elsewhere.device)))
    tell(line, output, quiet)


def _file(elsewhere: Elsewhere) -> Path | None:
    """Return the table of zero points that is read, if one is."""
    return None if elsewhere.zeropoints in (None, NONE) else Path(str(elsewhere.zeropoints))


def _moved(elsewhere: Elsewhere, by: ZeroPoints | None) -> dict[str, Any]:
    """Return what the record says of zero points: nothing where none were asked for."""
    return {} if elsewhere.zeropoints is None else {"zeropoints": NONE if by is None else by.brief()}


@command("halonmf classify clusters.csv --boundary boundary.ecsv -o classified.ecsv")
def classify(
    table: Annotated[Path, "Any table with E and Lz, or positions and velocities.", Argument("TABLE")],
    output: Table = Path("classified.ecsv"),
    *,
    boundary: Annotated[Path, "The boundary, from halonmf boundary."],
    line: Annotated[str, "The published line with the fitted offset, or the curve found.", Option(choices=LINES)] = (
        LINES[0]
    ),
    columns: Columns | None = None,
    recompute: Annotated[bool, "Compute E and Lz even where the table has them."] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Tell which stars or clusters lie above the boundary.

    Adds E and Lz where they are computed, and P_accreted, accreted and in_range. The energies must be measured from the
    same zero point as the boundary's.
    """
    from ..io.tables import load_table
    from ..products.classifier import Classifier
    from ..survey.coordinates import read_orbital

    out = Output.table(output, (table, boundary, columns), overwrite, mixed=True)
    edge = Classifier.from_table(load_table(boundary), str(boundary))
    with Terminal(quiet) as progress, stage(progress, "energies"):
        orbital = read_orbital(table, columns, convention=edge.convention, recompute=recompute)
    found = edge.classify(orbital.E, orbital.Lz, line)
    result = found.joined(orbital.table, orbital.E, orbital.Lz)
    result.meta |= {"line": line, "convention": edge.convention.record()}
    choices = {"line": line, "recompute": recompute, "computed": orbital.computed}
    out.save(result, out.record("classify", choices))
    if orbital.warning:
        warn(orbital.warning)
    tell(found, output, quiet)


@command("halonmf plot fit.h5 stars.fits -o figures/")
def plot(
    fit: FitFile,
    stars: Annotated[Path | None, "Prepared catalogue, for maps and the sample.", Argument("STARS")] = None,
    output: Annotated[Path, "Folder for the figures.", Option("--output", "-o")] = Path("figures"),
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Draw a fit's components; with stars also maps and profiles.

    With its stars also the map, the boundary, the energy profile and the sample. PNG and PDF, captions as text.
    """
    from .. import figures
    from ..fits.engine import resolve_device
    from ..products.four import check_whole
    from ..products.overview import MAP_AXES, PROFILE_AXES, products
    from ..stars.catalogue import read_catalogue

    found = opened(fit)
    if stars is not None:
        check_whole(found)
    names = figures.NAMES if stars is not None else figures.NAMES[:1]
    files = [f"{name}.{suffix}" for name in names for suffix in ("png", "pdf", "txt")]
    out = Output.folder(output, files, (fit,) if stars is None else (fit, stars), overwrite)
    if stars is None:
        pictures, problems = {"components": figures.components(found)}, found.problems()
        record = out.record("plot", {"fit": found.settings})
    else:
        with Terminal(quiet) as progress, compiling(quiet):
            announce(progress, "products", "figures")
            with stage(progress, "products"):
                shown = products(found, read_catalogue(stars).table)
            with stage(progress, "figures"):
                pictures, problems = figures.every(shown), shown.problems()
        choices = {"fit": found.settings, "map": MAP_AXES, "profile": PROFILE_AXES}
        record = out.record("plot", choices, device=resolve_device(found.settings.solver.device))
    for name, picture in pictures.items():
        made = save_figure(picture, out.at(name), record, overwrite=overwrite)
        if not quiet:
            answer(f"{name}: {', '.join(file.name for file in made)}", {})
    said = f"{len(pictures)} figure{'s' * (len(pictures) > 1)}, in three files each -> {output}"
    answer(said, {"figures": {name: picture.caption for name, picture in pictures.items()}})
    leave(problems)
