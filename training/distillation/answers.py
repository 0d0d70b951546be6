"""What a student says of some rows: what every tutor marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from training.batches import Batch
from training.log_softmax_at import log_softmax_at
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
    named: Tensor | None = None
    """int64[R, K] catalogue indices that tutors ask for beside the target; None: they may ask for every item"""

    @classmethod
    def of(
        cls, student: CausalTwoTower, batch: Batch, names: Callable[[Tensor], Tensor | None] | None = None
    ) -> Answers:
        """Let the student answer all targets of a batch in one pass; `names`: flat rows int64[R] -> `named`."""
        hidden = student.hidden(batch.history)[batch.asked]  # [R, D]
        row, target = batch.row[batch.asked], batch.target[batch.asked]  # [R] each
        named = None if names is None else names(row)  # [R, K]
        return cls(row, target, batch.prefixes, hidden, student.item_matrix(), named)

    @cached_property
    def log_q(self) -> Tensor:
        """ln softmax(z) over the catalogue, float[R, N]; column c is the item c + 1. Few tutors need it whole."""
        return (self.hidden @ self.items[1:].T).log_softmax(dim=-1)  # [R, N]

    @cached_property
    def _log_q_at_places(self) -> Tensor:
        """ln q at the target, then at what is named: float[R, 1 + K], from one softmax."""
        if self.named is None:
            return self.log_q.gather(1, self.target[:, None] - 1)  # [R, 1]
        places = torch.cat([self.target[:, None], self.named], dim=1) - 1  # [R, 1 + K]
        return log_softmax_at(self.hidden, self.items[1:], places)  # [R, 1 + K]

    @property
    def nll(self) -> Tensor:
        """-ln q(y), float[R]: the mean is L_rec."""
        return -self._log_q_at_places[:, 0]  # [R]

    def log_q_of(self, items: Tensor) -> Tensor:
        """ln q of some items int64[R, K] of each row, float[R, K]: free where they are the ones that were named."""
        if items is self.named:
            return self._log_q_at_places[:, 1:]  # [R, K]
        return self.log_q.gather(1, items - 1)  # [R, K]

    def log_q_at(self, temperature: float) -> Tensor:
        """ln softmax(z / T), float[R, N]; a constant added to z changes nothing, so that ln q serves for z."""
        return self.log_q if temperature == 1 else (self.log_q / temperature).log_softmax(dim=-1)  # [R, N]


class Tutor(Protocol):
    """Marks answers: what is to be minimised beside the next item's loss."""

    def names(self, rows: Tensor) -> Tensor | None:
        """Which items it will ask about at flat rows int64[R]: int64[R, K], K may be 0; None: any of them."""

    def loss(self, answers: Answers) -> Tensor:
        """A scalar: a mean over rows."""


def mean_gated(apart: Tensor, gate: Tensor) -> Tensor:
    """The mean over all R rows of g_i times what a row costs: float[R], float[R] -> scalar."""
    return torch.where(gate > 0, gate * apart, 0.0).mean()  # []
