"""RcppML (DeBruine et al. 2021), the fastest peer at two components, where R has it: Debian's r-cran-rcppml."""

import pathlib
import shutil
import statistics
import subprocess
import tempfile

import scipy.io
import scipy.sparse
from rounds import Cost

from nmfcore import bench

SCRIPT = pathlib.Path(__file__).with_name("rcppml.R")
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


class MissingError(Exception):
    """There is no R here, or no RcppML for it."""


class RcppML:
    """A process of R that fits problems it was given, on one thread; its start-up is not timed.

    Raises
    ------
    MissingError
        There is no R here, or no RcppML for it.
    """

    def __init__(self, problems, k):
        program = shutil.which("Rscript")
        if program is None:
            raise MissingError("Rscript is not installed")
        self._folder = tempfile.TemporaryDirectory()
        for i, V in enumerate(problems):
            scipy.io.mmwrite(pathlib.Path(self._folder.name) / f"{i}.mtx", scipy.sparse.csc_matrix(V), precision=9)
        command = [program, "--vanilla", str(SCRIPT), self._folder.name, str(len(problems)), str(k)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.version = self._process.stdout.readline().strip().strip('"')
        if not self.version:
            said = self._process.stderr.read().strip().splitlines()
            self.close()
            raise MissingError(f"R has no RcppML ({said[0] if said else 'it said nothing'})")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()
        self._process.wait()
        self._folder.cleanup()

    def _ask(self, question):
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"RcppML ended: {self._process.stderr.read()}")
        return [float(x) for x in answer.split()]

    def to(self, losses):
        """Return the loosest tolerance that brings every problem to its loss, and the largest gap that is left."""
        for tol in TOLERANCES:
            gap = max(x / loss for x, loss in zip(self._ask(f"loss {tol:g}"), losses, strict=True)) - 1
            if gap <= bench.EQUAL:
                break
        return tol, gap

    def typical(self, tol, number):
        """Return the cost of a fit, the median over problems; each is fitted so many times."""
        seconds = self._ask(f"time {tol:g} {number}")
        return Cost(statistics.median(seconds[::2]), statistics.median(seconds[1::2])) / number
