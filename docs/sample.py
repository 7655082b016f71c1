"""Make the sample that ships: a small mock survey in the layout of APOGEE DR17, the columns that `prepare` reads alone.

Run with: python docs/sample.py
"""

from __future__ import annotations

import gzip
import io
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "halo" / "archives"
ROWS, SEED = 4_000, 1
ABUNDANCES = ("FE_H", "MG_FE", "AL_FE", "MN_FE")
CATALOGUE = (
    *("APOGEE_ID", "TELESCOPE", "FIELD", "RA", "DEC", "PROGRAMNAME", "NVISITS", "SNR", "VHELIO_AVG", "VSCATTER"),
    *("GAIAEDR3_SOURCE_ID", "ASPCAPFLAG", "EXTRATARG", "TEFF", "LOGG", "M_H", "ALPHA_M"),
    *(f"{name}{ending}" for name in ABUNDANCES for ending in ("", "_ERR", "_FLAG")),
)
DISTANCES = (
    *("APOGEE_ID", "RA", "DEC", "weighted_dist", "weighted_dist_error", "pmra", "pmra_error", "pmdec", "pmdec_error"),
    *("VHELIO_AVG", "source_id"),
)


def smaller(path: pathlib.Path, columns: tuple[str, ...]) -> bytes:
    """Return a FITS table's chosen columns as a compressed FITS file, the same bytes each time."""
    from astropy.io import fits

    with fits.open(path) as file:
        table = file[1]
        chosen = fits.BinTableHDU.from_columns([table.columns[name] for name in columns], nrows=len(table.data))
        chosen.header.extend([card for card in table.header.cards if card.keyword.startswith(("MOCK", "DISCTHIN"))])
        buffer = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), chosen]).writeto(buffer)
    return gzip.compress(buffer.getvalue(), 9, mtime=0)


def make(rows: int = ROWS, seed: int = SEED) -> dict[str, bytes]:
    """Return the files of the sample by name."""
    from halonmf.halo.archives.sample import SAMPLE_FILES
    from halonmf.halo.mock.survey import make as mock

    with tempfile.TemporaryDirectory() as folder:
        paths = mock(folder, rows, seed)
        return {
            name: smaller(path, columns)
            for name, path, columns in zip(
                SAMPLE_FILES, (paths.allstar, paths.astronn), (CATALOGUE, DISTANCES), strict=True
            )
        }


def main() -> None:
    """Write the files."""
    for name, content in make().items():
        (FOLDER / name).write_bytes(content)
        sys.stderr.write(f"{name}: {len(content):,} bytes\n")


if __name__ == "__main__":
    main()
