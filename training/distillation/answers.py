"""What a student says of some rows: what every tutor marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from training.batches import Batch
from training.two_tower import CausalTwoTower


@dataclass(frozen=True, eq=False)
class Answers:
    """A student's answers to R rows."""

    row: Tensor
    """int64[R] flat rows"""
    target: Tensor
    """int64[R] catalogue indices of what came next"""
    prefixes: Callable[[], Tensor]
    """int64[R, L] what came before, the target itself left out; PAD elsewhere. Asked for by few: made when asked for"""
    hidden: Tensor
    """float[R, D] user vectors"""
    items: Tensor
    """float[N+1, D] item vectors"""
    log_q: Tensor
    """float[R, N] ln softmax(z) over the catalogue; column c is the item c + 1"""

    @classmethod
    def of(cls, student: CausalTwoTower, batch: Batch) -> Answers:
        """Let the student answer all targets of a batch in one pass."""
        hidden = student.hidden(batch.history)[batch.asked]  # [R, D]
        items = student.item_matrix()  # [N+1, D]
        log_q = (hidden @ items[1:].T).log_softmax(dim=-1)  # [R, N]
        return cls(batch.row[batch.asked], batch.target[batch.asked], batch.prefixes, hidden, items, log_q)

    @property
    def nll(self) -> Tensor:
        """-ln q(y), float[R]: the mean is L_rec."""
        return -self.log_q.gather(1, self.target[:, None] - 1).squeeze(1)  # [R]

    def log_q_at(self, temperature: float) -> Tensor:
        """ln softmax(z / T), float[R, N]; a constant added to z changes nothing, so that ln q serves for z."""
        return self.log_q if temperature == 1 else (self.log_q / temperature).log_softmax(dim=-1)  # [R, N]


class Tutor(Protocol):
    """Marks answers: what is to be minimised beside the next item's loss."""

    def loss(self, answers: Answers) -> Tensor:
        """A scalar: a mean over rows."""


def mean_gated(apart: Tensor, gate: Tensor) -> Tensor:
    """The mean over all R rows of g_i times what a row costs: float[R], float[R] -> scalar."""
    return torch.where(gate > 0, gate * apart, 0.0).mean()  # []
