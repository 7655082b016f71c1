"""Transfer: zero points between the abundances of two surveys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..fields import Argument, Option
from ..fits.settings import Bootstrap
from ..fits.transfer import ZeroPointSettings
from ..io.atomic import CATALOGUES, FITS
from .answer import wrote
from .console import Terminal, tell
from .options import Overwrite, Quiet, Stars, Table, command
from .output import Output, opened


@command("halonmf zeropoints apogee.fits galah.fits -o zeropoints.ecsv")
def zeropoints(
    reference: Annotated[
        Path, "Prepared catalogue whose scale is meant, or a fit of such stars.", Argument("REFERENCE")
    ],
    stars: Stars,
    output: Table = Path("zeropoints.ecsv"),
    *,
    settings: ZeroPointSettings,
    bootstrap: Bootstrap,
    moved: Annotated[
        Path | None,
        "Write the stars with their abundances on the reference's scale too.",
        Option("--moved", written=True),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Find by how much a survey's abundances exceed those of another.

    With a catalogue as reference from the stars that both have, by Gaia's ids; with a fit, by moving its components
    until they describe the stars best. halonmf apply takes the table by --zeropoints.
    """
    from ..fits.relate import zeropoints as find
    from ..io.atomic import check_output
    from ..stars.catalogue import read_catalogue, write_catalogue

    out = Output.table(output, (reference, stars), overwrite)
    if moved is not None:
        check_output(moved, overwrite=overwrite, suffixes=CATALOGUES, inputs=(reference, stars))
    held = opened(reference) if reference.suffix.lower() in FITS else reference
    catalogue = read_catalogue(stars)
    with Terminal(quiet) as progress:
        drawn = {"bootstrap": bootstrap.replicates, "seed": bootstrap.seed}
        found = find(held, catalogue, settings, **drawn, progress=progress)
    choices = {**vars(settings), "bootstrap": bootstrap.replicates, "surveys": [found.survey, found.scale]}
    record = out.record("zeropoints", choices, seeds=[bootstrap.seed])
    out.save(found, record)
    if moved is not None:
        wrote(write_catalogue(moved, found.moved(catalogue.table), catalogue.cutflow, record, overwrite=overwrite))
    tell(found, output, quiet)
