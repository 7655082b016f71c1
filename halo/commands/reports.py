"""What commands say of their products: plain text, for a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..fits.apply import Application
from ..fits.engine import CONVERGED, message
from ..fits.files import load
from ..fits.fit import Fit
from ..io.provenance import plain
from ..products.boundary import Boundary
from ..products.profile import Profile, unit_of
from ..stars.catalogue import Catalogue


def components(fit: Fit) -> str:
    """Return the mass fractions of a fit's components, and the means of their shares over the bins."""
    mass, mean = (_shares(fit, x) for x in (fit.mass_fractions, fit.mean_fractions))
    return f"mass fractions {mass}; W-mean over bins {mean}"


def mass_fractions(fit: Fit) -> str:
    """Return the mass fractions of a fit's components, such as "LE 60.63 %, HE 39.37 %"."""
    return _shares(fit, fit.mass_fractions)


def ended(fit: Fit) -> str:
    """Return how a fit ended."""
    return f"{fit.n_iter} iteration{'s' * (fit.n_iter != 1)}, {fit.status}, KKT residual {fit.kkt:.2g}"


def warning(status: str, kkt: float, *applications: Application) -> str:
    """Return what did not converge, a fit of this status or bins of its applications; empty where all did."""
    return _warning(status, kkt, sum(len(a.unconverged) for a in applications))


def application(result: Profile | Application) -> str:
    """Return one line on a profile, with its crossings, or on a map."""
    if isinstance(result, Application):
        return f"{len(result.mixtures.bins.axes)} variables, {len(result.mixtures.bins)} bins"
    found = result.application
    enough = (found.mixtures.n_stars >= result.min_stars) & np.isfinite(found.fractions[:, -1])
    if enough.sum() < 2:
        return f"no crossings sought: {int(enough.sum())} of {len(enough)} bins with {result.min_stars} stars, 2 needed"
    crossings = ", ".join(crossing.describe(unit_of(result.variable)) for crossing in result.crossings)
    return f"{result.application.names[-1]} fraction: {crossings}"


def boundary_rows(line: Boundary) -> str:
    """Return the boundary as a table, a line per Lz column."""
    rows = ["      Lz  stars            E     smoothed  status"]
    for row in zip(line.Lz, line.n_stars, line.E, line.smoothed, line.status, strict=True):
        rows.append("{:8.0f} {:6d} {:12.4g} {:12.4g}  {}".format(*row))
    return "\n".join(rows)


def found_columns(line: Boundary) -> str:
    """Return in how many columns there is a boundary, such as "4 of 10"."""
    return f"{int(np.isfinite(line.E).sum())} of {len(line.E)}"


def info(path: str | Path) -> str:
    """Return what a file holds and how it was made.

    Raises
    ------
    InputError
        The file is missing, damaged or of another kind.
    """
    content = load(path)
    if isinstance(content, Catalogue):
        parts, record = [f"prepared catalogue: {len(content):,} stars", str(content.cutflow)], content.provenance
    elif isinstance(content, Fit):
        m, n = content.mixtures.V.shape
        parts = [
            f"fit: {m} bins x {n} pixels; {ended(content)}",
            components(content),
            warning(content.status, content.kkt),
        ]
        parts += [content.mixtures.report(), str(content.cutflow)]
        record = content.provenance
    else:
        record = content.meta.pop("provenance", {})
        said = content.meta.get("fit_status", CONVERGED), content.meta.get("fit_kkt", 0.0)
        parts = ["\n".join(content.pformat(max_width=-1, max_lines=-1))]
        parts += [_warning(*said, len(content.meta.get("bins_not_converged", []))), _json(content.meta)]
    return "\n".join([*(part for part in parts if part), _json(record)])


def _shares(fit: Fit, shares: np.ndarray) -> str:
    return ", ".join(f"{name} {100 * share:.2f} %" for name, share in zip(fit.names, shares, strict=True))


def _warning(status: str, kkt: float, bins: int) -> str:
    parts = [] if status == CONVERGED else [f"the fit ({status}, KKT residual {kkt:.2g}: {message(status)})"]
    parts += [f"the weights of {bins} bins"] if bins else []
    return f"not converged: {'; '.join(parts)}" if parts else ""


def _json(value: Any) -> str:
    return json.dumps(plain(value), indent=1, sort_keys=True)
