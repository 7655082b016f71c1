"""Resampled counts: their sums, their statistics, and that a replicate is the same wherever it is drawn."""

import dataclasses
import itertools
import math
import pickle

import numpy as np
import pytest
import scipy.stats

import nmfcore
from nmfcore import ProblemError, streams
from nmfcore.kernels import sampling

M, N = 5, 30


def stars(number=900, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, M, number)
    columns = np.stack([rng.integers(0, N // 2, number), rng.integers(N // 2, N, number)], axis=1)
    columns[rng.random((number, 2)) < 0.05] = -1
    rows[rng.random(number) < 0.05] = -1
    return rows, columns


def counted(rows, columns):
    V = np.zeros((M, N))
    for row, pixels in zip(rows, columns, strict=True):
        for pixel in pixels:
            if row >= 0 and pixel >= 0:
                V[row, pixel] += 1
    return V


def test_the_base_is_the_sample_itself():
    rows, columns = stars()
    counts = nmfcore.bootstrap(rows, columns, (M, N), replicates=2)
    np.testing.assert_array_equal(counts.base_dense(), counted(rows, columns))


def test_both_images_of_a_star_get_it_equally_often():
    rows = np.zeros(40, dtype=int)
    columns = np.stack([np.arange(40), 40 + np.arange(40)], axis=1)
    for scheme in ("multinomial", "poisson", "delete"):
        V = nmfcore.bootstrap(rows, columns, (1, 80), replicates=20, scheme=scheme).to_dense()
        np.testing.assert_array_equal(V[:, 0, :40], V[:, 0, 40:])


def test_multinomial_replicates_have_the_size_of_the_sample():
    rows, columns = stars()
    inside = (rows >= 0) & (columns >= 0).all(axis=1)
    V = nmfcore.bootstrap(rows[inside], columns[inside], (M, N), replicates=33).to_dense()
    assert (V.sum(axis=(1, 2)) == 2 * inside.sum()).all()


@pytest.mark.parametrize("scheme", ["multinomial", "poisson"])
def test_counts_have_the_means_and_variances_of_the_scheme(scheme):
    rows, columns = stars()
    base = counted(rows, columns)
    B = 4000
    V = nmfcore.bootstrap(rows, columns, (M, N), replicates=B, scheme=scheme, seed=5).to_dense(dtype=np.float64)
    filled = base > 0
    p = base / len(rows)
    variance = base * (1 - p) if scheme == "multinomial" else base
    z = (V.mean(axis=0) - base)[filled] / np.sqrt(variance[filled] / B)
    assert abs(z).max() < 5
    assert abs(np.mean(z**2) - 1) < 0.5
    ratio = V.var(axis=0)[filled] / variance[filled]
    assert abs(ratio.mean() - 1) < 0.01
    if scheme == "multinomial":
        # Two cells of one image share no star: their covariance is -n p q.
        a, b = np.unravel_index(np.argsort(base[:, : N // 2].ravel())[-2:], (M, N // 2))
        expected = -len(rows) * p[a[0], b[0]] * p[a[1], b[1]]
        together = ((V[:, a[0], b[0]] - base[a[0], b[0]]) * (V[:, a[1], b[1]] - base[a[1], b[1]])).mean()
        error = np.sqrt(base[a[0], b[0]] * base[a[1], b[1]] / B)
        assert abs(together - expected) < 5 * error


def test_poisson_weights_are_poisson():
    rows = np.zeros(1000, dtype=int)
    V = nmfcore.bootstrap(rows, np.arange(1000), (1, 1000), replicates=400, scheme="poisson").to_dense()
    share = np.bincount(V.astype(int).ravel(), minlength=8) / V.size
    expected = np.exp(-1.0) / np.array([1, 1, 2, 6, 24, 120])
    error = np.sqrt(expected / V.size)
    assert (abs(share[:6] - expected) < 5 * error).all()


@pytest.mark.parametrize(("drop", "expected"), [("sqrt", [6, 3, 0, 14, 1]), (4, [4, 4, 0, 4, 1]), (0, [0] * 5)])
def test_deletion_takes_the_number_asked_from_every_bin(drop, expected):
    number = np.array([36, 9, 0, 200, 1])
    rows = np.repeat(np.arange(5), number)
    columns = np.arange(len(rows))
    V = nmfcore.bootstrap(rows, columns, (5, len(rows)), replicates=50, scheme="delete", drop=drop).to_dense()
    assert set(np.unique(V)) <= {0, 1}
    np.testing.assert_array_equal(V.sum(axis=2), np.broadcast_to(number - expected, (50, 5)))
    if drop == 4:
        # Every star of a bin is as likely to go as any other.
        gone = 50 - V[:, 3, 45:245].sum(axis=0)
        assert gone.sum() == 200
        assert abs(gone.var() - 1.0 * (1 - 4 / 200)) < 0.5


def test_a_replicate_is_the_same_in_every_batch():
    rows, columns = stars()
    for scheme in ("multinomial", "poisson", "delete"):
        whole = nmfcore.bootstrap(rows, columns, (M, N), replicates=50, scheme=scheme, seed=3).to_dense()
        part = nmfcore.bootstrap(
            rows, columns, (M, N), replicates=7, scheme=scheme, seed=3, first_replicate=21
        ).to_dense()
        np.testing.assert_array_equal(part, whole[21:28])
        other = nmfcore.bootstrap(rows, columns, (M, N), replicates=50, scheme=scheme, seed=4).to_dense()
        assert not (other == whole).all(axis=(1, 2)).any()
        assert len(np.unique(whole.reshape(50, -1), axis=0)) == 50


@pytest.mark.parametrize("scheme", ["multinomial", "poisson", "delete"])
@pytest.mark.parametrize("number", [900, 901])
def test_counts_made_from_the_weights_of_stars_are_those_of_the_bootstrap(scheme, number):
    rows, columns = stars(number)
    options = {"replicates": 35, "scheme": scheme, "seed": 7, "first_replicate": 11}
    weights = nmfcore.star_weights(rows, **options)
    V = nmfcore.bootstrap(rows, columns, (M, N), **options).to_dense()
    for b, weight in enumerate(weights):
        np.testing.assert_array_equal(counted(np.repeat(rows, weight), np.repeat(columns, weight, axis=0)), V[b])


@pytest.mark.parametrize("drop", ["sqrt", 3])
def test_deleted_stars_are_the_bootstraps_whatever_lies_outside_the_bins(drop):
    rows, columns = stars(400)
    rows[rows == M - 1] = -1
    options = {"replicates": 5, "scheme": "delete", "drop": drop}
    weights = nmfcore.star_weights(rows, **options)
    assert weights[:, rows < 0].all()
    V = nmfcore.bootstrap(rows, columns, (M, N), **options).to_dense()
    np.testing.assert_array_equal(counted(np.repeat(rows, weights[4]), np.repeat(columns, weights[4], axis=0)), V[4])


@pytest.mark.parametrize(
    ("change", "message"),
    [({"rows": []}, "integers"), ({"rows": np.zeros(0, int)}, "one star at least"), ({"scheme": "none"}, "scheme")],
)
def test_weights_of_nothing_are_refused(change, message):
    with pytest.raises(ProblemError, match=message):
        nmfcore.star_weights(**{"rows": [0, 1], **change})


def test_the_generator_is_splitmix64():
    # The first outputs for seed 1234567, as published with the generator's reference code.
    state, drawn = np.uint64(1234567), []
    with np.errstate(over="ignore"):
        for _ in range(3):
            state = state + sampling.GOLDEN
            drawn.append(int(streams.mix(state)))
    assert drawn == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_large_counts_get_wider_integers():
    rows, columns = np.zeros(3000, dtype=int), np.zeros(3000, dtype=int)
    counts = nmfcore.bootstrap(rows, columns, (1, 2), replicates=5)
    assert counts.values.dtype == np.uint16
    assert (counts.to_dense()[:, 0, 0] == 3000).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": [0, 9]}, "rows must lie in 0 to 4"),
        ({"columns": [0, 99]}, "columns must lie in 0 to 29"),
        ({"rows": [0.0, 1.0]}, "must hold integers"),
        ({"rows": [0]}, "shape"),
        ({"rows": [-1, -1]}, "no star"),
        ({"scheme": "jackknife"}, "scheme must be one of"),
        ({"replicates": 0}, "replicates must be >= 1"),
        ({"seed": -1}, "seed"),
        ({"scheme": "delete", "drop": "half"}, "drop must be"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    arguments = {"rows": [0, 1], "columns": [3, 4], "shape": (M, N), **change}
    with pytest.raises(ProblemError, match=message):
        nmfcore.bootstrap(**arguments)


def drawn_by_the_definition(stars, seed, replicate):
    """The multinomial weights, written down once more in plain integers."""
    whole = 2**64

    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % whole
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % whole
        return z ^ (z >> 31)

    first, second, golden = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15
    state = mix(mix((seed + golden) % whole) ^ mix((replicate * first + second) % whole))
    mean = max(0.0, 1 - 3 / math.sqrt(stars))
    chances = np.cumsum([math.exp(-mean) * mean**c / math.factorial(c) for c in range(13)])
    thresholds = [min(math.floor(2.0**32 * p), 2**32 - 1) for p in chances]
    outputs = (mix((state + i * golden) % whole) for i in itertools.count(1))
    halves = [half for z in itertools.islice(outputs, -(-stars // 2)) for half in (z >> 32, z % 2**32)]
    weights = [sum(u >= threshold for threshold in thresholds) for u in halves[:stars]]
    while sum(weights) < stars:
        weights[(next(outputs) >> 32) * stars >> 32] += 1
    while sum(weights) > stars:
        z = next(outputs)
        star = (z >> 32) * stars >> 32
        weights[star] -= (z % 2**32) * 16 >> 32 < weights[star]
    return weights


@pytest.mark.parametrize("number", [*range(1, 21), 400, 401])
def test_weights_are_those_of_the_definition_bit_for_bit(number):
    replicates = range(150, 350) if number > 20 else range(40)
    rows = np.zeros(number, dtype=int)
    ours = nmfcore.star_weights(rows, replicates=len(replicates), seed=9, first_replicate=replicates[0])
    expected = [drawn_by_the_definition(number, 9, b) for b in replicates]
    np.testing.assert_array_equal(ours, expected)


def test_too_large_samples_are_cut_down_to_size(monkeypatch):
    # With Poisson weights of mean 1 half of all samples are too large at first: the rare branch becomes common.
    monkeypatch.setattr(sampling, "BELOW", 0.0)
    weights = nmfcore.star_weights(np.zeros(60, dtype=int), replicates=4000, seed=3).astype(float)
    assert (weights.sum(axis=1) == 60).all()
    assert abs(weights.var() / (1 - 1 / 60) - 1) < 0.01
    assert abs((weights.mean(axis=0) - 1) * np.sqrt(4000)).max() < 5


@pytest.mark.parametrize("number", [2, 3, 5])
def test_small_samples_have_the_exact_distribution(number):
    B = 60_000
    weights = nmfcore.star_weights(np.zeros(number, dtype=int), replicates=B, seed=1)
    kinds, seen = np.unique(weights, axis=0, return_counts=True)
    chances = scipy.stats.multinomial(number, np.full(number, 1 / number)).pmf(kinds)
    assert chances.sum() == pytest.approx(1)
    assert scipy.stats.chisquare(seen, B * chances).pvalue > 1e-4


@pytest.mark.parametrize("number", [400, 401])
def test_weights_have_the_statistics_of_numpys_multinomial(number):
    B = 8000
    ours = nmfcore.star_weights(np.zeros(number, dtype=int), replicates=B, seed=2).astype(float)
    theirs = np.random.default_rng(0).multinomial(number, np.full(number, 1 / number), B).astype(float)
    most = 7
    tables = np.stack(
        [np.bincount(np.minimum(x.astype(int).ravel(), most), minlength=most + 1) for x in (ours, theirs)]
    )
    # Weights of one replicate are all but independent: the chi-squared test holds.
    assert scipy.stats.chi2_contingency(tables).pvalue > 1e-4
    z = (ours.mean(axis=0) - 1) / np.sqrt((1 - 1 / number) / B)
    assert abs(z).max() < 5
    for x in (ours, theirs):
        # Stars side by side share a random number, and differ in nothing from others: Cov = -1 / n.
        pairs = (x[:, 0 : number - 1 : 2] - 1) * (x[:, 1::2] - 1)
        assert abs(pairs.mean() + 1 / number) < 5 / np.sqrt(pairs.size)
        # The sums of halves of the sample: variance n / 4.
        half = x[:, : number // 2].sum(axis=1)
        assert half.var() == pytest.approx(number // 2 * (1 - number // 2 / number), rel=0.08)


def test_counts_that_are_not_drawn_yet_take_no_room_and_are_the_same():
    rows, columns = stars(4000)
    lazy = nmfcore.bootstrap(rows, columns, (M, N), replicates=50, seed=3)
    eager = nmfcore.bootstrap(rows, columns, (M, N), replicates=50, seed=3)
    values = eager.values
    assert not lazy.drawn
    assert lazy.nbytes < values.nbytes + lazy.draw.of_star.nbytes < eager.nbytes
    part = lazy.select(range(20, 40))
    np.testing.assert_array_equal(lazy.to_dense([7, 9]), eager.to_dense([7, 9]))
    assert not part.drawn
    assert not lazy.drawn
    copied = pickle.loads(pickle.dumps(lazy))
    assert not copied.drawn
    np.testing.assert_array_equal(part.values, eager.select(range(20, 40)).values)
    np.testing.assert_array_equal(copied.to_dense(), eager.to_dense())
    np.testing.assert_array_equal(lazy.values, values)
    assert lazy.drawn
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)).values, values)
    np.testing.assert_array_equal(lazy.select([3, 1]).to_dense(), eager.to_dense([3, 1]))
    assert lazy.largest == eager.largest == lazy.base.max()


def test_values_that_are_changed_are_the_values_that_count():
    rows, columns = stars()
    counts = nmfcore.bootstrap(rows, columns, (M, N), replicates=18)
    counts.values[:] = 1
    assert (counts.select(range(2, 18)).cells() == 1).all()
    assert (nmfcore.factorize(counts, 1).divergence == nmfcore.factorize(counts, 1).divergence[0]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_counts_of_every_type_are_the_same(dtype):
    rows, columns = stars()
    counts = nmfcore.bootstrap(rows, columns, (M, N), replicates=18, seed=4)
    other = dataclasses.replace(counts.draw, dtype=np.dtype(dtype)).counts(18)
    assert other.dtype == dtype
    np.testing.assert_array_equal(other, counts.values)


def test_counts_do_not_depend_on_the_threads():
    rows, columns = stars()
    one, three = (nmfcore.bootstrap(rows, columns, (M, N), replicates=100, seed=4) for _ in range(2))
    with nmfcore.bench.threads(1):
        values = one.values
    with nmfcore.bench.threads(3):
        np.testing.assert_array_equal(three.values, values)


def test_weighted_counts_are_those_of_the_drawn_stars_times_their_weights():
    rows, columns = stars()
    weights = np.random.default_rng(5).gamma(1.0, 2.0, len(rows))
    weights[::7] = 0.0
    for scheme in ("multinomial", "poisson", "delete"):
        choices = {"replicates": 300, "scheme": scheme, "seed": 3, "first_replicate": 2}
        drawn = nmfcore.bootstrap(rows, columns, (M, N), weights=weights, **choices)
        times = nmfcore.star_weights(rows, **choices)
        chosen = [0, 1, 63, 64, 299]
        for b, V in zip(chosen, drawn.to_dense(chosen, dtype=np.float64), strict=True):
            np.testing.assert_allclose(V, sums(rows, columns, times[b] * weights), rtol=1e-6)
        np.testing.assert_allclose(drawn.base_dense(dtype=np.float64), sums(rows, columns, weights), rtol=1e-12)


def sums(rows, columns, weights):
    V = np.zeros((M, N))
    for row, pixels, weight in zip(rows, columns, weights, strict=True):
        for pixel in pixels:
            if row >= 0 and pixel >= 0:
                V[row, pixel] += weight
    return V


def test_weights_of_one_give_the_same_counts_and_fits_as_none():
    rows, columns = stars()
    one, other = (
        nmfcore.bootstrap(rows, columns, (M, N), replicates=20, weights=w) for w in (None, np.ones(len(rows)))
    )
    np.testing.assert_array_equal(one.to_dense(), other.to_dense())
    np.testing.assert_array_equal(nmfcore.factorize(one, 2).W, nmfcore.factorize(other, 2).W)


@pytest.mark.parametrize("bad", [[1.0], -1.0, np.nan, np.inf, 0.0])
def test_weights_that_make_no_sense_are_refused(bad):
    rows, columns = stars()
    weights = bad if isinstance(bad, list) else np.full(len(rows), bad)
    with pytest.raises(ProblemError, match="weights must have shape"):
        nmfcore.bootstrap(rows, columns, (M, N), weights=weights)
