"""Mapping files of the second version: what their entries make of columns, and what is refused in one line."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.stars.variables import values
from halonmf.halo.survey.mapping import read_mapped

ORBITS = 'id = "id"\nE = "E"\nLz = "Lz"\n'


def catalogue(**columns):
    n = len(next(iter(columns.values()))) if columns else 4
    plain = {"id": np.arange(n), "E": np.full(n, -1.5e5), "Lz": np.full(n, 500.0)}
    return Table(plain | columns)


def read(tmp_path, table, text="", *, name="t.fits", head="", columns=ORBITS):
    """Read a table through a mapping whose [catalogue] has `head`, and which ends with `text`."""
    if isinstance(table, Table):
        table.write(tmp_path / name, overwrite=True)
    else:
        (tmp_path / name).write_text(table)
    (tmp_path / "m.toml").write_text(f"version = 2\n[catalogue]\n{head}\n[columns]\n{columns}\n{text}\n")
    return read_mapped(tmp_path / name, tmp_path / "m.toml")


def refused(tmp_path, table, text="", match="", **where):
    with pytest.raises(InputError, match=match) as caught:
        read(tmp_path, table, text, **where)
    assert "\n" not in str(caught.value)


# what entries make of columns


def test_differences_have_errors_in_quadrature(tmp_path):
    table = catalogue(
        mg=np.float32([-1, -0.5]),
        fe=np.float32([-1.25, -0.5]),
        e_mg=np.float32([0.03] * 2),
        e_fe=np.float32([0.04] * 2),
    )
    text = '[abundances]\nMG_FE = { column = "mg", minus = "fe", error = ["e_mg", "e_fe"] }'
    found = read(tmp_path, table, text).table
    np.testing.assert_allclose(found["MG_FE"], [0.25, 0], atol=1e-7)
    np.testing.assert_allclose(found["MG_FE_ERR"], 0.05, rtol=1e-6)


def test_sums_and_differences_of_several_columns(tmp_path):
    table = catalogue(a=[1.0, 2], b=[10.0, 20], c=[100.0, 200])
    text = '[abundances]\nFE_H = { column = "a", plus = ["b"], minus = ["c", "a"], scale = 0.01 }'
    np.testing.assert_allclose(read(tmp_path, table, text).table["FE_H"], [-0.9, -1.8])


def test_a_difference_of_which_a_part_is_missing_is_missing(tmp_path):
    table = catalogue(mg=[0.1, np.nan, 0.1], fe=[0.0, 0.0, -9999.0])
    found = read(tmp_path, table, '[abundances]\nMG_FE = { column = "mg", minus = "fe" }').table["MG_FE"]
    assert np.isnan(found).tolist() == [False, True, True]


def test_limits_become_errors(tmp_path):
    table = catalogue(
        lo=[900.0, np.nan, 1100.0, 900.0], hi=[1200.0, 1200.0, 1200.0, 900.0], mid=[1000.0, 1000.0, 1000.0, 900.0]
    )
    columns = ORBITS + 'distance_error = { low = "lo", high = "hi", centre = "mid", unit = "pc" }'
    found = read(tmp_path, table, columns=columns).table["distance_error"]
    np.testing.assert_allclose(found, [0.15, 0.2, np.nan, np.nan])
    assert found.unit == u.kpc
    columns = ORBITS + 'distance_error = { low = "lo", high = "hi", unit = "pc" }'
    np.testing.assert_allclose(
        read(tmp_path, table, columns=columns).table["distance_error"], [0.15, np.nan, 0.05, np.nan]
    )


@pytest.mark.parametrize("limits", ['low = "hi", high = "lo"', 'low = "down", high = "up", centre = "E"'])
def test_limits_that_are_none_in_most_rows_are_refused(tmp_path, limits):
    table = catalogue(lo=[-1.6e5] * 3, hi=[-1.4e5] * 3, down=[1e3] * 3, up=[2e3] * 3)
    columns = ORBITS + f"distance_error = {{ {limits} }}"
    refused(tmp_path, table, match="does not hold in most rows; low and high may be exchanged", columns=columns)


def test_errors_add_in_quadrature_and_zero_is_none(tmp_path):
    table = catalogue(a=[3.0, 0.0, -1.0], b=[4.0, 4.0, 4.0])
    found = read(tmp_path, table, columns=ORBITS + 'rv_error = { quadrature = ["a", "b"] }').table
    np.testing.assert_allclose(found["radial_velocity_error"], [5, np.nan, np.nan])


def test_a_sign_turns_round_values_but_not_their_errors(tmp_path):
    columns = ORBITS + 'pmra = { column = "pm", scale = -1 }\npmra_error = { column = "e_pm", scale = -1 }'
    found = read(tmp_path, catalogue(pm=[1.0, 2.0], e_pm=[0.1, 0.2]), columns=columns).table
    assert found["pmra"].tolist() == [-1.0, -2.0]
    assert found["pmra_error"].tolist() == [0.1, 0.2]


def test_the_first_alternative_whose_files_are_given_counts(tmp_path):
    table = catalogue(d=[1.0, 2.0])
    text = '[tables.dist]\non = "id"\noptional = true'
    columns = ORBITS + 'distance = [{ column = "dist.far" }, "d"]\nSNR = "dist.snr"'
    found = read(tmp_path, table, text, columns=columns)
    assert found.table["distance"].tolist() == [1.0, 2.0]
    assert "SNR" not in found.table.colnames
    Table({"id": [1, 0], "far": [20.0, 10.0], "snr": [5.0, 6.0]}).write(tmp_path / "d.fits")
    found = read_mapped([tmp_path / "t.fits", tmp_path / "d.fits"], tmp_path / "m.toml")
    assert found.table["distance"].tolist() == [10.0, 20.0]
    assert found.table["SNR"].tolist() == [6.0, 5.0]


# missing values


def test_missing_values_are_compared_in_the_precision_of_the_column(tmp_path):
    table = catalogue(x=np.array([-999.9, 1.0], np.float32), y=np.array([-999.9, 1.0]))
    text = '[abundances]\nFE_H = "x"\nMG_FE = "y"'
    found = read(tmp_path, table, text, head="missing = -999.9").table
    assert np.isnan(found["FE_H"]).tolist() == np.isnan(found["MG_FE"]).tolist() == [True, False]


def test_missing_values_may_be_texts_and_may_be_of_one_entry(tmp_path):
    text = "id,E,Lz,x,y\n1,-1e5,500,null,7\n2,-1e5,500,0.5,0.7\n3,-1e5,500,-1,-1\n"
    found = read(
        tmp_path,
        text,
        '[abundances]\nFE_H = { column = "x", missing = -1 }\nMG_FE = { column = "y", missing = [7] }',
        name="t.csv",
        head='missing = ["null"]',
    ).table
    np.testing.assert_allclose(found["FE_H"], [np.nan, 0.5, np.nan])
    np.testing.assert_allclose(found["MG_FE"], [np.nan, 0.7, -1])


def test_a_missing_value_passes_no_condition(tmp_path):
    found = read(tmp_path, catalogue(rv=[-999, 5]), head='missing = -999\nquality = "rv < 10"')
    assert found.keep.tolist() == [False, True]


def test_a_bad_cell_is_named_by_row_and_text(tmp_path):
    text = "id,E,Lz,x\n1,-1e5,500,0.5\n2,-1e5,500,N/A \n"
    refused(
        tmp_path, text, '[abundances]\nFE_H = "x"', r"t\.csv: row 2 of column x holds 'N/A', expected one number",
        name="t.csv",
    )  # fmt: skip


def test_true_and_false_are_numbers(tmp_path):
    text = "id,E,Lz,bad\n1,-1e5,500,True\n2,-1e5,500,False\n3,-1e5,500,\n"
    assert read(tmp_path, text, name="t.csv", head='quality = "bad == 0"').keep.tolist() == [False, True, False]


def test_logical_columns_can_be_conditions(tmp_path):
    table = catalogue(bad=np.array([True, False]))
    assert read(tmp_path, table, head='quality = "bad == 0"').keep.tolist() == [False, True]


# units


def with_unit(tmp_path, unit, value=0.001):
    columns = [
        fits.Column("id", "K", array=[1]), fits.Column("E", "D", array=[-1.5e5]), fits.Column("Lz", "D", array=[500.0]),
        fits.Column("pm", "D", unit=unit, array=[value]),
    ]  # fmt: skip
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    return Table.read(tmp_path / "t.fits")


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
@pytest.mark.parametrize(
    ("unit", "entry", "factor"),
    [
        ("arcsec/yr", 'pmra = "pm"', 1e3),
        ("rad/yr", 'pmra = "pm"', (1 * u.rad).to_value(u.mas)),
        ("mas.yr-1", 'pmra = "pm"', 1),
        ("m/s", 'rv = "pm"', 1e-3),
        ("km/sec", 'rv = { column = "pm", unit = "m / s", overrule = true }', 1e-3),
        ("RADIANS", 'ra = { column = "pm", unit = "rad", overrule = true }', 180 / np.pi),
        ("RADIANS", 'ra = { column = "pm", unit = "rad" }', 180 / np.pi),
        ("1/(km2 s2)", 'J_r = { column = "pm", unit = "kpc km / s", overrule = true }', 1),
    ],
)
def test_the_unit_of_the_file_is_converted_or_overruled(tmp_path, unit, entry, factor):
    with_unit(tmp_path, unit)
    (tmp_path / "m.toml").write_text(f"version = 2\n[columns]\n{ORBITS}{entry}\n")
    found = read_mapped(tmp_path / "t.fits", tmp_path / "m.toml").table
    name = {"ra": "RA", "rv": "radial_velocity"}.get(entry.split(" = ")[0], entry.split(" = ")[0])
    np.testing.assert_allclose(found[name], 0.001 * factor)


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
@pytest.mark.parametrize(
    ("unit", "entry", "said"),
    [
        ("RADIANS", 'ra = "pm"', "unit of column pm, 'RADIANS', cannot be read; .*overrule = true"),
        ("1/(km2 s2)", 'J_r = "pm"', r"column pm is in 1 / \(km2 s2\) by the file, expected kpc km / s; .*overrule"),
        ("kpc", 'distance = { column = "pm", unit = "pc" }', "in pc by the mapping, in kpc by the file; .*overrule"),
        ("kpc", 'pmra = { column = "pm", unit = "mas / yr" }', "in mas / yr by the mapping, in kpc by the file"),
    ],
)
def test_a_unit_that_is_wrong_or_unreadable_is_refused_with_what_overrules_it(tmp_path, unit, entry, said):
    with_unit(tmp_path, unit)
    (tmp_path / "m.toml").write_text(f"version = 2\n[columns]\n{ORBITS}{entry}\n")
    with pytest.raises(InputError, match=said):
        read_mapped(tmp_path / "t.fits", tmp_path / "m.toml")


# conditions, repeats


def test_every_condition_is_counted_and_rows_that_do_not_exist_first(tmp_path):
    table = catalogue(id=[1, 1, 2, -1], snr=[50.0, 90.0, 30.0, 99.0], by=["a", "a", "a", "a"])
    head = 'require = "id > 0"\nbest = "snr"\nquality = ["snr > 40", "by == \'a\'"]'
    found = read(tmp_path, table, head=head)
    assert [(said, met.tolist()) for said, met in found.exist] == [
        ("require: id > 0", [True, True, True, False]),
        ("best snr of each id", [False, True, True, False]),
    ]
    assert [said for said, _ in found.conditions] == ["snr > 40", "by == 'a'"]
    assert found.keep.tolist() == [False, True, False, False]


@pytest.mark.parametrize(("best", "expected"), [("chi2", [0, 1]), ("-chi2", [1, 0])])
def test_of_rows_with_one_id_the_best_is_kept(tmp_path, best, expected):
    table = catalogue(id=["s", "s"], chi2=[1.0, 2.0])
    found = read(tmp_path, table, head=f'best = "{best}"')
    assert found.keep.tolist() == [bool(x) for x in expected]


def test_a_row_without_a_value_is_the_best_only_where_it_is_alone(tmp_path):
    table = catalogue(id=[1, 1, 2], snr=[np.nan, 5.0, np.nan])
    assert read(tmp_path, table, head='best = "snr"').keep.tolist() == [False, True, True]


def test_of_equally_good_rows_the_first_is_kept(tmp_path):
    assert read(tmp_path, catalogue(id=[7, 7, 7], snr=[5.0, 5.0, 5.0]), head='best = "snr"').keep.tolist() == [
        True,
        False,
        False,
    ]


def test_repeated_ids_without_a_rule_are_refused(tmp_path):
    refused(tmp_path, catalogue(id=[1, 1]), match="1 ids are repeated: 1; .*best")


def test_rows_without_an_id_are_refused_unless_left_out(tmp_path):
    table = catalogue(id=["a", ""], x=[1, 0])
    refused(tmp_path, table, match=r"1 rows have no id in column id, the first is row 2; leave them out by require")
    assert read(tmp_path, table, head='require = "x == 1"').keep.tolist() == [True, False]


@pytest.mark.parametrize("pack", ["t.csv", "t.fits"])
def test_texts_are_compared_without_the_spaces_around_them(tmp_path, pack):
    table = catalogue(pipeline=["aspcap  ", "apogeenet"])
    assert read(tmp_path, table, name=pack, head="quality = \"pipeline == 'aspcap'\"").keep.tolist() == [True, False]
    assert read(tmp_path, table, name=pack, head="quality = \"pipeline != 'aspcap' and E < 0\"").keep.tolist() == [
        False,
        True,
    ]


def test_a_text_may_hold_the_word_and(tmp_path):
    table = catalogue(field=["disc and halo", "disc"], snr=[50, 60])
    head = "quality = \"field == 'disc and halo' and snr > 40\""
    assert read(tmp_path, table, head=head).keep.tolist() == [True, False]


# flags


BITS = "[bits.flags]\nsuspicious = 3\nfar = 40"


@pytest.mark.parametrize(
    ("flag", "raised"),
    [
        ('"flags"', [0, 1, 8, 1 << 40, -1]),
        ('{ column = "flags", bits = [3] }', [0, 0, 1, 0, -1]),
        ('{ column = "flags", bits = ["suspicious", 0] }', [0, 1, 1, 0, -1]),
        ('{ column = "flags", bits = ["far"] }', [0, 0, 0, 1, -1]),
        ('{ column = "flags", mask = 9 }', [0, 1, 1, 0, -1]),
        ('{ column = "flags", allowed = [0, 1] }', [0, 0, 1, 1, -1]),
        ('{ column = "by", allowed = "a" }', [0, 0, 1, 0, -1]),
        ('[{ column = "flags", bits = [3] }, { column = "by", allowed = ["b"] }]', [1, 1, 1, 1, -1]),
    ],
)
def test_flags_are_raised_by_bits_masks_and_values(tmp_path, flag, raised):
    table = catalogue(
        flags=MaskedColumn([0, 1, 8, 1 << 40, 0], mask=[0, 0, 0, 0, 1], fill_value=-99),
        by=["a", "a", "b", "a", ""],
        fe=np.zeros(5),
    )
    found = read(tmp_path, table, f'[abundances]\nFE_H = {{ column = "fe", flag = {flag} }}\n{BITS}')
    assert found.table["FE_H_FLAG"].tolist() == raised


def test_a_masked_flag_is_never_good(tmp_path):
    table = catalogue(flags=MaskedColumn([0, 0], mask=[0, 1], fill_value=-99))
    assert read(tmp_path, table, head='quality = { column = "flags" }').keep.tolist() == [True, False]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ('{ column = "flags", bits = ["odd"] }', r"names bit odd of flags, and \[bits.flags\] has suspicious, far"),
        ('{ column = "flags", bits = [64] }', "whole numbers from 0 to 63"),
        ('{ column = "flags", mask = 0 }', "whole number above 0"),
        ('{ column = "flags", bits = [1], mask = 3 }', "one of bits, mask, allowed"),
        ('{ bits = [1] }', "must be a column"),
        ("[]", "empty list"),
        ("3", "must be a column"),
        ('{ column = "x", bits = [1] }', "row 1 of column x holds 0.5, expected a whole number"),
    ],
)  # fmt: skip
def test_a_flag_that_makes_no_sense_is_refused(tmp_path, flag, said):
    table = catalogue(flags=[0], x=[0.5], fe=[0.0])
    refused(tmp_path, table, f'[abundances]\nFE_H = {{ column = "fe", flag = {flag} }}\n{BITS}', said)


# the grammar


@pytest.mark.parametrize(
    ("head", "text", "said"),
    [
        ("missing = {a = 1}", "", "missing in .catalogue. must be a number, a text, or a list"),
        ("missing = true", "", "missing in .catalogue. must be a number"),
        ("extension = -1", "", "extension in .catalogue. must be a whole number from 0 or a name"),
        ("extension = true", "", "extension in .catalogue. must be"),
        ("best = 3", "", "best in .catalogue. must be a column's name"),
        ('best = ""', "", "best in .catalogue. must be a column's name"),
        ("", '[abundances]\nFE_H = ""', "column in FE_H of .abundances. must be a column's name"),
        ("", '[abundances]\nFE_H = { column = "E", minus = "" }', "minus in FE_H of .abundances. must be a column"),
        ("", '[abundances]\nFE_H = { column = "E", flag = "" }', "column in flag of FE_H must be a column's name"),
        ("quality = 3", "", "quality in .catalogue. must be a text"),
        ('quality = "snr >"', "", "quality: cut"),
        ('require = ["snr > 3", "("]', "", "require: cut"),
        ('unusual = ["Lx"]', "", "lists Lx, which is no entry"),
        ("", "[table.x]", "unknown table in the top level"),
        ("", "[tables.x]\nfrom = 3", r"unknown from in \[tables.x\]"),
        ("", "[tables.x]\nextension = 2", r"\[tables.x\] needs on"),
        ("", '[tables.x]\non = ["a", "b", "c"]', "on in .tables.x. must be a column's name, or a list of two"),
        ("", '[tables."a b"]\non = "id"', "letters, digits"),
        ("", "[bits]\nflags = 3", r"\[bits.flags\] must be a table"),
        ("", "[bits.flags]\nodd = 70", "bit odd of flags must be a whole number from 0 to 63"),
        ("", "[abundances]\nFE_H = 3", "FE_H in .abundances. must be a column's name or a table"),
        ("", "[abundances]\nFE_H = []", "FE_H in .abundances. must be a column's name or a table"),
        ("", '[abundances]\nFE_H = { column = "a", low = "b", high = "c" }', "FE_H in .abundances. must be"),
        ("", '[abundances]\nFE_H = { column = "E", plus = 3 }', "plus in FE_H of .abundances. must be"),
        ("", '[abundances]\nFE_H = { column = "E", overrule = true }', "overrule of FE_H in .abundances. needs unit"),
        ("", '[abundances]\nFE_H = { column = "E", error = { low = "E" } }', "error of FE_H in .abundances. must be"),
        ("", '[abundances]\nFE_H = { column = "E", error = { column = "E", centre = "E" } }', "needs low and high"),
        ("", "[abundances]\nFE_H = { column = 'E', error = 3 }", "error of FE_H in .abundances. must be"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_by_name(tmp_path, head, text, said):
    refused(tmp_path, catalogue(), text, said, head=head)


@pytest.mark.parametrize("version", ["0", "3", "true", '"2"', "1.5"])
def test_other_versions_are_refused(tmp_path, version):
    (tmp_path / "m.toml").write_text(f"version = {version}\n[columns]\n{ORBITS}")
    catalogue().write(tmp_path / "t.fits")
    with pytest.raises(InputError, match="version must be 1 or 2"):
        read_mapped(tmp_path / "t.fits", tmp_path / "m.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[catalogue]\nbest = 'snr'\n[columns]\n" + ORBITS, r"best in \[catalogue\] needs version = 2"),
        ("[columns]\n" + ORBITS + 'distance = { column = "d", overrule = true, unit = "pc" }', "needs version = 2"),
        ("[tables.x]\non = 'id'\n[columns]\n" + ORBITS, "tables in the top level needs version = 2"),
    ],
)
def test_entries_of_version_2_say_so_in_a_file_of_version_1(tmp_path, text, said):
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(InputError, match=said):
        read_mapped(tmp_path / "t.fits", tmp_path / "m.toml")


def test_a_condition_of_version_1_has_the_units_of_the_conventions(tmp_path):
    table = catalogue(distance=[1000.0, 6000.0] * u.pc, fe=[0.0, 0.0])
    table.write(tmp_path / "t.fits")
    text = f'[catalogue]\nquality = "distance < 5"\n[columns]\n{ORBITS}[abundances]\nFE_H = "fe"\n'
    (tmp_path / "m.toml").write_text(text)
    assert read_mapped(tmp_path / "t.fits", tmp_path / "m.toml").keep.tolist() == [True, False]
    (tmp_path / "m.toml").write_text("version = 2\n" + text.replace("< 5", "< 5000"))
    assert read_mapped(tmp_path / "t.fits", tmp_path / "m.toml").keep.tolist() == [True, False]


# what must be named


def test_the_energy_alone_is_enough(tmp_path):
    found = read(tmp_path, catalogue(), columns='id = "id"\nE = "E"')
    assert found.has_orbits
    assert found.table.colnames == ["APOGEE_ID", "E"]


def test_an_energy_without_lz_gives_way_to_positions_and_velocities(tmp_path):
    sky = {name: np.full(4, 1.0) for name in ("ra", "dec", "d", "pmra", "pmdec", "rv")}
    names = "".join(f'{key} = "{key}"\n' for key in ("ra", "dec", "pmra", "pmdec", "rv"))
    assert not read(
        tmp_path, catalogue(**sky), columns=f'id = "id"\nE = "E"\ndistance = "d"\n{names}'
    ).has_orbits  # computed: half an orbit is none


def test_energies_state_what_they_are_measured_from(tmp_path):
    found = read(tmp_path, catalogue(), head='potential = "MWPotential2014"\nzero_point = "Phi(infinity) = 0"')
    assert found.states == {"potential": "MWPotential2014", "zero_point": "Phi(infinity) = 0"}


def test_ids_may_be_large_integers_bytes_or_texts(tmp_path):
    for ids, expected in (([2**61 + 1, 7], [str(2**61 + 1), "7"]), (np.array([b"a ", b"b"]), ["a", "b"])):
        assert read(tmp_path, catalogue(id=ids)).table["APOGEE_ID"].tolist() == expected


# further files


def joined(tmp_path, main, other, on='"id"', more=""):
    main.write(tmp_path / "t.fits", overwrite=True)
    other.write(tmp_path / "o.fits", overwrite=True)
    text = f'version = 2\n[tables.far]\non = {on}\n{more}\n[columns]\n{ORBITS}distance = "far.d"\n'
    (tmp_path / "m.toml").write_text(text)
    return read_mapped([tmp_path / "t.fits", tmp_path / "o.fits"], tmp_path / "m.toml")


def test_rows_are_joined_by_id_in_any_order(tmp_path):
    rng = np.random.default_rng(0)
    ids = rng.permutation(100)
    found = joined(tmp_path, catalogue(id=ids), Table({"id": np.arange(100), "d": 1 + np.arange(100.0) / 100}))
    np.testing.assert_allclose(found.table["distance"], 1 + ids / 100)
    assert found.warnings == ()


def test_columns_of_ids_may_have_other_names_and_kinds(tmp_path):
    found = joined(
        tmp_path, catalogue(id=[3, 1, 2]), Table({"star": ["1", "2", "3"], "d": [1.0, 2.0, 3.0]}), '["id", "star"]'
    )
    assert found.table["distance"].tolist() == [3.0, 1.0, 2.0]


def test_rows_without_a_partner_lack_its_columns_and_few_partners_are_a_warning(tmp_path):
    found = joined(tmp_path, catalogue(id=[1, 2, 3]), Table({"id": [2], "d": [5.0]}))
    np.testing.assert_array_equal(found.table["distance"], [np.nan, 5, np.nan])
    assert "33 % of the rows" in found.warnings[0]


def test_files_without_a_common_id_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"none of its rows has an id of .*release"):
        joined(tmp_path, catalogue(id=[1, 2]), Table({"id": [8, 9], "d": [1.0, 2.0]}))


def test_repeats_in_a_further_file_need_a_rule(tmp_path):
    other = Table({"id": [1, 1, 9, 9], "d": [1.0, 2.0, 3.0, 3.0], "q": [1, 2, 1, 1]})
    with pytest.raises(InputError, match=r"1 ids of id are repeated, among them 1; .*best in \[tables.far\]"):
        joined(tmp_path, catalogue(id=[1, 2]), other)
    assert joined(tmp_path, catalogue(id=[1, 2]), other, more='best = "q"').table["distance"][0] == 2.0
    assert joined(tmp_path, catalogue(id=[1, 2]), other, more='require = "q < 2"').table["distance"][0] == 1.0


def test_missing_ids_join_nothing(tmp_path):
    main = catalogue(id=[1, 2], key=[-1, 5])
    other = Table({"key": [-1, 5], "d": [1.0, 2.0]})
    main.write(tmp_path / "t.fits")
    other.write(tmp_path / "o.fits")
    (tmp_path / "m.toml").write_text(
        f'version = 2\n[catalogue]\nmissing = -1\n[tables.far]\non = "key"\n[columns]\n{ORBITS}distance = "far.d"\n'
    )
    found = read_mapped([tmp_path / "t.fits", tmp_path / "o.fits"], tmp_path / "m.toml").table["distance"]
    np.testing.assert_array_equal(found, [np.nan, 2])


def test_conditions_may_name_columns_of_further_files(tmp_path):
    catalogue(id=[1, 2]).write(tmp_path / "t.fits")
    Table({"id": [2, 1], "d": [1.0, 2.0], "ruwe": [1.0, 3.0]}).write(tmp_path / "o.fits")
    (tmp_path / "m.toml").write_text(
        f'version = 2\n[catalogue]\nquality = "far.ruwe < 1.4"\n[tables.far]\non = "id"\n[columns]\n{ORBITS}'
    )
    assert read_mapped([tmp_path / "t.fits", tmp_path / "o.fits"], tmp_path / "m.toml").keep.tolist() == [False, True]


def test_files_are_given_by_name_or_in_order(tmp_path):
    catalogue(id=[1]).write(tmp_path / "t.fits")
    for name, d in (("a", 1.0), ("b", 2.0)):
        Table({"id": [1], "d": [d]}).write(tmp_path / f"{name}.fits")
    tables = '[tables.a]\non = "id"\n[tables.b]\non = "id"\n'
    (tmp_path / "m.toml").write_text(f'version = 2\n{tables}[columns]\n{ORBITS}distance = "a.d"\nSNR = "b.d"\n')
    files = [tmp_path / "t.fits", f"b={tmp_path / 'b.fits'}", tmp_path / "a.fits"]
    found = read_mapped(files, tmp_path / "m.toml")
    assert (found.table["distance"][0], found.table["SNR"][0]) == (1.0, 2.0)
    assert [path.name for path in found.files] == ["t.fits", "b.fits", "a.fits"]
    with pytest.raises(UsageError, match="joins a, b; give the file after the catalogue, or as a=FILE"):
        read_mapped(tmp_path / "t.fits", tmp_path / "m.toml")
    with pytest.raises(UsageError, match="4 files are given"):
        read_mapped([*files, tmp_path / "a.fits"], tmp_path / "m.toml")


def test_only_columns_that_are_needed_are_read(tmp_path, monkeypatch):
    from halonmf.halo.io import fits as reader

    asked = []
    plain = reader.read_masked
    monkeypatch.setattr(
        "halonmf.halo.io.tabular.read_masked",
        lambda table, names, told=None: asked.extend(names) or plain(table, names),
    )
    found = read(tmp_path, catalogue(x=[1.0], y=[2.0], snr=[9.0]), head='quality = "snr > 3"')
    assert sorted(asked) == ["E", "ID", "LZ", "SNR"]
    assert values(found.table, "E")[0] == -1.5e5


def test_ids_that_are_whole_floats_are_joined_with_whole_numbers(tmp_path):
    Table({"star": [3.0, 2.0, np.nan], "v": [30.0, 20.0, 99.0]}).write(tmp_path / "more.fits")
    catalogue(id=[2, 3]).write(tmp_path / "t.fits")
    tables = '[tables.more]\non = ["id", "star"]\n[columns]\nr = "more.v"\n'
    (tmp_path / "m.toml").write_text("version = 2\n" + tables + ORBITS)
    found = read_mapped([tmp_path / "t.fits", tmp_path / "more.fits"], tmp_path / "m.toml")
    assert values(found.table, "r").tolist() == [20, 30]


@pytest.mark.parametrize("ids", [np.float64([6e18, 6e18]), np.float32([3e7, 4e7])])
def test_ids_that_lost_digits_as_floats_are_not_merged_by_best(tmp_path, ids):
    refused(tmp_path, catalogue(id=ids, snr=[1, 2]), match="floating-point numbers with too few", head='best = "snr"')


def test_a_table_that_holds_whole_columns_in_one_row_is_told_how_to_save_it(tmp_path):
    table = Table({name: [np.linspace(-1.5e5, -1.0e5, 50)] for name in ("E", "Lz")} | {"id": [np.arange(50)]})
    refused(tmp_path, table, match="column-oriented FITS of TOPCAT has: save it with a row for each star")
