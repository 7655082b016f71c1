"""The documentation as it was built by `make docs`: its links, and its pages in a real browser."""

import importlib
import pathlib
import sys

import pytest

from .halo.helpers import browser as chromium

ROOT = pathlib.Path(__file__).resolve().parents[1]
SITE = ROOT / "docs" / "_build" / "html"


@pytest.fixture(scope="module")
def links():
    """docs/check_links.py as a module."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        return importlib.import_module("check_links")
    finally:
        sys.path.remove(str(ROOT / "docs"))


def built():
    if not (SITE / "index.html").is_file():
        pytest.skip("the documentation is not built here: run make docs first")
    return SITE


def test_links_that_lead_nowhere_are_found(links, tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#there">x</a><a href="b.html#gone">y</a><a href="c.html">z</a>')
    (tmp_path / "b.html").write_text('<p id="there"><img src="none.png"><a href="https://example.org">w</a></p>')
    assert links.broken(tmp_path) == ["a.html: b.html#gone", "a.html: c.html", "b.html: none.png"]


def test_links_of_the_site_lead_somewhere(links):
    assert links.broken(built()) == []


def test_every_command_has_its_place_in_the_reference(links):
    page = links.Page()
    page.feed((built() / "reference" / "commands.html").read_text())
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        names = importlib.import_module("reference").commands()
    finally:
        sys.path.remove(str(ROOT / "docs"))
    assert len(names) >= 23
    assert {f"command-{name}" for name in names} <= page.anchors


@pytest.mark.slow
@pytest.mark.parametrize("page", ["index.html", "tutorial.html", "reference/commands.html"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_open_in_a_browser_with_all_their_pictures(page, width, tmp_path):
    path = built() / page
    if chromium.found() is None:
        pytest.skip(f"needs a browser, one of {', '.join(chromium.NAMES)}: apt-get install chromium")
    opened = chromium.Browser(tmp_path / "profile")
    try:
        opened.visit(path.as_uri(), width)
        shown = opened.value("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
        assert all(shown)
        assert opened.value("document.querySelectorAll('h1').length") >= 1
        assert opened.value("document.documentElement.scrollWidth") <= width
    finally:
        opened.close()
