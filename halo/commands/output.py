"""Outputs of a command: checked before anything is computed, recorded with where they came from, and saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError
from ..io.atomic import CATALOGUES, FITS, TABLES, check_inside, check_output, make_folder
from ..io.provenance import provenance
from .answer import warn, wrote

if TYPE_CHECKING:
    from ..figures import Picture
    from ..fits.fit import Fit
    from ..io.unfinished import Unfinished
    from ..orbits.convention import Convention

SUFFIXES = (".png", ".pdf", ".txt")
"""Files of a figure: two formats, and its caption."""


@dataclass(frozen=True)
class Output:
    """Where a command writes what it makes, or the folder for several files.

    Attributes
    ----------
    path : Path
        The file, or the folder.
    inputs : tuple of Path
        What is read; no output replaces it.
    overwrite : bool
        Replace existing files.
    figure : Path or None
        Name of the figure to draw too.
    convention : Convention or None
        What E and Lz of the inputs are measured in, where they say.
    within : bool
        The path is the folder of the files that are written by name.
    """

    path: Path
    inputs: tuple[Path, ...] = ()
    overwrite: bool = False
    figure: Path | None = None
    convention: Convention | None = None
    within: bool = False

    @classmethod
    def file(
        cls,
        path: Path,
        suffixes: Sequence[str],
        inputs: Sequence[Path | None],
        overwrite: bool,
        *,
        figure: Path | None = None,
        beside: Sequence[Path] = (),
        mixed: bool = False,
    ) -> Output:
        """Return the output of a command that writes a file, and maybe a figure and other files next to it.

        Inputs whose energies are of different conventions are refused, unless the command takes `mixed` ones.

        Raises
        ------
        InputError
            Energies of different conventions.
        UsageError
            A name whose ending does not tell what the file holds.
        OutputError
            A file exists, is an input, or cannot be written.
        """
        for one in (path, *beside):
            check_output(one, overwrite=overwrite, suffixes=suffixes, inputs=inputs)
        for one in () if figure is None else figure_files(figure):
            check_output(one, overwrite=overwrite)
        known = tuple(one for one in inputs if one is not None)
        return cls(path, known, overwrite, figure, None if mixed else _convention(known))

    @classmethod
    def table(cls, path: Path, inputs: Sequence[Path | None], overwrite: bool, **others: Any) -> Output:
        """Return the output of a command that writes a table."""
        return cls.file(path, TABLES, inputs, overwrite, **others)

    @classmethod
    def fit(cls, path: Path, inputs: Sequence[Path | None], overwrite: bool) -> Output:
        """Return the output of a command that writes a fit."""
        return cls.file(path, FITS, inputs, overwrite)

    @classmethod
    def catalogue(cls, path: Path, inputs: Sequence[Path | None], overwrite: bool, **others: Any) -> Output:
        """Return the output of a command that writes a prepared catalogue."""
        return cls.file(path, CATALOGUES, inputs, overwrite, **others)

    @classmethod
    def folder(cls, path: Path, names: Sequence[str], inputs: Sequence[Path], overwrite: bool) -> Output:
        """Return the output of a command that writes files of these names into a folder.

        Where there is none, it is made with the first file: a command that is refused leaves no empty folder.

        Raises
        ------
        OutputError
            A file exists, is an input, or cannot be written.
        """
        if path.exists():
            make_folder(path)  # raises where it is a file
            for name in names:
                check_output(path / name, overwrite=overwrite, inputs=inputs)
        else:
            check_inside(path)
        return cls(path, tuple(inputs), overwrite, convention=_convention(inputs), within=True)

    def record(
        self, command: str, settings: Mapping[str, Any], *, seeds: Sequence[int] = (), device: str | None = None
    ) -> dict[str, Any]:
        """Return the provenance of what the command makes of its inputs."""
        return provenance(command, settings, inputs=self.inputs, seeds=seeds, device=device)

    def save(self, product: Any, record: Mapping[str, Any], name: str = "") -> Path:
        """Write a product's table, or a table, with its provenance; under a name in the folder, or next to the file.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        from ..io.tables import save_table

        table = product.table() if callable(getattr(product, "table", None)) else product
        if self.convention is not None:
            table.meta.setdefault("convention", self.convention.record())
        return self._wrote(save_table(self.at(name), table, record, overwrite=self.overwrite))

    def save_fit(self, fit: Fit, record: Mapping[str, Any], name: str = "") -> Path:
        """Write a fit with its provenance."""
        from ..fits.store import save_fit

        made = replace(fit, provenance=dict(record))
        return self._wrote(save_fit(self.at(name), made, overwrite=self.overwrite))

    def save_stars(self, table: Any, cutflow: Any, record: Mapping[str, Any]) -> Path:
        """Write stars with their cut-flow and provenance: as FITS a prepared catalogue, as anything else a table."""
        from ..orbits.convention import stated
        from ..products.record import flow_record
        from ..stars.catalogue import CONVENTION, write_catalogue

        if self.path.suffix.lower() in CATALOGUES:
            if self.convention is not None and stated(record) is None:  # of orbits that the command does not compute
                record = {**record, CONVENTION: self.convention.record()}
            return self._wrote(write_catalogue(self.path, table, cutflow, record, overwrite=self.overwrite))
        table = table.copy(copy_data=False)
        table.meta["cutflow"] = flow_record(cutflow)
        return self.save(table, record)

    def draw(self, draw: Callable[[Any], Picture], record: Mapping[str, Any]) -> None:
        """Write the figure that was asked for; without a name draw nothing and load no matplotlib.

        Parameters
        ----------
        draw : callable
            Given the functions that draw, returns the picture.
        record : mapping
            Its provenance.
        """
        if self.figure is not None:
            from .. import figures

            save_figure(draw(figures), figure_files(self.figure)[0].with_suffix(""), record, overwrite=self.overwrite)

    @staticmethod
    def _wrote(path: Path) -> Path:
        wrote(path)
        return path

    def at(self, name: str) -> Path:
        """Return the path of a file by its name: in the folder, which is made where there is none, or next to the file.

        Raises
        ------
        OutputError
            The folder cannot be made.
        """
        if not name:
            return self.path
        if self.within:
            make_folder(self.path)
        return self.path / name if self.within or self.path.is_dir() else self.path.with_name(name)


def _convention(inputs: Sequence[Path]) -> Convention | None:
    from ..fits.conventions import common_convention  # needs h5py and astropy, which help does without

    return common_convention(inputs)


@contextmanager
def unfinished(
    path: Path, inputs: Sequence[Path | None], *, resume: bool, overwrite: bool, figure: Path | None = None
) -> Iterator[tuple[Output, Unfinished]]:
    """Return the output of a command that writes a table, and the folder next to it in which its work is kept.

    No other process may make the same output meanwhile. The folder is removed where the block ends without an error.

    Parameters
    ----------
    path : Path
        The table.
    inputs : sequence of Path or None
        What is read.
    resume : bool
        Go on with what is kept; what of the outputs had been written is then the work's own.
    overwrite : bool
        Replace the outputs, and begin again what is kept of them.
    figure : Path, optional
        Name of the figure.

    Raises
    ------
    OutputError
        As `Output.table`; another process is at work; or work is kept there, and the command is neither to go on with
        it nor to overwrite it.
    """
    from ..io.unfinished import Unfinished  # needs h5py, which help does without

    kept = Unfinished.of(path)
    with kept.alone():
        out = Output.table(path, inputs, overwrite or (resume and kept.begun), figure=figure)
        if kept.begun and not resume:
            if not overwrite:
                raise OutputError(
                    f"{kept.folder}: holds what an interrupted run has kept; go on with it (--resume), or begin again "
                    "(--overwrite)."
                )
            kept.remove()
        yield out, kept
        kept.remove()


def opened(path: Path) -> Fit:
    """Return the fit in a file; one that its verdict calls not to be trusted is said to be so on standard error.

    Raises
    ------
    InputError
        As `fits.store.load_fit`.
    """
    from ..fits import store

    found = store.load_fit(path)
    if found.judged is not None and found.judged.unsound:
        warn(f"{path}: {found.judged.line}")
    return found


def figure_files(figure: Path) -> list[Path]:
    """Return the files of a figure by its name, with or without a suffix."""
    stem = figure.with_suffix("") if figure.suffix.lower() in SUFFIXES else figure
    return [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]


def save_figure(
    picture: Picture,
    stem: Path,
    record: Mapping[str, Any],
    formats: Sequence[str] = ("png", "pdf"),
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write a picture in some formats, and its caption as text."""
    from .. import figures
    from ..io.tables import save_text

    files = figures.save(picture, stem, formats, overwrite=overwrite, provenance=record)
    caption = stem.with_name(f"{stem.name}.txt")
    made = [*files, save_text(caption, picture.caption, overwrite=overwrite)]
    wrote(*made)
    return made
