"""The variables of bins, cuts, axes and the command line, and the columns that hold them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from ..errors import InputError, UsageError
from ..orbits.convention import check_same, own
from .published_line import belokurov_kravtsov

if TYPE_CHECKING:
    from astropy.table import Table

ELEMENTS = (
    "C",
    "CI",
    "N",
    "O",
    "NA",
    "MG",
    "AL",
    "SI",
    "P",
    "S",
    "K",
    "CA",
    "TI",
    "TIII",
    "V",
    "CR",
    "MN",
    "CO",
    "NI",
    "CU",
    "CE",
)
"""Elements X with [X/Fe] in APOGEE DR17, as the survey's column names spell them (CI and TIII are C I and Ti II)."""


@dataclass(frozen=True)
class Variable:
    """A property of a star that can be binned, cut on or plotted.

    Attributes
    ----------
    name : str
        What users write: case matters, ``E`` is energy and ``e`` eccentricity.
    column : str
        Column of the prepared catalogue; column names must differ by more than case.
    unit : str
        Unit of what `values` returns, as astropy writes it; empty where there is none.
    label : str
        Axis label with its unit, in matplotlib's mathtext.
    absolute : bool
        The variable is the absolute value of the column.
    parts : tuple of str
        Of a variable that no column holds, the variables that it is computed from; a column of its name goes first.
    compute : callable, optional
        Given their values, returns its own.
    """

    name: str
    column: str
    unit: str
    label: str
    absolute: bool = False
    parts: tuple[str, ...] = ()
    compute: Callable[..., np.ndarray] | None = None

    def within(self, table: "Table") -> bool:
        """Whether a table has the variable, or everything that it is computed from."""
        if self.column in table.colnames:
            return True
        return bool(self.parts) and all(VARIABLES[part].within(table) for part in self.parts)


_UNIT_LABELS = {
    "km2 / s2": r"km$^2$ s$^{-2}$",
    "kpc km / s": r"kpc km s$^{-1}$",
    "km / s": r"km s$^{-1}$",
    "mas / yr": r"mas yr$^{-1}$",
}


def _label(symbol: str, unit: str) -> str:
    return f"${symbol}$ [{_UNIT_LABELS.get(unit, unit)}]" if unit else f"${symbol}$"


def _element_symbol(element: str) -> str:
    return {"CI": "C\\,I", "TIII": "Ti\\,II"}.get(element, element.capitalize())


def _table() -> dict[str, Variable]:
    rows = [
        ("E", "E", "km2 / s2", "E"),
        ("Lz", "Lz", "kpc km / s", "L_z"),
        ("e", "ecc", "", "e"),
        ("J_r", "J_r", "kpc km / s", "J_r"),
        ("J_phi", "J_phi", "kpc km / s", r"J_\phi"),
        ("J_z", "J_z", "kpc km / s", "J_z"),
        ("r_peri", "r_peri", "kpc", r"r_\mathrm{peri}"),
        ("r_apo", "r_apo", "kpc", r"r_\mathrm{apo}"),
        ("z_max", "z_max", "kpc", r"z_\mathrm{max}"),
        ("r", "r_sph", "kpc", "r"),
        ("R", "R_cyl", "kpc", "R"),
        ("x", "x", "kpc", "x"),
        ("y", "y", "kpc", "y"),
        ("v_x", "v_x", "km / s", "v_x"),
        ("v_y", "v_y", "km / s", "v_y"),
        ("v_z", "v_z", "km / s", "v_z"),
        ("distance", "distance", "kpc", "d"),
        ("RA", "RA", "deg", r"\alpha"),
        ("DEC", "DEC", "deg", r"\delta"),
        ("pmra", "pmra", "mas / yr", r"\mu_{\alpha*}"),
        ("pmdec", "pmdec", "mas / yr", r"\mu_\delta"),
        ("radial_velocity", "radial_velocity", "km / s", r"v_\mathrm{los}"),
        ("distance_error", "distance_error", "kpc", r"\sigma_d"),
        ("pmra_error", "pmra_error", "mas / yr", r"\sigma(\mu_{\alpha*})"),
        ("pmdec_error", "pmdec_error", "mas / yr", r"\sigma(\mu_\delta)"),
        ("radial_velocity_error", "radial_velocity_error", "km / s", r"\sigma(v_\mathrm{los})"),
        ("pmra_pmdec_corr", "pmra_pmdec_corr", "", r"\rho(\mu_{\alpha*}, \mu_\delta)"),
        ("TEFF", "TEFF", "K", r"T_\mathrm{eff}"),
        ("SNR", "SNR", "", r"\mathrm{S/N}"),
        ("M_H", "M_H", "", r"\mathrm{[M/H]}"),
        ("ALPHA_M", "ALPHA_M", "", r"[\alpha/\mathrm{M}]"),
        ("FE_H", "FE_H", "", r"\mathrm{[Fe/H]}"),
        *((f"{x}_FE", f"{x}_FE", "", rf"\mathrm{{[{_element_symbol(x)}/Fe]}}") for x in ELEMENTS),
    ]
    found = {name: Variable(name, column, unit, _label(symbol, unit)) for name, column, unit, symbol in rows}
    found["z"] = Variable("z", "z_gal", "kpc", _label("|z|", "kpc"), absolute=True)
    # astropy has no plain unit for the logarithm of a quantity: values have none, and the label names it
    found["LOGG"] = Variable("LOGG", "LOGG", "", r"$\log_{10}\,(g\,/\,\mathrm{cm\,s^{-2}})$")
    found["dE"] = Variable(
        "dE", "dE", "km2 / s2", _label(r"E - E_\mathrm{BK23}(L_z)", "km2 / s2"), parts=("E", "Lz"),
        compute=lambda E, Lz: E - belokurov_kravtsov(Lz),
    )  # fmt: skip
    return found


VARIABLES: Mapping[str, Variable] = MappingProxyType(_table())
"""Every named variable. Signs, zero points and units are those of the conventions page."""


def ratio(name: str) -> Variable | None:
    """Return the abundance that follows from others: ``MG_MN`` is [Mg/Fe] - [Mn/Fe], ``MG_H`` [Mg/Fe] + [Fe/H].

    None where the name is that of no two elements.
    """
    x, _, y = name.partition("_")
    if x not in ELEMENTS or y not in (*ELEMENTS, "H") or x == y:
        return None
    label = _label(rf"\mathrm{{[{_element_symbol(x)}/{_element_symbol(y)}]}}", "")
    if y == "H":
        return Variable(name, name, "", label, parts=(f"{x}_FE", "FE_H"), compute=lambda a, b: a + b)
    return Variable(name, name, "", label, parts=(f"{x}_FE", f"{y}_FE"), compute=lambda a, b: a - b)


def known(name: str) -> Variable | None:
    """Return the named variable, or the ratio of abundances, that is called so; None for none."""
    return VARIABLES.get(name) or ratio(name)


def parts_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the variables that some are, or are computed from, each once."""
    found: list[str] = []
    for name in names:
        one = known(name)
        found += parts_of(one.parts) if one is not None and one.parts else (name,)
    return tuple(dict.fromkeys(found))


def variable(name: str, table: "Table | None" = None) -> Variable:
    """Return the variable called `name`; with a table, a column that is no named variable serves as one.

    Raises
    ------
    UsageError
        No such variable, or the table lacks its column.
    """
    found = known(name)
    if table is None:
        if found is None:
            raise UsageError(f"unknown variable {name!r}; expected one of {', '.join(VARIABLES)} (case matters).")
        return found
    if found is not None and found.within(table):
        return found
    if name in table.colnames:
        unit = table[name].unit
        text = "" if unit is None else unit.to_string()
        return Variable(name, name, text, f"{name} [{text}]" if text else name)
    offered = [v.name for v in VARIABLES.values() if v.within(table)]
    reason = "unknown variable"
    if found is not None:
        column = " and ".join(part for part in found.parts if part not in table.colnames) or found.column
        reason = f"the table has no column {column} for the variable"
    raise UsageError(
        f"{reason} {name!r}; this table offers {', '.join(offered) or 'no named variable'} (case matters)."
    )


def values(table: "Table", name: str) -> np.ndarray:
    """Return the values of a variable in its stated unit, NaN where missing.

    Parameters
    ----------
    table : Table or QTable
        The prepared catalogue, or any table with the columns of the conventions page.
    name : str
        A key of `VARIABLES`, or a column of the table.

    Returns
    -------
    ndarray of float64, shape (len(table),)

    Raises
    ------
    UsageError
        Unknown variable, a column that the table lacks, or one that holds no numbers.
    InputError
        A column in a unit of another kind; or the energy above the published line, of stars whose energies are not
        those of McMillan (2017).
    """
    found = variable(name, table)
    if found.compute is not None and found.column not in table.colnames:
        if found.name == "dE":
            check_same(getattr(table, "meta", {}), own(), "the line of Belokurov & Kravtsov (2023) here")
        return found.compute(*(values(table, part) for part in found.parts))
    column = table[found.column]
    mask = np.asarray(getattr(column, "mask", False))
    unit = getattr(column, "unit", None)
    bare = np.asarray(getattr(column, "unmasked", column))
    if bare.dtype.kind not in "biuf" or bare.ndim != 1:
        raise UsageError(
            f"variable {name!r}: column {found.column} holds {bare.dtype} {bare.shape}, not one number each."
        )
    out = np.array(bare, dtype=np.float64)  # a copy, native byte order
    if unit is not None and found.unit:
        try:
            out *= u.Unit(unit).to(found.unit)
        except u.UnitConversionError as error:
            raise InputError(
                f"variable {name!r}: column {found.column} is in {unit}, expected {found.unit} or a unit of its kind."
            ) from error
    if mask.any():
        out[mask] = np.nan
    return np.abs(out) if found.absolute else out


SKY = ("RA", "DEC", "distance", "pmra", "pmdec", "radial_velocity")


SKY_ERRORS = ("distance_error", "pmra_error", "pmdec_error", "radial_velocity_error")


CARTESIAN = ("x", "y", "z_gal", "v_x", "v_y", "v_z")


KINEMATICS = ("E", "Lz", "J_r", "J_phi", "J_z", "r_peri", "r_apo", "ecc", "z_max", "r_sph", "R_cyl")


def unit_of(name: str) -> str:
    """Return the unit of a variable as astropy writes it; empty for none."""
    return VARIABLES[name].unit if name in VARIABLES else ""
