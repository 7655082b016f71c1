"""Which process works in a folder: claims as small files, without the file locks that NFS and Lustre lack.

A claim is a small file, written under another name and then linked to its own, which succeeds only once. It names the
process that made it. A process of this machine is looked up, and dead if the machine has started since; one elsewhere,
or in a container, is taken for dead when its claim has not been touched for some minutes, by the clock of the file
system.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import InterruptedRunError, OutputError
from ..io.atomic import temporary_name

BEAT = 30.0
"""Seconds between touches of a claim."""
LARGEST = 100_000
"""Most bytes of a claim that are read."""
STALE = 300.0
"""Seconds without a touch after which a claim of a process that cannot be looked up is taken for dead."""


class Held:
    """A claim that this process holds."""

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self._path, self._record = path, record
        self._released = threading.Event()
        threading.Thread(target=self._touch, daemon=True, name="claim").start()

    def check(self) -> None:
        """Raise OutputError where the claim has gone to another process, as after a long sleep of this machine."""
        if not self._path.parent.exists():
            raise OutputError(f"{self._path.parent.parent}: the folder of the run has gone; was it moved or removed?")
        if read(self._path) != self._record:
            raise OutputError(f"{self._path}: was taken over by another process; leave the folder to it.")

    def release(self) -> None:
        """Give the claim up; that of another process, which took over, stays."""
        self._released.set()
        _give_up(self._path, self._record)

    def _touch(self) -> None:
        while not self._released.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self._path)


@contextlib.contextmanager
def claim(folder: Path, name: str, *, rivals: Callable[[str], bool]) -> Iterator[Held]:
    """Hold the claim `name` in a folder of claims.

    Parameters
    ----------
    folder : Path
        Made where there is none.
    name : str
        One process holds it.
    rivals : callable
        Whether a claim of another name excludes this one.

    Raises
    ------
    OutputError
        A living process holds the claim, or a rival one; the folder is not writable, or the claim is no regular file.
    InterruptedRunError
        A process that cannot be looked up from here holds it: it may be dead, and trying again later helps.
    """
    record = _myself(name)
    path = folder / f"{name}.json"
    held: Held | None = None
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _take(path, record)
        except OSError as error:
            raise OutputError(f"{folder.parent}: cannot be written ({error.strerror}); choose another.") from None
        held = Held(path, record)
        # After one's own claim is made: of two rivals that start together at least one sees the other.
        for other in sorted(folder.glob("*.json")):
            if other != path and rivals(other.stem):
                _refuse_or_remove(other)
        yield held
    finally:
        if held is None:  # a signal can come between the claim and the knowledge of it
            _give_up(path, record)
        else:
            held.release()


def read(path: Path) -> dict[str, Any] | None:
    """Return the content of a claim; None where there is none, empty where it cannot be read.

    Raises
    ------
    OutputError
        It is a link, a folder or a pipe: no process of this software made it, and nothing of it is read.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OutputError(f"{path}: is no regular file, as a claim is; remove it.")
        with path.open("rb") as file:
            said = json.loads(file.read(LARGEST).decode("utf-8"))
        return said if isinstance(said, dict) else {}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}


def alive(path: Path, record: dict[str, Any]) -> bool | None:
    """Return whether the process that made a claim is still there; None where only time will tell."""
    if record.get("place") == _place() and isinstance(record.get("pid"), int):
        return _started(record["pid"]) == record.get("started") is not None
    if _restarted(record):
        return False
    probe = temporary_name(path, "clock")
    try:
        probe.touch(exist_ok=False)
        now = probe.stat().st_mtime
        # a clock that was set back leaves claims from the future, which nobody touches either
        return None if abs(now - path.stat().st_mtime) < STALE else False
    except FileNotFoundError:
        return False
    finally:
        probe.unlink(missing_ok=True)


def _give_up(path: Path, record: dict[str, Any]) -> None:
    if read(path) == record:
        path.unlink(missing_ok=True)


def _take(path: Path, record: dict[str, Any]) -> None:
    mine = temporary_name(path)
    try:
        with mine.open("x", encoding="utf-8") as file:
            json.dump(record, file)
        while True:
            try:
                os.link(mine, path)
                return
            except FileExistsError:
                _refuse_or_remove(path)
            except OSError:
                if _make(path, record):  # no hard links here
                    return
                _refuse_or_remove(path)
    finally:
        mine.unlink(missing_ok=True)


def _make(path: Path, record: dict[str, Any]) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(record, file)
    except FileExistsError:
        return False
    return True


def _refuse_or_remove(path: Path) -> None:
    record = read(path)
    if record is None:
        return
    living = alive(path, record)
    if living is not False:
        what, pid, host, since = (str(record.get(name, "?"))[:80] for name in ("what", "pid", "host", "since"))
        said = f"{path.parent.parent}: {what} is at work there: process {pid} on {host}, since {since}."
        if living:
            raise OutputError(f"{said} Wait for it or stop it.")
        raise InterruptedRunError(
            f"{said} It cannot be looked up from here; its claim is taken over when it has not been renewed for "
            f"{STALE / 60:.0f} minutes. Run again later, with --resume."
        )
    # Moved before it is removed, so that only one process does it, and looked at again: it may be a newer claim.
    aside = temporary_name(path, "dead")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if read(aside) != record:
        with contextlib.suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)


def _myself(name: str) -> dict[str, Any]:
    pid = os.getpid()
    return {
        "what": "another run" if name == "run" else name.replace("-", " "),
        "host": socket.gethostname(),
        "place": _place(),
        "machine": _machine(),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "pid": pid,
        "started": _started(pid),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "token": f"{time.time_ns():x}",
    }


def _place() -> str:
    """Return what must be equal for process numbers to mean the same: machine, its start, and process namespace."""
    parts = [socket.gethostname(), _read("/proc/sys/kernel/random/boot_id")]
    with contextlib.suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _machine() -> str:
    """Return the installation's own number with the host's name; empty where it has none."""
    number = _read("/etc/machine-id")
    return f"{number} {socket.gethostname()}" if number else ""


def _restarted(record: dict[str, Any]) -> bool:
    """Return whether a claim is of this machine before it last started, whose processes are all gone."""
    machine, boot = _machine(), _read("/proc/sys/kernel/random/boot_id")
    return bool(machine and boot and record.get("boot")) and record.get("machine") == machine and record["boot"] != boot


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Return when a process began, in the system's own measure; None where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return None
    except (OSError, IndexError):
        return None
    try:  # no /proc, as on macOS
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"
