"""The table of promises is made from the tests that are there and the figures that are saved."""

import json

import pytest

from .scripts import script as load


@pytest.fixture(scope="module")
def script():
    return load("reliability")


def test_the_table_is_that_of_today(script):
    text = script.PAGE.read_text()
    assert script.page(text) == text, "run python docs/reliability.py"


def test_a_promise_whose_test_is_gone_is_named(script):
    for name in ("ensembles/test_nothing", "ensembles/test_crashes:test_nothing"):
        with pytest.raises(SystemExit, match="mend PROMISES"):
            script.where(name)


def test_figures_that_broke_a_promise_stand_out(script, monkeypatch):
    kills = json.loads((script.RESULTS / "kills.json").read_text()) | {"same_files": False}
    monkeypatch.setattr(script, "load", lambda _: kills)
    assert "**other** files" in script.measured("kills")
    monkeypatch.setattr(script, "load", lambda _: None)
    assert script.measured("soak") == "not measured yet: `python benchmarks/soak.py`"


def test_saved_figures_kept_their_promises(script):
    for name, good in (("soak", "flat"), ("stops", "same")):
        found = script.load(name)
        assert found is None or found[good] is True
    fuzz = script.load("fuzz")
    assert fuzz is None or fuzz["bad"] == 0
