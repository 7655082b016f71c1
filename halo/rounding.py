"""Numbers as they are printed, in one style for every command: CONVENTIONS.md has the rules."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .units import ENERGY

DIGITS = 2
"""Significant digits of an error, which the value is rounded with."""
ENERGIES = 1e3
"""From here on energies are written with a power of ten."""
SMALLEST, LARGEST = -4, 8
"""Exponents beyond which other numbers are."""


def unit_text(unit: str) -> str:
    """Return a unit as it is printed: ``km2 / s2`` becomes ``km2/s2``."""
    return unit.replace(" / ", "/")


def titled(name: str, unit: str) -> str:
    """Return the heading of a column with its unit, such as ``E [km2/s2]``."""
    return f"{name} [{unit_text(unit)}]" if unit else name


def count(x: float) -> str:
    """Return a number of things with commas: ``12,979``."""
    return f"{x:,.0f}"


def number(x: float, unit: str = "", digits: int = 4, *, signed: bool = False, error: float = math.nan) -> str:
    """Return a number without its unit: ``-1.703e5``, ``12,979``, ``0.4031``; a dash where there is none.

    Parameters
    ----------
    x : float
    unit : str
        What it is in: energies have a power of ten.
    digits : int
        Significant ones.
    signed : bool
        With a plus too, for differences.
    error : float
        What it is rounded by instead, where there is one.
    """
    decimals = rounded_at(error)
    return _written(x, _decimals(x, digits, unit) if decimals is None else decimals, unit, signed)


def measured(
    x: float,
    unit: str = "",
    *,
    error: float = math.nan,
    interval: Sequence[float] = (),
    digits: int = 4,
    signed: bool = False,
) -> str:
    """Return a number with its error or interval and its unit, all rounded by the error to two of its digits.

    Parameters
    ----------
    x : float
    unit : str
    error : float
        Standard error; NaN where there is none.
    interval : (low, high)
        Limits; none, or NaN, where there are none.
    digits : int
        Significant digits of a number without either.
    signed : bool
        The number has a plus too.

    Examples
    --------
    >>> measured(-170312.4, ENERGY, error=1234.0)
    '-1.703e5 +- 0.012e5 km2/s2'
    >>> measured(0.40312, interval=(0.391, 0.417))
    '0.403 (0.391 to 0.417)'
    """
    known = [limit for limit in interval if math.isfinite(limit)]
    width = error if math.isfinite(error) else abs(known[1] - known[0]) / 2 if len(known) == 2 else math.nan
    decimals = rounded_at(width)
    if decimals is None:
        decimals = _decimals(x, digits, unit)
    power = _power(x, unit)
    text = _written(x, decimals, unit, signed, power)
    if math.isfinite(error):
        text += f" +- {_written(error, decimals, unit, False, power)}"
    if len(known) == 2:
        text += " ({} to {})".format(*(_written(limit, decimals, unit, False, power) for limit in known))
    return f"{text} {unit_text(unit)}" if unit else text


def percent(x: float, *, error: float = math.nan, interval: Sequence[float] = (), decimals: int = 1) -> str:
    """Return a fraction in per cent, rounded as `measured`: ``39.4 %``, ``39.37 +- 0.42 %``."""
    if math.isfinite(error) or any(map(math.isfinite, interval)):
        return measured(100 * x, error=100 * error, interval=[100 * limit for limit in interval]) + " %"
    return f"{100 * x:.{decimals}f} %"


def of_bytes(x: float) -> str:
    """Return a number of bytes in words, with three digits: ``1.17 GB``."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if x >= 0.9995 * scale:  # what rounds to 1,000 of the smaller unit is 1 of this one
            return f"{x / scale:.3g} {unit}" if x < 999.5 * scale else f"{x / scale:,.0f} {unit}"
    return f"{x:.0f} bytes"


def rounded_at(error: float) -> int | None:
    """Return the decimals of the last of an error's two digits, negative left of the point; None where there is none.

    What is rounded up to a further digit, such as 0.0996, keeps the decimals of 0.10.
    """
    if not math.isfinite(error) or error == 0:
        return None
    return DIGITS - 1 - int(f"{error:.{DIGITS - 1}e}".partition("e")[2])


def _decimals(x: float, digits: int, unit: str) -> int:
    """Return the decimals of a number without error; but for energies it keeps all digits left of the point."""
    if not math.isfinite(x) or x == 0:
        return digits - 1
    decimals = digits - 1 - int(f"{x:.{digits - 1}e}".partition("e")[2])
    return decimals if _power(x, unit) else max(decimals, 0)


def _power(x: float, unit: str) -> int:
    """Return the power of ten that a number is written with; 0 for none."""
    if not math.isfinite(x) or x == 0:
        return 0
    exponent = int(f"{x:.3e}".partition("e")[2])
    if unit == ENERGY:
        return exponent if abs(x) >= ENERGIES else 0
    return exponent if exponent < SMALLEST or exponent > LARGEST else 0


def _written(x: float, decimals: int, unit: str, signed: bool, power: int | None = None) -> str:
    if not math.isfinite(x):
        return "-"
    power = _power(x, unit) if power is None else power
    sign = "+" if signed else ""
    shown = max(decimals + power, 0)
    text = f"{round(x, decimals) / 10**power:{sign},.{shown}f}"
    return f"{text}e{power}" if power else text
