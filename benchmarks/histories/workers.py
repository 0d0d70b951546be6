"""Real services: processes of their own on ports of their own, which share one Redis."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

READY_SECONDS = 300
PATIENT = {"REC_REDIS_TIMEOUT_MS": "2000", "REC_REDIS_LONG_TIMEOUT_MS": "2000"}
"""For what is no question of time: a busy machine must not make a healthy Redis look dead."""


@contextmanager
def workers(bundle: Path, redis_url: str, number: int, **settings: str) -> Iterator[list[str]]:
    """Serve a bundle with `number` processes while the `with` lasts; their addresses. `settings` as in the environment.

    Raises:
        RuntimeError: one is not ready in time.
    """
    environment = os.environ | {"REC_REDIS_URL": redis_url, "REC_LOG_LEVEL": "WARNING"} | settings
    with ExitStack() as stack:
        addresses = []
        for _ in range(number):
            port = _free_port()
            command = [sys.executable, "-m", "service", "serve", str(bundle), "--port", str(port)]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
            stack.callback(_end, process)
            addresses.append(f"http://127.0.0.1:{port}")
        for address in addresses:
            _wait_until_ready(address)
        yield addresses


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"{address} was not ready in {READY_SECONDS} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()
