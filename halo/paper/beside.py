"""The recommended analysis in parts of the page, beside the paper's own: how many components, all products, numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from astropy.table import Table

from .. import figures
from ..ensembles.spread import Spread
from ..errors import HalonmfError
from ..mock.truth import true_fractions
from ..products.classifier import Classifier
from ..products.table1 import Table1
from ..units import ENERGY
from . import comparison
from .amounts import amount
from .four import sheet_of_table1
from .part import Part, warned
from .settings import RECOMMENDED
from .study import CHEMICAL, KINEMATIC, SELECTIONS, Study
from .two import verdict, verdict_line


def how_many(study: Study) -> Part:
    """Return how many components the stars of either selection call for."""
    pictures, said, skipped = {}, [], {}
    for selection in SELECTIONS:
        name = f"rank-{selection}"
        try:
            found = study.recommended(selection).rank
        except HalonmfError as error:
            skipped[name] = str(error)
            continue
        pictures[name] = figures.ranks(found)
        said += [f"{selection.replace('-', ' ').capitalize()}: {found.sentence()}.", *found.notes()]
    return Part(pictures=pictures, said=tuple(said), skipped=skipped)


def products_of(selection: str) -> Callable[[Study], Part]:
    """Return what makes the products of a selection: components, map, boundary, tracks, Table 1, memberships."""

    def make(study: Study) -> Part:
        found = study.recommended(selection)
        fit, line, name = found.fit, found.boundary, f"recommended-{selection}"
        bounds = found.classifier.table()
        caption = _caption(found.table1, selection)
        percentiles, numbers, members = found.table1.table(), found.table(), Table()
        percentiles.meta["caption"] = caption
        numbers.meta["caption"] = f"Numbers of the {selection.replace('-', ' ')} halo, with intervals of 68 %."
        stars = found.memberships.table()
        for column in ("APOGEE_ID", *(c for c in stars.colnames if c.startswith("P_")), "bin", "images"):
            if column in stars.colnames:
                members[column] = stars[column]
        members.meta["caption"] = f"Probability of each component for stars of the {selection.replace('-', ' ')} halo."
        data = {
            **{f"{name}-{key}": table for key, table in fit.tables().items()},
            f"{name}-map": found.map.table(),
            f"{name}-boundary": bounds,
            f"{name}-parts": found.tracks.table(),
        }
        of_table1, of_members = f"table1-{selection}", f"members-{selection}"
        return Part(
            values=comparison.recommended_values(study, selection) if study.settings.analysis == RECOMMENDED else {},
            pictures={name: figures.components(fit, found.map, line)},
            data=data,
            tables={of_table1: percentiles, f"numbers-{selection}": numbers, of_members: members},
            sheets={of_table1: sheet_of_table1(found.table1, caption, of_table1)},
            fits={name: fit},
            said=(f"{found.describe().splitlines()[-1]}.", verdict(fit), _offset(found.classifier)),
            headlines=(verdict_line(selection, fit),),
            warnings=tuple(x for x in (*warned(fit, found.map, line.application), found.rank.problems()) if x),
        )

    return make


def _offset(found: Classifier) -> str:
    off = found.offset
    if not np.isfinite(off.value):
        return "The published line has no offset: the accreted fraction does not cross one half once along it."
    known = f" ({amount(off.lower)} to {amount(off.upper)})" if np.isfinite(off.lower + off.upper) else ""
    return f"The line of Belokurov & Kravtsov (2023) is moved by {amount(off.value, ENERGY)}{known}."


def _caption(made: Table1, selection: str) -> str:
    return (
        f"Table 1 of the {selection.replace('-', ' ')} halo, every component: percentiles of the abundances [dex] and "
        f"contribution; the limits hold {100 * made.level:g} % of bootstraps."
    )


def along(study: Study) -> Part:
    """Return the accreted fraction along every variable as both analyses find it, with bootstrap intervals."""
    curves: dict[str, dict[str, dict[str, Spread]]] = {}
    truths: dict[str, dict[str, np.ndarray]] = {}
    for selection in comparison.selections(study):
        ours = {name: x for name, x in study.recommended(selection).profiles.items() if name in study.variables}
        two = {name: study.spreads(selection)[name] for name in ours}
        curves[selection] = {comparison.TWO: two, comparison.OURS: ours}
        if study.is_mock:
            accreted = study.truth(selection).accreted
            applied, sample = study.two(selection).applications, study.two(selection).stars
            truths[selection] = {name: true_fractions(applied[name].mixtures.bins, sample, accreted) for name in ours}
    said = []
    for selection, of in truths.items():
        parts = []
        for name, spreads in curves[selection].items():
            off = [(x.reading.of(x.mean) - of[variable])[x.trusted] for variable, x in spreads.items()]
            parts.append(f"{name} {np.sqrt(np.mean(np.concatenate(off) ** 2)):.3f}")
        said.append(
            f"{selection.replace('-', ' ').capitalize()}: rms of the accreted fraction minus the truth over all bins "
            f"of stars enough, {', '.join(parts)}."
        )
    return Part(pictures={"analyses": figures.analyses(curves, truths)}, said=tuple(said))


def members(study: Study) -> Part:
    """Return how reliable the memberships of both analyses are, where the truth is known."""
    if not study.is_mock:
        return Part(skipped={"calibration-of-both": "the truth of the stars is not known"})
    return Part(pictures={"calibration-of-both": figures.reliabilities(comparison.reliabilities(study))})


def compared(study: Study) -> Part:
    """Return the numbers of both analyses beside each other."""
    found = comparison.both(study)
    # with both analyses the parts of two components have said this
    of_two = comparison.selections(study) if study.settings.analysis == RECOMMENDED else ()
    verdicts = tuple(verdict_line(selection, study.two(selection).fit) for selection in of_two)
    table = comparison.table(found)
    return Part(
        tables={"comparison": table},
        sheets={"comparison": comparison.sheet(found, study.is_mock)},
        pictures={"comparison-of-both": figures.comparison(table)},
        said=(comparison.counted(found),),
        headlines=(*verdicts, *comparison.lines(found)),
    )


SELECTED = {CHEMICAL: products_of(CHEMICAL), KINEMATIC: products_of(KINEMATIC)}
"""What makes the products of either selection."""
