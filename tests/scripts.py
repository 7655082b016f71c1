"""Scripts of docs, benchmarks and .ci as modules, for the tests of them."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def script(name, folder="docs"):
    """A script of a folder of the repository as a module; its neighbours are in reach while it is loaded."""
    sys.path.insert(0, str(ROOT / folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / folder))
