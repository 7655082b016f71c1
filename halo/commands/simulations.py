"""Simulated galaxies: their true accreted fractions, and what a fit finds of them when they are observed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from ..fields import Argument, Option
from ..fits.settings import FitSettings
from ..progress import announce, stage
from ..simulations.settings import ObserveSettings, SimulationSettings
from .answer import wrote
from .console import Terminal, compiling, tell
from .options import Columns, Figure, Only, Overwrite, Quiet, Table, command
from .output import Output, figure_files, save_figure

Particles = Annotated[list[Path], "Star particles: HDF5, FITS or ECSV; blocks of a snapshot.", Argument("FILE...")]
FIT = ("selection", "max_fe_h", "min_eccentricity", "cuts", "bins", "pixels", "planes", "ranges", "components", "loss",
       "starts", "device")  # fmt: skip
"""Choices of the fit of an observed galaxy."""
STARS, FITTED, RECOVERY, FIGURE = "stars.fits", "fit.h5", "recovery.ecsv", "recovery"


@command("halonmf simulation snapshot_600.*.hdf5 --columns fire2 -o m12f.ecsv")
def simulation(
    files: Particles,
    columns: Columns,
    output: Table = Path("simulation.ecsv"),
    *,
    settings: SimulationSettings,
    figure: Figure = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Measure the true accreted fraction of a simulated galaxy.

    By mass, against r, |z| and R. Columns are those of a TOML file, or of the public releases: fire2, auriga.
    """
    from ..products.record import flow_record
    from ..simulations.fractions import simulate
    from ..simulations.mapping import find_mapping
    from ..simulations.particles import in_order, read_galaxy

    columns = find_mapping(columns)
    out = Output.table(output, (*files, columns), overwrite, figure=figure)
    choices: dict[str, Any] = {name: x for name, x in vars(settings).items() if name != "axes"}
    with Terminal(quiet) as progress:
        announce(progress, "read", "fractions")
        with stage(progress, "read"):
            galaxy = read_galaxy(in_order(files), columns)
        with stage(progress, "fractions"):
            result = simulate(galaxy, settings.axes, **choices)
    record = out.record("simulation", {"by": settings.axes, **choices, "mapping": galaxy.mapping})
    out.save(result, record)
    out.draw(lambda figures: figures.simulations([result]), record)
    tell(result, output, quiet, facts=lambda: {"read": galaxy.read, "cutflow": flow_record(result.cutflow)})


@command("halonmf observe snapshot_600.*.hdf5 --columns fire2 -o m12f/")
def observe(
    files: Particles,
    columns: Columns,
    output: Annotated[Path, "Folder to write into.", Option("--output", "-o")] = Path("observed"),
    *,
    observed: ObserveSettings,
    settings: Annotated[FitSettings, Only(*FIT)],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Observe a simulated galaxy, fit it, and compare with its truth.

    Giants around a Sun in its disc, with errors; their fit; purity and completeness of the accreted component. Of the
    default planes those count whose elements the simulation has. Columns are named as for halonmf simulation.
    """
    from .. import figures
    from ..fits.fit import fit
    from ..products.record import record as record_of
    from ..simulations.mapping import find_mapping
    from ..simulations.observe import observe as look
    from ..simulations.particles import in_order, read_galaxy
    from ..simulations.recovery import recover, settings_for
    from ..stars.catalogue import write_catalogue

    columns = find_mapping(columns)
    drawn = [path.name for path in figure_files(Path(FIGURE))]
    out = Output.folder(output, (STARS, FITTED, RECOVERY, *drawn), (*files, columns), overwrite)
    with Terminal(quiet) as progress, compiling(quiet):
        announce(progress, "read", "observe", "fit")
        with stage(progress, "read"):
            galaxy = read_galaxy(in_order(files), columns)
        with stage(progress, "observe"):
            stars = look(galaxy, observed)
        with stage(progress, "fit"):
            settings = settings_for(stars, settings.replace(seed=observed.seed))
            found = fit(stars, settings)
            result = recover(found, stars)
    choices: dict[str, Any] = {**vars(observed), "fit": settings, "mapping": galaxy.mapping}
    choices["criterion"] = galaxy.criterion
    record = out.record("observe", choices, seeds=[observed.seed], device=found.device)
    record["orbits"] = stars.provenance["orbits"]
    wrote(write_catalogue(out.at(STARS), stars.table, stars.cutflow, record, overwrite=overwrite))
    out.save_fit(found, record, FITTED)
    out.save(result, record, RECOVERY)
    save_figure(figures.galaxy_recovery(result), out.at(FIGURE), record, overwrite=overwrite)
    told = replace(result, before=f"{galaxy.describe()}\n{stars.cutflow}")
    tell(told, output, quiet, facts=lambda: {"stars": record_of(stars), "fit": record_of(found)})
