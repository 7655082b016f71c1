"""Whole pipeline: the demonstration on a mock survey, and the whole paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..fields import Argument
from ..fits.settings import Device, Solver
from ..mock.settings import MockSettings
from ..paper.settings import PaperSettings
from .console import Terminal, compiling, leave
from .interruption import leaving, resumable
from .options import Folder, Only, Overwrite, Quiet, Resume, Truth, command

HALF_DONE = "files that have their names are complete, run the same command again with --overwrite."


@command("halonmf demo demo/")
def demo(
    directory: Annotated[Path, "Where to write.", Argument("DIR", written=True)] = Path("halonmf-demo"),
    *,
    mock: Annotated[MockSettings, Only("stars", "seed")],
    device: Device = Solver.device,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Run the whole pipeline on a mock survey and compare with the known truth.

    Files, orbits, fit, profile, boundary and picture.
    """
    from ..fits.fit import percentages
    from . import demo as pipeline

    with Terminal(quiet) as progress, compiling(quiet), leaving(HALF_DONE):
        shown = pipeline.run(
            directory, stars=mock.stars, seed=mock.seed, device=device, overwrite=overwrite, progress=progress
        )
    half, fractions = shown.profile.crossings[0], percentages(shown.fit.names, shown.fit.mass_fractions)
    true = ", ".join(f"{x:.4g}" for x in shown.true_crossing) or "never"
    typer.echo(f"mock survey    {mock.stars:,} rows, 1 disc star in {shown.thinning:g} kept, seed {mock.seed}")
    typer.echo(f"prepared       {len(shown.catalogue):,} stars; {shown.fit.cutflow.passed:,} chemically pure")
    typer.echo(f"components     {fractions}; true accreted fraction {100 * shown.true_share:.1f} %")
    typer.echo(f"transition     {half.describe('km2 / s2')}; in truth at {true}")
    typer.echo(f"boundary       found in {shown.boundary.found} Lz columns")
    typer.echo(f"files          {', '.join(file.name for file in shown.files)} in {directory}")
    leave(shown.warning)


@command("halonmf paper paper/ --stars stars.fits")
def paper(
    directory: Folder,
    stars: Annotated[Path | None, "Prepared catalogue; without it a mock survey."] = None,
    truth: Truth | None = None,
    galaxy: Annotated[tuple[str, ...], "Simulated galaxy, NAME=FILES, such as m12f=m12f/*.hdf5; repeatable."] = (),
    galaxy_columns: Annotated[Path | None, "TOML file that names the galaxies' columns."] = None,
    *,
    settings: PaperSettings,
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Make every figure, table and number of the paper.

    With a scoreboard and a page that holds them all. The recommended analysis takes as many components as the stars
    call for, and is compared with the paper's. An interrupted run continues with --resume.
    """
    from ..paper.run import REPORT, run

    with Terminal(quiet) as progress, compiling(quiet), resumable(progress, drop=("--overwrite",)):
        made = run(
            directory,
            stars=stars,
            truth=truth,
            galaxies=galaxy,
            galaxy_columns=galaxy_columns,
            settings=settings,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    if made.kept and not quiet:
        number = len(made.parts) - len(made.kept)
        typer.echo(f"kept           {len(made.kept)} of {len(made.parts)} steps, {number} made now")
    if not quiet:
        for name, why in made.skipped.items():
            typer.echo(f"{name} left out: {why}")
    for line in made.headlines:
        typer.echo(line)
    for text in made.said:
        typer.echo(f"changed        {text}")
    counts = ", ".join(f"{count} {status}" for status, count in made.scores.counts.items())
    typer.echo(f"sample         {made.scores.sample}, {made.scores.stars:,} chemically pure stars")
    typer.echo(f"scoreboard     {counts}")
    for each in made.scores.components:
        if not each.trusted:
            typer.echo(f"not trusted    {each.describe()}")
    typer.echo(f"left           {made.figures} figures, {made.tables} tables, {REPORT} in {directory}")
    leave("; ".join(made.warnings))
