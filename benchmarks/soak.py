"""Work for ten minutes in one process, and watch its memory, descriptors, threads and temporary files: all stay flat.

Each round fits a sample, makes a profile and a boundary, extends an ensemble and summarises it, reads every file again,
and is refused a damaged one. The first third warms caches up; the rest is held to its own beginning.
"""

import argparse
import contextlib
import json
import os
import pathlib
import tempfile
import threading
import time

import numpy as np
from kills import ok
from record import RESULTS, save

from halonmf import halo
from halonmf.halo.ensembles.settings import RunOptions
from halonmf.halo.errors import InputError

MEGABYTES_A_ROUND = 0.1
"""Growth of memory above which it is not flat: a leak of one small array a round."""


def resident():
    """Megabytes of memory that this process has now."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def measured(folder, since):
    return {
        "seconds": time.monotonic() - since,
        "megabytes": resident(),
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - of this very moment
        "threads": threading.active_count(),
        "kernel_threads": len(list(pathlib.Path("/proc/self/task").iterdir())),
        "temporary_files": len(list(folder.rglob(".*.tmp"))) + len(list(folder.rglob("*.dead"))),
    }


def work(stars, folder, i):
    """One round; the ensemble is extended by four replicates, and begun again every tenth round."""
    plain = {"pixels": 16, "bins": "E:4,Lz:4"}
    table = halo.load(stars)
    fit = halo.fit(table, **plain)
    halo.save(folder / "fit.h5", fit, overwrite=True)
    halo.load(folder / "fit.h5")
    halo.profile(folder / "fit.h5", stars, "E:10")
    halo.boundary(folder / "fit.h5", stars)
    again = RunOptions(overwrite=True) if i % 10 == 0 else RunOptions(resume=True)
    halo.ensemble(stars, folder / "run", bootstrap=8 + 4 * (i % 10), batch=4, options=again, device="cpu", **plain)
    halo.summarise(folder / "run")
    image = bytearray((folder / "fit.h5").read_bytes())
    image[len(image) // 2] ^= 1
    (folder / "damaged.h5").write_bytes(image)
    with contextlib.suppress(InputError):
        halo.load(folder / "damaged.h5")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--stars", type=int, default=6000, help="rows of the mock survey")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "soak.json")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ok("mock", folder / "mock", "--stars", options.stars, "-q")
        stars = folder / "stars.fits"
        ok("prepare", *folder.glob("mock/allStar*"), *folder.glob("mock/apogee_*"), "-o", stars, "-q")
        since = time.monotonic()
        while time.monotonic() - since < 60 * options.minutes:
            work(stars, folder, len(rows))
            rows.append(measured(folder, since))
    late = rows[len(rows) // 3 :]
    growth = float(np.polyfit(range(len(late)), [row["megabytes"] for row in late], 1)[0]) if len(late) > 2 else 0.0
    spans = {name: [f([row[name] for row in late]) for f in (min, max)] for name in late[0]}
    figures = {
        "minutes": options.minutes,
        "rounds": len(rows),
        "megabytes_a_round": growth,
        "late": spans,
        "rows": rows,
    }
    figures["flat"] = (
        growth < MEGABYTES_A_ROUND
        and spans["temporary_files"] == [0, 0]
        and all(spans[each][0] == spans[each][1] for each in ("descriptors", "threads", "kernel_threads"))
    )
    print(json.dumps({each: figures[each] for each in ("rounds", "megabytes_a_round", "late", "flat")}))
    save(options.output, figures, "benchmarks/soak.py", {"stars": options.stars}, device="cpu")


if __name__ == "__main__":
    main()
