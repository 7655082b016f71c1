"""What the commands on sub-populations, simulations and checks say of their products: plain text, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..checks.stability import KINDS
from ..populations.bifurcation import BRANCHES

if TYPE_CHECKING:
    from ..checks.injection import Injection
    from ..checks.stability import Stability
    from ..populations.aurora import Aurora
    from ..populations.bifurcation import Bifurcation
    from ..populations.regions import RegionEnergies
    from ..products.memberships import Memberships, Reliability
    from ..simulations.fractions import Simulated


def members(result: Memberships) -> str:
    """Return how many stars belong to each component by their probabilities, and how many have none."""
    sums = np.nansum(result.probability, axis=0)
    said = ", ".join(f"{name} {total:,.0f}" for name, total in zip(result.names, sums, strict=True))
    partly = int((result.images < result.images.max(initial=0)).sum())
    return f"sum of probabilities {said}; {result.outside:,} stars have none, {partly:,} lie outside an image"


def reliability(found: Reliability) -> str:
    """Return the scores of probabilities beside the truth."""
    return (
        f"beside the truth: Brier score {found.brier:.4f} (one probability for all: {found.brier_base:.4f}), "
        f"calibration error {found.calibration:.4f}"
    )


def simulated(result: Simulated) -> str:
    """Return where half of a simulated galaxy's mass was accreted."""
    places = (
        f"{name} = {', '.join(f'{x:.3g}' for x in profile.crossing) or 'nowhere'}"
        for name, profile in result.profiles.items()
    )
    return f"{result.galaxy.name}: half of the mass accreted at {', '.join(places)} kpc"


def region_rows(result: RegionEnergies) -> str:
    """Return the regions as a table, a line each."""
    rows = ["region          stars  outside E  KS distance  p-value  nearest in"]
    for j, name in enumerate(result.names):
        numbers = f"{name:<14} {result.n_stars[j]:6,}  {result.outside[j]:9,}"
        if j > 0:
            numbers += f"  {result.distance[j]:11.3f}  {result.p_value[j]:7.1g}  {100 * result.support[j]:8.1f} %"
        rows.append(numbers)
    return "\n".join(rows)


def branch_rows(result: Bifurcation) -> str:
    """Return the statistics of J_r of both branches as a table, kpc km/s."""
    rows = ["J_r          stars       median         mean    std. dev.  [kpc km/s]"]
    for name, n, values, errors in zip(BRANCHES, result.n_stars, result.statistics, result.error, strict=True):
        numbers = " ".join(f"{x:6.0f} +- {e:<3.0f}" for x, e in zip(values, errors, strict=True))
        rows.append(f"{name:<10} {n:7,}  {numbers}")
    low, high = result.difference_interval
    spans = " ".join(f"{a:5.0f}..{b:<5.0f}" for a, b in zip(low, high, strict=True))
    return "\n".join([*rows, f"difference, 95 %    {spans}"])


def differing(result: Bifurcation) -> str:
    """Return in which properties the branches differ."""
    names = ", ".join(row.name for row in result.scan if row.differs)
    return f"of {len(result.scan)} properties the branches differ in {names or 'none'}"


def aurora(result: Aurora) -> str:
    """Return what the branch's map shows in numbers."""
    E, drop = result.cut_off
    said = f"[Al/Fe] drops by {drop:.2f} dex at {E:.4g} km2 / s2" if np.isfinite(E) else "too few for a drop of [Al/Fe]"
    known = int(np.isfinite(result.al_fe).sum())
    return (
        f"{int(result.mask.sum())} pixels in the mask; {known} of {len(result.n_stars)} bins have stars enough; "
        f"{said}; {int(result.metal_poor.sum())} retrograde bins of low [Fe/H]"
    )


def stability_rows(result: Stability) -> str:
    """Return the stability as a table, a line per kind of change."""
    rows = ["change  fits  converged  least cosine  " + "  ".join(f"std {name}" for name in result.base.names)]
    for kind in KINDS:
        number = result.kind.count(kind)
        spread = "  ".join(f"{x:{4 + len(n)}.4f}" for n, x in zip(result.base.names, result.spread(kind), strict=True))
        converged = int(result.of(kind).sum())
        rows.append(f"{kind:<6}  {number:4d}  {converged:9d}  {result.least_cosine(kind):12.6f}  {spread}")
    return "\n".join(rows)


def injection_rows(result: Injection) -> str:
    """Return the fewest stars of a stream that is found, a line per width."""
    rows = ["bins spanned  fewest stars  per star of the sample there"]
    for spanned, fewest, contrast in zip(result.spanned, result.fewest, result.contrast, strict=True):
        numbers = f"{fewest:12,.0f}  {contrast:8.2f}" if np.isfinite(fewest) else "        none"
        rows.append(f"{100 * spanned:10.0f} %  {numbers}")
    narrow = result.narrowest()
    said = "none" if np.isnan(narrow) else f"{100 * narrow:.0f} % of the bins"
    return "\n".join([*rows, f"narrowest found with no more stars than the sample has there: {said}"])


def not_converged(number: int, what: str) -> str:
    """Return that so many did not converge; empty for none."""
    return f"not converged: {number} {what}{'s' * (number != 1)}" if number else ""
