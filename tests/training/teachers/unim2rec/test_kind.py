from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.artefacts import ArtefactMismatch
from training.causal_encoder import CausalEncoderConfig
from training.config import ConfigError
from training.dataset import Dataset
from training.evaluation.metrics import recall
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.evaluation.selection import validation_ndcg
from training.fitting import FitConfig
from training.teachers.corpus import Corpus
from training.teachers.finetuning import CatalogueFinetuneConfig
from training.teachers.registry import teacher_kind
from training.teachers.steps import finetune, load_teacher, pretrain
from training.teachers.unim2rec.content import ModalityName
from training.teachers.unim2rec.kind import UniM2RecKind, UniM2RecRecipe
from training.teachers.unim2rec.pretraining import UniM2RecPretrainConfig
from training.teachers.unim2rec.unim2rec import UniM2Rec, UniM2RecConfig

KIND = UniM2RecKind()


def recipe_of(
    encoder: CausalEncoderConfig, *, epochs: int = 1, freeze: bool = False, **model: object
) -> UniM2RecRecipe:
    fit = FitConfig(epochs=epochs, learning_rate=1e-2, rows_per_batch=512, device="cpu")
    return UniM2RecRecipe(
        model=UniM2RecConfig(encoder=encoder, experts=2).model_copy(update=model),
        pretrain=UniM2RecPretrainConfig(fit=fit),
        finetune=CatalogueFinetuneConfig(fit=fit, freeze_sequence_encoder=freeze),
    )


def fresh(config: UniM2RecConfig, corpus: Corpus) -> UniM2Rec:
    """No weight of it is what another fresh one has, though some parts begin at 0."""
    model = KIND.build(config, corpus)
    for one in model.parameters():
        torch.nn.init.normal_(one, std=0.1)
    return model


def begun(pretrained: UniM2Rec, dataset: Dataset, recipe: UniM2RecRecipe) -> tuple[set[str], UniM2Rec]:
    """What fine-tuning begins with on a data set, and which weights it has from the pre-trained model."""
    corpus = Corpus.of([dataset])
    model = fresh(KIND.tuned(recipe.model, pretrained.config).reading(corpus), corpus)
    KIND.adopt(model, pretrained, recipe)
    known = pretrained.state_dict()
    return {name for name, one in model.state_dict().items() if name in known and torch.equal(one, known[name])}, model


def test_it_is_known_by_its_name() -> None:
    assert isinstance(teacher_kind("unim2rec"), UniM2RecKind)


def test_all_carries_over_to_a_target_of_the_same_kind(
    pictured: Dataset, noise: Dataset, small_encoder: CausalEncoderConfig
) -> None:
    recipe = recipe_of(small_encoder, item_ids=True)
    corpus = Corpus.of([pictured, noise])
    pretrained = fresh(KIND.pretrained(recipe.model).reading(corpus), corpus)
    assert pretrained.ids is None
    kept, model = begun(pretrained, pictured, recipe)
    everything = {name for name, _ in model.named_parameters()}
    assert everything - kept == {"domain.vectors", "ids.weight"}
    assert pretrained.config.domains == ("synthetic even", "synthetic odd", "synthetic")
    assert torch.equal(model.domain.vectors, pretrained.domain.vectors[:2])
    assert all(one.requires_grad for one in model.parameters())


def test_pictures_start_anew_where_pre_training_had_none(
    markov: Dataset, pictured: Dataset, small_encoder: CausalEncoderConfig
) -> None:
    recipe = recipe_of(small_encoder)
    corpus = Corpus.of([markov])
    pretrained = fresh(recipe.model.reading(corpus), corpus)
    assert pretrained.config.image_width == 0
    kept, model = begun(pretrained, pictured, recipe)
    anew = {name for name, _ in model.named_parameters()} - kept
    assert model.config.image_width == 5
    new = ("fusion.adaptors.image", "fusion.missing.image", "fusion.gate", "preference", "domain")
    assert anew == {name for name, _ in model.named_parameters() if name.startswith(new)}
    assert torch.equal(
        model.domain.vectors, pretrained.domain.vectors.expand(2, -1)
    )  # two new ones, at the mean of one


def test_pictures_are_left_behind_where_the_target_has_none(
    markov: Dataset, pictured: Dataset, small_encoder: CausalEncoderConfig
) -> None:
    recipe = recipe_of(small_encoder)
    corpus = Corpus.of([pictured])
    kept, model = begun(fresh(recipe.model.reading(corpus), corpus), markov, recipe)
    assert model.config.image_width == 0
    assert {name for name, _ in model.named_parameters()} - kept == {"domain.vectors"}


def test_sizes_are_the_pre_trained_ones_and_what_is_read_is_the_recipe_s(small_encoder: CausalEncoderConfig) -> None:
    wanted = recipe_of(small_encoder, item_ids=True, experts=5, modalities=("text",), modality_dropout=0.0).model
    tuned = KIND.tuned(wanted, UniM2RecConfig())
    assert (tuned.experts, tuned.encoder.width) == (8, 300)
    assert (tuned.item_ids, tuned.modalities, tuned.modality_dropout) == (True, ("text",), 0.0)
    assert tuned.encoder.dropout == small_encoder.dropout


def test_what_is_read_is_what_is_asked_for_and_there(
    markov: Dataset, pictured: Dataset, small_encoder: CausalEncoderConfig
) -> None:
    both: tuple[ModalityName, ...] = ("text", "image")

    def widths(dataset: Dataset, modalities: tuple[ModalityName, ...] = both) -> dict[ModalityName, int]:
        return recipe_of(small_encoder, modalities=modalities).model.reading(Corpus.of([dataset])).widths

    assert widths(pictured) == {"text": 64, "image": 5}
    assert widths(pictured, ("image",)) == {"image": 5}
    assert widths(markov) == {"text": 64}
    with pytest.raises(ConfigError, match=r"model\.modalities: no item of .* has image content"):
        widths(markov, ("image",))


def test_pre_training_and_fine_tuning(
    pictured: Dataset, noise: Dataset, small_encoder: CausalEncoderConfig, tmp_path: Path
) -> None:
    recipe = recipe_of(small_encoder, freeze=True, item_ids=True)
    pretrain(KIND, [pictured, noise], recipe, tmp_path / "pretrained")
    finetune(KIND, pictured, recipe, tmp_path / "tuned", tmp_path / "pretrained")
    model, record = load_teacher(tmp_path / "tuned", pictured)
    assert isinstance(model, UniM2Rec)
    before, after = load_file(tmp_path / "pretrained" / "model.safetensors"), model.state_dict()
    kept = {name for name, one in before.items() if one.shape == after[name].shape and torch.equal(one, after[name])}
    assert kept == {name for name in before if name.startswith(("encoder.position", "encoder.blocks"))}
    best = record.curve[record.best_epoch - 1].validation
    found = validation_ndcg(model, pictured, pictured.split.validation, "unmasked")
    assert found == pytest.approx(best)


def test_pictures_of_another_encoder_are_refused(
    pictured: Dataset, small_encoder: CausalEncoderConfig, tmp_path: Path
) -> None:
    recipe = recipe_of(small_encoder)
    pretrain(KIND, [pictured], recipe, tmp_path / "pretrained")
    assert pictured.image is not None
    encoder = pictured.image.encoder.model_copy(update={"fingerprint": "2" * 64})
    other = replace(pictured, image=replace(pictured.image, encoder=encoder))
    with pytest.raises(ArtefactMismatch, match="image_encoder"):
        finetune(KIND, other, recipe, tmp_path / "tuned", tmp_path / "pretrained")


def test_it_learns_the_chain(markov: Dataset, small_encoder: CausalEncoderConfig, tmp_path: Path) -> None:
    """The successor is right with probability .8 and more; ids tell every item from the others."""
    recipe = recipe_of(small_encoder, epochs=8, item_ids=True)
    finetune(KIND, markov, recipe, tmp_path)
    ranks = target_ranks(
        TwoTowerScorer.of(load_teacher(tmp_path, markov)[0]), markov.interactions, markov.split.test, "unmasked"
    )
    assert recall(ranks, 1) > 0.7


def test_a_teacher_that_was_fitted_to_pictures_is_refused_where_they_are_gone(
    pictured: Dataset, small_encoder: CausalEncoderConfig, tmp_path: Path
) -> None:
    """Pictures are not in the data's fingerprint; read without them, its answers would be others, in silence."""
    finetune(KIND, pictured, recipe_of(small_encoder), tmp_path)
    with pytest.raises(ArtefactMismatch, match="image_width is 5 there and 0 here"):
        load_teacher(tmp_path, replace(pictured, image=None))
