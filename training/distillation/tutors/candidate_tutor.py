"""The mixture over the candidates of a batch: in-batch items, as the paper has it, and what may be added to them."""

from __future__ import annotations

from torch import Tensor

from training.distillation.answers import Answers
from training.distillation.candidates import AddedCandidates, candidates
from training.distillation.integration import mixture
from training.distillation.losses import kl_to_mixture
from training.distillation.rows import Teaching
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.weighting import Judged, weights


class CandidateTutor:
    """T^2 mean_i g_i KL(p̄_i || q_i), everything over the candidates C of the batch; prefix items are none."""

    def __init__(self, panel: TeacherPanel, teaching: Teaching, added: AddedCandidates, temperature: float) -> None:
        """Confidence and consistency are read over the same candidates, at T = 1."""
        self._panel, self._teaching, self._added, self._temperature = panel, teaching, added, temperature

    def names(self, rows: Tensor) -> None:
        """Any item."""

    def loss(self, answers: Answers) -> Tensor:
        """A scalar; a row that no teacher scored teaches nothing."""
        asked = candidates(answers, self._added, self._panel)
        opinions = self._panel.opinions(answers.row, asked.items, asked.blocked)
        weight = weights(
            self._teaching, Judged.of(opinions.log_p(1.0), asked.target, opinions.present, self._panel.optimism)
        )  # [M, R]
        target = mixture(opinions.log_p(self._temperature), weight)  # [R, C]
        gate = opinions.present.any(dim=0).to(target.dtype)  # [R]
        return kl_to_mixture(target, answers.log_q[:, asked.items - 1], gate, self._temperature)  # []
