"""Asks Redis in a way that is never felt for longer than its caller's patience."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic, perf_counter
from typing import Any, TypeVar

import structlog
from redis.exceptions import RedisError, ResponseError

from service.breaker import Breaker
from service.errors import HistoryUnavailable
from service.metrics import Metrics
from service.redis_node import Command, RedisNode
from service.redis_servers import servers_of
from service.settings import Settings

T = TypeVar("T")
Request = tuple[str, Command]
"""The key that says which server is asked, and the command."""

LATE_WAITS = 10
"""Time-outs waited at most while the event loop is late."""
LATE_SECONDS = 0.002
"""An idle loop wakes up far less late than this."""


class RedisCalls:
    """Commands to the server or cluster of the settings, one trip for each server concerned.

    A server that does not answer is left alone for a while, and only it. One that answers with an error is well.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Name the servers; nothing is connected yet.

        Raises:
            ValueError: `redis_url` is unset or no address.
        """
        self._metrics = metrics
        self._servers = servers_of(settings)
        self._map_breaker = Breaker(settings.breaker_failures, settings.breaker_open_seconds)
        self._left_alone = 0
        self._told_refusal_at = 0.0
        self._running: set[asyncio.Future[Any]] = set()

    async def ask(self, requests: Sequence[Request], patience_ms: int) -> list[Any]:
        """A reply to each request; HistoryUnavailable in its place where there was none."""
        try:
            await self._learn(patience_ms)
        except HistoryUnavailable as error:
            return [error] * len(requests)
        places: dict[RedisNode | None, list[int]] = {}
        for place, (key, _) in enumerate(requests):
            places.setdefault(self._servers.node_of(key), []).append(place)
        theirs = [[requests[place][1] for place in of_node] for of_node in places.values()]
        asked = [self._on(node, commands, patience_ms) for node, commands in zip(places, theirs, strict=True)]
        if len(asked) == 1:
            return await asked[0]
        replies: list[Any] = [None] * len(requests)
        for of_node, answer in zip(places.values(), await asyncio.gather(*asked), strict=True):
            for place, reply in zip(of_node, answer, strict=True):
                replies[place] = reply
        return replies

    async def ask_all(self, commands: Sequence[Command], patience_ms: int) -> list[list[Any]]:
        """The replies of every server to the same commands; HistoryUnavailable in place of those without."""
        try:
            await self._learn(patience_ms)
        except HistoryUnavailable as error:
            return [[error] * len(commands)]
        return await asyncio.gather(*(self._on(node, commands, patience_ms) for node in self._servers.nodes()))

    async def close(self) -> None:
        """Wait for commands under way, then close the connections."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._servers.close()

    async def _learn(self, patience_ms: int) -> None:
        if not self._servers.nodes():
            await self._call(self._map_breaker, "cluster", self._servers.learn, patience_ms)

    async def _on(self, node: RedisNode | None, commands: Sequence[Command], patience_ms: int) -> list[Any]:
        if node is None:
            return [HistoryUnavailable("no node of the history cache has this user")] * len(commands)
        try:
            replies = await self._call(node.breaker, node.name, lambda: self._servers.run(node, commands), patience_ms)
        except HistoryUnavailable as error:
            return [error] * len(commands)
        return [self._refused(reply) if isinstance(reply, Exception) else reply for reply in replies]

    async def _call(self, breaker: Breaker, name: str, command: Callable[[], Awaitable[T]], patience_ms: int) -> T:
        """Run a command in a task of its own, and wait for it no longer than patience lasts.

        The task is never cancelled, neither by impatience nor with its request: its reply would stay on the connection
        for the next caller (redis-py #2624). It runs to its end, or to the socket's own, far longer time-out.
        """
        if not breaker.allows():
            raise HistoryUnavailable("the history cache is not reachable; trying again shortly")
        task = asyncio.ensure_future(command())
        self._running.add(task)
        task.add_done_callback(self._finished)
        await self._wait(task, patience_ms / 1000)
        if not task.done():
            raise self._failure(breaker, name, "did not answer in time")
        error = task.exception()
        if isinstance(error, RedisError | OSError):
            raise self._failure(breaker, name, f"failed: {type(error).__name__}") from error
        result = task.result()
        breaker.succeeded()
        if self._left_alone:
            self._count_left_alone(name)
        return result

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

    def _failure(self, breaker: Breaker, name: str, what: str) -> HistoryUnavailable:
        breaker.failed()
        self._servers.doubt()
        self._metrics.redis_failures.inc()
        self._count_left_alone(name, what)
        return HistoryUnavailable(f"the history cache {what}")

    def _count_left_alone(self, name: str, what: str = "answers again") -> None:
        """Tell metrics, and the log when it has changed, how many servers are left alone."""
        breakers = [self._map_breaker, *(node.breaker for node in self._servers.nodes())]
        now = sum(breaker.is_open for breaker in breakers)
        self._metrics.breaker_open.set(now)
        if now != self._left_alone:
            log = structlog.get_logger("service.redis")
            log.warning("redis", server=name, what=what, left_alone=now)
        self._left_alone = now

    def _refused(self, error: Exception) -> HistoryUnavailable:
        """What an error in a reply's place means. The log gets a line a second, without texts: they may hold keys."""
        self._metrics.redis_failures.inc()
        if monotonic() >= self._told_refusal_at + 1:
            self._told_refusal_at = monotonic()
            code = str(error).split(" ", 1)[0] if type(error) is ResponseError else type(error).__name__
            structlog.get_logger("service.redis").warning("redis refused a command", error=code)
        return HistoryUnavailable(f"the history cache refused: {type(error).__name__}")
