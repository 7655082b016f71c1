"""What the numbers depend on: every choice of an analysis varied, and orbits computed again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..checks.settings import SensitivitySettings
from ..errors import UsageError
from ..fields import Argument, Option
from ..fits.settings import FitSettings
from ..orbits.settings import BACKENDS, ECCENTRICITIES, POTENTIALS
from .answer import answer
from .console import Terminal, compiling, tell
from .options import Columns, Figure, Only, Overwrite, Quiet, Stars, Table, command
from .output import Output

FITTED = (
    *("selection", "max_fe_h", "min_eccentricity", "cuts", "bins", "pixels", "components"),
    *("planes", "ranges", "missing", "weights", "loss", "device"),
)
"""Choices of the base's fit."""


@command("halonmf sensitivity stars.fits photogeo.fits -o sensitivity.ecsv --figure tornado")
def sensitivity(
    stars: Annotated[
        list[Path], "Prepared catalogue, then the same with other distances.", Argument("STARS [OTHER...]")
    ],
    output: Table = Path("sensitivity.ecsv"),
    *,
    varied: SensitivitySettings,
    settings: Annotated[FitSettings, Only(*FITTED)],
    allstar: Annotated[Path | None, "The survey's file that STARS was prepared from."] = None,
    astronn: Annotated[Path | None, "Its second file, such as astroNN's."] = None,
    members: Annotated[Path | None, "Cluster members: a folder, zip, text or FITS file."] = None,
    columns: Columns | None = None,
    figure: Figure = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Tell how much each choice moves the headline numbers.

    Distances, cuts, potential, bins, pixels, loss and more, one at a time and all together. Choices that need the
    survey's files are left out without them.
    """
    from ..checks.sensitivity import SurveyFiles
    from ..checks.sensitivity import sensitivity as vary
    from ..stars.catalogue import read_catalogue

    if allstar is None and any(x is not None for x in (astronn, members, columns)):
        raise UsageError("--astronn, --members and --columns go with --allstar.")
    inputs = (*stars, allstar, astronn, members, columns)
    out = Output.table(output, inputs, overwrite, figure=figure)
    survey = None if allstar is None else SurveyFiles(allstar, astronn, members, columns)
    others = {path.stem: read_catalogue(path) for path in stars[1:]}
    if len(others) < len(stars) - 1:
        raise UsageError("further catalogues are named by their files; give each another name.")
    with Terminal(quiet) as progress, compiling(quiet):
        found = vary(read_catalogue(stars[0]), others, settings, survey=survey, progress=progress, **vars(varied))
    record = out.record("sensitivity", {**vars(varied), "fit": settings}, seeds=[varied.seed, settings.solver.seed])
    out.save(found, record)
    out.draw(lambda figures: figures.tornado(found), record)
    tell(found, output, quiet)


@command("halonmf recompute stars.fits -o stars-mw14.fits --potential mwpotential2014")
def recompute(
    stars: Stars,
    output: Annotated[Path, "Prepared catalogue to write.", Option("--output", "-o")] = Path("recomputed.fits"),
    *,
    potential: Annotated[str, "Potential of the orbits.", Option(choices=POTENTIALS)] = POTENTIALS[0],
    eccentricity: Annotated[str, "Staeckel estimate, or integrated orbits (slow).", Option(choices=ECCENTRICITIES)] = (
        ECCENTRICITIES[0]
    ),
    backend: Annotated[str, "As --potential-backend of prepare.", Option(choices=BACKENDS)] = BACKENDS[0],
    distance: Annotated[str, "Column of other distances."] = "",
    distance_scale: Annotated[float, "Multiply the distances."] = 1.0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compute the orbits of a prepared catalogue again.

    In another potential, by another method, or at other distances, from positions and velocities. No constant converts
    energies from one potential to another.
    """
    from ..orbits.convention import own
    from ..products.record import record
    from ..survey.recompute import recompute as compute

    out = Output.catalogue(output, (stars,), overwrite)
    with Terminal(quiet) as progress:
        made = compute(
            stars, potential=potential, eccentricity=eccentricity, backend=backend, distance=distance,
            distance_scale=distance_scale, progress=progress,
        )  # fmt: skip
    out.save_stars(made.table, made.cutflow, made.provenance)
    said = own(potential)
    answer(f"{len(made):,} stars, E and Lz of {said.potential}, {said.zero_point} -> {output}", lambda: record(made))
