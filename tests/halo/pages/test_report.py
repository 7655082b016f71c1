"""The page of a fit: what a reader's browser makes of it, by clicks and keys, and what it says without scripts."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from halonmf import halo
from halonmf.cli import app
from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.pages.explorer import explorer
from halonmf.halo.pages.numbers import BIAS, bias_range, bin_intervals
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted, planted_fit
from ..helpers.pointing import HOSTILE, chosen, click, middle, mouse, press, shown
from ..paper.test_report import Reader

ROOT = Path(__file__).resolve().parents[3]
SIX_MB = 6_000_000


# without a browser


def test_the_page_is_well_formed_has_all_sections_and_is_small(html):
    read = Reader(html)
    ids = {attributes.get("id") for _, attributes in read.seen}
    sections = {"verdict", "numbers", "explore", "figures", "bias-range", "cuts", "settings", "provenance", "cite"}
    assert sections <= ids
    assert len(html.encode()) < SIX_MB


def test_its_policy_allows_only_its_own_script_and_no_network(html):
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:(?!//www\.w3\.org/)", re.sub(r'base64,[^"]*', "", policy))


def test_texts_from_files_are_escaped(html):
    assert HOSTILE in "".join(Reader(html).text)
    assert "<img src=x" not in html
    assert html.count("<script") == 2  # the data and the page's own


def test_the_files_that_it_is_made_of_are_named_with_their_checksums(tmp_path):
    table = planted()[0].copy()
    table["APOGEE_ID"] = [f"s{i}" for i in range(len(table))]
    write_catalogue(tmp_path / "stars.fits", table, CutFlow(len(table)), {})
    halo.save(tmp_path / "fit.h5", planted_fit())
    made = halo.report(tmp_path / "fit.h5", tmp_path / "stars.fits", bootstrap=0)
    inputs = {each["name"]: each["sha256"] for each in made.provenance["inputs"]}
    assert set(inputs) == {"fit.h5", "stars.fits"}
    assert all(sha256 in made.html for sha256 in inputs.values())


def test_intervals_of_bins_widen_about_the_bins_own_fractions_and_stay_between_0_and_1(found):
    rng = np.random.default_rng(0)
    drawn = found.W * rng.gamma(20, 1 / 20, (40, *found.W.shape))
    ours = found.W[:, -1] / found.W.sum(axis=1)
    once, twice = bin_intervals(found, drawn), bin_intervals(found, drawn, 2.0)
    inside = ((twice > 0) & (twice < 1)).all(axis=0)
    assert inside.any()
    np.testing.assert_allclose(twice[:, inside] - ours[inside], 2 * (once[:, inside] - ours[inside]), atol=1e-12)
    assert ((once >= 0) & (once <= 1) & (twice >= 0) & (twice <= 1)).all()


def test_the_data_are_v_and_the_components(found):
    (text,) = re.findall(r'class="explorer-data">(.*?)</script>', str(explorer(found).markup), re.DOTALL)
    data = json.loads(text)

    def numbers(name):
        packed = data[name]
        return np.frombuffer(base64.b64decode(packed["data"]), f"<{packed['kind']}")

    V = np.zeros_like(found.mixtures.V)
    V[np.repeat(np.arange(len(V)), numbers("filled")), numbers("columns")] = numbers("values")
    np.testing.assert_array_equal(V, found.mixtures.V)
    np.testing.assert_array_equal(numbers("H").reshape(found.H.shape), found.H.astype("f4"))


def test_weighted_counts_keep_single_precision(found):
    weighted = replace(found, mixtures=replace(found.mixtures, V=found.mixtures.V * 0.37))
    (text,) = re.findall(r'class="explorer-data">(.*?)</script>', str(explorer(weighted).markup), re.DOTALL)
    assert json.loads(text)["values"]["kind"] == "f4"


def test_bins_on_one_variable_are_drawn_too():
    fit = halo.fit(planted()[0], planted_fit().settings.replace(bins="E:6"))
    assert str(explorer(fit).markup).count('class="bin"') == 6


def test_no_zero_of_the_bias_has_a_minus():
    (sheet,) = (block for block in bias_range("frobenius", 2) if hasattr(block, "rows"))
    assert any("0.000" in cell for row in sheet.rows for cell in row)
    assert not [cell for row in sheet.rows for cell in row if "\N{MINUS SIGN}0.000" in cell]


def test_the_range_of_the_bias_is_that_of_the_family():
    ours = json.loads(BIAS.read_text())
    measured = json.loads((ROOT / "benchmarks" / "results" / "family.json").read_text())
    assert ours["ranges"] == measured["ranges"]
    assert ours["models"] == measured["provenance"]["settings"]["models"]


@pytest.mark.parametrize(
    ("loss", "components", "said"),
    [
        ("frobenius", 2, "made as the paper makes its own, so that the paper's range may be quoted"),
        ("kullback-leibler", 3, "so that the recommended range may be quoted"),
        ("kullback-leibler", 2, "neither as the paper's nor as the recommended analysis makes it"),
        ("frobenius", 3, "its bias was not measured"),
    ],
)
def test_a_fit_is_told_whose_bias_is_like_its_own(loss, components, said):
    assert said in str(bias_range(loss, components)[0])


def test_a_fit_by_kullback_leibler_has_intervals_of_the_likelihood():
    page = halo.report(planted_fit("kullback-leibler"), planted()[0], bootstrap=0)
    assert "profile likelihood" in page.html


def test_intervals_of_replicates_hold_the_crossing(found, html):
    (table,) = re.findall(r'id="crossings".*?</table>', html, re.DOTALL)
    row = re.search(r'<th scope="row"[^>]*>E</th><td[^>]*>50</td><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td>', table)
    at, (low, high) = (
        float(row[1].replace("\N{MINUS SIGN}", "-")),
        (float(x.replace("\N{MINUS SIGN}", "-")) for x in row[2].split(" to ")),
    )
    assert low < at < high


def test_other_stars_than_the_fits_are_refused(found):
    with pytest.raises(InputError, match="not those of the fit"):
        halo.report(found, planted(5000, seed=9)[0], bootstrap=0)


def test_a_fit_without_stars_is_refused(found):
    with pytest.raises(UsageError, match="needs its stars"):
        halo.report(found)


def test_the_page_is_saved_and_not_written_over(found, tmp_path):
    page = halo.report(found, planted()[0], bootstrap=0)
    path = page.save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8").rstrip() == page.html.rstrip()
    with pytest.raises(OutputError, match="exists"):
        page.save(path)


# in a browser


@pytest.mark.slow
def test_a_click_on_a_bin_shows_its_row_of_v(opened, found):
    filled = int(np.argsort(found.mixtures.n_stars)[-3])
    click(opened, filled)
    assert chosen(opened) == [filled]
    np.testing.assert_array_equal(shown(opened)[0], found.mixtures.V[filled])
    parts = found.W[filled][:, None] * found.H
    np.testing.assert_allclose(shown(opened)[1:], parts, rtol=1e-5, atol=1e-6)
    sums = opened.value("[...document.querySelectorAll('canvas[data-part=\"0\"]')].map(c => +c.dataset.sum)")
    assert sum(sums) == found.mixtures.V[filled].sum()


@pytest.mark.slow
def test_what_is_drawn_is_the_histogram(opened, found):
    click(opened, 7)
    drawn = opened.value("""(() => { const c = document.querySelector('canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return Array.from({length: c.width * c.height}, (_, i) => d[4 * i] < 255); })()""")
    image = found.mixtures.chemistry.images(found.mixtures.V)[7, 0]
    np.testing.assert_array_equal(np.array(drawn).reshape(image.shape), image[::-1] > 0)


@pytest.mark.slow
def test_a_box_that_is_dragged_chooses_the_bins_in_it_and_shift_adds(opened, found):
    click(opened, 0)
    a = middle(opened, 6)
    b = opened.value("""(r => [r.x + r.width / 2, r.y + r.height / 2])(
        document.querySelectorAll('.bin')[18].getBoundingClientRect())""")
    mouse(opened, "mousePressed", a[0] - 2, a[1] + 2, buttons=1, modifiers=8)
    mouse(opened, "mouseMoved", (a[0] + b[0]) / 2, (a[1] + b[1]) / 2, buttons=1, modifiers=8)
    mouse(opened, "mouseMoved", b[0] + 2, b[1] - 2, buttons=1, modifiers=8)
    mouse(opened, "mouseReleased", b[0] + 2, b[1] - 2, modifiers=8)
    some = chosen(opened)
    assert {0, 6, 18} <= set(some)
    assert len(some) < len(found.mixtures.V)
    np.testing.assert_array_equal(shown(opened)[0], found.mixtures.V[some].sum(axis=0))


@pytest.mark.slow
def test_the_keyboard_goes_from_bin_to_bin_and_chooses(opened, found):
    opened.value("document.querySelector('.bin').focus()")
    press(opened, "Enter")
    assert chosen(opened) == [0]
    press(opened, "ArrowRight", modifiers=8)
    two = chosen(opened)
    assert len(two) == 2
    np.testing.assert_array_equal(shown(opened)[0], found.mixtures.V[two].sum(axis=0))
    press(opened, "ArrowUp")
    press(opened, " ")
    assert len(chosen(opened)) == 3
    press(opened, "Escape")
    assert chosen(opened) == []
    press(opened, "a", modifiers=2)
    assert len(chosen(opened)) == len(found.mixtures.V)
    view = "document.querySelector('.plot').getAttribute('viewBox').split(' ')[2]"
    whole = float(opened.value(view))
    press(opened, "+")
    assert float(opened.value(view)) < whole
    press(opened, "0")
    assert float(opened.value(view)) == whole


@pytest.mark.slow
def test_arrows_reach_every_bin(opened, found):
    reached = opened.value("""(() => { const bins = [...document.querySelectorAll('.bin')], seen = new Set();
        const todo = [0];
        while (todo.length) { const i = todo.pop(); if (seen.has(i)) continue; seen.add(i);
          for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
            const e = (key) => document.activeElement.dispatchEvent(
              new KeyboardEvent('keydown', {key, bubbles: true}));
            bins[0].focus(); e('Home');
            bins[i].dispatchEvent(new PointerEvent('pointerdown', {bubbles: true}));
            bins[i].dispatchEvent(new PointerEvent('pointerup', {bubbles: true}));
            e(key); todo.push(bins.indexOf(document.activeElement)); } }
        return seen.size; })()""")
    assert reached == len(found.mixtures.V)


@pytest.mark.slow
def test_a_pixel_of_a_plane_outlines_the_bins_that_have_stars_there(opened, found):
    V, l = found.mixtures.V, found.mixtures.chemistry.pixels  # noqa: E741 - the paper's letter
    column = int(np.argmax(V[:, : l * l].sum(axis=0)))
    y, x = divmod(column, l)
    left, top, size = opened.value("""(() => { const c = document.querySelector('canvas');
        c.scrollIntoView({block: 'center'}); const r = c.getBoundingClientRect(); return [r.x, r.y, r.width]; })()""")
    mouse(opened, "mouseMoved", left + (x + 0.5) / l * size, top + (l - y - 0.5) / l * size)
    there = opened.value(
        "[...document.querySelectorAll('.bin')].flatMap((b, i) => b.classList.contains('there') ? [i] : [])"
    )
    assert there == np.flatnonzero(V[:, column]).tolist()


@pytest.mark.slow
def test_nothing_from_a_file_runs(opened):
    assert opened.value("window.ran") is None


@pytest.mark.slow
def test_on_a_phone_nothing_is_wider_than_the_screen(browser, html, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    browser.visit(path.as_uri(), 375)
    assert browser.value("document.documentElement.scrollWidth") <= 375
    assert (
        browser.value("Math.min(...[...document.querySelectorAll('.explorer button')].map(b => b.offsetHeight))") > 36
    )


@pytest.mark.slow
def test_without_scripts_tables_figures_and_the_map_are_there(browser, html, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.visit(path.as_uri(), 1440)
        # the protocol's own evaluation still looks at what is drawn
        text = browser.value("document.body.innerText")
        assert browser.value("[...document.images].every(i => i.naturalWidth > 0 && i.offsetWidth > 0)")
        assert browser.value("document.querySelector('#crossings table').offsetHeight") > 100
        # a long table is folded, and unfolds
        assert browser.value("document.querySelector('#bins').checkVisibility()") is False
        x, y = browser.value("""(() => { const s = document.querySelector('details.fold summary');
            s.scrollIntoView({block: 'center'});
            const r = s.getBoundingClientRect(); return [r.x + 20, r.y + 8]; })()""")
        mouse(browser, "mousePressed", x, y, buttons=1)
        mouse(browser, "mouseReleased", x, y)
        assert browser.value("document.querySelector('#bins table').offsetHeight") > 100
        assert browser.value("document.querySelector('.bin').getBoundingClientRect().width") > 0
        assert browser.value("document.querySelector('.explorer-buttons').offsetHeight") == 0
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    assert "needs JavaScript" in text


# by files


def test_a_catalogue_with_a_hostile_name_makes_a_harmless_page(tmp_path):
    table = planted()[0].copy()
    table["APOGEE_ID"] = [f"s{i}" for i in range(len(table))]
    stars = write_catalogue(tmp_path / f"{HOSTILE}.fits", table, CutFlow(len(table)), {})
    page = halo.report(planted_fit(), stars, bootstrap=0)
    assert page.html.count("<script") == 2
    assert "onerror=window" in "".join(Reader(page.html).text)


def test_the_command_writes_the_page_of_a_fit(tmp_path):
    table = planted()[0].copy()
    table["APOGEE_ID"] = [f"s{i}" for i in range(len(table))]
    write_catalogue(tmp_path / "stars.fits", table, CutFlow(len(table)), {})
    halo.save(tmp_path / "fit.h5", planted_fit())
    given = ["report", str(tmp_path / "fit.h5"), str(tmp_path / "stars.fits"), "-o", str(tmp_path / "made.html")]
    ended = CliRunner().invoke(app, [*given, "--bootstrap", "0"])
    assert ended.exit_code == 0, ended.output
    assert (tmp_path / "made.html").read_text().startswith("<!DOCTYPE html>")
    assert CliRunner().invoke(app, [*given, "--bootstrap", "0"]).exit_code != 0  # it is there
