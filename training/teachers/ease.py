"""EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019) as a teacher: what is met together.

It reads no text and no order, knows every pair of items, and is fitted in closed form in seconds: with the Gram matrix
G = X^T X + ridge I of who met what and P = G^-1, item j is worth  sum_i x_i B_ij,  B_ij = -P_ij / P_jj, B_jj = 0
(equation 8). Here newer items count more: x_i = decay^age.

A model that has learnt a user by heart has nothing to say to a student about that user. The inverse without one user's
row x of X is known in closed form (Sherman and Morrison, 1950),  P' = P + a a^T / (1 - x a), a = P x,  so that every
train row is answered by the model that never met its user: exact leave-one-user-out, at the price of a product.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from service.bundle import PAD
from training.config import Config, ConfigError
from training.devices import pick_device
from training.interactions import Interactions
from training.splits import Split
from training.teachers.recency import recency
from training.teachers.sparse_product import sparse_product

MOST_ITEMS = 20_000
"""A catalogue beyond this has an inverse of more than 1.6 GB, and an hour of inverting."""


class EaseConfig(Config):
    """What is not learnt in closed form."""

    ridge: float = Field(default=300.0, gt=0)
    """lambda: what is added to the diagonal of the Gram matrix."""
    decay: float = Field(default=0.7, gt=0, le=1)
    """What an item counts, against the next newer one."""
    max_history: int = Field(default=50, ge=1)
    """L: how many of the newest items are read."""


@dataclass(frozen=True, eq=False)
class Ease:
    """A fitted model over the interactions that it was fitted to."""

    config: EaseConfig
    inverse: Tensor
    """P, float[N, N]; fast only where its rows are contiguous"""
    interactions: Interactions
    split: Split

    @classmethod
    def fit(cls, config: EaseConfig, interactions: Interactions, split: Split, items: int) -> Ease:
        """From the train rows of a catalogue of N items; inverted on the GPU where there is one, and left there.

        Raises:
            ConfigError: the catalogue is too large.
        """
        if items > MOST_ITEMS:
            raise ConfigError(f"ease: {items:,} items; its matrix of items by items is for {MOST_ITEMS:,} at most")
        device = pick_device()
        gram = torch.eye(items, dtype=torch.float64, device=device) * config.ridge  # [N, N]
        users = np.arange(len(interactions.offsets) - 1)
        for some in np.array_split(users, max(1, users.size // 4096)):
            met = _met(interactions, split, some, items).to(device).double()  # [U', N]
            gram += met.T @ met  # [N, N]
        inverse = torch.linalg.inv(gram).float().contiguous()  # [N, N]: LAPACK's has its rows apart
        return cls(config, inverse, interactions, split)

    def on(self, device: torch.device) -> Ease:
        """The same model, its matrix on a device."""
        return replace(self, inverse=self.inverse.to(device))

    @property
    def items(self) -> int:
        """N."""
        return len(self.inverse)

    def scores(self, rows: NDArray[np.int64], *, leave_out: bool) -> Tensor:
        """float[R, N] at flat rows int64[R], from what each user did before; column c is the item c + 1.

        Args:
            rows: flat rows.
            leave_out: answer as the model that never met the row's user.
        """
        recent = self._recent(rows)  # [R, N]
        mixed = sparse_product(recent, self.inverse)  # [R, N]
        diagonal = self.inverse.diagonal()  # [N]
        if not leave_out:
            return recent - mixed / diagonal  # [R, N]
        users, of = np.unique(self.interactions.user[rows].astype(np.int64), return_inverse=True)  # [U'], [R]
        met = _met(self.interactions, self.split, users, self.items).to(self.inverse.device)  # [U', N]
        moved = sparse_product(met, self.inverse)  # a, [U', N]
        scale = 1 / (1 - (met * moved).sum(dim=1, keepdim=True))  # [U', 1]
        without = diagonal + scale * moved.square()  # the diagonal of P', [U', N]
        place = torch.from_numpy(of).to(self.inverse.device)  # [R]
        share = scale[place] * (recent * moved[place]).sum(dim=1, keepdim=True)  # [R, 1]
        return recent - (mixed + share * moved[place]) / without[place]  # [R, N]

    def _recent(self, rows: NDArray[np.int64]) -> Tensor:
        """float[R, N]."""
        reading = (self.config.max_history, self.config.decay)
        return recency(self.interactions, rows, self.items, reading).to(self.inverse.device)  # [R, N]


def _met(interactions: Interactions, split: Split, users: NDArray[np.int64], items: int) -> Tensor:
    """1 where a user met an item in training: float[U', N]."""
    count = split.train_end[users]  # [U']
    line = np.repeat(np.arange(users.size), count)  # [E]
    place = np.arange(line.size) - np.repeat(np.cumsum(count) - count, count)  # [E]
    item = interactions.item[np.repeat(interactions.offsets[users], count) + place]  # [E]
    found = torch.zeros(users.size, items + 1)  # [U', N+1]
    found[torch.from_numpy(line), torch.from_numpy(item.astype(np.int64))] = 1
    return found[:, PAD + 1 :]  # [U', N]
