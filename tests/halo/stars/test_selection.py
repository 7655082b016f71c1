"""Cuts: each removes what it says, missing values pass none, and the cut-flow adds up."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.stars.cutflow import CutFlow
from halonmf.halo.stars.cuts import apply_cuts, user_cuts
from halonmf.halo.stars.expressions import parse_cut
from halonmf.halo.stars.selection import SELECTIONS, halo_cuts, select
from halonmf.halo.survey.quality import QualityCuts, no_bits, quality_cuts

GOOD = {
    "ASPCAPFLAG": 1 << 7,
    "EXTRATARG": 0,
    "PROGRAMNAME": b"disk1",
    "LOGG": 2.0,
    "distance": 4.0,
    **{f"{e}{end}": value for e in ("FE_H", "AL_FE", "MG_FE") for end, value in (("", 0.1), ("_ERR", 0.05))},
    **{f"{e}_FLAG": 0 for e in ("FE_H", "AL_FE", "MG_FE")},
}


def stars(**columns):
    """Good stars, as many as the columns given are long."""
    n = len(next(iter(columns.values())))
    return Table({name: columns.get(name, [value] * n) for name, value in GOOD.items()} | columns)


def passing(table, settings=None):
    return apply_cuts(table, quality_cuts(settings))[0].tolist()


def halo(**columns):
    n = len(next(iter(columns.values())))
    return Table({"Lz": np.zeros(n), "ecc": np.zeros(n), "FE_H": np.zeros(n)} | columns)


def test_a_good_star_passes():
    assert passing(stars(LOGG=[2.0])) == [True]


@pytest.mark.parametrize("bit", [16, 17, 23])
def test_each_bad_bit_of_aspcapflag_rejects(bit):
    assert passing(stars(ASPCAPFLAG=[1 << bit, (1 << 40) | (1 << 7) | (1 << 24)])) == [False, True]


def test_flags_are_read_in_64_bits():
    assert no_bits(np.array([1 << 41, 1 << 9]), [41]).tolist() == [False, True]


@pytest.mark.parametrize(("bit", "passes"), [(0, True), (1, True), (2, False), (3, True), (4, False)])
def test_extratarg_rejects_tellurics_and_duplicates(bit, passes):
    assert passing(stars(EXTRATARG=[1 << bit])) == [passes]


def test_a_masked_flag_rejects():
    assert passing(stars(ASPCAPFLAG=[-1], EXTRATARG=[0])) == [False]


@pytest.mark.parametrize("name", [b"magclouds", b"MagClouds_evolved", "SMC_MAGCLOUD"])
def test_magellanic_programmes_are_rejected_whatever_their_case(name):
    assert passing(stars(PROGRAMNAME=[name, name[:3]])) == [False, True]


@pytest.mark.parametrize("element", ["FE_H", "AL_FE", "MG_FE"])
def test_each_element_is_held_to_its_error_flag_and_value(element):
    table = stars(**{f"{element}_ERR": [0.1, 0.2, np.nan, 0.1, 0.1]})
    table[f"{element}_FLAG"] = [0, 0, 0, 256, 0]
    table[element] = [0.0, 0.0, 0.0, 0.0, np.nan]
    assert passing(table) == [True, False, False, False, False]


def test_an_element_that_is_not_used_rejects_nothing():
    table = stars(AL_FE_FLAG=[256])
    assert passing(table, QualityCuts(elements=("FE_H", "MG_FE"))) == [True]


def test_logg_and_distance_limits_are_exclusive_and_missing_fails():
    table = stars(LOGG=[2.99, 3.0, np.nan, 2, 2, 2], distance=[1, 1, 1, 9.99, 10.0, np.nan])
    assert passing(table) == [True, False, False, True, False, False]


def test_thresholds_are_settable():
    table = stars(LOGG=[3.4], distance=[14.0], FE_H_ERR=[0.3])
    assert passing(table, QualityCuts(max_logg=3.5, max_distance=15, max_error=0.4)) == [True]


@pytest.mark.parametrize("bad", [{"elements": ("FE_H", "FE_H")}, {"elements": ()}, {"max_error": 0}])
def test_thresholds_that_make_no_sense_are_refused(bad):
    with pytest.raises(UsageError):
        QualityCuts(**bad)


def test_chemically_pure_is_retrograde_or_eccentric():
    table = halo(Lz=[-1.0, 1.0, 1.0, np.nan, 1.0], ecc=[0.1, 0.71, 0.7, 0.9, np.nan])
    assert select(table, "chemically-pure")[0].tolist() == [True, True, False, False, False]


def test_kinematically_pure_is_metal_poor():
    table = halo(FE_H=[-1.1, -1.0999, np.nan])
    assert select(table, "kinematically-pure")[0].tolist() == [True, False, False]


def test_retrograde_is_negative_lz():
    assert select(halo(Lz=[-1.0, 0.0, 1.0]), "retrograde")[0].tolist() == [True, False, False]


def test_all_keeps_every_star():
    assert select(halo(Lz=[np.nan, 1.0]), "all")[0].all()


def test_halo_thresholds_are_settable():
    table = halo(Lz=[1.0], ecc=[0.6], FE_H=[-0.9])
    assert select(table, "chemically-pure", min_eccentricity=0.5)[0].all()
    assert select(table, "kinematically-pure", max_fe_h=-0.8)[0].all()


@pytest.mark.parametrize("name", SELECTIONS)
def test_every_selection_has_a_cut_flow_that_adds_up(name):
    rng = np.random.default_rng(0)
    table = halo(Lz=rng.normal(size=200), ecc=rng.random(200), FE_H=rng.normal(-1, 0.5, 200))
    mask, flow = select(table, name, cuts=["FE_H > -2", "e<0.9"])
    assert flow.total == 200
    assert flow.passed == mask.sum()
    assert len(flow.names) == len(halo_cuts(name)) + 2


def test_an_unknown_selection_lists_the_known():
    with pytest.raises(UsageError, match="chemically-pure, kinematically-pure, retrograde, all"):
        select(halo(Lz=[1.0]), "thick-disc")


@given(st.lists(st.lists(st.booleans(), min_size=8, max_size=8), max_size=5))
def test_removed_and_passed_sum_to_the_total(masks):
    table = Table({"i": np.arange(8)})
    cuts = user_cuts([])
    for i, mask in enumerate(masks):
        table[f"m{i}"] = np.array(mask, dtype=int)
        cuts += user_cuts([f"m{i}==1"])
    mask, flow = apply_cuts(table, cuts)
    assert sum(flow.removed) + flow.passed == flow.total == 8
    assert flow.passed == mask.sum()


def test_a_cut_flow_survives_its_table():
    flow = CutFlow(10).removing("a", 3).removing("b", 0).then(CutFlow(7).removing("c", 7))
    assert CutFlow.from_table(flow.to_table()) == flow


def test_a_cut_flow_survives_ecsv(tmp_path):
    flow = CutFlow(10).removing("FE_H_ERR < 0.2", 3)
    flow.write(tmp_path / "cutflow.ecsv")
    assert CutFlow.from_table(Table.read(tmp_path / "cutflow.ecsv")) == flow


def test_a_cut_flow_that_does_not_add_up_is_refused():
    table = CutFlow(10).removing("a", 3).to_table()
    table["left"][1] = 8
    with pytest.raises(InputError, match="sum"):
        CutFlow.from_table(table)


def test_a_cut_flow_cannot_remove_more_than_there_is():
    with pytest.raises(ValueError, match="cannot remove"):
        CutFlow(3).removing("a", 4)


def test_the_printed_cut_flow_has_a_line_per_cut():
    lines = str(CutFlow(1234567).removing("LOGG < 3", 1000)).splitlines()
    assert lines[-1].split() == ["LOGG", "<", "3", "1,000", "1,233,567"]
    assert len(lines) == 3


TABLE = QTable(
    {
        "LOGG": [1.0, 2.0, 3.0, np.nan],
        "E": [-2.0, -1.8, -1.0, -3.0] * u.Unit("1e5 km2 / s2"),
        "z_gal": [-1.0, 3.0, 0.5, -4.0] * u.kpc,
        "MG_FE": [0.1, 0.2, 0.3, 0.4],
        "ecc": [0.1, 0.9, 0.5, 0.2],
        "FLAG": MaskedColumn([0, 1, 0, 0], mask=[False, False, True, False]),
    }
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("LOGG<3", [1, 1, 0, 0]),
        ("LOGG <= 3", [1, 1, 1, 0]),
        ("LOGG != 2", [1, 0, 1, 0]),
        ("E>-1.8e5", [0, 0, 1, 0]),
        ("E >= -1.8E+5", [0, 1, 1, 0]),
        ("|z|<2", [1, 0, 1, 0]),
        ("z<2", [1, 0, 1, 0]),
        ("|E| > 1.9e5", [1, 0, 0, 1]),
        ("0.1<MG_FE<0.3", [0, 1, 0, 0]),
        (".3 >= MG_FE > .1", [0, 1, 1, 0]),
        ("e > 0.4 and LOGG<3", [0, 1, 0, 0]),
        ("e > 0.4 & LOGG<3", [0, 1, 0, 0]),
        ("-LOGG < -1.5", [0, 1, 1, 0]),
        ("FLAG == 0", [1, 0, 0, 1]),
        ("MG_FE < e", [0, 1, 1, 0]),
    ],
)
def test_a_condition_keeps_what_it_says(text, kept):
    assert parse_cut(text)(TABLE).tolist() == [bool(k) for k in kept]


@pytest.mark.parametrize(
    "text",
    [
        "", "LOGG", "<3", "LOGG<", "3<4", "LOGG<3 4", "LOGG<3 and", "and LOGG<3", "|z<2", "|2|<3", "LOGG<<3", "LOGG=<3",
        "LOGG<1.2.3", "LOGG<3x", "(LOGG<3)", "LOGG<3;E<0", "__import__('os').system('true')<1", "LOGG.__class__<1",
        "E<0 or LOGG<3", "LOGG<1e", "a[0]<1", "LOGG<nan(1)", "'a'<LOGG",
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused_in_one_line(text):
    with pytest.raises(UsageError, match="is not a condition") as caught:
        parse_cut(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_a_usage_error(text):
    try:
        parsed = parse_cut(text)
    except UsageError:
        return
    assert callable(parsed)


def test_an_unknown_variable_is_told_what_there_is():
    with pytest.raises(UsageError, match=r"'FE_H'.*LOGG"):
        parse_cut("FE_H<0")(TABLE)


def test_case_tells_energy_from_eccentricity():
    assert parse_cut("e<0.15")(TABLE).tolist() != parse_cut("E<0.15")(TABLE).tolist()


@pytest.mark.parametrize("limit", ["max_fe_h", "min_eccentricity"])
def test_a_limit_that_is_no_number_is_refused(limit):
    with pytest.raises(UsageError, match="must be numbers"):
        select(TABLE, "all", **{limit: np.nan})
    with pytest.raises(UsageError, match="max_logg must be a number"):
        QualityCuts(max_logg=np.nan)
