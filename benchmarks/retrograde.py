"""Where real retrograde giants turn from in-situ to accreted, with its bootstrap interval; saved as JSON.

Run with: python benchmarks/retrograde.py ALLSTAR.fits ASTRONN.fits
"""

import argparse
import pathlib

from record import RESULTS, save

from halonmf.halo.ensembles.summary import summarise_setup
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import Chemistry, parse_axes
from halonmf.halo.replicates.replicate import begin, reduce
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.survey.prepare import prepare

SETUP = Setup(
    FitSettings.of(selection="retrograde", axes=parse_axes("E:5,Lz:5"), chemistry=Chemistry(pixels=15), device="cpu")
)
REPLICATES = 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs=2, type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "retrograde.json")
    options = parser.parse_args()
    base = begin(prepare(*options.files).table, SETUP)
    part = summarise_setup(0, "base", SETUP, base.products, base.coordinates, reduce(base, 0, REPLICATES))
    names = ("base", "median", "p16", "p84", "p2_5", "p97_5", "se")
    figures = {
        "n_stars": len(base.sample),
        "replicates": part.replicates,
        "refused": part.refused,
        "unconverged": part.unconverged,
        "crosses": dict(
            zip(("never", "once", "often", "untold"), part.counts["crossing_E"][:, 0].tolist(), strict=True)
        ),
        "crossing": {name: float(part("crossing_E", name)[0]) for name in names},
        "fraction": {name: float(part("mass_fraction", name)[1]) for name in names},
    }
    print(figures)
    settings = {"setup": SETUP, "replicates": REPLICATES}
    save(options.output, figures, "benchmarks/retrograde.py", settings, inputs=options.files, seeds=[0], device="cpu")


if __name__ == "__main__":
    main()
