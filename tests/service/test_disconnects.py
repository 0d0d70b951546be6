"""Callers who hang up in the middle, by the hundred, among others who stay: nobody gets what was meant for another."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import httpx
import numpy as np

from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]
GONE, STAYING, LISTS = 600, 8, 25
IDLE = ("rec_in_flight 0.0", "rec_model_queue 0.0")


def item(user: int) -> str:
    return f"book-{user + 10:02}"


def request(user: int) -> bytes:
    """Everything but the one item that this user has seen is allowed, so the answer tells whose it is."""
    body = json.dumps({"user_id": f"stays-{user}", "n": 60}).encode()
    head = (
        f"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def hang_up(port: int, draw: np.random.Generator) -> None:
    """In the middle of the request, right behind it, or while it is worked on."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    whole = request(int(draw.integers(STAYING)))
    writer.write(whole[: int(draw.choice([20, len(whole) - 5, len(whole)]))])
    await writer.drain()
    await asyncio.sleep(float(draw.choice([0, 0.001, 0.01])))
    writer.close()


async def stay(port: int, user: int) -> set[str]:
    """What was never recommended to this user, over many answers."""
    never = {f"book-{k:02}" for k in range(10, 23)}
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(LISTS):
        writer.write(request(user))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        answer = json.loads(await reader.readexactly(length))
        assert answer["user_id"] == f"stays-{user}"
        assert not answer["degraded"]
        never -= {one["item_id"] for one in answer["items"]}
    writer.close()
    return never


async def storm(port: int) -> list[set[str]]:
    draw = np.random.default_rng(0)
    staying = asyncio.gather(*(stay(port, user) for user in range(STAYING)))
    for _ in range(GONE // 20):
        await asyncio.gather(*(hang_up(port, draw) for _ in range(20)))
    return await staying


def test_those_who_stay_get_their_own_lists_and_all_that_was_held_comes_back(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"permits": 1000}))
    events = [{"user_id": f"stays-{user}", "item_id": item(user)} for user in range(STAYING)]
    assert client.post("/events", json={"events": events}).json()["unknown_items"] == []
    assert asyncio.run(storm(client.base_url.port or 0)) == [{item(user)} for user in range(STAYING)]
    for _ in range(100):
        counted = client.get("/metrics").text.splitlines()
        if all(line in counted for line in IDLE):
            break
        time.sleep(0.1)
    assert all(line in counted for line in IDLE)
