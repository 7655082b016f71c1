"""How many components: planted ranks are found, scores are what they are said to be, misuse is told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nmfcore
from nmfcore.halves import halves, split_units
from nmfcore.rank import BACKGROUND, Background, RankScores, corrected_error, held_out

from .problems import planted_stars

QUICK = {"splits": 3, "starts": 4, "ranks": range(1, 5)}


@pytest.fixture(scope="module")
def found():
    return nmfcore.select_rank(*planted_stars(2, 3000, seed=0), **QUICK)


def parts_of(sample, splits=2, seed=0):
    row, pixel, shape = sample
    return halves(row, pixel, shape, split_units(np.arange(len(row)), np.zeros(len(row), np.int64), splits, seed))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_planted_rank_is_found_by_both_losses(rank):
    found = nmfcore.select_rank(*planted_stars(rank, 4000, seed=3), **QUICK)
    assert [one.choice for one in found.by_loss] == [rank, rank]


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_planted_ranks_are_found_at_least_18_of_20_times(rank):
    found = [
        nmfcore.select_rank(*planted_stars(rank, 13_000, seed, bins=64, pixels=100), splits=5, starts=4)
        for seed in range(20)
    ]
    for loss in nmfcore.rank.LOSSES:
        assert sum(one[loss].choice == rank for one in found) >= 18


def test_one_component_suffices_for_stars_whose_pixels_do_not_depend_on_their_bins():
    row, pixel, shape = planted_stars(3, 3000, seed=0)
    shuffled = np.random.default_rng(0).permutation(row)
    assert nmfcore.select_rank(shuffled, pixel, shape, **QUICK).choice == 1


@pytest.mark.parametrize("loss", ["kullback-leibler", "frobenius"])
def test_a_score_is_minus_the_loss_of_dense_matrices(loss):
    parts = parts_of(planted_stars(2, 400, seed=1))
    rng = np.random.default_rng(0)
    W, H = rng.random((4, 16, 2)), rng.random((4, 2, 60))
    scores = held_out(parts, W, H, loss, Background.of(parts))
    V = parts.counts.to_dense(dtype=np.float64)
    for b, other in enumerate(parts.other):
        v, mu = V[other], W[b] @ H[b]
        if loss == "frobenius":
            expected = -0.5 * ((v - mu) ** 2).sum()
        else:
            rows, image = V[b].sum(axis=1) * parts.ratio[b], V[b].sum(axis=0) / V[b].sum()
            seen = np.outer(rows, image) > 0
            mu = (1 - BACKGROUND) * mu + BACKGROUND * np.outer(rows, image)
            filled = seen & (v > 0)
            expected = -((v[filled] * np.log(v[filled] / mu[filled]) - v[filled]).sum() + mu.sum())
        np.testing.assert_allclose(scores[b], expected, rtol=1e-10)


@pytest.mark.parametrize("fraction", [0.005, 0.2])
def test_the_choice_does_not_hang_on_the_fraction_of_background(monkeypatch, fraction):
    monkeypatch.setattr(nmfcore.rank, "BACKGROUND", fraction)
    sample = planted_stars(3, 4000, seed=5)
    assert nmfcore.select_rank(*sample, **QUICK, losses=["kullback-leibler"]).choice == 3


def test_the_background_is_what_one_component_predicts():
    parts = parts_of(planted_stars(2, 400, seed=1))
    W, H = nmfcore.factorize(parts.counts, 1, loss="kullback-leibler").normalised()
    mu = (W * parts.ratio[:, :, None]) @ H
    mu = mu[:, parts.counts.rows, parts.counts.column_of]
    np.testing.assert_allclose(Background.of(parts).cells, mu, rtol=1e-4, atol=1e-6)


def test_gains_are_differences_of_scores_and_all_halves_choose(found):
    for one in found.by_loss:
        assert one.scores.shape == (3, 2, 4)
        np.testing.assert_allclose(one.gain[1:], np.diff(one.score))
        assert np.isnan(one.gain[0])
        assert one.chosen.sum() == 6
        assert one.choice in one.ranks


def test_the_same_seed_gives_the_same_scores_and_another_does_not(found):
    again = nmfcore.select_rank(*planted_stars(2, 3000, seed=0), **QUICK)
    other = nmfcore.select_rank(*planted_stars(2, 3000, seed=0), **QUICK, seed=1)
    for one, same, different in zip(found.by_loss, again.by_loss, other.by_loss, strict=True):
        np.testing.assert_array_equal(one.scores, same.scores)
        assert (one.scores != different.scores).all()


def test_fewer_splits_are_the_first_of_more(found):
    fewer = nmfcore.select_rank(*planted_stars(2, 3000, seed=0), **{**QUICK, "splits": 2}, losses=["frobenius"])
    np.testing.assert_allclose(fewer["frobenius"].scores, found["frobenius"].scores[:2], rtol=1e-4)


def test_the_order_of_images_and_stars_that_count_nowhere_change_nothing():
    row, pixel, shape = planted_stars(2, 1000, seed=2)
    more_row, more_pixel = np.append(row, [-1, 3]), np.append(pixel[:, ::-1], [[1, 2], [-1, -1]], axis=0)
    one, other = (
        nmfcore.select_rank(*x, shape, **QUICK, losses=["frobenius"]) for x in ((row, pixel), (more_row, more_pixel))
    )
    assert one.n_stars == other.n_stars == 1000
    np.testing.assert_allclose(one.by_loss[0].scores, other.by_loss[0].scores, rtol=1e-4)


def test_halving_every_row_leaves_no_row_with_more_stars_in_one_half():
    row, pixel, shape = planted_stars(2, 1600, seed=0)
    found = nmfcore.select_rank(row, pixel, shape, **QUICK, within_rows=True)
    assert found.choice == 2


def test_copies_of_stars_in_one_group_do_not_vote_for_components():
    """Each star of one population twenty times: bins then differ, to halves of stars but not to halves of groups."""
    row, pixel, shape = planted_stars(1, 150, seed=0)
    row, pixel, group = (np.repeat(x, 20, axis=0) for x in (row, pixel, np.arange(150)))
    fooled = nmfcore.select_rank(row, pixel, shape, **QUICK)
    right = nmfcore.select_rank(row, pixel, shape, **QUICK, groups=group)
    assert fooled.choice > 1
    assert right.choice == 1


@settings(deadline=None)
@given(
    scores=st.lists(st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=6), min_size=4, max_size=4),
    offset=st.floats(-1e3, 1e3),
)
def test_a_choice_never_exceeds_the_best_and_an_offset_common_to_all_ranks_changes_none(scores, offset):
    halved = np.round(np.array(scores), 3).reshape(2, 2, 6)
    one = RankScores("frobenius", np.arange(1, 7), halved)
    other = RankScores("frobenius", np.arange(1, 7), halved + np.round(offset, 3))
    assert one.choice <= one.best
    np.testing.assert_allclose(one.gain, other.gain, atol=1e-6)


def test_the_smallest_rank_within_the_error_is_chosen_though_another_is_best():
    scores = np.array([[[0.0, 100.0, 101.0, 50.0]] * 2, [[0.0, 103.0, 101.0, 50.0]] * 2])
    scores[0, 0, 2] += 4
    one = RankScores("frobenius", np.arange(1, 5), scores)
    assert (one.best, one.choice) == (3, 2)


def test_an_error_admits_that_halves_share_stars():
    """The mean over 2 J halves of sums over half of the stars: its true error against the corrected one."""
    rng = np.random.default_rng(0)
    means, errors = [], []
    for _ in range(200):
        x = rng.normal(size=100)
        first = split_units(np.arange(100), np.zeros(100, np.int64), 10, int(rng.integers(2**31)))
        sums = np.concatenate([[x[half].sum(), x[~half].sum()] for half in first])
        means.append(sums.mean())
        errors.append(corrected_error(sums))
    assert 0.8 < np.median(errors) / np.std(means) < 1.25


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"ranks": [2]}, "two or more"),
        ({"ranks": [0, 1]}, "from 1 on"),
        ({"ranks": [1, 2.5]}, "integer"),
        ({"ranks": range(1, 30)}, "fills as few as"),
        ({"splits": 1}, "splits"),
        ({"seed": -1}, "seed"),
        ({"losses": "frobenius"}, "losses"),
        ({"losses": []}, "losses"),
        ({"losses": ["itakura-saito"]}, "losses"),
        ({"groups": np.zeros(200, int)}, "8 or more"),
        ({"groups": np.zeros(3, int)}, "shape"),
        ({"groups": np.arange(200), "within_rows": True}, "exclude"),
    ],
)
def test_misuse_is_told(change, word):
    with pytest.raises(nmfcore.ProblemError, match=word):
        nmfcore.select_rank(*planted_stars(2, 200, seed=0), **{**QUICK, **change})


def test_no_star_is_told():
    with pytest.raises(nmfcore.ProblemError, match="no star"):
        nmfcore.select_rank([-1, -1], [[0], [1]], (2, 2))


def test_few_stars_are_told():
    with pytest.raises(nmfcore.ProblemError, match="give more stars"):
        nmfcore.select_rank([0, 1, 2], [[0], [1], [2]], (3, 3), ranks=[1, 2])


def test_progress_counts_every_factorisation():
    said = []
    nmfcore.select_rank(
        *planted_stars(2, 300, seed=0), ranks=[1, 2], splits=2, losses=["frobenius"], progress=lambda *x: said.append(x)
    )
    assert said == [(4, 8), (8, 8)]


def test_a_selection_shows_its_choices(found):
    assert "2 by frobenius, 2 by kullback-leibler" in repr(found)
    assert len(repr(found["frobenius"]).splitlines()) == 6
    with pytest.raises(KeyError, match="no scores"):
        found["itakura-saito"]
