"""Label smoothing over pairs: the control C1 of a student whose score is of pairs."""

from __future__ import annotations

from torch import Tensor

from training.distillation.pair_answers import PairAnswers


class PairSmoothingTutor:
    """KL(uniform || q) up to a constant, the mean over the catalogue estimated from the candidates."""

    def loss(self, answers: PairAnswers) -> Tensor:
        """-mean over rows and items of ln q."""
        mean_score = (answers.score / answers.candidates.expected).sum(dim=1) / answers.items  # [R]
        return (answers.log_z - mean_score).mean()  # []
