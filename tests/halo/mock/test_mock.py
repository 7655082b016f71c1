import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from halonmf.halo.errors import OutputError, UsageError
from halonmf.halo.mock import observe as mock_observe
from halonmf.halo.mock import orbits as mock_orbits
from halonmf.halo.mock import sky as mock_sky
from halonmf.halo.mock import stars as mock_stars
from halonmf.halo.mock import survey as mock
from halonmf.halo.mock import tables as mock_files
from halonmf.halo.mock.family import MODELS
from halonmf.halo.mock.populations import DISC_THINNING, POPULATIONS
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.orbits.frames import to_heliocentric
from halonmf.halo.stars.selection import select
from halonmf.halo.survey.prepare import prepare

N = 4000
BY_NAME = {p.name: p for p in POPULATIONS}
GALAXY = MODELS[MockSettings.model]


@pytest.fixture(scope="module")
def survey():
    return mock.draw(N, seed=7)


@pytest.fixture(scope="module")
def paths(survey, tmp_path_factory):
    return mock.write(tmp_path_factory.mktemp("mock"), survey)


@pytest.fixture(scope="module")
def catalogue(paths):
    return prepare(paths.allstar, paths.astronn, paths.members)


def column(table, name):
    return np.asarray(getattr(table[name], "value", table[name]))


# populations


@pytest.mark.parametrize("full", [False, True])
def test_shares_sum_to_one(full):
    assert sum(GALAXY.shares(full)) == pytest.approx(1.0)


def test_full_shares_are_the_populations_own():
    np.testing.assert_allclose(GALAXY.shares(True), [p.share for p in GALAXY.populations], rtol=1e-9)


def test_thinning_divides_discs_against_halo():
    thin, gse = POPULATIONS.index(BY_NAME["thin disc"]), POPULATIONS.index(BY_NAME["GS/E"])
    full, default = GALAXY.shares(True), GALAXY.shares(False)
    assert full[thin] / full[gse] == pytest.approx(DISC_THINNING * default[thin] / default[gse])


@pytest.mark.parametrize("population", POPULATIONS, ids=lambda p: p.name)
def test_metallicity_quantiles_rise_from_zero_to_one(population):
    p, fe_h = np.array(population.chemistry.fe_h).T
    assert (p[0], p[-1]) == (0.0, 1.0)
    assert (np.diff(p) > 0).all()
    assert (np.diff(fe_h) > 0).all()


@pytest.mark.parametrize("name", ["mg_fe", "al_fe"])
@pytest.mark.parametrize("population", POPULATIONS, ids=lambda p: p.name)
def test_track_knots_rise_in_metallicity(population, name):
    fe_h, _ = np.array(getattr(population.chemistry, name)).T
    assert (np.diff(fe_h) > 0).all()


def test_chemistry_has_its_median_and_scatter():
    c = BY_NAME["GS/E"].chemistry
    fe_h, mg_fe, al_fe = mock_stars.chemistry(c, np.full(40_000, 8.122), np.random.default_rng(1))
    assert np.median(fe_h) == pytest.approx(-1.20, abs=0.01)
    assert np.std(mg_fe - np.interp(fe_h, *np.array(c.mg_fe).T)) == pytest.approx(c.mg_scatter, rel=0.02)
    assert np.std(al_fe - np.interp(fe_h, *np.array(c.al_fe).T)) == pytest.approx(c.al_scatter, rel=0.02)


def test_thin_disc_grows_poorer_outwards():
    c = BY_NAME["thin disc"].chemistry
    inner, outer = (mock_stars.chemistry(c, np.full(9000, R), np.random.default_rng(1))[0] for R in (6.0, 10.0))
    np.testing.assert_allclose(outer - inner, 4 * c.gradient)


# sky and orbits


def test_positions_agree_with_the_frame_to_a_parsec():
    rng = np.random.default_rng(2)
    lon, lat, d = rng.uniform(0, 2 * np.pi, 50), rng.uniform(-1.5, 1.5, 50), rng.uniform(0.1, 10, 50)
    position = np.column_stack(mock_sky.galactocentric(lon, lat, d))
    sky = to_heliocentric(position * u.kpc, 0 * position * u.km / u.s)
    seen = SkyCoord(sky.ra, sky.dec, sky.distance).galactic.cartesian.xyz.to_value(u.kpc)
    meant = SkyCoord(lon * u.rad, lat * u.rad, d * u.kpc, frame="galactic").cartesian.xyz.to_value(u.kpc)
    np.testing.assert_allclose(seen, meant, atol=1e-3)


def test_no_field_observes_more_stars_than_it_has():
    rate = mock_sky.sampling_rate()
    assert rate.min() > 0
    assert rate.max() <= 1


@pytest.mark.parametrize("dwarf", [False, True])
def test_luminosity_function_rises_to_one(dwarf):
    _, cumulative = mock_sky.luminosity_function(dwarf)
    assert (np.diff(cumulative) >= 0).all()
    assert cumulative[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["GS/E", "Aurora", "thick disc"])
def test_stars_stream_neither_outwards_nor_upwards(name):
    stars = mock_orbits.draw(BY_NAME[name], 3000, np.random.default_rng(3))
    x, y, _ = stars.position.T
    v_R = (stars.velocity[:, :2] * np.column_stack([x, y])).sum(axis=1) / np.hypot(x, y)
    for v in (v_R, stars.velocity[:, 2]):
        assert abs(v.mean()) < 5 * v.std() / np.sqrt(v.size)


def test_stars_are_within_the_magnitude_limits():
    stars = mock_orbits.draw(BY_NAME["Splash"], 2000, np.random.default_rng(4))
    assert stars.H.min() > mock_sky.BRIGHT_H - 1e-6
    assert (mock_sky.fields().faint_H[stars.field] + 0.05 > stars.H).all()


def test_an_empty_draw_is_empty():
    assert len(mock_orbits.draw(BY_NAME["Aurora"], 0, np.random.default_rng(0))) == 0


def test_thin_disc_lags_as_the_jeans_equation_says():
    stars = mock_orbits.draw(BY_NAME["thin disc"], 20_000, np.random.default_rng(5))
    x, y, z = stars.position.T
    R = np.hypot(x, y)
    near = (np.abs(R - 8.122) < 0.5) & (np.abs(z) < 0.3)
    v_phi = ((y * stars.velocity[:, 0] - x * stars.velocity[:, 1]) / R)[near]
    # Binney & Tremaine (2008), equation 4.228, with sigma_phi^2/sigma_R^2 from the sample
    v_R = ((x * stars.velocity[:, 0] + y * stars.velocity[:, 1]) / R)[near]
    slope = 8.122 * (1 / 2.6 + 2 / 10.0)
    lag = v_R.var() / (2 * 233.1) * (v_phi.var() / v_R.var() - 1 + slope)
    assert 233.1 - v_phi.mean() == pytest.approx(lag, abs=3.0)


# observation


def test_repeats_are_marked_and_only_they(survey):
    names, counts = np.unique(survey.table["APOGEE_ID"], return_counts=True)
    marked = (survey.table["EXTRATARG"] >> mock_observe.DUPLICATE) & 1
    assert marked.sum() == round(mock_stars.REPEATS * N)
    assert (counts - 1).sum() == marked.sum()
    firsts = np.asarray(survey.table["APOGEE_ID"])[marked == 0]
    assert np.unique(firsts).size == names.size == firsts.size


def test_tellurics_have_no_abundances(survey):
    telluric = (survey.table["EXTRATARG"] >> mock_observe.TELLURIC_BIT) & 1 == 1
    assert telluric.sum() > 50
    values = np.asarray(survey.table["FE_H"])[telluric]
    assert (np.isnan(values) | (values < -9000)).all()


def test_magellanic_stars_carry_their_programme(survey):
    cloud = np.asarray(survey.truth["population"]) == b"Magellanic Clouds"
    programme = np.asarray(survey.table["PROGRAMNAME"])
    assert cloud.any()
    np.testing.assert_array_equal(cloud, programme == b"magclouds")


def test_cluster_stars_are_in_the_members_files(survey):
    cluster = np.asarray(survey.truth["origin"]) == b"cluster"
    listed = np.concatenate([t["source_id"] for t in survey.members.values()])
    np.testing.assert_array_equal(cluster, np.isin(survey.table["GAIAEDR3_SOURCE_ID"], listed))


def test_abundance_errors_are_what_the_columns_say(survey):
    good = np.asarray(survey.table["AL_FE"]) > -10
    miss = np.asarray(survey.table["AL_FE"])[good] - survey.truth["AL_FE"][good]
    pull = miss / survey.table["AL_FE_ERR"][good]
    low, high = np.percentile(pull, [16, 84])
    assert 0.9 < 0.5 * (high - low) < 1.25


def test_some_measurements_are_missing_and_some_are_sentinels():
    true = mock_stars.draw_stars(6000, np.random.default_rng(1), full=False, giants_only=True)
    value = mock_observe.observe(true, 0, np.random.default_rng(2), lean=True).columns["AL_FE"]
    assert np.isnan(value).any()
    assert (value == np.float32(mock_observe.SENTINEL)).any()


def test_names_on_one_spot_differ():
    names = mock_files.identify(np.array([359.99999999, 0.0, 0.0, 12.5]), np.array([-0.5, -0.5, -0.5, 4.0]))
    assert np.unique(names).size == 4
    assert names[-1] == b"2M00500000+0400000"


def test_source_ids_are_distinct():
    assert np.unique(mock_files.source_ids(5000, np.random.default_rng(0))).size == 5000


# the survey as a whole


def test_rows_are_as_many_as_asked(survey):
    assert len(survey.table) == len(survey.astronn) == len(survey.truth) == N


def test_astronn_is_row_matched(survey):
    np.testing.assert_array_equal(survey.table["APOGEE_ID"], survey.astronn["APOGEE_ID"])
    np.testing.assert_array_equal(survey.table["APOGEE_ID"], survey.truth["APOGEE_ID"])


def test_same_seed_gives_the_same_bytes(survey, paths, tmp_path):
    again = mock.make(tmp_path, N, seed=7)
    for name in ("allstar", "astronn", "truth"):
        assert getattr(again, name).read_bytes() == getattr(paths, name).read_bytes()
    for file in sorted(paths.members.rglob("*.txt")):
        assert file.read_bytes() == (again.members / "catalogues" / file.name).read_bytes()


def test_another_seed_gives_another_survey(survey):
    other = mock.draw(N, seed=8)
    assert not np.array_equal(other.truth["E"], survey.truth["E"])


def test_every_star_is_bound_in_truth(survey):
    milky_way = np.asarray(survey.truth["origin"]) != b"satellite"
    assert np.asarray(survey.truth["E"])[milky_way].max() < 0


def test_truth_has_the_origins_of_its_populations(survey):
    for population in POPULATIONS:
        rows = np.asarray(survey.truth["population"]) == population.name.encode()
        assert set(np.asarray(survey.truth["origin"])[rows]) <= {population.origin.encode()}


def test_full_mock_is_not_thinned():
    survey = mock.draw(1000, seed=1, full=True)
    disc = np.isin(np.asarray(survey.truth["population"]), [b"thin disc", b"thick disc"])
    assert survey.thinning == 1.0
    assert disc.mean() > 0.85


def test_progress_ends_with_everything_done(tmp_path):
    calls = []
    mock.make(tmp_path, 200, seed=1, progress=lambda *call: calls.append(call))
    assert calls[-1] == ("write", 4, 4)
    assert all(done <= total for _, done, total in calls)


# files


def test_allstar_has_the_surveys_columns(paths):
    names = set(fits.getdata(paths.allstar, 1).names)
    assert {"APOGEE_ID", "GAIAEDR3_SOURCE_ID", "PROGRAMNAME", "ASPCAPFLAG", "EXTRATARG", "LOGG", "CE_FE_FLAG"} <= names
    assert {f"{x}{end}" for x in ("FE_H", "MG_FE", "AL_FE") for end in ("", "_ERR", "_FLAG")} <= names


def test_allstar_has_the_surveys_types(paths):
    dtype = fits.getdata(paths.allstar, 1).dtype
    expected = {"RA": ">f8", "SNR": ">f4", "ASPCAPFLAG": ">i8", "EXTRATARG": ">i4", "FE_H": ">f4", "FE_H_FLAG": ">i4"}
    assert {name: dtype[name].str for name in expected} == expected


def test_header_tells_thinning_and_seed(paths):
    for path in (paths.allstar, paths.astronn, paths.truth):
        header = fits.getheader(path, 1)
        assert header["DISCTHIN"] == DISC_THINNING == paths.thinning
        assert header["MOCKSEED"] == 7
        assert header["MOCK"] is True
        assert header["MOCKMODL"] == MockSettings.model


def test_member_files_have_ids_first_and_probabilities_in_column_16(paths, survey):
    for name, table in survey.members.items():
        file = np.loadtxt(paths.members / "catalogues" / f"{name}.txt", usecols=(0, 16), dtype=str, skiprows=1)
        np.testing.assert_array_equal(file[:, 0].astype(np.int64), table["source_id"])
        np.testing.assert_allclose(file[:, 1].astype(float), table["memberprob"], atol=1e-6)


def test_existing_files_are_not_overwritten(paths, survey):
    with pytest.raises(OutputError, match="exists; choose another directory"):
        mock.make(paths.allstar.parent, N, seed=7)


def test_overwriting_replaces_the_files(tmp_path):
    mock.make(tmp_path, 200, seed=1)
    paths = mock.make(tmp_path, 300, seed=1, overwrite=True)
    assert len(Table.read(paths.truth)) == paths.n_rows == 300


@pytest.mark.parametrize(("n_stars", "seed", "message"), [(99, 1, "at least 100 rows; got 99"), (500, -1, "got -1")])
def test_bad_arguments_are_refused(tmp_path, n_stars, seed, message):
    with pytest.raises(UsageError, match=message):
        mock.make(tmp_path, n_stars, seed)


def test_an_unwritable_directory_is_an_output_error(tmp_path, survey):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the mock"):
        mock.write(tmp_path / "file" / "mock", survey)


# the main line


def test_prepare_takes_the_mock(catalogue):
    assert catalogue.cutflow.total == N
    assert 0.5 < len(catalogue) / N < 0.62


def test_observed_energies_follow_the_true_ones(catalogue, survey):
    _, rows, truths = np.intersect1d(
        np.asarray(catalogue.table["APOGEE_ID"]).astype(str),
        np.asarray(survey.truth["APOGEE_ID"]).astype(str),
        return_indices=True,
    )
    miss = column(catalogue.table, "E")[rows] - np.asarray(survey.truth["E"])[truths]
    assert abs(np.median(miss)) < 1500
    assert np.percentile(np.abs(miss), 68) < 8000


@pytest.mark.slow
def test_default_mock_is_as_the_paper_has_it(tmp_path):
    paths = mock.make(tmp_path)
    stars = prepare(paths.allstar, paths.astronn, paths.members).table
    sample = stars[select(stars, "chemically-pure")[0]]
    assert 12_300 < len(sample) < 13_700  # Davies et al.: 13,147
    truth = Table.read(paths.truth)
    origin = dict(zip(truth["APOGEE_ID"], truth["origin"], strict=True))
    accreted = np.array([str(origin[i]).startswith("accreted") for i in np.asarray(sample["APOGEE_ID"]).astype(str)])
    assert 0.31 < accreted.mean() < 0.37  # 33.5 %
    edges = np.linspace(-2.5e5, -1.0e5, 21)
    total, part = (np.histogram(E, edges)[0] for E in (column(sample, "E"), column(sample, "E")[accreted]))
    centre = 0.5 * (edges[1:] + edges[:-1])
    assert -1.74e5 < np.interp(0.5, part / total, centre) < -1.64e5  # -1.67e5


@pytest.mark.slow
def test_expected_counts_agree_with_a_survey():
    expected = mock.expected(6000, seed=3, oversample=10)
    assert expected.meta["oversample"] == 10
    again = mock.expected(6000, seed=4, oversample=10)
    for selection in ("chemically-pure", "kinematically-pure"):
        a, b = (select(stars, selection)[0].sum() for stars in (expected, again))
        assert abs(a - b) < 5 * np.sqrt(a + b)


def test_expected_refuses_no_survey():
    with pytest.raises(UsageError, match="oversample"):
        mock.expected(1000, oversample=0)
