"""About: what a file holds, and how fast this machine is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..fields import Argument
from .answer import answer
from .console import Terminal, compiling
from .options import Quiet, command


@command("halonmf info fit.h5")
def info(
    file: Annotated[Path, "A .h5, .fits, .ecsv or .vot file, or the folder of a run.", Argument("FILE")],
    *,
    provenance: Annotated[bool, "Print settings, seeds, versions and checksums of inputs too."] = False,
) -> None:
    """Show what a file or a folder holds and how it was made.

    Fits, prepared catalogues, tables, summaries of ensembles; folders of ensembles and of the paper.
    """
    from .contents import contents

    found = contents(file)
    answer(found.describe(whole=provenance), found.record)


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
    answer(benchmark.describe(rows), {"rows": [row._asdict() for row in rows]})
