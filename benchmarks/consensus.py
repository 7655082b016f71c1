"""Consensus of many factorisations: `nmfcore.consensus` and the package cnmf on counts of planted signatures; as JSON.

Run with: OMP_NUM_THREADS=1 python benchmarks/consensus.py --peer PYTHON [--quick]
PYTHON is an interpreter of an environment of its own, into which cnmf was installed by `pip install cnmf`. Both get the
same counts, the same numbers of components and of replicates, and minimise the squared error of counts whose channels
have unit variance, which is cnmf's way with genes. Its replicates are the same data from other random starts; so they
are here. Seconds are the processor's, files and figures that cnmf writes included.
"""

import fair  # unsets what would slow NumPy down, before that is loaded

# isort: split
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
from record import RESULTS, save

import nmfcore
from nmfcore import bench

RANKS = tuple(range(2, 9))
TUMOURS, SIGNATURES, CHANNELS = 80, 5, 96
PEER = """
import json, sys, time, warnings
from importlib.metadata import version
warnings.simplefilter("ignore")
import matplotlib; matplotlib.use("Agg")
import numpy as np, pandas as pd
from cnmf import cNMF
folder, ranks, replicates, k = json.loads(sys.argv[1])
counts = np.load(folder + "/counts.npy")
m, n = counts.shape
frame = pd.DataFrame(counts, [f"t{i}" for i in range(m)], [f"c{j}" for j in range(n)])
frame.to_csv(folder + "/counts.txt", sep="\\t")
one = cNMF(output_dir=folder, name="peer")
before = time.process_time()
one.prepare(counts_fn=folder + "/counts.txt", components=ranks, n_iter=replicates, seed=1, num_highvar_genes=n)
one.factorize(worker_i=0, total_workers=1)
one.combine()
one.k_selection_plot(close_fig=True)
one.consensus(k=k, density_threshold=0.5, show_clustering=False)
spent = time.process_time() - before
usage, scores, spectra, top = one.load_results(K=k, density_threshold=0.5)
stats = np.load(one.paths["k_selection_stats"], allow_pickle=True)
stats = pd.DataFrame(stats["data"], stats["index"], stats["columns"])
np.save(folder + "/spectra.npy", np.asarray(spectra.loc[frame.columns], float).T)
print(json.dumps({"seconds": spent, "version": version("cnmf"), "stability": [float(x) for x in stats["silhouette"]]}))
"""


def problem(seed=7):
    """Counts of tumours, and the signatures behind them."""
    rng = np.random.default_rng(seed)
    planted = rng.dirichlet(np.full(CHANNELS, 0.3), SIGNATURES)
    active = rng.random((TUMOURS, SIGNATURES)) < [1, 0.4, 0.25, 0.3, 1]
    exposure = active * rng.gamma(1, [600, 1200, 2000, 1200, 1000], (TUMOURS, SIGNATURES))
    return rng.poisson(exposure @ planted).astype(float), planted


def ours(counts, planted, ranks, replicates):
    """Stability of every number of components by other starts of the same counts, as cnmf has it, and the cosines."""
    spread = counts.std(axis=0, ddof=1)
    same = np.broadcast_to(counts / spread, (replicates, *counts.shape))
    before, stability, found = time.process_time(), [], None
    for k in ranks:
        runs = nmfcore.factorize(same, k, init="random", starts=1)
        stability.append(nmfcore.consensus(runs.H, threshold=2).stability)
        if k == len(planted):
            found = nmfcore.consensus(runs.H)
    spent = time.process_time() - before
    spectra = found.H * spread
    cosines = nmfcore.align(spectra, planted).similarity[0]
    return {"seconds": spent, "stability": stability, "cosines": cosines.tolist()}, spectra


def main():
    fair.require()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=pathlib.Path, required=True, help="Python with cnmf installed")
    parser.add_argument("--replicates", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="small sizes: to see whether it runs; nothing is saved")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "consensus.json")
    options = parser.parse_args()
    ranks, replicates = ((4, 5), 8) if options.quick else (RANKS, options.replicates)
    counts, planted = problem()
    with bench.threads(1):
        ours(counts, planted, ranks, 2)  # what is compiled is compiled now
        mine, own = ours(counts, planted, ranks, replicates)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/counts.npy", counts)
        told = json.dumps([folder, list(ranks), replicates, len(planted)])
        done = subprocess.run([options.peer, "-c", PEER, told], capture_output=True, text=True, check=True)
        peer = json.loads(done.stdout.splitlines()[-1])
        spectra = np.load(f"{folder}/spectra.npy")
    peer["cosines"] = nmfcore.align(spectra, planted).similarity[0].tolist()
    between = nmfcore.align(spectra, own).similarity[0].tolist()
    figures = {"ranks": list(ranks), "nmfcore": mine, "cnmf": peer, "cosines_of_both": between}
    print(json.dumps(figures, indent=1))
    if not options.quick:
        settings = {"replicates": replicates, "tumours": TUMOURS, "signatures": SIGNATURES}
        save(options.output, figures, "benchmarks/consensus.py", settings, seeds=[7], device="cpu")


if __name__ == "__main__":
    main()
