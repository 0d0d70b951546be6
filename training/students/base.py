"""What a student is to the rest of training: a two-tower model that knows its own configuration."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from service.bundle import PAD
from training.config import Config, ConfigError
from training.two_tower import TwoTower


class Student(TwoTower):
    """A small model that is served."""

    config: Config
    """What it was built from."""

    def seed_items(self, components: Tensor) -> None:
        """Begin with what teachers know of the items: float[N+1, D] of variance 1, PAD's row 0.

        Raises:
            ConfigError: the student has no table of item vectors that this could be.
        """
        del components
        raise ConfigError(f"{type(self).__name__} cannot begin with the teachers' item vectors")

    def served(self) -> TwoTower:
        """What is exported: the model itself, unless it holds things that only training needs."""
        return self


SEED_SPREAD = 0.1
"""Standard deviation of a seeded table: five times that of SASRec's random one."""


def seed_table(table: nn.Embedding, components: Tensor) -> None:
    """Begin a table with these vectors; PAD's row stays 0."""
    with torch.no_grad():
        table.weight[PAD + 1 :] = components[PAD + 1 :].to(table.weight) * SEED_SPREAD
