"""The paper's products in order, and what its figures are called."""

from __future__ import annotations

from collections.abc import Mapping

from . import beside, checks, four, fractions, structures, two
from .part import Step
from .settings import BOTH, PAPER
from .study import CHEMICAL, KINEMATIC, SELECTIONS

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
"""Everything that the paper has, in order."""


def _selected(selection: str) -> Step:
    words = selection.replace("-", " ")
    return Step(
        (f"recommended-{selection}",),
        f"Recommended analysis: {words}",
        (f"recommended-{selection}",),
        tuple(f"{name}-{selection}" for name in ("table1", "numbers", "members")),
        beside.SELECTED[selection],
    )


RECOMMENDED: tuple[Step, ...] = (
    Step(
        ("recommended-rank",), "Recommended analysis: how many components",
        tuple(f"rank-{selection}" for selection in SELECTIONS), (), beside.how_many,
    ),
    _selected(CHEMICAL),
    _selected(KINEMATIC),
    Step(("analyses",), "Both analyses: the accreted fraction", ("analyses",), (), beside.along),
    Step(("calibration-of-both",), "Both analyses: memberships", ("calibration-of-both",), (), beside.members),
    Step(("comparison",), "Both analyses: numbers", ("comparison-of-both",), ("comparison",), beside.compared),
)  # fmt: skip
"""The recommended analysis, and what it has in common with the paper's."""


def steps_of(analysis: str) -> tuple[Step, ...]:
    """Return what is made of an analysis, in order."""
    if analysis == PAPER:
        return STEPS
    return (*STEPS, *RECOMMENDED) if analysis == BOTH else (STEPS[0], *RECOMMENDED)


TITLES: Mapping[str, str] = {
    **{f"fig{i:02d}": f"Figure {i}" for i in range(1, 16)},
    "stability": "Stability",
    "injection": "Injected streams",
    "search": "Search for penalties",
    "reliability": "Reliability of memberships",
    **{f"rank-{name}": f"How many components, {name.replace('-', ' ')}" for name in SELECTIONS},
    **{f"recommended-{name}": f"Components, {name.replace('-', ' ')}" for name in SELECTIONS},
    "analyses": "Accreted fractions",
    "calibration-of-both": "Reliability of memberships, both analyses",
    "comparison-of-both": "Numbers of both analyses",
}
"""Titles of the figures; captions and alternative texts stand beside the figures."""
