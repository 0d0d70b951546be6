"""Requests at a fixed rate while something is done to the containers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

import httpx

from benchmarks.containers.truth import DEGRADED, N, Truth
from loadtest.connections import Connections
from loadtest.open_loop import OpenLoop, Seen, percentiles

MOST_AT_ONCE = 64
BEFORE_SECONDS = 3
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Loaded:
    """What was answered meanwhile."""

    requests: int
    complaints: dict[str, int]
    ms: dict[str, float]

    @classmethod
    def of(cls, seen: Seen) -> Loaded:
        """Of what a loop saw."""
        kinds = dict(sorted(Counter(seen.complaints).items()))
        return cls(len(seen.seconds) + len(seen.complaints), kinds, percentiles(seen.seconds))

    @property
    def failed(self) -> bool:
        """Whether anybody got no list, or a wrong one. A degraded list is told, and is no failure: where the machine is
        busy, a healthy Redis may take longer than REC_REDIS_TIMEOUT_MS."""
        return bool(set(self.complaints) - {DEGRADED})


@dataclass(frozen=True)
class Users:
    """Who asks, and how."""

    truth: Truth
    """Every answer is judged by it."""
    rate: float = 20.0
    """Requests per second."""
    balanced: bool = False
    """As a balancer does: nothing more is sent once `/readyz` is no 200."""


def while_asked(port: int, users: Users, act: Callable[[], None]) -> Loaded:
    """Do something while users ask."""
    return Loaded.of(asyncio.run(_while_asked(port, users, act)))


async def _while_asked(port: int, users: Users, act: Callable[[], None]) -> Seen:
    async with Connections("127.0.0.1", port) as connections:
        loop = OpenLoop(users.rate, MOST_AT_ONCE, _Asker(connections, users.truth).ask)
        running = asyncio.create_task(loop.run())
        await asyncio.sleep(BEFORE_SECONDS)
        looking = asyncio.create_task(_stop_when_unready(port, loop)) if users.balanced else None
        await asyncio.to_thread(act)
        loop.stop()
        if looking is not None:
            await looking
        return await running


async def _stop_when_unready(port: int, loop: OpenLoop) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while (await client.get("/readyz")).status_code == httpx.codes.OK:  # noqa: ASYNC110 - it is elsewhere
            await asyncio.sleep(LOOK_SECONDS)
    loop.stop()


class _Asker:
    def __init__(self, connections: Connections, truth: Truth) -> None:
        self._connections = connections
        self._truth = truth
        self._users = cycle(truth.histories)

    async def ask(self) -> str | None:
        user = next(self._users)
        try:
            status, body = await self._connections.post("/recommend", {"user_id": user, "n": N})
        except OSError as error:
            return type(error).__name__
        return self._truth.complaint(user, status, body)
