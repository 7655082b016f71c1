"""Where real retrograde giants turn from in-situ to accreted, over the pixels of the images; saved as JSON.

Run with: python benchmarks/giants.py ALLSTAR.fits ASTRONN.fits
"""

import argparse
import pathlib

from record import RESULTS, save

from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import Chemistry, parse_axes
from halonmf.halo.products.profile import profile
from halonmf.halo.survey.prepare import prepare

PIXELS = (15, 20, 30)
AXES, PROFILE = "E:5,Lz:5", "E:9:-2.1e5:-1.2e5"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs=2, type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "giants.json")
    options = parser.parse_args()
    stars = prepare(*options.files).table
    rows = []
    for pixels in PIXELS:
        settings = FitSettings.of(
            selection="retrograde", axes=parse_axes(AXES), chemistry=Chemistry(pixels=pixels), device="cpu"
        )
        fitted = fit(stars, settings)
        half = profile(fitted, stars, parse_axes(PROFILE)).crossings[0]
        rows.append(
            {"pixels": pixels, "fraction": float(fitted.mass_fractions[-1]), "level": half.level, "at": half.at}
        )
        print(rows[-1])
    settings = {"pixels": PIXELS, "axes": AXES, "profile": PROFILE, "selection": "retrograde"}
    figures = {"n_stars": len(stars), "n_retrograde": int(fitted.mixtures.n_stars.sum()), "rows": rows}
    save(options.output, figures, "benchmarks/giants.py", settings, inputs=options.files, device="cpu")


if __name__ == "__main__":
    main()
