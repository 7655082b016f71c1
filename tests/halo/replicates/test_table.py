"""The table of products: keys made and taken apart, and a product added by one entry."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.ensembles.plan import Plan
from halonmf.halo.ensembles.run import open_run
from halonmf.halo.ensembles.runner import ensemble
from halonmf.halo.ensembles.summary import summarise
from halonmf.halo.ensembles.sweeps import parse_sweep
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.replicates import table
from halonmf.halo.replicates.replicate import begin, reduce
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.replicates.table import AXES, PRODUCTS, Product, averaged, find, key, subjects
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted

BASE = Setup(SMALL.replace(axes=parse_axes("E:3,Lz:3")))


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
@settings(derandomize=True, deadline=None, max_examples=30)
@given(of=st.text(st.sampled_from("ABFE_Hrz:"), min_size=1, max_size=8).filter(lambda of: not of.endswith("_number")))
def test_a_key_taken_apart_is_what_it_was_made_of(product, of):
    of = of if product.several else ""
    found = find(product.key(of))
    assert (found.product, found.of) == (product, of)
    assert key(product.kind, of) == product.key(of)


def test_keys_are_those_of_files():
    assert key("mass_fraction") == "mass_fraction"
    assert key("crossing_number", "E") == "crossing_E_number"
    assert key("track", "AL_FE:FE_H") == "track_AL_FE:FE_H"
    assert (key("boundary"), key("boundary_status")) == ("boundary", "boundary_status")


def test_what_is_no_product_is_refused_by_name():
    for wrong in (lambda: find("loss"), lambda: key("loss"), lambda: key("fraction"), lambda: key("boundary", "E")):
        with pytest.raises(KeyError):
            wrong()


def test_a_key_tells_axis_unit_and_what_counts_it():
    crossing, track = find("crossing_r"), find("track_MG_FE:FE_H")
    assert (crossing.axis, crossing.unit, crossing.counted) == (None, "kpc", "crossing_r_number")
    assert (track.axis, track.axis_unit, track.unit, track.counted) == ("FE_H", "", "", None)
    line = find("boundary_smoothed")
    assert (line.axis, line.axis_unit, line.unit, line.counted) == ("boundary", "kpc km / s", "km2 / s2", None)


def test_counts_are_in_no_mean_and_the_order_is_that_of_the_table():
    keys = ["track_AL_FE:FE_H", "crossing_E_number", "fraction_r", "loss", "boundary", "fraction_E", "mass_fraction"]
    assert averaged(keys) == ["mass_fraction", "fraction_E", "fraction_r", "boundary", "track_AL_FE:FE_H"]
    assert subjects("fraction", keys) == ["r", "E"]
    assert subjects("crossing", keys) == []


@pytest.mark.parametrize("k", [1, 2])
def test_every_product_has_the_axes_of_its_entry(k):
    base = begin(planted(1500)[0], Setup(SMALL.replace(axes=parse_axes("E:3,Lz:3"), components=k)))
    chemistry, length = base.setup.fit.chemistry, {"component": k, "level": 3, "percentile": 3}
    length |= {"pixel": chemistry.pixels, "column": 10}
    assert base.products
    for name, x in base.products.items():
        found = find(name)
        assert set(found.product.axes) <= set(AXES)
        bins = len(base.coordinates[f"edges_{found.of}"]) - 1 if "bin" in found.product.axes else 0
        assert x.shape == tuple({**length, "bin": bins}[axis] for axis in found.product.axes), name
        if found.axis is not None:
            assert f"edges_{found.axis}" in base.coordinates


@pytest.fixture
def toy(monkeypatch):
    """Two products more: the largest pixel of every component, and the stars that count against each variable."""
    largest = Product("largest_pixel", ("component",), lambda fits: fits.H.max(axis=2), "largest pixel", limits=(0, 1))

    def stars(fits):
        _, number = fits.applied
        return {name: number[:, fits.sample.places.part(name)].astype(float) for name in fits.variables}

    counted = Product("stars_{variable}", ("bin",), stars, "stars of each bin")
    monkeypatch.setattr(table, "PRODUCTS", (*PRODUCTS, largest, counted))


def test_a_product_is_added_by_one_entry_and_is_in_replicates_files_and_summary(toy, tmp_path):
    stars, _ = planted(2000)
    stars["APOGEE_ID"] = [f"2M{i:05d}" for i in range(len(stars))]
    write_catalogue(tmp_path / "stars.fits", stars, CutFlow(len(stars)), {})
    plan = Plan(BASE, (parse_sweep("pixels=10:12:2"),), 6)
    ensemble(tmp_path / "stars.fits", tmp_path / "run", plan)
    summary = summarise(open_run(tmp_path / "run"))
    part, group = summary.parts[0], summary.groups[0]
    assert 0 < part("largest_pixel", "base")[0] < 1
    assert part("stars_E", "n_used").tolist() == [6] * 20
    rows = summary.table()
    mine = rows[(rows["product"] == "largest_pixel") & (rows["label"] == part.label)]
    assert mine["component"].tolist() == ["LE", "HE"]
    assert mine["base"].tolist() == part("largest_pixel", "base").tolist()
    assert mine["se"].tolist() == part("largest_pixel", "se").tolist()
    along = rows[(rows["product"] == "stars_E") & (rows["label"] == part.label)]
    assert along["lower"].tolist() == part.coordinates["edges_E"][:-1].tolist()
    assert set(along["axis_unit"]) == {"km2 / s2"}
    assert along["base"].sum() == pytest.approx(part("stars_E", "base").sum())
    assert np.isfinite(group("largest_pixel", "spread")).all()  # over configurations too
    files = sorted((tmp_path / "run").rglob("*.h5"))
    names = set()
    for path in files:
        with h5py.File(path) as file:
            file.visit(names.add)
    assert any(name.endswith("largest_pixel") for name in names)


def test_a_product_that_is_added_changes_no_other(toy, monkeypatch):
    stars, _ = planted(1500)
    more = reduce(begin(stars, BASE), 0, 3)
    monkeypatch.setattr(table, "PRODUCTS", PRODUCTS)
    for name, x in reduce(begin(stars, BASE), 0, 3).items():
        assert np.array_equal(more[name], x, equal_nan=True), name
