"""The lesson of a graph student: users are nodes, and each is asked once for all of its train items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.dataset import Contents
from training.distillation.answers import Answers
from training.distillation.tutoring import Tutoring
from training.fitting import StepLoss
from training.students.lightgcn import LightGCN


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """Some users, and their edges."""

    user: Tensor
    """int64[B]"""
    line: Tensor
    """int64[E] which of the B an edge belongs to"""
    item: Tensor
    """int64[E] catalogue indices of the items met in training"""
    row: Tensor
    """int64[B] flat row of each user's last train item: there the teachers are asked"""
    target: Tensor
    """int64[B] that item"""

    def no_prefixes(self) -> Tensor:
        """int64[B, 0]: a graph knows no before and after."""
        return self.target.new_empty(self.target.numel(), 0)  # [B, 0]

    def to(self, device: torch.device) -> GraphBatch:
        """The same batch on another device."""
        return GraphBatch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class GraphLesson:
    """Softmax over the catalogue for every edge, a penalty on the vectors, and the tutors at each user's last row."""

    student: LightGCN
    tutoring: Tutoring
    dataset: Contents
    users_per_batch: int
    penalty: float = 1e-5
    """Weight of the squared length of the vectors before propagation (LightGCN, section 3.3)."""

    def epoch(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """The users of each step, in random order; those with at least two train items, as only they have a row."""
        users = rng.permutation(np.flatnonzero(self.dataset.split.train_end >= 2))  # [U']
        return np.array_split(users, max(1, -(-users.size // self.users_per_batch)))

    def batch(self, examples: NDArray[np.int64]) -> GraphBatch:
        """The batch of some users."""
        interactions = self.dataset.interactions
        first, count = interactions.offsets[examples], self.dataset.split.train_end[examples]  # [B] each
        line = np.repeat(np.arange(examples.size), count)  # [E]
        place = np.arange(line.size) - np.repeat(np.cumsum(count) - count, count)  # [E]
        item = interactions.item[np.repeat(first, count) + place]  # [E]
        last = first + count - 1  # [B]
        arrays = (examples, line, item, last, interactions.item[last])
        return GraphBatch(*(torch.from_numpy(np.asarray(one, dtype=np.int64)) for one in arrays))

    def loss(self, batch: GraphBatch, epoch: int) -> StepLoss:
        """On one batch; epochs count from 1."""
        users, items = self.student.propagated()  # [U, D], [N+1, D]
        hidden = users[batch.user]  # [B, D]
        answers = Answers(batch.row, batch.target, batch.no_prefixes, hidden, items)
        edges = -answers.log_q[batch.line, batch.item - 1]  # [E]
        lengths = self.student.squared_length(batch.user, batch.item)  # []
        loss = edges.mean() + self.penalty * lengths + self.tutoring.loss(answers, epoch)  # []
        return StepLoss(loss, batch.user.numel())
