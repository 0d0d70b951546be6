"""Histories with what came next, one of each user an epoch (Recformer's official code; KDD 2023, section 3.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.bundle import PAD
from training.arrays import read_only
from training.dataset import Dataset
from training.errors import SplitImpossible

_POOL = 16
"""Batches whose examples are sorted by length together: little padding, and still another grouping every epoch."""


@dataclass(frozen=True, eq=False)
class Prefixes:
    """Histories int64[R, L], left-padded, and the item that came next int64[R]."""

    history: NDArray[np.int64]
    target: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Examples:
    """The train parts of some data sets in one index space. An example number is a place in `item`."""

    item: NDArray[np.int64]
    """[M] items of all interactions of all data sets, user after user"""
    first: NDArray[np.int64]
    """[U] where each user's interactions begin"""
    targets: NDArray[np.int64]
    """[U] how many targets each user has: they are the places right behind `first`"""

    def __post_init__(self) -> None:
        for name in ("item", "first", "targets"):
            object.__setattr__(self, name, read_only(getattr(self, name), np.int64))

    @classmethod
    def of(cls, datasets: Sequence[Dataset], starts: NDArray[np.int64]) -> Self:
        """Lay train parts side by side.

        Args:
            datasets: S of them.
            starts: what to add to the item indices of each, [S] or more.

        Raises:
            SplitImpossible: no user of any data set has a train interaction with another before it.
        """
        items = [one.interactions.item + start for one, start in zip(datasets, starts, strict=False)]
        begin = np.cumsum([0, *map(len, items)])  # [S + 1]
        first = [one.interactions.offsets[:-1] + start for one, start in zip(datasets, begin, strict=False)]
        targets = [np.maximum(one.split.train_end - 1, 0) for one in datasets]
        found = cls(np.concatenate(items), np.concatenate(first), np.concatenate(targets))
        if not found.targets.any():
            raise SplitImpossible("nothing to learn from: no user has two train interactions")
        return found

    def sample(self, rng: np.random.Generator, limit: int | None) -> NDArray[np.int64]:
        """One random target of each user who has one, of at most `limit` users: example numbers in random order."""
        users = rng.permutation(np.flatnonzero(self.targets))[:limit]  # [R]
        chosen: NDArray[np.int64] = self.first[users] + rng.integers(1, self.targets[users], endpoint=True)  # [R]
        return chosen

    def before(self, example: NDArray[np.int64], length: int) -> Prefixes:
        """The newest `length` items before each target."""
        owner = np.searchsorted(self.first, example, side="right") - 1  # [R]
        source = example[:, None] + np.arange(-length, 0)  # [R, L]
        known = source >= self.first[owner][:, None]  # [R, L]
        history = np.where(known, self.item[np.where(known, source, 0)], PAD)  # [R, L]
        return Prefixes(history, self.item[example])


def batches_of_like_length(
    examples: NDArray[np.int64], length: NDArray[np.int64], rows: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Cut examples [R], in random order, of some lengths [R] into batches of `rows`, in random order."""
    pool = np.arange(len(examples)) // (rows * _POOL)  # [R]
    order = np.lexsort((length, pool))  # [R]
    batches = [examples[order[start : start + rows]] for start in range(0, len(order), rows)]
    return [batches[k] for k in rng.permutation(len(batches))]
