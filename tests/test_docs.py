"""What the documents show is run, and what they name exists."""

import importlib
import json
import pathlib
import re

import pytest
import typer

from halonmf.cli import app

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "notebooks").glob("*.md")]


def test_the_engine_page_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "engine.md").read_text(), re.DOTALL)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        exec(compile(block, "engine.md", "exec"), names)
    assert names["mine"].converged
    assert names["robust"].W.shape == (100, 20, 3)


def test_the_page_on_tables_and_units_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    from halonmf.halo.stars.catalogue import write_catalogue
    from halonmf.halo.stars.cutflow import CutFlow

    from .halo.helpers.planted import planted

    monkeypatch.chdir(tmp_path)
    stars, _ = planted()
    stars["APOGEE_ID"] = [f"star {i}" for i in range(len(stars))]
    write_catalogue("stars.fits", stars, CutFlow(len(stars)), {})
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "tables.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(compile(block, "tables.md", "exec"), names)
    assert capsys.readouterr().out.split() == ["E:20:-250000:-100000", "8.0", "0.5"]
    assert names["line"].quantity("E").unit == names["u"].Unit("km2 / s2")
    assert len(names["profile"].tables()["crossings"]) >= 1


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            path = page.parent / target
            assert path.exists() or path.with_suffix(".py").exists(), target  # docs/gallery.py makes docs/gallery.md


OTHERS = {"benchmarks/results/gpu.json"}  # made on a machine with a GPU
ENDINGS = {"py", "toml", "json", "ecsv", "fits", "h5", "html"}  # of files, which are no functions of a module
CODE = [*(ROOT / "halo").rglob("*"), *(ROOT / "nmfcore").rglob("*"), *(ROOT / "benchmarks").glob("*")]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_files_that_documents_name_exist(page):
    for path in re.findall(r"`((?:halo|nmfcore|tests|docs|benchmarks)/[\w./-]+)`", page.read_text()):
        assert path in OTHERS or (ROOT / path.removesuffix("__pycache__")).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_functions_and_constants_that_documents_name_are_in_their_modules(page):
    modules = {}
    for path in CODE:
        modules.setdefault(path.stem, []).append(path)
    for module, name in re.findall(r"`(?:\w+\.)*?(\w+)\.([A-Za-z_]\w*)(?:\([^`]*\))?`", page.read_text()):
        files = [path for path in modules.get(module, ()) if path.suffix == ".py"]
        if files and name not in ENDINGS:
            assert any(re.search(rf"\b{name}\b", path.read_text()) for path in files), f"{module}.{name}"


def test_the_names_of_the_front_doors_in_documents_are_there():
    import nmfcore
    from halonmf import halo

    for page in PAGES:
        for door, name in re.findall(r"\b(halo|nmfcore)\.([a-zA-Z_]\w*)(?!\w*[./])", page.read_text()):
            public = {"halo": halo, "nmfcore": nmfcore}[door]
            assert hasattr(public, name) or page.name in {"ARCHITECTURE.md", "CHANGELOG.md"}, (
                f"{page.name}: {door}.{name}"
            )


def options():
    group = typer.main.get_command(app)
    return {name: {o for p in c.params for o in p.opts} for name, c in group.commands.items()}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_commands_in_the_documents_exist_with_their_options(page):
    known = options()
    for line in re.findall(r"halonmf ([a-z]+ [^\n`|]*)", page.read_text()):
        words = line.split()
        if words[0] not in known:
            continue
        for word in words[1:]:
            if word.startswith("--") and word != "--help":
                assert word.split("=")[0].rstrip(".,;)") in known[words[0]], line


def test_every_command_is_in_the_readme():
    text = (ROOT / "README.md").read_text()
    for name in options():
        assert f"halonmf {name}" in text, name


def test_the_changelog_speaks_of_the_installed_version():
    from importlib.metadata import version

    assert f"## {version('halonmf')}" in (ROOT / "CHANGELOG.md").read_text()


def test_figures_in_the_documents_are_those_that_the_benchmarks_saved(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    assert importlib.import_module("quotes").missing() == []


@pytest.mark.parametrize(
    "name",
    [
        *("mock_recovery", "orbits", "prepare", "giants", "populations", "choices", "kills", "coverage", "retrograde"),
        *("ranks", "rank_giants", "analyses", "analyses_fair", "coverage_recommended", "clusters", "calibrate_mock"),
        *("family", "selection", "consensus"),
    ],
)
def test_saved_figures_say_where_they_come_from(name):
    record = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())["provenance"]
    assert record["command"] == f"benchmarks/{name.removesuffix('_recommended').removesuffix('_fair')}.py"
    assert (ROOT / record["command"]).exists()
    assert re.fullmatch(r"[0-9a-f]{7,40}", record["commit"]), "made from files that are not in a commit"
    assert record["machine"]["processor"]
    assert record["machine"]["cores"] >= 1
    assert {"numpy", "astropy", "torch"} <= set(record["libraries"])
