"""Behaviour with a known structure, so that a test can say what a model must learn, and what it must not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from training.config import Config
from training.errors import SourceUnavailable
from training.items import Item
from training.sources.base import RawData
from training.sources.synthetic_pictures import write_picture

_START = 1_600_000_000
_YEAR = 365 * 24 * 3600
_HOUR = 3600
_COLD_WEIGHT = 0.02
"""A cold item is drawn so much more rarely than another one."""
_SYLLABLES = ("ba", "do", "ki", "lu", "me", "no", "pa", "ri", "so", "tu", "va", "ze")


class SyntheticConfig(Config):
    """The size of it, and how much of it is chance."""

    users: int = Field(default=500, ge=1)
    items: int = Field(default=100, ge=2)
    clusters: int = Field(default=10, ge=1)
    """Items of a cluster share words, a brand and a category, and follow each other in the chain."""
    strength: float = Field(default=0.8, ge=0, le=1)
    """Probability that the next item follows from the last one; otherwise it is any, by its weight. 0: pure noise."""
    follows: Literal["item", "cluster"] = "item"
    """What follows: the `item`'s successor on the ring, or any item, by its weight, of the `cluster` after the last
    item's. With `cluster`, no model can know more of an item than its cluster and its weight."""
    words: Literal["cluster", "noise"] = "cluster"
    """Whether words, brand and category are those of the item's cluster, or of one drawn by lot."""
    pictures: Literal["none", "cluster", "noise"] = "none"
    """Whether there are pictures, and whether they show the item's cluster or one drawn by lot."""
    missing: float = Field(default=0, ge=0, le=1)
    """Share of the items without words, and of those without picture: each is drawn by itself."""
    cold_share: float = Field(default=0, ge=0, lt=1)
    """Share of each cluster's items that weigh 0.02 instead of 1: hardly ever met. Needs follows = `cluster`: on the
    ring every item is met as often as its predecessor."""
    min_length: int = Field(default=5, ge=1)
    max_length: int = Field(default=30, ge=1)
    """Interactions of a user: evenly spread between the two."""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _lengths_in_order(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is greater than max_length {self.max_length}")
        return self

    @model_validator(mode="after")
    def _clusters_can_follow(self) -> Self:
        if self.follows == "cluster" and self.clusters > self.items:
            raise ValueError(f"clusters {self.clusters}, and only {self.items} items: a cluster without items follows")
        if self.follows == "item" and self.cold_share:
            raise ValueError("cold_share: only where follows is `cluster` are there items that are hardly ever met")
        return self


@dataclass(frozen=True)
class SyntheticSource:
    """A Markov chain over a ring of n items, or over the ring of its K clusters.

    The best hit rates, the whole catalogue ranked, s = strength:

    - follows `item`: a model that knows the chain has HR@1 = s + (1 - s) / n; none can do better, and at strength 0
      none can do better than 1 / n.
    - follows `cluster`, equal weights, k up to the size n / K of a cluster: a model that knows the clusters has
      HR@k = k (s K + 1 - s) / n, and one that does not has k / n.

    In general HR@k is the sum of the k greatest probabilities in the last item's row of `transition`. Words and
    pictures can tell no more than the cluster; where both are `noise` or missing, only behaviour is left, and that says
    next to nothing of cold items.
    """

    config: SyntheticConfig
    cache: Path | None = None
    """Pictures are kept below it; not needed where there are none."""

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

    def cold(self) -> NDArray[np.bool_]:
        """[items] whether each one is hardly ever met: a share of each cluster, never all of it."""
        cluster, found = self.cluster(), np.zeros(self.config.items, dtype=np.bool_)  # [items]
        for one in range(self.config.clusters):
            members = np.flatnonzero(cluster == one)  # [size]
            count = min(round(self.config.cold_share * members.size), max(members.size - 1, 0))
            found[members[:count]] = True  # the ring is drawn by lot: the first numbers are any
        return found

    def weight(self) -> NDArray[np.float64]:
        """[items] how often each one is drawn, relative to the others."""
        return np.where(self.cold(), _COLD_WEIGHT, 1.0)

    def transition(self) -> NDArray[np.float64]:
        """[items, items] probability of the next item (column) after the last one (row)."""
        weight, cluster = self.weight(), self.cluster()  # [items]
        follows = np.zeros((self.config.items, self.config.items))  # [items, items]
        if self.config.follows == "item":
            follows[np.arange(self.config.items), self.successor()] = 1
        else:
            next_one = (cluster[:, None] + 1) % self.config.clusters == cluster[None, :]  # [items, items]
            follows = next_one * weight
            follows /= follows.sum(axis=1, keepdims=True)
        even = weight / weight.sum()  # [items]
        both: NDArray[np.float64] = self.config.strength * follows + (1 - self.config.strength) * even
        return both

    def best_hit_rate(self, cutoff: int) -> NDArray[np.float64]:
        """[items] HR@`cutoff` of the best possible model, by the last item of the history."""
        greatest = np.sort(self.transition(), axis=1)[:, ::-1][:, :cutoff]  # [items, cutoff]
        rate: NDArray[np.float64] = greatest.sum(axis=1)  # [items]
        return rate

    def read(self) -> RawData:
        """Draw it; equal configurations give equal data.

        Raises:
            SourceUnavailable: there are pictures, and no `cache` to keep them in.
        """
        rng = np.random.default_rng([self.config.seed, 1])
        longest = self.config.max_length
        lengths = rng.integers(self.config.min_length, longest, self.config.users, endpoint=True)  # [users]
        walks = self._walk(rng, longest)  # [users, longest]
        times = _START + rng.integers(0, _YEAR, self.config.users)[:, None] + np.arange(longest) * _HOUR
        taken = np.arange(longest) < lengths[:, None]  # [users, longest]
        users = np.repeat(np.arange(self.config.users), lengths)  # [M]
        columns = {"user_id": _ids("u", users), "item_id": _ids("i", walks[taken]), "timestamp": times[taken]}
        return RawData(pl.DataFrame(columns), self._items(), images=self._pictures())

    def _ring(self) -> NDArray[np.int64]:
        return np.random.default_rng([self.config.seed, 0]).permutation(self.config.items)

    def _walk(self, rng: np.random.Generator, steps: int) -> NDArray[np.int64]:
        return self._walk_items(rng, steps) if self.config.follows == "item" else self._walk_clusters(rng, steps)

    def _walk_items(self, rng: np.random.Generator, steps: int) -> NDArray[np.int64]:
        size, successor = self.config.users, self.successor()
        walks = np.empty((size, steps), dtype=np.int64)  # [users, steps]
        walks[:, 0] = rng.integers(0, self.config.items, size)
        for step in range(1, steps):
            follows = rng.random(size) < self.config.strength  # [users]
            anything = rng.integers(0, self.config.items, size)  # [users]
            walks[:, step] = np.where(follows, successor[walks[:, step - 1]], anything)
        return walks

    def _walk_clusters(self, rng: np.random.Generator, steps: int) -> NDArray[np.int64]:
        size, cluster = self.config.users, self.cluster()
        order = np.argsort(cluster, kind="stable")  # [items] the items of a cluster side by side
        reach = np.concatenate([[0.0], np.cumsum(self.weight()[order])])  # [items + 1]
        edges = np.searchsorted(cluster[order], np.arange(self.config.clusters + 1))  # [clusters + 1]
        walks = np.zeros((size, steps), dtype=np.int64)  # [users, steps]
        for step in range(steps):
            follows = (rng.random(size) < self.config.strength) & (step > 0)  # [users] nothing comes before the first
            after = (cluster[walks[:, max(step - 1, 0)]] + 1) % self.config.clusters  # [users]
            first = np.where(follows, edges[after], 0)  # [users]
            last = np.where(follows, edges[after + 1], self.config.items)  # [users]
            point = reach[first] + rng.random(size) * (reach[last] - reach[first])  # [users]
            place = np.searchsorted(reach, point, side="right") - 1  # [users]
            walks[:, step] = order[np.clip(place, first, last - 1)]  # rounding may reach the edge
        return walks

    def _items(self) -> tuple[Item, ...]:
        told, shown = self._told(self.config.words, 3), self._told(self.config.pictures, 4)  # [items]
        worded, pictured = self._there()  # [items]
        items = []
        for number in range(self.config.items):
            item = _item(number, int(told[number])) if worded[number] else Item(item_id=f"i{number}")
            image = self._picture(number, int(shown[number])) if pictured[number] else None
            items.append(item.model_copy(update={"image": image}) if image else item)
        return tuple(items)

    def _told(self, what: str, stream: int) -> NDArray[np.int64]:
        """[items] the cluster that words or pictures tell: the item's, or as often as it, but by lot."""
        cluster = self.cluster()  # [items]
        return np.random.default_rng([self.config.seed, stream]).permutation(cluster) if what == "noise" else cluster

    def _there(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """[items] and [items]: which items have words, and which a picture."""
        drawn = np.random.default_rng([self.config.seed, 2]).random((2, self.config.items))  # [2, items]
        there = drawn >= self.config.missing  # [2, items]
        return there[0], there[1] & (self.config.pictures != "none")

    def _picture(self, number: int, cluster: int) -> str:
        """Path of an item's picture, from the folder of all of them."""
        name = f"images/i{number}.png"
        write_picture((self._pictures() or Path()) / name, cluster, number)
        return name

    def _pictures(self) -> Path | None:
        if self.config.pictures == "none":
            return None
        if self.cache is None:
            raise SourceUnavailable("synthetic: pictures need a cache, a folder to lie in")
        return self.cache / self.config.hash[:16]


def _item(number: int, cluster: int) -> Item:
    kind, maker = _word(2 * cluster + 1), _word(2 * cluster + 2)
    return Item(item_id=f"i{number}", title=f"{kind} {maker} {_word(1000 + number)}", brand=maker, categories=(kind,))


def _word(number: int) -> str:
    """A word that only this number has."""
    base = len(_SYLLABLES)
    return _SYLLABLES[number % base] + (_word(number // base) if number >= base else "n")


def _ids(prefix: str, numbers: NDArray[np.int64]) -> pl.Series:
    return prefix + pl.Series(numbers).cast(pl.String)
