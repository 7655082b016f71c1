"""Summaries and batches explain themselves: configurations, replicates and bins by name, for xarray and for anyone."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units

from halonmf.halo.ensembles import batchfile
from halonmf.halo.ensembles.archive import image
from halonmf.halo.ensembles.batchfile import Computed
from halonmf.halo.ensembles.plan import Part
from halonmf.halo.ensembles.rows import Summary
from halonmf.halo.ensembles.statistics import OVER, STATISTICS
from halonmf.halo.ensembles.summary import groups, summarise_setup
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mixtures.settings import Axis, Chemistry, Plane
from halonmf.halo.replicates.replicate import begin, reduce
from halonmf.halo.replicates.setup import Setup

from ..helpers.planted import SMALL, planted

xarray = pytest.importorskip("xarray", reason="xarray is not installed (extra xarray)")
pytest.importorskip("h5netcdf", reason="h5netcdf is not installed (extra xarray)")

CONFIGURATIONS = {
    f"pixels={pixels} components={k}": Setup(SMALL.replace(chemistry=Chemistry(pixels=pixels), components=k))
    for k in (2, 3)
    for pixels in (8, 10)
}


@pytest.fixture(scope="module")
def computed():
    """The full sample and six replicates of each configuration."""
    stars = planted(1500)[0]
    made = [begin(stars, setup) for setup in CONFIGURATIONS.values()]
    return [
        Computed(Part(i, 3, 6), reduce(base, 3, 6, keep_factors=True), base.products, base.coordinates)
        for i, base in enumerate(made)
    ]


@pytest.fixture(scope="module")
def summary(computed):
    parts = tuple(
        summarise_setup(i, label, setup, one.base, one.coordinates, one.replicates)
        for i, ((label, setup), one) in enumerate(zip(CONFIGURATIONS.items(), computed, strict=True))
    )
    return Summary(parts, groups(parts))


def opened(content, path, **options):
    path.write_bytes(content)
    with xarray.open_dataset(path, engine="h5netcdf", **options) as file:
        return file.load()


@pytest.fixture(scope="module")
def whole(summary, tmp_path_factory):
    return opened(image(summary, {"command": "summary"}), tmp_path_factory.mktemp("summary") / "summary.h5")


def test_a_summary_has_its_configurations_along_one_axis(whole):
    assert whole.configuration.values.tolist() == list(CONFIGURATIONS)
    assert whole.pixels.values.tolist() == [8, 10, 8, 10]
    assert whole.components.values.tolist() == [2, 2, 3, 3]
    assert whole.component.values.tolist() == ["LE", "HE", "C1", "C2", "C3"]
    assert whole.statistic.values.tolist() == list(STATISTICS)
    assert whole.over_statistic.values.tolist() == list(OVER)
    assert whole.fraction_E.dims == ("configuration", "statistic", "bin_E", "component")
    assert not [name for name in whole.variables if "." in name or name[0].isdigit()]
    assert not [axis for axis in whole.sizes if "phony" in axis]


def test_every_array_says_what_it_is(whole):
    for name, array in whole.variables.items():
        assert array.attrs["long_name"], name
        if array.dtype.kind == "f":
            assert units.Unit(array.attrs["units"]) is not None, name


def test_every_row_of_the_table_is_in_the_arrays_under_its_coordinates(summary, whole):
    table = summary.table()
    names = set(whole.component.values)
    looked_at = 0
    for row in table[:: max(1, len(table) // 400)]:
        over = row["label"] not in CONFIGURATIONS
        found = whole[("over_" if over else "") + row["product"].replace(":", "_against_")]
        if over:
            found = found.sel(group=row["label"].removeprefix("all set-ups "), over_statistic="mean")
        else:
            found = found.sel(configuration=row["label"], statistic="base")
        if "component" in found.dims:
            assert row["component"] in names
            found = found.sel(component=row["component"])
        for axis in ("level", "percentile"):
            if axis in found.dims:
                found = found.sel({axis: row["at"]})
        if found.dims:
            (axis,) = found.dims
            bounds = whole[f"{axis}_bounds"]
            if "configuration" in bounds.dims:
                bounds = bounds.sel(configuration=row["label"])
            (place,) = np.flatnonzero((bounds.values == [row["lower"], row["upper"]]).all(axis=1))
            found = found.isel({axis: place})
        np.testing.assert_array_equal(found.values, row["base"])
        said = whole[("over_" if over else "") + row["product"].replace(":", "_against_")].units
        assert units.Unit(said) == units.Unit(row["unit"]) or (row["unit"] == "" and said in ("dex", "1"))
        looked_at += 1
    assert looked_at > 300


def test_the_file_opens_as_what_to_xarray_returns(summary, whole):
    own = summary.to_xarray()
    without = [one.drop_attrs(deep=False) for one in (whole, own)]  # the file has a checksum and its provenance
    xarray.testing.assert_identical(*without)
    assert whole.title == own.title == "halonmf summary of an ensemble of 4 configurations"


def test_pixels_that_differ_are_filled_up_and_have_centres_of_their_own(whole):
    track = whole.track_AL_FE_against_FE_H.sel(statistic="base", configuration="pixels=8 components=2")
    assert np.isnan(track.isel(pixel_FE_H=slice(8, None))).all()
    centres = track.pixel_FE_H_centre
    np.testing.assert_allclose(centres[:8], Chemistry(pixels=8).centres("FE_H"))
    assert np.isnan(centres[8:]).all()


def test_one_configuration_has_the_centres_as_coordinates(summary, tmp_path):
    alone = Summary(summary.parts[:1])
    found = opened(image(alone, {}), tmp_path / "summary.h5")
    near = found.fraction_E.sel(bin_E=-1.2e5, method="nearest").sel(component="HE", statistic="base")
    edges = summary.parts[0].coordinates["edges_E"]
    place = int(np.searchsorted(edges, -1.2e5)) - 1
    assert float(near.squeeze()) == summary.parts[0]("fraction_E", "base")[place, 1]
    np.testing.assert_allclose(found.pixel_FE_H, Chemistry(pixels=8).centres("FE_H"))
    assert "group" not in found.sizes


def test_configurations_without_labels_and_replicates_are_there_too(summary):
    bare = tuple(replace(part, label="", counts={}) for part in summary.parts[:1])
    found = Summary(bare).to_xarray()
    assert found.configuration.values.tolist() == ["base"]
    assert not [name for name in found if name.endswith("_counts")]


def test_a_batch_has_a_group_for_each_configuration(computed, tmp_path):
    content = batchfile.encode("0", 0, computed)
    found = opened(content, tmp_path / "000000.h5", group="configuration_000002")
    assert found.title == "configuration 2, replicates 3 to 8"
    assert found.fraction_E.dims == ("replicate", "bin_E", "component")
    assert found.replicate.values.tolist() == [3, 4, 5, 6, 7, 8]
    assert found.refused.dtype == bool
    assert found.H.dims == ("replicate", "component", "pixel")
    np.testing.assert_array_equal(
        found.fraction_E.sel(replicate=5, component="C3"), computed[2].replicates["fraction_E"][2, :, 2]
    )
    np.testing.assert_array_equal(found.base_mass_fraction, computed[2].base["mass_fraction"])
    with xarray.open_datatree(tmp_path / "000000.h5", engine="h5netcdf") as tree:
        assert tree.groups == ("/", *(f"/configuration_{i:06d}" for i in range(4)))


def test_what_a_batch_is_given_comes_back_to_the_bit(computed):
    _, again = batchfile.decode(batchfile.encode("0", 0, computed))
    for one, two in zip(computed, again, strict=True):
        for kind in ("replicates", "base", "coordinates"):
            had, has = getattr(one, kind), getattr(two, kind)
            assert had.keys() == has.keys()
            for name, x in had.items():
                np.testing.assert_array_equal(has[name], x, strict=True)


def test_two_parts_of_one_configuration_in_one_batch_keep_apart(computed):
    parts = [replace(computed[0], part=Part(0, first, 6)) for first in (0, 6)]
    _, again = batchfile.decode(batchfile.encode("0", 0, parts))
    assert [one.part for one in again] == [one.part for one in parts]
    assert all(one.replicates.keys() == computed[0].replicates.keys() for one in again)


ODD = "a$b_c$\\frac{<b>é"


def odd_setup(name):
    planes = (Plane("FE_H", name), Plane("FE_H", "AL_FE"))
    ranges = (("FE_H", (-2.5, 0.7)), (name, (-0.2, 0.5)), ("AL_FE", (-0.6, 0.6)))
    return Setup(SMALL.replace(chemistry=Chemistry(planes, ranges, pixels=8), axes=(Axis(name, 3),)))


def test_columns_of_any_name_go_through_a_batch_and_a_summary(tmp_path):
    stars = planted(1500)[0]
    stars[ODD] = np.asarray(stars["MG_FE"])
    base = begin(stars, odd_setup(ODD))
    one = Computed(Part(0, 0, 4), reduce(base, 0, 4), base.products, base.coordinates)
    content = batchfile.encode("0", 0, [one])
    _, (again,) = batchfile.decode(content)
    for kind in ("replicates", "base", "coordinates"):
        had, has = getattr(one, kind), getattr(again, kind)
        assert had.keys() == has.keys()
        for name, x in had.items():
            np.testing.assert_array_equal(has[name], x, strict=True)
    assert f"track_FE_H:{ODD}" in again.base
    part = summarise_setup(0, "", odd_setup(ODD), again.base, again.coordinates, again.replicates)
    assert f"percentile_{ODD}" in Summary((part,)).table()["product"].tolist()
    found = opened(image(Summary((part,)), {}), tmp_path / "summary.h5")
    assert any("frac" in name for name in found)


def test_two_columns_that_would_have_one_name_in_files_are_refused():
    stars = planted(1500)[0]
    stars["a-b"], stars["a_b"] = np.asarray(stars["MG_FE"]), np.asarray(stars["MG_FE"])
    planes = (Plane("FE_H", "a-b"), Plane("FE_H", "a_b"))
    ranges = (("FE_H", (-2.5, 0.7)), ("a-b", (-0.2, 0.5)), ("a_b", (-0.2, 0.5)))
    base = begin(stars, Setup(SMALL.replace(chemistry=Chemistry(planes, ranges, pixels=8))))
    one = Computed(Part(0, 0, 0), {}, base.products, base.coordinates)
    with pytest.raises(UsageError, match=r"have one name in files, .*; rename a column"):
        batchfile.encode("0", 0, [one])


@pytest.mark.parametrize("names", [3, [1], {"configuration_000000": 3}, {"configuration_000000": {"loss": 3}}])
def test_names_of_a_batch_that_are_none_are_refused(computed, names, monkeypatch):
    monkeypatch.setattr(batchfile.batcharrays, "unlike", lambda computed: names)
    with pytest.raises(InputError, match="header that cannot be read"):
        batchfile.decode(batchfile.encode("0", 0, computed[:1]))


def test_images_of_a_variable_that_products_are_binned_in_are_refused():
    stars = planted(1500)[0]
    planes, ranges = (Plane("FE_H", "e"),), (("FE_H", (-2.5, 0.7)), ("e", (0.0, 1.0)))
    with pytest.raises(UsageError, match="the images are of e, against which"):
        begin(stars, Setup(SMALL.replace(chemistry=Chemistry(planes, ranges, pixels=8))))
