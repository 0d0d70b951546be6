"""What UniM2Rec learns from all domains: four contrastive tasks, on all prefixes of a batch at once.

The four parts and their weights are our reconstruction; the first and the last are UniSRec's (KDD 2022, section 2.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import embedding

from service.bundle import PAD
from training.batches import Batch, WindowBatches
from training.fitting import FitConfig, StepLoss
from training.teachers.augmentation import DroppedItems, drop_items, drop_words
from training.teachers.contrastive import info_nce
from training.teachers.corpus import Corpus
from training.teachers.kind import PretrainConfig
from training.teachers.unim2rec.content import ModalityName
from training.teachers.unim2rec.unim2rec import Adapted, UniM2Rec


class UniM2RecPretrainConfig(PretrainConfig):
    """The recipe; augmentation is as UniSRec's paper has it."""

    fit: FitConfig = Field(default_factory=lambda: FitConfig(epochs=30, patience=5))
    text_weight: float = Field(default=0.5, ge=0)
    """Of the task that finds the next item by its text alone; the task on fused vectors has weight 1."""
    image_weight: float = Field(default=0.5, ge=0)
    """Of the task that finds the next item by its picture alone."""
    alignment_weight: float = Field(default=0.1, ge=0)
    """Of the task that finds an item's picture by its text."""
    sequence_weight: float = Field(default=1e-3, ge=0)
    """Of the task that finds the second view of a history by the first."""
    item_drop_probability: float = Field(default=0.9, ge=0, le=1)
    """How often a batch's second view drops items; otherwise it drops words."""
    item_drop_ratio: float = Field(default=0.2, ge=0, lt=1)
    word_drop_share: float = Field(default=0.2, ge=0, le=1)
    """Share of a batch's distinct items whose texts are read with words missing."""


@dataclass(frozen=True, eq=False)
class _Step:
    """What the tasks of one batch share."""

    batch: Batch
    adapted: Adapted
    """The batch's K distinct items: each is adapted once"""
    place: Tensor
    """int64[B, L] where among the K each item of a history is"""
    target: Tensor
    """int64[R] where among the K each target is"""


class UniM2RecPretraining:
    """L = L_seq-item(fused) + sum_m w_m L_seq-item(m) + w_a L_text-image + lambda L_seq-seq.

    The second view of a history is fused anew, with other modalities dropped, on top of UniSRec's dropped items or
    words: it costs nothing, and what is said of a user must not hang on which modality happened to be read. A task of a
    modality that no row of a batch has adds nothing.
    """

    def __init__(self, model: UniM2Rec, corpus: Corpus, config: UniM2RecPretrainConfig) -> None:
        self._model, self._config = model, config
        self._word_drop = torch.from_numpy(corpus.text_word_drop.values.copy())  # [N+1, F]
        batches = WindowBatches(corpus.windows(model.max_history), config.fit.rows_per_batch)
        self.epoch, self.batch = batches.epoch, batches.batch

    def loss(self, batch: Batch, epoch: int) -> StepLoss:
        """All tasks on every (prefix, target) of a batch."""
        del epoch
        step = self._step(batch)
        vectors = self._model.fuse(step.adapted)  # [K, D]
        users = self._states(step, vectors, batch.history != PAD)[batch.asked]  # [R, D]
        loss = self._nce(users, embedding(step.target, vectors), step.adapted.items[step.target])  # []
        if len(self._model.fusion.names) > 1:  # of one modality alone the fused vector is that modality's
            loss = loss + self._by_one_modality(step, users) + self._alignment(step)  # []
        if self._config.sequence_weight:
            loss = loss + self._config.sequence_weight * self._sequence_to_sequence(step, users)  # []
        return StepLoss(loss, step.target.numel())

    def _step(self, batch: Batch) -> _Step:
        asked = torch.cat([batch.history.flatten(), batch.target[batch.asked]])  # [B*L + R]
        items, place = asked.unique(return_inverse=True)  # type: ignore[no-untyped-call]  # [K], [B*L + R]
        read = batch.history.numel()
        return _Step(batch, self._model.adapt(items), place[:read].view_as(batch.history), place[read:])

    def _states(self, step: _Step, vectors: Tensor, present: Tensor) -> Tensor:
        """float[B, L, D]."""
        return self._model.states(embedding(step.place, vectors), step.batch.history, present)  # [B, L, D]

    def _nce(self, anchor: Tensor, positive: Tensor, label: Tensor) -> Tensor:
        return info_nce(anchor, positive, label, self._model.temperature)

    def _by_one_modality(self, step: _Step, users: Tensor) -> Tensor:
        """The next item among those of the batch, by its text alone and by its picture alone: a scalar."""
        weight: dict[ModalityName, float] = {"text": self._config.text_weight, "image": self._config.image_weight}
        total = users.new_zeros(())  # []
        for number, name in enumerate(self._model.fusion.names):
            rows = step.adapted.present[step.target, number]  # [R]
            target = step.target[rows]  # [Q]
            positive = embedding(target, step.adapted.vectors[:, number])  # [Q, D]
            total = total + weight[name] * self._nce(users[rows], positive, step.adapted.items[target])  # []
        return total

    def _alignment(self, step: _Step) -> Tensor:
        """The picture of each distinct item that has both, by its text: a scalar."""
        adapted = step.adapted
        both = adapted.present.all(dim=1)  # [K]
        text, image = adapted.vectors[both].unbind(dim=1)  # each [Q, D]
        return self._config.alignment_weight * self._nce(text, image, adapted.items[both])  # []

    def _sequence_to_sequence(self, step: _Step, users: Tensor) -> Tensor:
        """A history's second view among those of the batch: a scalar."""
        present = step.batch.history != PAD  # [B, L]
        if torch.rand(()) < self._config.item_drop_probability:
            view, adapted = drop_items(present, self._config.item_drop_ratio), step.adapted
        else:
            view, adapted = DroppedItems(present), self._with_words_missing(step.adapted)
        states = self._states(step, self._model.fuse(adapted), view.kept)  # [B, L, D]
        second = states.gather(1, view.last_kept()[..., None].expand_as(states))[step.batch.asked]  # [R, D]
        return self._nce(users, second, step.batch.target[step.batch.asked])

    def _with_words_missing(self, adapted: Adapted) -> Adapted:
        names = self._model.fusion.names
        if "text" not in names:
            return adapted
        chosen = drop_words(adapted.present[:, names.index("text")], self._config.word_drop_share)  # [K]
        text = self._word_drop[adapted.items[chosen].cpu()].to(chosen.device)  # [Q, F]
        return self._model.retold(adapted, chosen, text)
