"""A sample that ships, for first steps without a network: a small mock survey in the layout of APOGEE DR17.

`docs/sample.py` makes it: 4,000 rows of the mock, seed 1, with the columns that `prepare` reads. Real stars come with
``halonmf fetch dr17``.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..io.atomic import check_inside, make_folder, write_bytes
from ..progress import Progress, silent
from .sources import SAMPLE

if TYPE_CHECKING:
    from ..stars.catalogue import Catalogue

SAMPLE_FILES = ("mock-allStarLite-dr17.fits.gz", "mock-astroNN-dr17.fits.gz")
TITLE = "a mock survey of 4,000 rows in APOGEE DR17's layout; it ships, no network is needed"
BINS, PIXELS = "E:4,Lz:4", 20
"""What its stars suffice for."""


def sample(*, progress: Progress = silent) -> Catalogue:
    """Return the stars of the sample that ships, prepared: a mock survey of 4,000 rows in the layout of APOGEE DR17.

    They suffice for ``bins="E:4,Lz:4", pixels=20``. Stars that lie in globular clusters by place and motion are
    removed.

    Parameters
    ----------
    progress : callable
        As in `prepare`.

    Returns
    -------
    Catalogue
        As `prepare` makes it, orbits in McMillan (2017) and all; not on disk.

    Examples
    --------
    >>> from halonmf import halo
    >>> stars = halo.sample()  # doctest: +SKIP
    >>> fit = halo.fit(stars, bins="E:4,Lz:4", pixels=20)  # doctest: +SKIP
    """
    from ..survey.prepare import prepare
    from ..survey.settings import PrepareSettings

    catalogue, distances = (Path(str(files(__package__) / name)) for name in SAMPLE_FILES)
    return prepare(catalogue, distances, settings=PrepareSettings(clusters="remove"), progress=progress)


def split_sample(names: Sequence[str]) -> tuple[bool, tuple[str, ...]]:
    """Return whether the sample is among names, and the other names."""
    return SAMPLE in names, tuple(name for name in names if name != SAMPLE)


def write_sample(folder: str | Path) -> list[Path]:
    """Write the sample's files into a folder, made where there is none; those that are there and the same are kept.

    Raises
    ------
    OutputError
        Another file has the name of one, or it cannot be written.
    """
    where = Path(folder)
    check_inside(where)
    paths = [where / name for name in SAMPLE_FILES]
    contents = [(files(__package__) / name).read_bytes() for name in SAMPLE_FILES]
    missing = [pair for pair in zip(paths, contents, strict=True) if not _same(*pair)]
    make_folder(where)
    for path, content in missing:
        write_bytes(path, content)
    return paths


def next_commands(folder: Path) -> list[str]:
    """Return the commands to run on the sample's files."""
    catalogue, distances = (quote(str(folder / name)) for name in SAMPLE_FILES)
    return [
        f"halonmf prepare {catalogue} {distances} --clusters remove -o stars.fits",
        f"halonmf fit stars.fits -o fit.h5 --bins {BINS} --pixels {PIXELS}",
    ]


def _same(path: Path, content: bytes) -> bool:
    """Whether a file is there with this content."""
    if not path.exists():
        return False
    if not path.is_file() or path.read_bytes() != content:
        raise OutputError(f"{path}: exists and is not the sample's file; move it, or choose another folder (-o).")
    return True
