"""The real commands."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import onnxruntime as ort
import pytest
from redis import Redis

from service.history_keys import history_key
from service.packed_items import pack

ROOT = Path(__file__).parents[2]
without_onnxruntime_gpu = pytest.mark.skipif(
    "CUDAExecutionProvider" in ort.get_available_providers(), reason="onnxruntime-gpu is installed"
)
PYTHON = [sys.executable, "-m", "service"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTHON, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | environment,
    )  # fmt: skip


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def serving(log: Path, *arguments: str, **environment: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*PYTHON, "serve", *arguments, "--port", str(port)], cwd=ROOT, stdout=out, stderr=out,
            env=os.environ | environment,
        )  # fmt: skip
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        try:
            _wait_until_ready(client, process)
            yield client, process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):  # seconds on a quiet machine; three processes that import, on a busy one
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.ConnectError:
            assert process.poll() is None
        time.sleep(0.1)
    pytest.fail("not ready after 2 minutes")


def sum_of(metric: str, text: str) -> float:
    return sum(float(found) for found in re.findall(rf"^{metric}{{[^}}]*}} (\S+)$", text, re.MULTILINE))


def test_serve_with_two_workers_seeds_shares_counts_and_stops(
    tiny_bundle: Path, interactions: Path, tmp_path: Path
) -> None:
    seeds = {"REC_SEED_INTERACTIONS": str(interactions), "REC_REDIS_TIMEOUT_MS": "2000"}
    with serving(tmp_path / "log", str(tiny_bundle), "--workers", "2", **seeds) as (client, process):
        for _ in range(30):
            with httpx.Client(base_url=client.base_url) as fresh:  # a new connection: any worker
                assert fresh.post("/recommend", json={"user_id": "ada"}).json()["source"] == "model"
        assert sum_of("rec_recommendations_total", client.get("/metrics").text) == 30
        assert client.get("/").status_code == 200
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - started < 8
    said = (tmp_path / "log").read_text()
    assert "40 users from 325 rows" in said
    assert "console  http://127.0.0.1:" in said
    assert "tiny-A0-" in said
    assert "redis    embedded" in said
    assert "Traceback" not in said
    assert "ada" not in said  # no user ids in the logs


def test_a_worker_that_dies_is_replaced_and_the_other_serves_meanwhile(tiny_bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(log, str(tiny_bundle), "--workers", "2") as (client, process):
        first = started_workers(log, 2)
        os.kill(first[0], signal.SIGKILL)
        for _ in range(300):
            with httpx.Client(base_url=client.base_url, timeout=10) as fresh:
                assert fresh.get("/livez").status_code == 200
            if log.read_text().count("Application startup complete") == 3:
                break
            time.sleep(0.1)
        assert len(started_workers(log, 3)) == 3
        assert process.poll() is None


def started_workers(log: Path, count: int) -> list[int]:
    for _ in range(300):
        workers = re.findall(r"Started server process \[(\d+)\]", log.read_text())
        if len(workers) >= count and log.read_text().count("Application startup complete") >= count:
            return [int(one) for one in workers]
        time.sleep(0.1)
    pytest.fail(f"{count} workers have not started")


def test_seed_fills_a_server_and_leaves_live_histories_alone(
    tiny_bundle: Path, interactions: Path, redis_url: str
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        first = run("seed", str(tiny_bundle), "--interactions", str(interactions), "--redis", redis_url)
        assert "40 users from 325 rows; 0 users had" in first.stdout
        redis.append(history_key("ada"), pack("book-01"))
        stored = redis.get(history_key("ada"))
        again = run("seed", str(tiny_bundle), "--interactions", str(interactions), REC_REDIS_URL=redis_url)
        assert "0 users from 325 rows; 40 users had" in again.stdout
        assert redis.get(history_key("ada")) == stored


def test_check_tells_what_it_proved(tiny_bundle: Path) -> None:
    done = run("check", str(tiny_bundle))
    assert done.returncode == 0
    assert re.search(r"tiny-A0-[0-9a-f]{12}, 60 items; 9 files and 12 golden answers", done.stdout)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"REC_REDSI_URL": "redis://x"}, "REC_REDSI_URL"),
        ({"REC_PERMITS": "0"}, "REC_PERMITS"),
        ({"REC_DEVICE": "tpu"}, "REC_DEVICE"),
        pytest.param({"REC_DEVICE": "cuda"}, "onnxruntime-gpu", marks=without_onnxruntime_gpu),
        ({"REC_REDIS_URL": "http://x"}, "REC_REDIS_URL"),
        ({"REC_REDIS_URL": "redis+cluster://x:1/2"}, "REC_REDIS_URL"),
        ({"REC_SEED_INTERACTIONS": "/nowhere.csv"}, "/nowhere.csv"),
    ],
)
def test_doubtful_settings_are_refused(tiny_bundle: Path, environment: dict[str, str], named: str) -> None:
    done = run("serve", str(tiny_bundle), "--port", str(free_port()), **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("refused: ")
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    done = run("serve", str(tmp_path / "none"))
    assert done.returncode == 1
    assert str(tmp_path / "none") in done.stderr
