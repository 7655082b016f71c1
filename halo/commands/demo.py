"""The whole line on a mock survey, from catalogue files to a picture: the first thing a newcomer runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from ..fits.apply import Application
from ..fits.engine import not_converged, resolve_device
from ..fits.fit import Fit
from ..fits.settings import FitSettings
from ..io.atomic import check_output, make_folder
from ..io.provenance import provenance
from ..mixtures.settings import parse_axes
from ..mock.survey import make
from ..mock.truth import read_truth, true_fractions
from ..products.boundary import Boundary
from ..products.crossings import crossings
from ..products.overview import MAP_AXES, PROFILE_AXES
from ..products.profile import Profile
from ..stars.catalogue import Catalogue
from ..stars.selection import choose
from ..survey.prepare import PrepareSettings
from . import fit as commands

PRODUCTS = ("stars.fits", "fit.h5", "profile.ecsv", "map.ecsv", "boundary.ecsv")
SUMMARY = "summary"


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
        One disc star in so many is in the mock.
    true_share : float
        Accreted share of the fitted stars.
    true_fractions : ndarray, shape (m,)
        Accreted share of the stars in the profile's bins; NaN where they are few.
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
    true_share: float
    true_fractions: np.ndarray
    true_crossing: tuple[float, ...]
    files: tuple[Path, ...]
    warning: str


def run(
    directory: str | Path,
    *,
    stars: int = 60_000,
    seed: int = 1,
    device: str = "auto",
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
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
    from ..figures import fit as figures

    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise OutputError(f"{directory}: is a file, expected a directory; choose another.")
    resolve_device(device)  # an absent one is to fail now, not after the survey
    make_folder(directory)
    files = [directory / name for name in PRODUCTS]
    for path in (*files, *(directory / f"{SUMMARY}.{suffix}" for suffix in ("png", "pdf"))):
        check_output(path, overwrite=overwrite)
    paths = make(directory / "mock", n_stars=stars, seed=seed, progress=progress, overwrite=overwrite)
    catalogue = commands.prepare(
        paths.allstar,
        paths.astronn,
        files[0],
        PrepareSettings(),
        members=paths.members,
        progress=progress,
        overwrite=overwrite,
    )
    settings = FitSettings.of(device=device, seed=seed)
    if progress is not None:
        progress("fit", 0, 1)
    found = commands.fit(files[0], files[1], settings, overwrite=overwrite)
    of: dict[str, Any] = {"device": device, "overwrite": overwrite}
    against_energy = commands.apply(files[1], files[0], files[2], parse_axes(PROFILE_AXES), **of)
    on_grid = commands.apply(files[1], files[0], files[3], parse_axes(MAP_AXES), **of)
    assert isinstance(against_energy, Profile)
    assert isinstance(on_grid, Application)
    line = commands.boundary(files[1], files[0], files[4], **of)
    if progress is not None:
        progress("fit", 1, 1)

    chosen, _ = choose(catalogue.table, settings.selection)
    is_accreted = read_truth(paths.truth, chosen).accreted
    bins = against_energy.application.mixtures.bins
    enough = against_energy.application.mixtures.n_stars >= against_energy.min_stars
    share = np.where(enough, true_fractions(bins, chosen, is_accreted), np.nan)
    picture = figures.summary(found, on_grid, line, against_energy, truth=share)
    choices = {"fit": settings, "map": MAP_AXES, "profile": PROFILE_AXES}
    record = provenance("demo", choices, inputs=[files[1], files[0], paths.truth], device=found.device)
    files += figures.save(picture, directory / SUMMARY, overwrite=overwrite, provenance=record)
    applications = (against_energy.application, on_grid, line.application)
    return Demo(
        catalogue=catalogue,
        fit=found,
        profile=against_energy,
        map=on_grid,
        boundary=line,
        thinning=paths.thinning,
        true_share=float(is_accreted.mean()),
        true_fractions=share,
        true_crossing=crossings(bins.bounds[:, 0].mean(axis=-1), share, 0.5),
        files=tuple(files),
        warning=not_converged(found.status, found.kkt, sum(len(each.unconverged) for each in applications)),
    )
