"""Figures beside the table of a command: checked before anything is computed, drawn only where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.atomic import check_output
from ..io.tables import save_text

if TYPE_CHECKING:
    from ..figures import Picture

SUFFIXES = (".png", ".pdf", ".txt")
"""Files of a figure: two formats, and its caption."""


def check_figure(figure: Path | None, overwrite: bool) -> None:
    """Raise where writing a figure of this name must fail.

    Raises
    ------
    OutputError
        One of its files exists, or cannot be written.
    """
    for path in () if figure is None else figure_files(figure):
        check_output(path, overwrite=overwrite)


def figure_files(figure: Path) -> list[Path]:
    """Return the files of a figure by its name, with or without a suffix."""
    stem = figure.with_suffix("") if figure.suffix.lower() in SUFFIXES else figure
    return [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]


def draw_figure(
    figure: Path | None, draw: Callable[[Any], Picture], record: Mapping[str, Any], overwrite: bool
) -> None:
    """Write a figure as PNG and PDF, with its caption as text; without a name draw nothing and load no matplotlib."""
    if figure is None:
        return
    from .. import figures

    picture = draw(figures)
    *_, text = figure_files(figure)
    figures.save(picture, text.with_suffix(""), overwrite=overwrite, provenance=record)
    save_text(text, picture.caption, overwrite=overwrite)
