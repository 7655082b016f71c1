"""Bootstrap replicates of a fit, and the table of fractions and percentiles with the intervals that they give."""

from dataclasses import replace

import numpy as np
import pytest

import nmfcore
from halonmf.halo.errors import UsageError
from halonmf.halo.fits import engine
from halonmf.halo.fits.bootstrap import refit, star_weights
from halonmf.halo.fits.intervals import TYPES, Ordered
from halonmf.halo.mixtures.counts import count
from halonmf.halo.products.table1 import table1
from halonmf.halo.products.tracks import percentiles

from ..helpers.four import four_found, four_planted
from ..helpers.planted import planted_fit


@pytest.fixture(scope="module")
def found():
    _, four = four_found()
    fits = [four.high, four.low]
    return fits, [refit(fit, 60, seed=1) for fit in fits]


# replicates


def test_a_replicate_is_the_same_however_many_are_made(found):
    fits, refits = found
    few = refit(fits[0], 3, seed=1)
    assert np.array_equal(few.H, refits[0].H[:3])
    assert not np.array_equal(few.H, refit(fits[0], 3, seed=2).H)


def test_components_of_replicates_have_unit_sum_as_those_of_a_fit(found):
    _, refits = found
    assert refits[0].H.sum(axis=2) == pytest.approx(1, abs=1e-5)


def test_star_weights_are_the_draws_that_the_replicates_are_fits_of(found):
    fits, refits = found
    mixtures = fits[0].mixtures
    weights = star_weights(fits[0], 60, seed=1)
    assert (weights.sum(axis=1) == len(mixtures.rows)).all()
    drawn = []
    for one in weights[:3]:
        stars = np.repeat(np.arange(len(one)), one)
        drawn.append(count(mixtures.rows[stars], mixtures.columns[stars], mixtures.V.shape))
    loss = [[((V - W @ H) ** 2).sum() for V in drawn] for W, H in zip(refits[0].W[:3], refits[0].H[:3], strict=True)]
    assert np.argmin(loss, axis=1).tolist() == [0, 1, 2]


def test_replicates_scatter_as_drawing_stars_does(found):
    _, refits = found
    _, population = four_planted()
    high = population[population >= 2]
    n, fraction = len(high), (high == 3).mean()
    W = refits[0].W
    drawn = (W.sum(axis=1) / W.sum(axis=(1, 2))[:, None])[:, 1]
    assert refits[0].good.all()
    # populations that never overlap: a component's fraction is nearly a count, whose scatter is binomial
    assert 0.5 < drawn.std() / np.sqrt(fraction * (1 - fraction) / n) < 2.0


def test_replicates_that_cannot_be_matched_or_do_not_converge_are_not_good():
    made = planted_fit()
    assert refit(made, 4, floor=1.0).lost == 4
    short = replace(made, settings=made.settings.replace(max_iter=1))
    assert refit(short, 4).lost == 4


def test_replicates_are_fitted_by_the_rule_and_on_the_device_of_the_fit(monkeypatch):
    plain = planted_fit()
    choices = {"update": "mu", "loss": "kullback-leibler", "tol": 1e-3, "alpha_W": 0.01, "device": "cuda:1"}
    made = replace(plain, settings=plain.settings.replace(**choices))
    asked, factorize = {}, nmfcore.factorize
    monkeypatch.setattr(engine, "resolve_device", lambda device: device)  # there need be no GPU here

    def on_the_processor(V, k, **arguments):
        asked.update(arguments)
        return factorize(V, k, **arguments | {"device": "cpu"})

    monkeypatch.setattr(nmfcore, "factorize", on_the_processor)
    refit(made, 4)
    found = {name: asked[name] for name in ("update", "loss", "device")}
    assert found == {"update": "mu", "loss": "kullback-leibler", "device": "cuda:1"}
    assert asked["stop"].tol == 1e-3
    assert asked["penalty"].alpha_W == 0.01


def test_four_stacked_components_have_no_replicates_of_their_own():
    _, four = four_found()
    with pytest.raises(UsageError, match="come from the fits of two parts"):
        refit(four.fit, 5)


@pytest.mark.parametrize("wrong", [{"replicates": 1}, {"seed": -1}, {"floor": 1.5}])
def test_numbers_of_replicates_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        refit(planted_fit(), **{"replicates": 3, **wrong})


# the table


def test_components_go_from_high_to_low_energy_with_the_fits_own_numbers(found):
    fits, refits = found
    made = table1(fits, refits)
    assert made.components == ("HE1", "HE2", "LE1", "LE2")
    assert made.variables == ("FE_H", "AL_FE", "MG_FE")
    assert made.fraction == pytest.approx([*fits[0].mass_fractions[::-1], *fits[1].mass_fractions[::-1]])
    assert made.mean_fraction == pytest.approx([*fits[0].mean_fractions[::-1], *fits[1].mean_fractions[::-1]])
    for j, name in enumerate(made.variables):
        assert np.array_equal(made.values[:2, j], percentiles(fits[0], name)[::-1])


def test_percentiles_are_those_of_the_planted_stars_to_a_pixel(found):
    fits, _ = found
    table, population = four_planted()
    made = table1(fits)
    for i, name in enumerate(made.components):
        index = ("LE2", "LE1", "HE2", "HE1").index(name)
        for j, variable in enumerate(made.variables):
            low, high = fits[0].settings.chemistry.limits[variable]
            stars = np.percentile(np.asarray(table[variable])[population == index], made.q)
            assert made.values[i, j] == pytest.approx(stars, abs=1.5 * (high - low) / 30)


def test_intervals_hold_as_many_replicates_as_they_say(found):
    fits, refits = found
    made = table1(fits, refits, level=0.8, interval="percentile")
    drawn = np.array([percentiles(replace(fits[1], H=H), "AL_FE")[0, 1] for H in refits[1].H])  # LE2's median
    inside = (drawn >= made.intervals[0, 3, 1, 1]) & (drawn <= made.intervals[1, 3, 1, 1])
    assert inside.mean() == pytest.approx(0.8, abs=0.05)


def test_lost_replicates_have_no_say_and_are_said(found):
    fits, refits = found
    lost = np.arange(60)[:, None, None] < 20
    spoiled = replace(
        refits[0],
        good=~lost[:, 0, 0],
        H=np.where(lost, refits[0].H[:, ::-1], refits[0].H),
        W=np.where(lost, [1.0, 0.0], refits[0].W),
    )
    made = table1(fits[:1], [spoiled])
    kept = replace(refits[0], W=refits[0].W[20:], H=refits[0].H[20:], good=refits[0].good[20:])
    assert np.array_equal(made.intervals, table1(fits[:1], [kept]).intervals)
    assert made.fraction_interval == pytest.approx(table1(fits[:1], [kept]).fraction_interval)
    assert made.lost == (20, 20)
    assert np.isfinite(made.intervals).all()
    assert made.problems() == "not converged: 20 of 60 replicates of HE1, 20 of 60 replicates of HE2"
    with pytest.raises(UsageError, match="1 of 60 replicates are good"):
        table1(fits[:1], [replace(refits[0], good=np.arange(60) == 3)])


def test_the_file_has_the_papers_layout(found):
    fits, refits = found
    made = table1(fits, refits)
    table = made.table()
    assert len(table) == 12
    row = table[(table["component"] == "LE1") & (table["percentile"] == 90)]
    assert row["AL_FE"][0].value == made.values[2, 1, 2]
    assert (row["AL_FE_lower"][0].value, row["AL_FE_upper"][0].value) == tuple(made.intervals[:, 2, 1, 2])
    assert row["fraction"][0] == made.fraction[2]
    assert table.meta["not_converged"] == {}
    assert "LE1" in made.describe()


def test_without_replicates_there_are_no_intervals(found):
    made = table1(found[0])
    assert np.isnan(made.intervals).all()
    assert np.isnan(made.fraction_interval).all()
    assert made.replicates == (0,) * 4


def test_a_fit_that_did_not_converge_is_said(found):
    made = table1([replace(found[0][0], status="MAX_ITER")])
    assert made.problems() == "not converged: HE1 (MAX_ITER), HE2 (MAX_ITER)"
    assert made.table().meta["not_converged"] == {"HE1": "MAX_ITER", "HE2": "MAX_ITER"}


@pytest.mark.parametrize("wrong", [{"q": ()}, {"q": (101.0,)}, {"level": 1.0}])
def test_numbers_that_make_no_sense_are_refused(found, wrong):
    with pytest.raises(UsageError):
        table1(found[0], **wrong)


def test_replicates_of_other_fits_are_refused(found):
    fits, refits = found
    with pytest.raises(UsageError, match="those of the fits"):
        table1(fits, refits[::-1])


@pytest.mark.parametrize("name", ["percentile", "basic", "bias-corrected", "centred"])
def test_intervals_are_of_the_type_that_is_asked_for(found, name):
    fits, refits = found
    made = table1(fits[:1], refits[:1], interval=name, level=0.9)
    drawn = np.array([percentiles(replace(fits[0], H=H), "MG_FE")[1, 2] for H in refits[0].H])  # HE1's 90th
    low, high = TYPES[name](Ordered.of(drawn[:, None]), made.values[0, 2, 2:], 0.9)
    assert made.intervals[:, 0, 2, 2] == pytest.approx([low[0], high[0]])
    assert made.table().meta["interval"] == name


def test_an_unknown_interval_is_refused(found):
    with pytest.raises(UsageError, match="interval must be one of"):
        table1(found[0], interval="guess")
