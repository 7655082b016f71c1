"""Ensembles with all their products: beside joblib and scikit-learn in one run, and the two commands of a working day.

Run with: OMP_NUM_THREADS=1 python benchmarks/ensemble.py [STARS.fits] [--threads 1 2] [--quick]

The peer draws the same bootstraps, fits them with scikit-learn's coordinate descent on sparse float32 matrices, one
process a core with one BLAS thread each, finds the components in every other binning with its `transform`, and makes
the same products from that. Both sides are timed without start-up, the peer on fewer replicates: cost is compared per
replicate, in rounds taken in turn, medians of ratios within rounds. The commands are timed from the prompt, kernels
compiled, with their peak memory, and so is the import of the packages: medians of several, by the clock and by the
processor's seconds.
"""

import fair  # unsets what would slow NumPy down, before that is loaded

# isort: split
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import numpy as np
from peers import spread, typical
from record import RESULTS, save
from rounds import ROUNDS, cost, in_turn, timed
from scipy import sparse
from sklearn.decomposition import NMF

import nmfcore
from halonmf.halo.ensembles.summary import summarise_setup
from halonmf.halo.fits.fit import fractions
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import Axis, Chemistry
from halonmf.halo.mock import survey as mock
from halonmf.halo.products import boundary
from halonmf.halo.products.histograms import MIN_SHARE
from halonmf.halo.products.profile import LEVELS, MIN_STARS
from halonmf.halo.replicates.replicate import Stars, begin, reduce
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.catalogue import read_catalogue, write_catalogue
from halonmf.halo.survey.prepare import prepare
from nmfcore import bench

sys.path.append(str(pathlib.Path(__file__).parents[1] / "tests" / "halo" / "helpers"))
from oracles import column, crossings, deviation, marginal, quantile

MUST = {"ratio": 15.0, "bootstrap_s": 4.0, "sweep_s": 15.0, "summary_s": 2.0, "peak_gb": 2.0}
SETUP = Setup(FitSettings.of(device="cpu"))
SWEEP = [(q, pixels) for q in range(5, 13) for pixels in range(10, 61, 10)]
# Of scikit-learn's coordinate descent, its default: near enough to the optimum for two components.
TOL = 1e-4


class Peer:
    """One bootstrap with scikit-learn, all products made; the item is a replicate."""

    def __init__(self, base):
        self.weights_of, self.mixtures = base.fit.mixtures.rows, base.fit.mixtures
        self.places, self.H, self.settings = base.sample.places, base.fit.H, base.setup.fit
        self.E = np.asarray(base.sample.stars["E"], dtype=float)

    def __call__(self, replicate):
        mixtures, chemistry, k = self.mixtures, self.settings.chemistry, self.settings.solver.components
        weights = nmfcore.star_weights(mixtures.rows, replicates=1, first_replicate=replicate)[0]
        V = counts(weights, mixtures.rows, mixtures.columns, mixtures.V.shape)
        model = NMF(k, init="nndsvda", solver="cd", tol=TOL, max_iter=400)
        W, H = model.fit_transform(V), model.components_
        scale = H.sum(axis=1)
        W, H = W * scale, H / scale[:, None]
        order = nmfcore.align(H, self.H).permutation[0]
        W, H = W[:, order], H[order]
        found = {
            "mass_fraction": W.sum(axis=0) / W.sum(),
            "mean_fraction": np.nanmean(fractions(W), axis=0),
            "mean_energy": self.mean_energy(weights, W),
        }
        # all binnings one below the other: one call for all of them
        index = self.places.index
        parts = [counts(weights, column, mixtures.columns, (len(self.places), chemistry.n)) for column in index.T]
        applied = model.transform(sum(parts)) * scale
        fraction = fractions(applied.astype(np.float64)[:, order])
        number = sum(np.bincount(c[c >= 0], weights[c >= 0], len(self.places)) for c in index.T)
        told = np.where(number >= MIN_STARS, fraction[:, -1], np.nan)
        for name, bins in self.places.bins.items():
            part = self.places.part(name)
            if name == "map":
                found |= self.boundary(bins, told[part])
            else:
                centre = bins.bounds[:, 0].mean(axis=-1)
                found[f"fraction_{name}"] = fraction[part]
                found[f"crossing_{name}"] = [crossings(centre, told[part], level) for level in LEVELS]
        return found | chemical(chemistry, H)

    def mean_energy(self, weights, W):
        rows = self.mixtures.rows
        inside = rows >= 0
        total = np.bincount(rows[inside], (weights * self.E)[inside], len(W))
        number = np.bincount(rows[inside], weights[inside], len(W))
        mean = total / np.maximum(number, 1)
        return (W * mean[:, None]).sum(axis=0) / W.sum(axis=0)

    def boundary(self, bins, told):
        columns, cells = (axis.count for axis in bins.axes)
        E = bins.edges[1][0]
        line = np.array([column(0.5 * (E[1:] + E[:-1]), fraction, 0.5)[0] for fraction in told.reshape(columns, cells)])
        return {"boundary": line, "boundary_smoothed": boundary.smooth(line, boundary.SMOOTHING)}


def counts(weights, rows, columns, shape):
    """Counts of weighted stars as a sparse float32 matrix."""
    inside = (rows[:, None] >= 0) & (columns >= 0) & (weights[:, None] > 0)
    stars = np.nonzero(inside)[0]
    return sparse.csr_array(
        (weights[stars].astype(np.float32), (rows[stars], columns[inside])), shape=shape, dtype=np.float32
    )


def chemical(chemistry, H):
    """Percentiles and median tracks of the components."""
    found = {}
    for name in chemistry.variables:
        edges = chemistry.edges(name)
        rows = [marginal(chemistry, row, name) for row in H]
        found[f"percentile_{name}"] = [[quantile(edges, row, p / 100) for p in (10, 50, 90)] for row in rows]
    images = chemistry.images(H)
    for i, plane in enumerate(chemistry.planes):
        edges = chemistry.edges(plane.y)
        medians, deviations = np.full((2, len(H), chemistry.pixels), np.nan)
        for c, picture in enumerate(images[:, i]):
            weight = picture.sum(axis=0) / picture.sum()
            for x in np.flatnonzero((weight >= MIN_SHARE) & (weight > 0)):
                medians[c, x] = quantile(edges, picture[:, x], 0.5)
                deviations[c, x] = deviation(edges, picture[:, x], medians[c, x])
        found[f"track_{plane}"], found[f"deviation_{plane}"] = medians, deviations
    return found


def apart(base, peers):
    """How far the peer's products are from ours of the same replicates: largest differences."""
    ours = reduce(base, 0, len(peers))
    return {
        name: float(np.nanmax([np.abs(np.asarray(peer[name]) - ours[name][b]).max() for b, peer in enumerate(peers)]))
        for name in ("mass_fraction", "fraction_E", "percentile_FE_H")
    }


def beside(base, threads, number, peers):
    """Our replicates and the peer's, in turn, on so many threads; milliseconds per replicate."""
    peer = Peer(base)
    with bench.threads(threads):
        measured = in_turn(
            cost(lambda: finish(base, number), number), lambda: typical(peer, range(peers), threads), ROUNDS
        )
        few = spread(peer, range(peers), threads)
    figures = measured.figures()
    return {
        "threads": threads, "replicates": number, "peer_replicates": peers, "ratio": figures.pop("value"), **figures,
        "apart": apart(base, few),
    }  # fmt: skip


def finish(base, number):
    """All replicates of a set-up, summed up."""
    return summarise_setup(0, "base", base.setup, base.products, base.coordinates, reduce(base, 0, number))


def sweep(stars, number):
    """The robustness sweep in one process: base fits, replicates, statistics."""
    held = Stars(stars)
    for q, pixels in SWEEP:
        axes = tuple(Axis(name, q) for name in ("E", "Lz"))
        settings = replace(SETUP.fit, axes=axes, chemistry=Chemistry(pixels=pixels))
        finish(begin(held, replace(SETUP, fit=settings)), number)


def command(*words, folder, repeats=5, fresh=()):
    """Time a command of this software from the prompt; medians, after one that is not counted: it also compiles.

    Parameters
    ----------
    *words : str or path
    folder : path
        In which it works.
    repeats : int
    fresh : sequence of str
        Folders in it that are removed each time before.
    """
    rounds = []
    for _ in range(repeats + 1):
        for name in fresh:
            shutil.rmtree(pathlib.Path(folder) / name, ignore_errors=True)
        rounds.append(child([str(word) for word in words], folder))
    return {name: float(np.median([row[name] for row in rounds[1:]])) for name in rounds[0]}


def child(line, folder):
    """Run a command in a folder; its seconds, and the most memory it held."""
    start = time.perf_counter()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(line)} exited {process.returncode}")
    return {
        "seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_gb": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9,
    }  # fmt: skip


def main():
    fair.require()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stars", nargs="?", type=pathlib.Path, help="prepared catalogue; by default that of the mock")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "ensemble.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.stars
        if path is None:
            made = mock.make(pathlib.Path(folder) / "mock")
            ready = prepare(made.allstar, made.astronn, made.members)
            path = write_catalogue(pathlib.Path(folder) / "stars.fits", ready.table, ready.cutflow, ready.provenance)
        stars = read_catalogue(path).table
        base = begin(stars, SETUP)
        number, peers = (200, 4) if options.quick else (1000, 16)
        rows = [beside(base, threads, number, peers) for threads in options.threads]
        for row in rows:
            print({name: x if isinstance(x, dict) else round(x, 3) for name, x in row.items()}, flush=True)
        few = 10 if options.quick else 100
        sweep(stars, 2)
        _, clock, processor = timed(sweep, stars, few)
        inside = {"setups": len(SWEEP), "replicates": few, "seconds": clock, "cpu_seconds": processor}
        print("sweep in one process", inside, flush=True)
        halonmf = shutil.which("halonmf", path=str(pathlib.Path(sys.executable).parent)) or "halonmf"
        ensemble = (halonmf, "ensemble", pathlib.Path(path).absolute(), "--quiet", "-o", "run")
        axes = ("--sweep", "bins=5:12", "--sweep", "pixels=10:60:10")
        where = {"folder": folder, "repeats": 1 if options.quick else 5}
        commands = {
            "bootstrap": command(*ensemble, "--bootstrap", number, **where, fresh=["run"]),
            "summary": command(halonmf, "summary", "run", "--quiet", **where, fresh=["run/figures"]),
            "summary_unchanged": command(halonmf, "summary", "run", "--quiet", **where),
            "sweep": command(*ensemble, "--bootstrap", few, *axes, folder=folder, repeats=1, fresh=["run"]),
        }
        for package in ("nmfcore", "halonmf.halo"):
            commands[f"import {package}"] = command(sys.executable, "-c", f"import {package}", **where)
        print(commands, flush=True)
    figures = {
        "must": MUST, "stars": len(base.sample), "peer_tol": TOL, "rows": rows, "sweep": inside, "commands": commands,
    }  # fmt: skip
    settings = {"setup": SETUP, "sweep": SWEEP, "quick": options.quick, "replicates": number}
    save(options.output, figures, "benchmarks/ensemble.py", settings, device="cpu")


if __name__ == "__main__":
    main()
