"""Populations: regions of chemistry, the branches of Eos, and Aurora."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..fields import Option
from ..populations.settings import AuroraSettings, BifurcationSettings, RegionSettings
from ..progress import stage
from ..stars.settings import Selection
from .console import Terminal, compiling, tell
from .options import Figure, FitFile, Overwrite, Quiet, Stars, Table, command
from .output import Output, opened

if TYPE_CHECKING:
    from ..stars.cutflow import CutFlow

RegionFile = Annotated[Path | None, "Your own region file; see docs/populations.md.", Option("--regions")]


@command("halonmf regions stars.fits -o regions.ecsv")
def regions(
    stars: Stars,
    output: Table = Path("regions.ecsv"),
    *,
    selection: Selection,
    file: RegionFile = None,
    settings: RegionSettings,
    figure: Figure = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compare the energies of Eos, Splash, Aurora and GS/E.

    Stars of each are selected by [Al/Fe] and [Fe/H].
    """
    from ..populations.regions import REGION_FILE, read_regions, region_energies
    from ..stars.catalogue import read_catalogue
    from ..stars.selection import choose

    out = Output.table(output, (stars, file), overwrite, figure=figure)
    known = read_regions(file or REGION_FILE)
    chosen, flow = choose(read_catalogue(stars).table, selection)
    with Terminal(quiet) as progress, compiling(quiet), stage(progress, "regions"):
        result = region_energies(chosen, known, selection="all", **vars(settings))
    choices = {name: x for name, x in vars(settings).items() if name != "draws"}
    record = out.record("regions", {**choices, **_sample(selection, flow), "regions": known}, seeds=[settings.seed])
    out.save(result, record)
    out.draw(lambda figures: figures.energies(chosen, known, result), record)
    tell(result, output, quiet)


@command("halonmf bifurcation stars.fits -o bifurcation.ecsv")
def bifurcation(
    stars: Stars,
    output: Annotated[
        Path, "Table to write, and next to it those of -scan and -pixels.", Option("--output", "-o")
    ] = Path("bifurcation.ecsv"),
    *,
    selection: Selection,
    region: Annotated[str, "Region that the stars must lie in too, or none."] = RegionSettings.reference,
    file: RegionFile = None,
    settings: BifurcationSettings,
    figure: Figure = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compare the two branches of Eos in [Mg/Fe] against [Fe/H].

    Their radial actions, and every other property.
    """
    from ..populations.bifurcation import bifurcation as compare
    from ..populations.regions import REGION_FILE, named_region
    from ..stars.catalogue import read_catalogue
    from ..stars.selection import choose

    others = [output.with_name(f"{output.stem}-{name}{output.suffix}") for name in ("scan", "pixels")]
    out = Output.table(output, (stars, file), overwrite, figure=figure, beside=others)
    limit = None if region == "none" else named_region(region, file or REGION_FILE)
    chosen, flow = choose(read_catalogue(stars).table, selection)
    with Terminal(quiet) as progress, compiling(quiet), stage(progress, "branches"):
        result = compare(chosen, limit, selection="all", **vars(settings))
    choices = {**vars(settings), **_sample(selection, flow), "region": limit}
    record = out.record("bifurcation", choices, seeds=[settings.seed])
    for path, table in zip((output, *others), result.tables().values(), strict=True):
        out.save(table, record, path.name)
    out.draw(lambda figures: figures.branches(chosen, result), record)
    tell(result, output, quiet)


@command("halonmf aurora four/four.h5 stars.fits -o aurora.ecsv")
def aurora(
    fit: FitFile,
    stars: Stars,
    output: Table = Path("aurora.ecsv"),
    component: Annotated[str | None, "Makes the mask; LE1 where there is one, else the first."] = None,
    *,
    settings: AuroraSettings,
    two: Annotated[Path | None, "Fit of two components whose boundary is drawn.", Option("--boundary-of")] = None,
    figure: Figure = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Map the chemistry of Aurora's branch over energy and Lz.

    Its [Al/Fe] and [Fe/H] in bins of energy and angular momentum, with resampled errors.
    """
    from ..populations.aurora import aurora as find
    from ..populations.aurora import component_index
    from ..products.boundary import boundary
    from ..stars.catalogue import read_catalogue

    out = Output.table(output, (fit, stars, two), overwrite, figure=figure)
    found = opened(fit)
    name = found.names[component_index(found, component)]
    table = read_catalogue(stars).table
    with Terminal(quiet) as progress, compiling(quiet), stage(progress, "branch"):
        result = find(found, table, name, **vars(settings))
    line = None if two is None else boundary(opened(two), table)
    choices = {**vars(settings), "component": name, "fit": found.settings}
    record = out.record("aurora", choices, seeds=[settings.seed])
    out.save(result, record)
    out.draw(lambda figures: figures.aurora_maps(result, line, name), record)
    tell(result, output, quiet)


def _sample(selection: Selection, flow: CutFlow) -> dict[str, Any]:
    return {"selection": selection.name, "cuts": flow.names}
