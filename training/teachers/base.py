"""What a teacher is to the rest of training: a two-tower model whose scores are cosines over a temperature."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from training.config import Config
from training.two_tower import CausalTwoTower, TwoTower


class Teacher(TwoTower):
    """User and item vectors of length 1; the logit of an item is their dot product divided by `temperature`."""

    name: str
    """What the command line calls it."""
    config: Config
    """What it was built from."""
    temperature: float
    """tau."""


class CausalTeacher(Teacher, CausalTwoTower):
    """A teacher whose one pass over a history holds every prefix of it."""

    @abstractmethod
    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        """User vectors of any length after every position, float[B, L, D], given the item matrix float[N+1, D]."""

    @abstractmethod
    def raw_item_matrix(self) -> Tensor:
        """Item vectors of any length, float[N+1, D]."""

    def item_matrix(self) -> Tensor:
        """float[N+1, D], rows of length 1."""
        return torch.nn.functional.normalize(self.raw_item_matrix(), dim=-1)  # [N+1, D]

    def hidden(self, history: Tensor) -> Tensor:
        """float[B, L, D], rows of length 1."""
        return self.prepared_hidden()(history)  # [B, L, D]

    def prepared_hidden(self) -> Callable[[Tensor], Tensor]:
        """`hidden` over one item matrix: adapting the whole catalogue costs more than a batch of histories."""
        items = self.raw_item_matrix()  # [N+1, D]
        return lambda history: torch.nn.functional.normalize(self.raw_hidden(history, items), dim=-1)  # [B, L, D]
