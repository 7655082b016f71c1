"""The mock's selection function: weights that undo what the survey sees, in the volume and in a fit."""

import numpy as np
import pytest
from astropy.table import Table

from halonmf import halo
from halonmf.halo.errors import InputError
from halonmf.halo.mock import orbits, sky
from halonmf.halo.mock import stars as mock_stars
from halonmf.halo.mock import survey as mock
from halonmf.halo.mock.populations import DISC_THINNING, POPULATIONS
from halonmf.halo.mock.selection import COLUMN, selection_probability, selection_weights
from halonmf.halo.mock.truth import read_truth
from halonmf.halo.stars.weights import effective_number


@pytest.fixture(scope="module")
def true():
    return mock_stars.draw_stars(6000, np.random.default_rng(4), full=False)


def test_every_star_of_a_field_has_a_probability_and_no_other_has(true):
    probability = selection_probability(true)
    ordinary = true.kind == mock_stars.ORDINARY
    assert (probability[ordinary] > 0).all()
    assert (probability[ordinary] <= 1).all()
    assert np.isnan(probability[~ordinary]).all()


def test_thinned_populations_are_as_much_less_probable(true):
    ratio = selection_probability(true, DISC_THINNING) / selection_probability(true)
    thinned = np.array([p.thinned for p in POPULATIONS] + [False, False])[true.population]
    known = np.isfinite(ratio)
    np.testing.assert_allclose(ratio[known & thinned], 1 / DISC_THINNING)
    np.testing.assert_array_equal(ratio[known & ~thinned], 1.0)


def test_giants_in_crowded_fields_are_less_probable_than_those_of_the_halo(true):
    probability, field = selection_probability(true), true.stars.field
    giants = np.isfinite(probability) & (true.log_g < 3)
    latitude = np.abs(sky.fields().b[field])
    bulge, away = (np.median(probability[giants & some]) for some in (latitude < 5, latitude > 40))
    assert bulge < 0.05 * away


@pytest.fixture
def everything_seen(monkeypatch):
    """A function after whose call stars are drawn without any selection."""
    kept = (sky.visibility, orbits._calibration, orbits._sightlines)

    def forget():
        for one in kept:
            one.cache_clear()

    def see():
        ones = lambda field, distance, b, dwarf: (  # noqa: E731
            np.zeros(np.broadcast(distance, b).shape), np.ones(np.broadcast(distance, b).shape)
        )  # fmt: skip
        monkeypatch.setattr(sky, "visible_range", ones)
        monkeypatch.setattr(sky, "sampling_rate", lambda: np.ones(len(sky.fields().l)))
        forget()

    yield see
    monkeypatch.undo()
    forget()


def test_weights_give_back_where_a_populations_stars_are(true, everything_seen):
    gse, number = POPULATIONS[0], 6000
    seen = mock_stars._join([mock_part(gse, number)])
    weight = 1 / selection_probability(seen)
    everything_seen()
    drawn = orbits.draw(gse, number, np.random.default_rng(2))
    for far in (6.0, 9.0):
        one, other = (
            np.sqrt(((position - [-sky.R_SUN, 0.0, sky.Z_SUN]) ** 2).sum(axis=1)) < far
            for position in (seen.stars.position, drawn.position)
        )
        weighted, share = weight[one].sum() / weight.sum(), other.mean()
        error = np.sqrt(((weight * (one - weighted)) ** 2).sum()) / weight.sum()
        assert abs(one.mean() - share) > 0.05  # the survey sees near stars more often
        assert abs(weighted - share) < 4 * np.hypot(error, np.sqrt(share * (1 - share) / number))


def mock_part(population, number):
    rng = np.random.default_rng(1)
    stars = orbits.draw(population, number, rng)
    zeros = np.zeros(number)
    code = np.full(number, POPULATIONS.index(population))
    kind = np.full(number, mock_stars.ORDINARY)
    return mock_stars.TrueStars(stars, zeros, zeros, zeros, zeros, zeros, code, kind, -np.ones(number, int))


def test_weights_are_joined_by_id_and_zero_where_there_is_no_probability(tmp_path):
    path = tmp_path / "truth.fits"
    Table({"APOGEE_ID": ["b", "a", "c"], COLUMN: [0.5, 0.25, np.nan]}).write(path)
    assert selection_weights(path, Table({"APOGEE_ID": ["a", "c", "b", "a"]})).tolist() == [4.0, 0.0, 2.0, 4.0]
    with pytest.raises(InputError, match="does not know 1 of 1 stars, such as zz"):
        selection_weights(path, Table({"APOGEE_ID": ["zz"]}))
    Table({"APOGEE_ID": ["a"]}).write(tmp_path / "old.fits")
    with pytest.raises(InputError, match=f"no truth table of a mock survey with the column {COLUMN}"):
        selection_weights(tmp_path / "old.fits", Table({"APOGEE_ID": ["a"]}))


@pytest.mark.slow
def test_a_weighted_fit_of_the_mock_returns_to_the_volume(tmp_path):
    paths = mock.make(tmp_path, 60_000, 6)
    stars = halo.prepare(paths.allstar, paths.astronn, paths.members).table
    stars["weight"] = selection_weights(paths.truth, stars)
    selection = halo.Selection(cuts=("|z|>2", "r>5"))
    mask, _ = halo.select(stars, selection)
    weight, accreted = np.asarray(stars["weight"])[mask], read_truth(paths.truth, stars[mask]).accreted
    volume = weight[accreted].sum() / weight.sum()
    assert abs(volume - accreted.mean()) > 0.08
    assert effective_number(weight) < 0.3 * mask.sum()
    choices = {"selection": selection, "loss": "kullback-leibler", "bins": "E:5,Lz:5", "pixels": 20}
    plain, weighted = (halo.fit(stars, weights=w, **choices).mass_fractions[-1] for w in (None, "weight"))
    assert abs(weighted - volume) < 0.05
    assert abs(plain - volume) > 0.08
