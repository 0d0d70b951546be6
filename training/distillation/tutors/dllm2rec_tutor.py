"""DLLM2Rec's weights over the teachers' first items are a second target (row A11)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.distillation.answers import Answers
from training.distillation.dllm2rec import DLLM2RecConfig, ranked_target
from training.distillation.teacher_panel import TeacherPanel


class Dllm2RecTutor:
    """The mean over rows of the cross-entropy between the weights and the student."""

    def __init__(self, panel: TeacherPanel, ranked: int) -> None:
        """How many of each teacher's likeliest items are learnt from."""
        self._panel, self._config = panel, DLLM2RecConfig(top=ranked)

    def names(self, rows: Tensor) -> None:
        """Any item."""

    def loss(self, answers: Answers) -> Tensor:
        """A scalar; the weights depend on the student's own list, so that they are made at every step."""
        everything = torch.arange(1, answers.items.shape[0], device=answers.row.device)  # [N]
        opinions = self._panel.opinions(answers.row, everything)
        target = ranked_target(opinions.log_p(1.0), answers.log_q.detach(), opinions.present, self._config)  # [R, N]
        return -(target * answers.log_q).sum(dim=1).mean()  # []
