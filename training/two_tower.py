"""The one shape that teachers and students share: a user vector, a matrix of item vectors, and their dot product."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn


class TwoTower(nn.Module, ABC):
    """score(history, item) = <encode(history), item_matrix()[item]>."""

    max_history: int
    """L."""

    @abstractmethod
    def encode(self, history: Tensor) -> Tensor:
        """The user vector float[B, D] of whole, left-padded histories int64[B, L]."""

    @abstractmethod
    def item_matrix(self) -> Tensor:
        """The item vectors float[N+1, D]; row 0 (PAD) means nothing and is never a candidate."""

    def prepared(self) -> Callable[[Tensor], Tensor]:
        """What `encode` does, for many batches while the weights stand still: the item table is made once."""
        return self.encode

    @property
    def parameters_count(self) -> int:
        """How many numbers training may change."""
        return sum(one.numel() for one in self.parameters())


class CausalTwoTower(TwoTower):
    """One pass over a history gives the user vector of every prefix of it: all rows of a user cost what one costs."""

    @abstractmethod
    def hidden(self, history: Tensor) -> Tensor:
        """The user vector after every position of left-padded histories int64[B, L]: float[B, L, D]."""

    def prepared_hidden(self) -> Callable[[Tensor], Tensor]:
        """What `hidden` does, for many batches while the weights stand still."""
        return self.hidden

    def encode(self, history: Tensor) -> Tensor:
        """float[B, D]."""
        return self.hidden(history)[:, -1]  # [B, D]

    def prepared(self) -> Callable[[Tensor], Tensor]:
        """What `encode` does, for many batches while the weights stand still."""
        hidden = self.prepared_hidden()
        return lambda history: hidden(history)[:, -1]  # [B, D]
