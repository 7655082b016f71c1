"""What a file or folder holds, at a glance: a few lines for a terminal, the same facts for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.atomic import FITS, TABLES
from ..io.provenance import plain
from ..io.reading import check_file, cleaned
from ..products.record import jsonable, record, units_of
from ..rounding import measured, number, titled
from ..units import ENERGY

WIDTH = 110
SHOWN = 4
"""Of long lists so many are shown."""
MOST, DETAILS = 13, ("  mean over bins ", "  mean energy ")
"""Of the lines of a summary so many are shown, and last those that begin so."""


@dataclass(frozen=True)
class Contents:
    """What a file or folder of this software is.

    Attributes
    ----------
    kind : str
        ``fit``, ``prepared catalogue``, ``table``, ``summary``, ``ensemble`` or ``paper``.
    lines : tuple of str
        For a terminal.
    facts : dict
        The same for programs.
    provenance : dict
        How it was made.
    """

    kind: str
    lines: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def describe(self, *, whole: bool = False) -> str:
        """Return the lines, and how it was made: in a few words, or all of it."""
        made = _json(self.provenance) if whole else self.made
        return "\n".join([*(line for line in self.lines if line), *([made] if made else [])])

    @property
    def made(self) -> str:
        """By what, when and from what it was made."""
        record = self.provenance
        if not record:
            return ""
        inputs = [cleaned(each.get("name", "?")) for each in record.get("inputs", ()) if isinstance(each, Mapping)]
        made = f"made by halonmf {cleaned(record.get('command', '?'))}, version {cleaned(record.get('version', '?'))}"
        made += f", {cleaned(record['time'])}" if "time" in record else ""
        return made + (f", from {_few(inputs)}" if inputs else "")

    def record(self) -> dict[str, Any]:
        """Return it for ``--json``: ``kind``, the facts of this kind and ``provenance``."""
        return {"kind": self.kind, **jsonable(self.facts), "provenance": plain(self.provenance)}


def contents(path: str | Path) -> Contents:
    """Return what a file or a folder holds.

    Parameters
    ----------
    path : path
        A fit, a prepared catalogue, a table, the summary of an ensemble; or the folder of an ensemble or a paper.

    Raises
    ------
    InputError
        It is missing, damaged or of another kind.
    """
    from ..ensembles.archive import is_summary
    from ..fits.files import load
    from ..fits.fit import Fit
    from ..stars.catalogue import Catalogue

    path = Path(path)
    if path.is_dir():
        return _folder(path)
    if is_summary(path):
        return _summary_file(path)
    content = load(path)
    if isinstance(content, Fit):
        return _fit(content)
    return _catalogue(content) if isinstance(content, Catalogue) else _table(content)


def _fit(fit: Any) -> Contents:
    m, n = fit.mixtures.V.shape
    settings, names = fit.settings, list(fit.names)
    planes = ", ".join(str(plane) for plane in settings.chemistry.planes)
    judged = fit.judged
    lines = [
        f"fit of {len(names)} components: {m:,} bins x {n:,} pixels; {fit.ended}",
        f"selection {settings.selection.name}; bins {', '.join(f'{a.variable} {a.count}' for a in settings.axes)}; "
        f"planes {planes}; loss {settings.solver.loss}",
        fit.composition,
        "" if judged is None else judged.describe(),
        fit.problems(),
        "" if fit.verified else "unverified: an earlier version wrote this file without a checksum",
        fit.mixtures.describe(),
        _flow(fit.cutflow),
    ]
    return Contents("fit", tuple(lines), record(fit), dict(fit.provenance))


def _catalogue(catalogue: Any) -> Contents:
    table, facts = catalogue.table, record(catalogue)
    known = facts["orbits"]
    E = np.asarray(table["E"], dtype=float) if "E" in table.colnames else np.zeros(0)
    span = f"; E from {number(E.min(), ENERGY)} to {measured(E.max(), ENERGY)}" if len(E) else ""
    lines = [
        f"prepared catalogue: {len(catalogue):,} stars{span}",
        f"orbits in {known['potential']}" if "potential" in known else "",
        _wrapped("columns", table.colnames),
        _flow(catalogue.cutflow),
    ]
    return Contents("prepared catalogue", tuple(lines), facts, dict(catalogue.provenance))


def _table(table: Any) -> Contents:
    from ..fits.engine import CONVERGED, not_converged

    meta = dict(table.meta)
    record = meta.pop("provenance", None) or {}
    units = units_of(table)
    named = [titled(name, unit) for name, unit in units.items()]
    crossings = meta.get("crossings") if isinstance(meta.get("crossings"), Mapping) else {}
    ended = str(meta.get("fit_status", CONVERGED)), float(meta.get("fit_kkt", 0.0))
    lines = [
        f"table of {len(table):,} rows, by halonmf {cleaned(record.get('command', '?'))}",
        _wrapped("columns", named),
        *(f"{cleaned(name)} crossed at {_numbers(at)}" for name, at in list((crossings or {}).items())[:SHOWN]),
        not_converged(*ended, len(meta.get("bins_not_converged", []))),
        _wrapped("also says", [f"{name}: {_brief(value)}" for name, value in meta.items() if name != "crossings"]),
    ]
    facts = {"rows": len(table), "columns": units, "meta": meta}
    return Contents("table", tuple(lines), facts, dict(record))


def _summary_file(path: Path) -> Contents:
    from ..ensembles.stored import read_summary

    summary, said = read_summary(path)
    labels = [part.label for part in summary.parts]
    numbers = summary.describe().splitlines()
    if said["schema"] == 1:
        del numbers[0]  # how many replicates were left out, which such a file does not know
    lines = [
        f"summary of an ensemble: {len(labels)} configuration{'s' * (len(labels) != 1)}, "
        f"intervals {cleaned(summary.interval)}",
        *_shortened(numbers),
    ]
    facts = {"configurations": labels, **summary.record()}
    return Contents("summary", tuple(lines), facts, dict(said.get("provenance") or {}))


def _folder(path: Path) -> Contents:
    from ..ensembles.run import SETTINGS
    from ..paper.settings import SCORES, STEPS

    if (path / SETTINGS).is_file():
        return _ensemble(path)
    if (path / SCORES).is_file():
        return _paper(path, path / SCORES)
    if steps := len(list((path / STEPS).glob("*.json"))):
        lines = [f"paper that is not complete: {steps} steps are kept", "go on with halonmf paper ... --resume"]
        return Contents("paper", tuple(lines), {"sample": None, "scores": {}, "files": {}, "steps": steps})
    files = sorted(file.name for file in path.iterdir() if file.suffix.lower() in (*FITS, *TABLES))
    raise InputError(
        f"{path}: a folder of neither an ensemble ({SETTINGS}) nor a paper ({SCORES})"
        + (f"; give one of its files: {_few(files)}." if files else ".")
    )


def _ensemble(path: Path) -> Contents:
    from ..ensembles.run import SETTINGS, open_run
    from ..ensembles.summary import summarise

    run = open_run(path)
    done, wanted = len(run.headers), len(run.plan.batches)
    lines = [
        f"ensemble of {len(run.setups)} configuration{'s' * (len(run.setups) != 1)}, {run.plan.fits:,} fits; "
        f"{done:,} of {wanted:,} batches are there"
    ]
    facts: dict[str, Any] = {
        "configurations": list(run.labels),
        "fits": run.plan.fits,
        "batches": wanted,
        "batches_done": done,
        "complete": run.complete,
        "failed": [failure.label for failure in run.failed],
    }
    if run.complete:
        summary = summarise(run)
        lines += _shortened(summary.describe().splitlines())
        facts["verdict"] = None if summary.verdict is None else summary.verdict.record()
    else:
        lines.append("go on with halonmf ensemble ... --resume")
    said = json.loads((path / SETTINGS).read_text(encoding="utf-8"))  # as `open_run` has read it already
    record = {
        "inputs": [dict(run.stars)],
        "command": "ensemble",
        "version": said.get("version", "?"),
        "settings_sha256": run.sha256,
    }
    return Contents("ensemble", tuple(lines), facts, record)


def _paper(path: Path, scores: Path) -> Contents:
    from ..paper.settings import FOLDERS

    try:
        found = json.loads(check_file(scores).read_text(encoding="utf-8"))
        words = {cleaned(word, 40): int(number) for word, number in found["counts"].items()}
        sample, stars = cleaned(found["sample"], 40), int(found["chemically_pure"])
        warned = [cleaned(line) for line in found.get("warnings", ())]
        record = dict(found.get("provenance") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{scores}: cannot be read ({cleaned(error)}); make the paper again.") from None
    count = {name: len(list((path / name).glob("*"))) for name in FOLDERS if (path / name).is_dir()}
    lines = [
        f"paper of the {sample}: {stars:,} chemically pure stars; "
        + ", ".join(f"{number} files in {name}/" for name, number in count.items()),
        "scoreboard: " + ", ".join(f"{number} {word}" for word, number in words.items()),
        *warned[:SHOWN],
        f"page: {path / 'report.html'}",
    ]
    return Contents("paper", tuple(lines), {"sample": sample, "scores": words, "files": count}, record)


def _shortened(lines: list[str]) -> list[str]:
    """Return the lines of a summary that tell most: fractions and the first crossings."""
    first = [line for line in lines if not line.startswith(DETAILS)]
    more = len(lines) - MOST + 1
    return lines if len(lines) <= MOST else [*first[: MOST - 1], f"... {more} more lines: halonmf summary"]


def _flow(flow: Any) -> str:
    """Return a cut-flow, in the middle shortened."""
    lines = str(flow).splitlines()
    if len(lines) <= 2 * SHOWN:
        return "\n".join(lines)
    return "\n".join([*lines[:SHOWN], f"... {len(lines) - 2 * SHOWN} more cuts ...", *lines[-SHOWN:]])


def _wrapped(title: str, items: list[str]) -> str:
    """Return whole items in at most three lines, and how many more there are."""
    lines: list[str] = []
    for count in range(min(len(items), WIDTH), 0, -1):
        more = f" and {len(items) - count:,} more" * (count < len(items))
        text = f"{title}: " + ", ".join(map(cleaned, items[:count])) + more
        lines = textwrap.wrap(text, WIDTH, subsequent_indent="  ")
        if len(lines) <= 3:
            break
    return "\n".join(lines[:3])


def _few(items: list[str]) -> str:
    return ", ".join(items[:SHOWN]) + (f" and {len(items) - SHOWN} more" if len(items) > SHOWN else "")


def _numbers(at: Any) -> str:
    found = [float(x) for x in np.ravel(np.asarray(at, dtype=float))]
    unit = ENERGY if any(abs(x) >= 1e4 for x in found) else ""  # nothing else that is binned is as large
    return " and ".join(measured(x, unit) for x in found) or "no place"


def _brief(value: Any) -> str:
    """Return a value of metadata in the style of all that is printed, in a few words."""
    value = plain(value)
    if isinstance(value, Mapping):
        text = ", ".join(f"{name} {_brief(each)}" for name, each in value.items()) or "none"
    elif isinstance(value, list):
        text = " ".join(map(_brief, value)) or "none"
    elif isinstance(value, bool) or value is None:
        text = {True: "yes", False: "no", None: "none"}[value]
    elif isinstance(value, int):
        text = f"{value:,}"
    elif isinstance(value, float):
        text = number(value) if not value or abs(value) >= 1e-3 else f"{value:.1e}".replace("e-0", "e-")
    else:
        text = str(value)
    return cleaned(text, 60)


def _json(value: Any) -> str:
    return json.dumps(plain(value), indent=1, sort_keys=True)
