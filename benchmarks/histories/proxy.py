"""A TCP proxy before a Redis server that hangs, dawdles, resets, raves or is gone, when told to."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ssl import SSLContext
from typing import Literal

Fault = Literal["hung", "slow", "reset", "garbage", "killed"]
FAULTS: tuple[Fault, ...] = ("killed", "hung", "slow", "reset", "garbage")
SLOW_SECONDS = 0.2
GARBAGE = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"
RST = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing resets."""


@dataclass(frozen=True)
class Upstream:
    """The server behind the proxy."""

    host: str
    port: int


class FaultyProxy:
    """Passes bytes on, until it is told otherwise. Use `faulty_proxy`."""

    def __init__(self, upstream: Upstream, tls: SSLContext | None) -> None:
        self.upstream = upstream
        """May be changed: connections that exist stay with the old one."""
        self.slow_seconds = SLOW_SECONDS
        self._tls = tls
        self._fault: Fault | None = None
        self._loop = asyncio.new_event_loop()
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    def become(self, fault: Fault | None) -> None:
        """Have a fault, or none, from now on, on connections that exist too."""
        asyncio.run_coroutine_threadsafe(self._become(fault), self._loop).result(10)

    async def _become(self, fault: Fault | None) -> None:
        was, self._fault = self._fault, fault
        if fault == "killed" and self._server is not None:
            self._server.close()
            for client in list(self._clients):
                _reset(client)
        elif was == "killed":
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, requests: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._clients.add(client)
        server: asyncio.StreamWriter | None = None
        with suppress(OSError):
            replies, server = await asyncio.open_connection(self.upstream.host, self.upstream.port)
            await asyncio.gather(self._ask(requests, client, server), self._answer(replies, client))
        self._clients.discard(client)
        for writer in (client, server):
            if writer is not None:
                writer.close()

    async def _ask(
        self, requests: asyncio.StreamReader, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        while data := await requests.read(65_536):
            match self._fault:
                case "hung":
                    continue
                case "reset":
                    _reset(client)
                case "garbage":
                    client.write(GARBAGE)
                case _:
                    server.write(data)
        server.close()

    async def _answer(self, replies: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await replies.read(65_536):
            if self._fault == "slow":
                await asyncio.sleep(self.slow_seconds)
            client.write(data)
        client.close()

    def run(self, ready: threading.Event) -> None:
        """The thread of it."""
        self._loop.run_until_complete(self._listen())
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close in the loop's next turns

    def stop(self) -> None:
        """End the thread."""
        self.become("killed")
        self._loop.call_soon_threadsafe(self._loop.stop)


def _reset(client: asyncio.StreamWriter) -> None:
    connection: socket.socket = client.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    client.transport.abort()


@contextmanager
def faulty_proxy(upstream: Upstream, tls: SSLContext | None = None) -> Iterator[FaultyProxy]:
    """A proxy in a thread of its own, on 127.0.0.1, while the `with` lasts."""
    proxy, ready = FaultyProxy(upstream, tls), threading.Event()
    thread = threading.Thread(target=proxy.run, args=(ready,))
    thread.start()
    ready.wait(10)
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join()
