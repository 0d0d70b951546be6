from pathlib import Path

import numpy as np
import pytest
import torch

from training.batches import WindowBatches
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.losses import next_item_loss
from training.distillation.pair_lesson import PairLesson
from training.distillation.recipe import DistillConfig
from training.distillation.rows import study_row
from training.distillation.self_teacher import load_any_teacher
from training.distillation.sequence_lesson import SequenceLesson
from training.distillation.tutoring import TeachingMaterial, Tutoring, tutoring
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.evaluation.scoring import scorer_of
from training.fitting import FitConfig
from training.knowledge import TeacherKnowledge
from training.sequences import train_windows
from training.students.deepfm import DeepFM, DeepFMConfig
from training.students.fm import FMConfig
from training.students.item_fields import item_fields

FIT = FitConfig(epochs=1, learning_rate=1e-2, rows_per_batch=512, device="cpu")


@pytest.fixture
def student(markov: Dataset) -> DeepFM:
    torch.manual_seed(0)
    return DeepFM(DeepFMConfig(fm=FMConfig(max_history=8, init_std=0.3)), item_fields(markov)).eval()


def taught(row: str, markov: Dataset, both_known: Path, folder: Path) -> Tutoring:
    material = TeachingMaterial(markov, TeacherKnowledge.read(both_known, markov), folder, 17)
    return tutoring(study_row(row), DistillConfig(warm_up_epochs=4), material)


def test_over_a_catalogue_that_is_drawn_whole_it_is_the_softmax_of_both_scores(
    markov: Dataset, student: DeepFM
) -> None:
    batch = next(WindowBatches(train_windows(markov.interactions, markov.split, 8), 64).in_order())
    target = batch.target[batch.asked] - 1  # [R]
    context = student.contexts(batch.history).at(batch.asked)  # [R]
    wide = student.hidden(batch.history)[batch.asked] @ student.item_matrix()[1:].T  # [R, N]
    whole = student.pair_scores(context, torch.arange(1, len(markov.catalog) + 1)[None])  # [R, N]
    found = PairLesson.over(markov, student, Tutoring(), 64).loss(batch, 1)
    assert found.rows == target.numel()
    wanted = next_item_loss(wide, target) + next_item_loss(whole, target)
    assert found.mean.item() == pytest.approx(wanted.item(), abs=1e-4)


def test_tutors_teach_retrieval_and_pairs_by_a_ramp(
    markov: Dataset, student: DeepFM, both_known: Path, tmp_path: Path
) -> None:
    batch = next(WindowBatches(train_windows(markov.interactions, markov.split, 8), 64).in_order())
    found = taught("A7", markov, both_known, tmp_path)
    alone, joint = (PairLesson.over(markov, student, one, 64) for one in (Tutoring(), found))
    added = torch.stack([joint.loss(batch, epoch).mean - alone.loss(batch, epoch).mean for epoch in (1, 2, 4, 9)])
    assert torch.allclose(added / added[0], torch.tensor([1.0, 2, 4, 4]), rtol=1e-2)
    as_fm = SequenceLesson.over(markov, student, found, 64).loss(batch, 1).mean
    of_retrieval = as_fm - SequenceLesson.over(markov, student, Tutoring(), 64).loss(batch, 1).mean
    assert added[0].item() > of_retrieval.item() > 0


def test_a_curriculum_asks_for_easy_rows_first(
    markov: Dataset, student: DeepFM, both_known: Path, tmp_path: Path
) -> None:
    lesson = PairLesson.over(markov, student, taught("A8", markov, both_known, tmp_path), 64)
    first, last = (sum(lesson.loss(one, epoch).rows for one in lesson.batches.in_order()) for epoch in (1, 31))
    assert 0.25 * last < first < 0.4 * last
    assert last == markov.split.train_rows(markov.interactions).size


@pytest.mark.parametrize("row", ["A0", "A7"])
def test_a_student_learns_from_a_few_candidates_to_score_the_whole_catalogue(
    markov: Dataset, both_known: Path, tmp_path: Path, row: str
) -> None:
    """Ten of 40; and what decides is no worse than what finds."""
    torch.manual_seed(0)
    model = DeepFM(DeepFMConfig(fm=FMConfig(max_history=8)), item_fields(markov))
    lesson = PairLesson(model, taught(row, markov, both_known, tmp_path), _batches(markov), others=9)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(1, 11):
        for step in lesson.epoch(np.random.default_rng(epoch)):
            optimizer.zero_grad()
            lesson.loss(lesson.batch(step), epoch).mean.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    model.eval()
    wide, full = (
        ndcg(target_ranks(one, markov.interactions, markov.split.test, "unmasked"), 10)
        for one in (TwoTowerScorer.of(model), scorer_of(model))
    )
    assert full > 0.5
    assert full > wide - 0.02


@pytest.mark.parametrize("row", ["A0", "A1", "A5", "A8", "A10", "A13", "C1", "C3", "C5", "C7"])
def test_rows_that_teach_it(markov: Dataset, both_known: Path, tmp_path: Path, row: str) -> None:
    record = distill(Assignment("deepfm", row, both_known), markov, DistillConfig(fit=FIT), tmp_path)
    assert (record.name, record.row, len(record.curve)) == ("deepfm", row, 1)
    student, _ = load_student(tmp_path, markov)
    assert student.parameters_count == record.parameters


@pytest.mark.parametrize("row", ["A11", "A12"])
def test_rows_that_ask_for_the_whole_catalogue_are_refused(
    markov: Dataset, both_known: Path, tmp_path: Path, row: str
) -> None:
    with pytest.raises(ConfigError, match=rf"row {row} \(.*\) cannot teach DeepFM, which scores pairs: at every step"):
        distill(Assignment("deepfm", row, both_known), markov, DistillConfig(fit=FIT), tmp_path)


def test_candidates_of_a_batch_are_refused(markov: Dataset, both_known: Path, tmp_path: Path) -> None:
    recipe = DistillConfig(fit=FIT, candidates="in-batch")
    with pytest.raises(ConfigError, match=r'row A7 .* DeepFM.* candidates = "in-batch": take "catalogue"'):
        distill(Assignment("deepfm", "A7", both_known), markov, recipe, tmp_path)


@pytest.mark.parametrize("row", ["A15", "C8"])
def test_a_beginning_with_the_teachers_vectors_is_refused(
    markov: Dataset, both_known: Path, tmp_path: Path, row: str
) -> None:
    with pytest.raises(ConfigError, match="DeepFM cannot begin with the teachers' item vectors"):
        distill(Assignment("deepfm", row, both_known), markov, DistillConfig(fit=FIT), tmp_path)


def test_its_scores_are_no_cache_of_vectors_so_that_it_cannot_teach(markov: Dataset, tmp_path: Path) -> None:
    distill(Assignment("deepfm", "A0", None), markov, DistillConfig(fit=FIT), tmp_path)
    with pytest.raises(ConfigError, match="a deepfm cannot teach: its score of a pair is no product of two vectors"):
        load_any_teacher(tmp_path, markov)


def _batches(markov: Dataset) -> WindowBatches:
    return WindowBatches(train_windows(markov.interactions, markov.split, 8), 512)
