"""Hostile texts by kind: of names, what each is, and the bytes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import halonmf.halo.populations

from .inputs import MAPPING

REGIONS = (Path(halonmf.halo.populations.__file__).parent / "regions.toml").read_bytes()
CSV = b"APOGEE_ID,E,Lz,e,FE_H,FE_H_ERR,AL_FE,MG_FE,LOGG\n" + b"".join(
    f"2M{i:08d},{-2e5 + 900 * i},{40 * i - 800},0.{i:02d},-1.{i:02d},0.02,-0.1,0.2,2\n".encode() for i in range(60)
)
DEEP = b"[" * 100_000


def configs() -> dict[str, bytes]:
    """Configuration files."""
    entries = {
        "pixels of text": 'pixels = "many"',
        "pixels that are true": "pixels = true",
        "pixels of a fraction": "pixels = 12.5",
        "pixels in a list": "pixels = [1]",
        "negative pixels": "pixels = -1",
        "pixels without number": "pixels = 100000",
        "components without number": "components = 100000",
        "bins without number": 'bins = "E:1000000000000"',
        "bins squared": 'bins = "E:100000,Lz:100000"',
        "starts without number": "starts = 1000000000",
        "a seed below zero": "seed = -1",
        "a device that is none": 'device = "meta"',
        "a device that is text": 'device = "cpu:9"',
        "a loss that is not a number": 'loss = "nan"',
        "a loss that is negative": 'loss = "-3"',
        "an endless penalty": "alpha_W = 1e308",
        "an infinite penalty": "alpha_W = inf",
        "an option of markup": '"<script>" = 1',
        "an option of control characters": '"\\u001b[2J" = 1',
        "a cut that would import": "cut = [\"__import__('os').system('x')\"]",
        "a cut without end": 'cut = ["' + "LOGG<2 and " * 50_000 + 'LOGG<2"]',
        "brackets in a cut": 'cut = ["' + "(" * 50_000 + '"]',
        "a config in a config": 'config = "x"',
        "a table in a table": "[fit.fit]\npixels = 3",
        "dates": "pixels = 2020-01-01",
    }
    found = {name: f"[fit]\n{entry}\n".encode() for name, entry in entries.items()}
    return found | {
        "brackets without end": b"a = " + DEEP,
        "dots without end": b"a." * 100_000 + b"b = 1\n",
        "braces without end": b"a = " + b"{a = " * 50_000,
        "not UTF-8": b"[fit]\npixels = \xff\n",
        "zero bytes": b"\0" * 1000,
        "nothing": b"",
        "a fit that is no table": b"fit = 5\n",
        "a list of fits": b"[[fit]]\n",
        "megabytes of comment": b"[fit]\n" + b"#" + b"x" * 5_000_000 + b"\n",
        "keys without number": b"[fit]\n" + b"".join(b"a%d = 1\n" % i for i in range(200_000)),
        "a byte-order mark": b'\xef\xbb\xbf[fit]\nbins = "E:4,Lz:2"\npixels = 12\n',
    }


def regions() -> dict[str, bytes]:
    """Regions of populations."""
    plane = b'plane = "AL_FE:FE_H"\n'
    return {
        "brackets without end": b"a = " + DEEP,
        "corners that are not numbers": b"[Eos]\n" + plane + b"polygon = [[nan, inf], [1, 2], [3, 4]]\n",
        "corners of one number": b"[Eos]\n" + plane + b"polygon = [[1]]\n",
        "corners of text": b"[Eos]\n" + plane + b'polygon = "x"\n',
        "corners without number": b"[Eos]\n" + plane + b"polygon = [" + b"[0, 0], " * 100_000 + b"]\n",
        "a cut that would import": b"[Eos]\ncut = \"__import__('os')\"\n",
        "a cut of a number": b"[Eos]\ncut = 5\n",
        "a name of markup": b'["<script>"]\ncut = "FE_H < -1"\n["b"]\ncut = "FE_H > -1"\n',
        "a name that climbs": b'["../../x"]\ncut = "FE_H < -1"\n[Eos]\ncut = "FE_H > -1"\n',
        "a name without end": b'["' + b"x" * 100_000 + b'"]\ncut = "FE_H < -1"\n[Eos]\ncut = "FE_H > -1"\n',
        "nothing": b"",
        "a list": b"[[Eos]]\n",
        "a plane of nothing": b'[Eos]\nplane = "X"\npolygon = [[0, 0], [1, 0], [1, 1]]\n',
    }


def mappings() -> dict[str, bytes]:
    """Mappings of columns."""
    head, energy, quality = b'name = "x"', b'E = {column = "E"}', b'"LOGG < 5"'

    def instead(old: bytes, new: str) -> bytes:
        return MAPPING.replace(old, new.encode())

    return {
        "brackets without end": b"a = " + DEEP,
        "a format that unpickles": instead(head, 'format = "pickle"'),
        "a format of a number": instead(head, "format = 5"),
        "an extension below zero": instead(head, "extension = -3"),
        "an extension of text": instead(head, 'extension = "a"'),
        "an extension without end": instead(head, "extension = 1e400"),
        "missing of a list": instead(head, 'missing = ["a"]'),
        "missing of a mapping": instead(head, "missing = {a = 1}"),
        "a scale of text": instead(energy, 'E = {column = "E", scale = "x"}'),
        "a scale that is not a number": instead(energy, 'E = {column = "E", scale = nan}'),
        "a scale of a list": instead(energy, 'E = {column = "E", scale = [1]}'),
        "a unit of nonsense": instead(energy, 'E = {column = "E", unit = "km**km"}'),
        "a unit of a number": instead(energy, 'E = {column = "E", unit = 5}'),
        "a unit of brackets": instead(energy, 'E = {column = "E", unit = "' + "(" * 3000 + 'km"}'),
        "a column of a number": instead(energy, "E = {column = 5}"),
        "a column of nothing": instead(b'Lz = "Lz"', 'Lz = ""'),
        "a quality of text": instead(quality, '"APOGEE_ID < 5"'),
        "a quality without end": instead(quality, '"' + "LOGG < " * 5000 + '5"'),
        "a quality of a list": instead(quality, "[1]"),
        "one column twice": instead(b'Lz = "Lz"', 'Lz = "E"'),
        "an error of a number": instead(b'error = "FE_H_ERR"', "error = 5"),
        "a flag of text": instead(b'error = "FE_H_ERR"', 'flag = "APOGEE_ID"'),
    }


def tables() -> dict[str, bytes]:
    """Tables as ECSV."""
    head, tail = b"# %ECSV 1.0\n# ---\n# meta: ", b"\n# datatype:\n# - {name: a, datatype: float64}\na\n1\n"
    lines = ["a0: &a0 [" + ", ".join("x" * 9) + "]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]" for i in range(1, 12)]
    laughs = "".join(f"\n#   {line}" for line in lines).encode()
    return {
        "an object of Python": head + b'!!python/object/apply:os.system ["touch x"]' + tail,
        "aliases that multiply": head + laughs + tail,
        "an alias of itself": head + b"&a [*a]" + tail,
        "brackets without end": head + DEEP + tail,
        "a header alone": b"# %ECSV 1.0\n",
        "no header": b"a,b\n1,2\n",
        "a type of nonsense": b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: float99}\na\n1\n",
        "columns without number": b"# %ECSV 1.0\n# ---\n# datatype:\n"
        + b"".join(b"# - {name: a%d, datatype: int64}\n" % i for i in range(3000))
        + b" ".join(b"a%d" % i for i in range(3000)),
        "names of control characters": b"# %ECSV 1.0\n# ---\n# datatype:\n"
        + b'# - {name: "\\e[2J", datatype: int64}\n\x1b[2J\n1\n',
        "not UTF-8": b"# %ECSV 1.0\n\xff\xfe\n",
        "zero bytes": b"\0" * 5000,
        "nothing": b"",
    }


def votables(sound: bytes) -> dict[str, bytes]:
    """VOTables with entities, of other encodings, without end, or with metadata that are none."""
    levels = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(9))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "ha">{levels}]>'.encode()
    head, rest = sound.split(b"?>", 1)
    unsealed = sound.replace(b"content_sha256", b"no_seal")
    nested = b"[" * 60_000
    return {
        "entities that multiply": head + b"?>" + bomb + rest.replace(b"Made by", b"&a9; Made by", 1),
        "an entity of a file": head + b'?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + rest,
        "another encoding": sound.decode().replace("utf-8", "utf-16").encode("utf-16"),
        "a declared encoding that it has not": sound.replace(b'encoding="utf-8"', b'encoding="cp037"'),
        "elements without end": b"<VOTABLE>" + b"<RESOURCE>" * 100_000,
        "an attribute without end": b'<VOTABLE version="' + b"1" * 10_000_000 + b'"/>',
        "no table": b"<?xml version='1.0'?><VOTABLE/>",
        "metadata nested without end": unsealed.replace(b'name="level" value="', b'name="level" value="' + nested),
        "a table that lies elsewhere": unsealed.replace(b"<TABLEDATA>", b'<BINARY><STREAM href="http://x.invalid/y"/>'),
        "control characters": unsealed.replace(b"crosses", b"\x1b[2J\x07"),
        "an array without end": unsealed.replace(b'datatype="double"', b'datatype="double" arraysize="999999999"'),
        "a type that there is not": unsealed.replace(b'datatype="double"', b'datatype="quad"'),
    }


def settings(sound: bytes) -> dict[str, bytes]:
    """Settings of an ensemble; the hash that belongs to them is what whoever forges them would give."""
    from halonmf.halo.ensembles.run import identity

    def forged(**changes: object) -> bytes:
        record = json.loads(sound)
        record["plan"] |= changes
        return json.dumps(record | {"settings_sha256": identity(record)}).encode()

    values, endless = list(range(300)), list(range(1, 90_001))
    base = json.loads(sound)["plan"]["base"]
    return {
        "brackets without end": DEEP,
        "a number": b"5",
        "nothing": b"",
        "zero bytes": b"\0" * 500,
        "replicates without number": forged(bootstrap=10**15),
        "replicates below zero": forged(bootstrap=-5),
        "replicates of text": forged(bootstrap="many"),
        "a batch of nothing": forged(batch=0),
        "a batch of one in a billion": forged(bootstrap=10**9, batch=1),
        "sweeps that multiply": forged(
            sweeps=[{"name": "seed", "values": values}, {"name": "pixels", "values": [x + 2 for x in values]}]
        ),
        "sweeps without end": forged(sweeps=[{"name": name, "values": endless} for name in ("seed", "pixels")]),
        "a sweep of lists": forged(sweeps=[{"name": "seed", "values": [[1], {"a": 2}, None]}]),
        "sweeps of nothing": forged(sweeps=[{}]),
        "a base of a list": forged(base=[]),
        "an unknown scheme": forged(base={**base, "scheme": "astrology"}),
    }


def catalogues() -> dict[str, tuple[str, bytes]]:
    """Catalogues of any format, each with the name of its file."""
    laughs = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdef", "bcdefg", strict=True))
    entity = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    table = (
        '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><DESCRIPTION>&{};</DESCRIPTION>'
        '<RESOURCE><TABLE><FIELD name="APOGEE_ID" datatype="char" arraysize="*"/><DATA><TABLEDATA><TR><TD>x</TD></TR>'
        "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    return {
        "a field without end": ("c.csv", b'APOGEE_ID,E\n"' + b"x" * 3_000_000),
        "rows of other lengths": ("c.csv", CSV + b"1,2,3\n"),
        "a header alone": ("c.csv", CSV.splitlines()[0]),
        "names twice": ("c.csv", CSV.replace(b"LOGG", b"E", 1)),
        "words for numbers": ("c.csv", CSV.replace(b"-0.1", b"low")),
        "numbers beyond number": ("c.csv", CSV.replace(b"-0.1", b"1e999")),
        "zero bytes": ("c.csv", CSV.replace(b",", b"\0")),
        "a byte-order mark": ("c.csv", b"\xef\xbb\xbf" + CSV),
        "columns without number": ("c.csv", b",".join(b"a%d" % i for i in range(50_000)) + b"\n"),
        "gzip of ones": ("c.csv.gz", gzip.compress(b"APOGEE_ID,E\n" + b"a,1\n" * 200_000)),
        "a pickle": ("c.pkl", b"\x80\x04cos\nsystem\n(S'touch x'\ntR."),
        "a page": ("c.html", b"<html><table><tr><td>1"),
        "TeX": ("c.tex", b"\\input{/etc/passwd}"),
        "entities that multiply": ("c.vot", (entity + laughs + "]>" + table.format("g")).encode()),
        "an entity of a file": (
            "c.vot",
            (
                '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + table.format("a")
            ).encode(),
        ),
        "aliases that multiply": ("c.ecsv", tables()["aliases that multiply"]),
        "an object of Python": ("c.ecsv", tables()["an object of Python"]),
    }


def members(line: bytes) -> dict[str, bytes]:
    """Lists of a cluster's members; `line` is a sound one."""
    return {
        "nothing": b"",
        "a comment alone": b"#only\n",
        "an id too long": b"9" * 400 + b" " + b"1 " * 17 + b"\n",
        "an id below zero": b"-5 " + b"1 " * 17 + b"\n",
        "a probability without end": b"1 " * 16 + b"1e999\n",
        "a probability of two": b"1 " * 16 + b"2\n",
        "other columns": b"1,2,3\n",
        "a line without end": line + b"1" * 20_000_000,
        "empty lines": b"\n" * 3_000_000,
        "zero bytes": b"\0" * 1000,
        "a page": b"<!DOCTYPE html><html>",
    }
