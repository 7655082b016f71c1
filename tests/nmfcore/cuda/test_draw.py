"""The draws of the CUDA C++ kernels on the CPU, bit for bit those of numpy's arithmetic on the definition."""

import math
import shutil

import numpy as np
import pytest

from nmfcore.kernels.settings import MU, SWEEPS

from .emulation import DELETION, MULTINOMIAL, POISSON, Build, Layout, Task, launch

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not here")
GOLDEN, FIRST, SECOND, ALL = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 2**64 - 1
SEED, BEGIN = 5, 3


def mix(z):
    z = ((z ^ (z >> 30)) * FIRST) & ALL
    z = ((z ^ (z >> 27)) * SECOND) & ALL
    return z ^ (z >> 31)


def stream(seed, number):
    return mix(mix((seed + GOLDEN) & ALL) ^ mix((number * FIRST + SECOND) & ALL))


def output(state, i):
    return mix((state + i * GOLDEN) & ALL)


def thresholds_of(mean):
    terms = [math.exp(-mean) * mean**i / math.factorial(i) for i in range(13)]
    return [min(math.floor(2**32 * sum(terms[: c + 1])), 2**32 - 1) for c in range(13)]


def weights(stars, number, thresholds, exact):
    state, pairs = stream(SEED, number), (stars + 1) // 2
    halves = [half for i in range(1, pairs + 1) for z in [output(state, i)] for half in (z >> 32, z & 0xFFFFFFFF)]
    weight = [sum(half >= threshold for threshold in thresholds) for half in halves[:stars]]
    total, i = sum(weight), pairs
    while exact and total != stars:
        i += 1
        z = output(state, i)
        star = ((z >> 32) * stars) >> 32
        if total < stars:
            weight[star], total = weight[star] + 1, total + 1
        elif (((z & 0xFFFFFFFF) * 16) >> 32) < weight[star]:
            weight[star], total = weight[star] - 1, total - 1
    return np.array(weight)


def scene(stars, images=2, m=6, n=40):
    """Return stars' slots (stars, images) on a pattern, some stars without a second image, and the layout."""
    rng = np.random.default_rng(stars)
    filled = rng.random((n, m)) < 0.6
    filled[:, 0] |= ~filled.any(axis=1)
    cells = np.argwhere(filled)
    start = np.concatenate([[0], np.cumsum(np.bincount(cells[:, 0], minlength=n))])
    layout = Layout.of(cells[:, 1], start, m)
    slot = layout.cell_slot[rng.integers(0, len(cells), (stars, images))]
    slot[rng.random(stars) < 0.2, 1] = -1
    return slot, layout


def counted(slot, weight, slots):
    counts = np.zeros(slots, np.int64)
    for image in slot.T:
        np.add.at(counts, image[image >= 0], weight[image >= 0])
    return counts


def drawn(build, layout, slot, thresholds, jobs, order=0, **values):
    given, arrays = Task(
        build, layout, layout.columns, jobs,
        {
            "counts": np.zeros((jobs, layout.slots)), "star_slot": slot, "thresholds": thresholds, "draw_seed": SEED,
            "draw_first": BEGIN, "stars": len(slot), "images": slot.shape[1], **values,
        },
    ).arguments()  # fmt: skip
    arrays.counts[:] = 99
    launch(build, "draw", jobs, 0, given, order)
    return arrays.counts


@pytest.mark.parametrize("counts", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("stars", [60, 201])
def test_poisson_weights(stars, counts):
    slot, layout = scene(stars)
    found = drawn(Build(1, counts=counts, drawn=POISSON), layout, slot, thresholds_of(1.0), 4)
    for job in range(4):
        weight = weights(stars, BEGIN + job, thresholds_of(1.0), exact=False)
        np.testing.assert_array_equal(found[job], counted(slot, weight, layout.slots))


# With a mean of 1 - 3 / sqrt(stars) nearly all are topped up; a mean above 1 makes nearly all be trimmed.
@pytest.mark.parametrize("mean", ["usual", 1.0, 1.6])
@pytest.mark.parametrize("stars", [9, 60, 201])
def test_multinomial_weights(stars, mean):
    slot, layout = scene(stars)
    thresholds = thresholds_of(max(0.0, 1 - 3 / math.sqrt(stars)) if mean == "usual" else mean)
    found = drawn(Build(1, drawn=MULTINOMIAL), layout, slot, thresholds, 5, order=7)
    for job in range(5):
        weight = weights(stars, BEGIN + job, thresholds, exact=True)
        assert weight.sum() == stars
        np.testing.assert_array_equal(found[job], counted(slot, weight, layout.slots))


def test_deletions():
    stars, jobs = 90, 4
    slot, layout = scene(stars)
    rng = np.random.default_rng(0)
    order, bins, drops = rng.permutation(stars), np.array([0, 20, 20, 55, 90]), np.array([3, 0, 35, 1])
    found = _deleted(layout, slot, order, bins, drops, jobs)
    for job in range(jobs):
        state, weight, i = stream(SEED, BEGIN + job), np.ones(stars, int), 0
        for b, gone in enumerate(drops):
            size = bins[b + 1] - bins[b]
            for top in range(size - gone, size):
                i += 1
                star = order[bins[b] + (((output(state, i) >> 32) * int(top + 1)) >> 32)]
                weight[star if weight[star] else order[bins[b] + top]] = 0
        np.testing.assert_array_equal(found[job], counted(slot, weight, layout.slots))


def _deleted(layout, slot, order, bins, drops, jobs):
    build, stars = Build(1, drawn=DELETION), len(slot)
    given, arrays = Task(
        build, layout, layout.columns, jobs,
        {
            "counts": np.zeros((jobs, layout.slots)), "star_slot": slot, "there": np.zeros((jobs, stars)),
            "order": order, "bins": bins,
             "drops": drops, "drops_before": np.cumsum(drops) - drops, "number_of_bins": len(drops),
            "draw_seed": SEED, "draw_first": BEGIN, "stars": stars, "images": slot.shape[1],
        },
    ).arguments()  # fmt: skip
    launch(build, "draw", jobs, 0, given)
    return arrays.counts


@pytest.mark.parametrize("shared", [True, False])
def test_a_fit_draws_what_the_draw_alone_does(shared):
    stars, jobs, k = 200, 3, 2
    slot, layout = scene(stars)
    thresholds = thresholds_of(1 - 3 / math.sqrt(stars))
    recipe = {
        "star_slot": slot, "thresholds": thresholds, "draw_seed": SEED, "draw_first": BEGIN, "stars": stars,
        "images": 2,
    }  # fmt: skip
    alone = drawn(Build(1, drawn=MULTINOMIAL), layout, slot, thresholds, jobs)
    rng = np.random.default_rng(0)
    start = {
        "W0": rng.random((1, layout.m, k)),
        "H0": rng.random((1, k, layout.columns)),
        "extra": np.zeros((1, k + 1, k)),
    }
    fits = []
    for drawing, more in ((MULTINOMIAL, recipe | {"counts": np.zeros((jobs, layout.slots))}), (0, {"counts": alone})):
        build = Build(k, MU, drawn=drawing, shared=(True, True, shared))
        fits.append(Task(build, layout, layout.columns, jobs, start | more | {"max_iter": 5}).run())
    np.testing.assert_array_equal(fits[0].W, fits[1].W)


def test_random_starts_are_those_of_the_counter():
    # Without an iteration that moves them: sweeps of none leave the start as it was.
    stars, jobs, k, start_seed = 50, 2, 3, 11
    slot, layout = scene(stars)
    counts = np.stack([counted(slot, np.ones(stars, int), layout.slots)] * jobs)
    given = {
        "counts": counts, "source": [-1, -1], "start": [0, 4], "number": [7, 2**40], "start_seed": start_seed,
        "max_iter": 1, "extra": np.zeros((1, k + 1, k)),
    }  # fmt: skip
    answers = Task(Build(k, SWEEPS, dtype=np.float64, sweeps=(0, 0)), layout, layout.columns, jobs, given).run()
    size = math.sqrt(counts[0].sum() / (layout.m * layout.columns * k))
    for job, (number, start) in enumerate([(7, 0), (2**40, 4)]):
        state = mix(stream(start_seed, number) ^ mix((start * FIRST + SECOND) & ALL))

        def entry(i, state=state):
            z = output(state, i + 1)
            total = sum((z >> shift) & 0xFFFF for shift in (0, 16, 32, 48)) - 131070
            return size * float(np.float32(abs(total)) * np.float32(3**0.5 / 2**16))

        mass = counts[job][layout.cell_slot]
        rows = np.bincount(layout.slot_row[layout.cell_slot], mass, layout.m)
        W = np.array([[entry(i * k + c) if rows[i] else 0.0 for c in range(k)] for i in range(layout.m)])
        # Both factors are given back in one scale.
        scale = answers.W[job].sum(axis=0) / W.sum(axis=0)
        np.testing.assert_allclose(answers.W[job], W * scale, rtol=1e-14)
        filled = answers.components[job].any(axis=0)
        H = np.array([[entry(layout.m * k + c * layout.columns + j) for j in range(layout.columns)] for c in range(k)])
        np.testing.assert_allclose(answers.components[job][:, filled], (H / scale[:, None])[:, filled], rtol=1e-14)
        assert filled.sum() > 10
