"""CUDA C++ to machine code at run time, kept on disk for each source, architecture, set of options and compiler."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parent
# What a kept file begins with; its hash follows, by which damage is noticed.
MAGIC = b"nmfcore machine code 1\n"
STANDARD = "c++17"


class CompilerError(RuntimeError):
    """The compiler refused a kernel, or is not there."""


@functools.lru_cache(maxsize=256)
def machine_code(source: str, definitions: tuple[tuple[str, str], ...], arch: str) -> bytes:
    """Return the machine code of a kernel: from the disk where it was compiled before, else compiled now.

    Parameters
    ----------
    source : str
        Name of a file of this folder.
    definitions : tuple of (str, str)
        Names that the source's preprocessor replaces.
    arch : str
        Such as ``"sm_90"``.

    Raises
    ------
    CompilerError
        If NVRTC is missing or refuses the source.
    """
    kept = cache_folder() / f"{key_of(source, definitions, arch)}.cubin"
    code = read(kept)
    if code is None:
        with _said():
            code = compile_source(source, definitions, arch)
        write(kept, code)
    return code


def compile_source(source: str, definitions: tuple[tuple[str, str], ...], arch: str) -> bytes:
    """Return the machine code that NVRTC makes of a file of this folder."""
    core = cuda_core()
    options = core.ProgramOptions(
        name=source, std=STANDARD, arch=arch, include_path=str(SOURCES), define_macro=list(definitions) or None,
    )  # fmt: skip
    try:
        return bytes(core.Program((SOURCES / source).read_text(), "c++", options).compile("cubin").code)
    except Exception as error:
        raise CompilerError(f"NVRTC refuses {source} for {arch}: {error}") from error


def cuda_core() -> Any:
    """Return the module of cuda-core, which had another name before 0.5; raise CompilerError where there is none."""
    try:
        import cuda.core as module

        if hasattr(module, "Program"):
            return module
        import cuda.core.experimental as older
    except (ImportError, RuntimeError, OSError) as error:
        raise CompilerError(f"kernels cannot be compiled: {error}; install the extra 'cuda'") from error
    return older


def key_of(source: str, definitions: tuple[tuple[str, str], ...], arch: str) -> str:
    """Return the name under which machine code is kept: a hash of everything that it follows from."""
    told = [source, arch, STANDARD, *(f"{name}={value}" for name, value in definitions), compiler_version()]
    return hashlib.sha256("\0".join([*told, source_hash()]).encode()).hexdigest()


@functools.lru_cache(maxsize=1)
def source_hash() -> str:
    """Return a hash of all sources of this folder: they include each other."""
    total = hashlib.sha256()
    for path in sorted(p for p in SOURCES.iterdir() if p.suffix in (".cu", ".cuh", ".h")):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


@functools.lru_cache(maxsize=1)
def compiler_version() -> str:
    """Return NVRTC's version; raise CompilerError where there is none."""
    try:
        from cuda.bindings import nvrtc

        code, major, minor = nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError, OSError) as error:
        raise CompilerError(
            f"kernels cannot be compiled: NVRTC is not there ({error}); install the extra 'cuda'"
        ) from error
    return f"{int(code)} {major}.{minor}"


def cache_folder() -> Path:
    """Return where machine code is kept: ``NMFCORE_CACHE_DIR``, or the user's cache."""
    chosen = os.environ.get("NMFCORE_CACHE_DIR")
    if chosen:
        return Path(chosen)
    windows = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    base = windows or os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "nmfcore" / "cuda"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / "nmfcore-cuda"


def read(path: Path) -> bytes | None:
    """Return what `write` wrote; None where there is no such file, or a damaged one."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    code = content[len(MAGIC) + 32 :]
    whole = content.startswith(MAGIC) and hashlib.sha256(code).digest() == content[len(MAGIC) : len(MAGIC) + 32]
    return code if whole and code else None


def write(path: Path, code: bytes) -> None:
    """Keep machine code for other processes; where nothing can be written it is compiled again in each of them."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(path) as file:
            os.write(file, MAGIC + hashlib.sha256(code).digest() + code)


@contextlib.contextmanager
def _said() -> Iterator[None]:
    # `kernels.compiling.when_compiling` listens to numba; it is to hear of these kernels too.
    from numba.core import event

    with event.trigger_event("numba:compile"):
        yield


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[int]:
    # A file that appears under its name when it is complete.
    file, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        yield file
        os.close(file)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(file)
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
