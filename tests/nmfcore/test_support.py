"""docs/engine.md's tables of what is supported, and where, are true: every cell is tried, and every answer is one."""

import itertools
import pathlib
import re

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import nmfcore
from nmfcore import Penalty, ProblemError, SharedPattern, Stop, dense, factorise
from nmfcore.alternating import solve
from nmfcore.matrix import SparseMatrix
from nmfcore.rules.resolve import resolve_rule
from nmfcore.sparse import plan

from . import problems

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "engine.md"


class Hellinger:
    """A loss of one's own."""

    degree = 1.0

    def value(self, V, Y, weight=None):
        terms = 0.5 * (V.sqrt() - Y.sqrt()).square()
        return (terms if weight is None else weight * terms).sum(dim=(-2, -1))

    def split(self, V, Y):
        return 0.5 * (V / Y.clamp_min(1e-12)).sqrt(), torch.full_like(Y, 0.5)


def own(problem, factors):
    return nmfcore.MultiplicativeUpdate()(problem, factors)


RULES = {name: name for name in ("mu", "amu", "hals", "ehals", "rank2", "arank2", "newton")} | {
    "a rule of your own": own
}
LOSSES = {"Frobenius": ("frobenius",), "Kullback-Leibler": ("kullback-leibler",), "any other": (1.5, 3.0, Hellinger())}
PATHS = ("dense V", "`SharedPattern`, CPU", "`SharedPattern`, CUDA", "one scipy.sparse matrix")
RNG = np.random.default_rng(0)
V = np.stack([RNG.poisson(RNG.gamma(0.5, 2.0, (6, 2)) @ RNG.random((2, 11))) for _ in range(3)]).astype(float)
START = 0.1 + RNG.random((6, 2)), 0.1 + RNG.random((2, 11))
STOP = Stop(tol=0, max_iter=3)
CELLS = [(rule, kind, loss) for rule in RULES for kind in LOSSES for loss in LOSSES[kind]]


def tables():
    """The tables of the page, each a list of rows, each a dict by the heading of its column."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(), re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines())
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


SUPPORT, WHERE, BESIDES = tables()[:3]


def where(rule, kind, path):
    """What the page says of a rule and a loss; None where it does not name them together."""
    rows = [r for r in WHERE if r["loss"] == kind and rule in r["rule"].replace("`", "").split(", ")]
    assert len(rows) <= 1
    return rows[0][path] if rows else None


def besides(what, path):
    return next(row[path] for row in BESIDES if row["asked for in addition"].startswith(what))


@pytest.fixture
def taken(monkeypatch):
    """The names of the paths that problems take, as they take them; no matrix is too small for the compiled one."""
    seen = []
    refusal, build = plan.refusal, dense.build_problem

    def pattern(request, rule, devices):
        found = refusal(request, rule, devices)
        seen.append("chunks" if found else "compiled" if not devices else "kernel")
        return found

    def problem(data, **options):
        seen.append("products" if isinstance(data, SparseMatrix) else "torch" if np.ndim(data) == 3 else "dense")
        return build(data, **options)

    monkeypatch.setattr(plan, "refusal", pattern)

    data_of = solve.Data.of

    def one_by_one(request):
        seen.append("NumPy")
        return data_of(request)

    monkeypatch.setattr(dense, "build_problem", problem)
    monkeypatch.setattr(solve.Data, "of", one_by_one)
    monkeypatch.setattr(factorise, "DENSE_ENTRIES", 0)
    return seen


def path_of(taken):
    """The path that was asked first; chunks are themselves dense, and a stand-in of 1 x 1 asks about the rule."""
    return next((x for x in taken if x in ("chunks", "compiled", "kernel", "products", "NumPy")), taken[0])


def settings(penalty, hold, weight):
    return {
        "init": START, "stop": STOP, "hold": hold, "penalty": Penalty(1e-3, 2e-3, 0.5) if penalty else None,
        "weight": np.linspace(0.5, 2, 11) if weight else None, "dtype": torch.float64,
    }  # fmt: skip


def refused(rule, kind, weight, penalty):
    column = next((c for c in SUPPORT[0] if rule in c.replace("`", "").split(", ")), None)
    if column is None:
        return False
    row = {"Frobenius": 0, "Kullback-Leibler": 1, "any other": 2}[kind]
    asked = [row, *([3] if weight else []), *([4] if penalty else [])]
    return any(SUPPORT[one][column].startswith("no") for one in asked)


@pytest.mark.parametrize("weight", [False, True], ids=["", "weight"])
@pytest.mark.parametrize(("rule", "kind", "loss"), CELLS, ids=[f"{r}-{getattr(x, 'degree', x)}" for r, _, x in CELLS])
def test_every_cell_is_as_the_page_says(rule, kind, loss, weight, taken):
    for penalty, hold in itertools.product([False, True], [None, "W", "H"]):
        options = settings(penalty, hold, weight) | {"loss": loss, "update": RULES[rule]}
        inputs = (V, SharedPattern.from_dense(V), sp.csr_array(V[0]))
        if refused(rule, kind, weight, penalty):
            assert where(rule, kind, "dense V") is None or weight or penalty
            for data in inputs:
                with pytest.raises(ProblemError):
                    nmfcore.factorize(data, 2, **options)
            continue
        taken.clear()
        dense = nmfcore.factorize(V, 2, **options)
        assert path_of(taken) == where(rule, kind, "dense V") == "torch"
        for data, path, theirs in zip(inputs[1:], (PATHS[1], PATHS[3]), (slice(None), 0), strict=True):
            taken.clear()
            ours = nmfcore.factorize(data, 2, **options)
            expected = where(rule, kind, path)
            for given, what in ((weight, "elementwise weights"), (hold, "W or H held"), (penalty, "L1 and L2")):
                said = besides(what, path)
                expected = said if given and said != "as above" else expected
            if path == PATHS[3] and expected.startswith("compiled"):
                expected = "chunks" if hold else "compiled"  # one replicate of a pattern
            assert path_of(taken) == expected
            assert ours.W.dtype == np.float64
            np.testing.assert_allclose(ours.W, dense.W[theirs], atol=1e-11 * dense.W.max())
            np.testing.assert_allclose(ours.H, dense.H[theirs], atol=1e-11 * dense.H.max())
            np.testing.assert_allclose(ours.loss, dense.loss[theirs], rtol=1e-10)


@pytest.mark.parametrize(("rule", "kind", "loss"), CELLS, ids=[f"{r}-{getattr(x, 'degree', x)}" for r, _, x in CELLS])
def test_gpus_do_what_the_page_says(rule, kind, loss, taken, monkeypatch):
    if refused(rule, kind, False, False):
        return
    monkeypatch.setattr(plan, "visible_devices", lambda device: [0])
    pattern = SharedPattern.from_dense(V)
    plain = {"init": START, "loss": loss, "update": RULES[rule], "device": "cuda", "dtype": torch.float32}
    for change, what in (
        ({}, None),
        ({"penalty": Penalty(1e-3)}, "L1 and L2"),
        ({"weight": np.ones(11)}, "elementwise weights"),
        ({"hold": "H"}, "W or H held"),
        ({"stop": Stop(criterion="sklearn")}, "`Stop(criterion"),
    ):
        if refused(rule, kind, "weight" in change, "penalty" in change):
            continue
        taken.clear()
        plan.plan_pattern(problems.asked(pattern, **{**plain, **change}))
        said = "as above" if what is None else besides(what, PATHS[2])
        assert taken == [where(rule, kind, PATHS[2]) if said == "as above" else said], what


def test_stopping_tests_and_scales_have_their_paths(taken):
    pattern = SharedPattern.from_dense(V)
    for data, change, what in (
        (pattern, {"stop": Stop(criterion="sklearn", max_iter=4)}, "`Stop(criterion"),
        (SharedPattern.from_dense(V * 1e-9, dtype=np.float64), {"init": "random"}, "data of extreme scale"),
        (pattern, {"starts": 2, "init": "random"}, "several starts"),
    ):
        taken.clear()
        nmfcore.factorize(data, 2, **({"init": START, "stop": STOP, "dtype": torch.float64} | change))
        said = besides(what, PATHS[1])
        assert path_of(taken) == ("compiled" if said == "as above" else said), what


def test_auto_is_what_the_page_says():
    problem = nmfcore.problem.build_problem
    names = {
        "Frobenius": {3: "ehals", 2: "arank2"},
        "Kullback-Leibler": {3: "anewton", 2: "anewton"},
        "any other beta divergence, a loss of your own": {3: "mu", 2: "mu"},
    }
    for row, loss in zip(SUPPORT[:3], (2.0, 1.0, 1.5), strict=True):
        said = [column.strip("`").split("`")[0] for column, cell in row.items() if "auto" in cell]
        assert set(said) == set(names[row[""]].values())
        for k, name in names[row[""]].items():
            assert resolve_rule("auto", problem(V, loss=loss), k) == nmfcore.RULES[name]()
    assert resolve_rule("auto", problem(V, hold="W"), 2) == nmfcore.ExtrapolatedHALS()
    assert resolve_rule("auto", problem(V, loss=1.0, hold="W"), 2) == nmfcore.NewtonKL()
    penalised = next(row for row in SUPPORT if row[""].startswith("L1"))
    assert "auto" in penalised["`hals`"]
    assert resolve_rule("auto", problem(V, penalty=Penalty(0.1)), 2) == nmfcore.HALS()
