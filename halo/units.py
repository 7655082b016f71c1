"""Quantities at the front door: taken in any unit that converts, and given back where they are asked for.

Within the package numbers are plain and in the units of the conventions page. astropy is loaded where a Quantity comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import UsageError

if TYPE_CHECKING:
    from astropy.units import Quantity

ENERGY, ACTION, LENGTH, VELOCITY, MOTION = "km2 / s2", "kpc km / s", "kpc", "km / s", "mas / yr"
"""Units of the conventions page: of specific energies, of actions and Lz, and so on."""


def in_unit(x: Any, unit: str, name: str) -> Any:
    """Return numbers in a unit: those of Quantities are converted, plain ones are taken to be in it.

    Parameters
    ----------
    x : number, Quantity, array, or tuple or list of these
    unit : str
        As astropy writes it; empty for none.
    name : str
        What it is, for messages.

    Raises
    ------
    UsageError
        A unit that does not convert into it.
    """
    if isinstance(x, tuple | list):
        return tuple(in_unit(one, unit, name) for one in x)
    if getattr(x, "unit", None) is None:
        return x
    from astropy import units

    try:
        found = units.Quantity(x).to_value(unit)
    except (units.UnitConversionError, units.UnitTypeError, TypeError) as error:
        got = str(x.unit) or "no unit"
        raise UsageError(f"{name} must be in {unit or 'no unit'}, or in a unit of its kind; got {got}.") from error
    return float(found) if found.ndim == 0 else found


def like(given: Any, found: Any, unit: str) -> Any:
    """Return numbers in a unit as a Quantity where what was given is one, else as they are."""
    if getattr(given, "unit", None) is None:
        return found
    from astropy import units

    return units.Quantity(found, unit)


def convert(settings: Any, **kinds: str) -> None:
    """Replace the Quantities in fields of frozen settings by numbers in the units that are given by the fields' names.

    Raises
    ------
    UsageError
        As `in_unit`.
    """
    for name, unit in kinds.items():
        object.__setattr__(settings, name, in_unit(getattr(settings, name), unit, name))


class Measured:
    """A result that gives its numbers as Quantities too."""

    UNITS: ClassVar[Mapping[str, str]] = {}
    """Units of its attributes by name."""

    def quantity(self, name: str) -> Quantity:
        """Return an attribute with its unit, such as ``fit.quantity("mean_energy").to("kJ / kg")``.

        Parameters
        ----------
        name : str
            Of an attribute that has a unit.

        Raises
        ------
        UsageError
            It has none.
        """
        from astropy import units

        if name not in self.UNITS:
            raise UsageError(f"no {name!r} with a unit in {type(self).__name__}; it has {', '.join(self.UNITS)}.")
        return units.Quantity(getattr(self, name), self.UNITS[name])
