"""Every barrier is needed, and its lack does not go unnoticed: without it some order of threads gives other results."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from nmfcore.kernels.cuda.arguments import KL_MU, Emission

from .emulation import MULTINOMIAL, SOURCES, Build, Task, launch
from .problems import RULES, data, task
from .test_draw import drawn, scene, thresholds_of

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not here")
MU2, EHALS, NEWTON2 = (Build(2, threads=96, **RULES[name][0]) for name in ("mu", "ehals", "newton"))
KL = Build(2, KL_MU, threads=96, sweeps=(2, 1))
ACCELERATED2 = Build(2, threads=96, **RULES["arank2"][0])
# What each barrier is tried with.
BUILDS = {
    1: MU2, 2: KL, 3: EHALS, 4: ACCELERATED2, 5: KL, 6: MU2, 7: MU2, 10: KL, 11: KL, 12: MU2, 13: KL, 14: ACCELERATED2,
    15: MU2, 16: MU2, 17: NEWTON2, 18: MU2, 19: MU2, 21: ACCELERATED2,
}  # fmt: skip
ORDERS = range(6)


def numbers():
    texts = (path.read_text() for path in SOURCES.glob("*.cu*"))
    return sorted({int(x) for text in texts for x in re.findall(r"\bBARRIER\((\d+)\)", text)})


def outcome(build, order):
    """Return all that a launch leaves; NaN where a sentence would be."""
    V = data(3, seed=3)
    given, _ = task(V, build, tol=0.0, max_iter=2, every=2)
    # Scale that must be moved.
    given.values["W0"] = given.values["W0"] * 2.0**-12
    given.values["H0"] = given.values["H0"] * 2.0**12
    given.values["extra"] = given.values["extra"] * 2.0**12
    try:
        answers = given.run(order=order)
    except RuntimeError:
        return np.array([np.nan])
    return np.concatenate([x.ravel() for x in (answers.W, answers.H, answers.numbers, answers.status, answers.work)])


def draw_outcome(build, order):
    slot, layout = scene(201)
    try:
        return drawn(build, layout, slot, thresholds_of(0.8), 1, order=order).ravel()
    except RuntimeError:
        return np.array([-1])


def emitted(build, order):
    m, n, columns, k = 3, 90, 70, build.k
    W, H = np.ones((1, m, k), np.float32), np.ones((1, columns, k), np.float32)
    winner, column = np.zeros(1, np.uint32), np.arange(columns, dtype=np.uint32)[::-1] + 5
    column = np.ascontiguousarray(column)
    out_W, out_H = np.full((1, m, k), np.nan, np.float32), np.full((1, k, n), np.nan, np.float32)
    given = Emission(*(x.ctypes.data for x in (winner, column, W, H, out_W, out_H)), m, n, columns, 0)
    launch(build, "emit", 1, 0, given, order)
    return np.concatenate([out_W.ravel(), out_H.ravel()])


def test_all_barriers_are_tried():
    assert numbers() == sorted([*BUILDS, 8, 9, 20])


@pytest.mark.parametrize("number", sorted([*BUILDS, 8, 9, 20]))
def test_no_barrier_can_be_left_out(number):
    run, build = outcome, BUILDS.get(number)
    if number in (8, 9):
        run, build = (draw_outcome, Build(1, threads=96, drawn=MULTINOMIAL)) if number == 8 else (fit_drawn, None)
    elif number == 20:
        run, build = emitted, MU2
    build = build or Build(2, threads=96, drawn=MULTINOMIAL)
    whole = run(build, 0)
    for order in ORDERS:
        np.testing.assert_array_equal(run(build, order), whole)
    broken = replace(build, without=number)
    found = [run(broken, order) for order in ORDERS]
    assert any(len(x) != len(whole) or not np.array_equal(x, whole, equal_nan=True) for x in found)


def fit_drawn(build, order):
    slot, layout = scene(201)
    rng = np.random.default_rng(0)
    values = {
        "W0": rng.random((1, layout.m, 2)), "H0": rng.random((1, 2, layout.columns)), "extra": np.zeros((1, 3, 2)),
        "star_slot": slot, "thresholds": thresholds_of(0.8), "draw_seed": 5, "stars": 201, "images": 2, "max_iter": 2,
    }  # fmt: skip
    try:
        answers = Task(build, layout, layout.columns, 1, values).run(order=order)
        return np.concatenate([answers.W.ravel(), answers.work.ravel()])
    except RuntimeError:
        return np.array([np.nan])
