"""What a benchmark ran on: processor, cores, load, BLAS and its kernels, GPUs, versions, commit. Needs only nmfcore."""

import datetime
import os
import pathlib
import platform
import subprocess
from importlib import metadata

from nmfcore.bench import blas

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIBRARIES = (
    "numpy", "scipy", "torch", "numba", "scikit-learn", "threadpoolctl", "cuda-core", "cuda-bindings",
    "nvidia-cuda-nvrtc",
)  # fmt: skip


def machine():
    """Name of the processor, its cores and load, the system, and what multiplies matrices."""
    name = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "load": [round(x, 1) for x in os.getloadavg()],
        "system": platform.system(),
        "blas": blas(),
    }


def commit():
    """Return the commit checked out, with a + where files differ from it."""

    def git(*words):
        try:
            return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
        except OSError:  # a checkout that was copied to where there is no git
            return ""

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def gpus():
    """Name, driver and memory of every GPU, as nvidia-smi tells them; none where there is no such program."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return []


def versions():
    """Versions of what computes; those not installed are left out."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), **found}


def provenance():
    """Return all of that: what stands beside figures where the package itself need not be installed."""
    return {
        "machine": machine(),
        "gpus": gpus(),
        "libraries": versions(),
        "commit": commit(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
