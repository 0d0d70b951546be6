"""The lesson of a student that answers for every prefix of a history in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.batches import Batch, WindowBatches
from training.dataset import Contents
from training.distillation.answers import Answers
from training.distillation.tutoring import Tutoring
from training.fitting import StepLoss
from training.sequences import train_windows
from training.two_tower import CausalTwoTower


@dataclass(frozen=True, eq=False)
class SequenceLesson:
    """L = L_rec + lambda(e) * what the tutors say (equation 9), over the train rows of a data set."""

    student: CausalTwoTower
    tutoring: Tutoring
    batches: WindowBatches

    @classmethod
    def over(cls, dataset: Contents, student: CausalTwoTower, tutoring: Tutoring, rows_per_batch: int) -> Self:
        """All train rows."""
        windows = train_windows(dataset.interactions, dataset.split, student.max_history)
        return cls(student, tutoring, WindowBatches(windows, rows_per_batch))

    def epoch(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """The windows of each step."""
        return self.batches.epoch(rng)

    def batch(self, examples: NDArray[np.int64]) -> Batch:
        """The batch of some windows."""
        return self.batches.batch(examples)

    def loss(self, batch: Batch, epoch: int) -> StepLoss:
        """On one batch; epochs count from 1."""
        if self.tutoring.curriculum is not None:
            batch = batch.only(self.tutoring.curriculum.at(batch.row, epoch))
        answers = Answers.of(self.student, batch, self.tutoring.names)
        rows = answers.target.numel()
        if rows == 0:  # a curriculum may close every row of a small batch
            return StepLoss(answers.hidden.sum() * 0, 0)
        return StepLoss(self._mean_loss(batch, answers, epoch), rows)

    def _mean_loss(self, batch: Batch, answers: Answers, epoch: int) -> Tensor:
        """A scalar, of the R > 0 answers to what the batch asks."""
        del batch
        return answers.nll.mean() + self.tutoring.loss(answers, epoch)  # []
