"""Fits and re-applications: held to other solvers, to planted populations, and to what must change nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.table import Table, vstack
from scipy.optimize import minimize_scalar, nnls
from sklearn.decomposition import NMF

from halonmf.halo.binning import Axis, make_bins, parse_axes
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mixtures import Chemistry, mix
from halonmf.halo.model import apply, apply_mixtures, choose, fit, fit_mixtures, fractions, resolve_device

from ._planted import SMALL, accreted_share, planted

FINE = parse_axes("E:30:-2.5e5:-1.0e5")
LOSSES = ("frobenius", "kullback-leibler")


@pytest.fixture(scope="module")
def stars():
    return planted()[0]


@pytest.fixture(scope="module")
def is_high():
    return planted()[1]


@pytest.fixture(scope="module")
def fitted(stars):
    """Fits by (loss, k), each made once."""
    made = {}

    def find(loss="frobenius", k=2):
        if (loss, k) not in made:
            made[loss, k] = fit(stars, replace(SMALL, loss=loss, components=k, chemistry=Chemistry(pixels=12)))
        return made[loss, k]

    return find


# against other solvers


def sklearn_components(V, k, **penalties):
    model = NMF(k, init="nndsvda", solver="cd", tol=1e-10, max_iter=20_000, **penalties)
    W, H = model.fit_transform(V), model.components_
    return W * H.sum(axis=1), H / H.sum(axis=1, keepdims=True), 0.5 * model.reconstruction_err_**2


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_fit_is_sklearns_converged_one(fitted, k):
    ours = fitted(k=k)
    W, H, loss = sklearn_components(ours.mixtures.V, k)
    order = np.argsort((W.T @ ours.bin_energy) / W.sum(axis=0))
    assert ours.loss == pytest.approx(loss, rel=1e-8)
    assert np.abs(ours.H - H[order]).max() < 1e-4 * H.max()
    assert np.abs(ours.mass_fractions - (W.sum(axis=0) / W.sum())[order]).max() < 1e-4


@pytest.mark.parametrize("penalty", [{"alpha_W": 0.03, "alpha_H": 0.03}, {"alpha_W": 0.1, "alpha_H": 0.02}])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_penalties_are_sklearns(stars, penalty, l1_ratio):
    settings = replace(SMALL, chemistry=Chemistry(pixels=12), l1_ratio=l1_ratio, **penalty)
    ours = fit(stars, settings)
    W, H, _ = sklearn_components(ours.mixtures.V, 2, l1_ratio=l1_ratio, **penalty)
    order = np.argsort((W.T @ ours.bin_energy) / W.sum(axis=0))
    assert np.abs(ours.H - H[order]).max() < 1e-4 * H.max()
    assert np.abs(ours.W - W[:, order]).max() < 1e-4 * W.max()


def test_penalties_make_a_difference(stars, fitted):
    penalised = fit(stars, replace(SMALL, chemistry=Chemistry(pixels=12), alpha_W=0.1, alpha_H=0.1, l1_ratio=1.0))
    assert np.abs(penalised.W - fitted().W).max() > 0.01 * fitted().W.max()


def test_a_kullback_leibler_fit_reaches_sklearns_loss(fitted):
    ours = fitted("kullback-leibler")
    model = NMF(2, init="nndsvda", solver="mu", beta_loss="kullback-leibler", tol=0, max_iter=2000)
    model.fit(ours.mixtures.V)
    assert ours.loss == pytest.approx(0.5 * model.reconstruction_err_**2, rel=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_re_application_is_non_negative_least_squares(stars, fitted, k):
    found = apply(fitted(k=k), stars, FINE)
    expected = np.array([nnls(fitted(k=k).H.T, row)[0] for row in found.mixtures.V])
    assert np.abs(found.fractions - fractions(expected)).max() < 1e-5
    assert found.W.sum() == pytest.approx(expected.sum(), rel=1e-6)


def test_re_application_is_the_maximum_of_the_poisson_likelihood(stars, fitted):
    # sum of w h - v log(w h): with H rows at unit sum the best total is the bin's count, one share is left to find
    found, (low, high) = apply(fitted("kullback-leibler"), stars, FINE), fitted("kullback-leibler").H

    def misfit(share, row):
        return -(row * np.log(np.maximum(share * high + (1 - share) * low, 1e-300))).sum()

    best = [
        minimize_scalar(misfit, bounds=(0, 1), args=(row,), method="bounded", options={"xatol": 1e-10}).x
        for row in found.mixtures.V
    ]
    assert found.fractions[:, 1] == pytest.approx(best, abs=1e-4)


def test_re_application_knows_no_penalties(stars):
    penalised = fit(stars, replace(SMALL, chemistry=Chemistry(pixels=12), alpha_W=0.1, alpha_H=0.1, l1_ratio=0.5))
    found = apply(penalised, stars, FINE)
    expected = np.array([nnls(penalised.H.T, row)[0] for row in found.mixtures.V])
    assert np.abs(found.W - expected).max() < 1e-5 * expected.max()


# planted truth


def test_populations_apart_are_separated_to_the_noise():
    stars, high = planted(20_000, seed=3, apart=True)
    found = fit(stars, SMALL)
    assert found.mass_fractions[1] == pytest.approx(high.mean(), abs=0.01)
    share = np.bincount(found.mixtures.rows, weights=high) / found.mixtures.n_stars
    assert np.sqrt(np.mean((fractions(found.W)[:, 1] - share) ** 2)) < 0.02


def test_components_are_the_populations_chemistry():
    stars, high = planted(20_000, seed=3, apart=True)
    found = fit(stars, SMALL)
    for j, mask in enumerate((~high, high)):
        counts = mix(stars[mask], parse_axes("E:1"), SMALL.chemistry).V[0]
        assert 0.5 * np.abs(found.H[j] - counts / counts.sum()).sum() < 0.1
        # no bin is pure: even at the ends of the energies 1 to 3 % of the stars are of the other population
        assert found.H[j][counts == 0].sum() < 0.04


def test_populations_that_overlap_are_recovered(stars, is_high):
    found = fit(stars, SMALL)
    assert found.mass_fractions[1] == pytest.approx(is_high.mean(), abs=0.02)


@pytest.mark.parametrize("loss", LOSSES)
def test_re_applied_shares_follow_the_planted_ones(stars, fitted, loss):
    found = apply(fitted(loss), stars, FINE)
    expected = accreted_share(found.mixtures.bins.bounds[:, 0].mean(axis=1))
    assert np.sqrt(np.mean((found.fractions[:, 1] - expected) ** 2)) < 0.07


def test_two_components_are_named_by_their_energy(fitted):
    found = fitted()
    assert found.names == ("LE", "HE")
    assert found.mean_energy[0] < -1.8e5 < -1.5e5 < found.mean_energy[1]


def test_upside_down_energies_swap_the_components(stars, fitted):
    flipped = stars.copy()
    flipped["E"] = -3.5e5 - stars["E"]
    found = fit(flipped, fitted().settings)
    assert np.abs(found.H - fitted().H[::-1]).max() < 1e-4 * found.H.max()


@pytest.mark.parametrize(("k", "names"), [(1, ("C1",)), (3, ("C1", "C2", "C3"))])
def test_other_numbers_of_components_are_numbered_in_order_of_energy(fitted, k, names):
    found = fitted(k=k)
    assert found.names == names
    assert (np.diff(found.mean_energy) > 0).all()


def test_the_mean_energy_is_that_of_the_stars_behind_the_weights(stars, fitted):
    found = fitted()
    for j in (0, 1):
        per_star = (found.W[:, j] / found.mixtures.n_stars)[found.mixtures.rows]
        assert found.mean_energy[j] == pytest.approx(np.average(stars["E"], weights=per_star), rel=1e-10)


def test_bins_without_energy_are_ordered_by_their_first_variable(stars):
    table = stars[["Lz", "FE_H", "AL_FE", "MG_FE"]]
    table["r_sph"] = 20.0 + stars["E"] / 1.5e4
    found = fit(table, replace(SMALL, axes=parse_axes("r:5")))
    assert found.bin_energy == pytest.approx(
        [table["r_sph"][found.mixtures.rows == i].mean() for i in range(5)], rel=1e-12
    )
    assert found.mean_energy[0] < found.mean_energy[1]


# every loss and number of components


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 2])
def test_a_converged_fit_is_stationary(fitted, loss, k):
    found = fitted(loss, k)
    assert found.status == "converged"
    assert found.kkt < 1e-3


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_components_have_unit_sum_and_weights_the_counts(fitted, loss, k):
    found = fitted(loss, k)
    assert found.H.sum(axis=1) == pytest.approx(np.ones(k))
    # Kullback-Leibler keeps the sums of the data; least squares loses what no component reaches
    whole = found.W.sum() / found.mixtures.V.sum()
    assert whole == pytest.approx(1, abs=1e-4) if loss == "kullback-leibler" else 0.7 < whole < 1.01


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_re_application_to_the_fits_own_bins_gives_its_weights(stars, fitted, loss, k):
    found = fitted(loss, k)
    again = apply(found, stars, found.mixtures.bins)
    assert np.array_equal(again.mixtures.V, found.mixtures.V)
    assert np.abs(again.W - found.W).max() < 5e-4 * found.W.max()


def test_one_component_has_every_share(stars, fitted):
    found = apply(fitted(k=1), stars, FINE)
    assert found.fractions.ravel().tolist() == [1.0] * 30
    assert fitted(k=1).mass_fractions.tolist() == [1.0]


def test_every_start_finds_the_same_two_components(stars, fitted):
    for init in ("random", "nndsvd", "nndsvdar"):
        found = fit(stars, replace(fitted().settings, init=init, seed=5))
        assert np.abs(found.mass_fractions - fitted().mass_fractions).max() < 1e-4


def test_more_starts_are_never_worse(stars, fitted):
    settings = replace(fitted(k=3).settings, init="random", max_iter=200)
    assert fit(stars, replace(settings, starts=3)).loss <= fit(stars, settings).loss


def test_multiplicative_updates_reach_the_same_answer(stars, fitted):
    found = fit(stars, replace(fitted().settings, update="mu"))
    assert np.abs(found.mass_fractions - fitted().mass_fractions).max() < 1e-4


def test_stars_of_one_chemistry_are_fitted_without_nan():
    table = Table({"E": np.linspace(-2e5, -1e5, 50), "Lz": np.zeros(50)})
    for name, value in (("FE_H", -1.0), ("AL_FE", 0.1), ("MG_FE", 0.2)):
        table[name] = value
    found = fit(table, replace(SMALL, axes=parse_axes("E:5")))
    assert np.isfinite(found.W).all()
    assert found.W.sum() == pytest.approx(100)


# what changes nothing


def test_the_order_of_the_stars_changes_nothing(stars, fitted):
    order = np.random.default_rng(1).permutation(len(stars))
    found = fit(stars[order], fitted().settings)
    assert np.array_equal(found.W, fitted().W)
    assert np.array_equal(found.H, fitted().H)


def test_every_star_twice_doubles_the_weights_only(stars, fitted):
    twice = vstack([stars, stars])
    found = fit_mixtures(mix(twice, fitted().mixtures.bins, fitted().mixtures.chemistry), twice, fitted().cutflow,
                         fitted().settings)  # fmt: skip
    assert np.abs(found.W - 2 * fitted().W).max() < 1e-4 * found.W.max()
    assert np.abs(found.H - fitted().H).max() < 1e-4 * found.H.max()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_bins_shares_do_not_depend_on_the_other_bins(stars, fitted, loss):
    found = apply(fitted(loss), stars, FINE)
    alone = apply(fitted(loss), stars, parse_axes("E:1:-1.6e5:-1.55e5"))
    assert found.mixtures.bins.bounds[18, 0] == pytest.approx([-1.6e5, -1.55e5])
    assert np.abs(found.W[18] - alone.W[0]).max() < 1e-6


def test_a_fit_leaves_the_stars_as_they_were(stars):
    before = stars.copy()
    apply(fit(stars, SMALL), stars, FINE)
    assert all(np.array_equal(before[name], stars[name]) for name in before.colnames)


# bins, selections


def test_an_empty_bin_has_no_weight_and_no_share(stars, fitted):
    found = apply(fitted(), stars, parse_axes("E:4:-4.5e5:-0.5e5"))
    assert found.mixtures.n_stars[:2].tolist() == [0, 0]
    assert found.W[:2].tolist() == [[0, 0], [0, 0]]
    assert np.isnan(found.fractions[:2]).all()
    assert np.isfinite(found.fractions[2:]).all()


def test_a_fit_of_regular_bins_keeps_its_empty_ones(stars):
    found = fit(stars, replace(SMALL, axes=parse_axes("E:6:-4.0e5:-1.0e5")))
    assert found.W[:3].sum() == 0
    assert np.isnan(found.bin_energy[:3]).all()
    assert found.mean_fractions.sum() == pytest.approx(1)


def test_the_selection_is_applied_before_the_bins(stars):
    found = fit(stars, replace(SMALL, selection="retrograde", cuts=("FE_H<0",)))
    assert found.mixtures.n_stars.sum() == ((stars["Lz"] < 0) & (stars["FE_H"] < 0)).sum() == found.cutflow.passed
    assert found.mixtures.bins.edges[1].max() < 0


def test_another_selection_may_be_weighed(stars, fitted):
    settings = replace(fitted().settings, selection="kinematically-pure", chemistry=Chemistry(pixels=3))
    found = apply(fitted(), stars, FINE, settings=settings)
    assert len(found.mixtures.rows) == (stars["FE_H"] <= -1.1).sum()
    assert found.mixtures.chemistry == fitted().mixtures.chemistry


def test_thresholds_of_the_selections_are_used(stars):
    chosen, flow = choose(stars, replace(SMALL, selection="kinematically-pure", max_fe_h=-1.5))
    assert chosen["FE_H"].max() <= -1.5
    assert flow.passed == len(chosen)


def test_bin_energies_are_means_of_the_stars_in_them(stars, fitted):
    found = fitted()
    expected = [stars["E"][found.mixtures.rows == i].mean() for i in range(25)]
    assert found.bin_energy == pytest.approx(expected, rel=1e-12)


def test_component_images_are_the_rows_of_h(fitted):
    assert fitted().images.shape == (2, 2, 12, 12)
    assert fitted().images[1, 1, 2, 3] == fitted().H[1, 144 + 2 * 12 + 3]


def test_shares_of_nothing_are_nan():
    assert np.array_equal(
        fractions(np.array([[1.0, 3.0], [0.0, 0.0]])), [[0.25, 0.75], [np.nan, np.nan]], equal_nan=True
    )


# what has not converged says so


def test_a_fit_that_did_not_converge_says_so(stars):
    found = fit(stars, replace(SMALL, max_iter=1))
    assert "max_iter" in found.status
    assert found.n_iter == 1


def test_bins_that_did_not_converge_are_marked(stars, fitted):
    hasty = replace(fitted("kullback-leibler"), settings=replace(fitted("kullback-leibler").settings, max_iter=1))
    found = apply(hasty, stars, parse_axes("E:4:-4.5e5:-0.5e5"))
    assert found.converged.tolist() == [True, True, False, False]
    assert apply(fitted("kullback-leibler"), stars, FINE).converged.all()


# what is refused


def test_cuda_without_cuda_is_refused_and_never_becomes_the_cpu(stars, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"device 'cuda' was asked for, but torch .* sees no CUDA device"):
        fit(stars, replace(SMALL, device="cuda"))


def test_re_application_on_cuda_without_cuda_is_refused(stars, fitted, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    elsewhere = replace(fitted(), settings=replace(fitted().settings, device="cuda"))
    with pytest.raises(UsageError, match="sees no CUDA device"):
        apply(elsewhere, stars, FINE)
    assert np.array_equal(apply(elsewhere, stars, FINE, settings=fitted().settings).W, apply(fitted(), stars, FINE).W)


def test_a_cuda_device_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(UsageError, match="'cuda:2' was asked for, but torch sees 2"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("device", ["gpu", "", "cuda:", "cuda:x", "cpu:0", "CUDA"])
def test_unknown_devices_are_refused(device):
    with pytest.raises(UsageError, match="device must be auto, cpu or cuda"):
        resolve_device(device)


@pytest.mark.parametrize(("there", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_cuda_where_there_is_one(monkeypatch, there, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert resolve_device("auto") == expected


def test_more_components_than_bins_need_a_random_start(stars):
    settings = replace(SMALL, axes=parse_axes("E:3"), components=4)
    with pytest.raises(UsageError, match=r"at most min\(m, n\) = 3 components.*init='random'"):
        fit(stars, settings)
    assert fit(stars, replace(settings, init="random", max_iter=50)).H.shape == (4, 800)


def test_itakura_saito_on_counts_with_zeros_is_refused_with_the_reason(stars):
    with pytest.raises(UsageError, match=r"strictly positive; \d+ of 20000 entries are zero .*Kullback-Leibler"):
        fit(stars, replace(SMALL, loss="itakura-saito"))


@pytest.mark.parametrize(
    "settings",
    [{"components": 0}, {"components": -1}, {"loss": "manhattan"}, {"update": "newton"}, {"init": "kmeans"},
     {"tol": -1.0}, {"tol": np.nan}, {"max_iter": -1}, {"starts": 0}, {"alpha_W": -1.0}, {"alpha_H": np.inf},
     {"l1_ratio": 1.5}, {"selection": "disc"}, {"loss": "kullback-leibler", "update": "hals"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_usage_errors(stars, settings):
    with pytest.raises(UsageError):
        fit(stars, replace(SMALL, **settings))


def test_penalties_that_leave_nothing_are_refused(stars):
    with pytest.raises(UsageError, match="alpha_W = 100 and alpha_H = 100 penalise every component away"):
        fit(stars, replace(SMALL, alpha_W=100.0, alpha_H=100.0, l1_ratio=1.0))


def test_a_selection_that_leaves_no_star_is_refused(stars):
    with pytest.raises(InputError, match="the selection or the cuts left none"):
        fit(stars, replace(SMALL, cuts=("FE_H<-9",)))


def test_re_application_to_bins_that_miss_every_star_is_refused(stars, fitted):
    with pytest.raises(InputError, match="none of 6000 stars falls inside"):
        apply(fitted(), stars, parse_axes("E:5:1e5:2e5"))


def test_mixtures_of_other_images_are_refused(stars, fitted):
    other = mix(stars, make_bins(stars, [Axis("E", 2)]), Chemistry(pixels=5))
    with pytest.raises(InputError, match="the fit has 288 pixels, these mixtures 50"):
        apply_mixtures(fitted(), other, fitted().cutflow)


def test_a_variable_that_the_stars_lack_is_refused(stars):
    with pytest.raises(UsageError, match="J_r"):
        fit(stars, replace(SMALL, axes=parse_axes("J_r:5")))
