"""Callers that hang up in the middle, among callers that stay: does anybody get a list made from another's history?"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

CALLERS = 16
"""At once; half of them hang up."""
LONGEST_WAIT = 0.004
"""Seconds after which one who hangs up does so, at most: somewhere in a request that takes a few milliseconds."""


@dataclass(frozen=True)
class Disconnected:
    """What became of requests."""

    hung_up: int
    stayed: int
    wrong: int
    """Answers that are not those of the user's own history."""
    others: dict[str, int]
    """Answers that are none: degraded ones, and errors by their name."""


def prepare(client: httpx.Client, item_ids: list[str]) -> dict[str, list[str]]:
    """A user for each item, whose history is just that: what each must be answered.

    Raises:
        AssertionError: two of them would be answered alike, so an answer would not tell whose it is.
    """
    users = {uuid4().hex: item for item in item_ids}
    events = [{"user_id": user, "item_id": item} for user, item in users.items()]
    client.post("/events", json={"events": events}).raise_for_status()
    expected = {}
    for user, item in users.items():
        answer = client.post("/recommend", json={"history": [item]}).json()
        expected[user] = [found["item_id"] for found in answer["items"]]
    assert len(set(map(tuple, expected.values()))) == len(users)
    return expected


async def run(address: str, expected: dict[str, list[str]], hang_ups: int) -> Disconnected:
    """Send requests of the users of `expected` (user: the items of the right answer): for each that is waited for, one
    whose caller leaves before the answer has come."""
    turns = iter(range(hang_ups))
    tallies = await asyncio.gather(*(_caller(address, expected, turns) for _ in range(CALLERS // 2)))
    whole: Counter[str] = sum(tallies, Counter())
    right, wrong = whole.pop("right", 0), whole.pop("wrong", 0)
    return Disconnected(hang_ups, right + wrong + whole.total(), wrong, dict(whole))


async def _caller(address: str, expected: dict[str, list[str]], turns: Iterator[int]) -> Counter[str]:
    """One that stays, and beside it one after the other that hangs up."""
    tally: Counter[str] = Counter()
    users = list(expected)
    host, port = urlsplit(address).hostname, urlsplit(address).port
    reader, writer = await asyncio.open_connection(host, port)
    for _ in turns:
        user = random.choice(users)
        leaving = asyncio.create_task(_hang_up(host, port, random.choice(users)))
        writer.write(_request(user))
        tally[_judged(await _answer(reader), expected[user])] += 1
        await leaving
    writer.close()
    return tally


def _judged(body: dict[str, Any], expected: list[str]) -> str:
    if "error" in body:
        return str(body["error"])
    if [item["item_id"] for item in body["items"]] == expected:
        return "right"
    return "degraded" if body["degraded"] else "wrong"


async def _hang_up(host: str | None, port: int | None, user: str) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.write(_request(user))
    await asyncio.sleep(random.uniform(0, LONGEST_WAIT))
    writer.transport.abort()


def _request(user: str) -> bytes:
    body = json.dumps({"user_id": user}).encode()
    return b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


async def _answer(reader: asyncio.StreamReader) -> dict[str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    body: dict[str, Any] = json.loads(await reader.readexactly(int(head.split("content-length:")[1].split()[0])))
    return body
