"""Where a benchmark's figures come from: machine, versions, commit, environment; and a child process measured."""

import json
import os
import subprocess
import sys

import fair
from machine import ROOT, commit, machine

from halonmf.halo.io.provenance import provenance

RESULTS = ROOT / "benchmarks" / "results"

_MEASURE = """
import json, pathlib, resource, sys, time
start = time.perf_counter()
{code}
seconds, cpu = time.perf_counter() - start, time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
status = pathlib.Path("/proc/self/status")
if status.exists():  # there ru_maxrss begins at the parent's
    peak = 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
print(json.dumps({{"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak}}))
"""


def save(path, figures, command, settings, **more):
    """Write figures as JSON with their provenance, machine, commit, and what was unset in the environment."""
    record = {**provenance(command, settings, **more), "machine": machine(), "commit": commit()}
    record["environment"] = fair.environment()
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**figures, "provenance": record}, indent=1) + "\n")


def measure(code, *arguments, environment=None):
    """Run Python code in a process of its own; return its seconds, imports included, and its peak memory in bytes.

    On one thread the processor's seconds are the clock's on an idle machine, and other work does not lengthen them.
    Where the code leaves by itself, the JSON that it printed last is returned instead. `environment` is added to ours.
    """
    command = [sys.executable, "-c", _MEASURE.format(code=code), *map(str, arguments)]
    env = {**os.environ, **(environment or {})}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])
