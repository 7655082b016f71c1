"""Commands on memberships and sub-populations. Files in and out, as in `commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..fits.settings import FitSettings
from ..fits.store import load_fit
from ..io.atomic import CATALOGUES, TABLES, check_output
from ..io.provenance import provenance
from ..io.tables import save_table
from ..mock.truth import read_truth
from ..populations import aurora as branch
from ..populations import bifurcation as eos
from ..populations import regions as selecting
from ..products import memberships as membership
from ..products.boundary import boundary
from ..stars.catalogue import read_catalogue, write_catalogue
from ..stars.cutflow import CutFlow
from ..stars.selection import choose
from .output import check_figure, draw_figure


def members(
    fit: Path,
    stars: Path,
    output: Path,
    *,
    prior_counts: float = membership.PRIOR_COUNTS,
    truth: Path | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
) -> tuple[membership.Memberships, membership.Reliability | None]:
    """Write the stars of a fit's selection with their probabilities of its components: a catalogue with more columns.

    Parameters
    ----------
    prior_counts : float
        As `memberships.memberships`.
    truth : Path, optional
        ``truth.fits`` of a mock survey: gives the reliability of the last component's probability of being accreted.
    figure : Path, optional
        Where to draw that; needs `truth`.

    Raises
    ------
    UsageError
        Planes that share no variable, a figure without truth.
    InputError, OutputError
        As `commands.apply`.
    """
    if figure is not None and truth is None:
        raise UsageError("the figure shows probabilities beside the truth; give --truth too, or no --figure.")
    check_output(output, overwrite=overwrite, suffixes=CATALOGUES, inputs=(fit, stars, truth))
    check_figure(figure, overwrite)
    found = load_fit(fit)
    result = membership.memberships(found, read_catalogue(stars).table, prior_counts=prior_counts)
    inputs = [path for path in (fit, stars, truth) if path is not None]
    record = provenance("members", {"fit": found.settings, "prior_counts": prior_counts}, inputs=inputs)
    beside = None
    if truth is not None:
        accreted = read_truth(truth, result.stars).accreted
        beside = membership.reliability(result.probability[:, -1], accreted)
    write_catalogue(output, result.table(), result.cutflow, record, overwrite=overwrite)
    if beside is not None:
        reliable = beside
        draw_figure(figure, lambda figures: figures.reliabilities({result.names[-1]: reliable}), record, overwrite)
    return result, beside


def regions(
    stars: Path,
    output: Path,
    settings: FitSettings | None = None,
    *,
    file: Path | None = None,
    reference: str = selecting.REFERENCE,
    bins: int = selecting.BINS,
    E_range: tuple[float, float] = selecting.E_RANGE,
    seed: int = 0,
    figure: Path | None = None,
    overwrite: bool = False,
) -> selecting.RegionEnergies:
    """Write the energies of chemically selected sub-populations; the choices are those of `regions.region_energies`.

    Parameters
    ----------
    settings : FitSettings, optional
        Its selection and cuts say which stars; the chemically pure halo by default.
    file : Path, optional
        A region file; the package's own by default.

    Raises
    ------
    UsageError, InputError, OutputError
        As `regions.read_regions` and `regions.region_energies`; `output` exists, or cannot be written.
    """
    settings = settings or FitSettings()
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(stars, file))
    check_figure(figure, overwrite)
    known = selecting.read_regions(file or selecting.REGION_FILE)
    chosen, flow = choose(read_catalogue(stars).table, settings.selection)
    choices: dict[str, Any] = {"reference": reference, "bins": bins, "E_range": E_range, "seed": seed}
    result = selecting.region_energies(chosen, known, selection="all", **choices)
    inputs = [stars, *([] if file is None else [file])]
    record = provenance(
        "regions", {**choices, **_selection(settings, flow), "regions": known}, inputs=inputs, seeds=[seed]
    )
    save_table(output, result.table(), record, overwrite=overwrite)
    draw_figure(figure, lambda figures: figures.energies(chosen, known, result), record, overwrite)
    return result


def bifurcation(
    stars: Path,
    output: Path,
    settings: FitSettings | None = None,
    *,
    region: str | None = selecting.REFERENCE,
    file: Path | None = None,
    line: tuple[tuple[float, float], tuple[float, float]] = eos.LINE,
    fe_h: tuple[float, float] = eos.FE_H,
    mg_fe: tuple[float, float] = eos.MG_FE,
    draws: int = eos.DRAWS,
    seed: int = 0,
    figure: Path | None = None,
    overwrite: bool = False,
) -> eos.Bifurcation:
    """Write the statistics of Eos's two branches, and beside them, by `beside`, the scan and the mean actions.

    Parameters
    ----------
    settings : FitSettings, optional
        Its selection and cuts say which stars; the chemically pure halo by default.
    region : str or None
        The region that the stars must lie in besides; None for no limit.
    file : Path, optional
        A region file; the package's own by default.

    Raises
    ------
    UsageError, InputError, OutputError
        As `bifurcation.bifurcation`; an output exists, or cannot be written.
    """
    settings = settings or FitSettings()
    others = beside(output)
    for path in (output, *others):
        check_output(path, overwrite=overwrite, suffixes=TABLES, inputs=(stars, file))
    check_figure(figure, overwrite)
    limit = None if region is None else selecting.named_region(region, file or selecting.REGION_FILE)
    chosen, flow = choose(read_catalogue(stars).table, settings.selection)
    choices: dict[str, Any] = {"line": line, "fe_h": fe_h, "mg_fe": mg_fe, "draws": draws, "seed": seed}
    result = eos.bifurcation(chosen, limit, selection="all", **choices)
    inputs = [stars, *([] if file is None else [file])]
    record = provenance(
        "bifurcation", {**choices, **_selection(settings, flow), "region": limit}, inputs=inputs, seeds=[seed]
    )
    tables = result.tables().values()
    for path, table in zip((output, *others), tables, strict=True):
        save_table(path, table, record, overwrite=overwrite)
    draw_figure(figure, lambda figures: figures.branches(chosen, result), record, overwrite)
    return result


def beside(output: Path) -> tuple[Path, Path]:
    """Return the names of the scan's and the pixels' tables beside that of the statistics."""
    return output.with_name(f"{output.stem}-scan{output.suffix}"), output.with_name(
        f"{output.stem}-pixels{output.suffix}"
    )


def aurora(
    fit: Path,
    stars: Path,
    output: Path,
    *,
    component: str | None = None,
    share: float = branch.SHARE,
    max_fe_h: float = branch.MAX_FE_H,
    percentile: float = branch.PERCENTILE,
    iterations: int = branch.ITERATIONS,
    seed: int = 0,
    two: Path | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
) -> branch.Aurora:
    """Write the chemistry of Aurora's branch over the fit's bins; the choices are those of `aurora.aurora`.

    Parameters
    ----------
    component : str, optional
        Name of the component that makes the mask; LE1 where there is one, else the first.
    two : Path, optional
        A fit of two components, whose boundary is drawn.

    Raises
    ------
    UsageError
        No component of that name, and as `aurora.aurora`.
    InputError, OutputError
        As `commands.apply`.
    """
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(fit, stars, two))
    check_figure(figure, overwrite)
    found = load_fit(fit)
    name = found.names[branch.component_index(found, component)]
    table = read_catalogue(stars).table
    choices: dict[str, Any] = {
        "share": share,
        "max_fe_h": max_fe_h,
        "percentile": percentile,
        "iterations": iterations,
        "seed": seed,
    }
    result = branch.aurora(found, table, name, **choices)
    line = None if two is None else boundary(load_fit(two), table)
    inputs = [path for path in (fit, stars, two) if path is not None]
    record = provenance("aurora", {**choices, "component": name, "fit": found.settings}, inputs=inputs, seeds=[seed])
    save_table(output, result.table(), record, overwrite=overwrite)
    draw_figure(figure, lambda figures: figures.aurora_maps(result, line, name), record, overwrite)
    return result


def _selection(settings: FitSettings, flow: CutFlow) -> dict[str, Any]:
    return {"selection": settings.selection.name, "cuts": flow.names}
