"""Fits: held to other solvers, to planted populations, and to what must change nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.table import Table, vstack
from sklearn.decomposition import NMF

import nmfcore
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.fits.apply import apply
from halonmf.halo.fits.fit import fit, fit_mixtures, fractions
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Chemistry, parse_axes
from halonmf.halo.stars.selection import choose
from nmfcore import Status
from nmfcore.kernels.cuda import devices

from ..helpers.planted import SMALL, planted, planted_fit

FINE = parse_axes("E:30:-2.5e5:-1.0e5")
LOSSES = ("frobenius", "kullback-leibler")


@pytest.fixture(scope="module")
def stars():
    return planted()[0]


@pytest.fixture(scope="module")
def is_high():
    return planted()[1]


# against other solvers


def sklearn_components(V, k, **penalties):
    # seeded: its singular vectors are found at random, and from some it ends in a higher optimum
    model = NMF(k, init="nndsvda", solver="cd", tol=1e-10, max_iter=20_000, random_state=0, **penalties)
    W, H = model.fit_transform(V), model.components_
    return W * H.sum(axis=1), H / H.sum(axis=1, keepdims=True), 0.5 * model.reconstruction_err_**2


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_fit_is_sklearns_converged_one(k):
    ours = planted_fit(k=k)
    W, H, loss = sklearn_components(ours.mixtures.V, k)
    order = np.argsort((W.T @ ours.bin_energy) / W.sum(axis=0))
    assert ours.loss == pytest.approx(loss, rel=1e-8)
    assert np.abs(ours.H - H[order]).max() < 1e-4 * H.max()
    assert np.abs(ours.mass_fractions - (W.sum(axis=0) / W.sum())[order]).max() < 1e-4


@pytest.mark.parametrize("penalty", [{"alpha_W": 0.03, "alpha_H": 0.03}, {"alpha_W": 0.1, "alpha_H": 0.02}])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_penalties_are_sklearns(stars, penalty, l1_ratio):
    settings = SMALL.replace(chemistry=Chemistry(pixels=12), l1_ratio=l1_ratio, **penalty)
    ours = fit(stars, settings)
    W, H, _ = sklearn_components(ours.mixtures.V, 2, l1_ratio=l1_ratio, **penalty)
    order = np.argsort((W.T @ ours.bin_energy) / W.sum(axis=0))
    assert np.abs(ours.H - H[order]).max() < 1e-4 * H.max()
    assert np.abs(ours.W - W[:, order]).max() < 1e-4 * W.max()


def test_penalties_make_a_difference(stars):
    penalised = fit(stars, SMALL.replace(chemistry=Chemistry(pixels=12), alpha_W=0.1, alpha_H=0.1, l1_ratio=1.0))
    assert np.abs(penalised.W - planted_fit().W).max() > 0.01 * planted_fit().W.max()


def test_a_kullback_leibler_fit_reaches_sklearns_loss():
    ours = planted_fit("kullback-leibler")
    model = NMF(2, init="nndsvda", solver="mu", beta_loss="kullback-leibler", tol=0, max_iter=2000, random_state=0)
    model.fit(ours.mixtures.V)
    assert ours.loss == pytest.approx(0.5 * model.reconstruction_err_**2, rel=1e-6)


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


def test_two_components_are_named_by_their_energy():
    found = planted_fit()
    assert found.names == ("LE", "HE")
    assert found.mean_energy[0] < -1.8e5 < -1.5e5 < found.mean_energy[1]


def test_upside_down_energies_swap_the_components(stars):
    flipped = stars.copy()
    flipped["E"] = -3.5e5 - stars["E"]
    found = fit(flipped, planted_fit().settings)
    assert np.abs(found.H - planted_fit().H[::-1]).max() < 1e-4 * found.H.max()


@pytest.mark.parametrize(("k", "names"), [(1, ("C1",)), (3, ("C1", "C2", "C3"))])
def test_other_numbers_of_components_are_numbered_in_order_of_energy(k, names):
    found = planted_fit(k=k)
    assert found.names == names
    assert (np.diff(found.mean_energy) > 0).all()


def test_the_mean_energy_is_that_of_the_stars_behind_the_weights(stars):
    found = planted_fit()
    for j in (0, 1):
        per_star = (found.W[:, j] / found.mixtures.n_stars)[found.mixtures.rows]
        assert found.mean_energy[j] == pytest.approx(np.average(stars["E"], weights=per_star), rel=1e-10)


def test_bins_without_energy_are_ordered_by_their_first_variable(stars):
    table = stars[["Lz", "FE_H", "AL_FE", "MG_FE"]]
    table["r_sph"] = 20.0 + stars["E"] / 1.5e4
    found = fit(table, SMALL.replace(axes=parse_axes("r:5")))
    assert found.bin_energy == pytest.approx(
        [table["r_sph"][found.mixtures.rows == i].mean() for i in range(5)], rel=1e-12
    )
    assert found.mean_energy[0] < found.mean_energy[1]


# every loss and number of components


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 2])
def test_a_converged_fit_is_stationary(loss, k):
    found = planted_fit(loss, k)
    assert (found.status, found.message) == ("CONVERGED", "converged")
    assert found.converged
    assert found.kkt < 1e-3


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_components_have_unit_sum_and_weights_the_counts(loss, k):
    found = planted_fit(loss, k)
    assert found.H.sum(axis=1) == pytest.approx(np.ones(k))
    # Kullback-Leibler keeps the sums of the data; least squares loses what no component reaches
    whole = found.W.sum() / found.mixtures.V.sum()
    assert whole == pytest.approx(1, abs=1e-4) if loss == "kullback-leibler" else 0.7 < whole < 1.01


def test_every_start_finds_the_same_two_components(stars):
    for init in ("random", "nndsvd", "nndsvdar"):
        found = fit(stars, planted_fit().settings.replace(init=init, seed=5))
        assert np.abs(found.mass_fractions - planted_fit().mass_fractions).max() < 1e-4


def test_of_many_starts_the_best_is_kept(stars):
    settings = planted_fit(k=3).settings.replace(init="random", max_iter=3, seed=4)
    losses = [fit(stars, settings.replace(starts=starts)).loss for starts in range(1, 7)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_multiplicative_updates_reach_the_same_answer(stars):
    found = fit(stars, planted_fit().settings.replace(update="mu"))
    assert np.abs(found.mass_fractions - planted_fit().mass_fractions).max() < 1e-4


def test_stars_of_one_chemistry_are_fitted_without_nan():
    table = Table({"E": np.linspace(-2e5, -1e5, 50), "Lz": np.zeros(50)})
    for name, value in (("FE_H", -1.0), ("AL_FE", 0.1), ("MG_FE", 0.2)):
        table[name] = value
    found = fit(table, SMALL.replace(axes=parse_axes("E:5")))
    assert np.isfinite(found.W).all()
    assert found.W.sum() == pytest.approx(100)


# what changes nothing


def test_the_order_of_the_stars_changes_nothing(stars):
    order = np.random.default_rng(1).permutation(len(stars))
    found = fit(stars[order], planted_fit().settings)
    assert np.array_equal(found.W, planted_fit().W)
    assert np.array_equal(found.H, planted_fit().H)


def test_every_star_twice_doubles_the_weights_only(stars):
    once, twice = planted_fit(), vstack([stars, stars])
    mixtures = mix(twice, once.mixtures.bins, once.mixtures.chemistry)
    found = fit_mixtures(mixtures, twice, once.cutflow, once.settings)
    assert np.abs(found.W - 2 * once.W).max() < 1e-4 * found.W.max()
    assert np.abs(found.H - once.H).max() < 1e-4 * found.H.max()


def test_a_fit_leaves_the_stars_as_they_were(stars):
    before = stars.copy()
    apply(fit(stars, SMALL), stars, FINE)
    assert all(np.array_equal(before[name], stars[name]) for name in before.colnames)


# bins, selections


def test_a_fit_of_regular_bins_keeps_its_empty_ones(stars):
    found = fit(stars, SMALL.replace(axes=parse_axes("E:6:-4.0e5:-1.0e5")))
    assert found.W[:3].sum() == 0
    assert np.isnan(found.bin_energy[:3]).all()
    assert found.mean_fractions.sum() == pytest.approx(1)


def test_the_selection_is_applied_before_the_bins(stars):
    found = fit(stars, SMALL.replace(selection="retrograde", cuts=("FE_H<0",)))
    assert found.mixtures.n_stars.sum() == ((stars["Lz"] < 0) & (stars["FE_H"] < 0)).sum() == found.cutflow.passed
    assert found.mixtures.bins.edges[1].max() < 0


def test_thresholds_of_the_selections_are_used(stars):
    chosen, flow = choose(stars, SMALL.replace(selection="kinematically-pure", max_fe_h=-1.5).selection)
    assert chosen["FE_H"].max() <= -1.5
    assert flow.passed == len(chosen)


def test_bin_energies_are_means_of_the_stars_in_them(stars):
    found = planted_fit()
    expected = [stars["E"][found.mixtures.rows == i].mean() for i in range(25)]
    assert found.bin_energy == pytest.approx(expected, rel=1e-12)


def test_component_images_are_the_rows_of_h():
    assert planted_fit().images.shape == (2, 2, 12, 12)
    assert planted_fit().images[1, 1, 2, 3] == planted_fit().H[1, 144 + 2 * 12 + 3]


# what has not converged says so


def test_a_fit_that_did_not_converge_says_so(stars):
    found = fit(stars, SMALL.replace(max_iter=1))
    assert (found.status, found.n_iter, found.converged) == ("MAX_ITER", 1, False)
    assert "raise max_iter" in found.message


@pytest.mark.parametrize("status", [status.name for status in Status if status != Status.CONVERGED])
def test_every_status_but_converged_is_not_converged_and_says_why(status):
    found = replace(planted_fit(), status=status)
    assert not found.converged
    assert found.message == Status[status].message


def test_a_status_of_another_version_is_not_converged():
    found = replace(planted_fit(), status="ENTANGLED")
    assert (found.converged, found.message) == (False, "unknown to this version")


# what is refused


def test_cuda_without_cuda_is_refused_and_never_becomes_the_cpu(stars, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "count_devices", lambda: (0, "none is here"))
    with pytest.raises(UsageError, match=r"device 'cuda' was asked for, but torch .* sees no CUDA device"):
        fit(stars, SMALL.replace(device="cuda"))


def test_more_components_than_bins_need_a_random_start(stars):
    settings = SMALL.replace(axes=parse_axes("E:3"), components=4)
    with pytest.raises(UsageError, match=r"at most min\(m, n\) = 3 components.*--init random"):
        fit(stars, settings)
    assert fit(stars, settings.replace(init="random", max_iter=50)).H.shape == (4, 800)


def test_itakura_saito_on_counts_with_zeros_is_refused_with_the_reason(stars):
    with pytest.raises(UsageError, match=r"strictly positive; \d+ of 20000 entries are zero .*Kullback-Leibler"):
        fit(stars, SMALL.replace(loss="itakura-saito"))


@pytest.mark.parametrize(
    "settings",
    [{"components": 0}, {"components": -1}, {"loss": "manhattan"}, {"update": "newton"}, {"init": "kmeans"},
     {"tol": -1.0}, {"tol": np.nan}, {"max_iter": -1}, {"starts": 0}, {"alpha_W": -1.0}, {"alpha_H": np.inf},
     {"l1_ratio": 1.5}, {"selection": "disc"}, {"loss": "kullback-leibler", "update": "hals"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_usage_errors(stars, settings):
    with pytest.raises(UsageError):
        fit(stars, SMALL.replace(**settings))


def test_penalties_that_leave_nothing_are_refused(stars):
    with pytest.raises(UsageError, match="alpha_W = 100 and alpha_H = 100 penalise every component away"):
        fit(stars, SMALL.replace(alpha_W=100.0, alpha_H=100.0, l1_ratio=1.0))


def test_a_selection_that_leaves_no_star_is_refused(stars):
    with pytest.raises(InputError, match="the selection or the cuts left none"):
        fit(stars, SMALL.replace(cuts=("FE_H<-9",)))


def test_a_variable_that_the_stars_lack_is_refused(stars):
    with pytest.raises(UsageError, match="J_r"):
        fit(stars, SMALL.replace(axes=parse_axes("J_r:5")))


# whose fault it was


def test_what_the_engine_refuses_is_wrong_usage_and_its_own_failures_are_not(stars, monkeypatch):
    def fail(error):
        monkeypatch.setattr(nmfcore, "factorize", lambda *args, **options: (_ for _ in ()).throw(error))

    fail(nmfcore.ProblemError("tol is wrong"))
    with pytest.raises(UsageError, match="tol is wrong"):
        fit(stars, SMALL)
    fail(ValueError("too many values to unpack"))
    with pytest.raises(ValueError, match="too many values to unpack"):
        fit(stars, SMALL)


@pytest.mark.parametrize(
    "wrong", [{"tol": -1.0}, {"max_iter": -1}, {"alpha_W": -1.0}, {"l1_ratio": 2.0}, {"starts": 0}]
)
def test_settings_that_the_engine_refuses_are_wrong_usage(stars, wrong):
    with pytest.raises(UsageError):
        fit(stars, SMALL.replace(**wrong))
