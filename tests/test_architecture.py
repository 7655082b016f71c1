"""The rooms and the doors between them, and the packaging that makes them importable."""

import ast
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from .scripts import script

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODULES = sorted([*(ROOT / "nmfcore").glob("**/*.py"), *(ROOT / "halo").glob("**/*.py"), ROOT / "cli.py"])


@pytest.fixture(scope="module")
def rooms():
    """docs/rooms.py, which reads the arrows from the code and knows the floors."""
    return script("rooms")


@pytest.fixture
def copy(tmp_path):
    """The code in a folder of its own, to be spoilt."""
    for name in ("halo", "nmfcore"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "cli.py", tmp_path)
    return tmp_path


def tops(path):
    """Top names of every absolute import in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def importers(name):
    return {path.relative_to(ROOT).as_posix() for path in MODULES if name in tops(path)}


def test_no_arrow_goes_up_and_every_module_is_in_a_room(rooms):
    assert rooms.upward(rooms.rooms()) == []


def test_no_modules_import_each_other_in_a_circle(rooms):
    assert rooms.circles(rooms.graph()) == []


def test_an_arrow_that_goes_up_is_found(rooms, copy):
    (copy / "halo" / "io" / "wrong.py").write_text("def f():\n    from ..fits import fit\n")
    assert rooms.upward(rooms.rooms(copy)) == ["halo.io -> halo.fits"]


def test_an_arrow_to_a_room_of_the_same_floor_is_found(rooms, copy):
    (copy / "halo" / "mock" / "wrong.py").write_text("from ..populations import regions\n")
    assert rooms.upward(rooms.rooms(copy)) == ["halo.mock -> halo.populations"]


def test_an_arrow_from_the_engine_is_found(rooms, copy):
    (copy / "nmfcore" / "wrong.py").write_text("from halonmf.halo import errors\n")
    assert rooms.upward(rooms.rooms(copy)) == ["nmfcore -> halo.errors"]


def test_a_module_in_no_room_is_found(rooms, copy):
    (copy / "halo" / "stray.py").write_text("")
    assert rooms.upward(rooms.rooms(copy)) == ["halo.stray is on no floor"]


def test_a_circle_is_found_inside_functions_too(rooms, copy):
    (copy / "halo" / "io" / "one.py").write_text("from . import two\n")
    (copy / "halo" / "io" / "two.py").write_text("def f():\n    from .one import g\n")
    assert rooms.circles(rooms.graph(copy)) == [["halo.io.one", "halo.io.two"]]


def test_every_floor_is_there(rooms):
    named = {room for floor in rooms.FLOORS for room in floor}
    assert named <= {rooms.room_of(name) for name in rooms.modules()}


def test_the_picture_is_of_todays_code(rooms):
    text = rooms.PAGE.read_text()
    assert rooms.page(text) == text, "run python docs/rooms.py"


def test_the_walks_name_functions_that_are_there(rooms):
    """Steps such as `halo/fits/fit.py: fit` in ARCHITECTURE.md's walks."""
    walks = re.split(r"^## Walks", rooms.PAGE.read_text(), flags=re.MULTILINE)[1].split("\n## ")[0]
    steps = re.findall(r"`([\w/]+\.py): (\w+)(?:\.(\w+))?`", walks)
    assert len(steps) >= 20
    for name, function, method in steps:
        tree = ast.parse((ROOT / name).read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert {function, *([method] if method else [])} <= defined, f"{name}: {function}"
    for walk in re.split(r"^### ", walks, flags=re.MULTILINE)[1:]:
        assert 3 <= len(re.findall(r"^\d+\. ", walk, flags=re.MULTILINE)) <= 10


def test_the_engine_knows_nothing_of_stars():
    foreign = {"halonmf", "halo", "astropy", "galpy", "agama", "matplotlib", "h5py", "typer", "rich"}
    for path in (ROOT / "nmfcore").glob("**/*.py"):
        assert not tops(path) & foreign, path.name


@pytest.mark.parametrize(
    ("library", "doors"),
    [
        (
            "nmfcore",
            ("halo/fits/", "halo/replicates/", "halo/checks/penalties.py", "halo/checks/rank.py", "halo/commands/"),
        ),
        ("torch", ("halo/fits/engine.py",)),
        ("matplotlib", ("halo/figures/",)),
        ("galpy", ("halo/orbits/galpy_backend.py",)),
        ("agama", ("halo/orbits/agama_backend.py",)),
        (
            "h5py",
            (
                "halo/io/hdf5.py",
                "halo/io/hdf5_writing.py",
                "halo/io/hdf5_tables.py",
                "halo/fits/store.py",
                "halo/simulations/columns.py",
                "halo/mock/galaxy.py",
            ),
        ),
        ("xarray", ("halo/io/labelled.py", "halo/fits/fit.py", "halo/ensembles/rows.py")),  # the others for types
        ("distributed", ("halo/ensembles/cluster.py",)),
        ("tomllib", ("halo/io/toml.py",)),
        ("typer", ("halo/commands/", "cli.py")),
        ("click", ("halo/commands/", "cli.py")),
        ("rich", ("halo/commands/",)),
    ],
)
def test_each_library_has_its_door(library, doors):
    outside = {path for path in importers(library) if not path.startswith("nmfcore/")}
    assert not {path for path in outside if not path.startswith(doors)}


def test_only_commands_print():
    for path in MODULES:
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("halo/commands/") or name == "cli.py":
            continue
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls), name


def test_no_pickle_and_no_eval():
    for path in MODULES:
        assert not tops(path) & {"pickle", "cloudpickle", "shelve", "marshal", "joblib", "dill"}, path.name
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not any(isinstance(call, ast.Name) and call.id in {"eval", "exec"} for call in calls), path.name


MOST_LINES, MOST_FUNCTION, MOST_PARAMETERS = 350, 120, 12
# what users call with keywords, each a documented choice: scikit-learn's estimator, the engine's easy door
WIDE = {"nmfcore/factorise.py: factorize", "nmfcore/estimator.py: __init__"}


def functions():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield path.relative_to(ROOT).as_posix(), path.read_text().splitlines(), node


def test_files_and_functions_have_a_size_that_can_be_read():
    for path in MODULES:
        assert len(path.read_text().splitlines()) <= MOST_LINES, path.name
    for name, _, node in functions():
        assert node.end_lineno - node.lineno + 1 <= MOST_FUNCTION, f"{name}: {node.name}"


def test_parameter_lists_are_short_unless_numba_forces_them():
    for name, lines, node in functions():
        arguments = node.args
        number = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
        if number > MOST_PARAMETERS and f"{name}: {node.name}" not in WIDE:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            near = "\n".join(lines[max(0, first - 5) : node.body[0].end_lineno])
            assert name.startswith("nmfcore/kernels/"), f"{name}: {node.name} has {number} parameters"
            assert "numba" in near, f"{name}: {node.name} does not say why it has {number} parameters"


def test_cli_is_a_small_door_and_only_python_m_is_at_the_root_with_it():
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__main__.py", "cli.py"]
    assert len((ROOT / "cli.py").read_text().splitlines()) <= 80


def packages():
    """Every folder of the two packages with code in it, by the name under which it is imported."""
    found = {"halonmf": ROOT}
    for top, name in (("nmfcore", "nmfcore"), ("halo", "halonmf.halo")):
        for folder in [ROOT / top, *(p for p in (ROOT / top).glob("**/*") if p.is_dir() and p.name != "__pycache__")]:
            if list(folder.glob("*.py")):
                found[".".join([name, *folder.relative_to(ROOT / top).parts])] = folder
    return found


def test_the_package_list_is_the_folders():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["setuptools"]["packages"]) == set(packages())


def test_the_wheel_gets_all_data_of_the_packages():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package, folder in packages().items():
        if package != "halonmf":
            found = {path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"}
            assert found == set(listed.get(package, ())), package


def test_type_checker_settings_name_modules_that_are_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for override in project["tool"]["mypy"]["overrides"]:
        for module in override["module"]:
            if module.startswith(("nmfcore", "halonmf")):
                path = ROOT.joinpath(*module.removeprefix("halonmf.").removesuffix(".*").split("."))
                assert path.with_suffix(".py").is_file() or path.is_dir(), module


@pytest.mark.parametrize("module", ["halonmf.halo", "halonmf.cli", "halonmf.halo.errors"])
def test_naming_the_package_loads_nothing_heavy(module):
    code = (
        f"import sys, {module}; heavy = {{'torch', 'astropy', 'matplotlib', 'numpy', 'galpy'}} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_are_plain_python():
    names = sorted((ROOT / "halo").glob("*/settings.py"))
    assert len(names) >= 3
    for path in names:
        module = ".".join(["halonmf", *path.relative_to(ROOT).with_suffix("").parts])
        code = (
            f"import sys, {module}; heavy = {{'torch', 'astropy', 'matplotlib', 'numpy', 'typer'}} & set(sys.modules);"
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
    assert 0 <= said.find("rm -rf dist\n") < said.index("-m build --no-isolation --outdir dist")
