"""Files to stars: the cut-flow is the one planted, whatever order or form the files come in."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from halonmf.halo.errors import HalonmfError, InputError, UsageError
from halonmf.halo.stars.catalogue import read_catalogue, write_catalogue
from halonmf.halo.stars.selection import select
from halonmf.halo.stars.variables import KINEMATICS, values
from halonmf.halo.survey.prepare import LZ_SUN, PrepareSettings, prepare, prepare_mapped

from ..helpers.catalogues import FULL_SIZE, member_lines, survey, write_members, write_survey, write_table

DATA = Path(__file__).parents[3].parent / "shared" / "data"
ALLSTAR, ASTRONN = DATA / "allStarLite-dr17-halo-giants.fits", DATA / "apogee_astroNN-dr17-halo-giants.fits"
real = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data with real APOGEE giants is absent")

# fmt: off
COLUMNS_OF_CONVENTIONS = [
    "APOGEE_ID", "SOURCE_ID", "x", "y", "z_gal", "v_x", "v_y", "v_z", "distance", "E", "Lz", "ecc", "J_r", "J_phi",
    "J_z", "r_peri", "r_apo", "z_max", "r_sph", "R_cyl", "FE_H", "AL_FE", "MG_FE", "LOGG", "TEFF",
]
# fmt: on


@pytest.fixture(scope="module")
def made():
    return survey(2000, seed=5)


@pytest.fixture(scope="module")
def paths(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    return (*write_survey(folder, made), write_members(folder / "catalogues", made.member_ids))


@pytest.fixture(scope="module")
def prepared(paths):
    return prepare(*paths)


def test_the_cut_flow_is_the_one_planted(made, prepared):
    found = list(zip(prepared.cutflow.names, prepared.cutflow.removed, strict=True))
    assert found[:-1] == made.expected
    assert found[-1] == ("orbit found", 0)


def test_the_stars_are_the_ones_planted(made, prepared):
    assert prepared.table["SOURCE_ID"].tolist() == made.allstar["GAIAEDR3_SOURCE_ID"][made.passing].tolist()


def test_the_cut_flow_sums_to_the_rows_of_the_file(made, prepared):
    assert sum(prepared.cutflow.removed) + len(prepared) == prepared.cutflow.total == len(made.allstar)


def test_the_table_has_the_columns_of_the_conventions(prepared):
    assert set(COLUMNS_OF_CONVENTIONS) <= set(prepared.table.colnames)


def test_column_names_differ_by_more_than_case(prepared):
    names = [name.upper() for name in prepared.table.colnames]
    assert len(set(names)) == len(names)


def test_every_kinematic_value_is_there(prepared):
    assert all(np.isfinite(values(prepared.table, name)).all() for name in KINEMATICS)
    assert (values(prepared.table, "E") < 0).all()


def test_lz_is_that_of_the_columns_positive_when_prograde(prepared):
    x, y, v_x, v_y = (values(prepared.table, name) for name in ("x", "y", "v_x", "v_y"))
    assert values(prepared.table, "Lz") == pytest.approx(y * v_x - x * v_y, rel=1e-9)
    assert np.median(values(prepared.table, "Lz")) > 1000  # most synthetic stars are of the disc


def test_energies_are_not_those_of_the_value_added_catalogue(prepared):
    assert not np.any(values(prepared.table, "E") == -5e4)


def test_units_are_those_of_the_conventions(prepared):
    assert prepared.table["E"].unit == u.km**2 / u.s**2
    assert prepared.table["Lz"].unit == u.kpc * u.km / u.s
    assert prepared.table["distance"].unit == u.kpc


def test_the_catalogue_survives_its_file(prepared, tmp_path):
    back = read_catalogue(
        write_catalogue(tmp_path / "stars.fits", prepared.table, prepared.cutflow, prepared.provenance)
    )
    assert back.cutflow == prepared.cutflow
    assert back.provenance == prepared.provenance
    assert np.array_equal(back.table["J_r"], prepared.table["J_r"])


def test_provenance_names_inputs_settings_and_potential(prepared, paths):
    record = prepared.provenance
    assert [entry["name"] for entry in record["inputs"]] == [path.name for path in paths]
    assert record["settings"]["member_probability"] == 0.8
    assert record["orbits"]["potential"] == "McMillan (2017)"


def test_progress_tells_every_stage(paths):
    seen = {}
    prepare(*paths, progress=lambda stage, done, total: seen.update({stage: (done, total)}))
    assert list(seen) == ["read allStar", "read astroNN", "cluster members", "quality cuts", "orbits"]
    assert all(done == total for done, total in seen.values())


def test_a_shuffled_astronn_gives_the_same_stars(made, paths, prepared, tmp_path):
    order = np.random.default_rng(2).permutation(len(made.astronn))
    shuffled = prepare(paths[0], write_table(tmp_path / "vac.fits", made.astronn[order]), paths[2])
    assert shuffled.cutflow == prepared.cutflow
    assert np.array_equal(shuffled.table["E"], prepared.table["E"])


def test_without_members_none_is_removed(made, paths):
    flow = prepare(*paths[:2]).cutflow
    assert not any("cluster" in name for name in flow.names)


def test_a_star_of_a_lower_probability_is_kept(made, paths, tmp_path):
    star = int(made.allstar["GAIAEDR3_SOURCE_ID"][np.flatnonzero(made.passing)[0]])
    (tmp_path / "m.txt").write_text(member_lines([star], 0.79))
    assert star in prepare(*paths[:2], tmp_path / "m.txt").table["SOURCE_ID"]
    stricter = PrepareSettings(member_probability=0.7)
    assert star not in prepare(*paths[:2], tmp_path / "m.txt", settings=stricter).table["SOURCE_ID"]


def test_user_cuts_come_last_and_are_counted(paths, prepared):
    cut = prepare(*paths, settings=PrepareSettings(cuts=("SNR>100", "|z|<2")))
    assert cut.cutflow.names[-2:] == ("SNR>100", "|z|<2")
    expected = (values(prepared.table, "SNR") > 100) & (values(prepared.table, "z") < 2)
    assert len(cut) == expected.sum()


def test_a_misspelt_cut_fails_before_any_work():
    with pytest.raises(UsageError, match="is not a condition"):
        PrepareSettings(cuts=("LOGG<",))


def test_the_elements_asked_for_decide_which_stars_pass(made, paths):
    found = prepare(*paths, settings=PrepareSettings(elements=("FE_H", "SI_FE")))
    assert len(found) > made.passing.sum()
    assert "SI_FE_ERR" in found.table.colnames
    assert "AL_FE" not in found.table.colnames


def test_a_sample_without_stars_is_refused_with_the_cuts(paths):
    with pytest.raises(InputError, match=r"no star of 2,000 passes.*LOGG < 0"):
        prepare(*paths, settings=PrepareSettings(max_logg=0.0))


def test_a_frame_with_the_sun_going_backwards_is_noticed(paths, monkeypatch):
    from halonmf.halo.orbits import frames

    right = frames.to_galactocentric

    def mirrored(*args):
        position, velocity = right(*args)
        return position, -velocity

    monkeypatch.setattr(frames, "to_galactocentric", mirrored)
    with pytest.raises(HalonmfError, match=r"-1994\.76"):
        prepare(*paths)


def test_the_sun_has_its_angular_momentum():
    assert pytest.approx(245.6 * np.sqrt(8.122**2 - 0.0208**2), abs=0.05) == LZ_SUN


def test_orbits_are_not_computed_for_stars_that_fail(paths, prepared):
    totals = set()
    prepare(*paths, progress=lambda stage, done, total: totals.add(total) if stage == "orbits" else None)
    assert max(totals) < len(prepared) + 10


def mapping(folder, columns, abundances):
    path = folder / "map.toml"
    path.write_text(f"[columns]\n{columns}\n[abundances]\n{abundances}\n")
    return path


def test_a_mapped_survey_gives_the_orbits_of_the_survey_itself(paths, prepared, tmp_path):
    t = prepared.table
    Table(
        {
            n: np.asarray(t[n])
            for n in ("APOGEE_ID", "RA", "DEC", "distance", "pmra", "pmdec", "radial_velocity", "FE_H")
        }
    ).write(tmp_path / "mine.ecsv")
    sky = 'id="APOGEE_ID"\nra="RA"\ndec="DEC"\ndistance="distance"\npmra="pmra"\npmdec="pmdec"\nrv="radial_velocity"'
    found = prepare_mapped(tmp_path / "mine.ecsv", mapping(tmp_path, sky, 'FE_H="FE_H"'))
    assert values(found.table, "E") == pytest.approx(values(t, "E"), rel=1e-12)
    assert len(found) == len(t)


def test_a_mapped_simulation_gives_the_same_from_cartesian_columns(prepared, tmp_path):
    t = prepared.table
    names = ("APOGEE_ID", "x", "y", "z_gal", "v_x", "v_y", "v_z", "FE_H")
    Table({n: np.asarray(t[n]) for n in names}).write(tmp_path / "sim.ecsv")
    columns = 'id="APOGEE_ID"\nx="x"\ny="y"\nz="z_gal"\nv_x="v_x"\nv_y="v_y"\nv_z="v_z"'
    found = prepare_mapped(tmp_path / "sim.ecsv", mapping(tmp_path, columns, 'FE_H="FE_H"'))
    assert values(found.table, "J_z") == pytest.approx(values(t, "J_z"), rel=1e-9)


def test_a_mapped_catalogue_with_energies_keeps_them(tmp_path):
    Table({"id": [1, 2, 3, 4], "E": [-1e5, -2e5, 5.0, -1.5e5], "Lz": [1.0, -2.0, 3.0, 4.0],
           "feh": [0.0, -1.0, 0.0, np.nan]}).write(tmp_path / "e.ecsv")  # fmt: skip
    found = prepare_mapped(tmp_path / "e.ecsv", mapping(tmp_path, 'id="id"\nE="E"\nLz="Lz"', 'FE_H="feh"'))
    assert values(found.table, "E").tolist() == [-1e5, -2e5]
    assert dict(zip(found.cutflow.names, found.cutflow.removed, strict=True)) == {
        "FE_H measured": 1,
        "bound, E < 0": 1,
        "orbit found": 0,
    }
    assert select(found.table, "retrograde")[0].tolist() == [False, True]


def test_members_of_a_mapped_catalogue_need_its_source_ids(tmp_path):
    Table({"id": [1], "E": [-1e5], "Lz": [1.0], "feh": [0.0]}).write(tmp_path / "e.ecsv")
    (tmp_path / "m.txt").write_text(member_lines([5]))
    with pytest.raises(UsageError, match="source_id"):
        prepare_mapped(
            tmp_path / "e.ecsv", mapping(tmp_path, 'id="id"\nE="E"\nLz="Lz"', 'FE_H="feh"'), tmp_path / "m.txt"
        )


@real
def test_the_real_giants_pass_as_counted_elsewhere():
    flagged, clean = (prepare(ALLSTAR, ASTRONN, settings=PrepareSettings(flags=f)).table for f in (False, True))
    assert (len(flagged), len(clean)) == (1202, 1198)
    retrograde = [int(select(table, "retrograde")[0].sum()) for table in (flagged, clean)]
    metal_poor = [int(select(table, "all", cuts=["FE_H < -1.1"])[0].sum()) for table in (flagged, clean)]
    assert (retrograde, metal_poor) == ([272, 270], [265, 261])


MEASURE = """
import pathlib, re, resource, sys, time
from halonmf.halo.survey.prepare import prepare
start = time.process_time()  # which others on the machine do not lengthen
found = prepare(*sys.argv[1:])
peak, status = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, pathlib.Path("/proc/self/status")
if status.exists():  # there ru_maxrss begins at the parent's
    peak = re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]
print(time.process_time() - start, peak, *found.cutflow.removed)
"""


@pytest.mark.slow
def test_a_survey_is_prepared_in_minutes_and_bounded_memory(tmp_path):
    """Run with HALONMF_TEST_ROWS=734000 for the size of DR17."""
    rows = int(os.environ.get("HALONMF_TEST_ROWS", "100000"))
    made = survey(rows, seed=1)
    paths = (*write_survey(tmp_path, made), write_members(tmp_path / "catalogues", made.member_ids))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEASURE, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    seconds, kilobytes, *removed = run.stdout.split()
    assert [int(n) for n in removed[:-1]] == [n for _, n in made.expected]
    assert float(seconds) < max(60, 180 * rows / FULL_SIZE)
    assert int(kilobytes) < 3e6
