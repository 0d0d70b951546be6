"""Fills Redis with the histories of an interactions file, for users that have none yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

from redis.exceptions import RedisClusterException, RedisError

from service.bundle import ItemCatalog
from service.interactions_file import InteractionsFile, SeedError
from service.packed_items import pack
from service.seed_store import SeedLimits, seed_store
from service.user_rows import Row, UserRows, by_user, sorted_on_disk

ROWS_PER_STEP = 10_000
CACHED = 100_000
"""Items whose index and whose packed form are remembered."""


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
    evicted: int
    """Keys that Redis has given up meanwhile because it was full."""


@dataclass(frozen=True)
class SeedProgress:
    """How far it is."""

    step: Literal["reading", "storing"]
    done: float
    """Share of the step, of 1."""
    users: int
    """Users sent so far."""


Told = Callable[[SeedProgress], None]


def seed(
    interactions: InteractionsFile, catalog: ItemCatalog, redis_url: str, limits: SeedLimits, told: Told
) -> Seeded:
    """Store the newest items of each user of a file. Users who have a history keep it: live events are never replaced,
    and what was broken off can be begun again.

    A file that is not sorted by user is sorted on disk first, so nothing is stored before every line was found right.

    Raises:
        SeedError: the file is not such a file, the disk is full, or Redis does not answer.
    """
    reading = _Reading(interactions, catalog)
    sent = stored = 0
    try:
        with seed_store(redis_url, limits) as store, _sorted(reading, told) as rows:
            for some, new in store.store(_packed(rows, catalog, limits.history_kept)):
                sent, stored = sent + some, stored + new
                told(SeedProgress("storing", rows.done(), sent))
            return Seeded(reading.rows, reading.unknown_items, stored, sent - stored, store.evicted())
    except sqlite3.Error as error:
        raise SeedError(f"{interactions.path}: its rows cannot be sorted on disk: {error}") from error
    except (RedisError, RedisClusterException) as error:
        raise SeedError(f"{interactions.path}: Redis did not take the histories: {error}") from error


class _Reading:
    """The rows whose item is known."""

    def __init__(self, interactions: InteractionsFile, catalog: ItemCatalog) -> None:
        self.interactions = interactions
        self.rows = 0
        self.unknown_items = 0
        self._index = lru_cache(CACHED)(catalog.index)

    def __iter__(self) -> Iterator[Row]:
        for user, item, time in self.interactions.interactions():
            self.rows += 1
            index = self._index(item)
            if index is None:
                self.unknown_items += 1
            else:
                yield user, time, index

    def done(self) -> float:
        return self.interactions.read_share()


class _FromDisk:
    """The rows of a file as sorted on disk."""

    def __init__(self, rows: UserRows) -> None:
        self._rows = rows
        self._passed = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows.sorted():
            self._passed += 1
            yield row

    def done(self) -> float:
        return self._passed / max(1, self._rows.rows)


@contextmanager
def _sorted(reading: _Reading, told: Told) -> Iterator[_Reading | _FromDisk]:
    """The rows sorted by user."""
    if reading.interactions.is_sorted:
        yield reading
        return
    with sorted_on_disk() as rows:
        incoming = iter(reading)
        while some := list(islice(incoming, ROWS_PER_STEP)):
            rows.add(some)
            told(SeedProgress("reading", reading.done(), 0))
        yield _FromDisk(rows)


def _packed(rows: Iterable[Row], catalog: ItemCatalog, kept: int) -> Iterator[tuple[str, bytes]]:
    """The newest items of each user, packed."""
    packed = lru_cache(CACHED)(lambda index: pack(catalog.item_id(index)))
    for user, items in by_user(rows):
        yield user, b"".join(map(packed, items[-kept:]))
