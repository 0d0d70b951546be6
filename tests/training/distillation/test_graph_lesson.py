from pathlib import Path

import numpy as np
import pytest
import torch

from training.dataset import Dataset
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.graph_lesson import GraphLesson
from training.distillation.recipe import DistillConfig
from training.distillation.rows import study_row
from training.distillation.tutoring import TeachingMaterial, Tutoring, tutoring
from training.evaluation.baselines import Popularity
from training.evaluation.metrics import recall
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.fitting import FitConfig
from training.knowledge import TeacherKnowledge
from training.students.lightgcn import LightGCN, LightGCNConfig
from training.students.user_graph import train_graph


@pytest.fixture
def student(markov: Dataset) -> LightGCN:
    torch.manual_seed(0)
    return LightGCN(LightGCNConfig(width=8), train_graph(markov))


def test_an_epoch_asks_every_user_once_for_all_train_items(markov: Dataset, student: LightGCN) -> None:
    lesson = GraphLesson(student, Tutoring(), markov, 64)
    steps = lesson.epoch(np.random.default_rng(0))
    assert sorted(np.concatenate(steps).tolist()) == np.flatnonzero(markov.split.train_end >= 2).tolist()
    assert all(step.size <= 64 for step in steps)
    batch = lesson.batch(steps[0])
    offsets = markov.interactions.offsets
    for line, user in enumerate(steps[0].tolist()):
        wanted = markov.interactions.item[offsets[user] : offsets[user] + markov.split.train_end[user]]
        assert batch.item[batch.line == line].tolist() == wanted.tolist()
        assert int(batch.target[line]) == wanted[-1]
    rows = set(markov.split.train_rows(markov.interactions).tolist())
    assert set(batch.row.tolist()) <= rows


def test_teachers_add_to_the_loss(markov: Dataset, student: LightGCN, both_known: Path, tmp_path: Path) -> None:
    material = TeachingMaterial(markov, TeacherKnowledge.read(both_known, markov), tmp_path, 8)
    taught = tutoring(study_row("A7"), DistillConfig(), material)
    alone, joint = (GraphLesson(student, one, markov, 300) for one in (Tutoring(), taught))
    batch = alone.batch(np.arange(200))
    assert joint.loss(batch, 5).mean > joint.loss(batch, 1).mean > alone.loss(batch, 1).mean


def test_a_student_of_a_graph_learns_who_meets_what(markov: Dataset, both_known: Path, tmp_path: Path) -> None:
    fit = FitConfig(epochs=30, learning_rate=2e-2, rows_per_batch=100, device="cpu")
    recipe = DistillConfig(student={"width": 16}, fit=fit)
    distill(Assignment("lightgcn", "A7", both_known), markov, recipe, tmp_path)
    learnt, _ = load_student(tmp_path, markov)
    popularity = Popularity.fit(markov.interactions, markov.split, len(markov.catalog))
    found, floor = (
        recall(target_ranks(one, markov.interactions, markov.split.test, "unmasked"), 10)
        for one in (TwoTowerScorer.of(learnt), popularity)
    )
    assert found > floor
