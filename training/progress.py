"""What long steps show while they work: a progress bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.processes import Processes

T = TypeVar("T")


class ProgressBar:
    """One bar that `advance` moves on."""

    def __init__(self, title: str, total: int, console: Console) -> None:
        self._console = console
        self._title, self._total, self._done = title, total, 0
        self._said = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, TextColumn("{task.fields[note]}"), console=console)
        self._task = self._progress.add_task(title, total=total, note="")

    def advance(self, note: str = "", steps: int = 1) -> None:
        """Move on, with a word on how it goes. Where there is no terminal, a line at most every five seconds."""
        self._done += steps
        self._progress.update(self._task, advance=steps, note=note)
        if not self._console.is_terminal and (
            time.monotonic() - self._said > 5 or (steps and self._done == self._total)
        ):
            self._said = time.monotonic()
            self._console.print(
                f"{self._title}: {self._done}/{self._total} {note}".rstrip(), soft_wrap=True, highlight=False
            )

    def note(self, text: str) -> None:
        """A word on how the step at hand goes, without moving on."""
        self.advance(text, steps=0)


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[ProgressBar]:
    """A bar on standard error, so that standard output stays clean for results."""
    console = Console(stderr=True, quiet=not Processes.here().writes)  # of several processes one speaks
    bar = ProgressBar(title, total, console)
    if console.is_terminal:
        with bar._progress:
            yield bar
    else:
        yield bar


def tracked(items: Sequence[T], title: str) -> Iterator[T]:
    """Iterate with a bar."""
    with progress_bar(title, len(items)) as bar:
        for item in items:
            yield item
            bar.advance()
