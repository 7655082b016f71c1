"""One self-contained page of figures, tables and the scoreboard: no scripts, nothing fetched from elsewhere."""

from __future__ import annotations

import base64
import html
import re
import struct
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from string import Template

from ..errors import InputError
from .amounts import amount
from .blocks import Beside, Block, Facts, Plate, Report, Section, Sheet
from .scoreboard import FAIL, PASS, STATUSES, Row, Scoreboard

TEMPLATE, STYLE = (Path(__file__).with_name(f"report.{suffix}") for suffix in ("html", "css"))
WIDE = 1300
"""Pictures of more pixels across keep a readable width on a phone, where a finger moves them."""
PRODUCTS = {
    "R0": "The sample",
    "R1": "Two components",
    "R2": "The boundary",
    "R3": "Median tracks",
    "R4": "The kinematically pure halo",
    "R5": "Four components",
    "R6": "Percentiles of the abundances (Table 1)",
    "R7": "Densities of the abundances",
    "R8": "Eccentricities",
    "R9": "Fractions against energy",
    "R10": "Fractions against distance",
    "R11": "Simulated galaxies",
    "R12": "Eos, Splash, Aurora, GS/E",
    "R13": "The bifurcation of Eos",
    "R14": "Aurora",
    "R15": "Stability",
    "R16": "Injected streams",
    "S": "Search for penalties",
}
"""What each product of the paper is called."""


def page(report: Report) -> str:
    """Return a report as HTML.

    Raises
    ------
    InputError
        A picture that is no PNG.
    ValueError
        Two things of the page have the same anchor.
    """
    anchors = ["main", "contents"]
    for section in report.sections:
        anchors.append(section.id)
        anchors += [block.id for block in section.blocks if isinstance(block, Plate | Sheet)]
    twice = {anchor for anchor in anchors if anchors.count(anchor) > 1}
    if twice:
        raise ValueError(f"anchors must differ; {', '.join(sorted(twice))} stands there more than once")
    lead = "\n".join(f"<p>{_text(paragraph)}</p>" for paragraph in report.lead)
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=_text(report.title),
        kicker=_text(report.kicker),
        generator="halonmf",
        description=html.escape(report.lead[0] if report.lead else report.title),
        style=STYLE.read_text(encoding="utf-8").rstrip(),
        lead=lead + _counts(report.counts),
        contents=_contents(report.sections),
        sections="\n".join(_section(section) for section in report.sections),
        footer=_text(report.footer),
    )


def _text(text: str) -> str:
    """Return text escaped, with `code` marked as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def _counts(counts: dict[str, int]) -> str:
    if not counts:
        return ""
    items = "".join(f"<li><b>{counts[status]}</b>{_status(status)}</li>" for status in STATUSES)
    return f'\n<ul class="counts" aria-label="Numbers of the paper by outcome">{items}</ul>'


def _contents(sections: Sequence[Section]) -> str:
    items = []
    for section in sections:
        inner = "".join(
            f'<li><a href="#{block.id}">{_text(block.title)}</a></li>'
            for block in section.blocks
            if isinstance(block, Plate)
        )
        items.append(
            f'<li><a href="#{section.id}">{_text(section.title)}</a>{f"<ol>{inner}</ol>" if inner else ""}</li>'
        )
    return f"<ol>{''.join(items)}</ol>"


def _section(section: Section) -> str:
    inner = "\n".join(_block(block) for block in section.blocks)
    return (
        f'<section aria-labelledby="{section.id}">\n<h2 id="{section.id}">{_text(section.title)}</h2>\n'
        f"{inner}\n</section>"
    )


def _block(block: Block) -> str:
    match block:
        case str():
            return f"<p>{_text(block)}</p>"
        case Beside():
            return f"<p>{_text(block.text)}</p>{_files(block.files)}"
        case Plate():
            return _plate(block)
        case Sheet():
            return _sheet(block)
        case Facts():
            return f"<dl>{''.join(f'<dt>{_text(k)}</dt><dd>{_text(v)}</dd>' for k, v in block.items)}</dl>"
        case Scoreboard():
            return _scoreboard(block)


def _plate(plate: Plate) -> str:
    width, height = png_size(plate.png)
    wide = " wide" if width > WIDE else ""
    source = base64.b64encode(plate.png).decode()
    # half the pixels: figures are saved at twice the density of a screen
    return (
        f'<figure id="{plate.id}">\n'
        f'<div class="plate{wide}" tabindex="0" role="group" aria-label="{html.escape(plate.title)}">'
        f'<img src="data:image/png;base64,{source}" width="{width // 2}" height="{height // 2}" '
        f'alt="{html.escape(plate.alt)}"></div>\n'
        f'<figcaption><p><span class="label">{_text(plate.title)}.</span> {_text(plate.caption)}</p>'
        f"{_files(plate.files)}</figcaption>\n</figure>"
    )


def _files(files: Sequence[str]) -> str:
    if not files:
        return ""
    links = ", ".join(f'<a href="{html.escape(file)}">{_text(Path(file).name)}</a>' for file in files)
    return f'<p class="files">Beside this page: {links}</p>'


def _sheet(sheet: Sheet) -> str:
    numeric = [all(_is_number(row[i]) for row in sheet.rows) for i in range(len(sheet.header))]
    kind = [' class="number"' if flag else "" for flag in numeric]
    head = "".join(f'<th scope="col"{k}>{_text(name)}</th>' for k, name in zip(kind, sheet.header, strict=True))
    body = []
    for row in sheet.rows:
        first, *rest = (_text(cell) for cell in row)
        cells = "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kind[1:], rest, strict=True))
        body.append(f'<tr><th scope="row"{kind[0]}>{first}</th>{cells}</tr>')
    return (
        f'<div class="sheet" id="{sheet.id}" tabindex="0" role="group" aria-label="{html.escape(sheet.caption)}">'
        f"<table><caption><span>{_text(sheet.caption)}</span></caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>{_files(sheet.files)}</div>"
    )


def _is_number(cell: str) -> bool:
    # digits, perhaps with a unit or a range, but no sentence
    return cell in ("", "none") or bool(re.match(r"[-+\N{MINUS SIGN}]?\d(?!.*[a-z]{5})", cell))


def _scoreboard(board: Scoreboard) -> str:
    columns = ("number", "ours", "held to", "paper", "tolerance", "off / error", "outcome", "why")
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    body = []
    for product, rows in groupby(board.rows, key=lambda row: row.number.product):
        title = f"{product}. {PRODUCTS[product]}"
        group = f'<tr><th class="group" scope="rowgroup" colspan="{len(columns)}">{_text(title)}</th></tr>'
        body.append(f"<tbody>{group}{''.join(_line(row) for row in rows)}</tbody>")
    rules = {row.number.rule: row.number.why for row in board.rows if row.number.rule}
    listed = "".join(
        f'<dt id="tolerance-{rule}">{_text(rule)}</dt><dd>{_text(why)}</dd>' for rule, why in rules.items()
    )
    return (
        '<div class="sheet"><table class="cards"><caption><span>Every number of the paper. Held to: the truth of the '
        "mock where the sample is one, else the number of the paper. Intervals in brackets are of 16 to 84 %. Off / "
        "error: ours minus what it is held to, in standard errors of ours, which are half of that interval; a number "
        "that is many errors off and passes has a wide tolerance.</span>"
        "</caption>"
        f"<thead><tr>{head}</tr></thead>{''.join(body)}</table></div>\n"
        f"<h3>Why these tolerances</h3>\n<dl>{listed}</dl>"
    )


def _line(row: Row) -> str:
    number, value = row.number, row.value
    unit, ours = number.unit, ""
    if value is not None:
        ours = amount(value.value, unit)
        if value.low is not None and value.high is not None:
            ours += f' <span class="small">[{amount(value.low)}, {amount(value.high)}]</span>'
    held = "" if not row.expected_is else f"{amount(row.expected, unit)} ({row.expected_is})"
    paper = "" if number.paper is None else f"{number.bound} {amount(number.paper, unit)}".strip()
    if number.revised is not None:
        low, high = number.revised
        paper += f' <span class="small">(revised abstract: {amount(low)} to {amount(high, unit)})</span>'
    allowed = ""
    if number.rule:
        size = f"{100 * number.tolerance:g} %" if number.relative else amount(number.tolerance)
        allowed = f'±{size} <a href="#tolerance-{number.rule}">{_text(number.rule)}</a>'
    said = _text(row.reason)
    if value is not None and value.note:
        said = f"{said.rstrip('.')}. {_text(value.note)}"
    off = "" if row.off_in_errors is None else f"{row.off_in_errors:+.1f}".replace("-", "\N{MINUS SIGN}")
    cells = (("ours", ours), ("held to", held), ("paper", paper), ("tolerance", allowed), ("off / error", off))
    shown = "".join(f'<td data-label="{label}">{cell}</td>' for label, cell in cells)
    return (
        f'<tr><th scope="row">{_text(number.what)}</th>{shown}<td>{_status(row.status)}</td>'
        f'<td class="small">{said}</td></tr>'
    )


def _status(status: str) -> str:
    kind = {PASS: "pass", FAIL: "fail"}.get(status, "other")
    return f'<span class="status {kind}">{status}</span>'


def png_size(png: bytes) -> tuple[int, int]:
    """Return width and height of a PNG in pixels.

    Raises
    ------
    InputError
        Something else.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
        raise InputError(f"a picture of the report is no PNG; it begins with {png[:8]!r}.")
    width, height = struct.unpack(">II", png[16:24])
    return width, height
