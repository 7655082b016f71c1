"""A figure with its caption, drawn in the project's style and written without leaving half a file."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import matplotlib.style  # reads style files; the bare package does not load it, nor does it load pyplot
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from ..errors import UsageError
from ..io.atomic import check_output, write_atomically

STYLE = Path(__file__).with_name("halonmf.mplstyle")
FORMATS = ("png", "pdf", "svg")
IN_NOTEBOOKS = 150
"""Dots per inch of pictures that are shown in a notebook: sharp, and a tenth of a megabyte each."""
# what each format calls the caption, the software and the record of how the file came to be
_KEYS = {
    "png": ("Description", "Software", "Provenance"),
    "pdf": ("Subject", "Creator", "Keywords"),
    "svg": ("Description", "Creator", "Source"),
}
_UNDATED: dict[str, dict[str, Any]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}

P = ParamSpec("P")
_STYLED = threading.RLock()


@contextlib.contextmanager
def in_style() -> Iterator[None]:
    """Draw inside under the project's style alone; afterwards the caller's own settings are back.

    Settings are those of the whole process: threads that draw do so one after the other.
    """
    with _STYLED, mpl.style.context(STYLE, after_reset=True):
        yield


@dataclass(frozen=True, repr=False)
class Picture:
    """A figure with its caption, its alternative text and its numbers.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        Belongs to no window; `save` writes it.
    caption : str
        What is drawn, what was cut and how many stars are in it.
    alt : str
        Alternative text: the same picture for readers who cannot see it.
    data : Table or None
        The numbers that are drawn, one row per mark; None where the figure shows products that are saved themselves.

    Raises
    ------
    ValueError
        No caption or no alternative text.
    """

    figure: Figure
    caption: str
    alt: str
    data: Any = None

    def __post_init__(self) -> None:
        if not (self.caption and self.alt):
            raise ValueError("a picture needs a caption and an alternative text; one of them is empty.")

    def __repr__(self) -> str:
        return f"Picture({self.alt!r})"

    def _repr_html_(self) -> str:
        """Return the picture for a notebook, with its caption below and its alternative text."""
        held = io.BytesIO()
        with in_style():
            lay_out(self.figure)
            self.figure.savefig(held, format="png", dpi=IN_NOTEBOOKS)
        source = f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"
        width = round(self.figure.get_figwidth() * 100)
        return (
            f'<figure style="margin:0"><img src="{source}" alt="{escape(self.alt)}" '
            f'style="background:white;width:{width}px;max-width:100%">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


def styled(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Return `draw` as it draws under the project's style alone, see `in_style`."""

    @functools.wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with in_style():
            return draw(*args, **kwargs)

    return inner


def save(
    picture: Picture | Figure,
    path: str | Path,
    formats: Sequence[str] = ("png", "pdf"),
    *,
    overwrite: bool = False,
    provenance: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write a picture in every format; under its final name a file is complete or absent.

    The first time a picture is written its layout is settled, and stays.

    The same picture gives the same bytes: no dates are written. The caption goes into the file's metadata, and with it
    the version, the hash of the settings and the hashes of the inputs, as JSON: in PNG as the text ``Provenance``, in
    PDF as ``Keywords``, in SVG as ``Source``.

    Parameters
    ----------
    picture : Picture or Figure
        What to write.
    path : path
        With or without the suffix of a format; a suffix adds its format to the others.
    formats : sequence of str
        Among `FORMATS`.
    overwrite : bool
        Replace existing files.
    provenance : mapping, optional
        How the picture came to be, as `provenance.provenance` makes it.

    Returns
    -------
    list of Path
        One per format.

    Raises
    ------
    OutputError
        A file exists, its folder is absent, or it cannot be written.
    UsageError
        An unknown format.
    """
    path = Path(path)
    suffix = path.suffix.lower().lstrip(".")
    stem = path.with_suffix("") if suffix in FORMATS else path
    wanted = list(dict.fromkeys([*formats, *([suffix] if suffix in FORMATS else [])]))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        raise UsageError(f"formats must be among {', '.join(FORMATS)}; got {', '.join(unknown) or 'none'}.")
    figure, caption = (picture.figure, picture.caption) if isinstance(picture, Picture) else (picture, "")
    targets = [stem.with_name(f"{stem.name}.{name}") for name in wanted]
    for target in targets:
        check_output(target, overwrite=overwrite)
    with in_style():
        lay_out(figure)
        for target, name in zip(targets, wanted, strict=True):
            _write(figure, target, name, _metadata(name, caption, provenance))
    return targets


def lay_out(figure: Figure) -> None:
    """Lay a figure out at the resolution of files, once and for all.

    Left to itself, matplotlib does it again for every file, from where it ended before, and draws all once more without
    a trace each time. Ticks without labels point inwards and take no room; there are many, and without them it takes
    half as long. They are then drawn as lines of markers, which gives the same picture.
    """
    engine, dpi = figure.get_layout_engine(), figure.dpi
    if engine is None:
        return
    # axes that share their ticks are asked once
    axes: Any = {id(x.minor): x for each in figure.axes for x in (each.xaxis, each.yaxis)}.values()
    bare = [(x, x.minor.locator) for x in axes if isinstance(x.minor.formatter, NullFormatter)]
    figure.dpi = mpl.rcParams["savefig.dpi"]
    try:
        for x, _ in bare:
            x.minor.locator = NullLocator()
        engine.execute(figure)
    finally:
        for x, locator in bare:
            x.minor.locator = locator
        figure.dpi = dpi
    figure.set_layout_engine(None)
    for each in figure.axes:
        for x in (each.xaxis, each.yaxis):
            if each.get_visible() and each.axison and isinstance(x.minor.formatter, NullFormatter):
                _stamp(each, x)
    for x, _ in bare:
        x.minor.locator = NullLocator()


def _stamp(axes: Any, axis: Any) -> None:
    """Draw an axis's unlabelled ticks as one line of markers on either side: by itself, each of them is six objects."""
    ends, places = np.sort(axis.get_view_interval()), np.asarray(axis.get_minorticklocs())
    slack = 1e-10 * (ends[1] - ends[0])
    places = places[(places >= ends[0] - slack) & (places <= ends[1] + slack)]
    if len(places) == 0:
        return
    (like,) = axis.get_minor_ticks(1)
    for side, mark in enumerate((like.tick1line, like.tick2line)):
        if mark.get_visible():
            at = places, np.full(len(places), side)
            line = Line2D(*(at if axis.axis_name == "x" else at[::-1]))
            line.update_from(mark)
            line.set(transform=mark.get_transform(), zorder=axis.get_zorder(), in_layout=False)
            axes.add_artist(line)


def _metadata(name: str, caption: str, record: Mapping[str, Any] | None) -> dict[str, Any]:
    caption_key, software_key, record_key = _KEYS[name]
    metadata: dict[str, Any] = {caption_key: caption, **_UNDATED[name]}
    if record is not None:
        metadata[software_key] = f"{record['software']} {record['version']}"
        # without the time, which would make every file another
        kept = {key: record[key] for key in ("software", "version", "command", "settings_sha256")}
        kept["inputs"] = [{key: item[key] for key in ("name", "sha256")} for item in record["inputs"]]
        metadata[record_key] = json.dumps(kept, sort_keys=True)
    return metadata


def _write(figure: Figure, path: Path, name: str, metadata: Mapping[str, Any]) -> None:
    def write(temporary: Path) -> None:
        figure.savefig(temporary, format=name, metadata=metadata)

    write_atomically(path, write, overwrite=True)
