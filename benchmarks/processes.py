"""What a new process takes: memory, the first call, and kernels compiled at first use."""

import statistics
import tempfile

from record import measure
from rounds import ROUNDS

_MEMORY = """
import sys
import nmfcore
from nmfcore import bench
from nmfcore.kernels import least_squares, sampling
if sys.argv[1] == "all":
    stars = bench.mock_stars()
    counts = nmfcore.bootstrap(stars.rows, stars.columns, stars.shape, replicates=1000)
    result = nmfcore.factorize(counts, 2)
    assert result.W.shape == (1000, 64, 2)
"""

_FIRST = """
import sys
import nmfcore
from nmfcore import bench
what, k, loss = sys.argv[1:]
stars = bench.mock_stars()
V = bench.dense_counts(stars)
if "numba" in what:
    import numba
start, before = time.perf_counter(), time.process_time()
if what == "dense":
    nmfcore.factorize(V, int(k), loss=loss)
else:
    counts = nmfcore.bootstrap(stars.rows, stars.columns, stars.shape, replicates=16)
    nmfcore.factorize(counts, int(k), loss=loss)
print(json.dumps({"first": time.perf_counter() - start, "cpu": time.process_time() - before}))
sys.exit()
"""


def memory(run):
    """Peak memory of a process that fits 1,000 bootstraps, with and without that of its imports."""
    measure(_MEMORY, "all")  # a compiler would need more than the fits
    peak, imported = (measure(_MEMORY, what)["peak_bytes"] / 1e6 for what in ("all", "imports"))
    for target, what, value in (("memory_mb", "beyond the imports", peak - imported), (None, "whole process", peak)):
        yield run.figure(target, f"k = 2, 1,000 bootstraps, memory [MB]: {what}", value)


def first(what, k=2, loss="frobenius", **environment):
    """Return seconds of the clock and of the processor of the first call in a new process."""
    return measure(_FIRST, what, k, loss, environment=environment)


def first_call(run):
    """The first call in a new process, its kernels compiled and cached before; the package is imported before."""
    for what in ("dense", "sparse", "sparse, numba imported"):
        first(what)
        found = [first(what) for _ in range(2 if run.quick else ROUNDS)]
        clock, cpu = (statistics.median(one[name] for one in found) for name in ("first", "cpu"))
        yield run.figure("first_call_s", f"first call with cached kernels, {what} [s]", clock, cpu=cpu)


def compiling(run):
    """Seconds of the processor that the first call takes with an empty cache, less those with a full one."""
    cases = [("compile_s", 2, "frobenius"), ("compile_s", 4, "frobenius"), (None, 2, "kullback-leibler")]
    for target, k, loss in cases[: 1 if run.quick else None]:
        with tempfile.TemporaryDirectory() as folder:
            compiled, cached = (first("sparse", k, loss, NUMBA_CACHE_DIR=folder) for _ in range(2))
        yield run.figure(
            target, f"kernels compiled at first use, {loss}, k = {k} [s of the processor]",
            compiled["cpu"] - cached["cpu"], clock_s=compiled["first"] - cached["first"],
        )  # fmt: skip
