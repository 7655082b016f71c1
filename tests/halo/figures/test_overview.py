"""A fit on one page, from products made by hand and from real stars."""

from pathlib import Path

import pytest
from matplotlib.image import imread

from halonmf.halo import figures
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import Axis, Chemistry

from ..helpers.drawn import GRID, coloured, make_application, make_boundary, make_fit, make_profile, map_axes

SHARED = Path(__file__).parents[3] / "../shared"


@pytest.mark.parametrize("k", [2, 4])
def test_summary_holds_components_map_and_profile(k):
    fit = make_fit(k)
    picture = figures.summary(fit, make_application(fit), make_boundary(fit), make_profile(fit))
    assert len(picture.figure.axes) == 3 * (k + 1) + 2 + 2
    assert picture.figure.get_suptitle().startswith("400 stars of the chemically pure halo in 4 \u00d7 4 bins of E, Lz")


def test_summary_without_map_takes_the_boundarys():
    fit = make_fit()
    figure = figures.summary(fit, None, make_boundary(fit), make_profile(fit)).figure
    assert len(coloured(map_axes(figure)).get_array()) > 0
    with pytest.raises(UsageError, match="needs a map_application or a boundary"):
        figures.summary(fit, None, None, make_profile(fit))


def test_png_is_not_blank(tmp_path):
    fit = make_fit()
    summary = figures.summary(fit, make_application(fit), make_boundary(fit), make_profile(fit))
    (path,) = figures.save(summary, tmp_path / "a", ["png"])
    pixels = imread(path)
    assert pixels.shape[0] > 1000
    assert 0.05 < (pixels[..., :3] < 0.9).any(axis=-1).mean() < 0.95


@pytest.mark.slow
def test_real_stars_draw_from_files_to_picture(tmp_path):
    files = [SHARED / "data" / f"{name}-dr17-halo-giants.fits" for name in ("allStarLite", "apogee_astroNN")]
    if not all(file.exists() for file in files):
        pytest.skip(f"{files[0].parent} is absent")
    from halonmf.halo.fits.apply import apply
    from halonmf.halo.fits.fit import fit
    from halonmf.halo.products.boundary import boundary
    from halonmf.halo.products.profile import profile
    from halonmf.halo.survey.prepare import prepare

    stars = prepare(*files).table
    axes = (Axis("E", 5), Axis("Lz", 5))
    found = fit(stars, FitSettings.of(selection="retrograde", axes=axes, chemistry=Chemistry(pixels=20)))
    along_E = profile(found, stars, (Axis("E", 9, -2.1e5, -1.2e5),))
    page = figures.summary(found, apply(found, stars, GRID), boundary(found, stars), along_E)
    (path,) = figures.save(page, tmp_path / "summary", ["png"])
    assert "270 retrograde stars" in page.caption
    assert imread(path)[..., :3].std() > 0.1
