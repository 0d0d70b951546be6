"""Whole histories into Redis, many in a trip, for users that have none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from redis import Redis, RedisCluster
from redis.cluster import ClusterNode
from redis.connection import parse_url

from service.history_keys import history_key
from service.redis_address import parse_address

USERS_PER_TRIP = 500
PATIENCE_SECONDS = 10
STORE = """
local stored = 0
for at, key in ipairs(KEYS) do
  if redis.call('SET', key, ARGV[at + 1], 'NX', 'EX', ARGV[1]) then stored = stored + 1 end
end
return stored
"""
"""One command for a whole trip: a command for each user costs the client as much as all else that is done for them."""


@dataclass(frozen=True)
class SeedLimits:
    """How much of each history is stored, and for how long."""

    history_kept: int
    history_ttl_seconds: int


class SeedStore:
    """Use `seed_store`."""

    def __init__(self, redis: Redis | RedisCluster, limits: SeedLimits) -> None:
        self._redis = redis
        self._limits = limits
        self._evicted_before = self._evicted_ever()

    def store(self, histories: Iterable[tuple[str, bytes]]) -> Iterator[tuple[int, int]]:
        """Store packed histories, each unless its user has one. Tells after each trip: (users sent, users stored).

        Raises:
            RedisError, RedisClusterException: Redis does not take them.
        """
        rest = iter(histories)
        while some := list(islice(rest, USERS_PER_TRIP)):
            keys, packed = [history_key(user) for user, _ in some], [value for _, value in some]
            yield len(some), self._store(keys, packed)

    def _store(self, keys: list[str], packed: list[bytes]) -> int:
        """One trip. How many were stored."""
        seconds = self._limits.history_ttl_seconds
        if isinstance(self._redis, RedisCluster):  # keys of many nodes: a command for each
            pipe = self._redis.pipeline(transaction=False)  # type: ignore[no-untyped-call]
            for key, value in zip(keys, packed, strict=True):
                pipe.set(key, value, nx=True, ex=seconds)
            return sum(map(bool, pipe.execute()))
        return int(self._redis.eval(STORE, len(keys), *keys, seconds, *packed))

    def evicted(self) -> int:
        """Keys that Redis has given up since because it was full."""
        return self._evicted_ever() - self._evicted_before

    def _evicted_ever(self) -> int:
        if isinstance(self._redis, RedisCluster):
            return sum(
                stats["evicted_keys"]
                for stats in self._redis.info("stats", target_nodes=RedisCluster.PRIMARIES).values()
            )
        evicted: int = self._redis.info("stats")["evicted_keys"]
        return evicted


@contextmanager
def seed_store(redis_url: str, limits: SeedLimits) -> Iterator[SeedStore]:
    """A store at an address as REC_REDIS_URL names it, by a patient client with redis-py's own retries.

    Raises:
        RedisError, RedisClusterException: nobody answers there.
        ValueError: it is no address.
    """
    redis = _connect(redis_url)
    try:
        yield SeedStore(redis, limits)
    finally:
        redis.close()


def _connect(redis_url: str) -> Redis | RedisCluster:
    address = parse_address(redis_url)
    if not address.is_cluster:
        return Redis.from_url(redis_url, socket_timeout=PATIENCE_SECONDS)
    url, *others = address.servers
    options = [parse_url(other) for other in others]  # type: ignore[no-untyped-call]
    named = [ClusterNode(one["host"], one.get("port", 6379)) for one in options]  # type: ignore[no-untyped-call]
    return RedisCluster(url=url, startup_nodes=named, socket_timeout=PATIENCE_SECONDS)
