"""What a student whose score is of pairs says of some rows, over the candidates drawn for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from torch import Tensor

from training.distillation.drawn_candidates import DrawnCandidates


@dataclass(frozen=True, eq=False)
class PairAnswers:
    """Scores of R rows."""

    row: Tensor
    """int64[R] flat rows"""
    candidates: DrawnCandidates
    score: Tensor
    """float[R, C] z"""
    items: int
    """N"""

    @cached_property
    def log_z(self) -> Tensor:
        """Estimate of ln sum over the catalogue of exp z, float[R]: each candidate stands for 1 / expected items.

        The sum itself is met exactly on average; its logarithm a little below.
        """
        return (self.score - self.candidates.expected.log()).logsumexp(dim=1)  # [R]

    @property
    def nll(self) -> Tensor:
        """-ln q(y), float[R], by that estimate: the mean is L_rec of the pairs."""
        return self.log_z - self.score[:, 0]  # [R]


class PairTutor(Protocol):
    """Marks scores of pairs."""

    def loss(self, answers: PairAnswers) -> Tensor:
        """A scalar: a mean over rows."""
