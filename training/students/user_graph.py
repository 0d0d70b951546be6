"""Who met what in training, as a graph: what a graph student propagates over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.bundle import PAD
from training.arrays import read_only
from training.dataset import Contents


@dataclass(frozen=True, eq=False)
class UserGraph:
    """The bipartite graph of U users and N items; each pair is one edge, however often it was met.

    Raises:
        ValueError: a node that is not there, or edges repeated or out of order; the message names the column.
    """

    users: int
    """U"""
    items: int
    """N"""
    user: NDArray[np.int64]
    """[E] 0..U-1; edges are sorted by (user, item)"""
    item: NDArray[np.int64]
    """[E] catalogue index, 1..N: never PAD"""

    def __post_init__(self) -> None:
        for name, least, most in (("user", 0, self.users - 1), ("item", PAD + 1, self.items)):
            nodes = read_only(getattr(self, name), np.int64)  # [E]
            object.__setattr__(self, name, nodes)
            if nodes.ndim != 1 or (nodes.size and not least <= nodes.min() <= nodes.max() <= most):
                raise ValueError(f"{name}: edges end at one of {least}..{most} each")
        if self.user.shape != self.item.shape:
            raise ValueError(f"user {self.user.shape}, item {self.item.shape}: an edge has two ends")
        if bool(np.any(np.diff(self.user * (self.items + 1) + self.item) <= 0)):
            raise ValueError("user, item: edges are sorted by (user, item), without repeats")

    @cached_property
    def user_degree(self) -> NDArray[np.int64]:
        """[U] |N_u|, the items that each user met."""
        return read_only(np.bincount(self.user, minlength=self.users), np.int64)

    @cached_property
    def item_degree(self) -> NDArray[np.int64]:
        """[N + 1] |N_i|, the users that met each item; 0 for PAD."""
        return read_only(np.bincount(self.item, minlength=self.items + 1), np.int64)

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """[E] 1 / sqrt(|N_u| |N_i|) (LightGCN, equation 3)."""
        return read_only((self.user_degree[self.user] * self.item_degree[self.item]) ** -0.5, np.float64)


def train_graph(dataset: Contents) -> UserGraph:
    """The graph of the train part alone: an edge of validation or test would tell the answer."""
    interactions = dataset.interactions
    position = np.arange(len(interactions)) - interactions.offsets[interactions.user]  # [M]
    train = position < dataset.split.train_end[interactions.user]  # [M]
    met = np.stack([interactions.user[train], interactions.item[train]], axis=1).astype(np.int64)  # [M', 2]
    user, item = np.unique(met, axis=0).T  # [E] each
    return UserGraph(len(interactions.user_ids), len(dataset.catalog), user, item)
