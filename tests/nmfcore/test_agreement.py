"""The consensus of many factorisations, held to scikit-learn's neighbours, k-means and silhouettes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

import nmfcore
from nmfcore import agreement


def replicates(B=12, k=3, n=20, noise=0.1, seed=0):
    """Noisy copies of k components, in any order and scale; and which component each is, shape (B, k)."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(n, 0.3), size=k)
    order = np.array([rng.permutation(k) for _ in range(B)])
    H = truth[order] + noise * rng.exponential(1 / n, (B, k, n))
    return H * rng.gamma(2, 10, (B, k, 1)), order


def at_unit_length(H):
    return H / np.linalg.norm(H, axis=-1, keepdims=True)


def in_order(x, found):
    """Components in the order of the consensus."""
    return np.take_along_axis(x, found.permutation[:, :, None], axis=1)


@pytest.mark.parametrize("noise", [0.05, 0.5, 3.0])
def test_silhouettes_are_those_of_scikit_learn(noise):
    H, _ = replicates(noise=noise)
    found = nmfcore.consensus(H, threshold=2)
    points = in_order(at_unit_length(H), found).reshape(-1, H.shape[2])
    assert found.silhouette.ravel() == pytest.approx(silhouette_samples(points, np.tile(np.arange(3), len(H))))
    assert found.stability == pytest.approx(found.silhouette.mean())
    assert (np.diff(found.stabilities) <= 0).all()


@pytest.mark.parametrize("neighbours", [0.05, 0.3, 1.0])
def test_distances_are_those_of_scikit_learns_neighbours(neighbours):
    H, _ = replicates(noise=1.0)
    found = nmfcore.consensus(H, neighbours=neighbours, threshold=2)
    points = in_order(at_unit_length(H), found).reshape(-1, H.shape[2])
    near, _ = NearestNeighbors(n_neighbors=max(1, int(neighbours * len(H)))).fit(points).kneighbors()
    assert found.distance.ravel() == pytest.approx(near.mean(axis=1))


def test_no_more_neighbours_are_asked_for_than_there_are():
    H = np.eye(3)[:2, None] + 0.1
    found = nmfcore.consensus(H, neighbours=1.0, threshold=2)
    one, other = (x / np.linalg.norm(x) for x in H[:, 0])
    np.testing.assert_allclose(found.distance, np.linalg.norm(one - other))


def test_clusters_of_separate_components_are_those_of_k_means():
    H, _ = replicates(B=30, k=6, n=40, noise=0.3)
    found = nmfcore.consensus(H, threshold=2)
    labels = KMeans(6, n_init=10, random_state=1).fit_predict(at_unit_length(H).reshape(-1, 40)).reshape(30, 6)
    of_clusters = np.take_along_axis(labels, found.permutation, axis=1)
    assert (of_clusters == of_clusters[0]).all()
    assert len(set(of_clusters[0])) == 6


def test_the_consensus_is_the_median_at_unit_length():
    H, order = replicates()
    found = nmfcore.consensus(H)
    assert found.kept.all()
    planted = np.take_along_axis(order, found.permutation, axis=1)
    assert (planted == planted[0]).all()
    middle = np.median(in_order(at_unit_length(H), found), axis=0)
    assert found.H == pytest.approx(middle / middle.sum(axis=1, keepdims=True))


def test_outliers_do_not_enter_it():
    H, _ = replicates(B=20)
    clean = nmfcore.consensus(H[:18])
    H[18:] = np.random.default_rng(5).dirichlet(np.full(20, 0.1), size=(2, 3))  # like nothing else
    found = nmfcore.consensus(H)
    assert found.kept[:18].all()
    assert not found.kept[18:].any()
    match = nmfcore.align(found.H, clean.H)
    assert match.apply(found.H[None], found.H[None])[1][0] == pytest.approx(clean.H)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_order_and_scale_of_components_and_the_order_of_replicates_change_nothing(seed):
    rng = np.random.default_rng(seed)
    H, _ = replicates(B=8, k=4, noise=rng.choice([0.1, 0.5]), seed=seed)
    found = nmfcore.consensus(H, threshold=2)
    mixed = np.take_along_axis(H, rng.permuted(np.tile(np.arange(4), (8, 1)), axis=1)[:, :, None], axis=1)
    other = nmfcore.consensus((mixed * 10.0 ** rng.integers(-200, 200, (8, 4, 1)))[rng.permutation(8)], threshold=2)
    assert other.stability == pytest.approx(found.stability)
    assert other.H == pytest.approx(found.H)


def test_blocks_of_distances_change_nothing(monkeypatch):
    H, _ = replicates(noise=1.0)
    whole = nmfcore.consensus(H, threshold=2)
    monkeypatch.setattr(agreement, "BLOCK", 100)
    parts = nmfcore.consensus(H, threshold=2)
    assert parts.silhouette == pytest.approx(whole.silhouette)
    assert parts.distance == pytest.approx(whole.distance)


def test_components_of_nothing_are_no_cluster():
    H, _ = replicates()
    H[:, 0] = 0
    with pytest.raises(nmfcore.ProblemError, match=r"of 1 of 3 components no replicate is within 0\.5"):
        nmfcore.consensus(H)
    found = nmfcore.consensus(H, threshold=2)
    assert np.isfinite(found.H).all()


def test_one_component_has_no_silhouette():
    H, _ = replicates(k=1)
    found = nmfcore.consensus(H)
    assert np.isnan(found.stability)
    assert found.kept.all()


def test_it_takes_tensors_and_says_what_it_found():
    H, _ = replicates()
    found = nmfcore.consensus(torch.from_numpy(H))
    assert found.H == pytest.approx(nmfcore.consensus(H).H)
    assert repr(found).startswith("nmfcore.Consensus: 3 components of 12 replicates, stability 0.9")


def test_a_planted_factorisation_is_found_and_one_component_too_many_is_less_stable():
    rng = np.random.default_rng(3)
    truth = rng.dirichlet(np.full(30, 0.2), size=4)
    V = rng.poisson(rng.gamma(0.5, 2000, (60, 4)) @ truth).astype(float)
    drawn = rng.poisson(V, (24, *V.shape)).astype(float)
    four, five = (
        nmfcore.consensus(nmfcore.factorize(drawn, k, init="random", starts=1).H, threshold=2) for k in (4, 5)
    )
    assert nmfcore.align(four.H, truth).similarity.min() > 0.99
    assert four.stability > 0.95 > five.stability


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda H: H[0], "shape"),
        (lambda H: H[:1], "two replicates"),
        (lambda H: np.where(np.arange(12)[:, None, None] == 4, np.nan, H), "1 of 12 .* number 4"),
        (lambda H: -H, "12 of 12"),
    ],
)
def test_components_that_make_no_sense_are_refused(change, message):
    H, _ = replicates()
    with pytest.raises(nmfcore.ProblemError, match=message):
        nmfcore.consensus(change(H))


@pytest.mark.parametrize("choice", [{"neighbours": 0}, {"neighbours": 1.5}, {"threshold": 0}])
def test_choices_that_make_no_sense_are_refused(choice):
    with pytest.raises(nmfcore.ProblemError, match=next(iter(choice))):
        nmfcore.consensus(replicates()[0], **choice)
