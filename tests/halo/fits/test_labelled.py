"""A fit's file explains itself: names, units and coordinates for xarray, and equal to what the fit itself returns."""

import numpy as np
import pytest

from halonmf import halo

from ..helpers.planted import planted, planted_fit

xarray = pytest.importorskip("xarray", reason="xarray is not installed (extra xarray)")
pytest.importorskip("h5netcdf", reason="h5netcdf is not installed (extra xarray)")


def opened(path):
    with xarray.open_dataset(path, engine="h5netcdf") as file:
        return file.load()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("fit") / "fit.h5"
    halo.save(path, planted_fit())
    return path


@pytest.fixture(scope="module")
def whole(made):
    return opened(made)


def test_the_axes_have_names_and_the_components_are_called_le_and_he(whole):
    assert dict(whole.sizes) == {
        "bin": 25, "component": 2, "pixel": 288, "star": 6000, "plane": 2, "edge_1": 6, "bin_1": 5, "edge_2": 6,
    }  # fmt: skip
    assert whole.component.values.tolist() == ["LE", "HE"]
    assert whole.plane.values.tolist() == ["AL_FE:FE_H", "MG_FE:FE_H"]
    fit = planted_fit()
    np.testing.assert_allclose(whole.fraction.sel(component="HE"), fit.W[:, 1] / fit.W.sum(axis=1))
    assert float(whole.mass_fraction.sel(component="HE")) == pytest.approx(fit.mass_fractions[1])
    assert whole.accreted.values.tolist() == [False, True]


def test_every_array_says_what_it_is_and_in_what_unit(whole):
    for name, array in whole.variables.items():
        assert array.attrs["long_name"], name
        if array.dtype.kind == "f":
            assert array.attrs["units"], name
    found = {name: whole[name].units for name in ("bin_energy", "Lz_lower", "pixel_x", "W", "edges_1", "edges_2")}
    assert found == {
        "bin_energy": "km2 s-2", "Lz_lower": "kpc km s-1", "pixel_x": "dex", "W": "1", "edges_1": "km2 s-2",
        "edges_2": "kpc km s-1",
    }  # fmt: skip
    assert whole.Conventions == "CF-1.11"
    assert whole.title == "halonmf fit of 2 components"


@pytest.mark.parametrize("choices", [{}, {"bins": "Lz:4"}, {"planes": ["MG_FE:FE_H"]}, {"components": 3}])
def test_the_file_opens_as_what_to_xarray_returns(tmp_path, choices):
    fit = halo.fit(planted(1500)[0], pixels=6, selection="all", **{"bins": "E:3,Lz:2", **choices})
    halo.save(tmp_path / "fit.h5", fit)
    found = opened(tmp_path / "fit.h5")
    del found.attrs["sha256"], found.attrs["sha256_covers"]
    xarray.testing.assert_identical(found, halo.load(tmp_path / "fit.h5").to_xarray())


def test_each_star_lies_between_the_edges_of_its_bin(whole):
    table = planted()[0]
    inside = whole.rows.values >= 0
    for name in ("E", "Lz"):
        low, high = (whole[f"{name}_{side}"].values[whole.rows.values[inside]] for side in ("lower", "upper"))
        x = np.asarray(table[name])[inside]
        assert np.all((low <= x) & (x <= high))


def test_bins_are_found_by_their_number_and_by_where_they_are(whole):
    fit = planted_fit()
    bins, fractions = fit.mixtures.bins, fit.W / fit.W.sum(axis=1, keepdims=True)
    assert whole.bin.values.tolist() == list(range(25))
    np.testing.assert_array_equal(whole.fraction.sel(bin=[7, 3], component="HE"), fractions[[7, 3], 1])
    for i, name in enumerate(("E", "Lz")):
        np.testing.assert_array_equal(whole[f"{name}_centre"], bins.bounds[:, i].mean(axis=1))
    bound = whole.fraction.where(whole.E_centre < -1.6e5, drop=True)
    assert 0 < bound.sizes["bin"] < 25
    assert bound.bin.values.tolist() == np.flatnonzero(whole.E_centre.values < -1.6e5).tolist()
    inside = whole.rows[whole.rows >= 0]
    of_stars = whole.fraction.sel(bin=inside, component="HE")
    np.testing.assert_array_equal(of_stars, fractions[inside.values, 1])


def test_bins_can_be_given_an_index_by_where_they_are(whole):
    of_energy = whole.set_xindex("E_centre")
    first = whole.E_centre.values[0]
    assert of_energy.sel(E_centre=first).bin.values.tolist() == np.flatnonzero(whole.E_centre == first).tolist()
    both = whole.drop_vars("bin").set_xindex(["E_centre", "Lz_centre"])
    one = both.fraction.sel(E_centre=first, Lz_centre=whole.Lz_centre.values[2], component="HE")
    assert float(one.squeeze()) == float(whole.fraction.sel(bin=2, component="HE"))


def test_pixels_unfold_into_the_images_of_the_fit(whole):
    fit = planted_fit()
    for i, plane in enumerate(("AL_FE:FE_H", "MG_FE:FE_H")):
        image = (
            whole.H.where(whole.pixel_plane == plane, drop=True)
            .set_index(pixel=("pixel_y", "pixel_x"))
            .unstack("pixel")
            .sel(component="HE")
        )
        np.testing.assert_array_equal(image.transpose("pixel_y", "pixel_x"), fit.images[1, i])
        y, x = plane.split(":")
        np.testing.assert_allclose(image.pixel_x, fit.mixtures.chemistry.centres(x))
        np.testing.assert_allclose(image.pixel_y, fit.mixtures.chemistry.centres(y))


def test_the_weights_of_stars_are_an_array_and_v_is_of_weights():
    table = planted(1500)[0]
    table["w"] = np.linspace(0.5, 1.5, len(table))
    found = halo.fit(table, bins="E:3", pixels=6, selection="all", weights="w").to_xarray()
    assert found.weights.dims == ("star",)
    assert "weights" in found.V.long_name


def test_energies_that_are_none_are_not_called_so():
    table = planted(1500)[0]
    table.remove_columns(["E"])
    found = halo.fit(table, bins="Lz:3", pixels=6, selection="all").to_xarray()
    assert found.bin_energy.units == "kpc km s-1"
    with_energy = halo.fit(planted(1500)[0], bins="Lz:3", pixels=6, selection="all").to_xarray()
    assert with_energy.bin_energy.units == "km2 s-2"


def test_a_column_of_any_name_can_be_binned_and_saved(tmp_path):
    table = planted(1500)[0]
    table["v/é"] = np.linspace(0, 1, len(table))
    halo.save(tmp_path / "odd.h5", halo.fit(table, bins="v/é:3", pixels=6, selection="all"))
    assert {"v___lower", "v___upper"} <= set(opened(tmp_path / "odd.h5").coords)
    assert halo.load(tmp_path / "odd.h5").mixtures.bins.axes[0].variable == "v/é"


def test_four_components_together_explain_themselves_too():
    table = planted(6000)[0]
    four = halo.split(halo.fit(table, bins="E:5,Lz:5", pixels=8, selection="all"), table, halo.SplitSettings(bins=3))
    assert four.fit.to_xarray().component.values.tolist() == ["LE2", "LE1", "HE2", "HE1"]
    assert four.high.to_xarray().component.values.tolist() == ["HE2", "HE1"]
