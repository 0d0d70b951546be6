"""Recformer's two-stage fine-tuning (KDD 2023, section 3.2.2, algorithm 1): softmax over a matrix of item vectors.

The matrix is not learnt. In the first stage it is made anew from the items' sentences at the beginning of every epoch;
in the second it stands still, and the histories learn to meet it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from service.bundle import PAD
from training.dataset import Dataset
from training.fitting import FitConfig, StepLoss
from training.teachers.kind import FinetuneConfig
from training.teachers.recformer.examples import Examples, batches_of_like_length
from training.teachers.recformer.recformer import Recformer
from training.teachers.recformer.sentences import TokenBatch


class RecformerFinetuneConfig(FinetuneConfig):
    """The recipe; the defaults are the official code's."""

    fit: FitConfig = Field(
        default_factory=lambda: FitConfig(epochs=128, patience=5, learning_rate=5e-5, rows_per_batch=128)
    )
    """Of the first stage; the second's too, but for the two below."""
    second_epochs: int = Field(default=128, ge=0)
    """At most this many in the second stage; 0: there is none."""
    second_patience: int = Field(default=3, ge=1)
    freeze_words: bool = False
    """Word vectors stay as they are: a third of the time on a processor, where a vocabulary is large."""
    examples_per_epoch: int | None = Field(default=None, ge=1)
    """At most so many users an epoch, another random part each time; none: every user."""


@dataclass(frozen=True, eq=False)
class Asked:
    """R histories as tokens, and the item that came next."""

    history: TokenBatch
    target: Tensor
    """int64[R]"""

    def to(self, device: torch.device) -> Asked:
        """The same batch on another device."""
        return Asked(self.history.to(device), self.target.to(device))


class CatalogueSoftmax:
    """-log softmax_i( cos(h, I_i) / tau ) at the next item, for one random target of each user an epoch."""

    def __init__(self, model: Recformer, dataset: Dataset, config: RecformerFinetuneConfig, *, renew: bool) -> None:
        """Stage one renews I every epoch, stage two only where there is none."""
        self._model, self._config, self._renew = model, config, renew
        self._examples = Examples.of([dataset], np.zeros(1, dtype=np.int64))

    def epoch(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        """I, where it is to be made, then one random target of each user."""
        model = self._model
        if self._renew or not len(model.items):
            model.keep_items()
        chosen = self._examples.sample(rng, self._config.examples_per_epoch)  # [R]
        history = self._examples.before(chosen, model.config.max_items).history  # [R, L]
        length = model.sentences.count(history, model.config.max_items, model.config.max_tokens)  # [R]
        return batches_of_like_length(chosen, length, self._config.fit.rows_per_batch, rng)

    def batch(self, examples: NDArray[np.int64]) -> Asked:
        """Sequences of tokens."""
        found = self._examples.before(examples, self._model.config.max_items)
        return Asked(self._model.sequences(found.history), torch.from_numpy(found.target))

    def loss(self, batch: Asked, epoch: int) -> StepLoss:
        """Mean over the rows of a batch."""
        del epoch
        users = self._model.vectors(batch.history)  # [R, D]
        logits = users @ self._model.items.T / self._model.temperature  # [R, N+1]
        logits[:, PAD] = -torch.inf
        return StepLoss(torch.nn.functional.cross_entropy(logits, batch.target), len(batch.target))
