"""The verdict on an ensemble's base configuration: measured once, when the run is complete, and kept in its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..errors import HalonmfError, InputError
from ..fits.engine import one_thread
from ..fits.fit import fit
from ..fits.verdict import Verdict
from ..io.atomic import write_bytes
from ..io.kept import sealed, unseal
from ..io.provenance import plain
from ..io.reading import check_file, cleaned
from .run import VERDICT, Run

LARGEST = 2**20
"""Most bytes of the file."""


def judge(run: Run, stars: Path) -> Verdict | None:
    """Return how far the base configuration's fit is to be trusted; measured unless the folder has it already.

    Parameters
    ----------
    run : Run
        Complete.
    stars : Path
        Its prepared catalogue.

    Returns
    -------
    Verdict or None
        None where the fit cannot be made, as the run says of its configurations.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    from .worker import read_stars  # a summary reads a verdict without what computes it

    known = read_verdict(run)
    if known is not None:
        return known
    try:
        with one_thread():
            found = fit(read_stars(stars), run.plan.base.fit).verdict
    except HalonmfError:
        return None
    record = sealed({"halonmf": "verdict", "run": run.sha256, "verdict": plain(found.record())})
    write_bytes(run.folder / VERDICT, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode(), overwrite=True)
    return found


def read_verdict(run: Run) -> Verdict | None:
    """Return the verdict in a run's folder; None where there is none, or one on another run.

    Raises
    ------
    InputError
        It is damaged.
    """
    path = run.folder / VERDICT
    again = "remove it and run again with --resume."
    try:
        if os.path.lexists(path) and check_file(path).stat().st_size > LARGEST:
            raise ValueError("too long")
        record = json.loads(path.read_text(encoding="utf-8"))
        if unseal(record) is False:  # files of earlier versions have no checksum
            raise ValueError("another checksum than it should have")
        return Verdict.from_record(record["verdict"]) if record["run"] == run.sha256 else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {again}") from None
    except (InputError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({cleaned(error, 120)}); {again}") from None
