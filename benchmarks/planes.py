"""Components of real giants in other abundance planes than the paper's: pictures for docs/transfer.md.

Run as ``python benchmarks/planes.py ALLSTAR.fits ASTRONN.fits``; writes docs/images/planes-*.png and
benchmarks/results/planes.json, and prints the commands that make the same.
"""

import argparse
from pathlib import Path

from record import RESULTS, ROOT, save

from halonmf import halo
from halonmf.halo.stars.variables import parts_of
from halonmf.halo.survey.settings import PrepareSettings

RANGES = {
    "FE_H": (-2.2, 0.2), "AL_FE": (-0.6, 0.5), "MG_FE": (-0.2, 0.5), "MG_MN": (-0.2, 0.9), "NI_FE": (-0.3, 0.2),
    "N_FE": (-0.4, 1.2), "CE_FE": (-0.8, 0.8),
}  # fmt: skip
EXAMPLES = {
    "mg-mn": ("MG_MN:AL_FE",),
    "nickel": ("NI_FE:FE_H", "AL_FE:FE_H"),
    "nitrogen-cerium": ("N_FE:FE_H", "CE_FE:FE_H", "MG_FE:FE_H"),
}
BINS, PIXELS = "E:5", 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs=2, type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args()
    rows = {}
    for name, planes in EXAMPLES.items():
        variables = list(dict.fromkeys(x for plane in planes for x in plane.split(":")))
        elements = tuple(dict.fromkeys(("FE_H", *parts_of(variables))))
        settings = PrepareSettings(elements=elements, missing="keep", clusters="remove")
        stars = halo.prepare(*options.files, settings=settings)
        fit = halo.fit(
            stars, selection="all", bins=BINS, planes=planes, ranges={x: RANGES[x] for x in variables}, pixels=PIXELS,
            loss="kullback-leibler", missing="balance",
        )  # fmt: skip
        picture = halo.figures.components(fit)
        halo.figures.save(picture, options.output / f"planes-{name}", ("png",), overwrite=True)
        lacking = {
            x: int(n)
            for x, n in zip(fit.mixtures.chemistry.planes, (fit.mixtures.columns < 0).sum(axis=0), strict=True)
        }
        rows[name] = {
            "stars": len(stars), "outside or missing": {str(x): n for x, n in lacking.items()},
            "mass_fractions": fit.mass_fractions.tolist(), "verdict": fit.verdict.line,
        }  # fmt: skip
        print("halonmf prepare ALLSTAR ASTRONN", *(f"--element {x}" for x in elements), "--missing keep")
        print("halonmf fit stars.fits", *(f"--plane {x}" for x in planes), rows[name], picture.caption, sep="\n")
    settings = {"bins": BINS, "pixels": PIXELS, "planes": EXAMPLES, "ranges": RANGES}
    save(RESULTS / "planes.json", {"rows": rows}, "benchmarks/planes.py", settings, inputs=options.files)


if __name__ == "__main__":
    main()
