"""Time and memory of a survey of full size, made and prepared, beside astropy reading the same columns; saved as JSON.

Run with: python benchmarks/prepare.py [--stars 734000]; it needs some 4 GB of memory and 1 GB of temporary files.

Every step is a process of its own, imports included, on one thread (set OMP_NUM_THREADS=1). The files were just
written, so all of them are read from the system's cache.
"""

import argparse
import pathlib
import tempfile

from mock_recovery import describe
from record import RESULTS, measure, save

from halonmf.halo.mock import survey as mock
from halonmf.halo.stars.catalogue import read_catalogue

MAKE = (
    "from halonmf.halo.mock.survey import make; make(sys.argv[1], int(sys.argv[2]), seed=1, full=sys.argv[3] == 'full')"
)
EXPECTED = "from halonmf.halo.mock.expected import expected; expected(oversample=int(sys.argv[1]))"
PREPARE = """
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.survey.prepare import prepare
found = prepare(*sys.argv[2:])
write_catalogue(sys.argv[1], found.table, found.cutflow, found.provenance)
"""
# the columns that read_survey takes, in native byte order and contiguous, as any use of them wants them
READ = """
import numpy as np
from astropy.io import fits
elements = [name + end for name in ("FE_H", "AL_FE", "MG_FE") for end in ("", "_ERR", "_FLAG")]
wanted = (
    ["APOGEE_ID", "RA", "DEC", "PROGRAMNAME", "GAIAEDR3_SOURCE_ID", "ASPCAPFLAG", "EXTRATARG", "LOGG", "TEFF", "SNR",
     "M_H", "ALPHA_M", *elements],
    ["APOGEE_ID", "weighted_dist", "weighted_dist_error", "pmra", "pmdec", "VHELIO_AVG"],
)
for path, names in zip(sys.argv[1:], wanted):
    with fits.open(path, memmap=True) as file:
        data = file[1].data
        columns = [np.array(data[name]) for name in names]
        columns = [column.astype(column.dtype.newbyteorder("=")) for column in columns]
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stars", type=int, default=734_000)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "prepare.json")
    options = parser.parse_args()
    steps = {}

    def step(name, code, *arguments):
        steps[name] = measure(code, *arguments)
        took = steps[name]
        print(
            f"{name:12s} {took['seconds']:7.1f} s ({took['cpu_seconds']:.1f} of the processor)",
            f"{took['peak_bytes'] / 1e9:.2f} GB",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        step("default_mock", MAKE, f"{folder}/default", 60_000, "thinned")
        step("expected_20", EXPECTED, 20)
        step("full_mock", MAKE, f"{folder}/full", options.stars, "full")
        full = pathlib.Path(folder, "full")
        files = full / mock.ALLSTAR, full / mock.ASTRONN
        step("read", READ, *files)
        step("prepare", PREPARE, f"{folder}/stars.fits", *files, full / mock.MEMBERS)
        sample = describe(read_catalogue(f"{folder}/stars.fits").table, full / mock.TRUTH)
        size = sum(path.stat().st_size for path in files)
    ratio = steps["prepare"]["cpu_seconds"] / steps["read"]["cpu_seconds"]
    print(f"prepare takes {ratio:.1f} times as long as reading the columns; {sample}")
    figures = {"rows": options.stars, "bytes": size, "steps": steps, "ratio_to_reading": ratio, "sample": sample}
    save(options.output, figures, "benchmarks/prepare.py", {"stars": options.stars}, seeds=[1], device="cpu")


if __name__ == "__main__":
    main()
