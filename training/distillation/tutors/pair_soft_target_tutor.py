"""The mixture of the teachers over the candidates that pairs are scored of is a second target (equation 9)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.distillation.answers import mean_gated
from training.distillation.pair_answers import PairAnswers
from training.distillation.row_gate import RowGate
from training.distillation.soft_targets import SoftTargets
from training.distillation.tutors.soft_target_tutor import coarse_divergence

_NOWHERE = -1e4
"""ln of a probability that is 0 in every arithmetic, and no infinity: 0 times its gradient is 0."""


class PairSoftTargetTutor:
    """T^2 mean_i g_i KL(p̄_i || q_i), both brought to the sum of 1 over the row's candidates.

    Given that the outcome is one of the candidates, student and teachers have to agree, however the candidates came
    about: so there is nothing to correct for how often each was to be drawn. Those that the teachers do not name are
    one outcome, "something else", as everywhere; its probability is what the teachers leave over for all unnamed items,
    by the share of them that is here.
    """

    def __init__(self, targets: SoftTargets, temperature: float, gate: RowGate | None) -> None:
        """No gate: g = 1."""
        self._targets, self._temperature, self._gate = targets, temperature, gate

    def loss(self, answers: PairAnswers) -> Tensor:
        """A scalar; rows that no teacher scored count as 0."""
        targets = self._targets.at(answers.row)
        named = answers.candidates.p  # [R, C]
        if named is None:
            raise ValueError("candidates drawn without the teachers")
        log_q = (answers.score / self._temperature).log_softmax(dim=1)  # [R, C]
        log_p = self._among_candidates(named, targets.log_p, answers.items)  # [R, C]
        if self._gate is None:
            gate = targets.known.to(log_q.dtype)  # [R]
        else:
            gate = self._gate.of(targets.place, answers.nll.detach(), targets.known)  # [R]
        apart = coarse_divergence(log_p, log_q.masked_fill(named == 0, _NOWHERE))  # [R]
        return self._temperature**2 * mean_gated(apart, gate)  # []

    def _among_candidates(self, named: Tensor, kept: Tensor, items: int) -> Tensor:
        """ln p̄ over the candidates, float[R, C], and next to nothing where they are not named."""
        left = (1 - kept.exp().sum(dim=1, keepdim=True)).clamp(min=0)  # [R, 1]
        each = left / max(items - kept.shape[1], 1)  # [R, 1]
        total = torch.where(named > 0, named, each).sum(dim=1, keepdim=True)  # [R, 1]
        return (
            (named / total).clamp(min=torch.finfo(named.dtype).tiny).log().masked_fill(named == 0, _NOWHERE)
        )  # [R, C]
