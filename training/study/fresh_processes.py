"""Trainings side by side, each in a process of its own: so is its peak memory, and what it prints goes to a log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from training.arithmetic import tune_processor
from training.config import ConfigError
from training.progress import progress_bar

LOG = "log.txt"


@dataclass(frozen=True)
class Work:
    """Something to be done in a folder."""

    label: str
    folder: Path
    do: Callable[[], Any]
    """It travels to another process: a function of a module, and values that pickle knows."""


def in_fresh_processes(title: str, works: Sequence[Work], jobs: int, done_before: int = 0) -> None:
    """Do all, `jobs` at a time; with more than one each has a single thread.

    Raises:
        ConfigError: one failed; its log is named, those that were not begun are left out, those at work are waited for.
    """
    with progress_bar(title, len(works) + done_before) as bar:
        bar.advance("done before", steps=done_before)
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            waiting = {pool.submit(_logged, one, 1 if jobs > 1 else None): one for one in works}
            for future in as_completed(waiting):
                work, error = waiting[future], future.exception()
                if error is not None:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise ConfigError(f"{work.label} failed: {error}; its log: {work.folder / LOG}") from error
                bar.advance(work.label)


def _logged(work: Work, threads: int | None) -> None:
    tune_processor()
    if threads:
        torch.set_num_threads(threads)
    work.folder.mkdir(parents=True, exist_ok=True)
    with (work.folder / LOG).open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        work.do()
