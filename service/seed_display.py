"""How far seeding is, how fast, and what time remains: a bar on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from service.seeding import SeedProgress, Told

LOG_SECONDS = 10.0


@contextmanager
def seed_display() -> Iterator[Told]:
    """What to tell the progress to, while the `with` lasts."""
    if not sys.stderr.isatty():
        yield SeedLog()
        return
    with Progress(*_columns(), console=Console(stderr=True)) as bar:
        yield SeedBar(bar)


def _columns() -> tuple[ProgressColumn, ...]:
    rate = TextColumn("{task.fields[rate]}")
    return TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), rate, TimeRemainingColumn()


class _Clock:
    """Time since the step began."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._step = ""
        self._began = 0.0

    def seconds(self, progress: SeedProgress) -> float:
        if progress.step != self._step:
            self._step, self._began = progress.step, self._clock()
        return self._clock() - self._began


class SeedLog:
    """A line at most every LOG_SECONDS."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._steps = _Clock(clock)
        self._next = clock() + LOG_SECONDS

    def __call__(self, progress: SeedProgress) -> None:
        """Tell of it, if it is time."""
        seconds = self._steps.seconds(progress)
        if self._clock() < self._next:
            return
        self._next = self._clock() + LOG_SECONDS
        told = {"step": progress.step, "percent": round(100 * progress.done, 1)}
        if progress.users and seconds:
            told |= {"users": progress.users, "users_per_second": round(progress.users / seconds)}
        if progress.done and seconds:
            told["seconds_left"] = round(seconds * (1 - progress.done) / progress.done)
        structlog.get_logger("service.seeding").info("seeding", **told)


class SeedBar:
    """A bar for each step."""

    def __init__(self, bar: Progress, clock: Callable[[], float] = monotonic) -> None:
        self._bar = bar
        self._steps = _Clock(clock)

    def __call__(self, progress: SeedProgress) -> None:
        """Draw it."""
        seconds = self._steps.seconds(progress)
        task = next((task.id for task in self._bar.tasks if task.description == progress.step), None)
        if task is None:
            task = self._bar.add_task(progress.step, total=1.0, rate="")
        rate = f"{progress.users:,} users, {progress.users / seconds:,.0f}/s" if progress.users and seconds else ""
        self._bar.update(task, completed=progress.done, rate=rate)
