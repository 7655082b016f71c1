"""The notebooks of the documentation: all are in its contents, ran without an error, and open in Jupyter."""

import pathlib
import re

import nbformat
import pytest
import yaml

from .scripts import script

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "docs" / "notebooks").glob("*.md"))
SITE = ROOT / "docs" / "_build" / "html"


@pytest.fixture(scope="module")
def downloads():
    """docs/downloads.py, which offers the pages as notebooks."""
    pytest.importorskip("sphinx", reason="needs Sphinx: pip install 'halonmf[docs]'")
    return script("downloads")


def executed(source):
    """The notebook that the built page of a source offers, as a reader would download it."""
    page = SITE / "notebooks" / f"{source.stem}.html"
    if not page.is_file():
        pytest.skip("the documentation is not built here: run make docs first")
    link = re.search(rf'href="(\.\./_downloads/\w+/{source.stem}\.ipynb)"', page.read_text())
    assert link, f"{page.name} offers no notebook"
    return nbformat.read(page.parent / link[1], as_version=4)


def test_every_notebook_is_in_the_contents():
    listed = re.findall(r"^notebooks/([\w-]+)$", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [path.stem for path in SOURCES]
    assert len(listed) == 3


@pytest.mark.parametrize("source", SOURCES, ids=[path.stem for path in SOURCES])
def test_sources_are_notebooks_for_jupytext_and_for_sphinx(source):
    header = yaml.safe_load(source.read_text().split("---\n")[1])
    assert header["jupytext"]["text_representation"]["format_name"] == "myst"
    assert header["kernelspec"]["name"] == "python3"
    assert "{term}" not in source.read_text(), "a role, which Jupyter shows as it stands"


@pytest.mark.parametrize("source", SOURCES, ids=[path.stem for path in SOURCES])
def test_the_downloaded_notebook_is_valid_and_ran_to_its_end(source):
    notebook = executed(source)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) == source.read_text().count("```{code-cell}")
    assert all(cell.execution_count for cell in cells)
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    pictures = {"image/png", "text/html"}
    assert sum(bool(pictures & set(output.get("data", {}))) for output in outputs) >= 3


@pytest.mark.parametrize("source", SOURCES, ids=[path.stem for path in SOURCES])
def test_pictures_of_the_pages_have_alternative_texts(source):
    executed(source)
    images = re.findall(r"<img[^>]*>", (SITE / "notebooks" / f"{source.stem}.html").read_text())
    assert images
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images if "_images" in image or "data:" in image)


def test_links_of_a_downloaded_notebook_name_the_files_of_the_repository(downloads):
    text = "See [limits](../limits.md#two), [the next](other-one.md) and [a paper](https://doi.org/1)."
    cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell("d['a'](../limits.md)")]
    made = downloads.portable(nbformat.v4.new_notebook(cells=cells, metadata={"jupytext": {}, "mystnb": {}}))
    assert made.cells[0].source == (
        "See limits (docs/limits.md), [the next](other-one.ipynb) and [a paper](https://doi.org/1)."
    )
    assert made.cells[1].source == "d['a'](../limits.md)"
    assert made.metadata == {}


def test_what_jupyter_would_not_open_is_an_error(downloads):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    notebook.cells[0]["outputs"] = [{"output_type": "nothing"}]
    with pytest.raises(nbformat.ValidationError):
        downloads.portable(notebook)


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "fails"), [("import warnings; warnings.warn('x')", True), ("1 + 1", False)])
def test_a_warning_in_a_cell_fails_the_build(downloads, tmp_path, monkeypatch, cell, fails):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("IPYTHONDIR", "")  # put back afterwards
    downloads.profile(tmp_path)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    client = nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True)
    client.execute()
    kinds = [output.output_type for output in notebook.cells[0].outputs]
    assert kinds == (["error"] if fails else ["execute_result"])
