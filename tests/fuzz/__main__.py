"""Run attacks and print what did not hold; exits 1 where something did not."""

from __future__ import annotations

import argparse
import collections
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from .attacks import READERS, Attacks
from .inputs import make
from .judge import judge


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the mutations")
    parser.add_argument("--cases", type=int, default=600, help="how many, all kinds of files together")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--output", type=Path, help="JSON with every case")
    chosen = parser.parse_args()
    warm()
    since, found = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="halonmf-fuzz-") as name:
        inputs = make(Path(name))
        attacks = Attacks(inputs, Path(name) / "case", chosen.seed)
        sound = [judge(case, attacks.folder) for case in attacks.untouched() if chosen.only in case.name]
        refused = [one for one in sound if one.code not in (0, 4)]
        for one in refused:
            sys.stdout.write(f"REFUSED {one.case.name}: {one.said}\n")
        each = max(chosen.cases // len(READERS), 1)
        cases = (case for case in attacks.all(each) if chosen.only in case.name)
        for case in islice(cases, chosen.cases):
            one = judge(case, attacks.folder)
            found.append(one)
            if one.wrong:
                sys.stdout.write(f"BAD {case.name}: {', '.join(one.wrong)}: {one.said!r}\n")
                sys.stdout.flush()
    bad = sum(bool(one.wrong) for one in found)
    codes = collections.Counter(str(one.code) for one in found)
    summary = {
        "seed": chosen.seed,
        "cases": len(found),
        "bad": bad,
        "sound files refused": len(refused),
        "exit codes": dict(sorted(codes.items())),
        "longest": max((one.seconds for one in found), default=0.0),
        "most megabytes": max((one.megabytes for one in found), default=0.0),
        "seconds": time.monotonic() - since,
    }
    sys.stdout.write(json.dumps(summary) + "\n")
    if chosen.output:
        rows = [[one.case.name, one.code, one.seconds, one.megabytes, list(one.wrong)] for one in found]
        chosen.output.write_text(json.dumps({**summary, "each": rows}, indent=1) + "\n")
    return int(bool(bad or refused))


def warm() -> None:
    """Import once what every child needs, so that a case costs what the command costs."""
    import astropy.table
    import h5py
    import numpy as np
    import scipy.optimize
    import yaml

    import nmfcore
    from halonmf import halo
    from halonmf.cli import app

    for module in (astropy.table, h5py, np, scipy.optimize, yaml, nmfcore, halo, app):
        assert module is not None


if __name__ == "__main__":
    sys.exit(main())
