"""A user's own catalogue, brought in through a small file that names its columns."""

from pathlib import Path

from astropy.table import QTable


def read_mapped(path: str | Path, mapping_path: str | Path) -> QTable:
    """Placeholder of the interface; see docs/catalogue-mapping.md."""
    raise NotImplementedError
