"""The run of the paper makes the mock that is asked for, and takes no other one for it."""

import pytest

from halonmf.halo.errors import UsageError
from halonmf.halo.mock.survey import make
from halonmf.halo.paper import run as paper
from halonmf.halo.paper.settings import PaperSettings


class MadeError(Exception):
    """What is made is known, and need not be made."""


def test_the_mock_that_is_asked_for_is_made(tmp_path, monkeypatch):
    asked = []

    def note(folder, **choices):
        asked.append(choices["model"])
        raise MadeError

    monkeypatch.setattr(paper, "make", note)
    with pytest.raises(MadeError):
        paper._sample(tmp_path, None, None, PaperSettings(model="fair"), lambda *_: None, resume=False)
    assert asked == ["fair"]


def test_a_mock_of_another_model_is_not_taken_for_it(tmp_path):
    make(tmp_path, n_stars=1000, seed=4, model="fair")
    assert paper._is_made(tmp_path, PaperSettings(seed=4, rows=1000, model="fair"))
    assert not paper._is_made(tmp_path, PaperSettings(seed=4, rows=1000))


def test_a_mock_that_there_is_not_is_named():
    with pytest.raises(UsageError, match="model must be one of paper-truth, fair"):
        PaperSettings(model="milky-way")
