"""Four components: R5 to R7, Table 1, figures 5 and 6."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .. import figures
from ..fits.fit import HE
from ..products.table1 import Table1, table1
from .amounts import readable
from .blocks import Sheet
from .numbers import bias_note
from .origins import true_four
from .part import Part, warned
from .quoted import numbers
from .scoreboard import Value
from .study import CHEMICAL, Study
from .two import two_values, verdict

MOST_LOST = 0.05
"""Fraction of the replicates that may be lost before it counts as a failure."""


def four_components(study: Study) -> Part:
    """R5: the sample split at its boundary, two components in each part (Fig 5)."""
    four = study.four
    found = {"R5.rows": Value(float(len(four.high.W)))}
    for part in four.parts:
        for i, (name, fraction) in enumerate(zip(part.names, part.mass_fractions, strict=True)):
            spread = 100 * _fractions(study, name)[:, i]
            low, high = np.percentile(spread, [16, 84]) if len(spread) else (None, None)
            found[f"R5.mass.{name}"] = Value(float(100 * fraction), low, high, _interval(len(spread)))
    return Part(
        values=compared(study, found),
        pictures={"fig05": figures.four_components(four)},
        data={f"fig05-images-{name}": part.tables()["images"] for name, part in (("HE", four.high), ("LE", four.low))},
        fits={"HE": four.high, "LE": four.low, "four": four.fit},
        said=(*four.describe().splitlines(), *map(verdict, four.parts)),
        warnings=(*warned(four.high), *warned(four.low), *warned(four.fit)),
    )


def percentiles(study: Study) -> Part:
    """R6: Table 1."""
    two = study.two(CHEMICAL)
    refits = study.refits if study.settings.bootstrap > 1 else None
    made = table1((two.fit, *study.parts), refits)
    found = two_values(study, CHEMICAL, ("R6",))
    # the fractions that the mean over bins gives is the other reading of "%"
    found["R6.percent"] = Value(float(100 * made.mean_fraction[made.components.index(HE)]))
    found |= compared(study, _values(made))
    table = made.table()
    table.meta["caption"] = (
        "Table 1. Percentiles of the abundances of each component [dex] and its contribution: fraction of sum(W), and "
        "the mean over bins of its fraction in the bin; lower and upper limits hold 68 % of bootstraps."
    )
    said = made.problems()
    # intervals leave a few lost replicates out; many of them would say that something is wrong
    many = any(lost > MOST_LOST * total for lost, total in zip(made.lost, made.replicates, strict=True))
    said_of = (f"Left out of the intervals: {said.removeprefix('not converged: ')}.",) if said and not many else ()
    shown = {"table1": sheet_of_table1(made, str(table.meta["caption"]))}
    return Part(
        values=found,
        tables={"table1": table},
        sheets=shown,
        said=said_of,
        skipped={"R6": study.no_four} if study.no_four else {},
        warnings=(said,) if many else (),
    )


def compared(study: Study, found: Mapping[str, Value]) -> dict[str, Value]:
    """Return numbers of four components with what is true of a mock, and what its fit without noise gives."""
    truth, quiet = true_four(study)
    known = {number.id: number for number in numbers()}
    return {
        name: replace(
            value, truth=truth.get(name), note=bias_note(known[name], quiet.get(name, np.nan), truth.get(name))
        )
        for name, value in found.items()
    }


def sheet_of_table1(made: Table1, caption: str, name: str = "table1") -> Sheet:
    """Return the table as the paper prints it, each number with its interval."""

    def cell(x: float, limits: np.ndarray, digits: int = 2) -> str:
        text = f"{x:.{digits}f}"
        if np.isfinite(limits).all():
            text += f" ({limits[0]:.{digits}f} to {limits[1]:.{digits}f})"
        return text.replace("-", "\N{MINUS SIGN}")

    rows = []
    for i, component in enumerate(made.components):
        fraction = cell(100 * made.fraction[i], 100 * made.fraction_interval[:, i])
        mean = cell(100 * made.mean_fraction[i], 100 * made.mean_fraction_interval[:, i])
        for k, q in enumerate(made.q):
            numbers = [cell(made.values[i, j, k], made.intervals[:, i, j, k]) for j in range(len(made.variables))]
            rows.append((component, fraction if k == 0 else "", mean if k == 0 else "", f"{q:g}", *numbers))
    abundances = (readable(name) for name in made.variables)
    header = ("component", "fraction [%]", "mean over bins [%]", "percentile", *abundances)
    return Sheet(name, caption, header, tuple(rows))


def _values(made: Table1) -> dict[str, Value]:
    found = {}
    for i, component in enumerate(made.components):
        if len(component) < 3:
            continue  # HE and LE have a truth, and come from their fit
        for j, abundance in enumerate(made.variables):
            for k, q in enumerate(made.q):
                low, high = made.intervals[:, i, j, k]
                known = np.isfinite(low)
                found[f"R6.{component}.{abundance}.{q:g}"] = Value(
                    float(made.values[i, j, k]),
                    float(low) if known else None,
                    float(high) if known else None,
                    _interval(made.replicates[i]) if known else "",
                )
    return found


def _fractions(study: Study, name: str) -> np.ndarray:
    """Return the fractions (B, 2) of the good replicates of the part that has a component."""
    if study.settings.bootstrap < 2:
        return np.zeros((0, 2))
    made = next(each for each in study.refits if name in each.names)
    mass = made.W[made.good].sum(axis=1)
    return mass / mass.sum(axis=1, keepdims=True)


def _interval(number: int) -> str:
    return f"16 to 84 % of {number} bootstraps of the part" if number else ""
