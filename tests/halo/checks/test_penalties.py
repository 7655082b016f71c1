"""The search for penalties: draws from the grid, folds, errors held to the engine's, the command's files."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

import nmfcore
from halonmf.cli import app
from halonmf.halo import figures
from halonmf.halo.checks import penalties
from halonmf.halo.checks.penalties import ALPHAS, L1_RATIOS, Choice, draw_choices, folds, is_none, search
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.io.tables import load_table
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted


@pytest.fixture(scope="module")
def searched():
    return search(planted(3000)[0], SMALL, draws=60, seed=1, number=3)


@pytest.fixture(scope="module")
def found(searched):
    """The table of the search."""
    return searched.table()


def test_the_grid_is_the_papers_with_zero():
    assert len(ALPHAS) == 51
    assert ALPHAS[:2] == (0.0, 1e-3)
    assert ALPHAS[-1] == 1.0
    np.testing.assert_allclose(np.diff(ALPHAS[1:]), np.diff(ALPHAS[1:])[0])
    assert len(L1_RATIOS) == 5


def test_draws_are_counted_and_none_is_always_there():
    drawn = draw_choices(20_000, seed=3)
    assert sum(drawn.values()) == 20_000
    assert next(iter(drawn)) == Choice(0.0, 0.0, 0.0)
    # without any penalty their mixture makes no difference
    assert not [c for c in drawn if c.alpha_W == c.alpha_H == 0 and c.l1_ratio > 0]
    assert drawn[Choice(0.0, 0.0, 0.0)] == pytest.approx(20_000 / 51**2, abs=12)
    share = np.mean([c.alpha_W for c in drawn for _ in range(drawn[c])])
    assert share == pytest.approx(np.mean(ALPHAS), abs=0.01)
    assert draw_choices(1, seed=0).keys() >= {Choice(0.0, 0.0, 0.0)}
    assert draw_choices(50, seed=4) == draw_choices(50, seed=4) != draw_choices(50, seed=5)


def test_folds_share_the_entries_out_evenly():
    V = np.zeros((6, 20))
    V[:, 3:12] = 1
    fold = folds(V, 4, seed=0)
    assert (fold[:, :3] == -1).all()
    assert (fold[:, 12:] == -1).all()
    assert np.ptp(np.bincount(fold[:, 3:12].ravel())) <= 1
    for number in (1, 55):
        with pytest.raises(UsageError, match="folds must lie between 2 and the 54 entries"):
            folds(V, number)


def test_errors_are_those_of_the_engines_fits(found):
    made = fit(planted(3000)[0], SMALL)
    V = made.mixtures.V
    none = found[is_none(found)][0]
    assert none["error"] == pytest.approx(np.linalg.norm(V - made.W @ made.H) / np.linalg.norm(V), rel=1e-5)
    assert none["fraction"] == pytest.approx(made.mass_fractions[-1], abs=1e-3)
    fold, held = folds(V, 3, seed=1), []
    for i in range(3):
        out = fold == i
        seen = nmfcore.factorize(V, 2, init=(made.W + 1e-2, made.H + 1e-6), weight=1.0 - out)
        held.append(np.linalg.norm((V - seen.W @ seen.H)[out]) / np.linalg.norm(V[out]))
    assert none["held_out"] == pytest.approx(np.mean(held), rel=1e-3)


def test_penalties_are_the_engines(found):
    kept = found[(found["components"] == 2) & ~is_none(found) & (found["alpha_W"] > 0) & (found["alpha_H"] > 0)]
    row = kept[int(np.argmax(kept["error"]))]
    settings = SMALL.replace(**{name: float(row[name]) for name in ("alpha_W", "alpha_H", "l1_ratio")}, max_iter=50_000)
    made = fit(planted(3000)[0], settings)
    error = np.linalg.norm(made.mixtures.V - made.W @ made.H) / np.linalg.norm(made.mixtures.V)
    assert row["error"] == pytest.approx(error, rel=2e-3)


def test_the_best_comes_first_and_is_compared_with_none(found, searched):
    assert (np.diff(found["held_out"]) >= -1e-12).all()
    reference = found["held_out"][is_none(found)][0]
    np.testing.assert_allclose(found["gain"], reference - found["held_out"], atol=1e-12)
    assert found["gain_se"][is_none(found)][0] == 0
    assert found.meta["best"]["alpha_W"] == found["alpha_W"][0]
    assert found.meta["nothing_left"] == (found["components"] == 0).sum()
    assert "60 draws" in searched.describe()


def test_a_search_is_named_by_its_seed(found):
    again = search(planted(3000)[0], SMALL, draws=60, seed=1, number=3).table()
    for name in found.colnames:
        assert np.array_equal(np.asarray(found[name]), np.asarray(again[name]), equal_nan=name == "fraction"), name


def test_only_least_squares_is_searched():
    with pytest.raises(UsageError, match="Frobenius"):
        search(planted(500)[0], SMALL.replace(loss="kullback-leibler"), draws=2)


def test_the_figure_shows_every_setting_that_leaves_a_component(found, searched):
    picture = figures.search(searched)
    drawn = picture.figure.axes[0].collections[0].get_offsets()
    assert len(drawn) == (found["components"] > 0).sum()
    assert "60 draws" in picture.caption


def test_the_command_writes_table_and_figure(tmp_path):
    table, _ = planted(1500)
    table["APOGEE_ID"] = [f"2M{i:05d}" for i in range(len(table))]
    write_catalogue(tmp_path / "stars.fits", table, CutFlow(len(table)), {})
    words = ["search", tmp_path / "stars.fits", "-o", tmp_path / "found.ecsv", "--draws", 8, "--folds", 2]
    words += ["--selection", "all", "--bins", "E:3,Lz:3", "--pixels", 8, "--quiet"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"best: alpha_W = .* better than none -> .*found.ecsv\n", result.output)
    assert {path.name for path in tmp_path.iterdir()} == {
        "stars.fits", "found.ecsv", "found.png", "found.pdf", "found.txt",
    }  # fmt: skip
    made = load_table(tmp_path / "found.ecsv")
    assert made.meta["provenance"]["command"] == "search"
    assert made.meta["provenance"]["settings"]["draws"] == 8
    again = CliRunner().invoke(app, [str(word) for word in words])
    assert again.exit_code == 5
    assert "exists already" in again.output


def test_outputs_are_checked_before_anything_is_computed(tmp_path, monkeypatch):
    (tmp_path / "found.pdf").write_text("mine")
    (tmp_path / "stars.fits").touch()
    monkeypatch.setattr(penalties, "search", lambda *args, **options: pytest.fail("computed first"))
    result = CliRunner().invoke(app, ["search", str(tmp_path / "stars.fits"), "-o", str(tmp_path / "found.ecsv")])
    assert result.exit_code == 5
    assert "found.pdf: exists already" in result.output
