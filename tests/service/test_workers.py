"""What several workers must not do: seem alive when they are dead, and take each other's cores."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from service.models.opening import open_model
from service.settings import Settings
from tests.service.test_main import serving, started_workers

SESSIONS = 2
"""Of a bundle without a re-ranker: encoder and retrieval."""


def test_with_every_worker_dead_nobody_says_ready_until_a_new_one_is(tiny_bundle: Path, tmp_path: Path) -> None:
    """The parent that starts workers holds the port, and must not answer in their place. A request that comes meanwhile
    waits in the port's queue."""
    log = tmp_path / "log"
    with serving(log, str(tiny_bundle), "--workers", "2") as (client, process):
        dead = started_workers(log, 2)
        for pid in dead:
            os.kill(pid, signal.SIGKILL)
        with httpx.Client(base_url=client.base_url, timeout=60) as fresh:
            assert fresh.get("/readyz").status_code == 200
            answering = fresh.get("/models").json()
        assert answering["answered_by"] not in dead
        assert not {worker["pid"] for worker in answering["workers"]} & set(dead)
        assert log.read_text().count("Application startup complete") >= 3
        assert len(started_workers(log, 4)) == 4
        assert process.poll() is None


def test_each_of_two_workers_has_the_threads_that_were_set(tiny_bundle: Path, tmp_path: Path) -> None:
    one, three = (threads_of_two_workers(tiny_bundle, tmp_path / str(threads), threads) for threads in (1, 3))
    assert [more - less for less, more in zip(one, three, strict=True)] == [2 * SESSIONS] * 2


def threads_of_two_workers(bundle: Path, log: Path, model_threads: int) -> list[int]:
    """How many threads each of two workers has when it has nothing to do."""
    with serving(log, str(bundle), "--workers", "2", REC_MODEL_THREADS=str(model_threads)):
        pids = started_workers(log, 2)
        time.sleep(0.5)  # both are ready, and have done what they do at first
        return [len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids]


@pytest.mark.parametrize("threads", [1, 3])
def test_sessions_are_opened_with_the_threads_that_were_set(tiny_bundle: Path, threads: int) -> None:
    before = len(list(Path("/proc/self/task").iterdir()))
    model = open_model(Settings(bundle=tiny_bundle, model_threads=threads))
    assert len(list(Path("/proc/self/task").iterdir())) - before == (threads - 1) * SESSIONS
    assert model.version
