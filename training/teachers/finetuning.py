"""Fitting a teacher to one catalogue: softmax over the cosines with every item (UniSRec, KDD 2022, section 2.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from service.bundle import PAD
from training.batches import Batch, WindowBatches
from training.dataset import Dataset
from training.fitting import StepLoss
from training.sequences import train_windows
from training.teachers.base import CausalTeacher


class CatalogueFinetuning:
    """-log softmax_i( cos(h, v_i) / tau ) at the next item, over all train rows of a data set."""

    def __init__(self, model: CausalTeacher, dataset: Dataset, rows_per_batch: int) -> None:
        self._model = model
        windows = train_windows(dataset.interactions, dataset.split, model.max_history)
        batches = WindowBatches(windows, rows_per_batch)
        self.epoch, self.batch = batches.epoch, batches.batch

    def loss(self, batch: Batch, epoch: int) -> StepLoss:
        """Mean over the rows of a batch."""
        del epoch
        return softmax_over_catalogue(self._model, batch)


def softmax_over_catalogue(model: CausalTeacher, batch: Batch) -> StepLoss:
    """-log softmax_i( cos(h, v_i) / tau ) at the next item, mean over all rows of a batch."""
    raw = model.raw_item_matrix()  # [N+1, D]
    users = _unit(model.raw_hidden(batch.history, raw)[batch.asked])  # [R, D]
    logits = users @ _unit(raw).T / model.temperature  # [R, N+1]
    logits[:, PAD] = -torch.inf
    target = batch.target[batch.asked]  # [R]
    return StepLoss(torch.nn.functional.cross_entropy(logits, target), target.numel())


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)
