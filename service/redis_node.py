"""One Redis server: its connections, and whether it is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

from service.breaker import Breaker
from service.settings import Settings

Command = tuple[str | bytes | int, ...]
"""A command and its arguments, as redis-cli takes them."""

SOCKET_SECONDS = 1.0
"""How much longer than a request a connection waits for its reply before it is given up."""


class RedisNode:
    """One server. Nothing is connected before the first command."""

    def __init__(self, address: str, settings: Settings) -> None:
        """`address`: redis://, rediss:// or unix://, as RedisAddress has them."""
        pool = _pool(address, settings)
        options = pool.connection_kwargs
        self.host = str(options.get("host") or "localhost")
        self.name = str(options.get("path") or f"{self.host}:{options.get('port') or 6379}")
        """For logs: without the password."""
        self.breaker = Breaker(settings.breaker_failures, settings.breaker_open_seconds)
        self._redis = Redis.from_pool(pool)

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one trip. One reply each, in their order; a command that was refused has its ResponseError.

        Raises:
            RedisError, OSError: the server did not answer, or not in Redis' protocol.
        """
        try:
            replies = await self._send(commands)
        except RuntimeError:  # uvloop's, of a connection that was reset while idle: nothing was sent
            await self._drop_idle()
            replies = await self._again(commands)
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            await self._drop_idle()  # the name leads to another server since; connections do not
        return replies

    async def _again(self, commands: Sequence[Command]) -> list[Any]:
        try:
            return await self._send(commands)
        except RuntimeError as error:
            raise RedisConnectionError("the connection was reset") from error

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        return [await self._one(commands[0])] if len(commands) == 1 else await self._several(commands)

    async def _drop_idle(self) -> None:
        await self._redis.connection_pool.disconnect(inuse_connections=False)

    async def _one(self, command: Command) -> Any:  # noqa: ANN401 - what Redis replies
        """For one command redis-py's pipeline costs a quarter more than no pipeline."""
        try:
            return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            return error

    async def _several(self, commands: Sequence[Command]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        replies: list[Any] = await pipe.execute(raise_on_error=False)
        return replies

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _pool(address: str, settings: Settings) -> BlockingConnectionPool:
    """Connections that fail fast: redis-py's own defaults retry for seconds and wait for minutes."""
    seconds = max(settings.redis_timeout_ms, settings.redis_long_timeout_ms) / 1000 + SOCKET_SECONDS
    return BlockingConnectionPool.from_url(
        address,
        max_connections=settings.redis_connections,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # RESP3 and the driver's name cost a round trip or two on every new connection
        driver_info=None,
    )
