"""How far a command is: bars with rate and time left on a terminal, lines in a log, events for programs, or nothing."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import typer

from ..ensembles.signals import check

FIRST, EVERY = 3.0, 15.0
"""Seconds after which a log has its first line on a stage, and those between two of them."""
EVENTS = 1.0
"""Seconds between two events for programs."""
BRIEF = 1.0
"""Seconds; what takes less is not worth a line of a log, unless it is a step of a command that has run for a while."""


@dataclass
class _Stage:
    """A stage: since when it runs and is counted, what was done of it then and is done now, its last line, its bar."""

    name: str
    start: float
    counted: float
    before: int
    done: int = 0
    total: int = 1
    over: bool = False
    said: float | None = None
    task: Any = None

    def rate(self, now: float) -> float:
        """Pieces a second, those of an earlier run left out."""
        return (self.done - self.before) / (now - self.counted) if now > self.counted else 0.0

    def left(self, now: float) -> float | None:
        """Seconds that the rest will take; None where nothing is known of it."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if rate > 0 else None


class Terminal:
    """Progress of a command, on standard error: which step of how many, what is done of it, rate and time left.

    On a terminal each stage is a bar. In a log it is a line after `FIRST` seconds, then one every `EVERY`, and one at
    its end. Rate and time left are of the pieces done since the start, those of an earlier run left out. A stage of one
    long piece shows its time and, where it is a single fit, the iterations of that, of which only the most is known.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    as_json : bool
        Print events as JSON on standard output in place of all that.
    """

    def __init__(self, quiet: bool, as_json: bool = False) -> None:
        self._quiet, self._json = quiet, as_json
        self._bars: Any = None
        self._steps: tuple[str, ...] = ()
        self._at = 0
        self._stages: dict[str, _Stage] = {}
        self._now: _Stage | None = None
        self._begun = self._since = time.monotonic()
        self._lock, self._ended = threading.RLock(), threading.Event()

    def __enter__(self) -> Terminal:
        if self._quiet or self._json:
            return self
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
            self._bars = Progress(*columns, console=Console(stderr=True))
            self._bars.start()
        # A stage of one long piece calls nothing until it is over.
        threading.Thread(target=self._watch, daemon=True, name="progress").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._bars is not None:
            self._bars.stop()

    def announce(self, steps: tuple[str, ...]) -> None:
        """Take the names of the stages that are steps of the command; the first announcement counts."""
        self._steps = self._steps or tuple(steps)

    def kept(self, step: str) -> None:
        """Show that a step need not be made."""
        with self._lock:
            here = self._stage(step, 0, 1, time.monotonic())
            if here is None:
                return
            here.done, here.over, self._now = 1, True, None
            if self._quiet or self._json:
                return
            if self._bars is not None:
                self._bars.add_task(self._called(here), total=1, completed=1, said="kept")
            else:
                typer.echo(f"{self._called(here)}: kept", err=True)

    def done(self, stage: str) -> tuple[int, int]:
        """Return what is done of a stage, and what there is to do; of the command's steps where it is empty."""
        if not stage:
            return sum(self._stages[name].over for name in self._steps if name in self._stages), len(self._steps)
        here = self._stages.get(stage)
        return (0, 0) if here is None else (here.done, here.total)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` is done of a stage; a signal to stop that was lost acts here."""
        check()
        with self._lock:
            now = time.monotonic()
            here = self._stage(stage, done, total, now)
            if here is None:
                return
            if self._quiet:
                pass
            elif self._json:
                self._event(here, now)
            elif self._bars is not None:
                self._bar(here, now)
            elif here.over:
                self._end(here, now)
            else:
                self._line(here, now)
            if here.over:
                step = self._stages.get(self._steps[self._at - 1]) if self._at else None
                self._since, self._now = now, None if step is None or step.over else step

    def _stage(self, name: str, done: int, total: int, now: float) -> _Stage | None:
        """Return a stage, begun where it had not or was over; None where it was over and still is."""
        here = self._stages.get(name)
        if here is not None and here.over and done >= total:
            return None
        if here is None or here.over:
            # Many stages report only when something is done: those began when the one before ended.
            start = now if done == 0 else self._since
            whole = done >= total
            task = None if here is None else here.task
            here = _Stage(name, start, start if whole else now, 0 if whole else done, task=task)
            self._stages[name] = here
            if name in self._steps:
                self._at = self._steps.index(name) + 1
        here.done, here.total, here.over = done, total, done >= total
        self._now = here
        return here

    def _called(self, here: _Stage) -> str:
        """Return what a stage is called: which step it is or belongs to, and its name."""
        if not self._at:
            return here.name
        step = f"step {self._at} of {len(self._steps)}"
        own = self._steps[self._at - 1]
        return f"{step}: {here.name}" if here.name == own else f"{step}: {own}: {here.name}"

    def _event(self, here: _Stage, now: float) -> None:
        rate = here.rate(now)
        here.said = now if here.said is None else here.said
        if now - here.said >= EVENTS or (here.over and rate):
            here.said = now
            record = {"event": "progress", "done": here.done, "total": here.total, "rate": rate}
            typer.echo(json.dumps({**record, "seconds_left": here.left(now)}))

    def _bar(self, here: _Stage, now: float) -> None:
        if here.task is None:
            here.task = self._bars.add_task(self._called(here), total=None, said="")
        # What comes in one piece has a bar that only shows that it is alive.
        known = here.total if here.total > 1 or here.over else None
        said = took(here, now) if here.over else pieces(here, now)
        self._bars.update(here.task, completed=here.done, total=known, said=said)

    def _line(self, here: _Stage, now: float) -> None:
        if now - here.start >= FIRST if here.said is None else now - here.said >= EVERY:
            here.said = now
            said = pieces(here, now) or so_far(here, now)
            typer.echo(f"{self._called(here)}: {said}", err=True)

    def _end(self, here: _Stage, now: float) -> None:
        step = not self._steps or here.name in self._steps
        if now - here.start >= BRIEF or (step and now - self._begun >= FIRST):
            typer.echo(f"{self._called(here)}: {took(here, now)}", err=True)

    def _watch(self) -> None:
        while not self._ended.wait(EVENTS):
            with self._lock:
                here, now = self._now, time.monotonic()
                if here is None or here.over or self._ended.is_set():
                    continue
                if self._bars is None:
                    self._line(here, now)
                elif now - here.start >= FIRST and not here.rate(now):
                    self._bars.update(here.task, said=pieces(here, now) or so_far(here, now))


def pieces(here: _Stage, now: float) -> str:
    """Return what is done of a stage, at which rate, and the time left; empty of one that comes in one piece."""
    if here.total <= 1:
        return ""
    rate = here.rate(now)
    said = f"{here.done:,} of {here.total:,}"
    if rate > 0:
        return f"{said}, {_number(rate)} per s, {time_left(here.left(now))}"
    return f"{said}, {so_far(here, now)}" if now - here.start >= FIRST else said


def so_far(here: _Stage, now: float) -> str:
    """Return how long a stage of one piece runs, and how far the fit in progress is, where the engine tells."""
    said = f"{now - here.start:.0f} s so far"
    engine = sys.modules.get("nmfcore")  # one that is not loaded fits nothing
    seen = None if engine is None else engine.in_progress()
    left = None if seen is None else seen.seconds_left()
    if seen is None or left is None:
        return said
    start = f"start {seen.start} of {seen.starts}, " if seen.starts > 1 else ""
    said += f"; {start}iteration {seen.n_iter:,} of at most {seen.max_iter:,}"
    return f"{said}, at most about {time_left(left)} for this fit"


def took(here: _Stage, now: float) -> str:
    """Return how long a stage took, and at which rate."""
    said = f"done in {now - here.start:.1f} s"
    rate = here.rate(now)
    return f"{said}, {here.total - here.before:,} at {_number(rate)} per s" if here.total > 1 and rate > 0 else said


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 1 else f"{rate:.2g}"


def time_left(seconds: float | None) -> str:
    """Return a time left in units that suit it."""
    if seconds is None:
        return "time left unknown"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours} h {minutes:02d} min left" if hours else f"{minutes} min {whole % 60:02d} s left"
