"""UniSRec's two contrastive tasks (KDD 2022, section 2.3), on all prefixes of a batch at once."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from service.bundle import PAD
from training.batches import Batch, WindowBatches
from training.fitting import FitConfig, StepLoss
from training.teachers.augmentation import drop_items, drop_words
from training.teachers.contrastive import info_nce
from training.teachers.corpus import Corpus
from training.teachers.kind import PretrainConfig
from training.teachers.unisrec import UniSRec


class UniSRecPretrainConfig(PretrainConfig):
    """The recipe; the defaults are the paper's where it gives one."""

    fit: FitConfig = Field(default_factory=lambda: FitConfig(epochs=30, patience=5))
    sequence_weight: float = Field(default=1e-3, ge=0)
    """lambda: weight of the sequence-sequence task."""
    item_drop_probability: float = Field(default=0.9, ge=0, le=1)
    """How often a batch's second view drops items; otherwise it drops words."""
    item_drop_ratio: float = Field(default=0.2, ge=0, lt=1)
    word_drop_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the items of a history that are read with words missing."""


class UniSRecPretraining:
    """L = L_sequence-item + lambda L_sequence-sequence (equation 8)."""

    def __init__(self, model: UniSRec, corpus: Corpus, config: UniSRecPretrainConfig) -> None:
        self._model, self._config = model, config
        self._word_drop = torch.from_numpy(corpus.text_word_drop.values.copy())  # [N+1, F]
        batches = WindowBatches(corpus.windows(model.max_history), config.fit.rows_per_batch)
        self.epoch, self.batch = batches.epoch, batches.batch

    def loss(self, batch: Batch, epoch: int) -> StepLoss:
        """Both tasks on every (prefix, target) of a batch."""
        del epoch
        model, history, asked = self._model, batch.history, batch.asked
        vectors, inverse = self._vectors(torch.cat([history.flatten(), batch.target[asked]]))  # [K, D], [B*L + R]
        inputs = vectors[inverse[: history.numel()]].view(*history.shape, -1)  # [B, L, D]
        users = model.states(inputs, history != PAD)[asked]  # [R, D]
        targets, label = vectors[inverse[history.numel() :]], batch.target[asked]  # [R, D], [R]
        loss = info_nce(users, targets, label, model.temperature)  # []
        second = self._second_view(history, inputs)[asked]  # [R, D]
        loss = loss + self._config.sequence_weight * info_nce(users, second, label, model.temperature)  # []
        return StepLoss(loss, int(asked.sum()))

    def _vectors(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Adapt each distinct item once: float[K, D], and where each of the given items is among them."""
        unique, inverse = items.unique(return_inverse=True)  # type: ignore[no-untyped-call]  # [K], like items
        return self._model.adapted(self._model.text[unique], self._model.known[unique]), inverse

    def _second_view(self, history: Tensor, inputs: Tensor) -> Tensor:
        """float[B, L, D]."""
        config, present = self._config, history != PAD
        if torch.rand(()) < config.item_drop_probability:
            view = drop_items(present, config.item_drop_ratio)
            states = self._model.states(inputs, view.kept)  # [B, L, D]
            place = view.last_kept()[..., None].expand_as(states)  # [B, L, D]
            return states.gather(1, place)  # [B, L, D]
        chosen = drop_words(present, config.word_drop_share)  # [B, L]
        items = history[chosen]  # [Q]
        text = self._word_drop[items.cpu()].to(history.device)  # [Q, F]
        worded = self._model.adapted(text, self._model.known[items])  # [Q, D]
        return self._model.states(inputs.masked_scatter(chosen[..., None], worded), present)  # [B, L, D]
