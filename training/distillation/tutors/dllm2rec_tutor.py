"""DLLM2Rec's weights over the teachers' first items are a second target (row A11)."""

from __future__ import annotations

from torch import Tensor

from training.distillation.answers import Answers
from training.distillation.dllm2rec import DLLM2RecConfig, list_weights
from training.distillation.rank_lists import RankLists


class Dllm2RecTutor:
    """The mean over rows of the cross-entropy between the weights and the student."""

    def __init__(self, lists: RankLists) -> None:
        """The lists that are learnt from."""
        self._lists, self._config = lists, DLLM2RecConfig(top=lists.top)

    def names(self, rows: Tensor) -> Tensor:
        """The items of all lists at flat rows int64[R]: int64[R, M K]."""
        return self._lists.at(rows).named  # [R, M K]

    def loss(self, answers: Answers) -> Tensor:
        """A scalar; the weights depend on the student's own list, so that they are made at every step."""
        ranked = self._lists.at(answers.row)
        scores = answers.hidden.detach() @ answers.items[1:].detach().T  # [R, N]
        students = scores.topk(self._lists.top, dim=1).indices + 1  # [R, K]
        weights = list_weights(ranked, students, self._config)  # [M, R, K]
        log_q = answers.log_q_of(ranked.named if answers.named is None else answers.named)  # [R, M K]
        return -(weights.transpose(0, 1).flatten(1) * log_q).sum(dim=1).mean()  # []
