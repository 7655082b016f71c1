"""Whether a GPU is faster than the processor beside it: as was measured on this machine, never as is hoped."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from .compiler import cache_folder
from .devices import visible_devices

NAME = "measured.json"


def gpu_is_faster() -> bool:
    """Tell whether every visible GPU was measured on this machine, and took less time than the processor.

    `benchmarks/gpu.sh` measures; where it never ran the answer is no.
    """
    known = _read()
    if not known:
        return False
    names = [name_of(number) for number in visible_devices("cuda")]
    return bool(names) and all(0 < known.get(name, {}).get("gpu_ms", 0) < known[name]["cpu_ms"] for name in names)


def record(name: str, gpu_ms: float, cpu_ms: float) -> None:
    """Keep how long 1,000 bootstraps took on a GPU of this name and on the processor, where a file can be written."""
    known = {**_read(), name: {"gpu_ms": float(gpu_ms), "cpu_ms": float(cpu_ms)}}
    with contextlib.suppress(OSError):
        _place().parent.mkdir(parents=True, exist_ok=True)
        _place().write_text(json.dumps(known, indent=1) + "\n")


def name_of(number: int) -> str:
    """Return the name of a device, as its maker calls it."""
    from .driver import call, driver

    library = driver()
    text: bytes = call(library.cuDeviceGetName, 256, call(library.cuDeviceGet, number))
    return text.split(b"\0")[0].decode(errors="replace")


def _place() -> Path:
    return cache_folder() / NAME


def _read() -> dict[str, Any]:
    try:
        known = json.loads(_place().read_text())
        return {name: dict(figures) for name, figures in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
