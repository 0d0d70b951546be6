"""HTTP/1.1 over a few connections that stay open: next to no work per request, so that the loader is no bottleneck."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter
from types import TracebackType
from typing import Any, cast

KEPT_SECONDS = 3
"""Servers hang up on a connection that was idle for long (this one after REC_KEEP_ALIVE_SECONDS, many after 5 s), maybe
just when the next request is sent. A program that calls would send it again, as `service.client` does; here it is not,
because a request that is cut off is what a loader is to find."""

Answer = tuple[int, bytes, bool]
"""Status, body, and whether the server keeps the connection open."""


class Connections:
    """Sends requests to one server, over connections that it opens as they are needed and keeps."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._idle: list[tuple[float, Connection]] = []

    async def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        """Status and JSON of the answer.

        Raises:
            OSError: the server hung up, or is not there.
        """
        status, content = await self.send(self.request(path, body, **headers))
        return status, json.loads(content)

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to what `request` made.

        Raises:
            OSError: the server hung up, or is not there.
        """
        connection = self._kept() or await Connection.open(*self._address)
        kept = False
        try:
            status, content, kept = await connection.exchange(request)
        finally:  # hung up on, or given up by who asked: whatever comes on it would be another's answer
            if kept:
                self._idle.append((perf_counter(), connection))
            else:
                connection.close()
        return status, content

    def request(self, path: str, body: object, **headers: str) -> bytes:
        """A POST of JSON, as it goes over the wire; it may be sent many times."""
        content = json.dumps(body).encode()
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self._address[0]}\r\nContent-Type: application/json\r\n{own}"
            f"Content-Length: {len(content)}\r\n\r\n"
        ).encode() + content

    def _kept(self) -> Connection | None:
        """The connection that was used last; those that were idle for long are closed."""
        while self._idle:
            since, connection = self._idle.pop()
            if perf_counter() - since < KEPT_SECONDS and connection.is_open:
                return connection
            connection.close()
        return None

    async def __aenter__(self) -> Connections:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, connection in self._idle:
            connection.close()


class Connection(asyncio.Protocol):
    """One request after the other."""

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """A new one.

        Raises:
            OSError: nobody listens there.
        """
        _, protocol = await asyncio.get_running_loop().create_connection(cls, host, port)
        return protocol

    def __init__(self) -> None:
        self.is_open = False
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None

    async def exchange(self, request: bytes) -> Answer:
        """Send, and wait for the answer.

        Raises:
            OSError: the server hung up.
        """
        self._received = b""
        self._answer = asyncio.get_running_loop().create_future()
        if not self.is_open:
            raise ConnectionResetError("the server hung up")
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        answer = _answer_in(self._received)
        if answer is not None and self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def eof_received(self) -> None:
        self.is_open = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the server hung up"))


def _answer_in(received: bytes) -> Answer | None:
    """The answer, once it is whole."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return None
    fields = received[:head].lower()
    length = int(fields.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0])
    content = received[head + 4 :]
    if len(content) < length:
        return None
    return int(received[9:12]), content, b"\r\nconnection: close" not in fields
