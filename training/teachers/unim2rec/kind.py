"""UniM2Rec among the kinds of teachers."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from training.dataset import Dataset
from training.fitting import Objective
from training.teachers.corpus import Corpus
from training.teachers.finetuning import CatalogueFinetuneConfig, catalogue_stages
from training.teachers.kind import Stage, TeacherKind, TeacherRecipe
from training.teachers.unim2rec.content import ItemContent
from training.teachers.unim2rec.pretraining import UniM2RecPretrainConfig, UniM2RecPretraining
from training.teachers.unim2rec.unim2rec import UniM2Rec, UniM2RecConfig


class UniM2RecRecipe(TeacherRecipe):
    """One TOML file for UniM2Rec."""

    model: UniM2RecConfig = Field(default_factory=UniM2RecConfig)
    pretrain: UniM2RecPretrainConfig = Field(default_factory=UniM2RecPretrainConfig)
    finetune: CatalogueFinetuneConfig = Field(default_factory=CatalogueFinetuneConfig)


class UniM2RecKind(TeacherKind[UniM2RecConfig, UniM2RecRecipe, UniM2Rec]):
    """Text and pictures, and preferences from all domains."""

    name = "unim2rec"
    recipe = UniM2RecRecipe

    def build(self, config: UniM2RecConfig, corpus: Corpus) -> UniM2Rec:
        """A fresh model."""
        return UniM2Rec(config, ItemContent.of(corpus, config.widths))

    def pretraining(self, model: UniM2Rec, corpus: Corpus, recipe: UniM2RecRecipe) -> Objective:
        """Four contrastive tasks over the rows of all domains."""
        return UniM2RecPretraining(model, corpus, recipe.pretrain)

    def finetuning(self, model: UniM2Rec, dataset: Dataset, recipe: UniM2RecRecipe) -> Iterator[Stage]:
        """The softmax over the catalogue."""
        return catalogue_stages(model, dataset, recipe.finetune)

    def pretrained(self, wanted: UniM2RecConfig) -> UniM2RecConfig:
        """No ids: they mean nothing on another catalogue."""
        return wanted.model_copy(update={"item_ids": False})

    def tuned(self, wanted: UniM2RecConfig, pretrained: UniM2RecConfig) -> UniM2RecConfig:
        """Widths, layers and experts are the pre-trained one's; what is read and what is dropped is the recipe's."""
        free = ("item_ids", "modalities", "modality_dropout", "adaptor_dropout", "all_domains")
        encoder = pretrained.encoder.model_copy(update={"dropout": wanted.encoder.dropout})
        return pretrained.model_copy(update={"encoder": encoder, **{name: getattr(wanted, name) for name in free}})

    def adopt(self, model: UniM2Rec, pretrained: UniM2Rec, recipe: UniM2RecRecipe) -> None:
        """Adaptors, gate, sequence encoder, domains and their gate; what the pre-trained model lacks starts anew."""
        model.fusion.adopt(pretrained.fusion)
        model.encoder.load_state_dict(pretrained.encoder.state_dict())
        model.domain.adopt(pretrained.domain)
        if model.preference is not None and pretrained.preference is not None:
            model.preference.load_state_dict(pretrained.preference.state_dict())
        if recipe.finetune.freeze_sequence_encoder:
            model.freeze_sequence_encoder()
