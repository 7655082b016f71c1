"""What `halonmf search` does: read, search, write the table and its figure."""

from __future__ import annotations

from pathlib import Path

from ..checks.penalties import DRAWS, FOLDS, Search
from ..checks.penalties import search as find
from ..fits.settings import FitSettings
from ..io.atomic import TABLES, check_output
from ..io.provenance import provenance
from ..io.tables import save_table
from ..progress import Progress, silent
from ..stars.catalogue import read_catalogue
from .output import check_figure, draw_figure


def search(
    stars: Path,
    output: Path,
    settings: FitSettings,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    folds: int = FOLDS,
    figure: bool = True,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Search:
    """Search for penalties, write the table and beside it the figure, and return what was found.

    Raises
    ------
    UsageError
        Settings that make no sense.
    InputError
        No prepared catalogue, or too few stars.
    OutputError
        A file exists, or cannot be written.
    """
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(stars,))
    drawn = output.with_suffix("") if figure else None
    check_figure(drawn, overwrite)
    found = find(read_catalogue(stars).table, settings, draws, seed, number=folds, progress=progress)
    choices = {"fit": settings, "draws": draws, "seed": seed, "folds": folds}
    record = provenance("search", choices, inputs=[stars], seeds=[seed, settings.solver.seed], device="cpu")
    save_table(output, found.table(), record, overwrite=overwrite)
    draw_figure(drawn, lambda figures: figures.search(found), record, overwrite)
    return found
