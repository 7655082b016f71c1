"""Results on a page: one fit or one ensemble, to be read and sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..fields import Argument, Option
from ..fits.settings import Bootstrap
from .answer import answer, leave, wrote
from .console import Terminal
from .options import Overwrite, Quiet, command
from .output import Output


@command("halonmf report fit.h5 stars.fits -o report.html")
def report(
    result: Annotated[Path, "A fit, or the folder or summary.h5 of an ensemble.", Argument("RESULT")],
    stars: Annotated[
        Path | None, "Its prepared catalogue; of an ensemble for the map and the cut-flow.", Argument("STARS")
    ] = None,
    output: Annotated[Path, "Page to write.", Option("--output", "-o")] = Path("report.html"),
    *,
    boundary: Annotated[Path | None, "The boundary, from halonmf boundary."] = None,
    bootstrap: Bootstrap,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write a fit or an ensemble as one page.

    It has the verdict, numbers with intervals, figures, cut-flow, settings and provenance, and a map of the bins in
    which one chooses some and sees their chemistry. The page needs no network.
    """
    from ..pages.report import report as make

    out = Output.file(output, (".html", ".htm"), (result, stars, boundary), overwrite)
    with Terminal(quiet) as progress:
        made = make(result, stars, boundary=boundary, bootstrap=bootstrap, progress=progress)
    made.save(out.path, overwrite=overwrite)
    wrote(out.path)
    answer(f"{made.describe()} -> {output}", {"title": made.title, "bytes": len(made.html.encode())})
    leave(made.problems())
