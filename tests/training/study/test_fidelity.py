"""A student is compared with its teachers where it learnt and where it did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from training.causal_encoder import CausalEncoderConfig
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.recipe import DistillConfig
from training.knowledge import TeacherKnowledge
from training.students.base import Student
from training.students.registry import student_family
from training.study.fidelity import Fidelity, fidelity
from training.vector_memory import TeacherMemory


@pytest.fixture(scope="module")
def knowledge(markov: Dataset, both_known: Path) -> TeacherKnowledge:
    return TeacherKnowledge.read(both_known, markov)


def by_rows(found: tuple[Fidelity, ...]) -> dict[str, Fidelity]:
    return {one.rows: one for one in found}


class Parrot:
    """Says what a teacher says: a student with the teacher's own vectors, at whatever rows it is asked next."""

    def __init__(self, memory: TeacherMemory, dataset: Dataset) -> None:
        self.memory, self.dataset, self.max_history = memory, dataset, 50
        rows = np.concatenate([memory.row, dataset.split.validation.row])
        self.vectors = {self._key(row): self._vector(int(row)) for row in rows}

    def _key(self, row: int) -> tuple[int, ...]:
        first = self.dataset.interactions.offsets[self.dataset.interactions.user[row]]
        return tuple(self.dataset.interactions.item[max(first, row - self.max_history) : row].tolist())

    def _vector(self, row: int) -> torch.Tensor:
        held_out = self.memory.held_out
        assert held_out is not None
        at = np.array([row])
        known = row in set(self.dataset.split.validation.row.tolist())
        found = held_out.users_at(at) if known else self.memory.users_at(at)[0]
        return found[0] / (self.memory.entry.temperature * self.memory.entry.calibration)

    def prepared(self) -> object:
        return lambda history: torch.stack([self.vectors[tuple(one[one > 0].tolist())] for one in history])

    def item_matrix(self) -> torch.Tensor:
        return self.memory.items


def test_who_says_the_very_same_is_at_no_distance(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    (teacher, _) = knowledge.with_vectors
    found = fidelity(cast("Student", Parrot(teacher, markov)), (teacher,), markov, 200)
    for one in found:
        assert one.divergence == pytest.approx(0, abs=1e-4)
        assert one.shared_top > 0.999
    assert [(one.rows, one.number) for one in found] == [("learnt", 200), ("held out", 150)]


def test_a_student_comes_nearer_to_its_teachers_by_being_taught(
    markov: Dataset, knowledge: TeacherKnowledge, both_known: Path, small_encoder: CausalEncoderConfig, tmp_path: Path
) -> None:
    fit = {"epochs": 6, "learning_rate": 1e-2, "rows_per_batch": 512, "device": "cpu"}
    recipe = DistillConfig.model_validate({"student": {"encoder": small_encoder.model_dump()}, "fit": fit, "weight": 8})
    found = {}
    for row in ("A0", "A4"):
        distill(Assignment("sasrec", row, both_known), markov, recipe, tmp_path / row)
        found[row] = by_rows(fidelity(load_student(tmp_path / row, markov)[0], knowledge.teachers, markov, 300))
    for rows in ("learnt", "held out"):
        assert found["A4"][rows].divergence < found["A0"][rows].divergence / 2
        assert found["A4"][rows].shared_top > found["A0"][rows].shared_top


def test_rows_that_some_teacher_did_not_score_are_left_out(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    first, other = knowledge.with_vectors
    few = replace(other, row=other.row[:40], user=other.user[:40])
    student = student_family("sasrec").build({}, markov)
    student.eval()
    assert by_rows(fidelity(student, (first, few), markov))["learnt"].number == 40


def test_who_scores_pairs_has_no_distribution(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    student = student_family("deepfm").build({}, markov)
    with pytest.raises(ConfigError, match="DeepFM scores pairs: it has no distribution over the catalogue"):
        fidelity(student, knowledge.teachers, markov)
