"""A student is compared with its teachers where it learnt and where it did not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from benchmarks.fidelity import app
from training.causal_encoder import CausalEncoderConfig
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.recipe import DistillConfig
from training.evaluation.selection import selection_half
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


def test_the_distance_is_from_the_mean_of_the_teachers_and_over_all_rows(
    markov: Dataset, knowledge: TeacherKnowledge
) -> None:
    """Worked out one row at a time, by a student that says what the first of two says."""
    first, other = knowledge.with_vectors
    found = by_rows(fidelity(cast("Student", Parrot(first, markov)), (first, other), markov, 10**9))
    rows = selection_half(markov.split.validation).row
    own, its = (one.held_out_log_p(rows).exp().double().numpy() for one in (first, other))  # [R, N] each
    apart, shared = [], []
    for q, p in zip(own, (own + its) / 2, strict=True):
        apart.append(float(sum(p * np.log(p / q))))
        shared.append(len({*np.argsort(-p)[:10].tolist()} & {*np.argsort(-q)[:10].tolist()}) / 10)
    assert found["held out"].number == len(rows)
    assert found["held out"].divergence == pytest.approx(np.mean(apart), rel=1e-3)
    assert found["held out"].divergence > 0.01
    assert found["held out"].shared_top == pytest.approx(np.mean(shared), abs=0.01)
    assert 0.1 < found["held out"].shared_top < 0.99


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


def test_teachers_without_a_row_in_common_are_refused(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    first, other = knowledge.with_vectors
    one, two = (
        replace(first, row=first.row[:9], user=first.user[:9]),
        replace(other, row=other.row[9:], user=other.user[9:]),
    )
    with pytest.raises(ConfigError, match="no row was scored by each of unisrec, unisrec"):
        fidelity(student_family("sasrec").build({}, markov), (one, two), markov)


def test_the_command_tells_of_each_student_at_both_kinds_of_rows(
    markov: Dataset, both_known: Path, small_encoder: CausalEncoderConfig, tmp_path: Path
) -> None:
    recipe = {"student": {"encoder": small_encoder.model_dump()}, "fit": {"epochs": 1, "device": "cpu"}}
    for name, changes in (("plain", {}), ("minding", {"repeat_offsets": True})):
        made = DistillConfig.model_validate({**recipe, **changes})
        distill(Assignment("sasrec", "A4", both_known), markov, made, tmp_path / name)
    arguments = [str(tmp_path / "plain"), str(tmp_path / "minding"), "--data", str(markov.folder), "--rows", "50"]
    arguments += ["--knowledge", str(both_known), "--out", str(tmp_path / "told" / "fidelity.json")]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert f"{tmp_path / 'plain'} (sasrec A4), 50 rows learnt: divergence " in done.output
    page = json.loads((tmp_path / "told" / "fidelity.json").read_text("utf-8"))
    assert [one["rows"] for one in page["students"]] == ["learnt", "held out"] * 2
    known = TeacherKnowledge.read(both_known, markov).teachers
    for place, memories in ((0, known), (2, tuple(one.minding_repeats() for one in known))):
        student, record = load_student(tmp_path / ("minding" if place else "plain"), markov)
        wanted = fidelity(student, memories, markov, 50)
        assert page["students"][place]["divergence"] == pytest.approx(wanted[0].divergence)
        assert page["students"][place]["weights_sha256"] == record.weights_sha256


def test_who_scores_pairs_has_no_distribution(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    student = student_family("deepfm").build({}, markov)
    with pytest.raises(ConfigError, match="DeepFM scores pairs: it has no distribution over the catalogue"):
        fidelity(student, knowledge.teachers, markov)
