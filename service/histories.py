"""User histories in Redis: a cache that may be lost, down or slow, and must never be felt more than its time-out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from time import perf_counter
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.breaker import Breaker
from service.errors import HistoryUnavailable
from service.history_keys import events_key, history_key, user_of
from service.metrics import Metrics
from service.settings import Settings

T = TypeVar("T")

APPEND = """
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
local place = tonumber(newest[2] or '0')
local accepted = {}
for i = 4, #ARGV, 2 do
  local new = 1
  if ARGV[i + 1] ~= '' then
    place = place + 1
    new = redis.call('ZADD', KEYS[2], 'NX', place, ARGV[i + 1])
  end
  if new == 1 then accepted[#accepted + 1] = ARGV[i] end
end
for _, item in ipairs(accepted) do redis.call('RPUSH', KEYS[1], item) end
if #accepted > 0 then
  redis.call('LTRIM', KEYS[1], -ARGV[1], -1)
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[3] - 1)
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[2])
end
return #accepted
"""
"""KEYS history, event ids. ARGV items kept, seconds to live, event ids kept, then (item, hash or '') per event.
One script: no reader ever sees an event id taken without its item stored."""

LATE_WAITS = 10
"""Time-outs waited at most while the event loop is late."""
LATE_SECONDS = 0.002
"""An idle loop wakes up far less late than this."""
SOCKET_SECONDS = 1.0
"""How much longer than a request a connection waits for its reply before it is given up."""

SAMPLE_TRIES = 4
"""Random keys drawn per user wanted: about half of the keys are event ids, and some are drawn twice."""


@dataclass(frozen=True)
class StoredEvent:
    """An event whose item is known."""

    item_id: str
    event_id: str | None = None


class Histories:
    """The stored histories. Every method raises HistoryUnavailable, after at most a time-out or two, when Redis does
    not answer, and at once while the breaker is open."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Name the server; nothing is connected yet.

        Raises:
            ValueError: the address is none.
        """
        self._settings = settings
        self._metrics = metrics
        self._redis = connect(settings)
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_open_seconds)
        self._running: set[asyncio.Future[Any]] = set()

    async def read(self, user_id: str) -> list[str]:
        """The item ids of a user, newest last; empty when there are none. For a recommendation, which cannot wait."""
        return await self._read(user_id, self._settings.redis_timeout_ms)

    async def show(self, user_id: str) -> list[str]:
        """The same for one who asks for just that, and can wait."""
        return await self._read(user_id, self._settings.redis_long_timeout_ms)

    async def _read(self, user_id: str, patience_ms: int) -> list[str]:
        items = await self._call(lambda: self._redis.lrange(history_key(user_id), 0, -1), patience_ms)
        return [_text(item) for item in items]

    async def append(self, events: dict[str, list[StoredEvent]]) -> int:
        """Append the events of each user, oldest first, in one round trip; how many were new.

        A failure may leave the events of some users stored and of others not. With event ids a repeat is safe.
        """
        return sum(await self._call(lambda: self._send(events), self._settings.redis_long_timeout_ms))

    async def _send(self, events: dict[str, list[StoredEvent]]) -> list[int]:
        pipe = self._redis.pipeline(transaction=False)
        for user_id, appended in events.items():
            arguments = [part for event in appended for part in (event.item_id, _hashed(event.event_id))]
            kept = self._settings
            limits = [kept.history_kept, kept.history_ttl_seconds, kept.event_ids_kept]
            pipe.eval(APPEND, 2, history_key(user_id), events_key(user_id), *limits, *arguments)
        answers: list[int] = await pipe.execute()
        return answers

    async def erase(self, user_id: str) -> None:
        """Forget all that is stored of a user, event ids too."""
        keys = history_key(user_id), events_key(user_id)
        await self._call(lambda: self._redis.unlink(*keys), self._settings.redis_long_timeout_ms)

    async def sample(self, size: int) -> list[str]:
        """Up to `size` different users that have a history, drawn at random; sorted."""
        keys = await self._call(lambda: self._random_keys(size * SAMPLE_TRIES), self._settings.redis_long_timeout_ms)
        users = dict.fromkeys(user for key in keys if key is not None and (user := user_of(_text(key))) is not None)
        return sorted(list(users)[:size])

    async def _random_keys(self, size: int) -> list[bytes | None]:
        pipe = self._redis.pipeline(transaction=False)
        for _ in range(size):
            pipe.randomkey()
        keys: list[bytes | None] = await pipe.execute()
        return keys

    async def is_up(self) -> bool:
        """Whether Redis answers now."""
        try:
            await self._call(self._redis.ping, self._settings.redis_timeout_ms)
        except HistoryUnavailable:
            return False
        return True

    async def close(self) -> None:
        """Wait for commands under way, then close the connections."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._redis.aclose()

    async def _call(self, command: Callable[[], Awaitable[T]], patience_ms: int) -> T:
        """Run a command in a task of its own, and wait for it no longer than patience lasts.

        The task is never cancelled, neither by impatience nor with its request: its reply would stay on the connection
        for the next caller (redis-py #2624). It runs to its end, or to the socket's own, far longer time-out.
        """
        if not self._breaker.allows():
            raise HistoryUnavailable("the history cache is not reachable; trying again shortly")
        task = asyncio.ensure_future(command())
        self._running.add(task)
        task.add_done_callback(self._finished)
        await self._wait(task, patience_ms / 1000)
        if not task.done():
            raise self._failure("did not answer in time")
        error = task.exception()
        if isinstance(error, RedisError | OSError):
            raise self._failure(f"failed: {type(error).__name__}") from error
        if self._breaker.is_open:
            self._metrics.breaker_open.set(0)
        self._breaker.succeeded()
        return task.result()

    async def _wait(self, task: asyncio.Future[T], seconds: float) -> None:
        """Wait one time-out; again, a few times, when this loop itself woke late: then the reply may lie unread, and
        an overloaded service would take a healthy Redis for a dead one."""
        for _ in range(LATE_WAITS):
            started = perf_counter()
            await asyncio.wait({task}, timeout=seconds)
            if task.done() or perf_counter() - started < seconds + LATE_SECONDS:
                return

    def _finished(self, task: asyncio.Future[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain when nobody waits any more

    def _failure(self, what: str) -> HistoryUnavailable:
        self._breaker.failed()
        self._metrics.redis_failures.inc()
        self._metrics.breaker_open.set(self._breaker.is_open)
        return HistoryUnavailable(f"the history cache {what}")


def connect(settings: Settings) -> Redis:
    """A client that fails fast: redis-py's own defaults retry for seconds and wait for minutes.

    Raises:
        ValueError: `redis_url` is unset or no address.
    """
    if settings.redis_url is None:
        raise ValueError("REC_REDIS_URL is not set (`python -m service serve` starts a server of its own without it)")
    seconds = max(settings.redis_timeout_ms, settings.redis_long_timeout_ms) / 1000 + SOCKET_SECONDS
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=settings.redis_connections,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # RESP3 and the driver's name cost a round trip or two on every new connection
        driver_info=None,
    )
    return Redis.from_pool(pool)


def _hashed(event_id: str | None) -> bytes:
    return b"" if event_id is None else blake2b(event_id.encode(), digest_size=16).digest()


def _text(raw: object) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
