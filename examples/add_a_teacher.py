"""A teacher of one's own on a page, beside UniSRec: `python examples/add_a_teacher.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import torch
from pydantic import Field
from torch import Tensor, nn

from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.evaluation.metrics import summary
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.fitting import FitConfig, Objective
from training.knowledge import gather
from training.prepare import PrepareConfig, prepare
from training.teachers.base import CausalTeacher
from training.teachers.corpus import Corpus
from training.teachers.finetuning import CatalogueFinetuneConfig, NextItem
from training.teachers.kind import FinetuneConfig, PretrainConfig, Stage, TeacherConfig, TeacherKind, TeacherRecipe
from training.teachers.steps import finetune, load_teacher
from training.teachers.unisrec import UniSRecConfig
from training.teachers.unisrec_kind import UniSRecKind, UniSRecRecipe

FIT = FitConfig(epochs=5, learning_rate=1e-2, rows_per_batch=256)
SIZES = UniSRecConfig(encoder=CausalEncoderConfig(width=32, inner=32, layers=1, dropout=0.1), experts=2)
UNISREC = UniSRecRecipe(model=SIZES, finetune=CatalogueFinetuneConfig(fit=FIT))


class TextMeanConfig(TeacherConfig):
    content_fields = ("text_encoder", "text_width")  # a saved teacher is refused on texts of another encoder
    decay: float = Field(default=0.5, ge=0, lt=1)
    text_width: int = 0
    text_encoder: str = ""

    def reading(self, corpus: Corpus) -> Self:
        encoder = corpus.text.encoder
        return self.model_copy(update={"text_width": encoder.width, "text_encoder": encoder.fingerprint})


class TextMeanRecipe(TeacherRecipe):
    model: TextMeanConfig = TextMeanConfig()
    pretrain: PretrainConfig = PretrainConfig(fit=FIT)
    finetune: FinetuneConfig = FinetuneConfig(fit=FIT)


class TextMean(CausalTeacher):
    """A user is the mean of what the last items say, the newest heard loudest, through one linear map."""

    name, max_history, temperature = "text-mean", 50, 0.07
    text: Tensor  # float[N+1, F]
    known: Tensor  # bool[N+1] which items have one

    def __init__(self, config: TextMeanConfig, corpus: Corpus) -> None:
        super().__init__()
        self.config, self.decay = config, config.decay
        self.register_buffer("text", torch.tensor(corpus.text.values), persistent=False)  # the data's
        self.register_buffer("known", torch.tensor(corpus.text.present), persistent=False)
        self.unknown = nn.Parameter(torch.randn(config.text_width) / config.text_width**0.5)  # an item without a text
        self.map = nn.Linear(config.text_width, config.text_width, bias=False)

    def raw_item_matrix(self) -> Tensor:
        return torch.where(self.known[:, None], self.text, self.unknown)  # [N+1, F]

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        heard = nn.functional.embedding(history, items) * (history != 0)[..., None]  # [B, L, F]; padding says nothing
        means = [heard[:, 0]]  # of [B, F]
        for place in range(1, history.shape[1]):
            means.append(self.decay * means[-1] + heard[:, place])
        mapped: Tensor = self.map(torch.stack(means, dim=1))  # [B, L, F]
        return mapped


class TextMeanKind(TeacherKind[TextMeanConfig, TextMeanRecipe, TextMean]):
    name, recipe = "text-mean", TextMeanRecipe

    def build(self, config: TextMeanConfig, corpus: Corpus) -> TextMean:
        return TextMean(config, corpus)

    def pretraining(self, model: TextMean, corpus: Corpus, recipe: TextMeanRecipe) -> Objective:
        return NextItem(model, corpus, recipe.pretrain.fit.rows_per_batch)

    def finetuning(self, model: TextMean, dataset: Dataset, recipe: TextMeanRecipe) -> tuple[Stage, ...]:
        fit = recipe.finetune.fit
        return (Stage("", NextItem(model, Corpus.of([dataset]), fit.rows_per_batch), fit),)

    def adopt(self, model: TextMean, pretrained: TextMean, recipe: TextMeanRecipe) -> None:
        model.load_state_dict(pretrained.state_dict())  # nothing in it is of one catalogue


def main(folder: Path) -> None:
    """Fit both to one data set, let the new one leave its knowledge behind, and measure them."""
    data = prepare(PrepareConfig(source="synthetic", encoder="hashed-words", cache=folder / "cache"), folder / "data")
    for kind, recipe in ((TextMeanKind(), TextMeanRecipe()), (UniSRecKind(), UNISREC)):
        finetune(kind, data, recipe, folder / kind.name)
        teacher, record = load_teacher(folder / kind.name, data, {kind.name: kind})
        kept = gather(data, [(teacher, record)], folder / f"{kind.name}-knowledge").teachers[0]
        found = summary(target_ranks(TwoTowerScorer.of(teacher), data.interactions, data.split.test, "unmasked"))
        sys.stdout.write(f"{kind.name:<10} ndcg@10 {found['ndcg@10']:.4f}, {kept.rows} rows of knowledge\n")


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        main(Path(place))
