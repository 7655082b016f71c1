"""How numbers, units and abundances are written for readers."""

from __future__ import annotations

import math
import re

from ..figures.captions import TIMES

_POWERS = str.maketrans("-0123456789", "\N{SUPERSCRIPT MINUS}⁰¹²³⁴⁵⁶⁷⁸⁹")


def amount(x: float | None, unit: str = "", digits: int = 4) -> str:
    """Return a number with its unit as a reader writes it: -1.67e5 km2 / s2 becomes −1.67 × 10⁵ km² s⁻²."""
    if x is None or not math.isfinite(x):
        return "none"
    if x != 0 and not 1e-3 <= abs(x) < 1e5:
        exponent = math.floor(math.log10(abs(x)))
        text = f"{x / 10**exponent:.{digits - 1}f}{TIMES}10{str(exponent).translate(_POWERS)}"
    elif float(x).is_integer():
        text = f"{x:,.0f}"
    else:
        text = f"{x:.{digits}g}" if abs(x) < 1e3 else f"{x:,.0f}"
    text = text.replace("-", "\N{MINUS SIGN}")
    return f"{text}\N{NO-BREAK SPACE}{unit_text(unit)}" if unit else text


def unit_text(unit: str) -> str:
    """Return a unit with raised exponents: km2 / s2 becomes km² s⁻²."""
    above, *below = unit.split("/")
    words = [(word, 1) for word in above.split()] + [(word, -1) for part in below for word in part.split()]
    parts = []
    for word, sign in words:
        name, power = re.fullmatch(r"([^\d]+)(\d*)", word).groups()  # type: ignore[union-attr]
        exponent = sign * int(power or 1)
        parts.append(name + ("" if exponent == 1 else str(exponent).translate(_POWERS)))
    return " ".join(parts)


def readable(text: str) -> str:
    """Return a caption with abundances as readers write them: FE_H becomes [Fe/H]."""
    return re.sub(r"\b([A-Z][A-Z]?)_(FE|H|M)\b", lambda m: f"[{m[1].title()}/{m[2].title()}]", text)
