"""Which lesson fits which student."""

from __future__ import annotations

from training.config import ConfigError
from training.dataset import Contents
from training.distillation.graph_lesson import GraphLesson
from training.distillation.sequence_lesson import SequenceLesson
from training.distillation.tutoring import Tutoring
from training.fitting import Objective
from training.reranker import Reranker
from training.students.base import Student
from training.students.lightgcn import LightGCN
from training.two_tower import CausalTwoTower


def lesson(dataset: Contents, student: Student, tutoring: Tutoring, rows_per_batch: int) -> Objective:
    """What the student is to minimise over the train rows of a data set.

    Raises:
        ConfigError: no lesson is known for a student of this kind.
    """
    if isinstance(student, LightGCN):
        return GraphLesson(student, tutoring, dataset, rows_per_batch)
    if isinstance(student, CausalTwoTower) and not isinstance(student, Reranker):  # its dot product is not its score
        return SequenceLesson.over(dataset, student, tutoring, rows_per_batch)
    raise ConfigError(f"nobody knows how {type(student).__name__} is taught")
