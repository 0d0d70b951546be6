"""Fills Redis with the histories of an interactions file, for users that have none yet."""

from __future__ import annotations

import csv
import gzip
import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TextIO

from redis import Redis, RedisCluster
from redis.cluster import ClusterNode
from redis.connection import parse_url
from redis.exceptions import RedisClusterException, RedisError

from service.bundle import PAD, ItemCatalog
from service.history_keys import history_key
from service.packed_items import pack
from service.redis_address import parse_address

HEADER = ["user_id", "item_id", "timestamp"]
USERS_PER_TRIP = 500
MAX_ID = 256
Newest = list[tuple[float, int, int]]
"""A heap of (time, row, catalogue index), at most `history_kept` long, oldest first out."""


class SeedError(ValueError):
    """The interactions cannot be read or stored; names the file and row, or the server."""


@dataclass(frozen=True)
class SeedLimits:
    """How much of each history is stored, and for how long."""

    history_kept: int
    history_ttl_seconds: int


@dataclass(frozen=True)
class Seeded:
    """What became of an interactions file."""

    rows: int
    unknown_items: int
    """Rows whose item the catalogue does not know; they were left out."""
    users: int
    """Users whose history was stored."""
    already_there: int
    """Users who had a history, which was left as it was."""


@dataclass
class _Tally:
    rows: int = 0
    unknown_items: int = 0


def seed(
    path: Path, catalog: ItemCatalog, redis_url: str, limits: SeedLimits, progress: Callable[[int], None]
) -> Seeded:
    """Store the newest items of each user of a file. Users who have a history keep it: live events are never replaced.

    The rows may stand in any order, so the newest of every user are gathered in memory before any is stored: about 200
    bytes per kept row. `progress` is told the number of users stored so far.

    Raises:
        SeedError: the file is not such a file, or Redis does not answer.
    """
    tally = _Tally()
    newest = _newest(_rows(path), catalog, limits.history_kept, tally)
    try:
        with closing(_connect(redis_url)) as redis:
            stored = _store(redis, newest, catalog, limits, progress)
    except (RedisError, RedisClusterException) as error:
        raise SeedError(f"{path}: Redis did not take the histories: {error}") from error
    return Seeded(tally.rows, tally.unknown_items, stored, len(newest) - stored)


def _connect(redis_url: str) -> Redis | RedisCluster:
    """A patient client, with redis-py's own retries."""
    address = parse_address(redis_url)
    if not address.is_cluster:
        return Redis.from_url(redis_url, socket_timeout=10, socket_connect_timeout=5)
    url, *others = address.servers
    options = [parse_url(other) for other in others]  # type: ignore[no-untyped-call]
    named = [ClusterNode(one["host"], one.get("port", 6379)) for one in options]  # type: ignore[no-untyped-call]
    return RedisCluster(url=url, startup_nodes=named, socket_timeout=10, socket_connect_timeout=5)


def _rows(path: Path) -> Iterator[tuple[int, str, str, float]]:
    """(row, user, item, time) of each line; the header is row 1."""
    try:
        with _open(path) as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if header != HEADER:
                raise SeedError(f"{path}, row 1: the header is {','.join(header)!r}, not {','.join(HEADER)!r}")
            for number, fields in enumerate(reader, start=2):
                yield _row(path, number, fields)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise SeedError(f"{path}: {error}") from error


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _row(path: Path, number: int, fields: list[str]) -> tuple[int, str, str, float]:
    if len(fields) != len(HEADER):
        raise SeedError(f"{path}, row {number}: {len(fields)} fields, not {len(HEADER)}")
    user, item, stamp = fields
    if not 0 < len(user) <= MAX_ID:
        raise SeedError(f"{path}, row {number}: user_id must have 1 to {MAX_ID} characters")
    try:
        time = float(stamp)
    except ValueError as error:
        raise SeedError(f"{path}, row {number}: timestamp {stamp!r} is no number") from error
    if not isfinite(time) or time < 0:
        raise SeedError(f"{path}, row {number}: timestamp {stamp!r} is not a time in seconds")
    return number, user, item, time


def _newest(
    rows: Iterable[tuple[int, str, str, float]], catalog: ItemCatalog, kept: int, tally: _Tally
) -> dict[str, Newest]:
    newest: dict[str, Newest] = {}
    for number, user, item, time in rows:
        tally.rows += 1
        index = catalog.index(item)
        if index is None:
            tally.unknown_items += 1
            continue
        heap = newest.setdefault(user, [])
        entry = (time, number, index)
        if len(heap) < kept:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    return newest


def _store(
    redis: Redis | RedisCluster,
    newest: dict[str, Newest],
    catalog: ItemCatalog,
    limits: SeedLimits,
    progress: Callable[[int], None],
) -> int:
    stored = 0
    users = iter(newest.items())
    while some := list(islice(users, USERS_PER_TRIP)):
        pipe = redis.pipeline(transaction=False)
        for user, heap in some:
            packed = b"".join(pack(catalog.item_id(index)) for _, _, index in sorted(heap) if index != PAD)
            pipe.set(history_key(user), packed, nx=True, ex=limits.history_ttl_seconds)
        stored += sum(map(bool, pipe.execute()))
        progress(stored)
    return stored
