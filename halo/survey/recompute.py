"""Orbits of prepared stars computed again: in another potential, by another method, or at other distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, QTable, Table

from ..errors import InputError, UsageError
from ..io.provenance import plain, provenance
from ..orbits.convention import own
from ..orbits.settings import BACKENDS, ECCENTRICITIES, POTENTIALS
from ..progress import Progress, silent
from ..stars.catalogue import CONVENTION, Catalogue, StarsLike, read_catalogue
from ..stars.cutflow import CutFlow
from ..stars.cuts import Cut, apply_cuts
from ..stars.variables import CARTESIAN, KINEMATICS, SKY, values
from .prepare import PrepareSettings, with_orbits


def recompute(
    stars: StarsLike,
    *,
    potential: str = POTENTIALS[0],
    eccentricity: str = ECCENTRICITIES[0],
    backend: str = BACKENDS[0],
    distance: str = "",
    distance_scale: float = 1.0,
    progress: Progress = silent,
) -> Catalogue:
    """Return prepared stars with E, Lz and all that is of orbits computed again from positions and velocities.

    This is the only way from one convention of energies to another.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars, with positions and motions on the sky, or in the Galaxy.
    potential : str
        ``mcmillan17`` or ``mwpotential2014``.
    eccentricity : str
        ``staeckel`` or ``orbit``.
    backend : str
        As `orbits.kinematics` takes it.
    distance : str
        A column of other distances, such as those of another catalogue; by default the stars' own.
    distance_scale : float
        Multiplies the distances.
    progress : callable, optional
        As in `prepare`.

    Returns
    -------
    Catalogue
        Stars that are unbound now, or have no orbit, are cut.

    Raises
    ------
    InputError
        The stars have nothing to compute orbits from, or no such column; or none is left.
    UsageError
        A setting that makes no sense.

    Examples
    --------
    >>> from halonmf import halo
    >>> other = halo.recompute("stars.fits", potential="mwpotential2014")  # doctest: +SKIP
    >>> halo.save("stars-mw14.fits", other)  # doctest: +SKIP
    """
    if not (np.isfinite(distance_scale) and distance_scale > 0):
        raise UsageError(f"distance_scale must be a finite number above 0, got {distance_scale:g}.")
    inputs = [Path(stars)] if isinstance(stars, str | Path) else []
    if isinstance(stars, str | Path):
        stars = read_catalogue(stars)
    before = stars if isinstance(stars, Catalogue) else Catalogue(stars, CutFlow(len(stars)))
    table = Table(before.table, copy=True)
    where = f"{inputs[0]}: " if inputs else ""
    if distance or distance_scale != 1.0:
        table = _moved(table, distance, distance_scale, where)
    if not any(set(names) <= set(table.colnames) for names in (SKY, CARTESIAN)):
        raise InputError(
            f"{where}nothing to compute orbits from; needs {', '.join(SKY)}, or {', '.join(CARTESIAN)}; the table has "
            f"{', '.join(table.colnames[:20])}."
        )
    settings = PrepareSettings(potential=potential, eccentricity=eccentricity, potential_backend=backend)
    table = with_orbits(table, settings, progress)
    of_orbits = plain(table.meta.pop("orbits"))
    cuts = (
        *([Cut("distance measured", lambda t: np.isfinite(values(t, "distance")))] * bool(distance)),
        Cut("bound, E < 0", lambda t: values(t, "E") < 0),
        Cut("orbit found", lambda t: np.logical_and.reduce([np.isfinite(values(t, name)) for name in KINEMATICS])),
    )
    mask, flow = apply_cuts(table, cuts)
    if not mask.any():
        raise InputError(f"{where}none of {len(table):,} stars is bound and has an orbit; check the distances.")
    choices: dict[str, Any] = {
        "potential": potential, "eccentricity": eccentricity, "backend": backend, "distance": distance,
        "distance_scale": distance_scale,
    }  # fmt: skip
    record = provenance("recompute", choices, inputs=inputs) | {"orbits": of_orbits, "before": before.provenance}
    made = QTable(table[mask])
    made.meta[CONVENTION] = own(potential).record()
    return Catalogue(made, before.cutflow.then(flow), record)


def _moved(table: Table, distance: str, scale: float, where: str) -> Table:
    """Return the stars at other distances, without what depended on the old ones."""
    if not set(SKY) <= set(table.colnames):
        raise InputError(f"{where}other distances need {', '.join(SKY)}; positions in the Galaxy have none to change.")
    found = values(table, distance or "distance") if not distance or distance in table.colnames else None
    if found is None:
        raise InputError(f"{where}no column {distance!r} of distances; it has {', '.join(table.colnames)}.")
    unit = table[distance or "distance"].unit
    if distance and unit is not None:
        try:
            found = found * u.Unit(unit).to(u.kpc)
        except u.UnitConversionError as error:
            raise InputError(f"{where}column {distance} is in {unit}, no unit of distance.") from error
    moved = np.where(found > 0, found * scale, np.nan)
    table["distance"] = Column(moved, unit=u.kpc)
    table.remove_columns([name for name in CARTESIAN if name in table.colnames])
    return table
