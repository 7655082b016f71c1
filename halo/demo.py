"""The whole line on a mock survey, from catalogue files to a picture: the first thing a newcomer runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .binning import parse_axes
from .boundary import Boundary, boundary, boundary_table
from .catalogue import Catalogue, write_catalogue
from .errors import OutputError
from .mock import make
from .model import Application, Fit, FitSettings, apply, choose, fit
from .prepare import prepare
from .profile import Profile, crossings, profile, profile_table
from .provenance import provenance
from .store import save_fit, save_table
from .truth import read_truth, true_fractions

PROFILE_AXES = "E:20:-2.5e5:-1.0e5"
MAP_AXES = "Lz:20:-2000:2000,E:20:-3e5:-1e5"


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
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise OutputError(f"{directory}: is a file, expected a directory; choose another.")
    paths = make(directory / "mock", n_stars=stars, seed=seed, progress=progress, overwrite=overwrite)
    inputs = (paths.allstar, paths.astronn, paths.members)
    catalogue = prepare(*inputs, progress=progress)
    files = [
        write_catalogue(
            directory / "stars.fits", catalogue.table, catalogue.cutflow, catalogue.provenance, overwrite=overwrite
        )
    ]
    settings = FitSettings(device=device, seed=seed)
    if progress is not None:
        progress("fit", 0, 1)
    found = fit(catalogue.table, settings)
    record = provenance(
        "demo", {"stars": stars, "seed": seed, "fit": settings}, inputs=files, seeds=[seed], device=found.device
    )
    found = replace(found, provenance=record)
    files.append(save_fit(directory / "fit.h5", found, overwrite=overwrite))
    against_energy = profile(found, catalogue.table, parse_axes(PROFILE_AXES))
    on_grid = apply(found, catalogue.table, parse_axes(MAP_AXES))
    line = boundary(found, catalogue.table)
    for name, table in (
        ("profile.ecsv", profile_table(against_energy)),
        ("map.ecsv", profile_table(on_grid)),
        ("boundary.ecsv", boundary_table(line)),
    ):
        files.append(save_table(directory / name, table, record, overwrite=overwrite))
    if progress is not None:
        progress("fit", 1, 1)

    chosen, _ = choose(catalogue.table, settings)
    is_accreted = read_truth(paths.truth, chosen).accreted
    bins = against_energy.application.mixtures.bins
    enough = against_energy.application.mixtures.n_stars >= against_energy.min_stars
    share = np.where(enough, true_fractions(bins, chosen, is_accreted), np.nan)
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
    )
