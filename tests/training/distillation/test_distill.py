"""Distillation end to end, on data whose structure is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from training.artefacts import ArtefactMismatch, read_record
from training.causal_encoder import CausalEncoderConfig
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.candidates import AddedCandidates
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.recipe import DistillConfig
from training.distillation.rows import ROWS
from training.evaluation.baselines import Popularity
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.fitting import STATE
from training.knowledge import TeacherKnowledge, gather
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
    model, _ = load_student(folder, dataset)
    return ndcg(target_ranks(TwoTowerScorer.of(model), dataset.interactions, dataset.split.test, "unmasked"), 10)


@pytest.fixture(scope="module")
def learnt(
    markov: Dataset, both_known: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Row -> folder of a student trained until it knows the structure."""
    root = tmp_path_factory.mktemp("learnt")
    for row in ("A0", "A7"):
        distill(Assignment("sasrec", row, both_known), markov, recipe(epochs=8), root / row)
    return {row: root / row for row in ("A0", "A7")}


@pytest.mark.parametrize("row", ["A0", "A7"])
def test_a_student_learns_the_structure_of_the_data(markov: Dataset, learnt: dict[str, Path], row: str) -> None:
    interactions, split = markov.interactions, markov.split
    popularity = Popularity.fit(interactions, split, len(markov.catalog))
    floor = ndcg(target_ranks(popularity, interactions, split.test, "unmasked"), 10)
    assert ndcg_on_test(learnt[row], markov) > 0.5 > 2 * floor


def test_a_student_learns_nothing_from_noise(noise: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    distill(Assignment("sasrec", "A0", None), noise, recipe(epochs=4), tmp_path)
    assert ndcg_on_test(tmp_path, noise) < 2 * BY_CHANCE


def test_the_record_says_who_was_learnt_from(markov: Dataset, learnt: dict[str, Path], both_known: Path) -> None:
    alone, joint = (read_record(learnt[row]) for row in ("A0", "A7"))
    assert [one.repeat_offset for one in joint.teachers] == [None, None]  # there are, and they were not heard
    knowledge = TeacherKnowledge.read(both_known, markov)
    assert alone.teachers == ()
    assert [one.fingerprint for one in joint.teachers] == [one.entry.fingerprint for one in knowledge.teachers]
    assert (joint.kind, joint.stage, joint.label) == ("student", "distilled", "sasrec A7")
    assert (learnt["A7"] / joint.data_folder).resolve() == markov.folder.resolve()
    assert joint.parameters == alone.parameters  # teachers add nothing to what is served
    assert not (learnt["A7"] / STATE).exists()


@pytest.mark.parametrize("mode", ["catalogue", "in-batch", "in-batch+uniform", "in-batch+uniform+top-k"])
def test_every_kind_of_candidates_teaches(
    markov: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path, mode: AddedCandidates
) -> None:
    record = distill(Assignment("sasrec", "A7", both_known), markov, recipe(epochs=3, candidates=mode), tmp_path)
    assert all(math.isfinite(point.loss) for point in record.curve)
    assert ndcg_on_test(tmp_path, markov) > 2 * BY_CHANCE


@pytest.mark.parametrize("row", ["A7", "C3", "C5", "A14"])
def test_teachers_that_mind_repeats_teach(
    markov: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path, row: str
) -> None:
    minding = recipe(epochs=3, repeat_offsets=True)
    record = distill(Assignment("sasrec", row, both_known), markov, minding, tmp_path)
    assert record.recipe["repeat_offsets"] is True
    assert all(math.isfinite(point.loss) for point in record.curve)
    heard = [one.entry.repeats for one in TeacherKnowledge.read(both_known, markov).teachers]
    told = [one.repeat_offset for one in record.teachers]
    assert told == ([None] if row == "C5" else [one.offset for one in heard if one is not None])
    if row == "A7":
        assert ndcg_on_test(tmp_path, markov) > 0.5


def test_offsets_where_the_prefix_is_no_candidate_are_refused(recipe: Recipe) -> None:
    with pytest.raises(ValueError, match="repeat_offsets: candidates = 'in-batch' has no item of the prefix to move"):
        recipe(repeat_offsets=True, candidates="in-batch")


def test_soft_targets_over_the_catalogue_are_made_only_for_tutors_that_read_them(
    markov: Dataset, text_teacher: Path, recipe: Recipe, tmp_path: Path
) -> None:
    gather(markov, [load_teacher(text_teacher, markov)], tmp_path / "knowledge")
    for row, changes in (("A7", {"candidates": "in-batch"}), ("A11", {})):
        distill(Assignment("sasrec", row, tmp_path / "knowledge"), markov, recipe(1, **changes), tmp_path / row)
        assert read_record(tmp_path / row).heard is None
    assert not (tmp_path / "knowledge" / "soft-targets").exists()


def test_one_teacher_alone_can_be_learnt_from(
    markov: Dataset, id_teacher: Path, recipe: Recipe, tmp_path: Path
) -> None:
    gather(markov, [load_teacher(id_teacher, markov)], tmp_path / "knowledge")
    record = distill(Assignment("sasrec", "A7", tmp_path / "knowledge"), markov, recipe(), tmp_path / "student")
    assert [one.fingerprint for one in record.teachers] == [read_record(id_teacher).weights_sha256]


def test_a_single_row_hears_its_teacher(markov: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path) -> None:
    records = [
        distill(Assignment("sasrec", row, both_known), markov, recipe(epochs=1), tmp_path / row) for row in ("A1", "A2")
    ]
    assert [len(record.teachers) for record in records] == [1, 1]
    assert records[0].teachers != records[1].teachers
    assert records[0].weights_sha256 != records[1].weights_sha256


def test_a_row_with_teachers_needs_knowledge(markov: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"row A7 .* needs --knowledge; without teachers there is row A0"):
        distill(Assignment("sasrec", "A7", None), markov, recipe(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_knowledge_of_other_data_is_refused(noise: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ArtefactMismatch, match="was made from"):
        distill(Assignment("sasrec", "A7", both_known), noise, recipe(), tmp_path)


def test_a_misspelt_size_of_the_student_is_refused(markov: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"student sasrec: encoder\.widht: Extra inputs"):
        distill(Assignment("sasrec", "A0", None), markov, recipe(student={"encoder": {"widht": 8}}), tmp_path)


def test_a_student_is_read_back_only_for_its_own_data(
    markov: Dataset, noise: Dataset, learnt: dict[str, Path], text_teacher: Path
) -> None:
    with pytest.raises(ArtefactMismatch, match="was made from"):
        load_student(learnt["A0"], noise)
    with pytest.raises(ArtefactMismatch, match="holds a teacher, not a student"):
        load_student(text_teacher, markov)


@pytest.mark.parametrize("row", sorted(ROWS))
def test_every_row_of_the_study_trains(
    markov: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path, row: str
) -> None:
    if row in ("A3", "A16"):
        with pytest.raises(ConfigError, match=r"the row hears teacher [34], the cache holds 2"):
            distill(Assignment("sasrec", row, both_known), markov, recipe(), tmp_path)
        return
    record = distill(Assignment("sasrec", row, both_known), markov, recipe(epochs=2), tmp_path)
    assert record.row == row
    assert all(math.isfinite(point.loss) for point in record.curve)
    assert ndcg_on_test(tmp_path, markov) > BY_CHANCE


def test_the_record_says_how_much_each_teacher_was_heard(markov: Dataset, learnt: dict[str, Path]) -> None:
    heard = read_record(learnt["A7"]).heard
    assert heard is not None
    assert read_record(learnt["A0"]).heard is None
    assert heard.rows == markov.split.train_rows(markov.interactions).size
    assert math.isclose(sum(heard.mean_weight), 1, abs_tol=1e-2)
    assert all(math.isclose(sum(one), 1, abs_tol=1e-2) for one in heard.weight_sample)
    assert 0 < heard.agreement <= 1 + 1e-3
    memory = read_record(learnt["A7"]).peak_memory_mb
    assert memory is not None
    assert memory > 50


def test_students_of_all_seeds_share_the_soft_targets(
    markov: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path
) -> None:
    for seed in (0, 1):
        distill(Assignment("sasrec", "A6", both_known), markov, recipe(epochs=1).seeded(seed), tmp_path / str(seed))
        found = {one: one.stat().st_mtime_ns for one in (both_known / "soft-targets").rglob("*.npy")}
        if seed == 0:
            before = found
    assert found == before


def test_a_control_without_a_cache_leaves_no_soft_targets(markov: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    distill(Assignment("sasrec", "C5", None), markov, recipe(epochs=1), tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_a_seed_changes_the_student(markov: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    records = [
        distill(Assignment("sasrec", "A0", None), markov, recipe(epochs=1).seeded(seed), tmp_path / str(number))
        for number, seed in enumerate((0, 0, 1))
    ]
    assert [one.seed for one in records] == [0, 0, 1]
    assert records[0].weights_sha256 == records[1].weights_sha256 != records[2].weights_sha256


def test_in_the_last_stage_nobody_teaches(markov: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    """A teacher of what is popular, heard above all else, teaches nothing more; alone a student finds out."""
    loud = {"weight": 1e4, "warm_up_epochs": 0}
    taught = distill(Assignment("sasrec", "C5", None), markov, recipe(3, **loud), tmp_path / "taught")
    both = distill(Assignment("sasrec", "C5", None), markov, recipe(3, **loud, alone_epochs=8), tmp_path / "both")
    told = [[(one.epoch, one.loss, one.validation) for one in record.curve] for record in (taught, both)]
    assert told[1][:3] == told[0]
    assert len(told[1]) == 11
    assert ndcg_on_test(tmp_path / "taught", markov) < 2 * BY_CHANCE
    assert ndcg_on_test(tmp_path / "both", markov) > 0.5
    assert both.teachers == taught.teachers  # it was taught by it all the same
    assert both.seconds == pytest.approx(sum(one.seconds for one in both.curve))
    assert sorted(one.name for one in (tmp_path / "both").iterdir()) == ["model.json", "model.safetensors"]


@pytest.mark.parametrize("family", ["gru4rec", "fm", "deepfm", "lightgcn"])
def test_every_student_goes_on_without_teachers(markov: Dataset, recipe: Recipe, tmp_path: Path, family: str) -> None:
    """A loss in which popularity is heard above all else is no loss of the next items."""
    loud = recipe(1, student={}, alone_epochs=1, weight=1e4, warm_up_epochs=0)
    first, last = distill(Assignment(family, "C5", None), markov, loud, tmp_path).curve
    assert (first.stage, last.stage) == (1, 2)
    assert 0 < last.loss < 10 < first.loss


@pytest.mark.parametrize("row", ["A0", "A13"])
def test_a_last_stage_without_teachers_before_or_beside_what_aligns_them(
    markov: Dataset, both_known: Path, recipe: Recipe, tmp_path: Path, row: str
) -> None:
    record = distill(Assignment("sasrec", row, both_known), markov, recipe(2, alone_epochs=2), tmp_path)
    assert len(record.curve) == 4
    assert record.curve[record.best_epoch - 1].validation == max(one.validation for one in record.curve)
    assert ndcg_on_test(tmp_path, markov) > BY_CHANCE
