"""Fills Redis with the histories of an interactions file, for users that have none yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Literal

from redis.exceptions import RedisClusterException, RedisError

from service.bundle import ItemCatalog
from service.interactions_file import InteractionsFile, SeedError
from service.packed_items import pack
from service.seed_store import SeedLimits, seed_store
from service.user_rows import Row, UserRows, Users, by_user, on_disk

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

    The rows of a file that is not sorted by user are brought together on disk first, so nothing is stored before every
    line was found right.

    Raises:
        SeedError: the file is not such a file, the disk is full, or Redis does not answer.
    """
    reading = _Reading(interactions, catalog)
    sent = stored = 0
    try:
        with seed_store(redis_url, limits) as store, _by_user(reading, told) as users:
            for some, new in store.store(_packed(users, catalog, limits.history_kept)):
                sent, stored = sent + some, stored + new
                told(SeedProgress("storing", users.done(), sent))
            return Seeded(reading.rows, reading.unknown_items, stored, sent - stored, store.evicted())
    except (RedisError, RedisClusterException) as error:
        raise SeedError(f"{interactions.path}: Redis did not take the histories: {error}") from error
    except OSError as error:
        raise SeedError(f"{interactions.path}: its rows cannot be kept on disk: {error}") from error


class _Reading:
    """The rows whose item is known."""

    def __init__(self, interactions: InteractionsFile, catalog: ItemCatalog) -> None:
        self.interactions = interactions
        self.rows = 0
        self.unknown_items = 0
        self._index = lru_cache(CACHED)(catalog.index)

    def batches(self) -> Iterator[list[Row]]:
        """Many at a time, in the order of the file."""
        for users, items, times in self.interactions.batches():
            self.rows += len(users)
            indices = list(map(self._index, items))
            self.unknown_items += indices.count(None)
            rows = zip(users, times, indices, strict=True)
            yield [(user, time, index) for user, time, index in rows if index is not None]

    def done(self) -> float:
        """Share of the file, of 1."""
        return self.interactions.read_share()


class _AsTheyStand:
    """The users of a sorted file."""

    def __init__(self, reading: _Reading) -> None:
        self._reading = reading

    def __iter__(self) -> Users:
        return by_user(chain.from_iterable(self._reading.batches()))

    def done(self) -> float:
        return self._reading.done()


class _FromDisk:
    """The users of rows that were dealt out on disk."""

    def __init__(self, rows: UserRows) -> None:
        self._rows = rows

    def __iter__(self) -> Users:
        return self._rows.by_user()

    def done(self) -> float:
        return self._rows.passed / max(1, self._rows.rows)


@contextmanager
def _by_user(reading: _Reading, told: Told) -> Iterator[_AsTheyStand | _FromDisk]:
    """The users one after the other."""
    if reading.interactions.is_sorted:
        yield _AsTheyStand(reading)
        return
    with on_disk() as rows:
        for batch in reading.batches():
            rows.add(batch)
            told(SeedProgress("reading", reading.done(), 0))
        yield _FromDisk(rows)


def _packed(users: Iterable[tuple[str, list[int]]], catalog: ItemCatalog, kept: int) -> Iterator[tuple[str, bytes]]:
    """The newest items of each user, packed."""
    packed = lru_cache(CACHED)(lambda index: pack(catalog.item_id(index)))
    for user, items in users:
        yield user, b"".join(map(packed, items[-kept:]))
