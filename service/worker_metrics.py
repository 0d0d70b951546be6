"""What remains in the shared folder of metrics when a worker is gone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client import Metric, multiprocess
from prometheus_client.registry import Collector

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that prometheus_client reads on import: where workers add up what they counted."""


class EveryWorker(Collector):
    """What all workers counted, also those that have died."""

    def collect(self) -> Iterable[Metric]:
        """Added up. A worker that is just starting has a file with nothing in it yet, which prometheus_client's own
        collector would stumble over."""
        files = [str(file) for file in Path(os.environ[MULTIPROCESS]).glob("*.db") if _size(file)]
        metrics: Iterable[Metric] = multiprocess.MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return metrics


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # another worker has forgotten a dead one meanwhile
        return 0


def forget_this_worker() -> None:
    """Take this process out of the gauges, as it ends; what it counted stays counted."""
    _forget(os.getpid())


def forget_dead_workers() -> None:
    """Take those out that ended without doing so: who was killed would be in flight, and answer with a model, for
    ever."""
    files = Path(os.environ[MULTIPROCESS]).glob("gauge_live*_*.db") if MULTIPROCESS in os.environ else ()
    for pid in {int(file.stem.rpartition("_")[2]) for file in files}:
        if not lives(pid):
            _forget(pid)


def lives(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _forget(pid: int) -> None:
    if MULTIPROCESS in os.environ:
        with suppress(FileNotFoundError):  # another worker does the same
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
