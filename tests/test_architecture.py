"""The rooms and the doors between them, and the packaging that makes them importable."""

import ast
import pathlib
import re
import subprocess
import sys
import tomllib
from collections import Counter

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODULES = sorted([*(ROOT / "nmfcore").glob("**/*.py"), *(ROOT / "halo").glob("**/*.py"), ROOT / "cli.py"])


def imports(path):
    """Top names of every import in a file, relative ones within halo as "halo.NAME"."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
            elif node.level:
                found.add("halo." + (node.module or ",".join(alias.name for alias in node.names)))
    return found


def importers(name):
    return {path.relative_to(ROOT).as_posix() for path in MODULES if name in imports(path)}


def test_the_engine_knows_nothing_of_stars():
    foreign = {"halonmf", "halo", "astropy", "galpy", "agama", "matplotlib", "h5py", "typer", "rich"}
    for path in (ROOT / "nmfcore").glob("**/*.py"):
        assert not imports(path) & foreign, path.name


@pytest.mark.parametrize(
    ("library", "doors"),
    [
        ("nmfcore", {"halo/model.py", "halo/refit.py", "halo/replicates.py", "halo/search.py", "cli.py"}),
        ("torch", {"halo/model.py"}),
        (
            "matplotlib",
            {
                f"halo/{name}.py"
                for name in (
                    *("figures", "panels", "look", "picture", "starplots", "curves", "fourplots"),
                    *("bands", "searchplot", "populationplots", "checkplots"),
                )
            },
        ),
        ("galpy", {"halo/galpy_backend.py"}),
        ("agama", {"halo/agama_backend.py"}),
        ("h5py", {f"halo/{name}.py" for name in ("arrays", "store", "mapping", "particle_columns", "mock_galaxy")}),
        ("distributed", {"halo/cluster.py"}),
        ("typer", {"cli.py"}),
        ("rich", {"cli.py"}),
    ],
)
def test_each_library_has_its_door(library, doors):
    outside = {path for path in importers(library) if not path.startswith("nmfcore/")}
    assert outside <= doors


def test_only_the_command_line_prints():
    for path in MODULES:
        if path.name == "cli.py":
            continue
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls), path.name


def test_no_pickle_and_no_eval():
    for path in MODULES:
        assert not imports(path) & {"pickle", "cloudpickle", "shelve", "marshal", "joblib", "dill"}, path.name
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not any(isinstance(call, ast.Name) and call.id in {"eval", "exec"} for call in calls), path.name


def test_cli_is_the_only_module_at_the_root():
    assert [path.name for path in ROOT.glob("*.py")] == ["cli.py"]


def test_the_picture_has_every_module_and_no_other():
    rooms = (ROOT / "ARCHITECTURE.md").read_text().split("```")[3]
    named = Counter(re.findall(r"\w+\.py\b", rooms))  # some more than once
    paths = [*MODULES, *(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs").glob("*.py")]
    here = Counter(path.name for path in paths if path.name != "__init__.py")
    assert not here - named, "modules that the picture lacks"
    assert not named.keys() - here.keys(), "modules that are not there"


def test_the_package_list_is_complete():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    found = {"halonmf"}
    for top, name in (("nmfcore", "nmfcore"), ("halo", "halonmf.halo")):
        for folder in [ROOT / top, *(p for p in (ROOT / top).glob("**/*") if p.is_dir() and p.name != "__pycache__")]:
            if list(folder.glob("*.py")):
                found.add(".".join([name, *folder.relative_to(ROOT / top).parts]))
    assert listed == found


def test_package_data_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package, files in project["tool"]["setuptools"]["package-data"].items():
        for name in files:
            assert (ROOT / package.removeprefix("halonmf.") / name).is_file(), name


def test_the_wheel_gets_all_data_of_the_packages():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package, folder in (("nmfcore", ROOT / "nmfcore"), ("halonmf.halo", ROOT / "halo")):
        found = {path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"}
        assert found == set(listed[package])


@pytest.mark.parametrize("module", ["halonmf.halo", "halonmf.cli", "halonmf.halo.errors"])
def test_naming_the_package_loads_nothing_heavy(module):
    code = (
        f"import sys, {module}; heavy = {{'torch', 'astropy', 'matplotlib', 'numpy', 'galpy'}} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_file_speaks_of_another_place():
    # absolute paths and hosts of package registries have no business in the repository
    suspicious = ("/" + "work/", "/" + "home/", "pypi" + ".org", "files.python" + "hosted")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".cff", ".yml", ""} and path.is_file():
            text = path.read_text(errors="replace")
            assert not [word for word in suspicious if word in text], name


def test_a_wheel_is_built_into_an_empty_folder():
    # continuous integration installs dist/*.whl
    said = subprocess.run(["make", "-n", "wheel"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 0 <= said.find("rm -rf dist\n") < said.index("-m build --outdir dist")
