"""Fitting a teacher to one catalogue: softmax over the cosines with every item (UniSRec, KDD 2022, section 2.4)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor, nn

from training.batches import Batch, WindowBatches
from training.dataset import Dataset
from training.fitting import FitConfig, StepLoss
from training.log_softmax_at import log_softmax_at
from training.teachers.base import CausalTeacher
from training.teachers.corpus import Corpus
from training.teachers.kind import FinetuneConfig, Stage


class CatalogueFinetuneConfig(FinetuneConfig):
    """How a causal teacher is fitted to one catalogue."""

    fit: FitConfig = Field(default_factory=lambda: FitConfig(epochs=100, patience=10))
    freeze_sequence_encoder: bool = True
    """As UniSRec does. Only where there is something to keep: without --init nothing is frozen."""
    ids: FitConfig | None = None
    """T+ID in two stages: first the content alone, then the ids join, trained like this. None: both from the start."""


class TeacherWithIds(CausalTeacher):
    """A causal teacher that may add an id vector to each item."""

    ids: nn.Embedding | None
    """[N+1, D]"""


def catalogue_stages(model: TeacherWithIds, dataset: Dataset, settings: CatalogueFinetuneConfig) -> Iterator[Stage]:
    """The softmax over the catalogue, in one stage or in two.

    Ids fit a few thousand train rows by heart within epochs, and what the content could have taught is then learnt no
    more. Held at 0 until the content is fitted, they only add to it.
    """
    late = settings.ids if model.ids is not None else None
    if model.ids is not None and late is not None:
        nn.init.zeros_(model.ids.weight)
        model.ids.requires_grad_(requires_grad=False)
    title = "" if late is None else "content"
    corpus = Corpus.of([dataset])
    yield Stage(title, NextItem(model, corpus, settings.fit.rows_per_batch), settings.fit)
    if model.ids is not None and late is not None:
        model.ids.requires_grad_(requires_grad=True)
        yield Stage("content and ids", NextItem(model, corpus, late.rows_per_batch), late)


class NextItem:
    """-log softmax_i( cos(h, v_i) / tau ) at the next item, over all train rows of a corpus."""

    def __init__(self, model: CausalTeacher, corpus: Corpus, rows_per_batch: int) -> None:
        self._model = model
        batches = WindowBatches(corpus.windows(model.max_history), rows_per_batch)
        self.epoch, self.batch = batches.epoch, batches.batch

    def loss(self, batch: Batch, epoch: int) -> StepLoss:
        """Mean over the rows of a batch."""
        del epoch
        return softmax_over_catalogue(self._model, batch)


def softmax_over_catalogue(model: CausalTeacher, batch: Batch) -> StepLoss:
    """-log softmax_i( cos(h, v_i) / tau ) at the next item, mean over all rows of a batch."""
    raw = model.raw_item_matrix()  # [N+1, D]
    users = _unit(model.raw_hidden(batch.history, raw)[batch.asked])  # [R, D]
    target = batch.target[batch.asked] - 1  # [R], without PAD's place
    likely = log_softmax_at(users / model.temperature, _unit(raw[1:]), target[:, None])  # [R, 1]
    return StepLoss(-likely.mean(), target.numel())


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)
