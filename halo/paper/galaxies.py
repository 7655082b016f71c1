"""Simulated galaxies for the run of the paper: those that a user names, or a mock in their layout."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import InputError, UsageError
from ..mock.galaxy import write_galaxy
from ..simulations.particles import Galaxy, in_order, read_galaxy

MOCK_COLUMNS = """
[galaxy]
name = "mock galaxy"
hubble = "Header/HubbleParam"
in_situ_within = 30

[columns]
position = { column = "PartType4/Coordinates", unit = "kpc", h = -1 }
velocity = { column = "PartType4/Velocities", unit = "km / s" }
mass = { column = "PartType4/Masses", unit = "1e10 Msun", h = -1 }
iron = { column = "PartType4/Metallicity", index = 10, solar = 1.73e-3 }
birth_distance = { column = "star.form.host.distance", file = "host_coordinates.hdf5" }
formation = "PartType4/StellarFormationTime"
id = "PartType4/ParticleIDs"
birth_id = { column = "star.id", file = "host_coordinates.hdf5" }
"""
"""How the mock galaxy's columns are called: as those of the public FIRE-2 release (docs/simulations.md)."""


def read_galaxies(texts: Sequence[str], columns: Path | None) -> tuple[Galaxy, ...]:
    """Return the galaxies that texts such as ``m12f=m12f/output/snapdir_600/*.hdf5`` name.

    Raises
    ------
    UsageError
        A text without a name or files, or galaxies without a mapping of their columns.
    InputError
        No such file, or one that cannot be read.
    """
    if texts and columns is None:
        raise UsageError("--galaxy needs --galaxy-columns, a file that names its columns (docs/simulations.md).")
    found = []
    for text in texts:
        name, sign, pattern = text.partition("=")
        if not (sign and name and pattern):
            raise UsageError(f"galaxy {text!r}: expected NAME=FILES, such as m12f=m12f/snapshot_600.*.hdf5.")
        paths = in_order(Path(pattern).parent.glob(Path(pattern).name))
        if not paths:
            raise InputError(f"{pattern}: no such file; check the path of the galaxy {name}.")
        assert columns is not None
        found.append(replace(read_galaxy(paths, columns), name=name))
    return tuple(found)


def mock_galaxy() -> Galaxy:
    """Return a mock galaxy, written in the layout of the simulations and read back."""
    with tempfile.TemporaryDirectory() as folder:
        snapshot, _ = write_galaxy(folder)
        columns = Path(folder) / "columns.toml"
        columns.write_text(MOCK_COLUMNS)
        return read_galaxy(snapshot, columns)
