"""How results show themselves in a console and in a notebook: a title, and a few facts or lines, a small picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

COLOURS = ("#4477aa", "#cc3311", "#228833", "#aa3377", "#ee7733", "#66ccee")
"""Of components, from low to high energy."""
WIDTH, HEIGHT = 240, 60
"""Of the picture, in pixels."""
MOST_LINES = 12
"""Lines of a description that are shown."""


class Shown:
    """A result with a short ``repr``, and a table with a picture in notebooks.

    Subclasses define `_shown`. Dataclasses among them need ``repr=False``, or they would have their own.
    """

    def _shown(self) -> tuple[str, Mapping[str, str], str]:
        """Return the title, the facts by name and an SVG picture, empty for none."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the title and the facts, a line each."""
        title, facts, _ = self._shown()
        width = max(map(len, facts), default=0)
        return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in facts.items())])

    def _repr_html_(self) -> str:
        """Return the title, the facts as a table, and the picture."""
        title, facts, picture = self._shown()
        rows = "".join(
            f'<tr><th style="text-align:left;white-space:nowrap">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in facts.items()
        )
        return f"<div><strong>{escape(title)}</strong><table>{rows}</table>{picture}</div>"


class InWords:
    """A result whose ``repr`` is its name and the first lines of ``describe()``, in consoles and notebooks.

    Dataclasses among the subclasses need ``repr=False``, or they would have their own.
    """

    def describe(self) -> str:
        """Return the result in words."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the name of the type, and the description, cut where it is long."""
        title, lines = self._lines()
        return "\n".join([title, *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        """Return the same with the columns of its lines kept in place."""
        title, lines = self._lines()
        text = escape("\n".join(lines))
        return f'<div><strong>{escape(title)}</strong><pre style="margin:0">{text}</pre></div>'

    def _lines(self) -> tuple[str, list[str]]:
        lines = self.describe().splitlines()
        if len(lines) > MOST_LINES:
            lines = [*lines[: MOST_LINES - 1], f"... {len(lines) - MOST_LINES + 1:,} more lines, in describe()"]
        return type(self).__name__, lines


def curves(x: Sequence[float], lines: Iterable[Sequence[float]], limits: tuple[float, float]) -> str:
    """Return curves as an inline SVG picture, broken where a value is not finite; empty where there is nothing to draw.

    Parameters
    ----------
    x : sequence of float
        Rising.
    lines : iterable of sequences of float
        A curve each, in the order of `COLOURS`.
    limits : (float, float)
        Of the vertical axis.
    """
    if len(x) < 2 or not x[-1] > x[0] or not limits[1] > limits[0]:
        return ""
    drawn = []
    for i, line in enumerate(lines):
        for part in _unbroken(x, line):
            points = " ".join(
                f"{WIDTH * (a - x[0]) / (x[-1] - x[0]):.1f},"
                f"{HEIGHT * (1 - (b - limits[0]) / (limits[1] - limits[0])):.1f}"
                for a, b in part
            )
            colour = COLOURS[i % len(COLOURS)]
            drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return _svg(drawn)


def bar(fractions: Sequence[float]) -> str:
    """Return fractions side by side as an inline SVG picture; empty where they are not finite."""
    if not all(math.isfinite(x) for x in fractions):
        return ""
    drawn, left = [], 0.0
    for i, fraction in enumerate(fractions):
        width, colour = WIDTH * fraction, COLOURS[i % len(COLOURS)]
        drawn.append(f'<rect x="{left:.1f}" y="0" width="{width:.1f}" height="{HEIGHT // 3}" fill="{colour}"/>')
        left += width
    return _svg(drawn, HEIGHT // 3)


def _unbroken(x: Sequence[float], y: Sequence[float]) -> Iterable[list[tuple[float, float]]]:
    part: list[tuple[float, float]] = []
    for a, b in zip(x, y, strict=True):
        if math.isfinite(b):
            part.append((a, b))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _svg(drawn: Sequence[str], height: int = HEIGHT) -> str:
    if not drawn:
        return ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 -2 {WIDTH} {height + 4}" '
        f'role="img">{"".join(drawn)}</svg>'
    )
