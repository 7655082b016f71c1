"""The attacks: each a name, what a file becomes, and the command that reads it."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from . import texts
from .inputs import BINS, CONFIG, MAPPING, Inputs
from .judge import Case, emptied
from .mutations import mutated, with_another_card, with_card, without_card

BIG = 10**9
Prepared = Iterator[Case]


@dataclass(frozen=True)
class Reader:
    """A kind of file, and the commands that read it.

    Attributes
    ----------
    name : str
        Of the kind.
    file : str
        Its name in the folder of the case.
    commands : tuple of tuple of str
        ``{file}``, ``{stars}`` and so on stand for paths, ``{out}`` for the output, which an option ``-o`` names.
    """

    name: str
    file: str
    commands: tuple[tuple[str, ...], ...]


MEMBERS = ("prepare", "{allstar}", "{astronn}", "--members", "{file}", "-o", "{out}.fits", "-q")
CARDS = ("NAXIS1", 1), ("NAXIS2", 1), ("TFIELDS", 1), ("NAXIS", 2), ("BITPIX", 2), ("PCOUNT", 1)
OTHER_CARDS = (
    "TZERO5  = 'x'",
    "TSCAL5  = 'y'",
    "TSCAL5  = 1E400",
    "TNULL5  = 'z'",
    "TDIM5   = '(9,9,9)'",
    "CONTINUE  'x",
    "TTYPE5  = 'E'",
)
READERS = {
    one.name: one
    for one in (
        Reader("allstar", "a.fits", (("prepare", "{file}", "{astronn}", "-o", "{out}.fits", "-q"),)),
        Reader("astronn", "n.fits", (("prepare", "{allstar}", "{file}", "-o", "{out}.fits", "-q"),)),
        Reader("stars", "s.fits", (("info", "{file}"), ("fit", "{file}", *BINS, "-o", "{out}.h5", "-q"))),
        Reader("fit", "f.h5", (("info", "{file}"), ("apply", "{file}", "{stars}", "-o", "{out}.ecsv", "-q"))),
        Reader("table", "t.ecsv", (("info", "{file}"), ("classify", "{stars}", "--boundary", "{file}", "-q"))),
        Reader("votable", "t.vot", (("info", "{file}"), ("classify", "{stars}", "--boundary", "{file}", "-q"))),
        Reader("fits table", "t.fits", (("info", "{file}"), ("classify", "{stars}", "--boundary", "{file}", "-q"))),
        Reader("batch", "run/batches/000000.h5", (("summary", "run", "--no-figures", "-q"),)),
        Reader("settings", "run/settings.json", (("summary", "run", "--no-figures", "-q"),)),
        Reader(
            "members",
            "m.txt",
            (MEMBERS,),
        ),
        Reader(
            "archive",
            "m.zip",
            (MEMBERS,),
        ),
        Reader("config", "c.toml", (("fit", "{stars}", "-o", "{out}.h5", "-q", "--config", "{file}"),)),
        Reader("regions", "r.toml", (("regions", "{stars}", "--regions", "{file}", "-o", "{out}.ecsv", "-q"),)),
        Reader("mapping", "m.toml", (("prepare", "{stars}", "--columns", "{file}", "-o", "{out}.fits", "-q"),)),
        Reader("catalogue", "c.csv", (("prepare", "{file}", "--columns", "{mapping}", "-o", "{out}.fits", "-q"),)),
    )
}


class Attacks:
    """All cases of a seed.

    Parameters
    ----------
    inputs : Inputs
        Sound files.
    folder : Path
        Where the cases are laid out, one after the other.
    seed : int
        Of the mutations.
    """

    def __init__(self, inputs: Inputs, folder: Path, seed: int) -> None:
        self.inputs, self.folder, self.rng = inputs, folder, random.Random(seed)
        self.sound = {
            "allstar": inputs.allstar.read_bytes(),
            "astronn": inputs.astronn.read_bytes(),
            "stars": inputs.stars.read_bytes(),
            "fit": inputs.fit.read_bytes(),
            "table": inputs.boundary.read_bytes(),
            "votable": inputs.boundary.with_suffix(".vot").read_bytes(),
            "fits table": inputs.boundary.with_suffix(".fits").read_bytes(),
            "batch": (inputs.run / "batches" / "000000.h5").read_bytes(),
            "settings": (inputs.run / "settings.json").read_bytes(),
            "members": inputs.members.read_bytes(),
            "archive": inputs.zipped_members,
            "config": CONFIG,
            "regions": texts.REGIONS,
            "mapping": MAPPING,
            "catalogue": texts.CSV,
        }

    def lay(self, kind: str, data: bytes, label: str, *, file: str | None = None, mapping: bytes = MAPPING) -> Prepared:
        """Write the file of a case, once for each command that reads it."""
        reader = READERS[kind]
        for command in reader.commands:
            folder = emptied(self.folder)
            path = folder / (file or reader.file)
            if path.parent != folder:
                _copy(self.inputs.run, folder / "run")
            path.write_bytes(data)
            (folder / "mapping.toml").write_bytes(mapping)
            yield self.case(command, path, f"{kind} {command[0]} {label}")

    def case(self, command: tuple[str, ...], path: Path, name: str) -> Case:
        """Return a command with its paths filled in."""
        paths = {
            "file": path,
            "out": self.folder / "out",
            "mapping": self.folder / "mapping.toml",
            **{name: getattr(self.inputs, name) for name in ("allstar", "astronn", "stars")},
        }
        arguments = tuple(text.format(**paths) for text in command)
        output = Path(arguments[arguments.index("-o") + 1]) if "-o" in arguments else None
        return Case(name, arguments, output)

    def untouched(self) -> Prepared:
        """Every file as it is: all of these succeed."""
        for kind, data in self.sound.items():
            yield from self.lay(kind, data, "as it is")

    def damaged(self, number: int) -> Prepared:
        """`number` mutations of every kind of file."""
        for i in range(number):
            for kind, data in self.sound.items():
                yield from self.lay(kind, mutated(data, self.rng), f"mutation {i}")

    def headers(self) -> Prepared:
        """Cards of FITS headers that say what cannot be."""
        for kind in ("allstar", "stars", "fits table"):
            data = self.sound[kind]
            for name, which in CARDS:
                for value in (-1, 0, 3, 999, 1000, BIG, 10**18, "x", "T"):
                    try:
                        yield from self.lay(kind, with_card(data, name, value, which), f"{name}={value}")
                    except ValueError:
                        continue  # no such card
            for name in ("TFORM1", "TTYPE2", "TFORM3", "XTENSION", "NAXIS2", "TFIELDS", "END"):
                try:
                    yield from self.lay(kind, without_card(data, name), f"no {name}")
                except ValueError:
                    continue
            for value in ("1PE(99999999)", "999999999D", "0A", "-1D", "1X", "qqq", "1Q", "1C", "16A16"):
                yield from self.lay(kind, with_card(data, "TFORM2", value), f"TFORM2={value}")
            for card in OTHER_CARDS:
                yield from self.lay(kind, with_another_card(data, "TFIELDS", card), card)

    def trees(self) -> Prepared:
        """HDF5 files that hold other things than they should, or lead elsewhere."""
        for name, change in _TREES.items():
            path = emptied(self.folder) / "tree.h5"
            path.write_bytes(self.sound["fit"])
            with h5py.File(path, "a") as file:
                if "sha256" in file.attrs:
                    del file.attrs["sha256"]
                change(file, self.inputs)
            yield from self.lay("fit", path.read_bytes(), name)

    def texts(self) -> Prepared:
        """TOML, JSON, YAML, CSV and VOTables by people who mean no good."""
        for kind, attacks in (
            ("config", texts.configs()),
            ("regions", texts.regions()),
            ("mapping", texts.mappings()),
            ("table", texts.tables()),
            ("votable", texts.votables(self.sound["votable"])),
            ("settings", texts.settings(self.sound["settings"])),
        ):
            for name, data in attacks.items():
                yield from self.lay(kind, data, name)
        for name, (file, data) in texts.catalogues().items():
            yield from self.lay("catalogue", data, name, file=file)

    def archives(self) -> Prepared:
        """Archives and texts of members that unpack to too much, or to something else."""
        member = next(line for line in self.sound["members"].splitlines() if not line.startswith(b"#")) + b"\n"
        for name, data in _zips(member).items():
            yield from self.lay("archive", data, name)
        for name, data in texts.members(member).items():
            yield from self.lay("members", data, name)
        yield from self.lay("members", gzip.compress(member), "gzip", file="m.txt.gz")

    def places(self) -> Prepared:
        """Things that are no files, in the place of every kind of file."""
        for kind, reader in READERS.items():
            for what in ("folder", "pipe", "device", "dangling link", "endless"):
                for command in reader.commands:
                    folder = emptied(self.folder)
                    path = folder / reader.file
                    if path.parent != folder:
                        _copy(self.inputs.run, folder / "run")
                        path.unlink()
                    (folder / "mapping.toml").write_bytes(MAPPING)
                    _put(path, what)
                    yield self.case(command, path, f"{kind} {command[0]} {what}")
        for odd in ("x" * 5000, "a\nb.fits", "\x1b[2J.fits", "-", ""):
            yield self.case(("info", odd), Path(), f"a file called {odd[:10]!r}")

    def all(self, number: int) -> Prepared:
        """Every attack, with `number` mutations of every kind of file."""
        for part in (self.headers, self.trees, self.texts, self.archives, self.places):
            yield from part()
        yield from self.damaged(number)


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())


def _put(path: Path, what: str) -> None:
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"device": "/dev/zero", "endless": "/dev/urandom"}.get(what, "nothing"))


def _replaced(file: h5py.File, name: str, value: object, **options: object) -> None:
    del file[name]
    file.create_dataset(name, data=value, **options)


def _named(file: h5py.File, name: str = "component", **options: object) -> None:
    del file[name]
    file.create_dataset(name, **options).make_scale(name)


def _linked(file: h5py.File, inputs: Inputs) -> None:
    del file["W"]
    file["W"] = h5py.ExternalLink(str(inputs.fit), "W")


def _packed(file: h5py.File, _: Inputs) -> None:
    del file["W"]
    file.create_dataset("W", (40_000, 10_000), "f8", chunks=(1000, 1000), compression="gzip")


def _noted(name: str, text: str) -> Callable[[h5py.File, Inputs], None]:
    def note(file: h5py.File, _: Inputs) -> None:
        file.attrs[name] = text

    return note


def _outcome(**changes: object) -> Callable[[h5py.File, Inputs], None]:
    def change(file: h5py.File, _: Inputs) -> None:
        file.attrs["outcome"] = json.dumps({**json.loads(file.attrs["outcome"]), **changes})

    return change


_TREES: Mapping[str, Callable[[h5py.File, Inputs], None]] = {
    "an external link": _linked,
    "an array that unpacks to gigabytes": _packed,
    "NaN in W": lambda file, _: _replaced(file, "W", np.full(file["W"].shape, np.nan)),
    "negative V": lambda file, _: _replaced(file, "V", -file["V"][()]),
    "rows that are absurd": lambda file, _: _replaced(file, "rows", file["rows"][()] + 2**30),
    "columns of text": lambda file, _: _replaced(file, "columns", np.array([b"x"] * 3)),
    "W of complex numbers": lambda file, _: _replaced(file, "W", file["W"][()] + 1j),
    "components of text without an end": lambda file, _: _named(file, data=["x"] * 2, dtype=h5py.string_dtype()),
    "components of long texts": lambda file, _: _named(file, data=np.array([b"x" * 60_000] * 2)),
    "components of a billion texts": lambda file, _: _named(file, shape=(2**30,), dtype="S8", chunks=(2**20,)),
    "components that are no text": lambda file, _: _named(file, data=np.array([b"\xff\xfe"] * 2)),
    "a trillion stars": lambda file, _: _named(file, "star", shape=(2**40,), dtype="f4", chunks=(2**20,)),
    "axes that lead nowhere": lambda file, _: file["component"].attrs.create("REFERENCE_LIST", [2**62, 1]),
    "a hundred attributes": lambda file, _: file["W"].attrs.update({f"a{i}": "x" for i in range(100)}),
    "an attribute that is long": lambda file, _: file["W"].attrs.create("units", b"x" * 60_000, dtype="S60000"),
    "W without axes": lambda file, _: _replaced(file, "W", 1.0),
    "empty W": lambda file, _: _replaced(file, "W", np.empty((0, 0))),
    "a group for W": lambda file, _: (file.__delitem__("W"), file.create_group("W"))[0],
    "edges in disorder": lambda file, _: _replaced(file, "edges_1", file["edges_1"][()][::-1]),
    "W is missing": lambda file, _: file.__delitem__("W"),
    "settings nested without end": _noted("settings", '{"a":' * 60_000),
    "settings of numbers": _noted("settings", "5"),
    "outcome of a list": _noted("outcome", "[]"),
    "provenance with control characters": _noted("provenance", '{"command": "\\u001b[2J\\n\\n"}'),
    "a status with control characters": _outcome(status="\x1b[2Jgone"),
    "a million names": _outcome(names=["x"] * 1_000_000),
    "clusters that are no mapping": _outcome(clusters=[1, 2]),
    "an infinite loss": _outcome(loss=1e400),
    "a schema of text": _noted("schema", "two"),
}


def _zips(member: bytes) -> dict[str, bytes]:
    def packed(*files: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
        image = io.BytesIO()
        with zipfile.ZipFile(image, "w", kind) as archive:
            for name, data in files:
                archive.writestr(name, data)
        return image.getvalue()

    def streamed(times: int, piece: bytes) -> bytes:
        image = io.BytesIO()
        with (
            zipfile.ZipFile(image, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("catalogues/a.txt", "w", force_zip64=True) as file,
        ):
            for _ in range(times):
                file.write(piece)
        return image.getvalue()

    million = 1 << 20
    return {
        "names that climb": packed(("../../../x.txt", member), ("/etc/x.txt", member)),
        "no texts": packed(("a.csv", b"x")),
        "nothing": packed(),
        "a name with control characters": packed(("catalogues/\x1b[31m.txt", b"not")),
        "an archive in it": packed(("catalogues/a.txt", packed(("b.txt", member)))),
        "stored": packed(("catalogues/a.txt", member), kind=zipfile.ZIP_STORED),
        "thousands of files": packed(*((f"catalogues/{i}.txt", member) for i in range(2000))),
        "not a number": packed(("catalogues/a.txt", b"nan " * 17 + b"\n")),
        "zero bytes": packed(("catalogues/a.txt", b"\0" * 100)),
        "a comment without end": streamed(1000, b"#" * million),
        "a line without end": streamed(1000, b"1" * million),
        "spaces without end": streamed(1000, b" " * million),
        "empty lines without end": streamed(1000, b"\n" * million),
        "comments without number": streamed(600, b"#\n" * (million // 2)),
    }
