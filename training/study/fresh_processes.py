"""Trainings side by side, each in a process of its own: so is its peak memory, and what it prints goes to a log.

The processes are forked from one that has imported what trainings need and nothing else has happened in: torch alone
takes seconds to import, of which a study of hundreds of runs would have hundreds.
"""

from __future__ import annotations

import os
import select
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from threading import Thread
from typing import Any

import torch

from training.arithmetic import tune_processor
from training.config import ConfigError
from training.progress import progress_bar

LOG = "log.txt"
_IMPORTED = [__name__, "training.distillation.distill", "training.study.runs"]
"""Before a process is forked; none of them touches a GPU or starts a thread when it is imported."""


@dataclass(frozen=True)
class Work:
    """Something to be done in a folder."""

    label: str
    folder: Path
    do: Callable[[], Any]
    """It travels to another process: a function of a module, and values that pickle knows."""


def in_fresh_processes(title: str, works: Sequence[Work], jobs: int, done_before: int = 0) -> None:
    """Do all, `jobs` at a time; with more than one each has a single thread. One that fails does not stop the others,
    whether it raises or its process is killed.

    Raises:
        ConfigError: some failed: the first is told with its log, the others are named.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    threads = 1 if jobs > 1 else None
    failed: list[tuple[Work, str]] = []
    with progress_bar(title, len(works) + done_before) as bar:
        bar.advance("done before", steps=done_before)
        with ThreadPoolExecutor(jobs) as pool:
            waiting = {pool.submit(_in_a_process, context, one, threads): one for one in works}
            for future in as_completed(waiting):
                work, error = waiting[future], future.result()
                if error is not None:
                    failed.append((work, error))
                bar.advance(work.label if error is None else f"{work.label} FAILED")
    if failed:
        work, error = failed[0]
        others = "".join(f"; {one.label} failed, too" for one, _ in failed[1:])
        raise ConfigError(f"{work.label} failed: {error}; its log: {work.folder / LOG}{others}")


def _in_a_process(context: ForkServerContext, work: Work, threads: int | None) -> str | None:
    """Why it failed; None: it did not."""
    told, tell = context.Pipe(duplex=False)
    process = context.Process(target=_logged, args=(work, threads, tell))
    process.start()
    tell.close()  # the process has its own end: when that is gone, so is the process
    try:
        error: str | None = told.recv()
    except EOFError:
        error = ""
    process.join()
    return f"its process ended with {process.exitcode}" if error == "" else error


def _logged(work: Work, threads: int | None, tell: Connection) -> None:
    """What is raised goes to who waits, where it happened goes to the log."""
    _end_with_who_waits(tell)
    tune_processor()
    if threads:
        torch.set_num_threads(threads)
    work.folder.mkdir(parents=True, exist_ok=True)
    with (work.folder / LOG).open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        try:
            work.do()
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            traceback.print_exc()
            tell.send(str(error) or type(error).__name__)
        else:
            tell.send(None)


def _end_with_who_waits(tell: Connection) -> None:
    """When who started this process is killed, it ends as well: what nobody waits for would hold a core for long."""
    poll = select.poll()
    poll.register(tell, 0)  # no event but the closing of the other end

    def watch() -> None:
        poll.poll()
        os._exit(1)

    Thread(target=watch, name="end with who waits", daemon=True).start()
