"""A fit whose names are hostile, and its page, also opened in a browser."""

from dataclasses import replace

import pytest

from halonmf import halo
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted, planted_fit
from ..helpers.pointing import HOSTILE


@pytest.fixture(scope="module")
def found():
    fit = planted_fit()
    flow = CutFlow(len(planted()[0]), (HOSTILE,), (0,))
    return replace(fit, survey=HOSTILE, cutflow=flow, provenance={"inputs": [{"name": HOSTILE}], "version": HOSTILE})


@pytest.fixture(scope="module")
def html(found):
    return halo.report(found, planted()[0], bootstrap=8).html


@pytest.fixture
def opened(browser, html, tmp_path):
    """Open the page on a desk, with what it fetches and complains about counted from here."""
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    browser.events.clear()
    browser.visit(path.as_uri(), 1440)
    yield browser
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [path.as_uri()]
