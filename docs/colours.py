"""Check that readers who see few colours, or none, tell apart what every figure tells apart.

Draws every figure of `halonmf.halo.figures`, most of them as `halonmf paper` does on a mock survey, and looks at what
they are made of. Run with: python docs/colours.py, which prints a line per figure and fails where one fails.

Marks of different colours that carry different meanings (entries of one figure's legends, and what one set of axes
shows) must differ by DELTA_E (CIEDE2000) for normal sight, for the three kinds of dichromats and without any colour, or
else in style as well: marker, line, hatching, filled or open. Sequential maps must be monotone in lightness for all of
them; diverging maps must be symmetric in lightness, and their ends must differ for all who see colours.
"""

from __future__ import annotations

import itertools
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.collections import Collection, LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.container import ErrorbarContainer
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

DELTA_E = 10.0
"""Least difference of two colours that a reader tells apart by colour alone; about 1 is just noticed side by side."""
SAME, CHROMATIC, THIN, FINE = 1.0, 8.0, 0.5, 1.0
"""Difference below which colours are one, chroma below which one is a grey, opacity below which a fill is a band, and
width in points below which a line is a fine one."""
STEP, SKEW = 0.3, 10.0
"""Steps back in L* that a sequential map may take, and how far the sides of a diverging one may differ in L*."""
DIVERGING = ("RdBu", "BrBG")
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SIGHTS = {
    "normal": IDENTITY,
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
    "greyscale": ((0.2126, 0.7152, 0.0722),) * 3,
}
"""What is seen of linear sRGB: Machado, Oliveira & Fernandes (2009, IEEE TVCG 15, 1291), severity 1; or luminance."""
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(rgb: Any, sight: str = "normal") -> np.ndarray:
    """Return CIE L*a*b* (D65) of sRGB as one sight sees it, shapes (..., 3)."""
    rgb = np.asarray(rgb, float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHTS[sight]).T, 0, 1)
    t = seen @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def ciede2000(one: Any, other: Any) -> float:
    """Return the colour difference of Sharma, Wu & Dalal (2005, Color Res. Appl. 30, 21) between L*a*b*."""
    (L1, a1, b1), (L2, a2, b2) = (np.asarray(x, float) for x in (one, other))
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    G = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    A1, A2 = (1 + G) * a1, (1 + G) * a2
    C1, C2 = np.hypot(A1, b1), np.hypot(A2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, A1)) % 360, np.degrees(np.arctan2(b2, A2)) % 360
    turn = 0.0 if C1 * C2 == 0 else (h2 - h1 + 180) % 360 - 180
    dL, dC, dH = L2 - L1, C2 - C1, 2 * np.sqrt(C1 * C2) * np.sin(np.radians(turn / 2))
    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    # the hue halfway on the shorter arc; hues of greys do not count
    h = h1 + h2 if C1 * C2 == 0 else (h1 + h2) / 2 if abs(h1 - h2) <= 180 else ((h1 + h2) / 2 + 180) % 360
    cos = lambda degrees: np.cos(np.radians(degrees))  # noqa: E731
    T = 1 - 0.17 * cos(h - 30) + 0.24 * cos(2 * h) + 0.32 * cos(3 * h + 6) - 0.20 * cos(4 * h - 63)
    SL = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2)
    SC, SH = 1 + 0.045 * C, 1 + 0.015 * C * T
    RT = -np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2)))) * 2 * np.sqrt(C**7 / (C**7 + 25.0**7))
    l, c, d = dL / SL, dC / SC, dH / SH  # noqa: E741
    return float(np.sqrt(l**2 + c**2 + d**2 + RT * c * d))


def apart(one: str, other: str, sight: str) -> float:
    """Return by how much two colours differ for one sight."""
    return ciede2000(*(lab(to_rgba(x)[:3], sight) for x in (one, other)))


@dataclass(frozen=True)
class Mark:
    """What one thing looks like: its colour on white, and its style; and what it is called, if a legend says."""

    colour: str
    style: tuple[Any, ...]
    label: str = ""


def on_white(colour: Any, alpha: float | None = None) -> str:
    """Return a colour as it looks on white, by its own opacity or another one."""
    *rgb, opacity = to_rgba(colour)
    opacity = opacity if alpha is None else alpha
    return to_hex([1 - opacity * (1 - c) for c in rgb])


def mark_of(artist: Any, label: str = "") -> Mark | None:
    """Return how an artist looks; None of one that shows no colour of its own, such as an image."""
    if isinstance(artist, Line2D):
        line, marker = artist.get_linestyle() not in ("None", "none", "", " "), artist.get_marker()
        marked = marker not in (None, "None", "none", "", " ")
        # a line's opacity is no meaning: lines lie over others
        colour = artist.get_color() if line else artist.get_markerfacecolor()
        filled = marked and not _white(artist.get_markerfacecolor())
        if marked and not line and not filled:
            colour = artist.get_markeredgecolor()
        dashes = _dashes(artist._unscaled_dash_pattern) if line else None
        thin = line and artist.get_linewidth() < FINE
        return Mark(on_white(colour, 1), ("line", dashes, thin, str(marker) if marked else "", filled), label)
    if isinstance(artist, Patch):
        face = artist.get_facecolor()
        # a frame is what a line is
        if not artist.get_fill() or face[3] == 0:
            return Mark(on_white(artist.get_edgecolor(), 1), ("frame", artist.get_linestyle()), label)
        return Mark(on_white(face), ("fill", artist.get_hatch() or ""), label)
    if isinstance(artist, Collection) and artist.get_array() is None:
        if isinstance(artist, LineCollection):
            dashes = _dashes(artist.get_linestyle()[0])
            return (
                Mark(on_white(artist.get_edgecolor()[0], 1), ("line", dashes, False, "", False), label)
                if len(artist.get_edgecolor())
                else None
            )
        faces = artist.get_facecolor()
        if len(faces):
            kind = "points" if isinstance(artist, PathCollection) else "fill"
            return Mark(on_white(faces[0]), (kind, artist.get_hatch() or ""), label)
    return None


def _dashes(pattern: Any) -> Any:
    return tuple(np.round(pattern[1], 1)) if pattern[1] is not None else ()


def _white(colour: Any) -> bool:
    return (isinstance(colour, str) and colour.lower() == "none") or np.allclose(to_rgba(colour)[:3], 1)


def band(artist: Any) -> bool:
    """Return whether something is around a line, whose colour it has: a pale fill, or lines so named."""
    if isinstance(artist, Line2D):
        return artist.get_label() == "_around"
    if not isinstance(artist, Collection | Patch):
        return False
    faces = np.atleast_2d(artist.get_facecolor())
    return len(faces) > 0 and 0 < faces[0][-1] < THIN


def legends(figure: Any) -> Iterator[Legend]:
    """Yield the legends of a figure."""
    yield from figure.legends
    for axes in figure.axes:
        yield from (child for child in axes.get_children() if isinstance(child, Legend))


def groups(figure: Any) -> list[list[Mark]]:
    """Return what must be told apart: all that legends name, and what each set of axes shows in colours."""
    named: list[Mark] = []
    bars = [each for axes in figure.axes for each in axes.containers if isinstance(each, ErrorbarContainer)]
    # an entry of points with error bars is known by its points, and bars go with them
    points = {each.get_label(): each.lines[0] for each in bars if each.lines[0] is not None}
    without = {id(line) for each in bars for line in (*each.lines[1], *each.lines[2])}
    for legend in legends(figure):
        for artist, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            found = mark_of(points.get(text.get_text(), artist), text.get_text())
            if found is not None and not band(artist):
                named.append(found)
    found_groups = [named]
    for axes in figure.axes:
        if hasattr(axes, "_colorbar"):
            continue
        artists = [x for x in (*axes.lines, *axes.patches, *axes.collections) if x.get_visible() and not band(x)]
        shown = [mark_of(x) for x in artists if id(x) not in without]
        chromatic = {x for x in shown if x is not None and np.hypot(*lab(to_rgba(x.colour)[:3])[1:]) > CHROMATIC}
        found_groups.append(sorted(chromatic, key=str))
    return found_groups


@dataclass(frozen=True)
class Found:
    """What was found of a figure: pairs told apart by colour and by style, the least differences, maps, and faults."""

    pairs: int
    styled: int
    least: dict[str, float]
    maps: tuple[str, ...]
    faults: tuple[str, ...]


def check(figure: Any) -> Found:
    """Return whether a figure's marks and maps are told apart by all sights."""
    pairs, styled, faults = set(), set(), []
    for group in groups(figure):
        for one, other in itertools.combinations(group, 2):
            if apart(one.colour, other.colour, "normal") < SAME:
                if one.style == other.style and one.label != other.label:
                    faults.append(f"{one.label!r} and {other.label!r} look the same")
            elif one.style != other.style:
                styled.add(frozenset((one, other)))
            else:
                pairs.add((*sorted((one.colour, other.colour)), " and ".join(filter(None, (one.label, other.label)))))
    least = {}
    for sight in SIGHTS:
        differences = [
            (apart(a, b, sight), f"{a} and {b} ({said})" if said else f"{a} and {b}") for a, b, said in pairs
        ]
        if differences:
            least[sight] = min(differences)[0]
            faults += [f"{sight}: {said} differ by {d:.1f}" for d, said in sorted(differences) if d < DELTA_E]
    maps = maps_of(figure)
    return Found(
        len(pairs),
        len(styled),
        least,
        tuple(maps),
        tuple(dict.fromkeys([*faults, *itertools.chain(*map(map_faults, maps.values()))])),
    )


def maps_of(figure: Any) -> dict[str, Any]:
    """Return the colour maps that a figure's values are shown by, those of components by their middle colour."""
    found = {}
    for axes in figure.axes:
        for artist in (*axes.images, *axes.collections):
            array = artist.get_array()
            if (
                array is not None
                and np.ndim(array) < 3
                and np.ptp(np.ma.compressed(np.ma.masked_invalid(array)) if np.ma.count(array) else [0]) > 0
            ):
                cmap = artist.get_cmap()
                name = f"{cmap.name} {to_hex(cmap(0.5))}" if cmap.name not in mpl.colormaps else cmap.name
                found[name] = cmap
    return found


def map_faults(cmap: Any) -> list[str]:
    """Return what is wrong with a colour map."""
    colours = cmap(np.linspace(0, 1, 65))[:, :3]
    faults = []
    for sight in SIGHTS:
        L = lab(colours, sight)[:, 0]
        if cmap.name.removesuffix("_r") in DIVERGING:
            # red is dark to those without red cones, whatever is done
            skew = np.abs(L - L[::-1]).max() if sight in ("normal", "greyscale") else 0.0
            if skew > SKEW:
                faults.append(f"{cmap.name}, {sight}: its sides differ by {skew:.1f} in lightness")
            if min(np.diff(L[:33]).min(), -np.diff(L[32:]).max()) < -STEP:
                faults.append(f"{cmap.name}, {sight}: lightness does not rise to the middle and fall again")
            ends = apart(to_hex(colours[6]), to_hex(colours[-7]), sight)
            if sight != "greyscale" and ends < DELTA_E:
                faults.append(f"{cmap.name}, {sight}: its ends differ by {ends:.1f}")
        else:
            steps = np.diff(L) * np.sign(L[-1] - L[0])
            if steps.min() < -STEP:
                faults.append(f"{cmap.name}, {sight}: lightness goes back by {-steps.min():.1f}")
    return faults


def table(found: Mapping[str, Found]) -> str:
    """Return a line per figure: the pairs that colour alone tells apart, the least difference for each sight."""
    width = max(map(len, found))
    lines = [f"{'figure':{width}s}  pairs  by style  {'  '.join(SIGHTS)}  maps"]
    for name, one in found.items():
        least = "  ".join(
            f"{f'{one.least[sight]:.1f}' if sight in one.least else '-':>{len(sight)}s}" for sight in SIGHTS
        )
        lines.append(f"{name:{width}s}  {one.pairs:5d}  {one.styled:8d}  {least}  {', '.join(one.maps) or '-'}")
        lines += [f"{'':{width}s}  FAILS: {fault}" for fault in one.faults]
    return "\n".join(lines)


def main() -> int:
    """Draw all, print the table, and return how many figures fail or were not drawn."""
    from colours_drawn import everything, functions

    with tempfile.TemporaryDirectory() as folder:
        drawn = everything(pathlib.Path(folder))
    found = {name: check(figure) for name, figure in sorted(drawn.items())}
    missing = functions() - {name.split(" ")[0] for name in drawn}
    failed = [name for name, one in found.items() if one.faults]
    said = f"{len(found)} figures of {len(functions())} functions, {len(failed)} fail, {len(missing)} are not drawn"
    sys.stdout.write(f"{table(found)}\n{said}{': ' * bool(missing)}{', '.join(sorted(missing))}\n")
    return len(failed) + len(missing)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
