"""What a user costs Redis: histories are stored as the service stores them, and the server is asked for its memory."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from statistics import mean
from uuid import UUID

from redis import Redis

from service.histories import Histories, StoredEvent
from service.history_keys import events_key, history_key
from service.metrics import Metrics
from service.settings import Settings

ITEMS = 50
"""Items of a user."""
CATALOGUE = 20_000
USERS_AT_ONCE = 100
ASKED = 1_000
"""Users whose keys' MEMORY USAGE is asked."""
ALPHABET = string.digits + string.ascii_uppercase


@dataclass(frozen=True)
class Case:
    """Ids of one kind."""

    name: str
    item_id: Callable[[random.Random], str]
    event_ids: bool = False


CASES = (
    Case("Amazon ids (10 characters)", lambda r: "B0" + "".join(r.choices(ALPHABET, k=8))),
    Case("numbers up to 1,000,000", lambda r: str(r.randrange(1_000_000))),
    Case("UUIDs", lambda r: str(UUID(int=r.getrandbits(128)))),
    Case("text of 16 letters", lambda r: "".join(r.choices(string.ascii_lowercase, k=16))),
    Case("Amazon ids, every event with an id", lambda r: "B0" + "".join(r.choices(ALPHABET, k=8)), event_ids=True),
)


@dataclass(frozen=True)
class Cost:
    """Bytes of memory a user."""

    case: str
    users: int
    items_per_user: int
    whole: float
    """What `used_memory` has grown by."""
    history_key: float
    """MEMORY USAGE of the history; without the server's table of keys."""
    events_key: float


def measure(url: str, case: Case, users: int) -> Cost:
    """Store `users` histories on an empty server and tell what they cost."""
    names = ["A" + "".join(random.Random(k).choices(ALPHABET, k=13)) for k in range(users)]
    with Redis.from_url(url) as redis:
        redis.flushall()
        empty = redis.info("memory")["used_memory"]
        asyncio.run(_fill(url, case, names))
        whole = (redis.info("memory")["used_memory"] - empty) / users
        asked = random.Random(0).sample(names, min(ASKED, users))
        of_histories, of_events = (
            mean(redis.memory_usage(key(name), samples=0) or 0 for name in asked) for key in (history_key, events_key)
        )
        redis.flushall()
    return Cost(case.name, users, ITEMS, round(whole, 1), round(of_histories, 1), round(of_events, 1))


async def _fill(url: str, case: Case, names: list[str]) -> None:
    draw = random.Random(1)
    catalogue = [case.item_id(draw) for _ in range(CATALOGUE)]
    histories = Histories(Settings(redis_url=url, redis_long_timeout_ms=10_000), Metrics())
    rest = iter(names)
    while some := list(islice(rest, USERS_AT_ONCE)):
        await histories.append({name: _events(case, draw.choices(catalogue, k=ITEMS), name) for name in some})
    await histories.close()


def _events(case: Case, items: list[str], name: str) -> list[StoredEvent]:
    return [StoredEvent(item, f"{name}-{k}" if case.event_ids else None) for k, item in enumerate(items)]


def measure_all(url: str, users: int) -> list[dict[str, object]]:
    """Every case, one after the other."""
    return [asdict(measure(url, case, users)) for case in CASES]
