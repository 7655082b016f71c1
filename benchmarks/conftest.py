"""One thread on either side, so that ratios compare algorithms; the table of ratios at the end."""

import os
import pathlib
import sys

os.environ["NUMBA_NRT_STATS"] = "1"  # read when numba is loaded: it then counts the allocations of compiled code

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # the tests share peers.py with the scripts
import fair  # unsets what would slow NumPy down, before that is loaded

# isort: split
import pytest
import sklearn.decomposition  # noqa: F401  (before its libraries are limited)
import torch
from threadpoolctl import threadpool_limits

fair.require()
torch.set_num_threads(1)
threadpool_limits(1)


@pytest.fixture(autouse=True)
def _note_slow(request):
    """Note which benchmarks a run without the slow ones leaves out."""
    yield
    benchmark = request.node.funcargs.get("benchmark")
    if benchmark is not None:
        benchmark.extra_info["slow"] = request.node.get_closest_marker("slow") is not None


def pytest_terminal_summary(terminalreporter, config):
    """Print what each benchmark costs per fit, and how many times the peer's cost that is."""
    session = getattr(config, "_benchmarksession", None)
    rows = [one for one in session.benchmarks if "ratio" in one.extra_info] if session is not None else []
    if rows:
        terminalreporter.section("cost per fit, and the peer's over it")
    for one in rows:
        info = one.extra_info
        terminalreporter.write_line(
            f"{one.name:60s} {info['us_per_fit']:12.2f} us {info['ratio']:8.2f} x by the clock, "
            f"{info['cpu_ratio']:8.2f} x by the processor  {info['peer']}"
        )
