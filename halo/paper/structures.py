"""Structures within the components: R12 to R14."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import figures
from ..populations.aurora import aurora
from ..populations.bifurcation import STATISTICS, Bifurcation, bifurcation, scan
from ..populations.regions import REFERENCE, RegionEnergies, read_regions, region_energies
from ..stars.variables import values
from .part import Part
from .scoreboard import Value
from .study import CHEMICAL, Study

SPLASH = "Splash"
BRANCHES = ("Eos (Mg-rich)", "Eos (Mg-poor)")
"""The mock's populations that are the upper and the lower branch."""
LE1 = "LE1"


def regions(study: Study) -> Part:
    """R12: Eos, Splash, Aurora and GS/E by their chemistry, and their energies (Fig 12 and 13)."""
    two = study.two(CHEMICAL)
    made = region_energies(two.stars, selection="all", seed=study.settings.seed)
    truth = None
    if study.is_mock:
        truth = float(_place(_true_distances(study, made)))
    distances = dict(zip(made.names, made.distance, strict=True))
    support = made.support[made.names.index(SPLASH)]
    note = f"Kolmogorov-Smirnov distances from {REFERENCE}: " + ", ".join(
        f"{name} {distance:.3f}" for name, distance in distances.items() if name != REFERENCE
    )
    said = f"{note}. {SPLASH} is nearest in {100 * support:.0f} % of bootstraps."
    table = made.table()
    table.meta["caption"] = "Energies of the stars of each region, and the ratio of their density to that of Eos."
    chosen = read_regions()
    pictures = {"fig13": figures.energies(two.stars, chosen, made)}
    if not study.no_four:
        high = study.four.high
        pictures["fig12"] = figures.labelled_component(high, high.names.index("HE2"), chosen)
    return Part(
        values={"R12.nearest": Value(float(_place(distances)), truth=truth)},
        pictures=pictures,
        tables={"regions": table},
        said=(said,),
        skipped={"fig12": study.no_four} if study.no_four else {},
    )


def branches(study: Study) -> Part:
    """R13: the bifurcation of Eos and its actions (Fig 14)."""
    two = study.two(CHEMICAL)
    made = bifurcation(two.stars, selection="all", seed=study.settings.seed)
    true = _true_branches(study, two.stars) if study.is_mock else {}
    found = {}
    for j, statistic in enumerate(STATISTICS):
        for i, branch in enumerate(("upper", "lower")):
            x, error = float(made.statistics[i, j]), float(made.error[i, j])
            name = f"R13.{statistic}.{branch}"
            found[name] = Value(x, x - error, x + error, "bootstrap standard error", true.get(name))
    found["R13.rank"] = Value(_rank(made.scan), truth=true.get("R13.rank"))
    caption = "Statistics of J_r above and below the line [kpc km/s], with bootstrap errors."
    tables: dict[str, Any] = {"bifurcation": made.table(), "bifurcation-scan": made.tables()["scan"]}
    tables["bifurcation"].meta["caption"] = caption
    tables["bifurcation-scan"].meta["caption"] = "Every property of the stars of both branches, most different first."
    picture = figures.branches(two.stars, made)
    return Part(values=found, pictures={"fig14": picture}, tables=tables, said=_branches_said(made))


def aurora_branch(study: Study) -> Part:
    """R14: the chemistry of Aurora's branch over energy and angular momentum (Fig 15)."""
    two, four = study.two(CHEMICAL), study.four
    made = aurora(four.fit, two.stars, LE1, bins=two.fit.mixtures.bins, seed=study.settings.seed)
    at, drop = made.cut_off
    step = f"The step that fits the bins best: down by {drop:.2f} dex."
    found = {
        "R14.cut_off": Value(at if np.isfinite(at) else None, note=step),
        "R14.bins": Value(
            float(made.metal_poor.sum()),
            note="Retrograde bins 1.5 median absolute deviations below the median of all of them.",
        ),
    }
    table = made.table()
    table.meta["caption"] = "Aurora's branch in every bin of energy and angular momentum."
    picture = figures.aurora_maps(made, two.line, LE1)
    return Part(values=found, pictures={"fig15": picture}, tables={"aurora": table})


def _place(distances: dict[str, float]) -> int:
    """Return the place of Splash by distance from the reference."""
    others = sorted((distance, name) for name, distance in distances.items() if name != REFERENCE)
    return [name for _, name in others].index(SPLASH) + 1


def _true_distances(study: Study, made: RegionEnergies) -> dict[str, float]:
    """Return the distances of the mock's own populations from Eos in energy."""
    from scipy.stats import ks_2samp

    known, E = study.truth(CHEMICAL).population, values(study.two(CHEMICAL).stars, "E")
    eos = E[np.isin(known, BRANCHES)]
    return {name: 0.0 if name == REFERENCE else float(ks_2samp(eos, E[known == name]).statistic) for name in made.names}


def _true_branches(study: Study, stars: Any) -> dict[str, float]:
    """Return the statistics of J_r of the mock's two branches, and the place of J_r in a scan of them."""
    known = study.truth(CHEMICAL).population
    sides, found = [known == name for name in BRANCHES], {}
    if min(side.sum() for side in sides) < 2:
        return {}
    for side, branch in zip(sides, ("upper", "lower"), strict=True):
        J = values(stars, "J_r")[side]
        J = J[np.isfinite(J)]
        for statistic, x in zip(STATISTICS, (np.median(J), J.mean(), J.std(ddof=1)), strict=True):
            found[f"R13.{statistic}.{branch}"] = float(x)
    found["R13.rank"] = _rank(scan(stars, sides))
    return found


def _rank(scanned: Any) -> float:
    names = [row.name for row in scanned if not row.by_construction]
    return float(names.index("J_r") + 1)


def _branches_said(made: Bifurcation) -> tuple[str, ...]:
    differ = [row.name for row in made.scan if row.differs]
    above, below = made.n_stars
    return (
        f"{above} stars above the line and {below} below it. Properties in which they differ at 1 %, corrected for "
        f"their number: {', '.join(differ) or 'none'}.",
    )
