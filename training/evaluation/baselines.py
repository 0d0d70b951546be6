"""The simple floors that every model must clear: popularity, item-kNN and the last item's followers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from training.evaluation.ranking import Scorer
from training.interactions import Interactions
from training.splits import Split


@dataclass(frozen=True, eq=False)
class Popularity:
    """How often an item was met in training: the same list for everybody."""

    count: NDArray[np.float32]
    """[N+1]"""

    @classmethod
    def fit(cls, interactions: Interactions, split: Split, items: int) -> Popularity:
        """Count the train part."""
        train = _train_mask(interactions, split)
        return cls(np.bincount(interactions.item[train], minlength=items + 1).astype(np.float32))

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1]."""
        del interactions
        return np.tile(self.count, (rows.size, 1))  # [E, N+1]


@dataclass(frozen=True, eq=False)
class ItemKNN:
    """Cosine similarity of the sets of users who met two items, summed over the history (Sarwar et al., WWW 2001)."""

    similarity: csr_array
    """[N+1, N+1], zero diagonal"""

    @classmethod
    def fit(cls, interactions: Interactions, split: Split, items: int) -> ItemKNN:
        """Co-occurrence in the train part."""
        train = _train_mask(interactions, split)
        met = _counts(
            interactions.user[train], interactions.item[train], (len(interactions.user_ids), items + 1)
        )  # [U, N+1]
        met.data[:] = 1
        together = (met.T @ met).tocoo()  # [N+1, N+1]
        users = np.asarray(met.sum(axis=0)).ravel()  # [N+1]
        cosine = together.data / np.sqrt(users[together.row] * users[together.col])
        cosine[together.row == together.col] = 0
        return cls(csr_array((cosine.astype(np.float32), (together.row, together.col)), shape=together.shape))

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1]; an item counts once however often it was met."""
        history = _histories(interactions, rows, self.similarity.shape[0])  # [E, N+1]
        history.data[:] = 1
        return np.asarray((history @ self.similarity).todense(), dtype=np.float32)  # [E, N+1]


@dataclass(frozen=True, eq=False)
class LastItemMarkov:
    """How often an item followed the user's last one in training; ties are broken by popularity."""

    transitions: csr_array
    """[N+1, N+1] counts"""
    popularity: Popularity

    @classmethod
    def fit(cls, interactions: Interactions, split: Split, items: int) -> LastItemMarkov:
        """Count pairs of neighbours in the train part."""
        row = split.train_rows(interactions)  # [R]
        pairs = _counts(interactions.item[row - 1], interactions.item[row], (items + 1, items + 1))
        return cls(pairs, Popularity.fit(interactions, split, items))

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1]."""
        follow = np.asarray(self.transitions[interactions.item[rows - 1]].todense(), dtype=np.float32)  # [E, N+1]
        share: NDArray[np.float32] = self.popularity.count / (
            1 + self.popularity.count.max()
        )  # [N+1], below 1: it only breaks ties
        return follow + share[None]  # [E, N+1]


def floors(interactions: Interactions, split: Split, items: int) -> dict[str, Scorer]:
    """All of them, fitted on the train part."""
    return {
        "popularity": Popularity.fit(interactions, split, items),
        "item-kNN": ItemKNN.fit(interactions, split, items),
        "last-item Markov": LastItemMarkov.fit(interactions, split, items),
    }


def _train_mask(interactions: Interactions, split: Split) -> NDArray[np.bool_]:
    """bool[M]."""
    position = np.arange(len(interactions)) - interactions.offsets[interactions.user]  # [M]
    return np.asarray(position < split.train_end[interactions.user])


def _counts(row: NDArray[np.int32], column: NDArray[np.int32], shape: tuple[int, int]) -> csr_array:
    """Equal pairs are added up."""
    found = csr_array((np.ones(row.size, dtype=np.float32), (row, column)), shape=shape)
    found.sum_duplicates()
    return found


def _histories(interactions: Interactions, rows: NDArray[np.int64], width: int) -> csr_array:
    """What each user did before the row, as counts [E, N+1]."""
    first = interactions.offsets[interactions.user[rows]]  # [E]
    line = np.repeat(np.arange(rows.size), rows - first)
    item = np.concatenate([interactions.item[a:b] for a, b in zip(first, rows, strict=True)])
    return _counts(line.astype(np.int32), item, (rows.size, width))
