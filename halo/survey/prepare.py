"""From catalogue files to the stars that pass every cut, with their orbits: one arrow of the pipeline.

Stars are cut by everything that needs no orbit first, so that orbits are computed only for those that remain.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Column, QTable, Table

from ..errors import HalonmfError, InputError, UsageError
from ..io.provenance import plain, provenance
from ..orbits.convention import ZERO_POINT, Convention, own
from ..orbits.public import named
from ..progress import Progress, silent
from ..stars.catalogue import CONVENTION, Catalogue
from ..stars.clusters import REPORTED, described, number_by_cluster
from ..stars.clusters import members as in_clusters
from ..stars.cutflow import CutFlow
from ..stars.cuts import Cut, apply_cuts, user_cuts
from ..stars.variables import CARTESIAN, KINEMATICS, SKY, SKY_ERRORS, values
from .apogee import read_survey
from .mapping import CARTESIAN_KEYS, SKY_KEYS, MappedCatalogue, read_mapped
from .members import read_members
from .quality import mapped_quality_cuts, quality_cuts
from .settings import PrepareSettings as PrepareSettings

UNSTATED = (
    "the mapping does not say what E is measured from, so nothing can refuse to mix it with others; name it by "
    "potential under [catalogue], or compute orbits with --recompute"
)
LZ_SUN = 1994.76
"""Lz of the Sun, kpc km/s, prograde positive: 8.122 kpc less the height of 20.8 pc, times 245.6 km/s."""


def prepare(
    allstar: str | Path,
    astronn: str | Path | None = None,
    members: str | Path | None = None,
    *,
    columns: str | Path | None = None,
    settings: PrepareSettings | None = None,
    progress: Progress = silent,
) -> Catalogue:
    """Return the stars of a survey that pass every quality cut and are bound, with orbits.

    Parameters
    ----------
    allstar, astronn : path
        APOGEE DR17's catalogues, as `apogee.read_survey` reads them; with `columns` a catalogue of one's own alone.
    members : path, optional
        Cluster members, as `members.read_members` reads them; without it none are removed.
    columns : path, optional
        The TOML file that names the columns of one's own catalogue, as `prepare_mapped` takes it.
    settings : PrepareSettings, optional
        The paper's by default.
    progress : callable, optional
        Called with the stage, what is done and what there is in all.

    Returns
    -------
    Catalogue
        Not yet on disk; see `catalogue.write_catalogue`.

    Raises
    ------
    InputError
        Files that are damaged, incomplete or not what they claim to be; or no star passes.
    UsageError
        A setting that makes no sense; neither an astroNN catalogue nor `columns`, or both.

    Examples
    --------
    >>> from halonmf import halo
    >>> stars = halo.prepare("allStar.fits", "astroNN.fits", "members/")  # doctest: +SKIP
    >>> halo.save("stars.fits", stars)  # doctest: +SKIP
    """
    if (columns is None) == (astronn is None):
        raise UsageError("give ALLSTAR and ASTRONN, or one catalogue with --columns.")
    settings = settings or PrepareSettings()
    if columns is not None:
        return prepare_mapped(allstar, columns, members, settings=settings, progress=progress)
    assert astronn is not None
    _check_backend(settings)
    table = read_survey(allstar, astronn, elements=settings.elements, columns=settings.columns, progress=progress)
    ids = None if members is None else read_members(members, settings.member_probability, progress=progress)
    cuts = (*_member_cuts(ids, settings), *quality_cuts(settings.quality))
    inputs = [Path(allstar), Path(astronn), *([] if members is None else [Path(members)])]
    return _finish(table, cuts, settings, inputs, "prepare", progress, warned=_no_member(table, ids))


def prepare_mapped(
    path: str | Path,
    mapping: str | Path,
    members: str | Path | None = None,
    *,
    settings: PrepareSettings | None = None,
    progress: Progress = silent,
) -> Catalogue:
    """Stars of a user's own catalogue that pass its quality filter and are bound, with orbits where it has none.

    Parameters
    ----------
    path : path
        The catalogue, in a format that astropy reads.
    mapping : path
        The TOML file that names its columns; see ``docs/catalogue-mapping.md``.
    members : path, optional
        Cluster members to remove; the mapping must then name ``source_id``.
    settings : PrepareSettings, optional
        Cuts on abundance errors, flags, log g and distance apply where the mapping names the columns.
    progress : callable, optional
        As in `prepare`.

    Returns
    -------
    Catalogue

    Raises
    ------
    InputError
        As `mapping.read_mapped`; or no star passes.
    UsageError
        A setting that makes no sense, or members without ``source_id``.
    """
    settings = settings or PrepareSettings()
    mapped = read_mapped(path, mapping, progress=progress)
    settings = replace(settings, elements=mapped.elements)
    if settings.recompute and mapped.has_orbits:
        if not any(set(names) <= set(mapped.table.colnames) for names in (SKY, CARTESIAN)):
            raise InputError(
                f"{mapping}: nothing to compute orbits from; name {', '.join(SKY_KEYS)} under [columns], or "
                f"{', '.join(CARTESIAN_KEYS)}, or leave out --recompute."
            )
        mapped = replace(mapped, has_orbits=False)
    if not mapped.has_orbits:
        _check_backend(settings)
    ids = None
    if members is not None:
        if "SOURCE_ID" not in mapped.table.colnames:
            raise UsageError(f"{mapping}: cluster members are matched by source_id; name its column under [columns].")
        ids = read_members(members, settings.member_probability, progress=progress)
    cuts = (
        *_member_cuts(ids, settings),
        *mapped_quality_cuts(mapped.table, settings.quality, mapped.keep, mapped.quality),
    )
    inputs = [Path(path), Path(mapping), *([] if members is None else [Path(members)])]
    warned = _no_member(mapped.table, ids)
    return _finish(mapped.table, cuts, settings, inputs, "prepare", progress, mapped=mapped, warned=warned)


def _finish(
    table: Table,
    cuts: Sequence[Cut],
    settings: PrepareSettings,
    inputs: Sequence[Path],
    command: str,
    progress: Progress,
    mapped: MappedCatalogue | None = None,
    warned: Sequence[str] = (),
) -> Catalogue:
    has_orbits = mapped is not None and mapped.has_orbits
    if not has_orbits:
        needed = CARTESIAN if "x" in table.colnames else SKY
        cuts = (*cuts, Cut("6-d phase space", lambda t: _finite(t, needed)))
    mask, flow = apply_cuts(table, cuts)
    _refuse_empty(flow, inputs)
    progress("quality cuts", len(table), len(table))
    stars = table[mask]
    said: Convention | None
    if has_orbits:
        assert mapped is not None
        said = _stated(mapped)
        if said is None:
            warned = (*warned, UNSTATED)
        else:
            stars.meta["orbits"] = said.record()
    else:
        stars = with_orbits(stars, settings, progress)
        said = own(settings.potential)
    removed = settings.clusters == "remove"
    late = (
        *([Cut("bound, E < 0", lambda t: values(t, "E") < 0)] * (said is None or said.zero_point == ZERO_POINT)),
        # the orbit's columns stand or fall together; a star without one could be in no sample
        Cut("orbit found", lambda t: _finite(t, [n for n in KINEMATICS if n in t.colnames])),
        *([Cut("in no globular cluster by place and motion", lambda t: in_clusters(t) == "")] * removed),
        *user_cuts(settings.cuts),
    )
    mask, late_flow = apply_cuts(stars, late)
    flow = flow.then(late_flow)
    _refuse_empty(flow, inputs)
    effective = {field.name: getattr(settings, field.name) for field in fields(settings)}
    if mapped is not None:
        effective["mapping"] = mapped.mapping
    record = provenance(command, effective, inputs=inputs) | {"orbits": plain(stars.meta.pop("orbits", None))}
    made = _ordered(stars[mask], settings)
    if said is not None:
        made.meta[CONVENTION] = said.record()
    return Catalogue(made, flow, record, warnings=(*warned, *_left_in_clusters(made, settings)))


def _left_in_clusters(stars: Table, settings: PrepareSettings) -> tuple[str, ...]:
    if settings.clusters != "report":
        return ()
    found = number_by_cluster(in_clusters(stars))
    if sum(found.values()) < REPORTED:
        return ()
    return (
        f"{described(found)} by place and motion are among the {len(stars):,} stars: a component may be a cluster; "
        "give --members, or --clusters remove",
    )


def _no_member(table: Table, ids: np.ndarray | None) -> tuple[str, ...]:
    if ids is None or np.isin(np.asarray(table["SOURCE_ID"]), ids).any():
        return ()
    return (
        f"none of the {len(ids):,} cluster members is among the {len(table):,} stars: their ids may be of another Gaia "
        "release (Gaia DR2 and DR3 number stars anew); nothing was removed",
    )


def _stated(mapped: MappedCatalogue) -> Convention | None:
    """Return what a mapping says of the energies that its catalogue brings."""
    says = mapped.mapping.get("catalogue", {})
    return named(says["potential"], says.get("zero_point", "")) if "potential" in says else None


def _check_backend(settings: PrepareSettings) -> None:
    from ..orbits import kinematics as orbits

    orbits.find_backend(
        settings.potential_backend, settings.potential
    )  # an absent one is to fail now, not after reading the survey


def with_orbits(stars: Table, settings: PrepareSettings, progress: Progress) -> Table:
    """Return stars with their orbits, from x, y, z where they are there, else from the sky; their record in meta."""
    # imported here: reading and cutting need neither galpy nor the potential's tables
    from ..orbits import frames
    from ..orbits import kinematics as orbits

    if "x" in stars.colnames:
        position = np.stack([values(stars, name) for name in CARTESIAN[:3]], axis=1) * u.kpc
        velocity = np.stack([values(stars, name) for name in CARTESIAN[3:]], axis=1) * (u.km / u.s)
    else:
        _check_sun()
        units = (u.deg, u.deg, u.kpc, u.mas / u.yr, u.mas / u.yr, u.km / u.s)
        sky = [u.Quantity(values(stars, name), unit) for name, unit in zip(SKY, units, strict=True)]
        position, velocity = frames.to_galactocentric(*sky)
        for axis, name in enumerate(CARTESIAN[:3]):
            stars[name] = Column(position[:, axis].to_value(u.kpc), unit=u.kpc)
        for axis, name in enumerate(CARTESIAN[3:]):
            stars[name] = Column(velocity[:, axis].to_value(u.km / u.s), unit=u.km / u.s)
    found = orbits.kinematics(
        position, velocity, backend=settings.potential_backend, eccentricity=settings.eccentricity,
        model=settings.potential, progress=progress,
    )  # fmt: skip
    for name in KINEMATICS:
        quantity = u.Quantity(found[name])
        unit = None if quantity.unit == u.dimensionless_unscaled else quantity.unit
        stars[name] = Column(np.asarray(quantity.value, dtype=np.float64), unit=unit)
    stars.meta["orbits"] = dict(found.meta)
    return stars


def _check_sun() -> None:
    from ..orbits.frames import to_galactocentric

    here = u.Quantity([0.0])
    position, velocity = to_galactocentric(
        here * u.deg, here * u.deg, [1e-9] * u.kpc, here * u.mas / u.yr, here * u.mas / u.yr, here * u.km / u.s
    )
    (x, y, _), (v_x, v_y, _) = position[0].to_value(u.kpc), velocity[0].to_value(u.km / u.s)
    found = y * v_x - x * v_y
    if not abs(found - LZ_SUN) < 0.5:
        raise HalonmfError(
            f"the frame gives the Sun Lz = {found:.2f} kpc km/s, expected {LZ_SUN}: the sign or the frame is wrong."
        )


def _member_cuts(ids: np.ndarray | None, settings: PrepareSettings) -> tuple[Cut, ...]:
    if ids is None:
        return ()
    name = f"no cluster member, probability >= {settings.member_probability:g}"
    return (Cut(name, lambda t: ~np.isin(np.asarray(t["SOURCE_ID"]), ids)),)


def _finite(table: Table, columns: Sequence[str]) -> np.ndarray:
    return np.logical_and.reduce([np.isfinite(values(table, name)) for name in columns])


def _refuse_empty(flow: CutFlow, inputs: Sequence[Path]) -> None:
    if flow.passed == 0:
        steps = "; ".join(f"{name} removed {n:,}" for name, n in zip(flow.names, flow.removed, strict=True) if n)
        raise InputError(
            f"{inputs[0]}: no star of {flow.total:,} passes the cuts ({steps}); check the columns and cuts."
        )


def _ordered(stars: Table, settings: PrepareSettings) -> QTable:
    dropped = {"PROGRAMNAME", "ASPCAPFLAG", "EXTRATARG", *(f"{name}_FLAG" for name in settings.elements)}
    first = ["APOGEE_ID", "SOURCE_ID", *SKY, *SKY_ERRORS, *CARTESIAN, *KINEMATICS]
    names = [n for n in first if n in stars.colnames]
    names += [n for n in stars.colnames if n not in names and n not in dropped]
    out = QTable(stars[names], masked=False)
    out["APOGEE_ID"] = [i.decode("ascii", "replace") if isinstance(i, bytes) else str(i) for i in stars["APOGEE_ID"]]
    return out
