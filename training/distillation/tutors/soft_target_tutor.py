"""The mixture of the teachers over the whole catalogue is a second target (equation 9)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.distillation.answers import Answers, mean_gated
from training.distillation.row_gate import RowGate
from training.distillation.soft_targets import SoftTargets

_LEAST = 1e-6
"""Below this the probability of "something else" is rounding: 1 minus a sum of fp16 numbers."""


class SoftTargetTutor:
    """T^2 mean_i g_i KL(p̄_i || q_i) over the K kept items and "something else"."""

    def __init__(self, targets: SoftTargets, temperature: float, gate: RowGate | None) -> None:
        """No gate: g = 1."""
        self._targets, self._temperature, self._gate = targets, temperature, gate

    def loss(self, answers: Answers) -> Tensor:
        """A scalar; rows that no teacher scored count as 0."""
        targets = self._targets.at(answers.row)
        log_q = self._log_q(answers, targets.item)  # [R, K]
        if self._gate is None:
            gate = targets.known.to(log_q.dtype)  # [R]
        else:
            gate = self._gate.of(targets.place, answers.nll.detach(), targets.known)  # [R]
        return self._temperature**2 * mean_gated(coarse_divergence(targets.log_p, log_q), gate)  # []

    def names(self, rows: Tensor) -> Tensor | None:
        """The items that these flat rows int64[R] will be asked about, int64[R, K]; None: every item, as T is not 1."""
        return self._targets.items_at(rows) if self._temperature == 1 else None  # [R, K]

    def _log_q(self, answers: Answers, items: Tensor) -> Tensor:
        """float[R, K] at temperature T."""
        if self._temperature == 1:
            return answers.log_q_of(items if answers.named is None else answers.named)  # [R, K]
        return answers.log_q_at(self._temperature).gather(1, items - 1)  # [R, K]


def coarse_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL over K named outcomes and the one that is all others: float[R, K] twice -> float[R].

    The log-sum inequality makes it a lower bound of the KL over all outcomes.
    """
    p = log_p.exp()  # [R, K]
    named = torch.where(p > 0, p * (log_p - log_q), 0.0).sum(dim=-1)  # [R]
    other_p = (1 - p.sum(dim=-1)).clamp(min=_LEAST)  # [R]
    other_q = (1 - log_q.exp().sum(dim=-1)).clamp(min=_LEAST)  # [R]
    return named + other_p * (other_p.log() - other_q.log())  # [R]
