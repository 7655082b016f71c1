"""Figures are written whole or not at all, and leave the caller's settings as they were."""

import base64
import errno
import os
import subprocess
import sys
import threading
import time

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import image

from halonmf.halo import figures
from halonmf.halo.errors import OutputError, UsageError
from halonmf.halo.figures import picture
from halonmf.halo.mixtures.settings import Chemistry

from ..helpers.drawn import (
    make_fit,
    make_profile,
    make_stars,
)


def test_the_callers_settings_are_left_as_they_were():
    # to ask for the backend is to choose one
    before = {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}
    figures.fractions(make_profile(make_fit()))
    assert {name: mpl.rcParams[name] for name in before} == before


def test_threads_that_draw_leave_each_others_settings_alone():
    before, seen = dict(mpl.rcParams), []
    with picture.in_style():
        ours = mpl.rcParams["savefig.dpi"]
    assert ours != before["savefig.dpi"]

    @picture.styled
    def draw(seconds):
        time.sleep(seconds)  # the first would put its settings back while the second draws
        seen.append(mpl.rcParams["savefig.dpi"])

    both = [threading.Thread(target=draw, args=(seconds,)) for seconds in (0.05, 0.15)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert seen == [ours, ours]
    assert dict(mpl.rcParams) == before


def test_drawing_loads_neither_pyplot_nor_torch(tmp_path):
    code = """
import sys
from astropy.table import Table
from halonmf.halo import figures
stars = Table({"E": [-1.7e5, -1.6e5], "Lz": [0.0, 100.0]})
figures.save(figures.sample({"all": stars}), sys.argv[1])
sys.exit(bool({"matplotlib.pyplot", "torch"} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, tmp_path / "a"], check=True, timeout=120)


def one_panel():
    return figures.chemistry(make_stars(), images=Chemistry.of(Chemistry().planes[:1]))


@pytest.fixture(scope="module")
def drawn():
    return one_panel()


def test_a_notebook_shows_a_picture_with_its_caption_and_its_alternative_text(drawn):
    shown = figures.Picture(drawn.figure, "[Fe/H] < -1 & rising", 'stars "in" bins')._repr_html_()
    _, _, rest = shown.partition("base64,")
    assert base64.b64decode(rest.partition('"')[0]).startswith(b"\x89PNG")
    assert 'alt="stars &quot;in&quot; bins"' in shown
    assert "<figcaption>[Fe/H] &lt; -1 &amp; rising</figcaption>" in shown


def test_save_writes_png_and_pdf(drawn, tmp_path):
    paths = figures.save(drawn, tmp_path / "run.1")
    assert paths == [tmp_path / "run.1.png", tmp_path / "run.1.pdf"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert paths[1].read_bytes().startswith(b"%PDF")
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_suffix_names_a_format_not_the_file(drawn, tmp_path):
    assert [path.name for path in figures.save(drawn, tmp_path / "a.svg", ["png"])] == ["a.png", "a.svg"]


def test_what_is_written_is_what_matplotlib_itself_would_draw(tmp_path):
    figures.save(one_panel(), tmp_path / "a", ["png"])
    with mpl.style.context(picture.STYLE):
        one_panel().figure.savefig(tmp_path / "b.png")
    ours, plain = (255 * np.asarray(image.imread(tmp_path / f"{name}.png")) for name in "ab")
    # rounding, where marks lie on one another in another order
    assert np.abs(ours - plain).max() <= 2


def test_a_layout_stays_from_one_format_to_the_next(tmp_path):
    made = one_panel()
    figures.save(made, tmp_path / "a", ["png"])
    place = made.figure.axes[0].get_position().bounds
    figures.save(made, tmp_path / "b", ["pdf"])
    assert made.figure.axes[0].get_position().bounds == place


def test_same_picture_gives_the_same_bytes(drawn, tmp_path):
    first = [path.read_bytes() for path in figures.save(drawn, tmp_path / "a", picture.FORMATS)]
    assert [path.read_bytes() for path in figures.save(one_panel(), tmp_path / "b", picture.FORMATS)] == first


def test_caption_travels_in_the_file(drawn, tmp_path):
    (path,) = figures.save(drawn, tmp_path / "a", ["png"])
    assert drawn.caption.encode("latin-1") in path.read_bytes()


def test_save_refuses_to_replace_a_file(drawn, tmp_path):
    (tmp_path / "a.pdf").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        figures.save(drawn, tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf"]
    figures.save(drawn, tmp_path / "a", overwrite=True)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_save_into_no_folder_is_an_error(drawn, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        figures.save(drawn, tmp_path / "absent" / "a")


def test_full_disk_leaves_no_file(drawn, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(drawn.figure, "savefig", full)
    with pytest.raises(OutputError, match="No space left"):
        figures.save(drawn, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_is_refused(drawn, tmp_path):
    with pytest.raises(UsageError, match="formats must be among png, pdf, svg; got gif"):
        figures.save(drawn, tmp_path / "a", ["gif"])


def test_the_users_own_settings_change_no_byte_of_a_figure(tmp_path):
    (plain,) = figures.save(one_panel(), tmp_path / "plain", ("png",))
    own = {"lines.linewidth": 9, "axes.facecolor": "red", "savefig.facecolor": "blue", "font.size": 20,
           "image.cmap": "jet", "legend.fancybox": False, "axes.grid": True, "text.usetex": False,
           "patch.linewidth": 7, "xtick.major.pad": 12}  # fmt: skip
    with mpl.rc_context(own):
        (other,) = figures.save(one_panel(), tmp_path / "other", ("png",))
        assert mpl.rcParams["axes.facecolor"] == "red"
    assert other.read_bytes() == plain.read_bytes()
