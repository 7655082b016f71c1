"""How well the default fit finds the truth of the mock survey: a table over seeds, saved as JSON.

Run with: python benchmarks/mock_recovery.py [--seeds 1 2 3 4 5] [--oversample 20]
"""

import argparse
import dataclasses
import json
import pathlib
import tempfile

import numpy as np

from halonmf.halo import demo, mock
from halonmf.halo.binning import parse_axes
from halonmf.halo.mock_expected import expected
from halonmf.halo.model import FitSettings, choose, fit
from halonmf.halo.prepare import prepare
from halonmf.halo.provenance import provenance
from halonmf.halo.truth import population_images, recover

RESULTS = pathlib.Path(__file__).parent / "results" / "mock_recovery.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--stars", type=int, default=60_000)
    parser.add_argument("--oversample", type=int, default=20, help="mock surveys that the expected counts come from")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    settings = FitSettings(device="cpu")
    ideal, _ = choose(expected(options.stars, oversample=options.oversample), settings)
    images = population_images(settings.chemistry, ideal)
    rows = []
    print("seed  stars  true   fit    noise-free  fit-nf   E_50 true / fit / noise-free [1e5]   rms   after bias")
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            paths = mock.make(folder, n_stars=options.stars, seed=seed)
            table = prepare(paths.allstar, paths.astronn, paths.members).table
            found = recover(fit(table, settings), table, paths.truth, images, parse_axes(demo.PROFILE_AXES))
        rows.append({"seed": seed, **dataclasses.asdict(found)})
        half = " / ".join(
            ",".join(f"{x / 1e5:.3f}" for x in at)
            for at in (found.true_crossing, found.crossing, found.noise_free_crossing)
        )
        print(
            f"{seed:4d}  {found.n_stars:5d}  {found.true_share:.4f} {found.share:.4f} {found.noise_free_share:.4f}     "
            f"{found.share - found.noise_free_share:+.4f}  {half:>35s}  {found.rms:.4f}  {found.rms_after_bias:.4f}"
        )
    shares = np.array([[row["true_share"], row["share"], row["noise_free_share"]] for row in rows])
    print(
        f"mean bias {np.mean(shares[:, 1] - shares[:, 0]):+.4f}, predicted {np.mean(shares[:, 2] - shares[:, 0]):+.4f}"
    )
    record = provenance("mock_recovery", {**vars(options), "fit": settings}, seeds=options.seeds, device="cpu")
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps({"rows": rows, "provenance": record}, indent=1) + "\n")


if __name__ == "__main__":
    main()
