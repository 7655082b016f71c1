"""The sound files that the attacks begin from: a small mock survey, its catalogue, fit, boundary, ensemble, members."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from halonmf import halo

BINS = ("--bins", "E:4,Lz:2", "--pixels", "12")
MAPPING = b"""[catalogue]
name = "x"
quality = "LOGG < 5"
[columns]
id = "APOGEE_ID"
E = {column = "E"}
Lz = "Lz"
[abundances]
FE_H = {column = "FE_H", error = "FE_H_ERR"}
AL_FE = "AL_FE"
MG_FE = "MG_FE"
"""
CONFIG = b"""[fit]
pixels = 12
bins = "E:4,Lz:2"
components = 2
selection = "all"
cut = ["LOGG<2.5", "|z|<2"]
loss = "frobenius"
"""


@dataclass(frozen=True)
class Inputs:
    """Where they lie."""

    folder: Path

    @property
    def allstar(self) -> Path:
        """The survey's catalogue."""
        return self.folder / "sky" / "allStarLite-dr17-synspec_rev1.fits"

    @property
    def astronn(self) -> Path:
        """Distances and velocities."""
        return self.folder / "sky" / "apogee_astroNN-DR17.fits"

    @property
    def members(self) -> Path:
        """A text file of a cluster's members."""
        return self.folder / "sky" / "members" / "catalogues" / "NGC_104_47Tuc.txt"

    @property
    def stars(self) -> Path:
        """The prepared catalogue."""
        return self.folder / "stars.fits"

    @property
    def fit(self) -> Path:
        """Two components."""
        return self.folder / "fit.h5"

    @property
    def boundary(self) -> Path:
        """Their boundary."""
        return self.folder / "boundary.ecsv"

    @property
    def run(self) -> Path:
        """An ensemble."""
        return self.folder / "run"

    @property
    def zipped_members(self) -> bytes:
        """All members, as they are published."""
        image = io.BytesIO()
        with zipfile.ZipFile(image, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(self.members.parent.glob("*.txt")):
                archive.writestr(f"clusters/catalogues/{path.name}", path.read_bytes())
        return image.getvalue()


def make(folder: Path) -> Inputs:
    """Make them in a folder, by the commands that a user would give."""
    made = Inputs(folder)
    for arguments in (
        ("mock", "sky", "--stars", "1500", "--seed", "3"),
        ("prepare", made.allstar, made.astronn, "-o", made.stars),
        ("fit", made.stars, "-o", made.fit, *BINS),
        ("boundary", made.fit, made.stars, "-o", made.boundary),
        ("ensemble", made.stars, "-o", made.run, *BINS, "--bootstrap", "40", "--batch", "8", "--no-figures"),
    ):
        command = [sys.executable, "-m", "halonmf.cli", *map(str, arguments), "-q"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 4):
            raise RuntimeError(f"{arguments[0]}: {done.stderr}")
    for form in (".vot", ".fits"):
        halo.save(made.boundary.with_suffix(form), halo.load(made.boundary))
    return made
