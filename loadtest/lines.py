"""Connections that know which worker has them: whom does it touch when one dies?"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from loadtest.connections import Connection


@dataclass
class Line:
    """A connection, and the process at its other end."""

    connection: Connection
    worker: int


class Lines:
    """So many connections to a service, each opened anew when it breaks."""

    def __init__(self, host: str, port: int, count: int) -> None:
        self._address = host, port
        self._count = count
        self._idle: asyncio.LifoQueue[Line] = asyncio.LifoQueue()
        self.broken: Counter[int] = Counter()
        """Requests that were never answered, by the worker that had the connection."""
        self.statuses: Counter[int] = Counter()

    async def send(self, request: bytes) -> str | None:
        """One request over a line that is free; None when a 200 came, else what came instead."""
        line = await self._idle.get()
        if not line.connection.is_open:
            line = await self._open()
        try:
            status, _, kept = await line.connection.exchange(request)
        except OSError as error:
            self.broken[line.worker] += 1
            line = await self._open()
            return type(error).__name__
        else:
            self.statuses[status] += 1
            line = line if kept else await self._open()
            return None if status == 200 else str(status)
        finally:
            self._idle.put_nowait(line)

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON, over a connection of its own: of whichever worker takes it.

        Raises:
            OSError: it was taken by one that died.
        """
        connection = await Connection.open(*self._address)
        try:
            status, content, _ = await connection.exchange(self._asking(path))
        finally:
            connection.close()
        return status, json.loads(content)

    def _asking(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {self._address[0]}\r\n\r\n".encode()

    async def _open(self) -> Line:
        while True:
            try:
                connection = await Connection.open(*self._address)
                _, content, _ = await connection.exchange(self._asking("/models"))
            except OSError:  # whoever took it has died meanwhile
                continue
            return Line(connection, json.loads(content)["answered_by"])

    async def __aenter__(self) -> Lines:
        for _ in range(self._count):
            self._idle.put_nowait(await self._open())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._idle.empty():
            self._idle.get_nowait().connection.close()
