"""Names of columns, regions and galaxies in figures: shown as they are, short, and never taken for mathematics."""

import io

import numpy as np
import pytest

from halonmf import halo
from halonmf.halo import figures
from halonmf.halo.figures.regions import PLANE
from halonmf.halo.figures.style import LONGEST, scale, words
from halonmf.halo.mixtures.settings import Chemistry, Plane
from halonmf.halo.populations.regions import Region

from ..helpers.planted import planted

HOSTILE = (
    "$\\nosuch$",
    "a$b_c$\\frac{x",
    "$",
    "_hidden",
    "x_{",
    "\\",
    "<b>&amp;",
    "N" * 300,
    "x\u202e\x1b[31mgnp",
    "%s{0}",
)


def drawn(picture):
    picture.figure.savefig(io.BytesIO(), format="png", dpi=40)
    return picture


@pytest.mark.parametrize("name", HOSTILE)
def test_a_foreign_name_is_short_plain_and_no_mathematics(name):
    shown = words(name)
    assert len(shown.replace("\\$", "$")) <= LONGEST + 1
    assert shown.isprintable()
    assert not shown.startswith("_")
    assert shown.count("$") == shown.count("\\$")
    assert scale(name).label == shown


@pytest.mark.parametrize("name", HOSTILE[:3])
def test_figures_of_a_fit_draw_columns_of_any_name(name):
    table = planted(900)[0]
    table[name] = np.asarray(table["MG_FE"])
    planes = (Plane("FE_H", name), Plane("FE_H", "AL_FE"))
    chemistry = Chemistry(planes, (("FE_H", (-2.5, 0.7)), (name, (-0.2, 0.5)), ("AL_FE", (-0.6, 0.6))), pixels=6)
    fit = halo.fit(table, bins="E:3,Lz:3", selection="all", chemistry=chemistry)
    drawn(figures.components(fit))


def test_regions_of_any_name_are_drawn():
    table = planted(900)[0]
    fit = halo.fit(table, bins="E:3,Lz:3", pixels=6, selection="all")
    (low, high), (bottom, top) = (fit.mixtures.chemistry.limits[axis] for axis in (PLANE.x, PLANE.y))
    corners = np.array([(low, bottom), (high, bottom), (high, top)])
    picture = drawn(figures.labelled_component(fit, 0, {name: Region(name, PLANE, corners) for name in HOSTILE[:4]}))
    assert [text.get_text() for text in picture.figure.axes[0].texts] == [words(name) for name in HOSTILE[:4]]
