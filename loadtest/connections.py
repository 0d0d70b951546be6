"""HTTP/1.1 over a few connections that stay open: next to no work per request, so that the loader is no bottleneck."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter
from types import TracebackType
from typing import Any

KEPT_SECONDS = 3
"""Servers hang up on a connection that was idle for long (uvicorn: 5 s), maybe just when the next request is sent."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connections:
    """Sends JSON to one server, over connections that it opens as they are needed and keeps."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._idle: list[tuple[float, Stream]] = []

    async def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        """Status and JSON of the answer.

        Raises:
            OSError, asyncio.IncompleteReadError: the server hung up.
        """
        stream = self._kept() or await asyncio.open_connection(*self._address)
        kept = False
        try:
            status, content, kept = await _exchange(stream, self._request(path, json.dumps(body).encode(), headers))
        finally:  # hung up on, or given up by who asked: whatever comes on it would be another's answer
            if kept:
                self._idle.append((perf_counter(), stream))
            else:
                stream[1].close()
        return status, json.loads(content)

    def _kept(self) -> Stream | None:
        """The connection that was used last; those that were idle for long are closed."""
        while self._idle:
            since, stream = self._idle.pop()
            if perf_counter() - since < KEPT_SECONDS and not stream[0].at_eof():
                return stream
            stream[1].close()
        return None

    def _request(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self._address[0]}\r\nContent-Type: application/json\r\n{own}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def __aenter__(self) -> Connections:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, (_, writer) in self._idle:
            writer.close()


async def _exchange(stream: Stream, request: bytes) -> tuple[int, bytes, bool]:
    """Status, body, and whether the server keeps the connection open."""
    reader, writer = stream
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    content = await reader.readexactly(int(fields[b"content-length"]))
    return int(head[9:12]), content, fields.get(b"connection") != b"close"
