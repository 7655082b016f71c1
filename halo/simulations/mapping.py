"""The TOML file that says what a simulation's columns are: its keys, checked; two of public releases come along."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.toml import read_toml
from ..stars.variables import ELEMENTS

SHIPPED = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}
"""Mappings that come with the package, by name: ``--columns fire2``."""

NEEDED = ("position", "velocity", "mass")
ABUNDANCES = tuple(f"{element}_FE" for element in ELEMENTS)
OTHERS = ("fe_h", "iron", "accreted", "birth_distance", "id", "birth_id", "formation", "potential")
GALAXY_KEYS = (
    "name", "format", "hubble", "centre", "axis", "in_situ_within", "frame", "omega_matter", "keep",
)  # fmt: skip
COLUMN_KEYS = (
    "column", "file", "unit", "scale", "h", "index", "solar", "over", "attribute", "on", "equals", "others", "unlisted",
    "in_situ",
)  # fmt: skip
FRAMES = ("comoving", "physical")
"""In what the limit on the distance of birth is meant."""
FATES = ("in situ", "drop")
"""What becomes of particles whose flag is another one, or that no list has."""


def find_mapping(mapping: str | Path) -> Path:
    """Return the path of a mapping: of a file, or of one of `SHIPPED` by its name where there is no such file."""
    path = Path(mapping)
    return SHIPPED[str(mapping)] if str(mapping) in SHIPPED and not path.exists() else path


def read_mapping(path: Path) -> dict[str, Any]:
    """Return a mapping file's content.

    Raises
    ------
    InputError
        It cannot be read, or makes no sense.
    """
    mapping = read_toml(path, "the mapping", f"see docs/simulations.md; {', '.join(SHIPPED)} come with the package")
    _known(path, mapping, "the top level", ("galaxy", "columns", "abundances", "gravity"))
    for section, known in (
        ("galaxy", GALAXY_KEYS),
        ("columns", (*NEEDED, *OTHERS)),
        ("abundances", ABUNDANCES),
    ):
        _known(path, mapping.get(section, {}), f"[{section}]", known)
    columns, galaxy = mapping.get("columns", {}), mapping.get("galaxy", {})
    for key, spec in {**columns, **mapping.get("abundances", {})}.items():
        _check_spec(path, key, spec)
    for kind, spec in mapping.get("gravity", {}).items():
        _known(path, spec, f"[gravity.{kind}]", ("position", "mass"))
        if set(spec) != {"position", "mass"}:
            raise InputError(f"{path}: [gravity.{kind}] must have position and mass; got {', '.join(spec) or 'none'}.")
        for key, one in spec.items():
            _check_spec(path, f"{key} of {kind}", one)
    missing = [key for key in NEEDED if key not in columns]
    missing += [] if ("fe_h" in columns) != ("iron" in columns) else ["either fe_h or iron"]
    missing += [] if ("accreted" in columns) != ("birth_distance" in columns) else ["either accreted or birth_distance"]
    if missing:
        raise InputError(f"{path}: [columns] must name {', '.join(missing)}; it names {', '.join(columns) or 'none'}.")
    _check_choices(path, galaxy, columns)
    return mapping


def spec_of(value: Any) -> Mapping[str, Any]:
    """Return a column's table of keys, also where the mapping gives its name alone."""
    return value if isinstance(value, Mapping) else {"column": value}


def _known(path: Path, found: Any, where: str, known: tuple[str, ...]) -> None:
    if not isinstance(found, Mapping):
        raise InputError(f"{path}: {where} must be a table of keys, got {found!r}.")
    unknown = [key for key in found if key not in known]
    if unknown:
        raise InputError(f"{path}: unknown {', '.join(unknown)} in {where}; expected some of {', '.join(known)}.")


def _check_spec(path: Path, key: str, spec: Any) -> None:
    if isinstance(spec, Mapping) and (("column" in spec) == ("attribute" in spec) or set(spec) - set(COLUMN_KEYS)):
        raise InputError(
            f"{path}: {key} must have column (or attribute), and may have {', '.join(COLUMN_KEYS[1:])}; got {spec!r}."
        )
    if not isinstance(spec, str | list | Mapping):
        raise InputError(f"{path}: {key} must be a column's name, a list of three, or a table; got {spec!r}.")


def _check_choices(path: Path, galaxy: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
    frame = galaxy.get("frame")
    if frame is not None and frame not in FRAMES:
        raise InputError(f"{path}: frame must be {' or '.join(FRAMES)}; got {frame!r}.")
    if frame == "comoving" and "formation" not in columns:
        raise InputError(
            f"{path}: frame = 'comoving' needs formation in [columns], the scale factor at which each star formed."
        )
    keep = galaxy.get("keep", [])
    if not isinstance(keep, str) and not (isinstance(keep, list) and all(isinstance(x, str) for x in keep)):
        raise InputError(f"{path}: keep must be a condition, or a list of them, such as ['age > 1']; got {keep!r}.")
    accreted = spec_of(columns.get("accreted", ""))
    for key in ("others", "unlisted"):
        if key in accreted and accreted[key] not in FATES:
            raise InputError(
                f"{path}: {key} of accreted must be {' or '.join(map(repr, FATES))}; got {accreted[key]!r}."
            )
    if "on" in accreted and "id" not in columns:
        raise InputError(f"{path}: accreted has on, ids to join by; name id in [columns] too, those of the particles.")
