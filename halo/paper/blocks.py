"""What a page is made of: sections of paragraphs, figures, tables, lists of facts and the scoreboard."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from .scoreboard import Scoreboard


@dataclass(frozen=True)
class Plate:
    """A figure of the page.

    Attributes
    ----------
    id, title : str
        Its anchor, and what stands before its caption.
    caption, alt : str
        What is drawn, what was cut, how many stars; and the same for those who cannot see it.
    png : bytes
        The picture.
    files : tuple of str
        The files beside the page that hold it and its data, relative to the page.
    """

    id: str
    title: str
    caption: str
    alt: str
    png: bytes
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A table of the page.

    Attributes
    ----------
    id, caption : str
        Its anchor and what it holds.
    header : tuple of str
        Names of the columns, with units.
    rows : tuple of tuples of str
        Cells; columns of numbers are set flush right.
    files : tuple of str
        As of a `Plate`.
    folded : str
        What stands in the place of a long table until a reader unfolds it; empty for one that is shown at once.
    """

    id: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    files: tuple[str, ...] = ()
    folded: str = ""


@dataclass(frozen=True)
class Facts:
    """A list of names and what they are, such as settings."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lines:
    """Lines as a terminal shows them, under a title by which a reader unfolds them."""

    title: str
    text: str


@dataclass(frozen=True)
class Beside:
    """What stands in files beside the page only, and why."""

    text: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Live:
    """A part of the page that a script brings to life, and that says what it can without.

    Attributes
    ----------
    id : str
        Its anchor, which stands in the markup.
    markup : Markup
        HTML whose texts are escaped.
    script, style : str
        JavaScript that runs when the page is there, and CSS.
    """

    id: str
    markup: Markup
    script: str
    style: str


Block = str | Lines | Beside | Plate | Sheet | Facts | Live | Scoreboard
"""What a section holds: a paragraph, a figure, a table, a list of facts, something live, or the scoreboard."""


@dataclass(frozen=True)
class Section:
    """A section of the page: its anchor, its title and what stands in it."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes
    ----------
    title, kicker : str
        The heading, and the line above it.
    lead : tuple of str
        Paragraphs below it.
    sections : tuple of Section
        In order.
    counts : dict of str to int
        Numbers of the scoreboard by status, shown below the lead; none where it is empty.
    footer : str
        How the page came to be.
    """

    title: str
    kicker: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    counts: dict[str, int]
    footer: str
