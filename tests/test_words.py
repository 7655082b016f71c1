"""The words of help and documents: terms that readers know, each idea by one name."""

import pathlib
import re

import pytest

from .scripts import script

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [
    *(path for path in (ROOT / "docs").glob("*.md") if path.name != "gallery.md"),
    *(ROOT / "docs" / "notebooks").glob("*.md"),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CONVENTIONS.md", "CHANGELOG.md")),
]

RETIRED = {
    r"set-ups?": "configuration",
    r"beside": "compared with, next to",
    r"whole line": "whole pipeline",
    r"what an? \w+ says": "results of",
    r"bring along": "give",
    r"cannot be had": "is not available",
    r"a killed run": "an interrupted run",
    r"Most fits": "Maximum fits",
    r"for untested": "as untested",
    r"in truth, against": "against",
    r"anew": "again; recomputed, redrawn",
    r"a say": "is used, is excluded",
    r"and said|is said|are said": "and reported, is reported",
    r"is told|are told": "is reported",
    r"taken for": "treated as",
    r"sums? up": "summarises, adds up",
    r"one's own": "your own",
    r"hoped for": "stretch goal",
    r"all but a": "nearly a",
}
"""Words that are no longer used, and what to write in their place."""

SHARE = r"(?<![-\w.`])shares?(?![-\w`(])"
# to divide work or memory, and to have something in common, is to share; a part of a whole is a fraction
SHARING = (
    r"\b(?:that|which|to|they|sample|backends|configurations|HE2|planes|workers|processes|machines|numbers?) shares?\b"
    r"|\bones? shares?\b"
    r"|\b(?:replicates|and) share\b|shares? (?:the work|work|one|a |the same|its|their|no |the cells|the outer)"
    r"|\bshare of the work\b"
)


def wrong(text):
    """Retired words in a text, with what to write in their place."""
    text = re.sub(
        r"```.*?```|`[^`]*`|\]\([^)]*\)", " ", text, flags=re.DOTALL
    )  # code and links have names of their own
    found = [f"{m.group(0)!r}: {better}" for word, better in RETIRED.items()
             for m in re.finditer(rf"(?<![-\w]){word}(?![-\w])", text, re.IGNORECASE)]  # fmt: skip
    sharing = [m.span() for m in re.finditer(SHARING, text)]
    for m in re.finditer(SHARE, text, re.IGNORECASE):
        if not any(a <= m.start() < b for a, b in sharing):
            found.append(f"{text[max(0, m.start() - 30) : m.end() + 20]!r}: fraction")
    return found


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_pages_use_the_fields_words(page):
    assert wrong(page.read_text()) == []


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("the set-ups of a sweep", True),
        ("the share of HE", True),
        ("shown beside the truth", True),
        ("workers share the work", False),
        ("`--share` is an option", False),
        ("a fraction of the stars", False),
        ("besides", False),
    ],
)
def test_retired_words_are_caught_and_others_are_not(text, caught):
    assert bool(wrong(text)) == caught


def commands():
    return script("reference").commands()


@pytest.mark.parametrize(("name", "command"), commands().items(), ids=str)
def test_help_uses_the_fields_words(name, command):
    told = [command.help, command.epilog, *(getattr(parameter, "help", None) for parameter in command.params)]
    assert wrong("\n\n".join(filter(None, told))) == []


def test_documents_use_the_front_door():
    for page in PAGES:
        if page.name == "ARCHITECTURE.md":  # for those who build it
            continue
        assert not re.findall(r"halonmf\.halo\.\w+|import halonmf\.", page.read_text()), page.name


TERMS = (
    *("bin", "boundary", "chemically pure", "component", "configuration", "crossing", "fraction", "HE", "LE"),
    *("kinematically pure", "mass fraction", "pixel", "plane", "profile", "replicate", "spread", "zero point"),
)


@pytest.mark.parametrize("term", TERMS)
def test_the_glossary_defines_each_term_once(term):
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    assert lines.count(term) == 1
