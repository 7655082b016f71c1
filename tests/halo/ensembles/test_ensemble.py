"""Axes, their product, and the batches that it is cut into."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.ensembles.plan import Part, Plan, decode, encode, share
from halonmf.halo.ensembles.runner import check
from halonmf.halo.ensembles.settings import parse_shard
from halonmf.halo.ensembles.sweeps import Sweep, parse_sweep
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.replicates.setup import Setup


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("pixels=10:60:10", (10, 20, 30, 40, 50, 60)),
        ("bins=5:12", (5, 6, 7, 8, 9, 10, 11, 12)),
        ("components=2,3", (2, 3)),
        ("components=2:3,7", (2, 3, 7)),
        ("pixels=10:35:10", (10, 20, 30)),
        ("alpha_W=0:0.3:0.1", (0.0, 0.1, 0.2, 0.3)),
        ("loss=frobenius,kullback-leibler,1.5", ("frobenius", "kullback-leibler", "1.5")),
        ("drop=sqrt,3", ("sqrt", 3)),
        (" seed = 1 , 2", (1, 2)),
        ("selection=retrograde,all", ("retrograde", "all")),
    ],
)
def test_a_sweep_is_read(text, values):
    assert parse_sweep(text).values == values


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pixels", "expected AXIS="),
        ("pixel=10:20", "no axis 'pixel'; known: pixels"),
        ("pixels=20:10", "20:10 is empty"),
        ("pixels=10:20:0", "step of 10:20:0 must be above zero"),
        ("pixels=10:20:-5", "must be above zero"),
        ("pixels=", "'' is not a whole number"),
        ("pixels=10.5", "'10.5' is not a whole number"),
        ("pixels=1:2:3:4", "is not a whole number, or LOW:HIGH"),
        ("alpha_W=nan", "is not a finite number"),
        ("alpha_W=0:inf", "is not a finite number"),
        ("selection=halo", "'halo' is not one of chemically-pure"),
        ("drop=some", "drop must be sqrt or a number of stars"),
        ("seed=1,2,1", "has 1 twice"),
        ("loss=frobenius,", "'' is not a value"),
        ("seed=0:10000000", "values, more than"),
    ],
)
def test_a_sweep_that_makes_no_sense_says_why(text, says):
    with pytest.raises(UsageError) as caught:
        parse_sweep(text)
    assert says in str(caught.value)


def test_the_paper_s_robustness_sweep_has_48_set_ups():
    plan = Plan(Setup(), (parse_sweep("pixels=10:60:10"), parse_sweep("bins=5:12")), 100)
    assert len(plan.setups) == 48
    assert plan.fits == 48 * 101
    assert plan.labels[:2] == ("pixels=10 bins=5", "pixels=10 bins=6")
    assert plan.setups[1].fit.chemistry.pixels == 10
    assert [axis.count for axis in plan.setups[1].fit.axes] == [6, 6]
    assert len(set(map(repr, plan.setups))) == 48


def test_a_plan_without_sweeps_is_its_base():
    plan = Plan(Setup(), replicates=3)
    assert plan.setups == (Setup(),)
    assert plan.labels == ("base",)


@pytest.mark.parametrize(
    ("sweeps", "says"),
    [
        ([("seed", (1,)), ("seed", (2,))], "seed: given twice"),
        ([("pixels", (0,))], "pixels must be >= 1"),
        ([("scheme", ("jackknife",))], "scheme must be one of"),
        ([("seed", (2**63,))], "below 2^63"),
        ([("alpha_W", (0.0, -1.0))], "alpha_W must be a finite number >= 0"),
        ([("l1_ratio", (2.0,))], "l1_ratio must lie between 0 and 1"),
        ([("starts", (0,))], "starts must be >= 1"),
        ([("seed", ([1],))], "sweep seed: expected numbers or texts, got list"),
        ([("seed", tuple(range(100_001)))], "sweep seed: has 100,001 values, more than 100,000"),
        ([("seed", tuple(range(1000))), ("pixels", tuple(range(1, 1000)))], "more than 100,000"),
    ],
)
def test_plans_that_make_no_sense_are_refused(sweeps, says):
    with pytest.raises(UsageError) as caught:
        Plan(Setup(), tuple(Sweep(*sweep) for sweep in sweeps))
    assert says in str(caught.value)


@pytest.mark.parametrize("wrong", [("loss", "kulback"), ("loss", "nan"), ("init", "nndsvdz"), ("update", "adam")])
def test_a_name_that_the_engine_does_not_know_is_refused_before_anything_is_computed(wrong):
    name, value = wrong
    known = {"loss": "0.5", "init": "random", "update": "hals"}[name]
    check(Plan(Setup(), (Sweep(name, (known,)),), 1))
    with pytest.raises(UsageError, match=f"{name} must be one of .*{value}"):
        check(Plan(Setup(), (Sweep(name, (known, value)),), 1))


@given(
    replicates=st.integers(0, 300), batch=st.integers(1, 100), seeds=st.integers(1, 5), pixels=st.integers(1, 3),
    shards=st.integers(1, 7),
)  # fmt: skip
def test_batches_and_shards_hold_every_replicate_once(replicates, batch, seeds, pixels, shards):
    sweeps = (Sweep("pixels", tuple(range(1, pixels + 1))), Sweep("seed", tuple(range(seeds))))
    plan = Plan(Setup(), sweeps, replicates, batch)
    for batches in (plan.batches, [b for i in range(shards) for b in share(plan.batches, i + 1, shards)]):
        assert [b.index for b in batches] == list(range(len(plan.batches)))
        parts = [part for b in batches for part in b.parts]
        held = sorted((part.setup, b) for part in parts for b in range(part.first, part.first + part.count))
        assert held == [(i, b) for i in range(len(plan.setups)) for b in range(replicates)]
        assert sorted(part.setup for part in parts if part.first == 0) == list(range(len(plan.setups)))
    for b in plan.batches:
        assert sum(max(part.count, 1) for part in b.parts) <= batch
        assert len({plan.setups[part.setup].fit.chemistry.pixels for part in b.parts}) == 1


def test_a_plan_of_more_files_than_have_numbers_is_refused():
    with pytest.raises(UsageError, match=r"1,000,000,000 parts, more than 1,000,000; give a larger batch \(--batch\)"):
        Plan(Setup(), (), 10**9, 1)
    assert len(Plan(Setup(), (), 10**9, 10**4).batches) == 10**5


def test_small_set_ups_of_one_shape_share_batches():
    plan = Plan(Setup(), (Sweep("seed", tuple(range(1000))),), 1, 256)
    assert len(plan.batches) == 4
    assert plan.batches[0].parts[:2] == (Part(0, 0, 1), Part(1, 0, 1))


def test_shards_are_about_equal():
    plan = Plan(Setup(), (parse_sweep("pixels=10:60:10"), parse_sweep("bins=5:12")), 100)
    fits = [sum(b.fits for b in share(plan.batches, i, 5)) for i in range(1, 6)]
    assert max(fits) - min(fits) <= 101


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/2/3", "1/0"])
def test_any_other_shard_is_refused(text):
    with pytest.raises(UsageError, match="shard"):
        parse_shard(text)


def test_a_plan_survives_json():
    base = Setup(FitSettings.of(cuts=("LOGG<2",), starts=3), scheme="delete", drop=5, floor=0.25)
    plan = Plan(base, (parse_sweep("alpha_W=0:1:0.25"), parse_sweep("drop=sqrt,2")), 10, 7, True)
    again = decode(json.loads(json.dumps(encode(plan))))
    assert again == plan
    assert again.setups == plan.setups
    assert again.batches == plan.batches
