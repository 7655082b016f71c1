"""Labelled arrays as HDF5: what goes in comes out, and every reader sees the names of the axes."""

import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from astropy import units
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.io.hdf5 import COVERS, SEAL, check_seal, checksum, read, unpack
from halonmf.halo.io.hdf5_writing import NOT_A_VARIABLE, pack
from halonmf.halo.io.labelled import Labelled, Labels, along, bounds, cf_unit, edges_of, heading, plain_name
from halonmf.halo.stars.naming import in_words, unit_in_files
from halonmf.halo.stars.variables import VARIABLES

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
VALUES = st.one_of(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.uint8, np.int8, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    st.lists(TEXT, max_size=4).map(lambda texts: np.array(texts, dtype=str)),
    TEXT.map(lambda text: np.array(text, dtype=str)),
)


def small():
    """Two axes with coordinates, one without, and an auxiliary coordinate."""
    arrays = {
        "W": Labelled(("bin", "component"), np.arange(6.0).reshape(3, 2), "weight", "1"),
        "rows": Labelled(("star",), np.arange(2000, dtype=np.int32), "bin of the star"),
        "good": Labelled(("bin",), np.array([True, False, True]), "whether it is"),
        "component": Labelled(("component",), np.array(["LE", "Hé"]), "component"),
        "lower": Labelled(("bin",), np.arange(3.0), "lower edge", "km2 s-2"),
    }
    return Labels(arrays, {"title": "small", "schema": 3}, ("lower",))


@pytest.fixture
def path(tmp_path):
    (tmp_path / "small.h5").write_bytes(pack(small(), sealed=True))
    return tmp_path / "small.h5"


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=4), st.booleans())
def test_whatever_arrays_go_in_come_out(arrays, compressed):
    labelled = {
        name: Labelled(tuple(f"{name}_{i}" for i in range(x.ndim)), x, "anything") for name, x in arrays.items()
    }
    held = unpack(pack(Labels(labelled), compressed=compressed, groups={"group": Labels(labelled)}))
    for found in (held.arrays, held.groups["group"].arrays):
        assert found.keys() == arrays.keys()
        for name, x in arrays.items():
            np.testing.assert_array_equal(found[name], x)
            assert found[name].dtype.kind == x.dtype.kind
            assert found[name].shape == x.shape


def test_the_same_arrays_give_the_same_bytes_also_from_many_threads():
    with ThreadPoolExecutor(4) as pool:
        images = set(pool.map(lambda _: pack(small(), sealed=True, groups={"again": small()}), range(24)))
    assert len(images) == 1


def test_a_plain_reader_of_hdf5_sees_scales_that_know_their_users(path):
    with h5py.File(path, "r") as file:
        assert [axis[0].name for axis in file["W"].dims] == ["/bin", "/component"]
        for i, axis in enumerate(("bin", "component")):
            assert h5py.h5ds.is_scale(file[axis].id)
            assert h5py.h5ds.is_attached(file["W"].id, file[axis].id, i)
        assert file["bin"].attrs["NAME"].startswith(NOT_A_VARIABLE.encode())
        assert file["star"].id.get_storage_size() == 0
        assert file["W"].attrs["units"].decode() == "1"


def test_xarray_opens_what_to_xarray_returns(path):
    xarray = pytest.importorskip("xarray", reason="xarray is not installed (extra xarray)")
    pytest.importorskip("h5netcdf", reason="h5netcdf is not installed (extra xarray)")
    with xarray.open_dataset(path, engine="h5netcdf") as opened:
        whole = opened.load()
    assert set(whole.coords) == {"component", "lower"}
    assert whole.good.dtype == bool
    del whole.attrs["sha256"], whole.attrs["sha256_covers"]
    xarray.testing.assert_identical(whole, small().to_xarray())


def test_the_library_of_netcdf_reads_names_and_units(path):
    netcdf = pytest.importorskip("netCDF4", reason="netCDF4 is not installed")
    with netcdf.Dataset(path) as file:
        assert file["W"].dimensions == ("bin", "component")
        assert {name: len(axis) for name, axis in file.dimensions.items()} == {"bin": 3, "component": 2, "star": 2000}
        assert file["component"][:].tolist() == ["LE", "Hé"]
        assert (file["lower"].units, file["W"].coordinates, file.title) == ("km2 s-2", "lower", "small")


def test_without_xarray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(UsageError, match=r'pip install "halonmf\[xarray\]"'):
        small().to_xarray()


def refused_after(path, change):
    """Hold a file to be whole, and to be refused once it has been changed."""
    assert check_seal(*read(path))
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(InputError, match="another checksum"):
        check_seal(*read(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["lower"].attrs.create("units", b"km2 s-3", dtype="S7"),
        lambda file: file["lower"].attrs.create("more", b"word", dtype="S4"),
        lambda file: file["W"].attrs.__delitem__("long_name"),
        lambda file: file["component"].__setitem__(0, b"LF"),
        lambda file: file["good"].__setitem__(0, 0),
        lambda file: file.attrs.__setitem__("title", "large"),
        lambda file: file.__setitem__("new", 1.0),
    ],
)
def test_the_seal_covers_arrays_texts_and_attributes(path, change):
    refused_after(path, change)


def turned(file):
    for i, (old, new) in enumerate((("bin", "component"), ("component", "bin"))):
        file["W"].dims[i].detach_scale(file[old])
        file["W"].dims[i].attach_scale(file[new])


@pytest.mark.parametrize(
    "change",
    [
        turned,
        lambda file: file["W"].dims[0].detach_scale(file["bin"]),
        lambda file: file["W"].dims[0].attach_scale(file["star"]),
        lambda file: file["good"].attrs.__delitem__("DIMENSION_LIST"),
        lambda file: file["component"].attrs.__delitem__("CLASS"),
        lambda file: file.move("bin", "bins"),
        lambda file: file.attrs.__delitem__(COVERS),
    ],
)
def test_the_seal_covers_which_scale_is_attached_to_which_axis(path, change):
    refused_after(path, change)


@pytest.mark.parametrize("kind", ["S8", np.int64, h5py.vlen_dtype(np.int64), h5py.ref_dtype])
def test_axes_that_are_no_lists_of_references_are_refused(path, kind):
    with h5py.File(path, "a") as file:
        del file["W"].attrs["DIMENSION_LIST"]
        h5py.h5a.create(
            file["W"].id,
            b"DIMENSION_LIST",
            h5py.h5t.py_create(np.dtype(kind), logical=True),
            h5py.h5s.create_simple((2,)),
        )
    with pytest.raises(InputError, match="another kind"):
        read(path)


def test_a_scale_that_is_no_more_there_is_missed(path):
    with h5py.File(path, "a") as file:
        del file["bin"]
    with pytest.raises(InputError):
        check_seal(*read(path))


def test_a_seal_of_earlier_versions_without_the_axes_holds(path):
    with h5py.File(path, "a") as file:
        del file.attrs[COVERS]
    said, found = read(path)
    assert found.axes == {}
    old = {name: value for name, value in said.items() if name != SEAL}
    with h5py.File(path, "a") as file:
        file.attrs[SEAL] = checksum(old, found.arrays, found.texts, {})
    assert check_seal(*read(path))


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": Labelled(("x",), np.zeros(2)), "b": Labelled(("x",), np.zeros(3))},
        {"x": Labelled(("y",), np.zeros(2)), "b": Labelled(("x",), np.zeros(2))},
    ],
)
def test_axes_that_do_not_agree_are_refused(arrays):
    with pytest.raises(ValueError, match=r"has 3 along x|x is an axis"):
        pack(Labels(arrays))
    with pytest.raises(ValueError, match="with the axes"):
        Labelled(("x", "y"), np.zeros(3))


@pytest.mark.parametrize("name", VARIABLES)
def test_units_in_files_are_those_of_the_variables_for_astropy(name):
    found = unit_in_files(name)
    assert "/" not in found
    if VARIABLES[name].unit:
        assert units.Unit(found) == units.Unit(VARIABLES[name].unit)
    elif name not in ("e", "SNR", "LOGG", "pmra_pmdec_corr"):
        assert found == "dex"


def test_units_are_written_as_the_cf_conventions_write_them():
    assert [cf_unit(unit) for unit in ("km2 / s2", "kpc km / s", "mas / yr", "kpc", "", "1")] == [
        "km2 s-2", "kpc km s-1", "mas yr-1", "kpc", "", "1",
    ]  # fmt: skip


def test_variables_are_spelt_out():
    assert [in_words(name) for name in ("AL_FE", "MG_MN", "TIII_FE", "FE_H", "mine")] == [
        "[Al/Fe]", "[Mg/Mn]", "[Ti II/Fe]", "[Fe/H]", "mine",
    ]  # fmt: skip
    assert unit_in_files("mine") == ""


@given(hnp.arrays(float, st.integers(2, 9), elements=st.floats(-1e6, 1e6)))
def test_edges_come_back_from_bounds(edges):
    assert edges_of(bounds(edges)).tolist() == edges.tolist()
    made = along("bin_E", edges, "energy", "km2 s-2")
    assert made["bin_E"].others["bounds"] == "bin_E_bounds"


def test_a_heading_says_from_what_by_what_and_when():
    record = {"command": "fit", "version": "1.2", "time": "2026-01-01", "inputs": [{"name": "stars.fits"}]}
    assert heading("a fit", record) == {
        "Conventions": "CF-1.11",
        "title": "a fit",
        "source": "halonmf 1.2",
        "history": "2026-01-01 halonmf fit stars.fits",
    }
    assert heading("a fit", {})["source"] == "halonmf"


def test_names_have_nothing_but_letters_digits_and_underscores():
    assert plain_name("track_AL_FE:FE_H") == "track_AL_FE_against_FE_H"
    assert plain_name("v/é 2") == "v___2"


def test_names_and_texts_that_are_no_unicode_change_the_checksum_and_nothing_else(path):
    with h5py.File(path, "a") as file:
        file.id.links.move(b"W", file.id, b"W\xff")
        del file.attrs["title"]
        raw = np.array(b"\xff\xfe", dtype=h5py.string_dtype("utf-8", 2))
        file.attrs.create("title", raw, dtype=raw.dtype)
    with pytest.raises(InputError, match="another checksum"):
        check_seal(*read(path))
