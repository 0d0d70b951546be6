"""The order of the mixture's best items, and that they stand above others, is what is taught (row A12)."""

from __future__ import annotations

from torch import Tensor

from training.distillation.answers import Answers, mean_gated
from training.distillation.relaxed_ranking import draw_uninteresting, ranking_nll
from training.distillation.soft_targets import SoftTargets


class RelaxedRankingTutor:
    """The mean over rows and picks of -ln of the Plackett-Luce likelihood."""

    def __init__(self, targets: SoftTargets, ranked: int, unranked: int) -> None:
        """How many of a row's likeliest items are ranked, and how many others are drawn for it at every step."""
        self._targets, self._ranked, self._unranked = targets, ranked, unranked

    def names(self, rows: Tensor) -> None:
        """Any item."""

    def loss(self, answers: Answers) -> Tensor:
        """A scalar, divided by the number of picks so that its size is that of a next-item loss."""
        targets = self._targets.at(answers.row)
        best = targets.item[:, : self._ranked]  # [R, K]
        others = draw_uninteresting(best, answers.log_q.shape[1], self._unranked)  # [R, L]
        apart = ranking_nll(answers.log_q.gather(1, best - 1), answers.log_q.gather(1, others - 1))  # [R]
        return mean_gated(apart / best.shape[1], targets.known.to(apart.dtype))  # []
