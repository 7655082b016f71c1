"""All GPUs of a machine: one process each, which computes its shard of the run into the same folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from ..errors import HalonmfError, InputError, InterruptedRunError, OutputError, UsageError
from ..progress import silent
from . import signals
from .plan import Plan
from .run import batch_path, open_run
from .runner import STAGE, Outcome, cores, ensemble
from .settings import RunOptions

CODE = "import sys; from halonmf.halo.ensembles.gpus import child; sys.exit(child(*sys.argv[1:]))"
PAUSE = 0.5
"""Seconds between counts of the files that the processes have written."""
_KNOWN: dict[int, type[HalonmfError]] = {2: UsageError, 3: InputError, 5: OutputError, 75: InterruptedRunError}


def side_by_side(
    stars: Path,
    folder: Path,
    plan: Plan,
    number: int,
    options: RunOptions | None = None,
) -> Outcome:
    """Compute an ensemble in several processes, the i-th of which sees the i-th GPU only; else as `runner.ensemble`.

    Raises
    ------
    UsageError, InputError, OutputError
        As `runner.ensemble`.
    InterruptedRunError
        A process was lost.
    """

    def nothing(*_: Any) -> Iterable[Any]:
        return ()

    # Compares or writes the settings, and sets aside what is damaged, before any process is started.
    options = options or RunOptions()
    begun = ensemble(stars, folder, plan, replace(options, progress=silent), executor=nothing, here=True)
    plan = begun.run.plan
    before = {batch.index for batch in plan.batches} - {batch.index for batch in begun.run.missing}
    with _processes(stars, folder, number, options.threads) as processes:
        while any(process.poll() is None for process, _ in processes):
            time.sleep(PAUSE)
            signals.check()
            done = sum(batch.fits for batch in plan.batches if batch_path(folder, batch.index).exists())
            options.progress(STAGE, done, plan.fits)
        for process, said in processes:
            if process.returncode:
                said.seek(0)
                lines = said.read().strip().splitlines() or ["it was killed; run again with --resume."]
                raise _KNOWN.get(process.returncode, InterruptedRunError)(lines[-1])
    run = open_run(folder)
    fits = sum(batch.fits for batch in plan.batches if batch.index in run.headers and batch.index not in before)
    ensemble(stars, folder, plan, RunOptions(resume=True), executor=nothing, here=True)  # the manifest
    return Outcome(run, fits, begun.notes)


def child(stars: str, folder: str, shard: str, threads: str) -> int:
    """Compute one shard of the run whose settings are in the folder; return the exit code."""
    from .settings import parse_shard

    try:
        with signals.stoppable():
            plan = open_run(folder).plan
            ensemble(Path(stars), Path(folder), plan, RunOptions(shard=parse_shard(shard), threads=int(threads)))
    except HalonmfError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


@contextlib.contextmanager
def _processes(
    stars: Path, folder: Path, number: int, threads: int | None
) -> Iterator[list[tuple[subprocess.Popen[str], IO[str]]]]:
    each = threads or max(1, cores() // number)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = visible.split(",") if visible else [str(i) for i in range(number)]
    processes: list[tuple[subprocess.Popen[str], IO[str]]] = []
    with contextlib.ExitStack() as files:
        try:
            for i in range(number):
                said = files.enter_context(tempfile.TemporaryFile("w+"))
                command = [sys.executable, "-c", CODE, str(stars), str(folder), f"{i + 1}/{number}", str(each)]
                environment = {**os.environ, "CUDA_VISIBLE_DEVICES": names[i]}
                processes.append((subprocess.Popen(command, env=environment, stderr=said, text=True), said))
            yield processes
        finally:
            for process, _ in processes:
                if process.poll() is None:
                    process.terminate()  # what is complete is kept
            try:
                for process, _ in processes:
                    process.wait()
            finally:  # where a second request has ended the wait
                for process, _ in processes:
                    if process.poll() is None:
                        process.kill()
