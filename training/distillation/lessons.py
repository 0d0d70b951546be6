"""Which lesson fits which student, and which rows of the study a student cannot be taught by."""

from __future__ import annotations

from training.config import ConfigError
from training.dataset import Contents
from training.distillation.graph_lesson import GraphLesson
from training.distillation.pair_lesson import PairLesson
from training.distillation.recipe import DistillConfig
from training.distillation.rows import Row
from training.distillation.sequence_lesson import SequenceLesson
from training.distillation.tutoring import Tutoring
from training.fitting import Objective
from training.reranker import Reranker
from training.students.base import Student
from training.students.deepfm import DeepFM
from training.students.lightgcn import LightGCN
from training.two_tower import CausalTwoTower


def lesson(dataset: Contents, student: Student, tutoring: Tutoring, rows_per_batch: int) -> Objective:
    """What the student is to minimise over the train rows of a data set.

    Raises:
        ConfigError: no lesson is known for a student of this kind.
    """
    if isinstance(student, LightGCN):
        return GraphLesson(student, tutoring, dataset, rows_per_batch)
    if isinstance(student, DeepFM):
        return PairLesson.over(dataset, student, tutoring, rows_per_batch)
    if isinstance(student, CausalTwoTower) and not isinstance(student, Reranker):  # its dot product is not its score
        return SequenceLesson.over(dataset, student, tutoring, rows_per_batch)
    raise ConfigError(f"nobody knows how {type(student).__name__} is taught")


def require_teachable(student: Student, row: Row, config: DistillConfig) -> None:
    """Before any work is done for it, refuse a row that asks a student for what it has not.

    A student that scores pairs has a distribution over the candidates of a row at hand, not over the catalogue: tutors
    that ask for that could teach its retrieval alone, and the row would not be what it says.

    Raises:
        ConfigError: naming row and student.
    """
    teaching = row.teaching
    if teaching is None:
        return
    special = [name for name in ("gated", "trusted") if getattr(teaching, name)]
    if teaching.weighting in ("learned", "by user"):
        special.append(teaching.weighting)
    if special and config.candidates != "catalogue":
        raise ConfigError(
            f"row {row.name} ({row.meaning}) is taught by soft targets over the whole catalogue: "
            f'candidates = "{config.candidates}" has none'
        )
    if not isinstance(student, Reranker):
        return
    who = f"row {row.name} ({row.meaning}) cannot teach {type(student).__name__}, which scores pairs"
    if teaching.lesson in ("dllm2rec", "relaxed ranking"):
        raise ConfigError(f"{who}: at every step it asks for the student's scores of the whole catalogue")
    if teaching.lesson == "distribution" and config.candidates != "catalogue":
        raise ConfigError(f'{who}, over candidates = "{config.candidates}": take "catalogue"')
