"""Zero points between two surveys, by common stars or by populations: whichever the reference is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..io.atomic import FITS
from ..progress import Progress, silent
from ..stars.catalogue import StarsLike
from .common import common_stars
from .fit import Fit
from .overlap import populations
from .settings import Bootstrap
from .store import as_fit
from .transfer import ZeroPointSettings
from .zeropoints import ZeroPoints


def zeropoints(
    reference: StarsLike | Fit,
    stars: StarsLike,
    settings: ZeroPointSettings | None = None,
    *,
    bootstrap: int = Bootstrap.replicates,
    seed: int = Bootstrap.seed,
    progress: Progress = silent,
    **choices: Any,
) -> ZeroPoints:
    """Return the zero points of a survey's abundances on the scale of another.

    Parameters
    ----------
    reference : Table, Catalogue, Fit or path
        Prepared stars of the survey whose scale is meant, for zero points by common stars; or a fit of such stars, for
        zero points by populations, which need no common stars.
    stars : Table, Catalogue or path
        Prepared stars of the survey whose zero points are wanted.
    settings : ZeroPointSettings, optional
    bootstrap, seed : int
        Replicates behind the errors, and their seed.
    progress : callable, optional
        Called with (stage, done, total).
    **choices
        Fields of `ZeroPointSettings` in place of `settings`.

    Returns
    -------
    ZeroPoints

    Raises
    ------
    InputError
        Too few common stars; or stars whose populations are not the fit's.
    UsageError
        Settings that make no sense.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.zeropoints("apogee.fits", "galah.fits")  # doctest: +SKIP
    >>> halo.profile("fit.h5", "galah.fits", "E:20:-2.5e5:-1.0e5", zeropoints=found)  # doctest: +SKIP
    """
    settings = settings or ZeroPointSettings(**choices)
    replicates = Bootstrap(bootstrap, seed)
    if isinstance(reference, str | Path) and Path(reference).suffix.lower() in FITS:
        reference = as_fit(reference)
    if isinstance(reference, Fit):
        if settings != ZeroPointSettings():
            raise UsageError("zero points by populations are of the fit's abundances, without trends; choose nothing.")
        return populations(reference, stars, replicates, progress=progress)
    return common_stars(reference, stars, settings, replicates)
