"""CONTRIBUTING.md is right: the files, lists and tests that it sends one to exist, and its rule is one."""

import pathlib
import re

import numpy as np
import pytest

import nmfcore

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
PATHS = sorted(set(re.findall(r"`((?:halo|nmfcore|tests|docs|benchmarks)/[\w/.-]+)`", PAGE)))
LISTS = re.findall(r"`(\w+)`\s(?:in|of)\s`([\w/.]+\.py)`", PAGE)


@pytest.mark.parametrize("path", PATHS)
def test_files_that_it_names_exist(path):
    assert (ROOT / path.removesuffix("__pycache__")).exists()


@pytest.mark.parametrize(("name", "path"), LISTS)
def test_lists_that_it_names_exist(name, path):
    assert re.search(rf"^ *{name}\b.* = ", (ROOT / path).read_text(), re.MULTILINE)


def test_it_names_a_list_to_add_to_for_each_kind():
    assert {name for name, _ in LISTS} >= {"RULES", "PRODUCTS", "groups", "_HOME"}


def test_its_rule_finds_what_ours_finds():
    example = next(code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "lee_seung" in code)
    made = {"Factors": nmfcore.Factors}
    exec(compile(example, "CONTRIBUTING.md", "exec"), made)
    V = np.random.default_rng(1).random((3, 12, 20)) + 0.1
    stop = nmfcore.Stop(tol=1e-4)
    mine, ours = (nmfcore.factorize(V, 2, update=rule, stop=stop) for rule in (made["lee_seung"], "mu"))
    np.testing.assert_allclose(mine.W @ mine.H, ours.W @ ours.H, rtol=1e-6)
