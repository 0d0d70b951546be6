from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.artefacts import RECORD, ArtefactCorrupt, ArtefactMismatch, ArtefactMissing, read_record
from training.dataset import Dataset
from training.evaluation.selection import evenly, validation_ndcg
from training.fitting import STATE, FitConfig
from training.lineage import lineage_of
from training.teachers.steps import finetune, load_teacher, pretrain
from training.teachers.unisrec_kind import UniSRecKind, UniSRecRecipe


@pytest.fixture(scope="module")
def pretrained(
    markov: Dataset, noise: Dataset, teacher_recipe: UniSRecRecipe, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("pretrained") / "unisrec"
    pretrain(UniSRecKind(), [markov, noise], teacher_recipe, out)
    return out


def with_ids(recipe: UniSRecRecipe) -> UniSRecRecipe:
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"item_ids": True})})


def test_a_pre_trained_teacher_is_saved_whole(pretrained: Path) -> None:
    record = read_record(pretrained)
    assert (record.kind, record.stage, record.name) == ("teacher", "pretrained", "unisrec")
    assert record.data.name.count("+") == 1
    assert record.config["text_width"] == 64  # the data set's, not the default's
    assert record.cut_short is None  # it has a budget
    assert not (pretrained / STATE).exists()


def test_a_teacher_comes_back_as_it_was_fitted(markov: Dataset, text_teacher: Path) -> None:
    model, record = load_teacher(text_teacher, markov)
    best = record.curve[record.best_epoch - 1].validation
    assert validation_ndcg(model, markov, markov.split.validation, "unmasked") == pytest.approx(best)
    assert not model.training


@pytest.mark.parametrize("item_ids", [False, True], ids=["T", "T+ID"])
def test_fine_tuning_begins_where_pre_training_ended_and_leaves_the_sequence_encoder(
    markov: Dataset,
    teacher_recipe: UniSRecRecipe,
    pretrained: Path,
    tmp_path: Path,
    item_ids: bool,  # noqa: FBT001
) -> None:
    recipe = with_ids(teacher_recipe) if item_ids else teacher_recipe
    record = finetune(UniSRecKind(), markov, recipe, tmp_path, pretrained)
    model, _ = load_teacher(tmp_path, markov)

    before, after = load_file(pretrained / "model.safetensors"), model.state_dict()
    kept = [name for name in before if torch.equal(before[name], after[name])]
    unread = "textless"  # every item has a text
    still = ("encoder.position", "encoder.blocks", unread)
    assert sorted(kept) == sorted(name for name in before if name.startswith(still))
    assert ("ids.weight" in after) == item_ids
    assert record.config["item_ids"] == item_ids


def test_sizes_come_from_the_pre_trained_teacher(
    markov: Dataset, teacher_recipe: UniSRecRecipe, pretrained: Path, tmp_path: Path
) -> None:
    other = teacher_recipe.model_copy(update={"model": teacher_recipe.model.model_copy(update={"experts": 5})})
    assert finetune(UniSRecKind(), markov, other, tmp_path, pretrained).config["experts"] == 2


def test_the_same_recipe_gives_the_same_weights(
    markov: Dataset, teacher_recipe: UniSRecRecipe, text_teacher: Path, tmp_path: Path
) -> None:
    again = finetune(UniSRecKind(), markov, teacher_recipe, tmp_path)
    assert again.weights_sha256 == read_record(text_teacher).weights_sha256


def test_only_a_pre_trained_teacher_can_be_begun_with(
    markov: Dataset, teacher_recipe: UniSRecRecipe, text_teacher: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtefactMismatch, match="holds a finetuned teacher, not a pre-trained teacher"):
        finetune(UniSRecKind(), markov, teacher_recipe, tmp_path, text_teacher)
    with pytest.raises(ArtefactMissing, match="holds no trained model"):
        finetune(UniSRecKind(), markov, teacher_recipe, tmp_path, tmp_path / "nothing")


def test_only_a_fine_tuned_teacher_of_this_data_can_be_asked(
    markov: Dataset, noise: Dataset, pretrained: Path, text_teacher: Path
) -> None:
    with pytest.raises(ArtefactMismatch, match="holds a pretrained teacher, not a fine-tuned teacher"):
        load_teacher(pretrained, markov)
    with pytest.raises(ArtefactMismatch, match="was made from 'synthetic'"):
        load_teacher(text_teacher, noise)


def test_texts_of_another_encoder_are_refused_though_their_width_fits(
    markov: Dataset, teacher_recipe: UniSRecRecipe, pretrained: Path, text_teacher: Path, tmp_path: Path
) -> None:
    other = markov.text.encoder.model_copy(update={"name": "another", "fingerprint": "0" * 64})
    encoded_otherwise = replace(markov, text=replace(markov.text, encoder=other))
    own = markov.text.encoder.fingerprint
    said = f"{{}} reads other content than that of {markov.folder}: text_encoder is '{own}' there and '{'0' * 64}' here"
    with pytest.raises(ArtefactMismatch, match=re.escape(said.format(text_teacher))):
        load_teacher(text_teacher, encoded_otherwise)
    with pytest.raises(ArtefactMismatch, match=re.escape(said.format(pretrained))):
        finetune(UniSRecKind(), encoded_otherwise, teacher_recipe, tmp_path, pretrained)
    assert not list(tmp_path.iterdir())


def test_a_record_of_settings_that_are_unknown_is_refused_by_folder_and_field(
    markov: Dataset, text_teacher: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(text_teacher, tmp_path / "newer")
    page = json.loads((folder / RECORD).read_text())
    page["config"]["flavour"] = "strawberry"
    (folder / RECORD).write_text(json.dumps(page))
    with pytest.raises(ArtefactCorrupt, match=rf"{folder / RECORD}: its config is no unisrec's: (.|\n)*flavour"):
        load_teacher(folder, markov)


def test_what_a_teacher_was_started_from_is_told(
    markov: Dataset, teacher_recipe: UniSRecRecipe, pretrained: Path, text_teacher: Path, tmp_path: Path
) -> None:
    assert read_record(text_teacher).started_from == ""
    record = finetune(UniSRecKind(), markov, teacher_recipe, tmp_path, pretrained)
    assert record.started_from == read_record(pretrained).weights_sha256


@pytest.mark.parametrize(("first", "then"), [(1, 0), (0, 1), (0, 0)])
def test_a_stage_that_was_cut_short_is_noted(
    markov: Dataset, teacher_recipe: UniSRecRecipe, tmp_path: Path, first: int, then: int
) -> None:
    def stage(short: int) -> FitConfig:
        """One epoch, or steps so small that the second brings nothing."""
        size = {"epochs": 1} if short else {"epochs": 9, "patience": 1, "learning_rate": 1e-12}
        return teacher_recipe.finetune.fit.model_copy(update=size)

    settings = teacher_recipe.finetune.model_copy(update={"fit": stage(first), "ids": stage(then)})
    recipe = with_ids(teacher_recipe).model_copy(update={"finetune": settings})
    assert finetune(UniSRecKind(), markov, recipe, tmp_path).cut_short == bool(first or then)


def test_few_validation_users_can_stop_a_training(
    markov: Dataset, teacher_recipe: UniSRecRecipe, tmp_path: Path
) -> None:
    settings = teacher_recipe.finetune.model_copy(update={"validation_users": 20})
    record = finetune(UniSRecKind(), markov, teacher_recipe.model_copy(update={"finetune": settings}), tmp_path)
    model, _ = load_teacher(tmp_path, markov)
    some = evenly(markov.split.validation, 20)
    assert len(some) == 20
    best = record.curve[record.best_epoch - 1].validation
    assert best == pytest.approx(validation_ndcg(model, markov, some, "unmasked"))
    assert best != pytest.approx(validation_ndcg(model, markov, markov.split.validation, "unmasked"))


def test_pre_training_knows_no_ids(markov: Dataset, teacher_recipe: UniSRecRecipe, tmp_path: Path) -> None:
    record = pretrain(UniSRecKind(), [markov], with_ids(teacher_recipe), tmp_path)
    assert record.config["item_ids"] is False
    assert record.data == lineage_of(markov)
