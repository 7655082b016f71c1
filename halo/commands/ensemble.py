"""Ensembles: thousands of fits of resampled stars and varied settings, and their summary."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..ensembles.plan import Plan
from ..ensembles.settings import Cluster, RunOptions
from ..fields import Argument, Option
from ..products.settings import Interval, TableSettings
from ..progress import stage
from ..rounding import of_bytes
from .answer import answer, leave, warn, wrote
from .console import Terminal, compiling
from .interruption import resumable
from .options import DryRun, Json, Overwrite, Quiet, Stars, Strict, command
from .output import make_folder, save_figure

if TYPE_CHECKING:
    from ..ensembles.archive import Archive
    from ..ensembles.estimate import Estimate
    from ..ensembles.rows import Summary
    from ..ensembles.run import Run
    from ..ensembles.runner import Outcome
    from ..fits.verdict import Verdict

Figures = Annotated[bool, "Draw figures too, in figures/ of the run, as PNG."]
Pdf = Annotated[bool, "Draw the figures as PDF too; existing PDFs are always redrawn with the rest."]
FIGURES = "figures"
STAGE = "fits"
"""What progress is told of, as `ensembles.runner.STAGE`."""


@command("halonmf ensemble stars.fits -o runs/ --bootstrap 1000")
def ensemble(
    stars: Stars,
    output: Annotated[Path, "Folder for the run.", Option("--output", "-o")] = Path("runs"),
    *,
    plan: Plan,
    dry_run: DryRun = False,
    options: RunOptions,
    cluster: Cluster,
    strict: Strict = False,
    figures: Figures = True,
    pdf: Pdf = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit thousands of resampled samples or varied settings.

    An interrupted run continues with --resume; several machines or GPUs share the work.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads work on replicates, not inside each of them
    record: dict[str, Any] = {"setups": len(plan.setups), "fits": plan.fits, "batches": len(plan.batches)}
    if dry_run:
        found = _estimate(stars, plan, options.threads)
        record |= {"estimated_seconds": found.seconds, "estimated_bytes": found.size}
        answer(estimated(plan, found), {"event": "plan", **record})
        leave(*found.problems)
        return
    progress = Terminal(quiet, as_json)
    with resumable(progress, STAGE, STAGE, drop=("--overwrite",)):
        from ..ensembles.launch import ensemble as compute

        where = cluster if cluster.address or cluster.file else None
        with progress, compiling(quiet or as_json):
            options = replace(options, overwrite=overwrite, progress=progress)
            outcome = compute(stars, output, plan, options=options, cluster=where)
        for line in outcome.notes:
            warn(line)
        _report(outcome, output, options, formats=formats(figures, pdf), strict=strict, quiet=quiet)


def _estimate(stars: Path, plan: Plan, threads: int | None) -> Estimate:
    from ..ensembles.estimate import estimate
    from ..ensembles.runner import check

    check(plan)
    return estimate(stars, plan, threads=threads)


def _report(
    outcome: Outcome,
    output: Path,
    options: RunOptions,
    *,
    formats: Sequence[str],
    strict: bool,
    quiet: bool,
) -> None:
    """Print what came of a run; where it is complete, summarise it too."""
    run = outcome.run
    record: dict[str, Any] = {
        "complete": run.complete,
        "fits": outcome.fits,
        "notes": outcome.notes,
        "failed": [{"setup": one.label, "reason": one.reason} for one in run.failed],
    }
    said, problems, verdict = done(outcome), failures(run), None
    if run.complete and options.shard is None and len(run.failed) < len(run.setups):
        made, files = publish(output, formats=formats)
        wrote(*files)
        record["summary"], verdict = made.record(), made.verdict
        said = said if quiet else f"{made.describe()}\n{said}"
        problems = problems or made.problems()
    answer(f"{said} -> {output}", {"event": "done", **record})
    judged(verdict, strict, problems)


@command("halonmf summary runs/")
def summary(
    directory: Annotated[Path, "An ensemble, from halonmf ensemble.", Argument("DIR")],
    interval: Interval = TableSettings.interval,
    strict: Strict = False,
    figures: Figures = True,
    pdf: Pdf = False,
    quiet: Quiet = False,
) -> None:
    """Summarise an ensemble.

    Every product with its sampling error, and its spread over configurations. Writes summary.ecsv and summary.h5 in DIR
    again, and the figures in figures/ that would come out different. Failed and missing batches are listed, and the
    exit code is then 4.
    """
    with Terminal(quiet) as progress, stage(progress, "summary"):
        made, files = publish(directory, interval=interval, formats=formats(figures, pdf))
    wrote(*files)
    if not quiet:
        answer(made.describe(), {})
    answer(f"{len(files)} files -> {directory}", made.record)
    judged(made.verdict, strict, made.problems())


def judged(verdict: Verdict | None, strict: bool, problems: str) -> None:
    """Say in a line where a fit is not to be trusted; leave with exit code 4 then, if strict, and for problems."""
    unsound = verdict is not None and verdict.unsound
    if verdict is not None and unsound:
        warn(verdict.line)
    leave(problems)
    if strict and unsound:
        raise typer.Exit(4)


def formats(figures: bool, pdf: bool) -> tuple[str, ...]:
    """Return in which formats figures are drawn; none where none are."""
    return ("png", *["pdf"] * pdf) if figures else ()


def publish(
    folder: Path, *, interval: str = TableSettings.interval, formats: Sequence[str] = ("png",)
) -> tuple[Summary, list[Path]]:
    """Write the summary of the ensemble in a folder, with figures in some formats, in place of an earlier one.

    Parameters
    ----------
    folder : Path
        A run, whole or not.
    interval : str
        A type of `intervals.TYPES`.
    formats : sequence of str
        Of the figures, among `picture.FORMATS`; with none no figures are drawn, which take longer than all the rest.
        Where all are there and would come out the same they are left as they are; else those formats of them that are
        there are drawn again too.

    Returns
    -------
    summary : Summary
    files : list of Path
        What was written, or is there as it would be written.

    Raises
    ------
    InputError
        No run, or nothing of it is there yet.
    UsageError
        An unknown type of interval.
    OutputError
        A file cannot be written.
    """
    from ..ensembles.archive import archive

    kept = archive(folder, interval=interval)
    drawn = draw(kept, folder / FIGURES, formats) if formats else []
    return kept.summary, [*kept.files, *drawn]


def draw(kept: Archive, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Return the figures of a summary, drawn into a folder unless they are there as they would be drawn."""
    from ..io.kept import digest, remember, still_there

    code = sorted(path for path in (Path(__file__).parents[1] / FIGURES).iterdir() if path.is_file())
    source = digest(kept.content.encode(), *(path.read_bytes() for path in code))
    there = still_there(folder, source)
    if {f".{name}" for name in formats} <= {path.suffix for path in there}:
        return there
    from .. import figures
    from ..figures.picture import FORMATS

    make_folder(folder)
    files = []
    for name, picture in figures.ensemble(kept.summary).items():
        all_of_it = [x for x in FORMATS if x in formats or (folder / f"{name}.{x}").exists()]
        files += save_figure(picture, folder / name, kept.record, all_of_it, overwrite=True)
    remember(folder, source, files)
    return files


def estimated(plan: Plan, found: Estimate) -> str:
    """Return what a plan comes to and what it will take, with where that comes from."""
    if math.isnan(found.seconds):
        return f"{planned(plan)}; none of the configurations that were tried can be computed"
    tried = number(len(found.tried), "configuration")
    return (
        f"{planned(plan)}\nabout {duration(found.seconds)} and {of_bytes(found.size)} on this machine: an estimate "
        f"from some fits of {tried}, start-up left out"
    )


def done(outcome: Outcome) -> str:
    """Return what came of a run, in one line."""
    run = outcome.run
    there = sum(run.plan.batches[i].fits for i in run.headers)
    if run.complete:
        return f"{planned(run.plan)}: complete, {outcome.fits:,} fits computed now"
    return f"{there:,} of {number(run.plan.fits, 'fit')} there, {outcome.fits:,} of them computed now"


def failures(run: Run, most: int = 5) -> str:
    """Return what could not be computed, in one line; empty where everything was."""
    if not run.failed:
        return ""
    said = "; ".join(f"{failure.label}: {failure.reason}" for failure in run.failed[:most])
    more = f"; and {len(run.failed) - most} more, in manifest.json" if len(run.failed) > most else ""
    return f"{len(run.failed)} of {len(run.setups)} configurations could not be computed: {said}{more}"


def number(count: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 fit`` or ``4,800 fits``."""
    plural = noun + ("es" if noun.endswith("ch") else "s")
    return f"{count:,} {noun if count == 1 else plural}"


def planned(plan: Plan) -> str:
    """Return what a plan comes to, such as ``48 configurations, 4,848 fits in 48 batches``."""
    configurations, batches = number(len(plan.setups), "configuration"), number(len(plan.batches), "batch")
    return f"{configurations}, {number(plan.fits, 'fit')} in {batches}"


def duration(seconds: float) -> str:
    """Return a time in words that suit its length."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
