"""A command in a child process with limits, and what was wrong with how it ended."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KNOWN = (0, 2, 3, 4, 5, 75)
"""Exit codes that are documented."""
SECONDS, MEGABYTES = 60.0, 1024.0
"""Most time of the processor for a case, and most memory beyond what the process has before it."""
PATIENCE = 300.0
"""Seconds by the clock after which a case hangs: a machine that does much else may take long for a minute's work."""
ADDRESSES = 12 << 30
"""Bytes of addresses that a child may have; far above what it may use, so that the limit above is what is tested."""
CHARACTERS = 2500


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes
    ----------
    name : str
        What it is.
    arguments : tuple of str
        Of the command line.
    output : Path, optional
        What the command would write.
    """

    name: str
    arguments: tuple[str, ...]
    output: Path | None = None


@dataclass(frozen=True)
class Verdict:
    """How a case ended.

    Attributes
    ----------
    case : Case
        It.
    code : int or None
        Exit code; None where it was killed for time.
    seconds, megabytes : float
        What it took.
    wrong : tuple of str
        Nothing where it behaved.
    said : str
        The end of what it printed as errors.
    """

    case: Case
    code: int | None
    seconds: float
    megabytes: float
    wrong: tuple[str, ...]
    said: str


def judge(case: Case, folder: Path) -> Verdict:
    """Run a case with a folder as the working directory, and take away what it wrote."""
    before = _files(folder)
    code, error, seconds, megabytes = _run(case.arguments, folder)
    lines = [line for line in error.splitlines() if line.strip()]
    wrong = []
    if code not in KNOWN:
        wrong.append(f"exit code {code}")
    if "Traceback" in error or "internal error" in error:
        wrong.append("no known error")
    if code == 3 and (len(lines) != 1 or len(error) > CHARACTERS):
        wrong.append(f"{len(lines)} lines, {len(error)} characters")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", error):
        wrong.append("control characters")
    if code is None:
        wrong.append("hangs")
    if megabytes > MEGABYTES:
        wrong.append(f"{megabytes:.0f} MB")
    if seconds > SECONDS:
        wrong.append(f"{seconds:.0f} s")
    if code not in (0, 4) and case.output is not None and case.output.exists():
        wrong.append("an output is there all the same")
    left = [path for path in _files(folder) - before if path.name not in ("stdout", "stderr")]
    if any(path.name.endswith((".tmp", ".dead", ".clock")) for path in left):
        wrong.append("temporary files are left")
    for path in left:
        path.unlink(missing_ok=True)
    return Verdict(case, code, seconds, megabytes, tuple(wrong), error.strip()[-300:])


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


def _run(arguments: Sequence[str], folder: Path) -> tuple[int | None, str, float, float]:
    errors, since = folder / "stderr", time.monotonic()
    errors.unlink(missing_ok=True)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    child = os.fork()
    if child == 0:
        _be_the_command(arguments, folder, errors)
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            code: int | None = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() - since > PATIENCE:
            os.kill(child, signal.SIGKILL)
            _, _, used = os.wait4(child, 0)
            code = None
            break
        time.sleep(0.005)
    said = errors.read_text(errors="replace") if errors.exists() else ""
    seconds = PATIENCE if code is None else used.ru_utime + used.ru_stime
    return code, said, seconds, max(used.ru_maxrss / 1024 - held, 0.0)


def _be_the_command(arguments: Sequence[str], folder: Path, errors: Path) -> None:
    from halonmf.cli import app

    code = 199
    try:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(2 * SECONDS), int(2 * SECONDS)))
        for number, path in ((2, errors), (1, folder / "stdout")):
            os.dup2(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), number)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        os.chdir(folder)
        try:
            app(list(arguments), prog_name="halonmf", standalone_mode=True)
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def emptied(folder: Path) -> Path:
    """Return a folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
