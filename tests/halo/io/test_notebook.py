"""How results show themselves: a few lines in a console, a small safe table in a notebook."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from halonmf.halo.ensembles.rows import Summary
from halonmf.halo.ensembles.summary import summarise_setup
from halonmf.halo.io.notebook import HEIGHT, MOST_LINES, WIDTH, InWords, Shown, bar, curves
from halonmf.halo.mixtures.settings import Chemistry
from halonmf.halo.products.boundary import boundary_of
from halonmf.halo.products.densities import densities
from halonmf.halo.products.memberships import memberships
from halonmf.halo.products.profile import profile_of
from halonmf.halo.products.table1 import table1
from halonmf.halo.products.tracks import tracks
from halonmf.halo.replicates.replicate import begin
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.catalogue import Catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, hand_made_application, planted, planted_fit


def a_profile():
    return profile_of(hand_made_application([0.1, 0.3, np.nan, 0.7, 0.9], "E:5:-3e5:-1e5"))


def a_boundary():
    return boundary_of(hand_made_application(np.tile([0.1, 0.4, 0.9], 3), "Lz:3:-1500:1500,E:3:-3e5:-1e5"))


def a_summary():
    made = begin(planted(1000)[0], Setup(SMALL.replace(chemistry=Chemistry(pixels=10))))
    return Summary((summarise_setup(0, "base", made.setup, made.products, made.coordinates, {}),))


def a_catalogue():
    table, _ = planted(1000)
    record = {"command": "prepare", "settings": {"survey": "toy", "long": list(range(1000))}}
    return Catalogue(table, CutFlow(1500, ("quality",), (1500 - len(table),)), record, Path("stars.fits"))


RESULTS = {
    "fit": planted_fit, "profile": a_profile, "boundary": a_boundary, "summary": a_summary, "catalogue": a_catalogue,
}  # fmt: skip
IN_WORDS = {
    "application": lambda: a_profile().application,
    "memberships": lambda: memberships(planted_fit(), planted(1000)[0]),
    "table 1": lambda: table1(planted_fit()),
    "counts": lambda: planted_fit().mixtures,
    "tracks": lambda: tracks(planted_fit()),
    "densities": lambda: densities(planted_fit()),
}


@pytest.fixture(scope="module", params=RESULTS)
def result(request):
    return RESULTS[request.param]()


class Toy(Shown):
    def _shown(self):
        return "a < b", {"x & y": "<script>alert(1)</script>", "long name": "2"}, ""


def points(svg):
    """The points of every curve of a picture."""
    lines = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}polyline")
    return [[tuple(map(float, pair.split(","))) for pair in line.get("points").split()] for line in lines]


def test_a_repr_is_a_few_short_lines(result):
    lines = repr(result).splitlines()
    assert 3 <= len(lines) <= 6
    assert max(map(len, lines)) <= 120


def test_the_html_is_well_formed_and_small(result):
    html = result._repr_html_()
    assert ElementTree.fromstring(html).tag == "div"
    assert len(html) < 4000


def test_a_notebook_gets_what_a_console_gets(result):
    words = "".join(ElementTree.fromstring(result._repr_html_()).itertext())
    for line in repr(result).splitlines()[1:]:
        assert line.split("  ")[-1].strip() in words


def test_every_picture_is_there(result):
    assert "<svg" in result._repr_html_()


@pytest.mark.parametrize("name", IN_WORDS)
def test_every_other_result_is_its_name_and_its_description(name):
    result = IN_WORDS[name]()
    title, *lines = repr(result).splitlines()
    assert title == type(result).__name__
    assert [line[2:] for line in lines][:3] == result.describe().splitlines()[:3]
    assert len(lines) <= MOST_LINES
    html = ElementTree.fromstring(result._repr_html_())
    assert html.find("strong").text == title
    assert html.find("pre").text.splitlines()[0] == lines[0][2:]


class Long(InWords):
    def describe(self):
        return "\n".join(f"line <{i}>" for i in range(100))


def test_a_long_description_is_cut_and_its_text_escaped():
    assert repr(Long()).splitlines()[-1] == "  ... 89 more lines, in describe()"
    assert len(repr(Long()).splitlines()) == MOST_LINES + 1
    assert "line &lt;0&gt;" in Long()._repr_html_()


def test_text_is_escaped():
    html = Toy()._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert ElementTree.fromstring(html).find("strong").text == "a < b"


def test_facts_stand_in_a_column():
    assert repr(Toy()).splitlines() == ["a < b", "  x & y      <script>alert(1)</script>", "  long name  2"]


def test_a_selections_name_is_escaped_in_a_fits_table():
    made = planted_fit()
    odd = replace(made, names=("<b>", "HE"))
    assert "<b>" not in odd._repr_html_()


def test_curves_run_from_corner_to_corner():
    assert points(curves([0.0, 1.0, 2.0], [[0.0, 0.5, 1.0]], (0.0, 1.0))) == [
        [(0.0, HEIGHT), (WIDTH / 2, HEIGHT / 2), (WIDTH, 0.0)]
    ]


def test_curves_break_where_a_value_is_missing():
    line = [0.1, 0.2, float("nan"), 0.7, 0.8]
    assert [len(part) for part in points(curves([0.0, 1.0, 2.0, 3.0, 4.0], [line], (0.0, 1.0)))] == [2, 2]


@pytest.mark.parametrize(
    ("x", "y", "limits"),
    [
        ([], [], (0.0, 1.0)),
        ([1.0], [0.5], (0.0, 1.0)),
        ([0.0, 1.0], [0.5, 0.5], (0.5, 0.5)),
        ([0.0, 1.0], [float("nan")] * 2, (0.0, 1.0)),
        ([0.0, 1.0], [0.0, 1.0], (float("nan"), float("nan"))),
    ],
)
def test_nothing_is_drawn_of_nothing(x, y, limits):
    assert curves(x, [y], limits) == ""


def test_a_bar_is_as_wide_as_its_fractions():
    rectangles = ElementTree.fromstring(bar([0.25, 0.75])).iter("{http://www.w3.org/2000/svg}rect")
    assert [(float(r.get("x")), float(r.get("width"))) for r in rectangles] == [
        (0, WIDTH / 4),
        (WIDTH / 4, 0.75 * WIDTH),
    ]
    assert bar([float("nan"), 0.5]) == ""


def test_a_boundary_that_is_nowhere_says_so():
    nowhere = boundary_of(hand_made_application(np.full(9, 0.9), "Lz:3:-1500:1500,E:3:-3e5:-1e5"))
    assert "nowhere" in repr(nowhere)
    assert "<svg" not in nowhere._repr_html_()


def test_problems_are_shown():
    bad = replace(a_profile().application, fit_status="STUCK", fit_kkt=0.5)
    assert "not converged: the fit (STUCK" in repr(profile_of(bad))


def test_nothing_heavy_is_imported_for_it():
    code = (
        "import sys; from halonmf.halo.io.notebook import bar; bar([0.5, 0.5]); "
        "print([name for name in ('matplotlib', 'torch', 'scipy', 'h5py') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
