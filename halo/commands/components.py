"""Commands on components: split a sample into four, Table 1, eccentricities. Files in and out, as in `commands`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..fits.bootstrap import REPLICATES, Refits, refit
from ..fits.engine import resolve_device
from ..fits.fit import Fit
from ..fits.intervals import RECOMMENDED, interval_type
from ..fits.store import load_fit, save_fit
from ..io.atomic import TABLES, check_output
from ..io.provenance import provenance
from ..io.tables import save_table
from ..mixtures.settings import parse_axes
from ..products.boundary import GRID, LEVEL, SMOOTHING, boundary
from ..products.eccentricity import BINS, CUT, Eccentricities, eccentricities
from ..products.four import Four, SplitSettings
from ..products.four import split as split_sample
from ..products.overview import PROFILES
from ..products.profile import profile
from ..products.table1 import LEVEL as INTERVAL
from ..products.table1 import Table1, table1
from ..products.tracks import PERCENTILES
from ..stars.catalogue import read_catalogue
from ..stars.variables import VARIABLES
from .fit import make_folder

DISTANCES = ("r", "z", "R")
"""What the four components are re-applied against (the paper's Fig 10)."""
SPLIT_FILES = (
    "HE.h5",
    "LE.h5",
    "four.h5",
    "boundary.ecsv",
    "table1.ecsv",
    # by column names: r and R are one name to some file systems
    *(f"{VARIABLES[name].column}.ecsv" for name in DISTANCES),
)


def split(
    fit: Path,
    stars: Path,
    folder: Path,
    settings: SplitSettings,
    *,
    grid: int = GRID,
    level: float = LEVEL,
    smoothing: float = SMOOTHING,
    bootstrap: int = REPLICATES,
    seed: int = 0,
    device: str = "auto",
    overwrite: bool = False,
) -> tuple[Four, Table1]:
    """Split a fit's sample at its boundary, find two components in each part, and write `SPLIT_FILES` into a folder.

    Parameters
    ----------
    fit, stars : Path
        A fit of two components and the prepared stars it was made of.
    folder : Path
        Made where there is none.
    settings : SplitSettings
        How to split.
    grid, level, smoothing
        Of the boundary, as in `boundary.boundary`.
    bootstrap : int
        Replicates behind the intervals of Table 1; 0 for no intervals.
    seed : int
        Of the replicates.

    Raises
    ------
    UsageError, InputError, OutputError
        As `commands.apply`; also where a part has too few stars.
    """
    where = resolve_device(device)
    _check_replicates(bootstrap)
    make_folder(folder)
    paths = {name: folder / name for name in SPLIT_FILES}
    for path in paths.values():
        check_output(path, overwrite=overwrite, inputs=(fit, stars))
    whole, table = load_fit(fit), read_catalogue(stars).table
    whole = replace(whole, settings=whole.settings.replace(device=device))
    choices: dict[str, Any] = {"grid": grid, "level": level, "smoothing": smoothing}
    four = split_sample(whole, table, settings, line=boundary(whole, table, **choices))
    fits = (whole, four.high, four.low)
    summary = table1(fits, _refits(fits, bootstrap, seed))
    choices |= {"fit": whole.settings, "split": settings, "bootstrap": bootstrap}
    record = provenance("split", choices, inputs=[fit, stars], seeds=[whole.settings.solver.seed, seed], device=where)
    for name, found in (("HE.h5", four.high), ("LE.h5", four.low), ("four.h5", four.fit)):
        save_fit(paths[name], replace(found, provenance=record), overwrite=overwrite)
    tables = {"boundary.ecsv": four.boundary.table(), "table1.ecsv": summary.table()}
    for name in DISTANCES:
        along = profile(four.fit, table, parse_axes(PROFILES[name]))
        tables[f"{VARIABLES[name].column}.ecsv"] = along.table()
    for name, product in tables.items():
        save_table(paths[name], product, record, overwrite=overwrite)
    return four, summary


def table(
    fits: Sequence[Path],
    output: Path,
    *,
    percentiles: Sequence[float] = PERCENTILES,
    bootstrap: int = REPLICATES,
    level: float = INTERVAL,
    interval: str = RECOMMENDED,
    seed: int = 0,
    overwrite: bool = False,
) -> Table1:
    """Write the shares and abundance percentiles of some fits' components, with bootstrap intervals.

    Raises
    ------
    UsageError, InputError, OutputError
        As `commands.apply`; also fits of different abundances.
    """
    _check_replicates(bootstrap)
    interval_type(interval)
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=tuple(fits))
    found = [load_fit(path) for path in fits]
    result = table1(found, _refits(found, bootstrap, seed), q=percentiles, level=level, interval=interval)
    choices = {"percentiles": percentiles, "bootstrap": bootstrap, "level": level, "interval": interval}
    save_table(output, result.table(), provenance("table", choices, inputs=fits, seeds=[seed]), overwrite=overwrite)
    return result


def eccentricity(
    fit: Path,
    stars: Path,
    output: Path,
    *,
    bins: int = BINS,
    cut: float = CUT,
    bootstrap: int = REPLICATES,
    level: float = INTERVAL,
    seed: int = 0,
    overwrite: bool = False,
) -> Eccentricities:
    """Write the distributions of eccentricity of a fit's components, with bands from bootstrap replicates.

    Raises
    ------
    UsageError, InputError, OutputError
        As `commands.apply`; also where the stars are not those of the fit.
    """
    _check_replicates(bootstrap)
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(fit, stars))
    found = load_fit(fit)
    refits = refit(found, bootstrap, seed=seed) if bootstrap else None
    result = eccentricities(found, read_catalogue(stars).table, bins=bins, cut=cut, refits=refits, level=level)
    choices = {"bins": bins, "cut": cut, "bootstrap": bootstrap, "level": level}
    record = provenance("eccentricity", choices, inputs=[fit, stars], seeds=[seed])
    save_table(output, result.table(), record, overwrite=overwrite)
    return result


def _check_replicates(bootstrap: int) -> None:
    if bootstrap == 1 or bootstrap < 0:
        raise UsageError(f"bootstrap must be 0, for no intervals, or two replicates and more; got {bootstrap}.")


def _refits(fits: Sequence[Fit], bootstrap: int, seed: int) -> list[Refits] | None:
    return [refit(fit, bootstrap, seed=seed) for fit in fits] if bootstrap else None
