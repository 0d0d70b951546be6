"""SIGTERM under load: unready at once, nothing that was sent is lost, and soon over."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.service.test_main import serving

BODY = {"history": ["book-01", "book-02"]}


def ask_until_told(base: httpx.URL, told: threading.Event) -> list[int]:
    """As a balancer does: new requests as fast as they are answered, until the worker is no longer ready."""
    statuses = []
    with httpx.Client(base_url=base, timeout=20) as client:
        while not told.is_set():
            statuses.append(client.post("/recommend", json=BODY).status_code)
    return statuses


def unready_after(client: httpx.Client, process: subprocess.Popen[bytes]) -> tuple[float, httpx.Response]:
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    for _ in range(200):
        answer = client.get("/readyz")
        if answer.status_code != 200:
            return time.monotonic() - started, answer
        time.sleep(0.02)
    pytest.fail("ready for ever")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_under_load_loses_nothing(tiny_bundle: Path, tmp_path: Path, workers: str) -> None:
    told = threading.Event()
    with (
        serving(tmp_path / "log", str(tiny_bundle), "--workers", workers, REC_DRAIN_SECONDS="3") as (client, process),
        ThreadPoolExecutor(6) as pool,
    ):
        asking = [pool.submit(ask_until_told, client.base_url, told) for _ in range(6)]
        time.sleep(1)
        try:
            seconds, answer = unready_after(client, process)
            last = client.post("/recommend", json=BODY)
        finally:
            told.set()
        statuses = [status for one in asking for status in one.result()]  # raises what a lost request raises
        assert process.wait(20) == 0
    assert (answer.status_code, answer.json()["error"]) == (503, "shutting_down")
    assert answer.headers["Retry-After"] == "1"
    assert seconds < 3
    assert (last.status_code, last.headers["Connection"]) == (200, "close")
    assert set(statuses) == {200}
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_second_sigterm_does_not_wait(tiny_bundle: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "log", str(tiny_bundle), REC_DRAIN_SECONDS="300") as (client, process):
        unready_after(client, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
