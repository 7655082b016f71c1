"""One fit or one ensemble on one page that works without a network and can be sent to somebody else."""

from __future__ import annotations

from pathlib import Path

from .. import figures
from ..ensembles.rows import Summary
from ..errors import UsageError
from ..fits.fit import Fit
from ..fits.settings import Bootstrap
from ..fits.store import FitLike, as_fit
from ..io.provenance import plain, provenance
from ..io.reading import cleaned
from ..io.tables import load_table
from ..paper.blocks import Report, Section
from ..paper.report import page
from ..products.boundary import boundary as find_boundary
from ..products.classifier import Classifier
from ..products.four import check_whole
from ..products.overview import products
from ..progress import Progress, silent
from ..stars.catalogue import StarsLike, as_table
from .ensemble import as_ensemble, ensemble_page
from .numbers import bias_range, fit_numbers
from .sections import Page, cutflow, ending, explored, footer, judged, line_of, plates, told


def report(
    result: FitLike | Summary,
    stars: StarsLike | None = None,
    *,
    boundary: str | Path | None = None,
    bootstrap: Bootstrap | int = Bootstrap.replicates,
    progress: Progress = silent,
) -> Page:
    """Return one fit or ensemble as a page.

    It has the verdict, the numbers with intervals, an interactive map of the bins and their chemistry, figures, the
    range of the bias, the cut-flow, settings, provenance and how to cite. Nothing is fetched when it is read.

    Parameters
    ----------
    result : Fit, Summary or path
        A fit with its `stars`; or an ensemble: its summary, its folder, or the ``summary.h5`` in it.
    stars : Table, Catalogue or path, optional
        The prepared stars that the fit was made of; an ensemble's, if given, add the map of its base configuration and
        the cut-flow.
    boundary : path, optional
        Table of ``halonmf boundary``, to show with its intervals.
    bootstrap : Bootstrap or int
        Replicates behind the intervals of a fit, and most of an ensemble's own that are made again for the map; 0 for
        none.
    progress : callable
        Told how far it is.

    Returns
    -------
    Page

    Raises
    ------
    InputError
        A file that is neither, stars other than those of the fit or the ensemble, or a table that is no boundary.
    UsageError
        A fit without stars; one part of a split sample, which has a page with the other part.

    Examples
    --------
    >>> from halonmf import halo
    >>> halo.report("fit.h5", "stars.fits").save("report.html")  # doctest: +SKIP
    """
    summary = as_ensemble(result)
    many = Bootstrap(bootstrap) if isinstance(bootstrap, int) else bootstrap
    given = [each for each in (stars, boundary) if isinstance(each, str | Path)]
    line = None if boundary is None else Classifier.from_table(load_table(boundary), str(boundary))
    if summary is not None:
        return ensemble_page(summary, stars, line, given, many, progress)
    fit = as_fit(result)  # type: ignore[arg-type]
    given = [result, *given] if isinstance(result, str | Path) else given
    check_whole(fit)
    if stars is None:
        raise UsageError("the page of a fit needs its stars; give the prepared catalogue too.")
    return _fit(fit, stars, line, given, many, progress)


def _fit(
    fit: Fit,
    stars: StarsLike,
    line: Classifier | None,
    given: list[str | Path],
    bootstrap: Bootstrap,
    progress: Progress,
) -> Page:
    steps = told(progress)
    next(steps)
    verdict = fit.verdict
    next(steps)
    table = as_table(stars)
    shown = products(fit, table)
    next(steps)
    numbers = fit_numbers(fit, table, bootstrap, progress)
    next(steps)
    drawn = tuple(plates(figures.every(shown)))
    next(steps)
    edge = shown.boundary if shown.boundary is not None else find_boundary(fit, table) if len(fit.names) > 1 else None
    solver = fit.settings.solver
    record = provenance("report", {"fit": fit.settings, "bootstrap": bootstrap}, inputs=given, seeds=[bootstrap.seed])
    made = (
        Section("verdict", "Verdict", tuple(judged(verdict, fit.problems()))),
        Section("numbers", "Fractions and crossings", (*numbers.blocks, *line_of(line))),
        Section("explore", "Bins and their chemistry", explored(fit, edge, line, numbers.bins)),
        Section("figures", "Figures", drawn),
        Section("bias-range", "Range of the bias", bias_range(solver.loss, len(fit.names))),
        cutflow(fit),
        *ending(plain(fit.settings), {"fit": fit.provenance, "page": record}),
    )
    stars_in = int(fit.mixtures.n_stars.sum())
    lead = (
        f"{stars_in:,} stars{f' on the scale of {cleaned(fit.survey)}' if fit.survey else ''}, selection "
        f"{cleaned(fit.settings.selection.name)}, in {len(fit.mixtures.bins):,} bins; loss {solver.loss}.",
        f"{fit.composition[:1].upper()}{fit.composition[1:]}.",
    )
    title = f"A fit of {len(fit.names)} component{'s' * (len(fit.names) != 1)}"
    html = page(Report(title, "halonmf \N{MIDDLE DOT} fit", lead, made, {}, footer(record)))
    next(steps, None)
    return Page(html, title, shown.problems(), record)
