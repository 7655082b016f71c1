"""The pages of a run of the paper: the report with everything, and the scoreboard by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..io.provenance import plain
from ..stars.catalogue import Catalogue
from .amounts import amount, readable, unit_text
from .blocks import Beside, Block, Facts, Plate, Report, Section, Sheet
from .part import Part
from .quoted import MOCK, SUB_SAMPLE
from .report import PRODUCTS, page
from .scoreboard import FAIL, PASS, Scoreboard
from .steps import TITLES, steps_of
from .study import PaperSettings

TITLE = "Blind source separation of the stellar halo"
LONGEST, SHOWN = 40, 12
"""Rows of a table that the page shows whole, and of a longer one, which stands in its file."""
WIDEST = 11
"""Columns of a table that the page shows."""
SAMPLES = {
    MOCK: "a mock survey: its stars are drawn, and nothing here is a measurement of the Milky Way. Numbers are held to "
    "the truth of the mock where it has one",
    "survey": "a sample of the paper's own size. Numbers are held to the paper's",
    SUB_SAMPLE: "a sub-sample, other stars than the paper's, so its numbers are not comparable with the paper's",
}


def pages(
    directory: Path,
    catalogue: Catalogue,
    parts: Mapping[str, Part],
    scores: Scoreboard,
    skipped: Mapping[str, str],
    files: Mapping[str, Sequence[str]],
    settings: PaperSettings,
    said: Sequence[str] = (),
) -> tuple[str, str]:
    """Return the report and the scoreboard's own page as HTML; `said` is what was changed for these stars."""
    kicker = {MOCK: "mock survey", SUB_SAMPLE: "sub-sample"}.get(scores.sample, "survey")
    record = scores.provenance
    footer = f"Made by {record['software']} {record['version']} on {record['time']}, command {record['command']}."
    board = Section("scoreboard", "Scoreboard", (scores,))
    sections = [
        _step(directory, step, parts[step.title], files, distrusted(scores, step.products))
        for step in steps_of(settings.analysis)
        if step.title in parts
    ]
    made = (
        Section("summary", "Summary", tuple(_summary(scores))),
        *sections,
        board,
        Section("left-out", "What was left out", _left_out(skipped, parts)),
        Section("settings", "Settings and provenance", _provenance(catalogue, scores, settings)),
    )
    lead = (*_lead(scores), *(f"{text[:1].upper()}{text[1:]}." for text in said))
    whole = Report(TITLE, f"Davies et al., every product \N{MIDDLE DOT} {kicker}", lead, made, scores.counts, footer)
    alone = Report("Scoreboard", f"{TITLE} \N{MIDDLE DOT} {kicker}", lead, (board,), scores.counts, footer)
    return page(whole), page(alone)


def sheet_of(table: Any, name: str, caption: str, files: Sequence[str] = ()) -> Sheet:
    """Return a table of the page with the columns of an astropy table, units in the header."""
    header, columns = [], []
    for key in table.colnames:
        unit = str(getattr(table[key], "unit", None) or "")
        label = readable(key).replace("_", " ")
        header.append(f"{label} [{unit_text(unit)}]" if unit and unit != "dex" else f"{label} [dex]" if unit else label)
        columns.append([_cell(x) for x in np.asarray(getattr(table[key], "value", table[key]))])
    return Sheet(name, caption, tuple(header), tuple(zip(*columns, strict=True)), tuple(files))


def _cell(x: Any) -> str:
    if isinstance(x, bool | np.bool_):
        return "yes" if x else "no"
    if isinstance(x, int | float | np.number):
        return amount(float(x))
    return str(x)


def _lead(scores: Scoreboard) -> tuple[str, ...]:
    counts = scores.counts
    compared = counts[PASS] + counts[FAIL]
    return (
        f"Every product of the paper, made from {SAMPLES[scores.sample]}.",
        f"{scores.stars:,} stars of the chemically pure halo. Of {len(scores.rows)} numbers {compared} can be "
        "compared: "
        f"{counts[PASS]} are within the tolerances that were fixed beforehand, {counts[FAIL]} are not.",
        *distrusted(scores),
    )


def distrusted(scores: Scoreboard, products: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the components most of whose numbers miss, in words: all, or those that have numbers of some products."""
    of = {row.number.component for row in scores.rows if products is None or row.number.product in products}
    return tuple(
        f"Not to be trusted is {each.describe()}." for each in scores.components if not each.trusted and each.name in of
    )


HEADLINES = (
    "R1.mass.HE",
    "R9.chemically-pure.50",
    "R9.chemically-pure.90",
    "R9.chemically-pure.10",
    "R9.kinematically-pure.50",
    "R10.chemically-pure.r",
    "R10.chemically-pure.z",
    "R10.chemically-pure.R",
    "R8.peak.HE",
    "R8.peak.LE",
)
"""Numbers of the summary."""


def _summary(scores: Scoreboard) -> list[Block]:
    rows: list[tuple[str, ...]] = []
    for row in scores.rows:
        if row.number.id not in HEADLINES or row.value is None:
            continue
        unit, value = row.number.unit, row.value
        interval = "" if value.low is None else f"{amount(value.low)} to {amount(value.high)}"
        held = amount(value.truth, unit) if value.truth is not None else ""
        off = "" if row.off_in_errors is None else amount(row.off_in_errors, digits=2)
        paper, range_ = amount(row.number.paper, unit), row.number.revised
        revised = "" if range_ is None else f"{amount(range_[0])} to {amount(range_[1], unit)}"
        number = (row.number.what, amount(value.value, unit), interval)
        rows.append((*number, held, off, paper, revised, row.status))
    header: tuple[str, ...] = (
        *("number", "ours", "16 to 84 %", "truth of the mock", "off / error", "paper", "revised abstract", "outcome"),
    )
    # a truth only of a mock, a distance only where anything is compared
    shown = [i for i in range(len(header)) if (i != 3 or scores.sample == MOCK) and (i != 4 or scores.components)]
    header, rows = tuple(header[i] for i in shown), [tuple(row[i] for i in shown) for row in rows]
    blocks: list[Block] = [Sheet("headlines", "The paper's headline numbers.", header, tuple(rows))]
    if scores.components:
        blocks.append(_components(scores))
    missed = [row for row in scores.rows if row.status == FAIL]
    if missed:
        lines = tuple(
            (row.number.product, row.number.what, row.reason, row.value.note if row.value is not None else "")
            for row in missed
        )
        said = "Numbers that miss what they are held to by more than the tolerance, and what is known of it."
        blocks.append(Sheet("missed", said, ("product", "number", "off by", "note"), lines))
    return blocks


def _components(scores: Scoreboard) -> Sheet:
    """Return the table of how each component fares."""
    caption = (
        "How far each component is to be trusted: of the numbers that are of it alone, those that were held to "
        "something, those beyond their tolerance, and by how many standard errors they are off in the median. A "
        "component most of whose numbers miss is not to be trusted."
    )
    rows = [
        (
            each.name, amount(each.compared), amount(each.missed),
            "" if each.off_in_errors is None else amount(each.off_in_errors, digits=2),
            "" if each.trusted else "not to be trusted",
        )
        for each in scores.components
    ]  # fmt: skip
    return Sheet("trust", caption, ("component", "compared", "missed", "off / error", "verdict"), tuple(rows))


def _step(
    directory: Path, step: Any, part: Part, files: Mapping[str, Sequence[str]], warnings: Sequence[str] = ()
) -> Section:
    blocks: list[Block] = [*warnings, *(text[:1].upper() + text[1:] for text in part.said)]
    for name in step.figures:
        if name in part.pictures:
            picture, title = part.pictures[name], TITLES[name]
            png = (directory / "figures" / f"{name}.png").read_bytes()
            shown = tuple(file for file in files[name] if not file.endswith(".txt"))
            blocks.append(Plate(name, title, readable(picture.caption), readable(picture.alt), png, shown))
    for name, table in part.tables.items():
        own = as_shown(part, name, table)
        if own is None:
            said = f"{_caption(name, table)} {len(table):,} rows of {len(table.colnames)} columns."
            blocks.append(Beside(said, tuple(files[name])))
        else:
            blocks.append(replace(own, files=tuple(files[name])))
    numbered = [name for name in step.products if name in PRODUCTS]
    title = f"{', '.join(numbered)}. {step.title}" if numbered else step.title
    return Section(f"part-{step.name}", title, tuple(blocks))


def as_shown(part: Part, name: str, table: Any) -> Sheet | None:
    """Return a table of a part as the page shows it; None where it is too wide."""
    if name in part.sheets or len(table.colnames) <= WIDEST:
        some = table[:SHOWN] if len(table) > LONGEST else table
        return part.sheets.get(name) or sheet_of(some, name, _caption(name, table))
    return None


def _caption(name: str, table: Any) -> str:
    caption = str(table.meta.get("caption", name))
    more = f" The first {SHOWN} of {len(table):,} rows; the others are in the file."
    return caption + more * (len(table) > LONGEST)


def _left_out(skipped: Mapping[str, str], parts: Mapping[str, Part]) -> tuple[Block, ...]:
    warned = [(title, said) for title, part in parts.items() for said in part.warnings]
    if not skipped and not warned:
        return ("Nothing was left out, and everything converged.",)
    blocks: list[Block] = []
    if skipped:
        blocks.append(Facts(tuple(skipped.items())))
    if warned:
        blocks += ["Not converged:", Facts(tuple(warned))]
    return tuple(blocks)


def _provenance(catalogue: Catalogue, scores: Scoreboard, settings: PaperSettings) -> tuple[Block, ...]:
    record = scores.provenance
    inputs = "; ".join(
        f"{item['name']} ({item['bytes']:,} bytes, SHA-256 {item['sha256']})" for item in record["inputs"]
    )
    facts = [
        *((name, "as the stars allow" if value is None else str(value)) for name, value in plain(settings).items()),
        ("settings of the fits", json.dumps(record["settings"]["fit"])),
        ("SHA-256 of all settings", record["settings_sha256"]),
        ("inputs", inputs),
        ("device", str(record["device"])),
        ("versions", ", ".join(f"{k} {v}" for k, v in {"python": record["python"], **record["libraries"]}.items())),
        ("made", record["time"]),
    ]
    flow = sheet_of(catalogue.cutflow.to_table(), "cutflow", "Stars removed by each quality cut, and left after it.")
    return (Facts(tuple(facts)), flow)
