from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.artefacts import ArtefactMismatch, ArtefactMissing, read_record
from training.config import ConfigError
from training.dataset import Dataset
from training.evaluation.selection import validation_ndcg
from training.fitting import STATE
from training.teachers.steps import TeacherRecipe, finetune, load_teacher, pretrain


@pytest.fixture(scope="module")
def pretrained(
    markov: Dataset, noise: Dataset, teacher_recipe: TeacherRecipe, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("pretrained") / "unisrec"
    pretrain("unisrec", [markov, noise], teacher_recipe, out)
    return out


def with_ids(recipe: TeacherRecipe) -> TeacherRecipe:
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"item_ids": True})})


def test_a_pre_trained_teacher_is_saved_whole(pretrained: Path) -> None:
    record = read_record(pretrained)
    assert (record.kind, record.stage, record.name) == ("teacher", "pretrained", "unisrec")
    assert record.data.name.count("+") == 1
    assert record.config["text_width"] == 64  # the data set's, not the default's
    assert not (pretrained / STATE).exists()


def test_a_teacher_comes_back_as_it_was_fitted(markov: Dataset, text_teacher: Path) -> None:
    model, record = load_teacher(text_teacher, markov)
    best = record.curve[record.best_epoch - 1].validation
    assert validation_ndcg(model, markov, markov.split.validation, "unmasked") == pytest.approx(best)
    assert not model.training


@pytest.mark.parametrize("item_ids", [False, True], ids=["T", "T+ID"])
def test_fine_tuning_begins_where_pre_training_ended_and_leaves_the_sequence_encoder(
    markov: Dataset,
    teacher_recipe: TeacherRecipe,
    pretrained: Path,
    tmp_path: Path,
    item_ids: bool,  # noqa: FBT001
) -> None:
    recipe = with_ids(teacher_recipe) if item_ids else teacher_recipe
    record = finetune("unisrec", markov, recipe, tmp_path, pretrained)
    model, _ = load_teacher(tmp_path, markov)

    before, after = load_file(pretrained / "model.safetensors"), model.state_dict()
    kept = [name for name in before if torch.equal(before[name], after[name])]
    assert sorted(kept) == sorted(name for name in before if name.startswith(("encoder.position", "encoder.blocks")))
    assert ("ids.weight" in after) == item_ids
    assert record.config["item_ids"] == item_ids


def test_sizes_come_from_the_pre_trained_teacher(
    markov: Dataset, teacher_recipe: TeacherRecipe, pretrained: Path, tmp_path: Path
) -> None:
    other = teacher_recipe.model_copy(update={"model": teacher_recipe.model.model_copy(update={"experts": 5})})
    assert finetune("unisrec", markov, other, tmp_path, pretrained).config["experts"] == 2


def test_the_same_recipe_gives_the_same_weights(
    markov: Dataset, teacher_recipe: TeacherRecipe, text_teacher: Path, tmp_path: Path
) -> None:
    again = finetune("unisrec", markov, teacher_recipe, tmp_path)
    assert again.weights_sha256 == read_record(text_teacher).weights_sha256


def test_only_a_pre_trained_teacher_can_be_begun_with(
    markov: Dataset, teacher_recipe: TeacherRecipe, text_teacher: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtefactMismatch, match="holds a finetuned teacher, not a pre-trained teacher"):
        finetune("unisrec", markov, teacher_recipe, tmp_path, text_teacher)
    with pytest.raises(ArtefactMissing, match="holds no trained model"):
        finetune("unisrec", markov, teacher_recipe, tmp_path, tmp_path / "nothing")


def test_only_a_fine_tuned_teacher_of_this_data_can_be_asked(
    markov: Dataset, noise: Dataset, pretrained: Path, text_teacher: Path
) -> None:
    with pytest.raises(ArtefactMismatch, match="holds a pretrained teacher, not a fine-tuned teacher"):
        load_teacher(pretrained, markov)
    with pytest.raises(ArtefactMismatch, match="was made from 'synthetic'"):
        load_teacher(text_teacher, noise)


def test_texts_of_another_encoder_are_refused_though_their_width_fits(
    markov: Dataset, teacher_recipe: TeacherRecipe, pretrained: Path, text_teacher: Path, tmp_path: Path
) -> None:
    other = markov.text.encoder.model_copy(update={"name": "another", "fingerprint": "0" * 64})
    encoded_otherwise = replace(markov, text=replace(markov.text, encoder=other))
    with pytest.raises(ArtefactMismatch, match="of another"):
        load_teacher(text_teacher, encoded_otherwise)
    with pytest.raises(ArtefactMismatch, match="of another"):
        finetune("unisrec", encoded_otherwise, teacher_recipe, tmp_path, pretrained)


def test_an_unknown_teacher_is_refused_before_anything_is_written(
    markov: Dataset, teacher_recipe: TeacherRecipe, tmp_path: Path
) -> None:
    refusal = "no teacher is called 'bert'; known: unisrec"
    with pytest.raises(ConfigError, match=refusal):
        finetune("bert", markov, teacher_recipe, tmp_path / "out")
    with pytest.raises(ConfigError, match=refusal):
        pretrain("bert", [markov], teacher_recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()
