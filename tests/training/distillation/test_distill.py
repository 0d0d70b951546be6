"""Distillation end to end, on data whose structure is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from training.artefacts import ArtefactMismatch, read_record
from training.batches import WindowBatches
from training.causal_encoder import CausalEncoderConfig
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.candidates import CandidateMode
from training.distillation.distill import Distillation, DistillConfig, distill, load_student
from training.distillation.losses import next_item_loss
from training.distillation.rows import study_row
from training.distillation.teacher_panel import TeacherPanel
from training.evaluation.baselines import Popularity
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.fitting import STATE
from training.knowledge import TeacherKnowledge, gather
from training.lineage import lineage_of
from training.sequences import train_windows
from training.students.sasrec import SASRec, SASRecConfig
from training.teachers.steps import load_teacher

BY_CHANCE = sum(1 / math.log2(1 + rank) for rank in range(1, 11)) / 40
"""NDCG@10 of a guess among 40 items."""
Recipe = Callable[..., DistillConfig]


@pytest.fixture(scope="module")
def recipe(small_encoder: CausalEncoderConfig) -> Recipe:
    def make(epochs: int = 2, **changes: object) -> DistillConfig:
        fit = {"epochs": epochs, "learning_rate": 1e-2, "rows_per_batch": 512, "device": "cpu"}
        student = {"encoder": small_encoder.model_dump()}
        return DistillConfig.model_validate({"student": student, "fit": fit, "warm_up_epochs": 1, **changes})

    return make


def ndcg_on_test(folder: Path, dataset: Dataset) -> float:
    model, _ = load_student(folder, lineage_of(dataset), len(dataset.catalog))
    return ndcg(target_ranks(TwoTowerScorer.of(model), dataset.interactions, dataset.split.test, "unmasked"), 10)


@pytest.fixture(scope="module")
def learnt(
    markov: Dataset, both_known: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Row -> folder of a student trained until it knows the structure."""
    root = tmp_path_factory.mktemp("learnt")
    for row in ("A0", "A7"):
        distill("sasrec", markov, row, recipe(epochs=8), (both_known, root / row))
    return {row: root / row for row in ("A0", "A7")}


@pytest.mark.parametrize("row", ["A0", "A7"])
def test_a_student_learns_the_structure_of_the_data(markov: Dataset, learnt: dict[str, Path], row: str) -> None:
    interactions, split = markov.interactions, markov.split
    popularity = Popularity.fit(interactions, split, len(markov.catalog))
    floor = ndcg(target_ranks(popularity, interactions, split.test, "unmasked"), 10)
    assert ndcg_on_test(learnt[row], markov) > 0.5 > 2 * floor


def test_a_student_learns_nothing_from_noise(noise: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    distill("sasrec", noise, "A0", recipe(epochs=4), (None, tmp_path))
    assert ndcg_on_test(tmp_path, noise) < 2 * BY_CHANCE


def test_the_record_says_who_was_learnt_from(markov: Dataset, learnt: dict[str, Path], both_known: Path) -> None:
    alone, joint = (read_record(learnt[row]) for row in ("A0", "A7"))
    knowledge = TeacherKnowledge.read(both_known, markov)
    assert alone.teachers == ()
    assert [one.fingerprint for one in joint.teachers] == [one.entry.fingerprint for one in knowledge.teachers]
    assert (joint.kind, joint.stage, joint.label) == ("student", "distilled", "sasrec A7")
    assert (learnt["A7"] / joint.data_folder).resolve() == markov.folder.resolve()
    assert joint.parameters == alone.parameters  # teachers add nothing to what is served
    assert not (learnt["A7"] / STATE).exists()


@pytest.mark.parametrize("mode", ["catalogue", "in-batch", "in-batch+uniform"])
def test_every_kind_of_candidates_teaches(
    markov: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path, mode: CandidateMode
) -> None:
    record = distill("sasrec", markov, "A7", recipe(epochs=3, candidates=mode), (both_known, tmp_path))
    assert all(math.isfinite(point.loss) for point in record.curve)
    assert ndcg_on_test(tmp_path, markov) > 2 * BY_CHANCE


def test_one_teacher_alone_can_be_learnt_from(
    markov: Dataset, id_teacher: Path, recipe: Recipe, tmp_path: Path
) -> None:
    gather(markov, [load_teacher(id_teacher, markov)], tmp_path / "knowledge")
    record = distill("sasrec", markov, "A7", recipe(), (tmp_path / "knowledge", tmp_path / "student"))
    assert [one.fingerprint for one in record.teachers] == [read_record(id_teacher).weights_sha256]


def test_a_single_row_hears_its_teacher(markov: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path) -> None:
    records = [distill("sasrec", markov, row, recipe(epochs=1), (both_known, tmp_path / row)) for row in ("A1", "A2")]
    assert [len(record.teachers) for record in records] == [1, 1]
    assert records[0].teachers != records[1].teachers
    assert records[0].weights_sha256 != records[1].weights_sha256


def test_a_row_with_teachers_needs_knowledge(markov: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"row A7 .* needs --knowledge; without teachers there is row A0"):
        distill("sasrec", markov, "A7", recipe(), (None, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_knowledge_of_other_data_is_refused(noise: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ArtefactMismatch, match="was made from"):
        distill("sasrec", noise, "A7", recipe(), (both_known, tmp_path))


def test_a_misspelt_size_of_the_student_is_refused(markov: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"student: encoder\.widht: Extra inputs"):
        distill("sasrec", markov, "A0", recipe(student={"encoder": {"widht": 8}}), (None, tmp_path))


def test_a_student_is_read_back_only_for_its_own_data(
    markov: Dataset, noise: Dataset, learnt: dict[str, Path], text_teacher: Path
) -> None:
    with pytest.raises(ArtefactMismatch, match="was made from"):
        load_student(learnt["A0"], lineage_of(noise), len(noise.catalog))
    with pytest.raises(ArtefactMismatch, match="holds a teacher, not a student"):
        load_student(text_teacher, lineage_of(markov), len(markov.catalog))


def test_the_loss_is_the_next_item_loss_and_a_ramp_of_what_teachers_add(
    markov: Dataset, both_known: Path, small_encoder: CausalEncoderConfig, recipe: Recipe
) -> None:
    torch.manual_seed(0)
    student = SASRec(SASRecConfig(encoder=small_encoder), len(markov.catalog)).eval()
    row = study_row("A7")
    panel = TeacherPanel(TeacherKnowledge.read(both_known, markov), row, torch.device("cpu"))
    batch = next(WindowBatches(train_windows(markov.interactions, markov.split, 8), 64).in_order())
    logits = student.hidden(batch.history)[batch.asked] @ student.item_matrix()[1:].T
    alone = next_item_loss(logits, batch.target[batch.asked] - 1)
    objective = Distillation(student, panel, row, recipe(warm_up_epochs=4, weight=2.0))
    added = [objective.loss(batch, epoch).mean - alone for epoch in (1, 2, 4, 9)]
    assert added[0] > 0
    assert torch.allclose(torch.stack(added) / added[0], torch.tensor([1.0, 2, 4, 4]), rtol=1e-3)
    assert torch.allclose(Distillation(student, None, study_row("A0"), recipe()).loss(batch, 1).mean, alone)
    assert torch.allclose(Distillation(student, panel, row, recipe(weight=0)).loss(batch, 1).mean, alone)
