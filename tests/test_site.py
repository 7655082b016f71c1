"""The documentation as it was built by `make docs`: its links, and its pages in a real browser."""

import pathlib

import pytest

from .scripts import script

ROOT = pathlib.Path(__file__).resolve().parents[1]
SITE = ROOT / "docs" / "_build" / "html"


@pytest.fixture(scope="module")
def links():
    return script("check_links")


@pytest.fixture(scope="module")
def reference():
    return script("reference")


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


def test_every_command_and_option_has_its_place_in_the_reference(links, reference):
    names = reference.commands()
    assert len(names) >= 23
    assert sorted(name for group in reference.groups().values() for name in group) == sorted(names)
    for name, command in names.items():
        page = links.Page()
        page.feed((built() / "reference" / "commands" / f"{name}.html").read_text())
        assert {f"command-{name}", *(anchor for _, anchor, _, _ in reference.rows(name, command))} <= page.anchors


def test_every_public_name_has_a_page_that_says_what_it_is(reference):
    for door in reference.DOORS:
        for name, value in reference.names_of(door).items():
            page = (built() / "reference" / f"{reference.place(door, name, value)}.html").read_text()
            if reference.kind(value) in ("function", "class"):
                assert f'id="{door}.{name}"' in page
                assert value.__doc__, name


OPENED = ("index.html", "tutorial.html", "gallery.html", "reference/commands/fit.html", "reference/halo/fit.html")
NOTEBOOKS = tuple(f"notebooks/{path.stem}.html" for path in (ROOT / "docs" / "notebooks").glob("*.md"))


@pytest.mark.slow
@pytest.mark.parametrize("page", [*OPENED, *NOTEBOOKS])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_open_in_a_browser_with_all_their_pictures(page, width, request):
    path = built() / page
    browser = request.getfixturevalue("browser")  # after what is more often missing
    browser.events.clear()
    browser.visit(path.as_uri(), width)
    shown = browser.value("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
    assert all(shown)
    assert browser.complaints() == []
    assert all(asked.startswith(("file:", "data:")) for asked in browser.requests()), "a page that needs the network"
    assert browser.value("document.querySelectorAll('h1').length") >= 1
    assert browser.value("document.documentElement.scrollWidth") <= width
