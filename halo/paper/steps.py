"""The paper's products in order, and what its figures are called."""

from __future__ import annotations

from collections.abc import Mapping

from . import checks, four, fractions, structures, two
from .part import Step

STEPS: tuple[Step, ...] = (
    Step(("R0",), "The sample", ("fig01", "fig02"), ("selections",), two.sample),
    Step(("R1", "R2", "R3"), "Two components, chemically pure", ("fig03",), (), two.chemically_pure),
    Step(("R4",), "Two components, kinematically pure", ("fig04",), (), two.kinematically_pure),
    Step(("R5",), "Four components", ("fig05",), (), four.four_components),
    Step(("R6",), "Percentiles of the abundances", (), ("table1",), four.percentiles),
    Step(("R7",), "Densities of the abundances", ("fig06",), (), fractions.abundances),
    Step(("R8",), "Eccentricities", ("fig07",), (), fractions.eccentricity),
    Step(("R9",), "Fractions against energy", ("fig08",), (), fractions.energies),
    Step(("R10",), "Fractions against distance", ("fig09", "fig10"), (), fractions.distances),
    Step(("R11",), "Simulated galaxies", ("fig11",), (), checks.simulations),
    Step(("R12",), "Eos, Splash, Aurora and GS/E", ("fig12", "fig13"), ("regions",), structures.regions),
    Step(("R13",), "The bifurcation of Eos", ("fig14",), ("bifurcation", "bifurcation-scan"), structures.branches),
    Step(("R14",), "Aurora's branch", ("fig15",), ("aurora",), structures.aurora_branch),
    Step(("R15",), "Stability", ("stability",), ("stability-fits",), checks.repeats),
    Step(("R16",), "Injected streams", ("injection",), ("injection-grid",), checks.streams),
    Step(("S",), "The search for penalties", ("search",), ("search-draws",), checks.penalties),
    Step(("members",), "Memberships", ("reliability",), ("members",), checks.members),
)
"""Everything that is made, in order."""
FIGURES: Mapping[str, tuple[str, str]] = {
    "fig01": (
        "Figure 1",
        "Three panels of energy against angular momentum: all stars that pass the quality cuts, with a dense prograde "
        "disc sequence; the chemically pure halo; the kinematically pure halo.",
    ),
    "fig02": (
        "Figure 2",
        "Two density panels of the chemically pure halo, [Al/Fe] and [Mg/Fe] against [Fe/H], with a vertical dashed "
        "line at [Fe/H] = -1.1.",
    ),
    "fig03": (
        "Figure 3",
        "Nine panels, a column each for LE, for HE and for their comparison: weights of the bins in energy and angular "
        "momentum and a map of LE's share with two boundary lines; images in [Al/Fe] and in [Mg/Fe] against [Fe/H], "
        "and median tracks with bands.",
    ),
    "fig04": (
        "Figure 4",
        "Three panels of energy against angular momentum for the kinematically pure halo: weights of LE, weights of "
        "HE, and a map of LE's share with its boundary, that of the chemically pure halo and the published line.",
    ),
    "fig05": (
        "Figure 5",
        "Twelve panels, a column each for HE1, HE2, LE1 and LE2: weights of the bins in energy and angular momentum on "
        "either side of the boundary, and images in [Al/Fe] and in [Mg/Fe] against [Fe/H].",
    ),
    "fig06": (
        "Figure 6",
        "Three panels of densities of [Fe/H], [Al/Fe] and [Mg/Fe], each with curves of HE, LE, HE1, HE2, LE1 and LE2.",
    ),
    "fig07": (
        "Figure 7",
        "Distributions of eccentricity of HE and LE of the kinematically pure halo, with bootstrap bands and their "
        "peaks marked.",
    ),
    "fig08": (
        "Figure 8",
        "Fractions of LE and HE against energy for both halo selections: LE falls and HE rises from low to high "
        "energies, with bands over set-ups and from bootstraps, crossings marked, and the stars of each bin below.",
    ),
    "fig09": (
        "Figure 9",
        "Three panels of the fractions of LE and HE against spherical radius, height and cylindrical radius for both "
        "halo selections, with bands and the crossings at one half.",
    ),
    "fig10": (
        "Figure 10",
        "Three panels of the fractions of HE1, HE2, LE1 and LE2 against spherical radius, height and cylindrical "
        "radius, with bands over set-ups.",
    ),
    "fig11": (
        "Figure 11",
        "Three panels of the true fractions of mass born in situ and accreted against spherical radius, height and "
        "cylindrical radius: lines for simulated galaxies, points for the components of the fit.",
    ),
    "fig12": (
        "Figure 12",
        "Image of component HE2 in [Al/Fe] against [Fe/H] with the outlines of the regions Eos, Splash, Aurora and "
        "GS/E.",
    ),
    "fig13": (
        "Figure 13",
        "Three panels: the four regions in [Al/Fe] against [Fe/H], the energy distributions of their stars, and the "
        "ratio of that of Eos to each of the others.",
    ),
    "fig14": (
        "Figure 14",
        "Above: [Mg/Fe] against [Fe/H] with the frame of the bifurcation and the line between its branches, and the "
        "statistics of the radial action on both sides. Below: mean radial, vertical and azimuthal action by pixel.",
    ),
    "fig15": (
        "Figure 15",
        "Four panels: the mask of Aurora's branch on component LE1; maps of the 90th percentile of [Al/Fe] and of the "
        "median [Fe/H] over energy and angular momentum; and the two against each other with errors.",
    ),
    "stability": (
        "Stability",
        "Mass fractions and cosines of the components over random starts, numbers of bins and numbers of pixels.",
    ),
    "injection": (
        "Injected streams",
        "Two panels: the share of planted streams that were found, by width and number of stars, and the fewest stars "
        "needed against the share of the bins that the stream spans.",
    ),
    "search": (
        "Search for penalties",
        "Two panels: the held-out error over the strengths of both penalties, and against the error of the fit itself; "
        "no penalty and the best setting are marked.",
    ),
    "reliability": (
        "Reliability of memberships",
        "The share of stars that are accreted in truth against their probability, with the diagonal on which the two "
        "would agree, for both halo selections; below, the number of stars in each bin of probability.",
    ),
}
"""Titles and alternative texts of the figures."""
