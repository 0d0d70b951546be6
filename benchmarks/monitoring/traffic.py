"""A mixed day within minutes: all that the dashboard can show happens to the service."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx

from benchmarks.monitoring.served import ADMIN_KEY, Served

USERS = 40
ASKERS = 4
PAUSE_SECONDS = 0.05
CROWD = 60
HANG_SECONDS = 5
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}


class Day:
    """Bounded: some requests a second for so many seconds, on the loopback."""

    def __init__(self, served: Served, redis_process: int, seconds: float) -> None:
        self._served = served
        self._redis = redis_process
        self._seconds = seconds
        self._random = random.Random(0)

    async def live(self) -> None:
        """The askers, and what happens meanwhile."""
        async with httpx.AsyncClient(base_url=self._served.url, timeout=30) as client:
            popular = await client.post("/recommend", json={"n": 60})
            self._items = [one["item_id"] for one in popular.json()["items"]]
            askers = [asyncio.create_task(self._ask(client)) for _ in range(ASKERS)]
            happenings = (self._activate, self._crowd, self._refuse, self._hang, self._roll_back, self._crowd)
            for happening in happenings:
                await asyncio.sleep(self._seconds / (len(happenings) + 1))
                await happening(client)
            await asyncio.sleep(self._seconds / (len(happenings) + 1))
            for asker in askers:
                asker.cancel()
            await asyncio.gather(*askers, return_exceptions=True)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        kinds: list[tuple[int, Callable[[httpx.AsyncClient], Awaitable[object]]]] = [
            (10, self._stored),
            (3, self._stranger),
            (3, self._own_history),
            (3, self._event),
            (1, self._batch),
            (1, self._similar),
            (1, self._wrong),
            (1, self._late),
        ]
        weights, asks = zip(*kinds, strict=True)
        while True:
            (ask,) = self._random.choices(asks, weights)
            await ask(client)
            await asyncio.sleep(PAUSE_SECONDS)

    def _user(self) -> str:
        return f"user-{self._random.randrange(USERS)}"

    def _some(self, count: int) -> list[str]:
        return self._random.sample(self._items, count)

    async def _stored(self, client: httpx.AsyncClient) -> object:
        return await client.post("/recommend", json={"user_id": self._user()})

    async def _stranger(self, client: httpx.AsyncClient) -> object:
        return await client.post("/recommend", json={"user_id": f"stranger-{self._random.random()}"})

    async def _own_history(self, client: httpx.AsyncClient) -> object:
        return await client.post("/recommend", json={"history": self._some(5), "diversity": 0.3, "explain": True})

    async def _event(self, client: httpx.AsyncClient) -> object:
        events = [{"user_id": self._user(), "item_id": item, "event_id": f"{item}-x"} for item in self._some(3)]
        return await client.post("/events", json={"events": [*events, {"user_id": "a", "item_id": "of-nobody"}]})

    async def _batch(self, client: httpx.AsyncClient) -> object:
        requests = [{"user_id": self._user(), "n": 20} for _ in range(4)]
        return await client.post("/recommend/batch", json={"requests": requests})

    async def _similar(self, client: httpx.AsyncClient) -> object:
        return await client.get(f"/items/{self._items[0]}/similar")

    async def _wrong(self, client: httpx.AsyncClient) -> object:
        return await client.post("/recommend", json={"n": 0})

    async def _late(self, client: httpx.AsyncClient) -> object:
        """The body comes later than the answer may: so the deadline is over before the model is asked."""

        async def slowly() -> AsyncIterator[bytes]:
            yield b'{"deadline_ms": 1, '
            await asyncio.sleep(0.02)
            yield b'"user_id": "late"}'

        return await client.post("/recommend", content=slowly(), headers={"Content-Type": "application/json"})

    async def _crowd(self, client: httpx.AsyncClient) -> None:
        """Many at once, again and again for some scrapes."""
        for _ in range(10):
            await asyncio.gather(*[self._own_history(client) for _ in range(CROWD)])
            await asyncio.sleep(0.3)

    async def _activate(self, client: httpx.AsyncClient) -> None:
        (await client.post(f"/admin/models/{self._served.other}/activate", headers=ADMIN)).raise_for_status()

    async def _refuse(self, client: httpx.AsyncClient) -> None:
        refused = await client.post(f"/admin/models/{self._served.damaged}/activate", headers=ADMIN)
        assert refused.status_code == httpx.codes.CONFLICT, refused.text

    async def _roll_back(self, client: httpx.AsyncClient) -> None:
        (await client.post("/admin/rollback", headers=ADMIN)).raise_for_status()

    async def _hang(self, _: httpx.AsyncClient) -> None:
        """Redis is stopped as it is, and goes on later."""
        os.kill(self._redis, signal.SIGSTOP)
        try:
            await asyncio.sleep(HANG_SECONDS)
        finally:
            os.kill(self._redis, signal.SIGCONT)
