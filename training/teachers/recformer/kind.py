"""Recformer among the kinds of teachers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from rich.console import Console

from training.dataset import Dataset
from training.fitting import Objective
from training.teachers.corpus import Corpus
from training.teachers.kind import Stage, TeacherKind, TeacherRecipe
from training.teachers.recformer.config import RecformerConfig
from training.teachers.recformer.embeddings import stretched
from training.teachers.recformer.finetuning import CatalogueSoftmax, RecformerFinetuneConfig
from training.teachers.recformer.official import read_official
from training.teachers.recformer.pretraining import RecformerPretrainConfig, RecformerPretraining
from training.teachers.recformer.recformer import Recformer


class RecformerRecipe(TeacherRecipe):
    """One TOML file for Recformer."""

    model: RecformerConfig = Field(default_factory=RecformerConfig)
    pretrain: RecformerPretrainConfig = Field(default_factory=RecformerPretrainConfig)
    finetune: RecformerFinetuneConfig = Field(default_factory=RecformerFinetuneConfig)


class RecformerKind(TeacherKind[RecformerConfig, RecformerRecipe, Recformer]):
    """A language model over items as sentences."""

    name = "recformer"
    recipe = RecformerRecipe

    def build(self, config: RecformerConfig, corpus: Corpus) -> Recformer:
        """A fresh model; items that are read as unknown are told of."""
        model = Recformer(config, corpus.items)
        unknown = int(model.sentences.unknown.sum())
        if unknown:
            Console(stderr=True).print(
                f"{unknown:,} of {corpus.size:,} items have no text: each is read as one unknown word",
                highlight=False,
                soft_wrap=True,
            )
        return model

    def pretraining(self, model: Recformer, corpus: Corpus, recipe: RecformerRecipe) -> Objective:
        """Which item comes next, and which words are hidden."""
        return RecformerPretraining(model, corpus, recipe.pretrain)

    def finetuning(self, model: Recformer, dataset: Dataset, recipe: RecformerRecipe) -> tuple[Stage, ...]:
        """Item vectors made anew every epoch, then item vectors that stand still."""
        settings = recipe.finetune
        model.embeddings.words.requires_grad_(not settings.freeze_words)
        model.head.requires_grad_(requires_grad=False)  # no word is hidden any more
        first = Stage("items anew", CatalogueSoftmax(model, dataset, settings, renew=True), settings.fit)
        if not settings.second_epochs:
            return (first,)
        fit = settings.fit.model_copy(update={"epochs": settings.second_epochs, "patience": settings.second_patience})
        return first, Stage("items fixed", CatalogueSoftmax(model, dataset, settings, renew=False), fit)

    def tuned(self, wanted: RecformerConfig, pretrained: RecformerConfig) -> RecformerConfig:
        """How much is read, and how it is computed, is the recipe's to say; what the weights are of is not."""
        free = ("max_tokens", "attribute_tokens", "dropout", "precision", "tokens_per_pass")
        return pretrained.model_copy(update={name: getattr(wanted, name) for name in free})

    def adopt(self, model: Recformer, pretrained: Recformer, recipe: RecformerRecipe) -> None:
        """All weights; kept item vectors are of other items."""
        del recipe
        weights = {name: one for name, one in pretrained.state_dict().items() if name != "items"}
        positions = "embeddings.positions.weight"
        rows = len(model.embeddings.positions.weight)
        weights[positions] = stretched(weights[positions], rows)[:rows]
        model.load_state_dict({"items": model.items, **weights})

    def official(self, path: Path, recipe: RecformerRecipe, corpus: Corpus) -> Recformer:
        """The authors' pre-trained model, `recformer_seqrec_ckpt.bin`."""
        return read_official(path, recipe.model.reading(corpus), corpus)
