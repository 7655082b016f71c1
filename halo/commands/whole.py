"""Whole pipeline: the demonstration on a mock survey, and the whole paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..fields import Argument
from ..fits.settings import Device, Solver
from ..mock.settings import MockSettings
from ..paper.settings import PaperSettings
from .answer import answer, leave, wrote
from .console import Terminal, compiling
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
    from ..rounding import measured
    from ..units import ENERGY
    from . import demo as pipeline

    with Terminal(quiet) as progress, compiling(quiet), leaving(HALF_DONE):
        shown = pipeline.run(
            directory, stars=mock.stars, seed=mock.seed, device=device, overwrite=overwrite, progress=progress
        )
    half, fractions = shown.profile.crossings[0], percentages(shown.fit.names, shown.fit.mass_fractions)
    true = " and ".join(measured(x, ENERGY) for x in shown.true_crossing) or "never"
    lines = (
        f"mock survey    {mock.stars:,} rows, 1 disc star in {shown.thinning:g} kept, seed {mock.seed}",
        f"prepared       {len(shown.catalogue):,} stars; {shown.fit.cutflow.passed:,} chemically pure",
        f"components     {fractions}; true accreted fraction {100 * shown.true_accreted_fraction:.1f} %",
        f"transition     {half.describe(ENERGY)}; in truth at {true}",
        f"boundary       found in {shown.boundary.found} Lz columns",
        f"files          {', '.join(file.name for file in shown.files)} in {directory}",
    )
    wrote(*shown.files)
    answer("\n".join(lines), lambda: {"seed": mock.seed, "rows": mock.stars, **shown.record()})
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
    from ..paper.run import REPORT, SCOREBOARD, SCORES, run

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
    counts = ", ".join(f"{count} {status}" for status, count in made.scores.counts.items())
    now = len(made.parts) - len(made.kept)
    kept = f"kept           {len(made.kept)} of {len(made.parts)} steps, {now} made now"
    lines = (
        *([kept] if made.kept and not quiet else []),
        *(f"{name} left out: {why}" for name, why in (() if quiet else made.skipped.items())),
        *made.headlines,
        *(f"changed        {text}" for text in made.said),
        f"sample         {made.scores.sample}, {made.scores.stars:,} chemically pure stars",
        f"scoreboard     {counts}",
        *(f"not trusted    {each.describe()}" for each in made.scores.components if not each.trusted),
        f"left           {made.figures} figures, {made.tables} tables, {REPORT} in {directory}",
    )
    wrote(directory / REPORT, directory / SCOREBOARD, directory / SCORES)
    answer("\n".join(lines), made.record)
    leave(*made.warnings)
