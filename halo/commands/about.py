"""About: what a file holds, and how fast this machine is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..fields import Argument
from .console import Terminal, compiling
from .options import Quiet, command


@command("halonmf info fit.h5")
def info(file: Annotated[Path, "A .fits, .h5 or .ecsv file of this software.", Argument("FILE")]) -> None:
    """Show what a file holds and how it was made."""
    typer.echo(contents(file))


@command("halonmf bench")
def bench(quiet: Quiet = False) -> None:
    """Time the engine against scikit-learn on this machine.

    One thread each, at equal work or loss; some ten seconds. The ratio is scikit-learn's time over the engine's. Below
    it stands what multiplies matrices on either side: a library held to another processor's kernels, by
    OPENBLAS_CORETYPE or its like, would make the comparison unfair.
    """
    from nmfcore import bench as benchmark

    with Terminal(quiet) as progress, compiling(quiet):
        rows = benchmark.short_table(lambda done, total: progress("compared with scikit-learn", done, total))
    typer.echo(benchmark.describe(rows))


def contents(path: str | Path) -> str:
    """Return what a file holds and how it was made.

    Raises
    ------
    InputError
        The file is missing, damaged or of another kind.
    """
    from ..fits.engine import CONVERGED, not_converged
    from ..fits.files import load
    from ..fits.fit import Fit
    from ..stars.catalogue import Catalogue

    content = load(path)
    if isinstance(content, Catalogue):
        parts, record = [f"prepared catalogue: {len(content):,} stars", str(content.cutflow)], content.provenance
    elif isinstance(content, Fit):
        m, n = content.mixtures.V.shape
        parts = [
            f"fit: {m} bins x {n} pixels; {content.ended}",
            content.composition,
            "" if content.judged is None else content.judged.describe(),
            content.problems(),
            "" if content.verified else "unverified: an earlier version wrote this file without a checksum",
            content.mixtures.describe(),
            str(content.cutflow),
        ]
        record = content.provenance
    else:
        record = content.meta.pop("provenance", {})
        said = content.meta.get("fit_status", CONVERGED), content.meta.get("fit_kkt", 0.0)
        parts = ["\n".join(content.pformat(max_width=-1, max_lines=-1))]
        parts += [not_converged(*said, len(content.meta.get("bins_not_converged", []))), _json(content.meta)]
    return "\n".join([*(part for part in parts if part), _json(record)])


def _json(value: Any) -> str:
    from ..io.provenance import plain

    return json.dumps(plain(value), indent=1, sort_keys=True)
