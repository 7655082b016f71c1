"""Profile-likelihood intervals of fits: what they hold, what they are of, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo.errors import UsageError
from halonmf.halo.fits import held_fraction
from halonmf.halo.fits.bootstrap import refit
from halonmf.halo.fits.fit import NAMES, fit
from halonmf.halo.fits.likelihood import likelihood
from halonmf.halo.mixtures.settings import Chemistry, parse_axes

from ..helpers.planted import SMALL, planted, planted_fit

KL = SMALL.replace(loss="kullback-leibler", pixels=12)


@pytest.fixture(scope="module")
def found():
    return likelihood(planted_fit("kullback-leibler"))


def test_the_interval_is_about_the_fits_fraction(found):
    made = planted_fit("kullback-leibler")
    assert found.names == made.names
    assert found.fraction == pytest.approx(made.mass_fractions, abs=1e-4)
    assert (found.low < found.fraction).all()
    assert (found.fraction < found.high).all()


def test_of_two_planes_the_deviance_rises_by_two_to_the_ends_of_68_percent(found):
    assert found.level == 0.68
    assert found.threshold == pytest.approx(2 * 0.9889, abs=1e-3)


def test_of_one_plane_it_rises_by_one():
    one = likelihood(fit(planted()[0], KL.replace(planes="AL_FE:FE_H")))
    assert one.threshold == pytest.approx(0.9889, abs=1e-3)


def test_a_larger_probability_has_a_wider_interval(found):
    wider = likelihood(planted_fit("kullback-leibler"), level=0.95)
    assert (wider.low < found.low).all()
    assert (wider.high > found.high).all()
    # nearly a parabola: twice the standard error holds 95 %
    assert (wider.high - wider.low) / (found.high - found.low) == pytest.approx(1.97, abs=0.1)


def test_it_is_said_how_probable_the_intervals_are_and_what_they_are(found):
    narrow = replace(found, level=0.997)
    assert "99.7 % intervals of the profile likelihood" in narrow.describe()
    assert "Profile-likelihood intervals of 99.7 %" in repr(narrow)
    for line in found.describe().splitlines()[:-1]:
        assert line.partition("  ")[2] in repr(found)  # as in a console or notebook


def test_the_half_width_is_the_bootstraps_standard_error(found):
    made = planted_fit("kullback-leibler")
    replicates = refit(made, 200, seed=1)
    W = replicates.W[replicates.good]
    error = (W.sum(axis=1) / W.sum(axis=(1, 2))[:, None]).std(axis=0, ddof=1)
    assert 0.5 * (found.high - found.low) == pytest.approx(error, rel=0.2)


def test_four_times_the_stars_halve_it(found):
    fewer = likelihood(fit(planted(1500)[0], KL))
    assert (fewer.high - fewer.low) / (found.high - found.low) == pytest.approx(2, abs=0.35)


def test_components_can_be_taken_together():
    made = planted_fit("kullback-leibler", 3)
    both = likelihood(made, groups={"high": made.names[1:]})
    first = likelihood(made, groups={"low": made.names[:1]})
    assert both.names == ("high",)
    assert both.fraction == pytest.approx(1 - first.fraction)
    assert [both.low[0], both.high[0]] == pytest.approx([1 - first.high[0], 1 - first.low[0]], abs=1e-3)


def test_weights_that_are_all_the_same_change_nothing():
    stars, _ = planted(3000)
    stars["w"] = np.full(len(stars), 0.01)
    plain, weighted = likelihood(fit(stars, KL)), likelihood(fit(stars, KL.replace(weights="w")))
    for name in ("fraction", "low", "high", "dependence"):
        assert getattr(weighted, name) == pytest.approx(getattr(plain, name), rel=2e-3), name
    assert weighted.threshold == plain.threshold


def test_stars_that_count_next_to_nothing_are_as_good_as_absent():
    stars, _ = planted(6000)
    some = np.arange(len(stars)) % 2 == 0
    stars["w"] = np.where(some, 5.0, 1e-3)
    alone, weighted = likelihood(fit(stars[some], KL)), likelihood(fit(stars, KL.replace(weights="w")))
    assert weighted.fraction == pytest.approx(alone.fraction, abs=0.01)
    assert weighted.high - weighted.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_bins_without_stars_change_nothing():
    stars, _ = planted(3000)
    made = fit(stars, KL.replace(axes=parse_axes("E:8:-3.5e5:-1e5")))
    assert (made.mixtures.n_stars == 0).any()
    assert likelihood(made).problems() == ""


def test_what_does_not_settle_is_named(monkeypatch):
    monkeypatch.setattr(held_fraction, "CYCLES", 2)
    stopped = likelihood(planted_fit("kullback-leibler"))
    assert stopped.unsettled == ("LE", "HE")
    assert "LE, HE held did not settle" in stopped.problems()


def test_a_fit_that_was_not_the_best_is_named():
    made = fit(planted()[0], KL.replace(max_iter=1))
    assert not made.converged
    assert "not converged: the fit (MAX_ITER" in likelihood(made).problems()


def test_least_squares_have_no_likelihood():
    with pytest.raises(UsageError, match="by --loss kullback-leibler, without penalties; this one is by frobenius"):
        likelihood(planted_fit())


def test_penalties_are_refused():
    with pytest.raises(UsageError, match="this one is by kullback-leibler with penalties"):
        likelihood(fit(planted(600)[0], KL.replace(alpha_W=1e-6)))


def test_one_component_has_no_fraction_to_find():
    with pytest.raises(UsageError, match="one component has all the counts"):
        likelihood(fit(planted(600)[0], KL.replace(components=1)))


def test_components_of_two_parts_are_refused():
    made = planted_fit("kullback-leibler")
    with pytest.raises(UsageError, match="these components come from several"):
        likelihood(replace(made, names=NAMES))


@pytest.mark.parametrize("group", [("C9",), (), ("LE", "HE")])
def test_a_group_must_be_some_of_the_components(group):
    with pytest.raises(UsageError, match="not all and not none"):
        likelihood(planted_fit("kullback-leibler"), groups={"some": group})


@pytest.mark.parametrize("level", [0.0, 1.0, np.nan])
def test_a_level_must_be_a_probability(level):
    with pytest.raises(UsageError, match="level must lie between 0 and 1"):
        likelihood(planted_fit("kullback-leibler"), level=level)


@pytest.mark.slow
def test_intervals_hold_the_mean_of_the_estimates():
    settings = KL.replace(axes=parse_axes("E:4,Lz:2"), chemistry=Chemistry(pixels=10))
    found = [likelihood(fit(planted(2000, seed=seed)[0], settings), groups={"HE": ("HE",)}) for seed in range(100)]
    mean = np.mean([one.fraction for one in found])
    held = np.mean([(one.low <= mean) & (mean <= one.high) for one in found])
    assert 0.55 < held < 0.82  # 100 skies know it to 0.05
