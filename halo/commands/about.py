"""What files of this software hold, as plain text for a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .. import load
from ..fits.engine import CONVERGED, not_converged
from ..fits.fit import Fit
from ..io.provenance import plain
from ..stars.catalogue import Catalogue


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
            f"fit: {m} bins x {n} pixels; {content.ended}",
            content.composition,
            content.problems(),
            content.mixtures.describe(),
            str(content.cutflow),
        ]
        record = content.provenance
    else:
        record = content.meta.pop("provenance", {})
        said = content.meta.get("fit_status", CONVERGED), content.meta.get("fit_kkt", 0.0)
        parts = ["\n".join(content.pformat(max_width=-1, max_lines=-1))]
        parts += [not_converged(*said, len(content.meta.get("bins_not_converged", []))), _json(content.meta)]
    return "\n".join([*(part for part in parts if part), _json(record)])


def _json(value: Any) -> str:
    return json.dumps(plain(value), indent=1, sort_keys=True)
