"""What every column of a table of this software must say of itself."""

from astropy import units
from astropy.io.votable.ucd import parse_ucd

from halonmf.halo.io.columns import IN_COLUMN, OF_VARIABLE, UCD, known

CARD = 68
"""Characters of a text that fit into one card of a FITS header."""


def faults(table, kind=""):
    """Return what is wrong with the columns of a table: one line each."""
    found = []
    for name in table.colnames:
        column = table[name]
        ucd = (column.info.meta or {}).get(UCD)
        number = column.dtype.kind in "iuf"
        if not column.info.description:
            found.append(f"{name}: no description")
        elif len(column.info.description) > CARD:
            found.append(f"{name}: a description of {len(column.info.description)} characters")
        if number and not column.info.format:
            found.append(f"{name}: no format")
        if not ucd:
            found.append(f"{name}: no UCD")
        else:
            try:
                parse_ucd(ucd, check_controlled_vocabulary=True)
            except ValueError as error:
                found.append(f"{name}: {error}")
        entry = known(name, kind)
        wanted = "" if entry is None else entry.unit
        if wanted not in ("", OF_VARIABLE, IN_COLUMN) and column.dtype.kind == "f":
            unit = getattr(column, "unit", None)
            if unit is None or not units.Unit(unit).is_equivalent(wanted):
                found.append(f"{name}: in {unit}, expected {wanted}")
    return found
