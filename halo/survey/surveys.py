"""Surveys that are known by name: each is a file of facts, which is a mapping file and says how its files are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InputError, UsageError
from ..io.fits import find_table
from ..io.packed import beginning
from ..io.toml import read_toml
from .grammar import Abundance, Mapped
from .parsing import parse_mapping
from .settings import ALL_FLAGS, DEFAULT_COLUMNS, NO_FLAGS, SURVEYS

FACTS = Path(__file__).with_name("facts")


@dataclass(frozen=True)
class Survey:
    """What is known of a survey's files.

    Attributes
    ----------
    name : str
        One of `settings.SURVEYS`.
    title : str
        What its catalogue is.
    path : Path
        The file of facts.
    mapping : Mapped
        How its columns are read.
    recognised_by : tuple of str
        Columns that no other catalogue has together.
    files : mapping of str to tuple of str
        Columns of each further file, by the mapping's name for it; the first that fits counts.
    needs : tuple of str
        Further files of which one must be given; empty for none.
    why : str
        What the catalogue itself lacks.
    flag_bits : mapping of str to int
        Names of the bits of the flags of abundances.
    """

    name: str
    title: str
    path: Path
    mapping: Mapped
    recognised_by: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...]
    why: str
    flag_bits: Mapping[str, int]


@cache
def survey_facts(name: str) -> Survey:
    """Return what is known of a survey.

    Raises
    ------
    UsageError
        No survey has that name.
    """
    if name not in SURVEYS:
        raise UsageError(f"survey must be one of {', '.join(SURVEYS)}; got {name!r}.")
    path = FACTS / f"{name}.toml"
    content = read_toml(path, "the facts of the survey")
    about = content.pop("survey")
    mapping = parse_mapping(content, Path(f"survey {name}"))
    return Survey(
        name,
        about["title"],
        path,
        mapping,
        tuple(about["recognised_by"]),
        {key: tuple(names) for key, names in about.get("files", {}).items()},
        tuple(about.get("needs", ())),
        about.get("why", ""),
        about.get("flag_bits", {}),
    )


def recognise(path: str | Path) -> str | None:
    """Return the name of the survey whose catalogue a file is by its columns; None where it is none or two."""
    found = [name for name in SURVEYS if _has(path, survey_facts(name))]
    return found[0] if len(found) == 1 else None


def _has(path: str | Path, survey: Survey) -> bool:
    return not _lacks(path, survey.mapping.catalogue.extension, survey.recognised_by)


def _lacks(path: str | Path, extension: Any, names: Sequence[str]) -> list[str]:
    """Return which of these columns a table of a FITS file has not; all where it is no FITS file."""
    try:
        if not beginning(path, 9).startswith(b"SIMPLE  ="):
            return list(names)
        known = {column.upper() for column in find_table(path, 1 if extension is None else extension).columns}
    except InputError:
        return list(names)  # whatever is wrong with it is said where it is read
    return [name for name in names if name.upper() not in known]


def arrange(survey: Survey, paths: Sequence[str | Path]) -> list[str | Path]:
    """Return a survey's files as `mapping.read_mapped` takes them: the catalogue, then ``NAME=FILE`` by their columns.

    Parameters
    ----------
    survey : Survey
    paths : sequence of path
        The catalogue first.

    Raises
    ------
    InputError
        A file that is not what its place asks for.
    UsageError
        A file is lacking, or two are of one kind.
    """
    first, *rest = (Path(path) for path in paths)
    lacking = _lacks(first, survey.mapping.catalogue.extension, survey.recognised_by)
    if lacking:
        swapped = next((path for path in rest if _has(path, survey)), None)
        beginning(first)  # a file that cannot be read is not one with other columns
        hint = (
            f"{swapped} is: it comes first"
            if swapped
            else "check that this is the right file, and the survey's name; --columns reads any other catalogue"
        )
        raise InputError(f"{first}: not {survey.title}: it lacks {', '.join(lacking)}; {hint}.")
    found: dict[str, Path] = {}
    for path in rest:
        key = _kind(survey, path)
        if key in found:
            raise UsageError(f"{path} and {found[key]} are both {_called(key)}; give one of them.")
        found[key] = path
    if survey.needs and not any(key in found for key in survey.needs):
        raise UsageError(f"{first}: {survey.why}.")
    return [first, *(f"{key}={path}" for key, path in found.items())]


def _kind(survey: Survey, path: Path) -> str:
    for source in survey.mapping.tables:
        names = survey.files[source.key]
        if not _lacks(path, source.extension, names):
            return source.key
    beginning(path)
    if _has(path, survey):
        raise InputError(f"{path}: is {survey.title} too, which is given already; give another file, or leave it out.")
    known = "; or ".join(f"{', '.join(survey.files[s.key])} ({_called(s.key)})" for s in survey.mapping.tables)
    raise InputError(
        f"{path}: no file that goes with {survey.title}: it has not the columns of "
        f"{known or 'any, and none is joined to it'}."
    )


def _called(key: str) -> str:
    return f"a table of the kind {key}"


def chosen_flags(flags: str, known: Mapping[str, int]) -> tuple[int, ...]:
    """Return the bits that count of the flags of abundances; none where all do, or where no flag counts.

    Parameters
    ----------
    flags : str
        As `settings.PrepareSettings` has it.
    known : mapping of str to int
        Names of bits.

    Raises
    ------
    UsageError
        A name that is not among them, or a number that is no bit.
    """
    if flags in (ALL_FLAGS, NO_FLAGS):
        return ()
    out = []
    for word in (word.strip() for word in flags.split(",")):
        bit = int(word) if word.isdecimal() else {name.upper(): b for name, b in known.items()}.get(word.upper(), -1)
        if not 0 <= bit < 63:
            raise UsageError(
                f"--flags {flags}: {word!r} is no bit; give all, none, or numbers from 0 to 62"
                + (f" and names among {', '.join(known)}." if known else ".")
            )
        out.append(bit)
    return tuple(sorted(set(out)))


def for_elements(mapping: Mapped, elements: Sequence[str], columns: Sequence[str] = DEFAULT_COLUMNS) -> Mapped:
    """Return a survey's mapping for some of its abundances.

    Parameters
    ----------
    mapping : Mapped
    elements : sequence of str
    columns : sequence of str
        Further columns that were asked for: those of the mapping are all that can be read.

    Raises
    ------
    UsageError
        It has not one of them, or other columns are asked for.
    """
    if tuple(columns) != DEFAULT_COLUMNS:
        raise UsageError(
            f"{mapping.path} reads the columns of its file of facts; --keep is for APOGEE DR17 with astroNN's. "
            "Name the column in a copy of that file, with --columns."
        )
    absent = [name for name in elements if name not in mapping.abundances]
    if absent:
        raise UsageError(f"{mapping.path} has no {', '.join(absent)}; it has {', '.join(mapping.abundances)}.")
    return replace(mapping, abundances={name: mapping.abundances[name] for name in elements})


def with_bits(mapping: Mapped, bits: Sequence[int]) -> Mapped:
    """Return a mapping in whose flags of abundances these bits alone count; as it is where there are none."""
    if not bits:
        return mapping
    mask = sum(1 << bit for bit in bits)

    def chosen(one: Abundance) -> Abundance:
        flags = (flag if flag.allowed is not None else replace(flag, mask=mask) for flag in one.flags)
        return replace(one, flags=tuple(flags))

    return replace(mapping, abundances={name: tuple(map(chosen, found)) for name, found in mapping.abundances.items()})
