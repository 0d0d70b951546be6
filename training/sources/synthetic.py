"""Behaviour with a known structure, so that a test can say what a model must learn, and what it must not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from training.config import Config
from training.items import Item
from training.sources.base import RawData

_START = 1_600_000_000
_YEAR = 365 * 24 * 3600
_HOUR = 3600
_SYLLABLES = ("ba", "do", "ki", "lu", "me", "no", "pa", "ri", "so", "tu", "va", "ze")


class SyntheticConfig(Config):
    """The size of it, and how much of it is chance."""

    users: int = Field(default=500, ge=1)
    items: int = Field(default=100, ge=2)
    clusters: int = Field(default=10, ge=1)
    """Items of a cluster share words, a brand and a category, and follow each other in the chain."""
    strength: float = Field(default=0.8, ge=0, le=1)
    """Probability that the next item is the successor of the last; otherwise it is any item, evenly. 0: pure noise."""
    min_length: int = Field(default=5, ge=1)
    max_length: int = Field(default=30, ge=1)
    """Interactions of a user: evenly spread between the two."""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _lengths_in_order(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is greater than max_length {self.max_length}")
        return self


@dataclass(frozen=True)
class SyntheticSource:
    """A Markov chain over a ring of items.

    A model that knows the chain finds the next item first with probability strength + (1 - strength) / items; no model
    can do better, and at strength 0 none can do better than 1 / items.
    """

    config: SyntheticConfig

    @property
    def name(self) -> str:
        """`synthetic`."""
        return "synthetic"

    def successor(self) -> NDArray[np.int64]:
        """[items] the number of the item that follows each one: one ring through all items, cluster after cluster."""
        ring = self._ring()  # [items]
        after = np.empty_like(ring)  # [items]
        after[ring] = np.roll(ring, -1)
        return after

    def cluster(self) -> NDArray[np.int64]:
        """[items] the cluster of each item: equal stretches of the ring."""
        of_item = np.empty(self.config.items, dtype=np.int64)  # [items]
        of_item[self._ring()] = np.arange(self.config.items) * self.config.clusters // self.config.items
        return of_item

    def read(self) -> RawData:
        """Draw it; equal configurations give equal data."""
        rng = np.random.default_rng([self.config.seed, 1])
        longest = self.config.max_length
        lengths = rng.integers(self.config.min_length, longest, self.config.users, endpoint=True)  # [users]
        walks = self._walk(rng, longest)  # [users, longest]
        times = _START + rng.integers(0, _YEAR, self.config.users)[:, None] + np.arange(longest) * _HOUR
        taken = np.arange(longest) < lengths[:, None]  # [users, longest]
        users = np.repeat(np.arange(self.config.users), lengths)  # [M]
        columns = {"user_id": _ids("u", users), "item_id": _ids("i", walks[taken]), "timestamp": times[taken]}
        return RawData(pl.DataFrame(columns), self._items())

    def _ring(self) -> NDArray[np.int64]:
        return np.random.default_rng([self.config.seed, 0]).permutation(self.config.items)

    def _walk(self, rng: np.random.Generator, steps: int) -> NDArray[np.int64]:
        size, successor = self.config.users, self.successor()
        walks = np.empty((size, steps), dtype=np.int64)  # [users, steps]
        walks[:, 0] = rng.integers(0, self.config.items, size)
        for step in range(1, steps):
            follows = rng.random(size) < self.config.strength  # [users]
            anything = rng.integers(0, self.config.items, size)  # [users]
            walks[:, step] = np.where(follows, successor[walks[:, step - 1]], anything)
        return walks

    def _items(self) -> tuple[Item, ...]:
        return tuple(_item(number, int(cluster)) for number, cluster in enumerate(self.cluster()))


def _item(number: int, cluster: int) -> Item:
    kind, maker = _word(2 * cluster + 1), _word(2 * cluster + 2)
    return Item(item_id=f"i{number}", title=f"{kind} {maker} {_word(1000 + number)}", brand=maker, categories=(kind,))


def _word(number: int) -> str:
    """A word that only this number has."""
    base = len(_SYLLABLES)
    return _SYLLABLES[number % base] + (_word(number // base) if number >= base else "n")


def _ids(prefix: str, numbers: NDArray[np.int64]) -> pl.Series:
    return prefix + pl.Series(numbers).cast(pl.String)
