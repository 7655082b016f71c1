"""Fractions with both kinds of bands, their crossings and their stars."""

import numpy as np
import pytest

from halonmf.halo import figures
from halonmf.halo.ensembles.spread import spread
from halonmf.halo.errors import UsageError
from halonmf.halo.figures import style as look

from ..helpers.four import four_found
from ..helpers.planted import planted_fit

EDGES = {"E": np.linspace(-2.5e5, -1.0e5, 7), "r": np.linspace(2, 14, 7), "z": np.linspace(0, 10, 7)}


def a_spread(variable="E", names=("LE", "HE"), replicates=True):
    rng = np.random.default_rng(1)
    x = np.linspace(-4, 4, 6)
    share = 1 / (1 + np.exp(-(x + 0.3 * rng.standard_normal((3, 1)))))
    setups = np.stack([1 - share, share], axis=-1)
    if len(names) == 4:
        setups = np.concatenate([0.6 * setups, 0.4 * setups], axis=-1)
    drawn = np.clip(np.repeat(setups[:1], 20, axis=0) + 0.02 * rng.standard_normal((20, 6, 1)), 0, 1)
    n_stars = np.array([3, 40, 50, 60, 70, 80])
    return spread(variable, EDGES[variable], names, setups, n_stars, replicates=drawn if replicates else None)


def dashes(line):
    return str(line._unscaled_dash_pattern)


def test_fractions_against_energy_show_both_bands_and_every_crossing():
    both = {"chemically-pure": a_spread(), "kinematically-pure": a_spread(replicates=False)}
    picture = figures.energy_fractions(both)
    upper = picture.figure.axes[0]
    first = both["chemically-pure"]
    written = {text.get_text() for text in upper.texts}
    for crossing in first.crossings:
        assert f"{crossing.at[0] / 1e5:#.3g}".replace("-", "\N{MINUS SIGN}") in written
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    assert labels[:2] == ["HE, chemically pure", "LE, chemically pure"]
    assert labels[-1] == "bootstrap, 68 %"
    assert "3 configurations" in picture.caption
    assert "20 bootstrap replicates" in picture.caption
    assert set(picture.data["curve"]) == set(both)
    assert np.array_equal(picture.data["fraction_HE"][:6], first.mean[:, 1])
    assert picture.data.meta["curves"]["chemically-pure"]["crossings"]["HE=0.5"]["at"] == list(first.crossings[0].at)


def test_dark_bands_are_one_sigma_over_setups_and_light_ones_the_bootstraps_limits():
    found = a_spread()
    axes = figures.energy_fractions({"chemically-pure": found}).figure.axes[0]
    good = found.trusted
    for j, bands in ((1, axes.collections[:2]), (0, axes.collections[2:4])):  # HE is drawn first
        mean = found.mean[good, j]
        for limits, band in (
            (mean + found.noise[:, good, j], bands[0]),
            (mean + np.stack([-1, 1])[:, None] * found.sigma[good, j], bands[1]),
        ):
            (path,) = band.get_paths()
            expected = {round(y, 6) for y in np.clip(limits, 0, 1).ravel()}
            assert expected == {round(y, 6) for y in path.vertices[:, 1]}


def test_bands_stay_between_nothing_and_all():
    axes = figures.energy_fractions({"chemically-pure": a_spread()}).figure.axes[0]
    for band in axes.collections:
        for path in band.get_paths():
            assert path.vertices[:, 1].min() >= 0
            assert path.vertices[:, 1].max() <= 1


def test_poor_bins_are_open_symbols():
    axes = figures.energy_fractions({"chemically-pure": a_spread()}).figure.axes[0]
    hollow = [line for line in axes.get_lines() if line.get_markerfacecolor() == "w" and line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in hollow) == 2  # one bin of two components


def test_fractions_against_distances_have_a_panel_each():
    of = {s: {v: a_spread(v) for v in ("r", "z")} for s in ("chemically-pure", "kinematically-pure")}
    picture = figures.distance_fractions(of, {"chemically-pure": planted_fit()})
    assert [axes.get_xlabel() for axes in picture.figure.axes] == [look.scale(v).label for v in ("r", "z")]
    at = of["chemically-pure"]["r"].crossings[0].at[0]
    assert f"{at:#.3g}" in {text.get_text() for text in picture.figure.axes[0].texts}
    assert "HE against r: 50 % at" in picture.caption
    assert len(picture.data) == 24


def test_four_components_are_told_apart_by_dashes():
    _, four = four_found()
    found = {v: a_spread(v, names=four.fit.names) for v in ("r", "z")}
    picture = figures.four_fractions(found, four.fit)
    legend = picture.figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()][:4] == ["HE1", "HE2", "LE1", "LE2"]
    drawn = [(handle.get_color(), dashes(handle)) for handle in legend.legend_handles[:4]]
    assert len(set(drawn)) == 4
    assert {colour for colour, _ in drawn} == {look.ORANGE, look.CYAN}
    assert "HE1, HE2, LE1 and LE2" in picture.caption


def test_nothing_to_draw_is_refused():
    for draw in (figures.densities, figures.energy_fractions, figures.distance_fractions):
        with pytest.raises(UsageError):
            draw({})
