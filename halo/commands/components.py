"""Results: four components, Table 1, likelihood intervals, eccentricities, and each star's membership."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import UsageError
from ..fields import Argument, Option
from ..fits.settings import Bootstrap, Device, LikelihoodSettings, Solver
from ..products.settings import (
    PRIOR_COUNTS,
    PROFILES,
    BoundarySettings,
    EccentricitySettings,
    SplitSettings,
    TableSettings,
)
from ..progress import Progress, announce, part_of, stage
from .answer import answer, leave
from .console import Terminal, compiling, tell
from .options import Figure, FitFile, Only, Overwrite, Quiet, Stars, Table, Truth, command
from .output import Output, opened

if TYPE_CHECKING:
    from ..fits.bootstrap import Refits
    from ..fits.fit import Fit

BOOTSTRAPS = "bootstraps"
"""What progress is told of, as `fits.bootstrap.STAGE`."""
DISTANCES = {"r": "r_sph", "z": "z_gal", "R": "R_cyl"}
"""What the four components are re-applied against (the paper's Fig 10), with the names of their tables: those of the
columns, since r and R are one name to some file systems."""
SPLIT_FILES = ("HE.h5", "LE.h5", "four.h5", "boundary.ecsv", "table1.ecsv", *(f"{x}.ecsv" for x in DISTANCES.values()))


@command("halonmf split fit.h5 stars.fits -o four/")
def split(
    fit: FitFile,
    stars: Stars,
    output: Annotated[Path, "Folder for the fits and tables.", Option("--output", "-o")] = Path("four"),
    *,
    settings: SplitSettings,
    line: Annotated[BoundarySettings, Only("grid", "level", "smoothing")],
    bootstrap: Bootstrap,
    device: Device = Solver.device,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Split a sample at its boundary into HE1, HE2, LE1 and LE2.

    Finds two components in each part of a fit's stars, above and below the boundary. Writes the parts' fits (HE.h5,
    LE.h5), the four components together (four.h5, for halonmf apply), Table 1 and the fractions against r, z and R.
    """
    from ..fits.engine import resolve_device
    from ..products.boundary import boundary
    from ..products.four import check_two
    from ..products.four import split as find
    from ..products.profile import profile
    from ..products.record import record as facts
    from ..products.table1 import table1
    from ..stars.catalogue import read_catalogue

    where = resolve_device(device)
    out = Output.folder(output, SPLIT_FILES, (fit, stars), overwrite)
    whole, table = opened(fit), read_catalogue(stars).table
    check_two(whole)  # before a boundary is sought
    whole = replace(whole, settings=whole.settings.replace(device=device))
    choices: dict[str, Any] = {"grid": line.grid, "level": line.level, "smoothing": line.smoothing}
    with Terminal(quiet) as progress, compiling(quiet):
        announce(progress, "parts", *(BOOTSTRAPS,) * bool(bootstrap.replicates), "fractions")
        with stage(progress, "parts"):
            four = find(whole, table, settings, line=boundary(whole, table, **choices))
        fits = (whole, four.high, four.low)
        summary = table1(fits, _refits(fits, bootstrap, progress))
        with stage(progress, "fractions"):
            along = {column: profile(four.fit, table, PROFILES[name]) for name, column in DISTANCES.items()}
    choices |= {"fit": whole.settings, "split": settings, "bootstrap": bootstrap.replicates}
    record = out.record("split", choices, seeds=[whole.settings.solver.seed, bootstrap.seed], device=where)
    for name, found in (("HE.h5", four.high), ("LE.h5", four.low), ("four.h5", four.fit)):
        out.save_fit(found, record, name)
    out.save(four.boundary, record, "boundary.ecsv")
    out.save(summary, record, "table1.ecsv")
    for column, one in along.items():
        out.save(one, record, f"{column}.ecsv")
    if not quiet:
        *rows, _ = summary.describe().splitlines()
        answer("\n".join([four.describe(), *rows]), {})
    answer(f"{len(SPLIT_FILES)} files -> {output}", lambda: {**facts(four), "table1": facts(summary)})
    leave(four.problems())


@command("halonmf table fit.h5 four/HE.h5 four/LE.h5 -o table1.ecsv")
def table(
    fits: Annotated[list[Path], "Fits, from halonmf fit or split.", Argument("FIT...")],
    output: Table = Path("table1.ecsv"),
    *,
    settings: TableSettings,
    bootstrap: Bootstrap,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Make Table 1: fractions and abundances of fits' components.

    Abundances are percentiles; intervals come from bootstrap replicates.
    """
    from ..products.table1 import table1

    out = Output.table(output, fits, overwrite)
    found = [opened(path) for path in fits]
    with Terminal(quiet) as progress, compiling(quiet):
        result = table1(
            found,
            _refits(found, bootstrap, progress),
            q=settings.percentiles,
            level=settings.level,
            interval=settings.interval,
        )
    choices = {**vars(settings), "bootstrap": bootstrap.replicates}
    out.save(result, out.record("table", choices, seeds=[bootstrap.seed]))
    tell(result, output, quiet)


@command("halonmf likelihood fit.h5 -o likelihood.ecsv")
def likelihood(
    fit: FitFile,
    output: Table = Path("likelihood.ecsv"),
    *,
    settings: LikelihoodSettings,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Find intervals of mass fractions by the profile likelihood.

    Takes about a second and no replicates: a second opinion on the intervals of halonmf ensemble. Needs a fit by
    --loss kullback-leibler.
    """
    from ..fits.likelihood import likelihood as find

    out = Output.table(output, (fit,), overwrite)
    found = opened(fit)
    with Terminal(quiet) as progress, compiling(quiet), stage(progress, "profile likelihood"):
        result = find(found, level=settings.level)
    out.save(result, out.record("likelihood", {**vars(settings), "fit": found.settings}))
    tell(result, output, quiet)


@command("halonmf eccentricity fit.h5 stars.fits -o eccentricity.ecsv")
def eccentricity(
    fit: FitFile,
    stars: Stars,
    output: Table = Path("eccentricity.ecsv"),
    *,
    settings: EccentricitySettings,
    bootstrap: Bootstrap,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Find the distribution of eccentricity of each component.

    Best of a kinematically pure halo, whose selection leaves the eccentricities alone.
    """
    from ..products.eccentricity import eccentricities
    from ..stars.catalogue import read_catalogue

    out = Output.table(output, (fit, stars), overwrite)
    found = opened(fit)
    table = read_catalogue(stars).table
    with Terminal(quiet) as progress, compiling(quiet):
        announce(progress, *(BOOTSTRAPS,) * bool(bootstrap.replicates), "eccentricities")
        drawn = _refits([found], bootstrap, progress)
        with stage(progress, "eccentricities"):
            result = eccentricities(found, table, refits=drawn[0] if drawn else None, **vars(settings))
    choices = {**vars(settings), "bootstrap": bootstrap.replicates}
    out.save(result, out.record("eccentricity", choices, seeds=[bootstrap.seed]))
    tell(result, output, quiet)


@command("halonmf members fit.h5 stars.fits -o members.fits")
def members(
    fit: FitFile,
    stars: Stars,
    output: Annotated[Path, "Catalogue or table to write.", Option("--output", "-o")] = Path("members.fits"),
    prior_counts: Annotated[float, "Counts spread over the pixels of each distribution beforehand."] = PRIOR_COUNTS,
    truth: Truth | None = None,
    figure: Figure = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write each star's probability of every component.

    The probabilities, given a star's bin and its pixels, are the columns P_LE, P_HE, ... of a prepared catalogue, from
    which the next command selects, such as halonmf regions members.fits --cut "P_HE>0.9"; P_accreted too where no
    component has such a name. [Fe/H] counts once, though it stands in both planes. An .ecsv or .vot file has the same
    columns, for other software.
    """
    from ..mock.truth import read_truth
    from ..products.memberships import memberships, reliability
    from ..products.record import record as facts
    from ..stars.catalogue import read_catalogue

    if figure is not None and truth is None:
        raise UsageError("the figure compares probabilities with the truth; give --truth too, or no --figure.")
    out = Output.table(output, (fit, stars, truth), overwrite, figure=figure)
    found = opened(fit)
    with Terminal(quiet) as progress, compiling(quiet), stage(progress, "memberships"):
        result = memberships(found, read_catalogue(stars).table, prior_counts=prior_counts)
    record = out.record("members", {"fit": found.settings, "prior_counts": prior_counts})
    compared = None
    if truth is not None:
        compared = reliability(result.P_accreted, read_truth(truth, result.stars).accreted)
    out.save_stars(result.table(), result.cutflow, record)
    if compared is not None:
        out.draw(lambda figures: figures.reliabilities({result.reading.label: compared}), record)
    scored = [] if compared is None else [compared]
    said = [one.describe() for one in scored]
    tell(result, output, quiet, *said, facts=lambda: {"reliability": facts(scored[0]) if scored else None})


def _refits(fits: Sequence[Fit], bootstrap: Bootstrap, progress: Progress) -> list[Refits] | None:
    from ..fits.bootstrap import refit

    if not bootstrap.replicates:
        return None
    parts = (part_of(progress, BOOTSTRAPS, i, len(fits)) for i in range(len(fits)))
    return [
        refit(fit, bootstrap.replicates, seed=bootstrap.seed, progress=part)
        for fit, part in zip(fits, parts, strict=True)
    ]
