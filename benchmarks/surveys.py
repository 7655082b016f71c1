"""Surveys by name: the mock's seeds recovered through each layout, and DR19 of SDSS-V at full size; saved as JSON.

Run with: python benchmarks/surveys.py [--rows 1500000] [--seeds 5] [--folder DIR]; it needs some 3 GB of memory and
2 GB of files in the folder, where they are deleted again.

With --rows 0 the figures of the last run at full size stay.

The file of full size holds a survey-like mock of 100,000 rows over and over, each time with other ids. Preparing it is
a process of its own, imports and orbits included, on one thread (set OMP_NUM_THREADS=1).
"""

import argparse
import gzip
import io
import json
import pathlib
import tempfile

import numpy as np
from astropy.io import fits
from record import RESULTS, measure, save

from halonmf import halo
from halonmf.halo.mock.layouts import laid_out
from halonmf.halo.mock.settings import FILES
from halonmf.halo.mock.survey import draw, write
from halonmf.halo.mock.truth import read_truth
from halonmf.halo.stars.selection import choose

MODEL_ROWS = 100_000
PREPARE = """
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.survey.prepare import prepare
found = prepare(sys.argv[2], distances=sys.argv[3], survey="mwm-dr19")
write_catalogue(sys.argv[1], found.table, found.cutflow, found.provenance)
"""
READ = """
import gzip
for path in sys.argv[1:]:
    with gzip.open(path) as file:
        while file.read(1 << 22):
            pass
"""


def rows_of(table):
    """Return the header of a table of FITS, and its rows as bytes."""
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(table)]).writeto(buffer)
    with fits.open(io.BytesIO(buffer.getvalue())) as hdus:
        start = hdus[1].fileinfo()["datLoc"]
        header = hdus[1].header
    return header, buffer.getvalue()[start : start + header["NAXIS1"] * header["NAXIS2"]]


def write_large(path, table, n_rows):
    """Write a table over and over until it has `n_rows`, as the second table of a file within gzip."""
    empty, _ = rows_of(table[:0])
    header, raw = rows_of(table)
    width = header["NAXIS1"]
    rows = np.frombuffer(raw, dtype=np.dtype({"names": ["sdss_id"], "formats": [">i8"], "itemsize": width})).copy()
    header["NAXIS2"] = n_rows
    with gzip.open(path, "wb", compresslevel=1) as file:
        for one in (fits.PrimaryHDU().header, empty, header):
            file.write(one.tostring().encode("ascii"))
        for done in range(0, n_rows, len(table)):
            part = np.frombuffer(bytearray(raw), dtype=rows.dtype)[: n_rows - done]
            part["sdss_id"] = rows["sdss_id"][: len(part)] + done
            file.write(part.view(f"V{width}").tobytes())
        file.write(b"\0" * (-n_rows * width % 2880))


def large(folder, n_rows):
    """Return the time and the memory of preparing DR19 at full size, beside those of unpacking its files."""
    layout = laid_out(draw(MODEL_ROWS, seed=1, full=True), "mwm-dr19")
    paths = []
    for name, extensions in layout.files.items():
        paths.append(folder / name)
        write_large(paths[-1], extensions[-1], n_rows)
        print(f"{name}: {paths[-1].stat().st_size / 1e6:,.0f} MB", flush=True)
    del layout
    out = {"rows": n_rows, "bytes": [path.stat().st_size for path in paths]}
    for name, code, arguments in (("unpack", READ, paths), ("prepare", PREPARE, [folder / "stars.fits", *paths])):
        out[name] = took = measure(code, *arguments)
        seconds = f"{took['seconds']:.1f} s ({took['cpu_seconds']:.1f} of the processor)"
        print(f"{name}: {seconds}, {took['peak_bytes'] / 1e9:.2f} GB", flush=True)
    out["stars"] = int(fits.getheader(folder / "stars.fits", 1)["NAXIS2"])
    print(f"{out['stars']:,} stars pass")
    for path in (*paths, folder / "stars.fits"):
        path.unlink()
    return out


def recovered(folder, seed):
    """Return what the paper's analysis finds of one mock through each layout, and what is true."""
    survey, out = draw(seed=seed), {}
    for name in FILES:
        paths = write(folder / name, survey, overwrite=True, layout=name)
        stars = halo.prepare(paths.allstar, paths.astronn, paths.members)
        fit = halo.fit(stars)
        crossing = halo.profile(fit, stars, "E:20:-2.5e5:-1.0e5").crossings[0]
        chosen, _ = choose(stars, fit.settings.selection)
        out[name] = {
            "stars": len(stars),
            "fitted": len(chosen),
            "true": float(read_truth(paths.truth, chosen).accreted.mean()),
            "HE": float(fit.mass_fractions[-1]),
            "crossing": float(crossing.at[0]),
        }
        one = out[name]
        print(
            f"seed {seed} {name:12s} {one['fitted']:,} fitted, truth {one['true']:.4f}, HE {one['HE']:.4f}, "
            f"crossing {one['crossing']:,.0f}",
            flush=True,
        )
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "surveys.json")
    options = parser.parse_args()
    settings = {"rows": options.rows, "seeds": options.seeds}
    before = json.loads(options.output.read_text()) if options.output.exists() and not options.rows else {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        size = large(pathlib.Path(folder), options.rows) if options.rows else before.get("large", {})
        mocks = {}
        for seed in range(1, options.seeds + 1):
            mocks[seed] = recovered(pathlib.Path(folder), seed)
            figures = {"large": size, "mocks": mocks, "largest_differences": differences(mocks)}
            save(options.output, figures, "benchmarks/surveys.py", settings, seeds=list(mocks), device="cpu")
    worst = differences(mocks)
    print("largest differences from APOGEE DR17's layout:", worst)
    figures = {"large": size, "mocks": mocks, "largest_differences": worst}
    save(options.output, figures, "benchmarks/surveys.py", settings, seeds=list(mocks), device="cpu")


def differences(mocks):
    """Return by how much the layouts differ from APOGEE DR17's at most."""
    worst = {}
    for name in FILES:
        for what in ("HE", "crossing"):
            apart = [abs(mock[name][what] - mock["apogee-dr17"][what]) for mock in mocks.values()]
            worst[f"{name} {what}"] = float(np.max(apart)) if apart else None
    return worst


if __name__ == "__main__":
    main()
