"""A first settings file, and a job for a cluster: what there is to choose, with what each choice is and its default."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

from ..fields import Argument, Option, number
from ..io.atomic import check_output, write_bytes
from .answer import answer, wrote
from .options import Command, Field, Overwrite, command
from .output import Output

COMMANDS = {
    "prepare": "survey", "rank": "checks", "fit": "fit", "apply": "fit", "boundary": "fit", "likelihood": "components",
    "members": "components", "ensemble": "ensemble",
}  # fmt: skip
"""Commands whose settings the file has, in the order of their use, and the files that hold them."""
FITTED = {"fit", "ensemble"}
"""Those whose bins and pixels are chosen for the stars; rank has pixels of its own."""
LEFT_OUT = {"overwrite", "quiet", "as_json", "output", "resume", "shard", "dry_run", "figure", "config", "pdf"}
"""Options that belong to a call rather than to a project."""
WIDTH = 100
REPLICATES, SHARDS = 1000, 4
"""Of the job: as many batches of the default size as shards."""


@command("halonmf init stars.fits --slurm")
def init(
    stars: Annotated[
        Path | None, "Prepared catalogue: bins and pixels that its stars suffice for are filled in.", Argument("STARS")
    ] = None,
    output: Annotated[Path, "Settings to write.", Option("--output", "-o")] = Path("settings.toml"),
    *,
    slurm: Annotated[bool, "Write job.sh next to it: an ensemble as a SLURM array."] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a settings file with every choice, its meaning and its default.

    A table for every command; what is commented out has its default. Use it with --config settings.toml.
    """
    job = output.with_name("job.sh")
    out = Output.file(output, (".toml",), (stars,), overwrite)
    if slurm:
        check_output(job, overwrite=overwrite)
    chosen, said = _suited(stars) if stars is not None else ({}, "")
    written = settings_file(chosen, said, REPLICATES if slurm else None)
    write_bytes(out.path, written.encode(), overwrite=overwrite)
    if slurm:
        catalogue = _from(job.parent, stars or Path("stars.fits"))
        write_bytes(job, os.fsencode(job_file(catalogue, output.name)), overwrite=overwrite)
    wrote(out.path, *([job] if slurm else []))
    answer(said, {"chosen": chosen, "reason": said})
    answer(f"{len(COMMANDS)} commands -> {output}" + (f", {job}" if slurm else ""), {"commands": list(COMMANDS)})


def _from(folder: Path, path: Path) -> Path:
    """Return a path as a job that is submitted in a folder finds it."""
    return path if path.is_absolute() else Path(os.path.relpath(path, folder))


def settings_file(chosen: dict[str, Any], said: str = "", replicates: int | None = None) -> str:
    """Return the settings file: every option of `COMMANDS`, those in `chosen` set, the others commented out.

    Parameters
    ----------
    chosen : dict
        Values by keyword, for every command that has such an option.
    said : str
        Why they were chosen.
    replicates : int, optional
        Bootstrap replicates that the ensemble is to have.
    """
    ensemble = {} if replicates is None else {"bootstrap": replicates}
    lines = ["# Settings of halonmf, a table for every command. Lines that begin with # have the default.", ""]
    if said:
        lines += [*_comment(said), ""]
    for name, module in COMMANDS.items():
        one: Command = getattr(importlib.import_module(f".{module}", __package__), name)
        lines += [f"[{name}]  # halonmf {name} ... --config FILE"]
        for field in one.fields:
            if field.flags and field.name not in LEFT_OUT and field.type is not Path:
                mine = (chosen if name in FITTED else {}) | (ensemble if name == "ensemble" else {})
                lines += _entry(field, mine)
        lines.append("")
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    """Return the lines of a comment; names with hyphens stay whole."""
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _entry(field: Field, chosen: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of an option: what it is, and its value."""
    choices = _choices(field)
    help_ = field.help + (f" One of {', '.join(choices)}." if choices else "")
    yield from _comment(help_)
    key = field.flags[0].split("/")[0].removeprefix("--")
    if field.keyword in chosen:
        yield f"{key} = {json.dumps(chosen[field.keyword])}"
    else:
        value = _default(field)
        yield f"#{key} = {json.dumps(value)}" if value is not None else f"#{key} ="


def _choices(field: Field) -> tuple[str, ...]:
    return field.option.choices if isinstance(field.option, Option) else ()


def _default(field: Field) -> Any:
    """Return an option's default as the file has it; None where there is none."""
    form, default = field.form, field.default
    if default is None or default is inspect.Parameter.empty:
        return None
    if field.repeatable:
        return [form.write(x) if form is not None else _text(x) for x in default]
    return form.write(default) if form is not None else default


def _text(x: Any) -> str:
    """Return one of several values as its option takes it: a plane, a condition, or a range by name."""
    return f"{x[0]}:{':'.join(map(number, x[1]))}" if isinstance(x, tuple) else str(x)


def _suited(stars: Path) -> tuple[dict[str, Any], str]:
    """Return bins and pixels for which the paper's selection has stars enough, and a sentence on them."""
    from ..fits.settings import FitSettings
    from ..fits.verdict import fullest_bins, fullest_images
    from ..io.provenance import shown
    from ..stars.catalogue import read_catalogue
    from ..stars.selection import choose

    settings = FitSettings()
    chosen, _ = choose(read_catalogue(stars), settings.selection)
    count, axes = len(chosen), settings.axes
    bins = {axis.variable: min(axis.count, fullest_bins(count, len(axes))) for axis in axes}
    pixels = min(fullest_images(count), settings.chemistry.pixels)
    text = ",".join(f"{name}:{most}" for name, most in bins.items())
    said = (
        f"{shown(stars.name)}: {count:,} stars pass {settings.selection.name}, enough for bins {text} and {pixels} "
        "pixels; halonmf fit judges what comes of it."
    )
    return {"bins": text, "pixels": pixels}, said


def job_file(stars: Path, settings: str) -> str:
    """Return a SLURM script: an ensemble as an array of shards, each of which goes on where it was interrupted."""
    return f"""#!/bin/bash
#SBATCH --job-name=halonmf
#SBATCH --array=1-{SHARDS}                 # shards: each computes every {SHARDS}th batch
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=01:00:00
#SBATCH --signal=USR1@60            # a minute before the end: leave in order, exit code 75
#SBATCH --requeue                   # a lost node: SLURM starts the shard again, and it goes on

export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK

srun halonmf ensemble {quote(str(stars))} -o runs/ --config {quote(settings)} --shard $SLURM_ARRAY_TASK_ID/{SHARDS}
code=$?

# 75: out of time, or others are still at work; into the queue again, for the rest
[ $code -eq 75 ] && scontrol requeue ${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}

# When all have ended: halonmf summary runs/
exit $code
"""
