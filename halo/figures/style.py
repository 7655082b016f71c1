"""How things look in every figure: names and units on axes, colours of components, shades of densities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..io.reading import cleaned
from ..stars.variables import ELEMENTS, known, ratio

LOW, HIGH = "#2166ac", "#b2182b"
"""Ends of ColorBrewer's RdBu, which readers without red or green cones tell apart: low and high energy."""
BETWEEN = ("#33bbee", "#3d9973", "#d4c02a", "#e06a20", "#882255")
"""Components between them in energy; any pair of colours stays apart in simulated red- and green-blindness."""
_PICK: dict[int, tuple[int, ...]] = {0: (), 1: (3,), 2: (0, 3), 3: (0, 1, 3), 4: (0, 1, 3, 4), 5: (0, 1, 2, 3, 4)}
CYAN, ORANGE, BLUE = "#2aaee0", "#d45f12", "#2f7abf"
"""The paper's colours of low and high energy in the chemically pure halo; blue and red in the other one. Dashes have
another meaning in those figures, so that the colours of low energy are lighter than those of high energy."""
SELECTIONS: dict[str, dict[str, Any]] = {
    "chemically-pure": {"LE": CYAN, "HE": ORANGE, "ls": "-", "marker": "o"},
    "kinematically-pure": {"LE": BLUE, "HE": HIGH, "ls": (0, (5, 1.6)), "marker": "s"},
}
FOUR: dict[str, tuple[str, Any]] = {
    "HE1": (ORANGE, (0, (5, 1.6))),
    "HE2": (ORANGE, (0, (1.1, 1.2))),
    "LE1": (CYAN, (0, (5, 1.6))),
    "LE2": (CYAN, (0, (1.1, 1.2))),
}
"""The four components: dashed the first, dotted the second of either energy."""
MARKERS = "osD^vPX"
LINES = (
    *("-", (0, (5, 1.5)), (0, (5, 1.2, 1, 1.2)), (0, (1.2, 1.2))),
    *((0, (9, 1.5)), (0, (4, 1, 1, 1, 1, 1)), (0, (3, 3))),
)
"""Of components in their order: low and high energy are equally light, and without colour only these differ."""
LONGEST = 40
"""Characters of a foreign name that are shown."""
AROUND = "_around"
"""Name of lines that are read with another of their colour, which they go around; legends leave such names out."""
WEIGHTS, FRACTIONS, DENSITY = "YlOrRd", "RdBu", "YlGnBu"
EMPTY: dict[str, Any] = {"facecolor": "0.93", "edgecolor": "0.75", "hatch": "////", "linewidth": 0.0}

_SCALED = {"E": (1e5, "E"), "Lz": (1e3, "L_z"), "J_r": (1e3, "J_r"), "J_phi": (1e3, r"J_\phi"), "J_z": (1e3, "J_z")}


@dataclass(frozen=True)
class Scale:
    """How a variable is drawn: its values divided by `factor`, under `label`, which names the unit."""

    factor: float
    label: str


def scale(name: str) -> Scale:
    """Return how a variable is drawn: E in 1e5 km2/s2, Lz and actions in 1e3 kpc km/s, abundances in dex."""
    if name in _SCALED:
        factor, symbol = _SCALED[name]
        unit = r"km$^2$ s$^{-2}$" if name == "E" else r"kpc km s$^{-1}$"
        return Scale(factor, f"${symbol}$ [$10^{int(np.log10(factor))}$ {unit}]")
    found = known(name)
    label = words(name) if found is None else found.label
    abundances = {"FE_H", "M_H", "ALPHA_M", *(f"{x}_FE" for x in ELEMENTS)}
    return Scale(1.0, f"{label} [dex]" if name in abundances or ratio(name) is not None else label)


def words(text: str) -> str:
    """Return a foreign name, of a column or a region, as figures show it: short, and not taken for mathematics."""
    shown = cleaned(text, LONGEST).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown  # legends leave names out that begin so


def label(axes: Axes, x: str | None = None, y: str | None = None) -> None:
    """Write the variables' names and units on the axes."""
    if x is not None:
        axes.set_xlabel(scale(x).label)
    if y is not None:
        axes.set_ylabel(scale(y).label)


def ticks(axes: Axes, x: int, y: int) -> None:
    """Set at most so many ticks, at steps of 1, 2 or 5."""
    for axis, number in ((axes.xaxis, x), (axes.yaxis, y)):
        axis.set_major_locator(MaxNLocator(number, steps=[1, 2, 5, 10]))


def colours(k: int) -> tuple[Any, ...]:
    """Return one colour for each of k components, from low to high energy."""
    if k == 1:
        return (LOW,)
    if k - 2 in _PICK:
        return (LOW, *(BETWEEN[i] for i in _PICK[k - 2]), HIGH)
    return tuple(mpl.colormaps["plasma"](np.linspace(0, 0.92, k)))


def hexes(colours: Any) -> list[str]:
    """Return colours as pages write them, such as ``#2166ac``."""
    return [to_hex(colour) for colour in colours]


def shades(values: np.ndarray) -> list[str]:
    """Return the colours of in-situ fractions, shape (m,), as maps of fractions draw them."""
    return hexes(mpl.colormaps[FRACTIONS](np.clip(np.nan_to_num(values), 0, 1)))


def round_numbers(low: float, high: float, number: int) -> tuple[float, ...]:
    """Return at most about so many ticks within limits, at steps of 1, 2 or 5."""
    found = MaxNLocator(number, steps=[1, 2, 5, 10]).tick_values(low, high)
    return tuple(float(x) for x in found if low <= x <= high)


def line_of(name: str, selection: str = "chemically-pure") -> dict[str, Any]:
    """Return colour and line style of a component by name, as the paper draws it; black for names that it has not."""
    if name in FOUR:
        colour, style = FOUR[name]
        return {"color": colour, "ls": style}
    kind = SELECTIONS.get(selection, SELECTIONS["chemically-pure"])
    return {"color": kind.get(name, "k"), "ls": kind["ls"]}


def ramp(colour: Any) -> Colormap:
    """Return a colour map from white over `colour` to a dark shade of it, falling steadily in lightness."""
    dark = tuple(0.35 * c for c in to_rgb(colour))
    return LinearSegmentedColormap.from_list("ramp", ["white", colour, dark])


def no_stars(text: str = "no stars") -> Patch:
    """Return the legend's handle of hatched cells."""
    return Patch(label=text, **EMPTY)
