"""A mock survey with known truth: drawn from populations in McMillan (2017), observed and written as a survey's files.

The populations and their sources are in `populations`; `docs/mock.md` describes what is and what is not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from ..errors import OutputError, UsageError
from ..progress import Progress, announce, silent, stage
from . import tables as mock_files
from .expected import expected
from .family import galaxy
from .layouts import Layout, laid_out, write_extensions
from .observe import observe
from .populations import DISC_THINNING
from .settings import FILES, MockSettings
from .stars import REPEATS, draw_stars

__all__ = ["MockPaths", "MockSurvey", "draw", "expected", "make", "write"]

ALLSTAR, ASTRONN = FILES["apogee-dr17"]
MEMBERS, TRUTH = "members", "truth.fits"
MIN_STARS = 100

STAGES = ("draw stars", "observe", "tables", "write")
"""What progress is told of."""


@dataclass(frozen=True)
class MockSurvey:
    """A mock survey in memory.

    Attributes
    ----------
    table : Table
        Rows of allStarLite.
    astronn : Table
        The same rows of astroNN.
    members : dict of str to ndarray
        Per globular cluster, the 17 columns of its members' file.
    truth : Table
        The same rows: population, origin, true abundances, distance (kpc), phase space (kpc, km / s), E (km2 / s2),
        Lz, and the probability of selection.
    thinning : float
        One star in so many of the thin and thick disc was kept; 1 for a survey-like mock.
    seed : int
    full : bool
    model : str
        Name of the mock.
    """

    table: Table
    astronn: Table
    members: dict[str, np.ndarray]
    truth: Table
    thinning: float
    seed: int
    full: bool
    model: str = MockSettings.model


@dataclass(frozen=True)
class MockPaths:
    """The files of a mock survey, its thinning and its number of rows.

    Attributes
    ----------
    allstar, astronn, truth : Path
        FITS files: the catalogue, what goes with it in the layout, and the truth.
    members : Path
        Folder with a catalogues folder in it.
    thinning : float
        As in `MockSurvey`.
    n_rows : int
    """

    allstar: Path
    astronn: Path
    members: Path
    truth: Path
    thinning: float
    n_rows: int


def draw(
    n_stars: int = MockSettings.stars,
    seed: int = MockSettings.seed,
    full: bool = False,
    progress: Progress = silent,
    model: str = MockSettings.model,
) -> MockSurvey:
    """Draw a mock survey.

    Parameters
    ----------
    n_stars : int
        Rows, repeated observations included.
    seed : int
        The same seed gives the same survey.
    full : bool
        Keep the survey's own fraction of disc stars (halo stars are then 2 % of the rows); by default the discs are
        thinned.
    progress : callable, optional
        Called with (stage, done, total).
    model : str
        Which mock of `family.MODELS`.

    Returns
    -------
    MockSurvey

    Raises
    ------
    UsageError
        `n_stars` below 100, a negative seed, or no such model.
    """
    _check(n_stars, seed)
    drawn = galaxy(model)
    announce(progress, *STAGES)
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]
    n_repeats = round(REPEATS * n_stars)
    with stage(progress, STAGES[0]):
        true = draw_stars(n_stars - n_repeats, rngs[0], full=full, galaxy=drawn)
    with stage(progress, STAGES[1]):
        seen = observe(true, n_repeats, rngs[1])
    progress(STAGES[2], 0, 1)
    source_id = mock_files.source_ids(len(true), rngs[2])
    first = np.zeros(len(true), dtype=np.int64)
    first[seen.star] = np.arange(seen.star.size)
    apogee_id = mock_files.identify(seen.columns["RA"][first], seen.columns["DEC"][first])
    survey = MockSurvey(
        table=mock_files.allstar_table(true, seen, apogee_id, source_id),
        astronn=mock_files.astronn_table(seen, apogee_id, source_id),
        members=mock_files.member_tables(true, source_id, rngs[2]),
        truth=mock_files.truth_table(true, seen, apogee_id, 1.0 if full else DISC_THINNING),
        thinning=1.0 if full else DISC_THINNING,
        seed=seed,
        full=full,
        model=model,
    )
    progress(STAGES[2], 1, 1)
    return survey


def write(
    directory: str | Path,
    survey: MockSurvey,
    overwrite: bool = False,
    progress: Progress = silent,
    layout: str = MockSettings.survey,
) -> MockPaths:
    """Write a mock survey in a survey's own file layouts, and its truth.

    Parameters
    ----------
    directory : path
        Created where absent.
    survey : MockSurvey
    overwrite : bool
        Replace a mock that is already there.
    progress : callable, optional
        Called with (stage, done, total).
    layout : str
        Whose files; one of `settings.FILES`.

    Returns
    -------
    MockPaths

    Raises
    ------
    OutputError
        Files of a mock exist and `overwrite` is false, or the directory cannot be written.
    """
    paths = _paths(Path(directory), survey.thinning, len(survey.table), layout)
    _check_output(paths, overwrite)
    header: dict[str, tuple[object, str]] = {
        "MOCK": (True, "simulated: no survey data"),
        "MOCKSEED": (survey.seed, "seed"),
        "MOCKFULL": (survey.full, "survey-like shares, no thinning"),
        "MOCKMODL": (survey.model, "which mock of the family"),
        "DISCTHIN": (survey.thinning, "one disc star in so many was kept"),
    }
    try:
        paths.allstar.parent.mkdir(parents=True, exist_ok=True)
        if layout == MockSettings.survey:
            files = {ALLSTAR: (survey.table,), ASTRONN: (survey.astronn,)}
            found = Layout(files, survey.truth)
        else:
            found = laid_out(survey, layout)
        tables = {paths.allstar.parent / name: one for name, one in found.files.items()} | {paths.truth: (found.truth,)}
        total = len(tables) + 1
        for done, (path, extensions) in enumerate(tables.items()):
            progress(STAGES[3], done, total)
            write_extensions(path, extensions, header)
        progress(STAGES[3], total - 1, total)
        mock_files.write_members(paths.members, survey.members)
    except OSError as error:
        raise OutputError(f"cannot write the mock into {directory}: {error.strerror or error}.") from error
    progress(STAGES[3], total, total)
    return paths


def make(
    directory: str | Path,
    n_stars: int = MockSettings.stars,
    seed: int = MockSettings.seed,
    full: bool = False,
    progress: Progress = silent,
    overwrite: bool = False,
    model: str = MockSettings.model,
    layout: str = MockSettings.survey,
) -> MockPaths:
    """Draw a mock survey and write it; parameters and errors as in `draw` and `write`."""
    _check(n_stars, seed)
    galaxy(model)
    if layout not in FILES:
        raise UsageError(f"survey must be one of {', '.join(FILES)}; got {layout!r}.")
    _check_output(_paths(Path(directory), 1.0, n_stars, layout), overwrite)
    return write(directory, draw(n_stars, seed, full, progress, model), overwrite, progress, layout)


def _paths(directory: Path, thinning: float, n_rows: int, layout: str) -> MockPaths:
    allstar, astronn = (directory / name for name in FILES[layout])
    return MockPaths(allstar, astronn, directory / MEMBERS, directory / TRUTH, thinning, n_rows)


def _check(n_stars: int, seed: int) -> None:
    if n_stars < MIN_STARS:
        raise UsageError(f"n_stars must be at least {MIN_STARS} rows; got {n_stars}. Ask for more.")
    if seed < 0:
        raise UsageError(f"seed must be a non-negative integer; got {seed}.")


def _check_output(paths: MockPaths, overwrite: bool) -> None:
    folder = paths.allstar.parent
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, expected a directory; choose another.")
    found = [p for p in (paths.allstar, paths.astronn, paths.truth, paths.members) if p.exists()]
    foreign = [p for p in (paths.allstar, paths.astronn, paths.truth) if p.exists() and not _is_mock(p)]
    if foreign:
        raise OutputError(f"{foreign[0]} is no mock's file, so it is not overwritten; choose another directory.")
    if found and not overwrite:
        raise OutputError(f"{found[0]} exists; choose another directory, or allow overwriting (--overwrite).")


def _is_mock(path: Path) -> bool:
    # the mock's files have the survey's own names: real ones must never be replaced
    try:
        return bool(fits.getheader(path, 1).get("MOCK", False))
    except (OSError, IndexError):
        return False
