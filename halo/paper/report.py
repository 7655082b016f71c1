"""One self-contained page of figures, tables and the scoreboard: nothing fetched from elsewhere, by its own policy."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import struct
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..errors import InputError
from .amounts import amount
from .blocks import Live, Plate, Report, Sheet
from .scoreboard import FAIL, PASS, STATUSES, Row, Scoreboard

TEMPLATE, STYLE = (Path(__file__).with_name(f"report.{suffix}") for suffix in ("html", "css"))
WIDE = 1300
"""Pictures of more pixels across keep a readable width on a phone, where a finger moves them."""
SENTENCE, MANY, FEW = 48, 6, 15
"""Characters above which a cell is a sentence; columns that a phone cannot show, and rows that it can one by one."""
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

    A policy in the page forbids browsers to fetch anything and to run anything but the page's own script, by its hash.

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
        anchors += [block.id for block in section.blocks if isinstance(block, Plate | Sheet | Live)]
    twice = {anchor for anchor in anchors if anchors.count(anchor) > 1}
    if twice:
        raise ValueError(f"anchors must differ; {', '.join(sorted(twice))} stands there more than once")
    live = [block for section in report.sections for block in section.blocks if isinstance(block, Live)]
    style = "\n".join(["", STYLE.read_text(encoding="utf-8").rstrip(), *(each.style for each in live), ""])
    scripts = [each.script for each in live]
    template = environment(TEMPLATE.parent).get_template(TEMPLATE.name)
    return template.render(
        report=report,
        policy=_policy(style, scripts),
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        counts=[(status, report.counts[status]) for status in STATUSES] if report.counts else [],
        description=report.lead[0] if report.lead else report.title,
        kind=lambda block: type(block).__name__,
    )


@cache
def environment(folder: Path) -> Environment:
    """Return what renders the templates of a folder: all that files and users say is escaped."""
    found = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"text": _text, "status": _status, "name": lambda file: Path(file).name, "wide": _wide}
    found.filters |= {"numeric": _numeric, "size": _size, "cards": _cards}
    found.filters |= {"base64": _base64, "board": _scoreboard}
    return found


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Return the Content-Security-Policy of a page: its own styles and scripts, pictures within it, nothing else."""

    def allowed(texts: Sequence[str]) -> str:
        hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
        return " ".join(f"'sha256-{each}'" for each in hashes) or "'none'"

    return (
        f"default-src 'none'; img-src data:; style-src {allowed([style])}; script-src {allowed(scripts)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _text(text: str) -> Markup:
    """Return text escaped, with `code` marked as such."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False)))


def _size(plate: Plate) -> tuple[int, int]:
    return png_size(plate.png)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _wide(plate: Plate) -> str:
    return " wide" if png_size(plate.png)[0] > WIDE else ""


def _numeric(sheet: Sheet) -> list[Markup]:
    """Return the attribute of the cells of every column: those of numbers are set flush right."""
    numeric = [all(_is_number(row[i]) for row in sheet.rows) for i in range(len(sheet.header))]
    return [Markup(' class="number"') if flag else Markup() for flag in numeric]


def _cards(sheet: Sheet) -> Markup:
    """Return the class of tables whose rows a phone shows as cards: those of sentences, and short wide ones."""
    longest = max((len(cell) for row in sheet.rows for cell in row), default=0)
    wide = len(sheet.header) >= MANY and len(sheet.rows) <= FEW
    return Markup(' class="cards"') if longest > SENTENCE or wide else Markup()


def _is_number(cell: str) -> bool:
    # digits, perhaps with a unit or a range, but no sentence
    return cell in ("", "none") or bool(re.match(r"[-+\N{MINUS SIGN}]?\d(?!.*[a-z]{5})", cell))


def _scoreboard(board: Scoreboard) -> Markup:
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
    return Markup(
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
    said: str = _text(row.reason)
    if value is not None and value.note:
        said = f"{said.rstrip('.')}. {_text(value.note)}"
    off = "" if row.off_in_errors is None else f"{row.off_in_errors:+.1f}".replace("-", "\N{MINUS SIGN}")
    cells = (("ours", ours), ("held to", held), ("paper", paper), ("tolerance", allowed), ("off / error", off))
    shown = "".join(f'<td data-label="{label}">{cell}</td>' for label, cell in cells)
    return (
        f'<tr><th scope="row">{_text(number.what)}</th>{shown}<td>{_status(row.status)}</td>'
        f'<td class="small">{said}</td></tr>'
    )


def _status(status: str) -> Markup:
    kind = {PASS: "pass", FAIL: "fail"}.get(status, "other")
    return Markup(f'<span class="status {kind}">{status}</span>')


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
