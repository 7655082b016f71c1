"""The paper's products in order, and what its figures are called."""

from __future__ import annotations

from collections.abc import Mapping

from . import paper_four as four
from . import paper_two as two
from .paper_part import Step

STEPS: tuple[Step, ...] = (
    Step(("R0",), "The sample", ("fig01", "fig02"), ("selections",), two.sample),
    Step(("R1", "R2", "R3"), "Two components, chemically pure", ("fig03",), (), two.chemically_pure),
    Step(("R4",), "Two components, kinematically pure", ("fig04",), (), two.kinematically_pure),
    Step(("R5",), "Four components", (), (), four.four_components),
    Step(("R6",), "Percentiles of the abundances", (), ("table1",), four.percentiles),
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
        "Nine panels. Left: LE, at low energies, metal-rich and rich in aluminium. Middle: HE, at high energies, "
        "metal-poor and poor in aluminium. Right: map of LE's share with two boundary lines, and the median tracks of "
        "both components, apart from each other.",
    ),
    "fig04": (
        "Figure 4",
        "The same for the kinematically pure halo: LE at low and HE at high energies, with the boundary between them.",
    ),
}
"""Titles and alternative texts of the figures."""
