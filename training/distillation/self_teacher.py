"""A trained student as a teacher of the next one: self-distillation, the control C2."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from training.artefacts import ModelRecord, read_record
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.distill import load_student
from training.reranker import Reranker
from training.students.base import Student
from training.teachers.base import Teacher
from training.teachers.steps import load_teacher
from training.two_tower import CausalTwoTower


class SelfTeacher(Teacher, CausalTwoTower):
    """The student as it is: its dot products are its logits, so that its own temperature is 1."""

    temperature = 1.0

    def __init__(self, student: CausalTwoTower, record: ModelRecord) -> None:
        """Take a student in evaluation mode."""
        super().__init__()
        self.student, self.name, self.max_history = student, record.label, student.max_history
        if isinstance(student, Student):
            self.config = student.config

    def hidden(self, history: Tensor) -> Tensor:
        """float[B, L, D]."""
        return self.student.hidden(history)  # [B, L, D]

    def item_matrix(self) -> Tensor:
        """float[N+1, D]."""
        return self.student.item_matrix().detach()  # [N+1, D]


def load_any_teacher(folder: Path, dataset: Dataset) -> tuple[Teacher, ModelRecord]:
    """A fine-tuned teacher, or a student that is to be one.

    Raises:
        ArtefactError: missing, corrupt, only pre-trained, or of another data set.
        ConfigError: a student that does not answer for every prefix in one pass, or not by a dot product.
    """
    if read_record(folder).kind == "teacher":
        return load_teacher(folder, dataset)
    student, record = load_student(folder, dataset)
    if isinstance(student, Reranker):
        raise ConfigError(f"{folder}: a {record.name} cannot teach: its score of a pair is no product of two vectors")
    if not isinstance(student, CausalTwoTower):
        raise ConfigError(f"{folder}: a {record.name} cannot teach: it has no user vector for every prefix")
    teacher = SelfTeacher(student, record)
    teacher.eval()
    return teacher, record
