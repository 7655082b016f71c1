"""The whole pipeline on a mock survey, from catalogue files to a picture, compared with the known truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from ..fits.apply import Application, apply
from ..fits.engine import not_converged, resolve_device
from ..fits.fit import Fit, fit
from ..fits.settings import FitSettings
from ..fits.store import save_fit
from ..io.atomic import check_output, make_folder
from ..io.provenance import provenance
from ..io.tables import save_table
from ..mixtures.settings import parse_axes
from ..mock.survey import make
from ..mock.truth import read_truth, true_fractions
from ..products.boundary import E_RANGE, GRID, LEVEL, LZ_RANGE, SMOOTHING, Boundary, boundary
from ..products.crossings import crossings
from ..products.overview import MAP_AXES, PROFILE_AXES
from ..products.profile import MIN_STARS, Profile, profile
from ..progress import Progress, announce, silent, stage
from ..stars.catalogue import Catalogue, write_catalogue
from ..stars.selection import choose
from ..survey.prepare import prepare
from ..units import ENERGY

PRODUCTS = ("stars.fits", "fit.h5", "profile.ecsv", "map.ecsv", "boundary.ecsv")
SUMMARY = "summary"
STEPS = ("mock survey", "catalogue", "fit", "profile, map and boundary", "figure")
"""What progress is told of."""
LINE = {"grid": GRID, "level": LEVEL, "smoothing": SMOOTHING, "E_range": E_RANGE, "Lz_range": LZ_RANGE}
"""How the boundary is found, for the record."""


@dataclass(frozen=True)
class Demo:
    """What the demonstration made.

    Attributes
    ----------
    catalogue : Catalogue
        The prepared stars.
    fit : Fit
        Two components of the chemically pure halo.
    profile : Profile
        Their fractions against energy.
    map : Application
        The same on a regular (Lz, E) grid.
    boundary : Boundary
        Between them.
    thinning : float
        The mock holds one in this many disc stars.
    true_accreted_fraction : float
        Accreted fraction of the fitted stars.
    true_fractions : ndarray, shape (m,)
        Accreted fraction of the stars in the profile's bins; NaN where they are few.
    true_crossing : tuple of float
        Energies at which half of the stars are accreted, km2 / s2.
    files : tuple of Path
        What was written.
    warning : str
        What did not converge; empty where all did.
    """

    catalogue: Catalogue
    fit: Fit
    profile: Profile
    map: Application
    boundary: Boundary
    thinning: float
    true_accreted_fraction: float
    true_fractions: np.ndarray
    true_crossing: tuple[float, ...]
    files: tuple[Path, ...]
    warning: str

    def record(self) -> dict[str, Any]:
        """Return the numbers of the fit, and what they are in truth; energies in km2 / s2."""
        crossings = {f"{each.level:g}": list(each.at) for each in self.profile.crossings}
        return {
            "thinning": self.thinning,
            "stars": len(self.catalogue),
            "chemically_pure": self.fit.cutflow.passed,
            "mass_fractions": dict(zip(self.fit.names, self.fit.mass_fractions.tolist(), strict=True)),
            "crossings": crossings,
            "true_accreted_fraction": self.true_accreted_fraction,
            "true_crossing": list(self.true_crossing),
            "boundary_columns": int(np.isfinite(self.boundary.E).sum()),
            "unit": ENERGY,
        }


def run(
    directory: str | Path,
    *,
    stars: int = 60_000,
    seed: int = 1,
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Demo:
    """Make a mock survey, prepare it, fit it, and leave every product in `directory`.

    Parameters
    ----------
    directory : path
        Where to write; made if it is not there.
    stars, seed : int
        Rows and seed of the mock.
    device : str
        As in `FitSettings`.
    overwrite : bool
        Replace what an earlier run left.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    Demo
    """
    from .. import figures

    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise OutputError(f"{directory}: is a file, expected a directory; choose another.")
    where = resolve_device(device)  # an absent one is to fail now, not after the survey
    make_folder(directory)
    files = [directory / name for name in PRODUCTS]
    for path in (*files, *(directory / f"{SUMMARY}.{suffix}" for suffix in ("png", "pdf"))):
        check_output(path, overwrite=overwrite)
    stars_file, fit_file, profile_file, map_file, boundary_file = files

    announce(progress, *STEPS)
    with stage(progress, STEPS[0]):
        paths = make(directory / "mock", n_stars=stars, seed=seed, progress=progress, overwrite=overwrite)
    progress(STEPS[1], 0, 1)
    catalogue = prepare(paths.allstar, paths.astronn, paths.members, progress=progress)
    write_catalogue(stars_file, catalogue.table, catalogue.cutflow, catalogue.provenance, overwrite=overwrite)

    settings = FitSettings.of(device=device, seed=seed)
    progress(STEPS[1], 1, 1)
    with stage(progress, STEPS[2]):
        found = fit(catalogue, settings)
    record = provenance("fit", {"fit": settings}, inputs=[stars_file], seeds=[seed], device=found.device)
    found = replace(found, provenance=record)
    save_fit(fit_file, found, overwrite=overwrite)

    progress(STEPS[3], 0, 1)
    against_energy = profile(found, catalogue, PROFILE_AXES)
    on_grid = apply(found, catalogue, MAP_AXES)
    line = boundary(found, catalogue)
    binned: dict[str, Any] = {"fit": settings, "min_stars": MIN_STARS}
    products: tuple[tuple[Path, str, Any, dict[str, Any]], ...] = (
        (profile_file, "apply", against_energy.table(), {"by": parse_axes(PROFILE_AXES)}),
        (map_file, "apply", on_grid.table(), {"by": parse_axes(MAP_AXES)}),
        (boundary_file, "boundary", line.table(), LINE),
    )
    for path, command, table, choices in products:
        record = provenance(command, choices | binned, inputs=[fit_file, stars_file], device=where)
        save_table(path, table, record, overwrite=overwrite)
    progress(STEPS[3], 1, 1)

    progress(STEPS[4], 0, 1)
    chosen, _ = choose(catalogue, settings.selection)
    is_accreted = read_truth(paths.truth, chosen).accreted
    bins = against_energy.application.mixtures.bins
    enough = against_energy.application.mixtures.n_stars >= against_energy.min_stars
    true = np.where(enough, true_fractions(bins, chosen, is_accreted), np.nan)
    picture = figures.summary(found, on_grid, line, against_energy, truth=true)
    drawn = {"fit": settings, "map": MAP_AXES, "profile": PROFILE_AXES}
    record = provenance("demo", drawn, inputs=[fit_file, stars_file, paths.truth], device=found.device)
    files += figures.save(picture, directory / SUMMARY, overwrite=overwrite, provenance=record)
    progress(STEPS[4], 1, 1)
    applications = (against_energy.application, on_grid, line.application)
    return Demo(
        catalogue=catalogue,
        fit=found,
        profile=against_energy,
        map=on_grid,
        boundary=line,
        thinning=paths.thinning,
        true_accreted_fraction=float(is_accreted.mean()),
        true_fractions=true,
        true_crossing=crossings(bins.bounds[:, 0].mean(axis=-1), true, 0.5),
        files=tuple(files),
        warning=not_converged(found.status, found.kkt, sum(len(each.unconverged) for each in applications)),
    )
