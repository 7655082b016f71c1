"""Draw docs/images/mock-chemistry.png: a mock's abundance planes with the disc unthinned, compared with APOGEE DR17's.

Usage: python docs/mock_chemistry.py REFERENCE.npz [OUTPUT.png] [--stars 60000] [--seed 1] [--model fair]

REFERENCE holds counts_Mg, counts_Al (n_fe_h, n_x), saturated_Mg, saturated_Al and the edges edges_FeH_Mg, edges_MgFe,
edges_FeH_Al, edges_AlFe of the survey's clean giants.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from astropy.table import Table
from matplotlib.colors import LogNorm

from halonmf.halo.mock import survey as mock
from halonmf.halo.mock.family import MODELS
from halonmf.halo.mock.populations import POPULATIONS
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.stars.cuts import apply_cuts
from halonmf.halo.survey.quality import quality_cuts


@dataclass(frozen=True)
class Clean:
    """Clean giants of a mock, each with the number of survey stars it stands for."""

    table: Table
    weight: np.ndarray


def clean_giants(survey: mock.MockSurvey) -> Clean:
    """Giants that pass the quality cuts."""
    table = survey.table.copy(copy_data=False)
    table["distance"] = survey.astronn["weighted_dist"] / 1e3
    keep = apply_cuts(table, quality_cuts())[0]
    for name in ("FE_H", "MG_FE", "AL_FE"):
        keep &= np.asarray(table[name]) > -9000
    population = np.asarray(survey.truth["population"]).astype(str)
    thinned = np.isin(population, [p.name for p in POPULATIONS if p.thinned])
    return Clean(table[keep], np.where(thinned, survey.thinning, 1.0)[keep])


def mock_figure(giants: Clean, reference: dict[str, np.ndarray]) -> plt.Figure:
    """Three columns: the mock, the survey, and the marginal distributions of both; a row per plane."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for row, (x, label) in enumerate((("Mg", "[Mg/Fe]"), ("Al", "[Al/Fe]"))):
        edges = reference[f"edges_FeH_{x}"], reference[f"edges_{x}Fe"]
        columns = (np.asarray(giants.table[name], float) for name in ("FE_H", f"{x.upper()}_FE"))
        counts = np.histogram2d(*columns, bins=edges, weights=giants.weight)[0]
        survey = reference[f"counts_{x}"].astype(float)
        # one scale for both: the survey's counts saturate in the brightest pixels, so compare where they do not
        usable = ~reference[f"saturated_{x}"]
        counts *= survey[usable].sum() / counts[usable].sum()
        for axis, image, title in ((axes[row, 0], counts, "mock, re-weighted"), (axes[row, 1], survey, "APOGEE DR17")):
            mesh = axis.pcolormesh(
                *edges, np.where(image > 0, image, np.nan).T, norm=LogNorm(1, survey.max()), cmap="cividis"
            )
            axis.set(xlabel="[Fe/H] [dex]", ylabel=f"{label} [dex]", title=title)
        figure.colorbar(mesh, ax=axes[row, 1], label="stars per pixel")
        axis = axes[row, 2]
        poor = 0.5 * (edges[0][1:] + edges[0][:-1]) < -0.9
        for rows, style, text in ((~poor, "-", "[Fe/H] > $-$0.9"), (poor, "--", "[Fe/H] < $-$0.9")):
            for image, colour, name in ((counts, "#D55E00", "mock"), (survey, "#0072B2", "APOGEE DR17")):
                axis.stairs(image[rows].sum(axis=0), edges[1], color=colour, ls=style, label=f"{name}, {text}")
        axis.set(yscale="log", ylim=(3, None), xlabel=f"{label} [dex]", ylabel="stars per bin")
    handles, labels = axes[0, 2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=4)
    return figure


def main() -> None:
    """Parse the arguments and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("output", type=Path, nargs="?", default=Path(__file__).parent / "images" / "mock-chemistry.png")
    parser.add_argument("--stars", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", choices=MODELS, default=MockSettings.model)
    arguments = parser.parse_args()
    with np.load(arguments.reference) as file:
        reference = dict(file)
    figure = mock_figure(clean_giants(mock.draw(arguments.stars, arguments.seed, model=arguments.model)), reference)
    arguments.output.parent.mkdir(exist_ok=True)
    figure.savefig(arguments.output, dpi=110)


if __name__ == "__main__":
    main()
