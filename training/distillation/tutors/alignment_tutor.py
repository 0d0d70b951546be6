"""The student's vectors, mapped, are drawn to the teachers' (equation 10, row A13)."""

from __future__ import annotations

from torch import Tensor

from training.distillation.alignment import Alignment
from training.distillation.answers import Answers
from training.distillation.soft_targets import SoftTargets
from training.distillation.teacher_panel import TeacherPanel


class AlignmentTutor:
    """L_item over the items that the step asks for, plus L_user over its rows."""

    def __init__(self, alignment: Alignment, panel: TeacherPanel, targets: SoftTargets) -> None:
        """The maps, the vectors, and the weights w of the teachers on each row."""
        self._alignment, self._panel, self._targets = alignment, panel, targets

    def names(self, rows: Tensor) -> Tensor:
        """None: vectors are compared, not scores. int64[R, 0]."""
        return rows.new_empty(rows.numel(), 0)  # [R, 0]

    def loss(self, answers: Answers) -> Tensor:
        """A scalar; on items every teacher counts alike, on rows as the soft targets have it."""
        aligned = self._panel.with_vectors
        asked: Tensor = answers.target.unique()  # type: ignore[no-untyped-call]  # [C]
        theirs = [self._panel.item_vectors(one)[asked] for one in aligned]  # M' x [C, D_m]
        alike = answers.items.new_full((len(aligned), asked.numel()), 1 / len(aligned))  # [M', C]
        items = self._alignment.item_loss(answers.items[asked], theirs, alike)  # []
        users = [self._panel.vectors(one, answers.row)[0] for one in aligned]  # M' x [R, D_m]
        weights = self._targets.weights_at(answers.row)[list(aligned)]  # [M', R]
        return items + self._alignment.user_loss(answers.hidden, users, weights)  # []
