"""What is ours in how uvicorn is run."""

from __future__ import annotations

import asyncio
import socket
import time

import uvloop

from service.server import ACCEPTED_AT_ONCE, config_of, listening
from service.settings import Settings

CALLERS = 100
BUSY_SECONDS = 0.02


def test_a_busy_loop_accepts_many_callers_in_one_turn() -> None:
    """The loop is busy for 20 ms in each turn; one connection a turn would take 2 s."""
    sockets = listening(config_of("none", Settings()))
    callers = [socket.socket() for _ in range(CALLERS)]
    accepted: list[float] = []

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(time.perf_counter())
            transport.close()

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Accepted, sock=one, backlog=CALLERS) for one in sockets]
        for caller in callers:
            caller.connect(sockets[0].getsockname())
        started, turns = time.perf_counter(), 0
        while len(accepted) < CALLERS:
            time.sleep(BUSY_SECONDS)  # noqa: ASYNC251 that is what busy means
            await asyncio.sleep(0)
            turns += 1
        for server in servers:
            server.close()
        assert turns <= 2 * CALLERS / ACCEPTED_AT_ONCE + 3
        return accepted[-1] - started

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(scenario()) < CALLERS * BUSY_SECONDS / 2
    for caller in callers:
        caller.close()
