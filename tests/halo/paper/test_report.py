"""The page: well-formed, self-contained, readable by machines, by eyes that see little and on small screens."""

import base64
import io
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from halonmf.halo.errors import InputError
from halonmf.halo.paper.amounts import amount, unit_text
from halonmf.halo.paper.blocks import Facts, Plate, Report, Section, Sheet
from halonmf.halo.paper.quoted import numbers
from halonmf.halo.paper.report import PRODUCTS, page, png_size
from halonmf.halo.paper.scoreboard import Value, board

from ..helpers.pointing import CONTRAST

VOID = {"meta", "link", "img", "br"}
UNSAFE = '<b>&"quoted"'


class Reader(HTMLParser):
    """Reads a page and checks that every element is closed where it must be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.seen if name == tag]


def png(width=6.0, height=2.0):
    figure = Figure(figsize=(width, height))
    figure.add_subplot().plot([0, 1], [0, 1])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def report():
    values = {"R1.mass.HE": Value(39.4, 38.8, 40.0, "bootstrap", 33.3, "a fit without noise gives 38.9")}
    scores = board(values, "mock", 12_979, skipped={"R11": f"no galaxies {UNSAFE}"})
    wide = Plate("fig1", "Figure 1", f"A caption with {UNSAFE} and `code`", f"Alt {UNSAFE}", png(), ("figures/a.pdf",))
    tall = Plate("fig2", "Figure 2", "Another", "A square", png(3, 3))
    rows = tuple((f"name {i}", "x", *(amount(i * j * 1e4) for j in range(1, 14))) for i in range(4))
    table = Sheet("table1", "A wide table", ("name", "word", *(f"column {j}" for j in range(1, 14))), rows)
    return Report(
        "A page",
        "kicker",
        ("The first paragraph.", "The second."),
        (
            Section("figures", "Figures", (wide, "Text between.", tall)),
            Section("tables", "Tables", (table, Facts((("setting", "x" * 200),)))),
            Section("scoreboard", "Scoreboard", (scores,)),
        ),
        scores.counts,
        "made by a test",
    )


@pytest.fixture(scope="module")
def html(report):
    return page(report)


def test_the_page_is_well_formed_and_says_its_language(html):
    assert html.startswith("<!DOCTYPE html>\n")
    assert Reader(html).all("html")[0]["lang"] == "en"


def test_text_from_data_cannot_become_markup(html):
    read = Reader(html)
    assert UNSAFE in "".join(read.text)
    assert f"Alt {UNSAFE}" in [image["alt"] for image in read.all("img")]
    assert "<b>&" not in html


def test_nothing_is_fetched_and_nothing_runs(html):
    read = Reader(html)
    assert read.all("script") == []
    assert not re.search(r"url\(|@import|\bon\w+=", html)
    sources = [image["src"] for image in read.all("img")] + [link["href"] for link in read.all("link")]
    assert all(source.startswith("data:") for source in sources)


def test_every_picture_can_be_decoded_and_has_its_size_and_an_alternative(html):
    images = Reader(html).all("img")
    assert len(images) == 2
    for image in images:
        data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
        pixels = np.asarray(Image.open(io.BytesIO(data)))
        assert pixels[..., :3].std() > 0
        assert pixels.shape[1] // 2 == int(image["width"])
        assert pixels.shape[0] // 2 == int(image["height"])
        assert image["alt"]


def test_links_within_the_page_lead_somewhere_and_anchors_differ(html):
    read = Reader(html)
    anchors = [attributes["id"] for _, attributes in read.seen if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    targets = [link["href"][1:] for link in read.all("a") if link["href"].startswith("#")]
    assert len(targets) > 5
    assert set(targets) <= set(anchors)


def test_headings_never_skip_a_level(html):
    levels = [int(tag[1]) for tag, _ in Reader(html).seen if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_tables_of_sentences_are_cards_on_a_phone_and_their_cells_say_what_they_are():
    words = Sheet("words", "Words", ("name", "note"), (("a", "long " * 12),))
    short = Sheet("short", "Numbers", ("name", "value"), (("a", "1"),))
    read = Reader(page(Report("t", "k", (), (Section("s", "S", (words, short)),), {}, "")))
    assert [table.get("class") for table in read.all("table")] == ["cards", None]
    assert [cell.get("data-label") for cell in read.all("td")] == ["note", None]


def test_a_long_table_can_be_folded():
    sheet = Sheet("long", "Long", ("name", "value"), (("a", "1"),), folded="The long table")
    read = Reader(page(Report("t", "k", (), (Section("s", "S", (sheet,)),), {}, "")))
    assert len(read.all("details")) == len(read.all("summary")) == 1
    assert "The long table" in "".join(read.text)


def test_table_cells_have_headers(html):
    read = Reader(html)
    assert len(read.all("caption")) == len(read.all("table")) == 2
    assert all("scope" in cell for cell in read.all("th"))


def test_every_number_of_the_paper_is_on_the_board_with_its_outcome_in_words(html):
    text = "".join(Reader(html).text)
    assert all(number.what in text for number in numbers())
    assert all(title in text for title in PRODUCTS.values())
    assert "a fit without noise gives 38.9" in text
    assert text.count("NOT COMPARABLE") > 50


def test_two_things_with_one_anchor_are_refused(report):
    twice = Section("figures", "Again", ())
    with pytest.raises(ValueError, match="anchors must differ; figures"):
        page(Report("t", "k", (), (*report.sections, twice), {}, ""))


def test_a_picture_that_is_no_png_is_refused():
    with pytest.raises(InputError, match="is no PNG"):
        png_size(b"GIF89a")


@pytest.mark.parametrize(
    ("x", "unit", "text"),
    [
        (-1.67e5, "km2 / s2", "−1.670 × 10⁵\xa0km² s⁻²"),  # noqa: RUF001
        (13147, "", "13,147"),
        (0.0, "dex", "0\xa0dex"),
        (-0.215, "dex", "−0.215\xa0dex"),  # noqa: RUF001
        (484.26, "kpc km / s", "484.3\xa0kpc km s⁻¹"),
        (None, "", "none"),
        (float("nan"), "%", "none"),
    ],
)
def test_numbers_are_written_as_a_reader_writes_them(x, unit, text):
    assert amount(x, unit) == text


def test_units_are_written_with_exponents():
    assert unit_text("km2 / s2") == "km² s⁻²"
    assert unit_text("kpc") == "kpc"


@pytest.mark.slow
def test_captions_of_cards_are_as_wide_as_a_phone(browser, tmp_path):
    sheet = Sheet("words", "Every number of a table, in a caption " * 3, ("name", "note"), (("a", "long " * 12),))
    path = tmp_path / "page.html"
    path.write_text(page(Report("t", "k", (), (Section("s", "S", (sheet,)),), {}, "")), encoding="utf-8")
    browser.visit(path.as_uri(), 390)
    assert browser.value("document.querySelector('.cards caption').offsetWidth") > 300


@pytest.mark.slow
def test_a_browser_shows_the_page_without_complaint_on_a_desk_and_on_a_phone(browser, html, tmp_path):
    check_in_browser(browser, html, tmp_path, pictures=2)


def check_in_browser(browser, html, folder, pictures):
    """Open a page in a browser and look at what a reader would meet."""
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    for width in (1280, 390):
        before = len(browser.requests())
        browser.visit(path.as_uri(), width)
        assert browser.complaints() == []
        fetched = [url for url in browser.requests()[before:] if not url.startswith("data:")]
        assert fetched == [path.as_uri()]
        shown = browser.value("[...document.images].map(i => i.complete && i.naturalWidth > 0 && i.offsetWidth > 0)")
        assert shown == [True] * pictures
        assert browser.value("document.documentElement.scrollWidth") <= width
        # and nothing is cut off at the side: what is wider than the page can be scrolled in a box of its own
        cut = """[...document.querySelectorAll("main *, header *")].filter(e => {
            const r = e.getBoundingClientRect();
            return r.width && r.right > innerWidth + 1 && !e.closest(".plate, .sheet, .skip, thead");
        }).map(e => e.outerHTML.slice(0, 80))"""
        assert browser.value(cut) == []
    for scheme in ("light", "dark"):
        browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert browser.value(CONTRAST) == {}
    browser.ask("Emulation.setEmulatedMedia", features=[])
    # on paper nothing can be moved sideways
    browser.visit(path.as_uri(), 680)
    browser.ask("Emulation.setEmulatedMedia", media="print")
    assert browser.value("document.documentElement.scrollWidth") <= 680
    browser.ask("Emulation.setEmulatedMedia", media="")
    pdf = base64.b64decode(browser.ask("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert pdf.startswith(b"%PDF-")
