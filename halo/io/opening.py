"""FITS files, opened with suspicion: what is none, is truncated or is damaged ends here in an error of one line."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from ..errors import InputError
from .packed import MAGIC, beginning
from .reading import check_file, cleaned, is_html

BLOCK = 2880
"""FITS files are whole numbers of blocks of this many bytes."""

MOST_FIELDS = 999
"""Most columns of a FITS table (FITS standard 4.0, section 7.3.1)."""

_OTHER_FORMATS = {
    b"\x1f\x8b": "a gzip file; decompress it first (gunzip)",
    b"BZh": "a bzip2 file; decompress it first (bunzip2)",
    b"PK\x03\x04": "a zip file; unpack it first",
    b"\x89HDF": "an HDF5 file, as fits are; give a catalogue of stars",
    b"# %ECSV": "an ECSV table, as most results are; give a catalogue of stars",
    b"%PDF": "a PDF document",
    b"version https://git-lfs": "a Git LFS pointer; fetch the file itself",
}


def check_signature(path: str | Path, *, packed: bool = False) -> None:
    """Raise `InputError` unless the file exists and begins as FITS; name what it is instead where that is known.

    Parameters
    ----------
    path : path
    packed : bool
        Whether FITS within gzip will do.
    """
    path = check_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions.") from error
    if packed and head.startswith(MAGIC):
        head = beginning(path)
    if head.startswith(b"SIMPLE  ="):
        return
    if not head:
        raise InputError(f"{path}: empty file, expected FITS; download it again.")
    if is_html(head):
        raise InputError(f"{path}: a web page saved under this name, expected FITS; the download failed, repeat it.")
    for magic, name in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise InputError(f"{path}: not FITS but {name}.")
    raise InputError(f"{path}: not a FITS file (begins with {head[:16]!r}); check the path or download it again.")


@contextmanager
def open_fits(path: str | Path) -> Iterator[fits.HDUList]:
    """All HDUs of a FITS file whose extensions are known to be complete.

    Raises
    ------
    InputError
        Not FITS, truncated, or with headers that make no sense.
    """
    path = Path(path)
    check_signature(path)
    with warnings.catch_warnings():
        # damage is reported below, in our own words
        warnings.simplefilter("ignore", AstropyWarning)
        # opened here, since astropy leaves a file open that it cannot read
        with path.open("rb") as file:
            try:
                hdus = fits.open(file, mode="readonly", memmap=True, lazy_load_hdus=False)
            except Exception as error:
                raise InputError(
                    f"{path}: truncated or damaged FITS ({one_line(error)}); download it again."
                ) from error
            try:
                _check_complete(path, hdus)
                yield hdus
            except fits.VerifyError as error:  # cards are looked at when they are first asked for
                raise InputError(f"{path}: damaged header ({one_line(error)}); download it again.") from error
            finally:
                hdus.close()


def _check_complete(path: Path, hdus: fits.HDUList) -> None:
    size = path.stat().st_size
    end = 0
    for index, hdu in enumerate(hdus):
        fields = hdu.header.get("TFIELDS", 0)
        if not isinstance(fields, int) or not 0 <= fields <= MOST_FIELDS:
            raise InputError(
                f"{path}: extension {index} has {cleaned(fields, 40)} columns by its header, and FITS allows "
                f"{MOST_FIELDS}; download it again."
            )
        if hdu.__class__.__name__.startswith("_Corrupted"):
            raise InputError(f"{path}: extension {index} has a damaged header; download it again.")
        info = hdu.fileinfo()
        start, end = int(info["datLoc"]), int(info["datLoc"]) + int(info["datSpan"])
        if end > size or start > size:
            raise InputError(
                f"{path}: truncated: it has {size:,} bytes, extension {index} ends at byte {end:,}; download it again."
            )
    if size < end or not _is_blank(path, end):
        raise InputError(
            f"{path}: truncated or damaged: {size - end:,} bytes follow extension {len(hdus) - 1} and make no further "
            "one; download it again."
        )


def _is_blank(path: Path, start: int) -> bool:
    """Return True where nothing or zeros follow: some archives pad files beyond their last block."""
    with path.open("rb") as file:
        file.seek(start)
        return not any(chunk.strip(b"\x00") for chunk in iter(lambda: file.read(1 << 20), b""))


def one_line(error: BaseException) -> str:
    """Return an error's message as one line."""
    return cleaned(error) or type(error).__name__
