"""The page as a reader meets it: by finger, wheel and keyboard, on light and dark screens, and through other ears."""

import re
from itertools import pairwise

import numpy as np
import pytest
from bs4 import BeautifulSoup

from halonmf import halo
from halonmf.halo.fits.settings import Bootstrap
from halonmf.halo.io.tables import save_table
from halonmf.halo.pages.explorer import explorer

from ..helpers.planted import planted, planted_fit
from ..helpers.pointing import CONTRAST, centre, chosen, click, middle, mouse, press, shown, tap, touch, until, view

SCHEMES = ("light", "dark")
MOVE = "document.querySelector('[data-do=move]').ariaPressed"
WIDTH = "document.querySelector('.plot').viewBox.baseVal.width"


@pytest.fixture
def phone(browser, html, tmp_path):
    """Open the page on a phone with a touch screen."""
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    browser.events.clear()
    browser.ask("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)
    browser.visit(path.as_uri(), 390)
    yield browser
    browser.ask("Emulation.setTouchEmulationEnabled", enabled=False)
    assert browser.complaints() == []


# what it is made of, without a browser


@pytest.fixture(scope="module")
def soup(html):
    return BeautifulSoup(html, "html.parser")


def test_it_has_a_language_a_title_and_one_of_each_landmark(soup):
    assert soup.html["lang"] == "en"
    assert soup.title.text.strip()
    assert [len(soup.find_all(name)) for name in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    assert soup.nav["aria-label"]
    assert soup.find("a", class_="skip")["href"] == f"#{soup.main['id']}"
    for section in soup.main.find_all("section"):
        assert soup.find(id=section["aria-labelledby"]).name == "h2"


def test_headings_are_in_order(soup):
    levels = [int(each.name[1]) for each in soup.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_every_table_has_a_caption_and_headers_with_a_scope(soup):
    tables = soup.find_all("table")
    assert len(tables) >= 5
    for table in tables:
        assert table.caption.text.strip()
        assert {cell.get("scope") for cell in table.thead.find_all("th")} == {"col"}
        assert all(row.th["scope"] == "row" for row in table.tbody.find_all("tr"))
        assert {len(row.find_all(["th", "td"])) for row in table.find_all("tr")} == {len(table.thead.find_all("th"))}


def test_every_picture_and_control_has_a_name(soup):
    assert all(len(image["alt"]) > 20 for image in soup.find_all("img"))
    for each in soup.find_all(["button", "summary", "a"]):
        assert (each.get("aria-label") or each.text).strip()
    for each in soup.select("[role], [tabindex='0']"):
        assert (each.get("aria-label") or each.text).strip() or each.get("role") in ("presentation", "status")


def test_all_names_that_labels_refer_to_are_there(soup):
    ids = [each["id"] for each in soup.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {each["aria-labelledby"] for each in soup.select("[aria-labelledby]")} <= set(ids)


def test_nothing_outside_the_page_is_named_as_a_source(soup):
    for each in soup.select("[src], link[href]"):
        assert each.get("src", each.get("href")).startswith("data:")
    assert not re.search(
        r"url\(|@import|fetch\(|XMLHttpRequest|import\(", "".join(x.text for x in soup(["style", "script"]))
    )


def test_bins_carry_intervals_of_the_replicates(found, html):
    texts = re.findall(r'role="option"[^>]*aria-label="([^"]*)"', html)
    said = [re.search(r"(\d+) % HE \((\d+) to (\d+) %\)", text) for text in texts]
    assert all(said) and len(said) == len(found.mixtures.V)  # noqa: PT018
    values = np.array([[int(x) for x in each.groups()] for each in said])
    assert np.all((values[:, 1] <= values[:, 0]) & (values[:, 0] <= values[:, 2]))
    assert (values[:, 2] > values[:, 1]).any()


def test_the_boundary_that_is_given_is_in_a_table_and_on_the_map(tmp_path):
    fit, stars = planted_fit(), planted()[0]
    line = halo.classifier(fit, stars, bootstrap=Bootstrap(6))
    save_table(tmp_path / "boundary.ecsv", line.table(), {"command": "boundary"})
    page = halo.report(fit, stars, boundary=tmp_path / "boundary.ecsv", bootstrap=0)
    soup = BeautifulSoup(page.html, "html.parser")
    rows = [[cell.text for cell in row.find_all(["th", "td"])] for row in soup.find(id="boundary").tbody.find_all("tr")]
    assert len(rows) == len(line.Lz)
    known = np.isfinite(line.free.value)
    assert known.any()
    for row, good, at in zip(rows, known, line.free.value, strict=True):
        assert row[1] == (f"{at / 1e5:.4f}".replace("-", "\N{MINUS SIGN}") if good else "none")
    drawn = soup.find("polyline", class_="boundary")["points"].split()
    assert drawn == str(explorer(fit, (line.Lz, line.free.value)).markup).split('points="')[1].split('"')[0].split()
    assert len(drawn) == known.sum()


# in a browser


@pytest.mark.slow
def test_taps_add_bins_and_take_them_out(phone, found):
    full = np.argsort(found.mixtures.n_stars)[-2:].tolist()
    for i in full:
        tap(phone, *middle(phone, i))
    assert chosen(phone) == sorted(full)
    np.testing.assert_array_equal(shown(phone)[0], found.mixtures.V[full].sum(axis=0))
    tap(phone, *middle(phone, full[0]))
    assert chosen(phone) == full[1:]


@pytest.mark.slow
def test_a_finger_that_scrolls_chooses_nothing(phone):
    x, y = middle(phone, 6)
    before = phone.value("scrollY")
    touch(
        phone, ("touchStart", [(x, y)]), *((("touchMove", [(x, y - d)])) for d in range(10, 160, 10)), ("touchEnd", [])
    )
    assert chosen(phone) == []
    assert phone.value("scrollY") > before


@pytest.mark.slow
def test_buttons_zoom_by_finger_and_two_fingers_zoom_after_move(phone):
    whole = view(phone)
    tap(phone, *centre(phone, "[data-do=in]"))
    until(phone, f"{WIDTH} < {whole[2]}")
    tap(phone, *centre(phone, "[data-do=whole]"))
    until(phone, f"{WIDTH} === {whole[2]}")
    assert view(phone) == whole
    tap(phone, *centre(phone, "[data-do=move]"))
    until(phone, f"{MOVE} === 'true'")
    x, y = centre(phone, ".plot")
    fingers = [[(x - d, y), (x + d, y)] for d in (20, 40, 60, 80)]
    touch(phone, ("touchStart", fingers[0]), *(("touchMove", each) for each in fingers[1:]), ("touchEnd", []))
    assert view(phone)[2] == pytest.approx(whole[2] / 4, rel=0.05)
    assert chosen(phone) == []
    before = view(phone)
    touch(phone, ("touchStart", [(x, y)]), ("touchMove", [(x + 15, y)]), ("touchMove", [(x + 30, y)]), ("touchEnd", []))
    assert view(phone)[0] < before[0]
    assert view(phone)[2] == before[2]
    tap(phone, *centre(phone, "[data-do=move]"))
    until(phone, f"{MOVE} === 'false'")
    tap(phone, *centre(phone, ".plot"))
    until(phone, "document.querySelectorAll('.bin[aria-selected=true]').length === 1")


@pytest.mark.slow
def test_the_wheel_zooms_with_ctrl_and_scrolls_without(opened):
    x, y = middle(opened, 7)
    whole = view(opened)
    opened.ask("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-100, modifiers=2)
    assert view(opened)[2] == pytest.approx(0.8 * whole[2])
    before, shown_now = opened.value("scrollY"), view(opened)
    opened.ask("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=100)
    opened.value("new Promise((done) => setTimeout(done, 300))")
    assert opened.value("scrollY") > before
    assert view(opened) == shown_now


@pytest.mark.slow
def test_pointing_at_a_bin_marks_its_pixels_in_the_planes(opened, found):
    fullest = int(np.argmax(found.mixtures.n_stars))
    mouse(opened, "mouseMoved", *middle(opened, fullest))
    drawn = opened.value("""(() => { const c = document.querySelector('canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return Array.from({length: c.width * c.height}, (_, i) => d[4 * i] !== d[4 * i + 2]); })()""")
    image = found.mixtures.chemistry.images(found.mixtures.V)[fullest, 0]
    np.testing.assert_array_equal(np.array(drawn).reshape(image.shape), image[::-1] > 0)
    assert f"{found.mixtures.n_stars[fullest]:,} stars" in opened.value(
        "document.querySelector('.explorer-under').innerText"
    )


@pytest.mark.slow
def test_tab_goes_from_the_link_at_the_top_to_every_control_and_the_focus_is_seen(opened):
    opened.value("document.activeElement.blur()")
    met, seen = [], []
    for _ in range(200):
        opened.ask("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        opened.ask("Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        where, visible = opened.value("""(() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e === document.body ? '' : e.dataset.do ?? (e.getAttribute('class') || e.id || e.tagName),
              s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2
                || (document.querySelector('.mark.here').getAttribute('d') ?? '') !== '']; })()""")
        if not where:
            break
        met.append(where)
        seen.append(visible)
    assert met[0] == "skip"
    assert {"bin", "all", "in", "out", "chosen", "whole", "move", "SUMMARY", "CANVAS"} <= set(met)
    assert all(seen), [name for name, good in zip(met, seen, strict=True) if not good]


@pytest.mark.slow
def test_buttons_work_by_the_keyboard(opened):
    whole = view(opened)
    opened.value("document.querySelector('[data-do=in]').focus()")
    for kind in ("rawKeyDown", "char", "keyUp"):
        opened.ask("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    assert view(opened)[2] < whole[2]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [390, 1440])
def test_every_text_has_contrast_enough(browser, html, tmp_path, scheme, width):
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    try:
        browser.visit(path.as_uri(), width)
        browser.value("document.querySelectorAll('details').forEach(d => d.open = true)")
        dark = (
            sum(int(x) for x in re.findall(r"\d+", browser.value("getComputedStyle(document.body).backgroundColor")))
            < 150
        )
        assert dark == (scheme == "dark")
        assert browser.value(CONTRAST) == {}
        assert browser.value("document.documentElement.scrollWidth") <= width
        # letters in a drawing are as small as the drawing is
        least = """Math.min(...[...document.querySelectorAll('main *, nav *')].filter(e => e.checkVisibility()
            && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
            const size = parseFloat(getComputedStyle(e).fontSize);
            return e instanceof SVGElement ? size * Math.abs(e.getScreenCTM().d || e.getScreenCTM().b) : size; }))"""
        assert browser.value(least) >= 10
        # figures keep their white ground
        grounds = browser.value("[...document.images].map(i => getComputedStyle(i).backgroundColor)")
        assert scheme == "light" or set(grounds) == {"rgb(255, 255, 255)"}
    finally:
        browser.ask("Emulation.setEmulatedMedia", features=[])


@pytest.mark.slow
def test_what_is_chosen_is_outlined_in_the_map(opened):
    click(opened, 7)
    assert opened.value("[...document.querySelectorAll('.mark.chosen')].every(m => m.getBBox().width > 0)")
    opened.value("document.querySelector('.bin[tabindex=\"0\"]').focus()")
    press(opened, "Escape")
    assert not opened.value("document.querySelector('.mark.chosen').getAttribute('d')")
