"""Everything that is drawn of a fit, what is said of it, and the record that travels with it."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from halonmf.halo import load
from halonmf.halo.commands import demo
from halonmf.halo.commands import fit as commands
from halonmf.halo.commands.contents import contents
from halonmf.halo.errors import OutputError
from halonmf.halo.fits.apply import apply
from halonmf.halo.fits.store import save_fit
from halonmf.halo.products import overview
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.overview import products
from halonmf.halo.products.profile import Profile
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted, planted_fit


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A fit and its stars on disk."""
    folder = tmp_path_factory.mktemp("files")
    table, _ = planted()
    table["APOGEE_ID"] = [f"2M{i:05d}" for i in range(len(table))]
    write_catalogue(folder / "stars.fits", table, CutFlow(len(table)), {})
    save_fit(folder / "fit.h5", planted_fit())
    return folder


# products


def test_products_are_the_fits_own_answers():
    made, (table, _) = planted_fit(), planted()
    shown = products(made, table)
    assert [str(axis) for axis in shown.map.mixtures.bins.axes] == ["Lz:20:-2000:2000", "E:20:-300000:-100000"]
    assert np.array_equal(shown.profile.application.W, apply(made, table, shown.profile.application.mixtures.bins).W)
    assert shown.profile.crossings[0].level == 0.5
    assert np.isfinite(shown.boundary.E).any()
    assert shown.applications == (shown.map, shown.profile.application, shown.boundary.application)


def test_samples_are_all_stars_the_papers_two_and_the_fits_own():
    table, _ = planted()
    whole = planted_fit()
    assert list(products(whole, table).samples) == ["all", "chemically-pure", "kinematically-pure"]
    backwards = replace(whole, settings=whole.settings.replace(selection="retrograde"))
    shown = products(backwards, table)
    assert list(shown.samples)[-1] == "retrograde"
    assert len(shown.stars) == (table["Lz"] < 0).sum() == len(shown.map.mixtures.rows)


def test_one_component_has_products_but_no_boundary():
    shown = products(planted_fit(k=1), planted()[0])
    assert shown.boundary is None
    assert len(shown.applications) == 2


# what is said


def test_both_meanings_of_a_components_fraction_are_said_by_name():
    W = np.array([[30.0, 10.0], [1.0, 1.0], [0.0, 0.0]])
    said = replace(planted_fit(), W=W).composition
    assert said == "mass fractions LE 73.81 %, HE 26.19 %; W-mean over bins LE 62.50 %, HE 37.50 %"


def test_info_of_a_fit_says_both_and_how_it_ended(files):
    said, made = contents(files / "fit.h5").describe(), planted_fit()
    assert made.composition in said
    assert f"CONVERGED, KKT residual {made.kkt:.2g}" in said


def test_warnings_name_the_fit_and_count_the_bins_of_every_application():
    made = planted_fit()
    table = planted()[0]
    half, whole = (apply(made, table, made.mixtures.bins) for _ in range(2))
    half = replace(half, converged=np.arange(25) < 5)
    shown = replace(products(made, table), map=half, profile=Profile(whole, ()))
    shown = replace(shown, boundary=replace(boundary(made, table), application=half))
    assert whole.problems() == ""
    assert shown.problems() == "not converged: the weights of 40 bins"
    said = replace(half, fit_status="STUCK", fit_kkt=0.25).problems()
    assert said.startswith("not converged: the fit (STUCK, KKT residual 0.25: ")
    assert said.endswith("; the weights of 20 bins")


# figures on disk


def test_outputs_are_checked_before_anything_is_computed(files, tmp_path, monkeypatch):
    (tmp_path / "chemistry.txt").write_text("mine")
    monkeypatch.setattr(overview, "products", lambda *args: pytest.fail("computed first"))
    with pytest.raises(OutputError, match=r"chemistry\.txt: exists already"):
        commands.plot(files / "fit.h5", files / "stars.fits", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["chemistry.txt"]


@pytest.mark.parametrize("name", ["boundary.ecsv", "summary.pdf"])
def test_the_demo_checks_its_outputs_before_it_makes_a_mock(tmp_path, name, monkeypatch):
    (tmp_path / name).write_text("mine")
    monkeypatch.setattr(demo, "make", lambda *args, **options: pytest.fail("computed first"))
    with pytest.raises(OutputError, match=f"{name}: exists already"):
        demo.run(tmp_path)


def record_in(path):
    """Return the record in a figure's metadata."""
    from PIL import Image

    if path.suffix == ".png":
        with Image.open(path) as image:
            return image.text["Software"], json.loads(image.text["Provenance"])
    words = path.read_bytes().replace(b"\\(", b"(").replace(b"\\)", b")")
    creator, keywords = (words.split(key + b" (", 1)[1] for key in (b"/Creator", b"/Keywords"))
    return creator.split(b")", 1)[0].decode(), json.JSONDecoder().raw_decode(keywords.decode("latin-1"))[0]


def plotted(fit, stars, folder):
    """Run `halonmf plot`; return its PNG and PDF by the name of the figure."""
    commands.plot(fit, stars, folder)
    return {path.stem: [path, path.with_suffix(".pdf")] for path in sorted(folder.glob("*.png"))}


def test_figures_carry_version_settings_and_inputs_and_no_date(files, tmp_path):
    from importlib.metadata import version

    drawn = plotted(files / "fit.h5", files / "stars.fits", tmp_path / "a")
    sums = [
        {"name": name, "sha256": hashlib.sha256((files / name).read_bytes()).hexdigest()}
        for name in ("fit.h5", "stars.fits")
    ]
    for paths in drawn.values():
        for path in paths:
            software, record = record_in(path)
            assert software == f"halonmf {version('halonmf')}"
            assert (record["version"], record["command"], record["inputs"]) == (version("halonmf"), "plot", sums)
            assert len(record["settings_sha256"]) == 64
            assert b"CreationDate" not in path.read_bytes()
    again = plotted(files / "fit.h5", files / "stars.fits", tmp_path / "b")
    for name, paths in drawn.items():
        assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again[name]]


def test_other_settings_have_another_hash(files, tmp_path):
    other = replace(planted_fit(), settings=planted_fit().settings.replace(seed=7))
    save_fit(tmp_path / "other.h5", other)
    hashes = {
        record_in(plotted(path, None, tmp_path / path.stem)["components"][0])[1]["settings_sha256"]
        for path in (files / "fit.h5", tmp_path / "other.h5")
    }
    assert len(hashes) == 2


@pytest.mark.slow
def test_every_product_of_the_demo_has_a_record_of_its_own(tmp_path):
    made = demo.run(tmp_path, stars=15_000, seed=3, device="cpu")
    products = {path.name: path for path in made.files}
    expected = {
        "profile.ecsv": ("apply", ["fit.h5", "stars.fits"]),
        "map.ecsv": ("apply", ["fit.h5", "stars.fits"]),
        "boundary.ecsv": ("boundary", ["fit.h5", "stars.fits"]),
        "fit.h5": ("fit", ["stars.fits"]),
    }
    hashes = set()
    for name, (command, inputs) in expected.items():
        content = load(products[name])
        record = content.meta["provenance"] if isinstance(content, Table) else content.provenance
        assert (record["command"], [item["name"] for item in record["inputs"]]) == (command, inputs)
        for item in record["inputs"]:
            assert item["sha256"] == hashlib.sha256(products[item["name"]].read_bytes()).hexdigest()
        hashes.add(record["settings_sha256"])
    assert len(hashes) == len(expected)
    assert record_in(products["summary.png"])[1]["command"] == "demo"
