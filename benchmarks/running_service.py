"""A service of one's own, to do something to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running_service(
    bundles: Path, workers: int = 1, settings: dict[str, str] | None = None
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Its port, and the process; it may not answer yet. Its log, of errors only, goes to stderr."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    command = [sys.executable, "-m", "service", "serve", str(bundles), "--port", str(port), "--workers", str(workers)]
    stated = {"REC_LOG_LEVEL": "ERROR"} | (settings or {})
    process = subprocess.Popen(command, env=os.environ | stated, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
