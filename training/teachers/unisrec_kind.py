"""UniSRec among the kinds of teachers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from training.dataset import Dataset
from training.fitting import Objective
from training.teachers.corpus import Corpus
from training.teachers.finetuning import CatalogueFinetuneConfig, catalogue_stages
from training.teachers.kind import Stage, TeacherKind, TeacherRecipe
from training.teachers.unisrec import UniSRec, UniSRecConfig
from training.teachers.unisrec_official import read_official
from training.teachers.unisrec_pretraining import UniSRecPretrainConfig, UniSRecPretraining


class UniSRecRecipe(TeacherRecipe):
    """One TOML file for UniSRec."""

    model: UniSRecConfig = Field(default_factory=UniSRecConfig)
    pretrain: UniSRecPretrainConfig = Field(default_factory=UniSRecPretrainConfig)
    finetune: CatalogueFinetuneConfig = Field(default_factory=CatalogueFinetuneConfig)


class UniSRecKind(TeacherKind[UniSRecConfig, UniSRecRecipe, UniSRec]):
    """Text through whitening experts, and self-attention over the history."""

    name = "unisrec"
    recipe = UniSRecRecipe

    def build(self, config: UniSRecConfig, corpus: Corpus) -> UniSRec:
        """A fresh model."""
        return UniSRec(config, corpus.text)

    def pretraining(self, model: UniSRec, corpus: Corpus, recipe: UniSRecRecipe) -> Objective:
        """Two contrastive tasks over the rows of all domains."""
        return UniSRecPretraining(model, corpus, recipe.pretrain)

    def finetuning(self, model: UniSRec, dataset: Dataset, recipe: UniSRecRecipe) -> Iterator[Stage]:
        """The softmax over the catalogue."""
        return catalogue_stages(model, dataset, recipe.finetune)

    def pretrained(self, wanted: UniSRecConfig) -> UniSRecConfig:
        """No ids: they mean nothing on another catalogue."""
        return wanted.model_copy(update={"item_ids": False})

    def tuned(self, wanted: UniSRecConfig, pretrained: UniSRecConfig) -> UniSRecConfig:
        """Whether ids are added, and how much is dropped, is the recipe's to say."""
        encoder = pretrained.encoder.model_copy(update={"dropout": wanted.encoder.dropout})
        changed = {"item_ids": wanted.item_ids, "adaptor_dropout": wanted.adaptor_dropout, "encoder": encoder}
        return pretrained.model_copy(update=changed)

    def adopt(self, model: UniSRec, pretrained: UniSRec, recipe: UniSRecRecipe) -> None:
        """Adaptor and sequence encoder."""
        model.adaptor.load_state_dict(pretrained.adaptor.state_dict())
        model.encoder.load_state_dict(pretrained.encoder.state_dict())
        model.textless.data.copy_(pretrained.textless.data)
        if recipe.finetune.freeze_sequence_encoder:
            model.freeze_sequence_encoder()

    def official(self, path: Path, recipe: UniSRecRecipe, corpus: Corpus) -> UniSRec:
        """The authors' pre-trained model, `UniSRec-FHCKM-300.pth`."""
        return read_official(path, recipe.model.reading(corpus), corpus)
