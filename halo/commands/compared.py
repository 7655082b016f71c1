"""Checks: two fits compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..checks.settings import CompareSettings
from ..errors import UsageError
from ..fields import Argument, Option
from .console import Terminal, compiling, tell
from .options import Figure, Overwrite, Quiet, command
from .output import Output, opened


@command("halonmf compare fit.h5 other.h5 stars.fits --figure compared")
def compare(
    a: Annotated[Path, "A fit, from halonmf fit.", Argument("A")],
    b: Annotated[Path, "Another fit.", Argument("B")],
    stars: Annotated[
        Path | None, "Prepared catalogue of A, to compare crossings and curves too.", Argument("STARS")
    ] = None,
    other: Annotated[Path | None, "That of B, where it is another.", Option("--other-stars")] = None,
    output: Annotated[Path, "Table to write; .ecsv, .vot or .fits.", Option("--output", "-o")] = Path("compared.ecsv"),
    *,
    settings: CompareSettings,
    figure: Figure = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compare two fits: settings, components, fractions and crossings.

    Says which settings differ, the cosines between the components, and the differences of fractions and crossings with
    intervals. Fits of the same stars are given the same bootstrap draws, so that only what differs is left.
    """
    from ..checks.compare import compare as find

    if figure is not None and stars is None:
        raise UsageError("--figure draws the curves of both fits; give STARS.")
    inputs = tuple(each for each in (a, b, stars, other) if each is not None)
    out = Output.table(output, inputs, overwrite, figure=figure)
    with Terminal(quiet) as progress, compiling(quiet):
        found = find(opened(a), opened(b), stars, other, **vars(settings), progress=progress)
    record = out.record("compare", vars(settings), seeds=[settings.seed])
    out.save(found, record)
    out.draw(lambda figures: figures.fits_compared(found), record)
    tell(found, output, quiet)
