"""Which survey stars are from, and on whose scale their abundances are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from .catalogue import Catalogue

SURVEY = "survey"
"""Entry of a catalogue's provenance, and of a table's metadata: the survey."""
MOVED = "scale"
"""The same of another survey on whose scale the abundances were put."""
APOGEE = "apogee-dr17"
"""What earlier versions of `halonmf prepare`, which did not state it, read without a mapping."""


def survey_of(stars: Catalogue | Any) -> str:
    """Return the survey of prepared stars, such as ``apogee-dr17`` or the name that their mapping states; or ""."""
    record = getattr(stars, "provenance", None)
    named = getattr(getattr(stars, "table", stars), "meta", {}).get(SURVEY)
    return str(named or (survey_of_record(record) if record else ""))


def scale_of(stars: Catalogue | Any) -> str:
    """Return the survey on whose scale the abundances of prepared stars are: their own, or that they were moved to."""
    moved = getattr(getattr(stars, "table", stars), "meta", {}).get(MOVED)
    return str(moved or (getattr(stars, "provenance", None) or {}).get(MOVED) or survey_of(stars))


def check_scale(stars: Catalogue | Any, scale: str) -> None:
    """Refuse stars whose abundances are on the scale of another survey than a fit's; nothing where either is not known.

    Raises
    ------
    UsageError
        They are.
    """
    own = scale_of(stars)
    if own and scale and own != scale:
        raise UsageError(
            f"the fit is of {scale}, the stars are of {own}, and abundances of two surveys differ in zero point: give "
            "halonmf apply or boundary --zeropoints FILE, from halonmf zeropoints, or --zeropoints none to take them "
            "as they are; give other commands the stars that halonmf zeropoints --moved writes."
        )


def labels(table: Any) -> dict[str, str]:
    """Return the entries of provenance on survey and scale that a table's metadata have."""
    return {name: str(table.meta[name]) for name in (SURVEY, MOVED) if table.meta.get(name)}


def survey_of_record(record: Mapping[str, Any]) -> str:
    """Return the survey that a catalogue's provenance states, or that follows from it in files without the entry.

    A catalogue that was read by a mapping is of the survey that the mapping names, or else of the mapping's file.
    """
    if record.get(SURVEY):
        return str(record[SURVEY])
    settings = record.get("settings")
    if record.get("command") != "prepare" or not isinstance(settings, Mapping):
        return ""
    if settings.get(SURVEY):
        return str(settings[SURVEY])
    mapping = settings.get("mapping")
    if mapping is None:
        return APOGEE
    files = [str(one.get("name")) for one in record.get("inputs", ())]
    return str(mapping.get("catalogue", {}).get("name") or next((x for x in files if x.endswith(".toml")), ""))
