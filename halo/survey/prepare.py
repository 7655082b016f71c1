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
from ..io import columns as vocabulary
from ..io.provenance import plain, provenance
from ..orbits.convention import ZERO_POINT, Convention, own
from ..progress import Progress, announce, silent
from ..stars.catalogue import CONVENTION, Catalogue
from ..stars.clusters import REPORTED, described, number_by_cluster
from ..stars.clusters import members as in_clusters
from ..stars.cutflow import CutFlow
from ..stars.cuts import Cut, apply_cuts, user_cuts
from ..stars.origin import SURVEY, survey_of_record
from ..stars.variables import CARTESIAN, KINEMATICS, SKY, SKY_ERRORS, values
from .apogee import read_survey
from .grammar import CARTESIAN_KEYS, SKY_KEYS
from .mapping import MappedCatalogue, read_mapped
from .members import member_cuts, no_member, read_members
from .parsing import read_mapping
from .quality import mapped_quality_cuts, measured_only, quality_cuts
from .settings import SURVEYS
from .settings import PrepareSettings as PrepareSettings
from .stages import CUTS, LATER, MEMBERS, READ
from .surveys import Survey, arrange, chosen_flags, for_elements, recognise, survey_facts, with_bits

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
    survey: str | None = None,
    distances: str | Path | None = None,
    further: Sequence[str | Path] = (),
    settings: PrepareSettings | None = None,
    progress: Progress = silent,
) -> Catalogue:
    """Return the stars of a survey that pass every quality cut and are bound, with orbits.

    Parameters
    ----------
    allstar : path
        The survey's catalogue; with `columns` one's own.
    astronn : path, optional
        A second file: astroNN's catalogue for APOGEE DR17, the table of Gaia for GALAH, what `columns` joins first.
    members : path, optional
        Cluster members, as `members.read_members` reads them; without it none are removed.
    columns : path, optional
        The TOML file that names the columns of one's own catalogue, as `prepare_mapped` takes it.
    survey : str, optional
        One of `settings.SURVEYS`; by default it is recognised by the columns of the catalogue.
    distances : path, optional
        A file of distances that goes with the survey.
    further : sequence of path
        Further files that `columns` or the survey joins, as ``NAME=FILE`` or in the order of the mapping.
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
        A setting that makes no sense; one file of no known survey, or a survey and `columns`.

    Examples
    --------
    >>> from halonmf import halo
    >>> stars = halo.prepare("allStar.fits", "astroNN.fits", "members/")  # doctest: +SKIP
    >>> halo.save("stars.fits", stars)  # doctest: +SKIP
    """
    settings = settings or PrepareSettings()
    rest = [path for path in (astronn, *further, distances) if path is not None]
    if columns is not None:
        if survey is not None:
            raise UsageError("give --survey or --columns, not both: a survey's columns are known.")
        return prepare_mapped([allstar, *rest], columns, members, settings=settings, progress=progress)
    known = survey or recognise(allstar) or next((name for path in rest if (name := recognise(path))), None)
    if known is None and len(rest) != 1:
        raise UsageError(
            f"{allstar} is the catalogue of no known survey ({', '.join(SURVEYS)}); give ALLSTAR and ASTRONN of APOGEE "
            "DR17, or one catalogue with --columns."
        )
    facts = survey_facts(known or SURVEYS[0])
    if facts.name != SURVEYS[0] or not rest:  # APOGEE DR17's reader joins its two files itself
        return prepare_mapped(arrange(facts, [allstar, *rest]), facts, members, settings=settings, progress=progress)
    if len(rest) > 1:
        raise UsageError(f"{facts.name} joins one file of distances, astroNN's; got {', '.join(map(str, rest))}.")
    _check_backend(settings)
    announce(progress, *READ, *(MEMBERS,) * (members is not None), *LATER)
    table = read_survey(allstar, rest[0], elements=settings.elements, columns=settings.columns, progress=progress)
    ids = None if members is None else read_members(members, settings.member_probability, progress=progress)
    bits = chosen_flags(settings.flags, facts.flag_bits)
    cuts = (*member_cuts(ids, settings.member_probability), *quality_cuts(replace(settings.quality, bits=bits)))
    inputs = [Path(allstar), Path(rest[0]), *([] if members is None else [Path(members)])]
    warned = no_member(table, ids)
    return _finish(table, cuts, settings, inputs, "prepare", progress, warned=warned, survey=facts)


def prepare_mapped(
    path: str | Path | Sequence[str | Path],
    mapping: str | Path | Survey,
    members: str | Path | None = None,
    *,
    settings: PrepareSettings | None = None,
    progress: Progress = silent,
) -> Catalogue:
    """Stars of a user's own catalogue that pass its quality filter and are bound, with orbits where it has none.

    Parameters
    ----------
    path : path or sequence of paths
        The catalogue, and the further files that the mapping joins, as `mapping.read_mapped` takes them.
    mapping : path or Survey
        The TOML file that names its columns, see ``docs/catalogue-mapping.md``; or a survey, of whose abundances those
        of the settings are read.
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
    survey = mapping if isinstance(mapping, Survey) else None
    bits = chosen_flags(settings.flags, survey.flag_bits if survey else {})
    content = survey.mapping if survey else read_mapping(str(mapping))
    if survey:
        content = for_elements(content, settings.elements, settings.columns)
    mapped = read_mapped(path, with_bits(content, bits), progress=progress)
    if mapped.elements:  # a table of clusters may have none
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
            raise UsageError(
                f"{content.path}: cluster members are matched by source_id; name its column under [columns]."
            )
        ids = read_members(members, settings.member_probability, progress=progress)
    cuts = (
        *map(_given, mapped.exist),
        *member_cuts(ids, settings.member_probability),
        *(_given((f"quality: {said}", met)) for said, met in mapped.conditions),
        *mapped_quality_cuts(mapped.table, settings.quality, bits),
    )
    inputs = [*mapped.files, survey.path if survey else content.path, *([] if members is None else [Path(members)])]
    warned = (*mapped.warnings, *no_member(mapped.table, ids))
    return _finish(mapped.table, cuts, settings, inputs, "prepare", progress, mapped, warned, survey)


def _finish(
    table: Table,
    cuts: Sequence[Cut],
    settings: PrepareSettings,
    inputs: Sequence[Path],
    command: str,
    progress: Progress,
    mapped: MappedCatalogue | None = None,
    warned: Sequence[str] = (),
    survey: Survey | None = None,
) -> Catalogue:
    has_orbits = mapped is not None and mapped.has_orbits
    if not has_orbits:
        needed = CARTESIAN if "x" in table.colnames else SKY
        cuts = (*cuts, Cut("6-d phase space", lambda t: _finite(t, needed)))
    mask, flow = apply_cuts(table, cuts)
    _refuse_empty(flow, inputs)
    progress(CUTS, len(table), len(table))
    bits = chosen_flags(settings.flags, survey.flag_bits if survey else {})
    stars = measured_only(table[mask], replace(settings.quality, bits=bits), mapped=mapped is not None)
    said: Convention | None
    if has_orbits:
        assert mapped is not None
        said = mapped.convention
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
    if survey is not None:
        effective |= {"survey": survey.name}
    elif mapped is not None:
        effective |= {"mapping": mapped.mapping, "elements": mapped.elements}
    record = provenance(command, effective, inputs=inputs) | {"orbits": plain(stars.meta.pop("orbits", None))}
    record[SURVEY] = survey_of_record(record)
    made = _ordered(stars[mask], settings)
    made.meta |= {SURVEY: record[SURVEY]}
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


def _given(step: tuple[str, np.ndarray]) -> Cut:
    """Return the cut that keeps the rows of a mask."""
    said, met = step
    return Cut(said, lambda t: met)


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
    return vocabulary.described(out, vocabulary.STARS)
