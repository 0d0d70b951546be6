from pathlib import Path

import pytest
import torch

from training.batches import WindowBatches
from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.distillation.losses import next_item_loss
from training.distillation.recipe import DistillConfig
from training.distillation.rows import study_row
from training.distillation.sequence_lesson import SequenceLesson
from training.distillation.tutoring import TeachingMaterial, Tutoring, tutoring
from training.knowledge import TeacherKnowledge
from training.sequences import train_windows
from training.students.sasrec import SASRec, SASRecConfig


@pytest.fixture
def student(markov: Dataset, small_encoder: CausalEncoderConfig) -> SASRec:
    torch.manual_seed(0)
    return SASRec(SASRecConfig(encoder=small_encoder), len(markov.catalog)).eval()


@pytest.fixture
def taught(markov: Dataset, both_known: Path, tmp_path: Path) -> Tutoring:
    material = TeachingMaterial(markov, TeacherKnowledge.read(both_known, markov), tmp_path, 16)
    return tutoring(study_row("A7"), DistillConfig(warm_up_epochs=4), material)


def test_the_loss_is_the_next_item_loss_and_a_ramp_of_what_teachers_add(
    markov: Dataset, student: SASRec, taught: Tutoring
) -> None:
    batch = next(WindowBatches(train_windows(markov.interactions, markov.split, 8), 64).in_order())
    logits = student.hidden(batch.history)[batch.asked] @ student.item_matrix()[1:].T
    alone = next_item_loss(logits, batch.target[batch.asked] - 1)
    assert torch.allclose(SequenceLesson.over(markov, student, Tutoring(), 64).loss(batch, 1).mean, alone)
    lesson = SequenceLesson.over(markov, student, taught, 64)
    added = torch.stack([lesson.loss(batch, epoch).mean - alone for epoch in (1, 2, 4, 9)])
    assert added[0] > 0
    assert torch.allclose(added / added[0], torch.tensor([1.0, 2, 4, 4]), rtol=1e-3)
    assert lesson.loss(batch, 1).rows == int(batch.asked.sum())


def test_a_curriculum_asks_for_easy_rows_first(
    markov: Dataset, student: SASRec, both_known: Path, tmp_path: Path
) -> None:
    material = TeachingMaterial(markov, TeacherKnowledge.read(both_known, markov), tmp_path, 16)
    lesson = SequenceLesson.over(markov, student, tutoring(study_row("A8"), DistillConfig(), material), 64)
    whole = sum(int(batch.asked.sum()) for batch in lesson.batches.in_order())
    first, last = (sum(lesson.loss(one, epoch).rows for one in lesson.batches.in_order()) for epoch in (1, 31))
    assert 0.25 * whole < first < 0.4 * whole
    assert last == whole
