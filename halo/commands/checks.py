"""Checks: how many components, do they hold, what does a fit miss, which penalties."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..checks.settings import (
    COMPONENTS,
    ORBIT,
    PIXELS,
    InjectionSettings,
    RankSettings,
    SearchSettings,
    StabilitySettings,
    Stream,
)
from ..fields import Option
from ..fits.settings import FitSettings
from .answer import answer
from .console import Terminal, compiling, tell
from .interruption import resumable
from .options import DryRun, Figure, Only, Overwrite, Quiet, Resume, Stars, Table, command
from .output import Output, unfinished

if TYPE_CHECKING:
    from ..checks.work import Effort

SAMPLE = ("selection", "max_fe_h", "min_eccentricity", "cuts", "bins", "pixels", "components")
"""Choices of a fit that its checks leave open: the sample, the bins, the pixels and the number of components."""


@command("halonmf rank stars.fits -o rank.ecsv --figure rank")
def rank(
    stars: Stars,
    output: Table = Path("rank.ecsv"),
    *,
    compared: RankSettings,
    settings: Annotated[
        FitSettings, Only(*(x for x in SAMPLE if x != "components"), "planes", "ranges", "device", pixels=PIXELS)
    ],
    figure: Figure = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Tell how many components there are, by splitting the stars.

    Fits one half of the stars and judges by the other half, for every number of components and many splits. Chosen is
    the smallest number within one standard error of the best.
    """
    from ..checks.rank import rank as compare
    from ..stars.catalogue import read_catalogue

    out = Output.table(output, (stars,), overwrite, figure=figure)
    with Terminal(quiet) as progress, compiling(quiet):
        found = compare(read_catalogue(stars).table, settings, **vars(compared), progress=progress)
    record = out.record("rank", {**vars(compared), "fit": settings}, seeds=[compared.seed])
    out.save(found, record)
    out.draw(lambda figures: figures.ranks(found), record)
    tell(found, output, quiet, facts=lambda: {"rows": found.rows()})


@command("halonmf stability stars.fits -o stability.ecsv")
def stability(
    stars: Stars,
    output: Table = Path("stability.ecsv"),
    *,
    settings: Annotated[FitSettings, Only(*SAMPLE, "weights")],
    varied: StabilitySettings,
    figure: Figure = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Fit again from other starts, bins and pixels, and compare.

    Random starts, other numbers of bins and of pixels; the components are compared with those of the first fit. An
    interrupted run continues with --resume.
    """
    from ..checks.stability import NOUN
    from ..checks.stability import stability as repeat
    from ..stars.catalogue import read_catalogue

    if dry_run:
        _estimate(repeat.__name__, stars, settings, **vars(varied))
        return
    work = unfinished(output, (stars,), resume=resume, overwrite=overwrite, figure=figure)
    with work as (out, kept), Terminal(quiet) as progress, compiling(quiet), resumable(progress, NOUN, NOUN):
        result = repeat(read_catalogue(stars).table, settings, **vars(varied), keep=kept, progress=progress)
        record = out.record("stability", {**vars(varied), "fit": settings}, seeds=[settings.solver.seed])
        out.save(result, record)
        out.draw(lambda figures: figures.stabilities(result), record)
    tell(result, output, quiet)


@command("halonmf injection stars.fits -o injection.ecsv")
def injection(
    stars: Stars,
    output: Table = Path("injection.ecsv"),
    *,
    settings: Annotated[FitSettings, Only(*SAMPLE, components=COMPONENTS)],
    stream: Stream,
    orbit: Annotated[tuple[float, float], "E:LZ of the stream [km2/s2, kpc km/s].", Option(form=ORBIT)] = (
        Stream.E,
        Stream.Lz,
    ),
    planted: InjectionSettings,
    figure: Figure = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Plant streams in the sample and see which of them a fit finds.

    Shows how wide and how populous a stream must be for that. An interrupted run continues with --resume.
    """
    from ..checks.injection import NOUN, inject
    from ..stars.catalogue import read_catalogue

    E, Lz = orbit
    stream = replace(stream, E=E, Lz=Lz)
    choices = {"components": settings.solver.components, **vars(planted)}
    if dry_run:
        _estimate(inject.__name__, stars, settings, stream, **choices)
        return
    work = unfinished(output, (stars,), resume=resume, overwrite=overwrite, figure=figure)
    with work as (out, kept), Terminal(quiet) as progress, compiling(quiet), resumable(progress, NOUN, NOUN):
        result = inject(read_catalogue(stars).table, settings, stream, **choices, keep=kept, progress=progress)
        record = out.record("injection", {**vars(planted), "stream": stream, "fit": settings}, seeds=[planted.seed])
        out.save(result, record)
        out.draw(lambda figures: figures.injections(result), record)
    tell(result, output, quiet)


@command("halonmf search stars.fits -o search.ecsv --draws 5000")
def search(
    stars: Stars,
    output: Annotated[Path, "Table to write, and the figure next to it.", Option("--output", "-o")] = Path(
        "search.ecsv"
    ),
    *,
    searched: SearchSettings,
    settings: Annotated[FitSettings, Only(*SAMPLE, "planes", "ranges")],
    figure: Annotated[bool, "Draw a figure next to the table."] = True,
    resume: Resume = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Search for penalties as the paper did, zero included.

    Compares errors of fits, and of entries that the fits did not see. An interrupted run continues with --resume.
    """
    from ..checks.penalties import NOUN
    from ..checks.penalties import search as find
    from ..stars.catalogue import read_catalogue

    settings = settings.replace(seed=searched.seed, device="cpu")
    drawn = (searched.draws, searched.seed)
    if dry_run:
        _estimate(find.__name__, stars, settings, *drawn, number=searched.folds)
        return
    drawn_as = output.with_suffix("") if figure else None
    work = unfinished(output, (stars,), resume=resume, overwrite=overwrite, figure=drawn_as)
    with work as (out, kept), Terminal(quiet) as progress, compiling(quiet), resumable(progress, NOUN, NOUN):
        table = read_catalogue(stars).table
        found = find(table, settings, *drawn, number=searched.folds, keep=kept, progress=progress)
        seeds = [searched.seed, settings.solver.seed]
        record = out.record("search", {"fit": settings, **vars(searched)}, seeds=seeds, device="cpu")
        out.save(found, record)
        out.draw(lambda figures: figures.search(found), record)
    tell(found, output, quiet)


def _estimate(check: str, stars: Path, *arguments: Any, **choices: Any) -> None:
    """Print how many fits a check makes, and about how long they take."""
    from ..checks.effort import effort
    from ..stars.catalogue import read_catalogue

    found = effort(check, read_catalogue(stars).table, *arguments, **choices)
    record = {"event": "plan", "fits": found.fits, "estimated_seconds": found.seconds, "batches": found.batches}
    answer(estimated(found), {**record, "batch_seconds": found.batch_seconds})


def estimated(found: Effort) -> str:
    """Return what a check comes to, how long it will take and how much of that can be lost, and from what that is."""
    from .ensemble import duration, number  # help does without

    return (
        f"{found.said}: {number(found.fits, 'fit')}\nabout {duration(found.seconds)} on this machine: an estimate "
        f"from {number(found.tried, 'fit')}, start-up left out\nsaved in about {number(found.batches, 'batch')}, the "
        f"longest of {duration(found.batch_seconds)}: an interruption loses the one in progress"
    )
