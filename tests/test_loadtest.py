"""locust itself, against the real service and against one that is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests/service/data"


USERS = "5"
"""The fewest that have a clicker among them: four visitors come to one clicker."""


def load(address: str, seconds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "--headless", "--users", USERS,
         "--spawn-rate", USERS, "--run-time", f"{seconds}s", "--host", address, "--only-summary"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def service(log: Path) -> Iterator[str]:
    """A patient time-out of Redis: on a busy machine a healthy one must not look dead."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    settings = {"REC_SEED_INTERACTIONS": str(DATA / "interactions.csv.gz"), "REC_REDIS_TIMEOUT_MS": "5000"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", str(DATA / "tiny_bundle"), "--port", str(port)],
            cwd=ROOT, stdout=out, stderr=out, env=os.environ | settings,
        )  # fmt: skip
    try:
        wait_until_ready(address, process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 - our own process
                return
        except (URLError, TimeoutError):
            assert process.poll() is None, "the service did not start"
            time.sleep(0.1)
    raise AssertionError("not ready after 60 s")


def requests_and_failures(output: str) -> tuple[int, int]:
    found = re.search(r"Aggregated +(\d+) +(\d+)\(", output)
    assert found, output
    return int(found[1]), int(found[2])


def test_a_service_that_keeps_its_word_has_no_failures(tmp_path: Path) -> None:
    with service(tmp_path / "log") as address:
        done = load(address, 5)
    output = done.stdout + done.stderr
    requests, failures = requests_and_failures(output)
    assert failures == 0, output
    assert done.returncode == 0
    assert requests > 20
    for name in ("stored user", "explicit history", "before a click", "after a click"):
        assert f"/recommend, {name}" in output
    for stage in ("history", "queue", "encode", "retrieve", "rank"):
        assert re.search(rf"^{stage} +\d+ +\d", output, re.MULTILINE), stage


class Wrong(BaseHTTPRequestHandler):
    """Answers in the right shape and says the wrong things: one item twice, better the second time, for everybody."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({"items": 100} if self.path == "/readyz" else {"users": ["ada"], "items": []})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/events":
            return self._answer({"accepted": 0, "duplicates": 0, "unknown_items": []})
        items = [{"item_id": "a", "score": score, "rank": score} for score in (1, 2)]
        return self._answer({"source": "popular", "degraded": False, "items": items})

    def do_DELETE(self) -> None:
        self._answer({})

    def _answer(self, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@contextmanager
def wrong_service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Wrong) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_service_that_is_wrong_fails_the_run() -> None:
    with wrong_service() as address:
        done = load(address, 3)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert requests_and_failures(output)[1] > 5
    for complaint in (
        "an item came twice",
        "a score is higher than the one before it",
        "fewer than n items, though more are allowed",
        "not accepted=1, duplicates=0",
        "status 200",
    ):
        assert complaint in output, complaint


def test_a_service_that_is_not_there_fails_the_run() -> None:
    done = load(f"http://127.0.0.1:{free_port()}", 2)
    assert done.returncode == 1
    assert "not ready: 0" in done.stdout + done.stderr
