"""Sequential rules (Kamehkhosh, Jannach and Ludewig, "A Comparison of Frequent Pattern Techniques and a Deep Learning
Method for Session-Based Recommendation", RecTemp 2017) as a teacher: what came soon after what, counted.

    T_ac = sum over pairs of a user's train interactions, a and c, at most W apart, of  fade^(distance - 1),
           times backward where c came first
    p(c | history) = ( sum_a r_a T_ac + m q_c ) / ( sum_a r_a |T_a| + m ),   r_a = decay^age |T_a|^(root - 1)

with |T_a| the sum of a row, q popularity and m the mass of it: where little is known of a history, what is popular
counts more (Dirichlet smoothing). root 1 lets an item count by all that followed it, 0 lets every item count alike.

It reads no text, has nothing to learn, and keeps what a model of 64 numbers an item rounds off: rare pairs in their
order. A user's own pairs can be taken out of the counts, exactly, so that every train row is answered as by the model
that never met its user; but for q, which counts everybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from training.config import Config, ConfigError
from training.interactions import Interactions
from training.splits import Split
from training.teachers.recency import recency
from training.teachers.sparse_product import sparse_product

MOST_ITEMS = 20_000
"""A catalogue beyond this has a matrix of more than 1.6 GB."""
_NOTHING = 1e-3
"""Below this, what is left of a row of T when a user's pairs are taken out is rounding."""
_LEAST_PAIR = 0.01
"""No pair is worth less: what is left and above `_NOTHING` is somebody's."""


class TransitionsConfig(Config):
    """How pairs are counted and heard."""

    window: int = Field(default=10, ge=1, le=50)
    """W: a pair is counted where one is at most so many interactions behind the other."""
    fade: float = Field(default=0.8, gt=0, le=1)
    """What a pair counts, against one that is one interaction closer."""
    backward: float = Field(default=0.0, ge=0, le=1)
    """What a pair counts in the other order."""
    decay: float = Field(default=0.5, gt=0, le=1)
    """What an item of the history counts, against the next newer one."""
    root: float = Field(default=0.5, ge=0, le=1)
    """An item whose row of T sums to n counts n^root in all."""
    mass: float = Field(default=10.0, gt=0)
    """m: how much evidence popularity is worth."""
    max_history: int = Field(default=20, ge=1)
    """L: how many of the newest items are read."""

    @model_validator(mode="after")
    def _tells_pairs_from_rounding(self) -> Self:
        if self.fade ** (self.window - 1) * (self.backward or 1.0) < _LEAST_PAIR:
            raise ValueError(
                f"fade ** (window - 1), times backward where that is not 0, is to be {_LEAST_PAIR} at least: pairs so"
                " far apart count nothing"
            )
        return self


class TransitionsSearch(Config):
    """Ways to count and to hear, among which half of validation chooses: how far a pair reaches differs by domain."""

    windows: tuple[tuple[int, float], ...] = Field(default=((1, 1.0), (3, 0.5), (10, 0.8)), min_length=1)
    """(W, fade): the next item alone, a few, or many."""
    backwards: tuple[float, ...] = Field(default=(0.0, 0.3), min_length=1)
    decays: tuple[float, ...] = Field(default=(0.3, 0.5, 0.7, 0.85), min_length=1)
    masses: tuple[float, ...] = Field(default=(1.0, 3.0, 10.0, 30.0, 100.0, 300.0), min_length=1)

    @model_validator(mode="after")
    def _is_of_possible_ways(self) -> Self:
        self.ways()  # each is checked as it is made
        return self

    def ways(self) -> list[TransitionsConfig]:
        """All of them; those that count alike stand together."""
        every = product(self.windows, self.backwards, self.decays, self.masses)
        return [
            TransitionsConfig(window=window, fade=fade, backward=backward, decay=decay, mass=mass)
            for (window, fade), backward, decay, mass in every
        ]


@dataclass(frozen=True, eq=False)
class Transitions:
    """Counted pairs, over the interactions that they were counted in."""

    config: TransitionsConfig
    count: Tensor
    """T, float[N, N], zero diagonal"""
    popularity: Tensor
    """q, float[N], sums to 1"""
    interactions: Interactions
    split: Split

    @property
    def items(self) -> int:
        """N."""
        return len(self.count)

    @property
    def device(self) -> torch.device:
        """As `ClosedForm` has it."""
        return self.count.device

    def on(self, device: torch.device) -> Transitions:
        """The same model, its arrays on a device."""
        return replace(self, count=self.count.to(device), popularity=self.popularity.to(device))

    def log_p(self, rows: NDArray[np.int64], *, leave_out: bool) -> Tensor:
        """ln p over the catalogue at flat rows int64[R], from what each user did before; column c is the item c + 1.

        Args:
            rows: flat rows.
            leave_out: answer as the model that never met the row's user.

        Returns:
            float[R, N].
        """
        evidence = self.evidence(rows, leave_out=leave_out)  # [R, N]
        mass = self.config.mass
        return ((evidence + mass * self.popularity) / (evidence.sum(dim=1, keepdim=True) + mass)).log()  # [R, N]

    def evidence(self, rows: NDArray[np.int64], *, leave_out: bool) -> Tensor:
        """sum_a r_a T_ac, float[R, N], at least 0."""
        device = self.count.device
        heard = recency(self.interactions, rows, self.items, self._reading).to(device)  # decay^age, [R, N]
        if not leave_out:
            return sparse_product(heard * self._share(self._total), self.count)  # [R, N]
        users, of = np.unique(self.interactions.user[rows].astype(np.int64), return_inverse=True)  # [U'], [R]
        own = own_pairs(self.interactions, self.split, users, self.config)
        pair = (torch.from_numpy(own.user).to(device), torch.from_numpy(own.given).to(device))  # [P] each
        worth = torch.from_numpy(own.worth).to(device)  # [P]
        mine = torch.zeros(users.size, self.items, device=device)  # [U', N]
        mine.index_put_(pair, worth, accumulate=True)  # [U', N]
        share = self._share(self._total - mine)  # [U', N]
        told = heard * share[torch.from_numpy(of).to(device)]  # r_a, [R, N]
        found = sparse_product(told, self.count)  # [R, N]
        then = torch.from_numpy(own.then).to(device)  # [P]
        for user, some in enumerate(own.of_users(users.size)):  # all rows beside all pairs at once would be too many
            asked = torch.from_numpy(np.flatnonzero(of == user)).to(device)  # [R of this user]
            taken = told[asked][:, pair[1][some]] * worth[some]  # [R of this user, P of this user]
            found[asked] = found[asked].index_add(1, then[some], -taken)  # [R of this user, N]
        return found.clamp(min=0)  # [R, N]: a difference of equal sums may be a little less

    @cached_property
    def _total(self) -> Tensor:
        """|T_a|, float[N]."""
        return self.count.sum(dim=1)  # [N]

    @property
    def _reading(self) -> tuple[int, float]:
        return self.config.max_history, self.config.decay

    def _share(self, total: Tensor) -> Tensor:
        """|T_a|^(root - 1), 0 where nothing is counted: of the same shape."""
        return torch.where(total > _NOTHING, total.clamp(min=_NOTHING).pow(self.config.root - 1), 0.0)


@dataclass(frozen=True, eq=False)
class Pairs:
    """P counted pairs of items of some users, from their train parts; ordered by user."""

    user: NDArray[np.int64]
    """[P] place of the user among those asked for"""
    given: NDArray[np.int64]
    """[P] a, catalogue index - 1"""
    then: NDArray[np.int64]
    """[P] c, catalogue index - 1"""
    worth: NDArray[np.float32]
    """[P] what the pair adds to T_ac"""

    def of_users(self, users: int) -> list[slice]:
        """Where the pairs of each user lie."""
        ends = np.searchsorted(self.user, np.arange(users + 1))  # [U'+1]
        return [slice(start, end) for start, end in pairwise(ends.tolist())]


def own_pairs(interactions: Interactions, split: Split, users: NDArray[np.int64], config: TransitionsConfig) -> Pairs:
    """What the train parts of some users bring to the counts."""
    length = split.train_end[users].astype(np.int64)  # [U']
    owner = np.repeat(np.arange(users.size), length)  # [E]
    position = np.arange(owner.size) - np.repeat(np.cumsum(length) - length, length)  # [E]
    item = interactions.item[np.repeat(interactions.offsets[users], length) + position].astype(np.int64) - 1  # [E]
    parts = []
    for distance in range(1, config.window + 1):
        later = np.flatnonzero(position >= distance)  # [<= E]
        later = later[item[later] != item[later - distance]]  # [D]
        first, second, worth = item[later - distance], item[later], config.fade ** (distance - 1)  # [D], [D], float
        parts.append((owner[later], first, second, np.full(later.size, worth, dtype=np.float32)))
        if config.backward:
            parts.append((owner[later], second, first, np.full(later.size, worth * config.backward, dtype=np.float32)))
    user, given, then, each = (np.concatenate(one) for one in zip(*parts, strict=True))  # [P] each
    order = np.argsort(user, kind="stable")  # [P]
    return Pairs(user[order], given[order], then[order], each[order])


def count_pairs(interactions: Interactions, split: Split, items: int, config: TransitionsConfig) -> Tensor:
    """T of a catalogue of N items, from the train part: float[N, N].

    Raises:
        ConfigError: the catalogue is too large.
    """
    if items > MOST_ITEMS:
        raise ConfigError(f"transitions: {items:,} items; its matrix of items by items is for {MOST_ITEMS:,} at most")
    pairs = own_pairs(interactions, split, np.arange(len(interactions.offsets) - 1), config)
    found = torch.zeros(items, items)  # [N, N]
    place = (torch.from_numpy(pairs.given), torch.from_numpy(pairs.then))  # [P] each
    return found.index_put_(place, torch.from_numpy(pairs.worth), accumulate=True)  # [N, N]
