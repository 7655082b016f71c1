"""The door of the figures: every name leads somewhere, nothing loads before it is asked for, a figure is one file."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from halonmf.halo import figures
from halonmf.halo.figures.picture import Picture

FOLDER = Path(figures.__file__).parent
TOY = '''
"""A toy: the counts of something."""

from matplotlib.figure import Figure

from halonmf.halo.figures.picture import Picture, styled


@styled
def counts(numbers):
    """Draw the numbers as bars."""
    figure = Figure()
    figure.add_subplot().bar(range(len(numbers)), numbers)
    return Picture(figure, f"{sum(numbers)} stars.", f"A bar for each of {len(numbers)} bins.")
'''


@pytest.mark.parametrize("name", figures.__all__)
def test_every_name_leads_to_what_bears_it(name):
    found = getattr(figures, name)
    assert getattr(found, "__name__", name) == name


def test_the_type_checker_sees_what_python_finds():
    tree = ast.parse((FOLDER / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname: node.module for node in block.body for alias in node.names}
    assert seen == figures._HOME


def test_no_file_has_the_name_of_a_function():
    # importing such a file would put a module in the function's place
    assert not {path.stem for path in FOLDER.glob("*.py")} & set(figures.__all__)


def test_every_drawing_function_of_a_file_is_in_the_door():
    # but for those that draw one subject of an ensemble
    for path in FOLDER.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "styled" for d in node.decorator_list):
                assert figures._HOME.get(node.name) == path.stem or path.stem == "ensembles", node.name


def test_every_drawing_function_says_what_it_draws():
    for name in figures.__all__:
        found = getattr(figures, name)
        if inspect.isfunction(found):
            assert found.__doc__, name


def test_naming_the_package_loads_no_matplotlib():
    code = """
import sys
from halonmf.halo import figures
assert "components" in dir(figures) and "matplotlib" not in sys.modules
figures.components
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'pie_chart'"):
        figures.pie_chart  # noqa: B018


@pytest.mark.parametrize(("caption", "alt"), [("", "A curve."), ("Stars.", "")])
def test_a_picture_needs_a_caption_and_an_alternative_text(caption, alt):
    with pytest.raises(ValueError, match="needs a caption and an alternative text"):
        Picture(Figure(), caption, alt)


def test_a_figure_is_one_file_and_its_name_in_the_door(tmp_path, monkeypatch):
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path)])
    monkeypatch.setitem(figures._HOME, "counts", "toy")
    picture = figures.counts([3, 4])
    assert (picture.caption, picture.alt) == ("7 stars.", "A bar for each of 2 bins.")
    assert [path.name for path in figures.save(picture, tmp_path / "counts")] == ["counts.png", "counts.pdf"]
    monkeypatch.delitem(sys.modules, f"{figures.__name__}.toy")
    monkeypatch.delattr(figures, "toy")
