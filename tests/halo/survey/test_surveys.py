"""Surveys by name: files in their public layouts are read as their data models say."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mock.layouts import empty, laid_out, write_extensions
from halonmf.halo.mock.settings import FILES
from halonmf.halo.mock.survey import draw, write
from halonmf.halo.stars.variables import values
from halonmf.halo.survey.mapping import read_mapped
from halonmf.halo.survey.prepare import PrepareSettings, prepare
from halonmf.halo.survey.settings import SURVEYS
from halonmf.halo.survey.surveys import arrange, for_elements, recognise, survey_facts

MWM, MWM_DISTANCES = FILES["mwm-dr19"]
GALAH, GALAH_GAIA = FILES["galah-dr4"]
ELEMENTS = ("FE_H", "AL_FE", "MG_FE")
EVERY = PrepareSettings(clusters="ignore")


@pytest.fixture(scope="module")
def mock():
    return draw(3000, seed=4)


@pytest.fixture(scope="module")
def folder(mock, tmp_path_factory):
    """The same mock in every layout, each in a folder of its name."""
    out = tmp_path_factory.mktemp("surveys")
    for name in FILES:
        write(out / name, mock, layout=name)
    return out


@pytest.fixture(scope="module")
def prepared(folder):
    return {name: prepare(*(folder / name / file for file in files), settings=EVERY) for name, files in FILES.items()}


@pytest.fixture
def mwm(mock):
    """The tables of the layout of DR19, to be changed."""
    files = laid_out(mock, "mwm-dr19").files
    return {name: tables[1].copy() for name, tables in files.items()}


def written(path, table, before=()):
    write_extensions(path, (*before, table), {})
    return path


def read(name, paths, elements=ELEMENTS):
    """Every row of a survey's files, under the names of the conventions page."""
    survey = survey_facts(name)
    return read_mapped(arrange(survey, paths), for_elements(survey.mapping, elements)).table


def with_empty(folder, tables):
    """The two files of DR19, each with an empty table before its own."""
    return [written(folder / name, table, (table[:0],)) for name, table in tables.items()]


# which survey


@pytest.mark.parametrize("name", FILES)
def test_a_survey_is_recognised_by_the_columns_of_its_catalogue(folder, name):
    catalogue, other = (folder / name / file for file in FILES[name])
    assert recognise(catalogue) == name
    assert recognise(other) is None


@pytest.mark.parametrize("name", SURVEYS)
def test_every_survey_has_facts_that_are_a_mapping(name):
    survey = survey_facts(name)
    assert set(ELEMENTS) <= set(survey.mapping.abundances)
    assert {source.key for source in survey.mapping.tables} == set(survey.files)


def test_an_unknown_survey_is_refused_with_those_known(folder):
    with pytest.raises(UsageError, match="one of apogee-dr17, mwm-dr19"):
        prepare(folder / "mwm-dr19" / MWM, survey="sloan")


def test_a_catalogue_of_no_survey_is_refused_with_what_to_do(tmp_path):
    path = written(tmp_path / "own.fits", Table({"a": [1.0]}))
    with pytest.raises(UsageError, match=r"catalogue of no known survey.*--columns"):
        prepare(path)


def test_a_file_of_another_survey_is_refused_with_what_it_lacks(folder):
    with pytest.raises(InputError, match="not allstar of GALAH DR4: it lacks sobject_id"):
        prepare(folder / "mwm-dr19" / MWM, survey="galah-dr4")


@pytest.mark.parametrize("name", ["mwm-dr19", "galah-dr4"])
@pytest.mark.parametrize("by_name", [True, False])
def test_files_in_the_wrong_order_are_told(folder, name, by_name):
    first, second = (folder / name / file for file in FILES[name])
    with pytest.raises(InputError, match="comes first"):
        prepare(second, first, survey=name if by_name else None)


@pytest.mark.parametrize("name", ["mwm-dr19", "galah-dr4"])
def test_a_catalogue_given_twice_is_told(folder, name):
    path = folder / name / FILES[name][0]
    with pytest.raises(InputError, match="too, which is given already"):
        prepare(path, path)


def test_two_files_of_one_kind_are_refused(folder):
    catalogue, other = folder / "mwm-dr19" / MWM, folder / "mwm-dr19" / MWM_DISTANCES
    with pytest.raises(UsageError, match="both a table of the kind astronn"):
        prepare(catalogue, other, distances=other)


def test_galah_without_proper_motions_is_told_which_file_has_them(folder):
    with pytest.raises(UsageError, match="galah_dr4_vac_wise_tmass_gaiadr3"):
        prepare(folder / "galah-dr4" / GALAH)


def test_an_abundance_that_the_survey_has_not_is_refused(folder):
    with pytest.raises(UsageError, match="survey galah-dr4 has no P_FE"):
        prepare(
            *(folder / "galah-dr4" / file for file in FILES["galah-dr4"]),
            settings=PrepareSettings(elements=("FE_H", "P_FE")),
        )


def test_further_columns_of_a_survey_are_refused_and_not_left_out_in_silence(folder):
    with pytest.raises(UsageError, match="--keep is for APOGEE DR17"):
        prepare(folder / "mwm-dr19" / MWM, settings=PrepareSettings(columns=("TEFF", "v_sini")))


# the same stars through each layout


@pytest.mark.parametrize("name", ["mwm-dr19", "galah-dr4"])
def test_stars_have_the_same_energies_and_abundances_through_each_layout(prepared, name):
    known, found = prepared["apogee-dr17"].table, prepared[name].table
    _, ours, theirs = np.intersect1d(known["SOURCE_ID"], found["SOURCE_ID"], return_indices=True)
    assert len(ours) > 0.9 * len(known)
    one_spectrum = np.abs(values(known, "SNR")[ours] - values(found, "SNR")[theirs]) < 1e-3
    assert one_spectrum.mean() > 0.95
    for column, tolerance in (("E", 20.0), ("Lz", 0.5), ("FE_H", 1e-5), ("MG_FE", 1e-5), ("AL_FE", 1e-5)):
        apart = (values(known, column)[ours] - values(found, column)[theirs])[one_spectrum]
        assert np.abs(apart).max() < tolerance, column


def test_galah_keeps_every_star_that_apogee_keeps(prepared):
    assert set(prepared["apogee-dr17"].table["SOURCE_ID"]) <= set(prepared["galah-dr4"].table["SOURCE_ID"])


def test_the_truth_of_a_layout_knows_its_stars(folder, prepared):
    from halonmf.halo.mock.truth import read_truth

    for name, catalogue in prepared.items():
        truth = read_truth(folder / name / "truth.fits", catalogue.table)
        assert len(truth.accreted) == len(catalogue)


def test_python_records_the_survey(prepared):
    assert [catalogue.provenance["settings"]["survey"] for catalogue in prepared.values()] == list(FILES)


# SDSS-V


def test_the_layout_of_dr19_has_the_width_of_its_data_model():
    assert empty("astraAllStarASPCAP", 0).dtype.itemsize == 2068


def test_dr19_is_read_from_its_second_table(mwm, tmp_path):
    decoy = {name: table[:50].copy() for name, table in mwm.items()}
    for table in decoy.values():
        table["sdss_id"] += 10**9
    paths = [written(tmp_path / name, table, (decoy[name],)) for name, table in mwm.items()]
    assert read("mwm-dr19", paths)["APOGEE_ID"].astype(np.int64).max() < 10**9


def test_x_fe_is_the_difference_of_x_h_with_both_errors(mwm, tmp_path):
    table = mwm[MWM]
    table["mg_h"], table["fe_h"], table["e_mg_h"], table["e_fe_h"] = -0.9, -1.2, 0.03, 0.04
    found = read("mwm-dr19", with_empty(tmp_path, mwm))
    assert np.asarray(found["MG_FE"]) == pytest.approx(0.3, abs=1e-6)
    assert np.asarray(found["MG_FE_ERR"]) == pytest.approx(0.05, abs=1e-6)


def test_a_missing_abundance_does_not_pass_although_its_bits_are_0(mwm, tmp_path):
    table = mwm[MWM]
    table["al_h"][::2], table["e_al_h"][::2], table["al_h_flags"][::2] = np.nan, np.nan, 0
    lost = set(table["sdss_id"][::2])
    found = prepare(*with_empty(tmp_path, mwm), settings=EVERY)
    rest = set(table["sdss_id"][1::2])
    assert not {int(one) for one in found.table["APOGEE_ID"]} & (lost - rest)
    assert len(found) > 100


def test_of_the_spectra_of_a_star_the_best_is_kept(mwm, tmp_path):
    table = mwm[MWM]
    best = {}
    for one, snr in zip(table["sdss_id"].tolist(), table["snr"].tolist(), strict=True):
        best[one] = max(snr, best.get(one, 0.0))
    found = prepare(*with_empty(tmp_path, mwm), settings=EVERY)
    names = [int(one) for one in found.table["APOGEE_ID"]]
    assert len(set(names)) == len(names)
    assert values(found.table, "SNR") == pytest.approx([best[one] for one in names])


def test_rows_without_a_star_are_left_out(mwm, tmp_path):
    mwm[MWM]["sdss_id"][:40] = -1
    found = prepare(*with_empty(tmp_path, mwm), settings=EVERY)
    assert found.cutflow.removed[found.cutflow.names.index("require: sdss_id > 0")] == 40
    assert "-1" not in found.table["APOGEE_ID"]


@pytest.mark.parametrize(
    ("column", "value"), [("flag_bad", True), ("spectrum_flags", 1 << 40), ("sdss4_apogee_extra_target_flags", 4)]
)
def test_a_flag_of_the_spectrum_removes_it(mwm, tmp_path, column, value):
    mwm[MWM][column] = value
    with pytest.raises(InputError, match=f"no star .* passes .*{column}"):
        prepare(*with_empty(tmp_path, mwm), settings=EVERY)


def test_an_upper_limit_removes_the_star(mwm, tmp_path):
    mwm[MWM]["mg_h_flags"] |= 1 << 3
    with pytest.raises(InputError, match="MG_FE_FLAG = 0 removed"):
        prepare(*with_empty(tmp_path, mwm), settings=EVERY)


def test_the_bits_that_count_can_be_chosen_by_name(mwm, tmp_path):
    mwm[MWM]["mg_h_flags"] |= 1 << 9
    settings = replace(EVERY, flags="BAD_GRID_EDGE,5")
    assert len(prepare(*with_empty(tmp_path, mwm), settings=settings)) > 100


def test_proper_motions_in_declination_are_those_of_pmde(mwm, tmp_path):
    found = read("mwm-dr19", with_empty(tmp_path, mwm))
    np.testing.assert_array_equal(np.asarray(found["pmdec"]), np.asarray(mwm[MWM]["pmde"], dtype=np.float64))


def test_distances_of_astronn_are_in_pc(mwm, tmp_path):
    found = read("mwm-dr19", with_empty(tmp_path, mwm))
    table = Table(fits.getdata(tmp_path / MWM_DISTANCES, 2))
    best = {}
    for one, snr, far in zip(table["sdss_id"].tolist(), table["snr"], table["weighted_dist"], strict=True):
        best[one] = max(best.get(one, (0, 0)), (float(snr), float(far)))
    expected = [best[int(one)][1] / 1e3 for one in found["APOGEE_ID"]]
    np.testing.assert_allclose(np.asarray(found["distance"]), expected, rtol=1e-6)


def test_distances_of_starhorse_are_in_kpc(mwm, tmp_path):
    table = mwm[MWM]
    ids = np.unique(table["sdss_id"])
    starhorse = Table({"sdss_id": ids, "dist16": ids * 0 + 1.8, "dist50": ids * 0 + 2.0, "dist84": ids * 0 + 2.4})
    path = written(tmp_path / "starhorse.fits", starhorse)
    found = read("mwm-dr19", [with_empty(tmp_path, mwm)[0], path])
    assert np.asarray(found["distance"]) == pytest.approx(2.0)
    assert np.asarray(found["distance_error"]) == pytest.approx(0.3)


def test_without_a_file_of_distances_those_of_bailer_jones_count_with_their_limits(mwm, tmp_path):
    table = mwm[MWM]
    table["r_med_photogeo"], table["r_lo_photogeo"], table["r_hi_photogeo"] = 3000.0, 2800.0, 3400.0
    found = read("mwm-dr19", with_empty(tmp_path, mwm)[:1])
    assert np.asarray(found["distance"]) == pytest.approx(3.0)
    assert np.asarray(found["distance_error"]) == pytest.approx(0.3)


def test_a_file_that_was_unpacked_gives_the_same(mwm, tmp_path):
    packed = with_empty(tmp_path, mwm)
    plain = [path.with_suffix("") for path in packed]
    for one, other in zip(packed, plain, strict=True):
        other.write_bytes(gzip.decompress(one.read_bytes()))
    first, second = (prepare(*paths, settings=EVERY).table for paths in (packed, plain))
    for name in first.colnames:
        np.testing.assert_array_equal(first[name], second[name])


# GALAH


def test_the_flag_of_iron_that_galah_disowns_is_not_used(folder, prepared):
    flagged = fits.getdata(folder / "galah-dr4" / GALAH, 1)["flag_fe_h"]
    assert flagged.any()
    assert (values(prepared["galah-dr4"].table, "FE_H") < -1).sum() > 50


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [("flag_sp", 1, "flag_sp == 0"), ("snr_px_ccd3", 20, "snr_px_ccd3 > 30"), ("flag_al_fe", 1, "AL_FE_FLAG = 0")],
)
def test_galah_is_cut_as_the_survey_says(folder, tmp_path, column, value, named):
    table = Table(fits.getdata(folder / "galah-dr4" / GALAH, 1))
    table[column] = np.full(len(table), value, dtype=table[column].dtype)
    with pytest.raises(InputError, match=f"no star .* passes .*{named}"):
        prepare(written(tmp_path / "g.fits", table), folder / "galah-dr4" / GALAH_GAIA, settings=EVERY)


def test_galah_is_joined_by_id_and_not_by_row(folder, tmp_path, prepared):
    gaia = Table(fits.getdata(folder / "galah-dr4" / GALAH_GAIA, 1))
    shuffled = gaia[np.random.default_rng(0).permutation(len(gaia))[: len(gaia) - 200]]
    found = prepare(folder / "galah-dr4" / GALAH, written(tmp_path / "gaia.fits", shuffled), settings=EVERY)
    known = {one: row for row, one in enumerate(prepared["galah-dr4"].table["APOGEE_ID"])}
    rows = [known[one] for one in found.table["APOGEE_ID"]]
    assert 0 < len(rows) < len(known)
    np.testing.assert_array_equal(values(found.table, "E"), values(prepared["galah-dr4"].table, "E")[rows])


def test_proper_motions_may_come_from_galahs_table_of_dynamics(folder, tmp_path, prepared):
    gaia = Table(fits.getdata(folder / "galah-dr4" / GALAH_GAIA, 1))
    dynamics = gaia["sobject_id", "pmra", "pmdec"]
    dynamics["L_Z"], dynamics["Energy"] = 0.0, 0.0
    dynamics["Energy"].unit = "km-2 s-2"  # as the survey has it
    found = prepare(folder / "galah-dr4" / GALAH, written(tmp_path / "dynamics.fits", dynamics), settings=EVERY)
    np.testing.assert_array_equal(values(found.table, "E"), values(prepared["galah-dr4"].table, "E"))


def test_galah_dr3_is_read_with_its_own_names(folder, tmp_path, prepared):
    table = Table(fits.getdata(folder / "galah-dr4" / GALAH, 1))
    gaia = Table(fits.getdata(folder / "galah-dr4" / GALAH_GAIA, 1))
    old = Table({"sobject_id": table["sobject_id"], "dr3_source_id": table["gaiadr3_source_id"]})
    for new, name in (("ra", "ra_dr2"), ("dec", "dec_dr2"), ("snr_px_ccd3", "snr_c3_iraf"), ("flag_sp", "flag_sp"),
                      ("rv_comp_1", "rv_galah"), ("e_rv_comp_1", "e_rv_galah"), ("teff", "teff"), ("logg", "logg"),
                      ("fe_h", "fe_h"), ("e_fe_h", "e_fe_h")):  # fmt: skip
        old[name] = table[new]
    old["flag_fe_h"] = np.zeros(len(table), dtype=np.int64)
    for x in ("mg", "al"):
        for start in ("", "e_", "flag_"):
            old[f"{start}{x.capitalize()}_fe"] = table[f"{start}{x}_fe"]
    for which in ("med", "lo", "hi"):
        gaia[f"r_{which}_photogeo"] = table[f"r_{which}"]
    paths = written(tmp_path / "old.fits", old), written(tmp_path / "gaia.fits", gaia)
    assert recognise(paths[0]) == "galah-dr3"
    found = prepare(*paths, settings=EVERY)
    assert found.provenance["settings"]["survey"] == "galah-dr3"
    np.testing.assert_array_equal(values(found.table, "E"), values(prepared["galah-dr4"].table, "E"))
