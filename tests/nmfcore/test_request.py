"""What is asked of `factorize` is checked once, and decides who solves it."""

import ast
import inspect
import pathlib

import numpy as np
import pytest
import scipy.sparse as sp

import nmfcore
from nmfcore import SharedPattern, factorise
from nmfcore.alternating.solve import Alternating
from nmfcore.dense import Dense, Products
from nmfcore.sparse.solve import Compiled

from .problems import asked

V = np.ones((6, 9))
FOLDER = pathlib.Path(nmfcore.__file__).parent


def test_a_request_has_the_arguments_of_factorize():
    fields = list(inspect.signature(nmfcore.factorize).parameters)
    assert list(inspect.signature(type(asked(V))).parameters) == fields


@pytest.mark.parametrize(
    ("k", "options", "number"),
    [
        (2, {}, 1),
        (3, {}, 8),
        (3, {"starts": 2}, 2),
        (3, {"init": (np.ones((6, 3)), None)}, 1),
        (3, {"update": lambda problem, factors: factors}, 1),
        (3, {"init": (None, np.ones((3, 9))), "hold": "H"}, 1),
    ],
)
def test_several_starts_are_for_three_components_where_nothing_else_was_asked(k, options, number):
    assert asked(V, k, **options).number_of_starts == number


@pytest.mark.parametrize(
    ("data", "options", "solver"),
    [
        (V, {}, Alternating),
        (V, {"update": "hals"}, Dense),
        (V[None], {"loss": 1}, Dense),
        (sp.csr_array(V), {}, Alternating),
        (sp.csr_array(V), {"update": "hals"}, Products),
        (sp.csr_array(V), {"loss": 1}, Dense),
        (sp.csr_array(V), {"weight": V}, Dense),
        (SharedPattern.from_dense(V), {}, Compiled),
        (SharedPattern.from_dense(V), {"loss": 1}, Compiled),
        (SharedPattern.from_dense(V), {"loss": 1.5}, Dense),
    ],
)
def test_the_form_of_the_data_and_the_loss_choose_the_solver(data, options, solver):
    assert type(factorise.plan(asked(data, **options))) is solver


def test_a_held_factor_must_be_given_whatever_the_form_of_the_data():
    for data in (V, sp.csr_array(V), SharedPattern.from_dense(V)):
        with pytest.raises(nmfcore.ProblemError, match="needs the held factor"):
            nmfcore.factorize(data, 2, hold="H")


def modules_imported_by(path):
    """Names below nmfcore that a module imports, anywhere in it."""
    inside = path.relative_to(FOLDER).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*inside[: len(inside) + 1 - node.level], *(node.module or "").split(".")]
            base = [part for part in base if part]
            for name in node.names:
                whole = FOLDER.joinpath(*base, name.name)
                yield ".".join([*base, name.name] if whole.with_suffix(".py").exists() else base)


def test_no_module_of_the_engine_imports_itself_by_way_of_others():
    paths = [p for p in FOLDER.glob("**/*.py") if p.name != "__init__.py" and "kernels" not in p.parts]
    arrows = {".".join(p.relative_to(FOLDER).with_suffix("").parts): set(modules_imported_by(p)) for p in paths}
    assert "factorise" in arrows
    while leaves := {name for name, to in arrows.items() if not to & arrows.keys()}:
        arrows = {name: to for name, to in arrows.items() if name not in leaves}
    assert not arrows


def functions():
    for path in FOLDER.glob("**/*.py"):
        if "kernels" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    yield path.name, node


def test_only_the_front_doors_have_more_than_twelve_parameters():
    def number(node):
        return len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]) - (
            node.args.args[:1] != [] and node.args.args[0].arg in ("self", "cls")
        )

    assert {node.name for _, node in functions() if number(node) > 12} == {"factorize"}


def test_no_function_of_the_engine_is_longer_than_120_lines():
    assert not [(name, node.name) for name, node in functions() if node.end_lineno - node.lineno >= 120]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop", 1e-5),
        ("penalty", 0.1),
        ("penalty", 0),
        ("seed", None),
        ("seed", 1.5),
        ("first_replicate", "0"),
        ("starts", "3"),
        ("n_components", 2.0),
        ("dtype", "float32"),
        ("device", 0),
        ("device", "gpu"),
        ("progress", 1),
    ],
)
def test_an_argument_of_the_wrong_kind_is_named_with_its_value(name, value):
    with pytest.raises(nmfcore.ProblemError, match=rf"^{name} must be .*{value!r}|{value}"):
        nmfcore.factorize(V, **({"n_components": 2} | {name: value}))


@pytest.mark.parametrize(("name", "value"), [("tol", "a"), ("tol", None), ("max_iter", 1.5), ("every", "x")])
def test_a_stop_of_the_wrong_kind_is_named_with_its_value(name, value):
    with pytest.raises(nmfcore.ProblemError, match=f"^{name} must be .*{value!r}"):
        nmfcore.Stop(**{name: value})


def test_more_components_than_rows_or_columns_begin_at_random():
    assert asked(V, 6).first_init == "nndsvda"
    assert asked(V, 7).first_init == "random"
