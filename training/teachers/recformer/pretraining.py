"""Recformer's pre-training (KDD 2023, section 3.2.1): which item comes next, and which words are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from training.fitting import FitConfig, StepLoss
from training.teachers.contrastive import info_nce
from training.teachers.corpus import Corpus
from training.teachers.kind import PretrainConfig
from training.teachers.recformer.examples import Examples, batches_of_like_length
from training.teachers.recformer.masked_words import MaskedWords
from training.teachers.recformer.recformer import Recformer
from training.teachers.recformer.sentences import TokenBatch


class RecformerPretrainConfig(PretrainConfig):
    """The recipe; the defaults are the paper's where it gives one."""

    fit: FitConfig = Field(
        default_factory=lambda: FitConfig(epochs=32, patience=5, learning_rate=5e-5, rows_per_batch=64)
    )
    word_weight: float = Field(default=0.1, ge=0)
    """lambda: weight of the masked-language-model task."""
    word_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of the words that are to be guessed."""
    word_rows: float = Field(default=1.0, gt=0, le=1)
    """Share of a batch's histories that the masked-language-model task reads: it is a second pass over them."""
    freeze_words: bool = True
    """Word vectors stay as the backbone has them."""
    examples_per_epoch: int | None = Field(default=None, ge=1)
    """At most so many users an epoch, another random part of all data sets each time; none: every user."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """R histories and the items that came next, each distinct item once."""

    history: TokenBatch
    """R sequences"""
    target: TokenBatch
    """K sequences of one item each"""
    label: Tensor
    """int64[R] which of the K is the target"""
    item: Tensor
    """int64[R] its index"""

    def to(self, device: torch.device) -> Pairs:
        """The same batch on another device."""
        return Pairs(self.history.to(device), self.target.to(device), self.label.to(device), self.item.to(device))


class RecformerPretraining:
    """L = L_item-item + lambda L_masked-words (equation 8).

    The official code hides words in the lone target items too; here only in the histories, which hold the same items.
    """

    def __init__(self, model: Recformer, corpus: Corpus, config: RecformerPretrainConfig) -> None:
        self._model, self._config = model, config
        self._examples = Examples.of(corpus.datasets, corpus.starts)
        model.embeddings.words.requires_grad_(not config.freeze_words)
        special = torch.zeros(len(model.embeddings.words.weight), dtype=torch.bool)  # [V]
        special[list(model.vocabulary.special)] = True
        words = (~special).nonzero()[:, 0]  # [W]
        self._hidden = MaskedWords(words, special, model.vocabulary.mask, config.word_share)

    def epoch(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        """One random target of each user, histories of like length together."""
        chosen = self._examples.sample(rng, self._config.examples_per_epoch)  # [R]
        sizes = self._model.config
        history = self._examples.before(chosen, sizes.max_items).history  # [R, L]
        length = self._model.sentences.count(history, sizes.max_items, sizes.max_tokens)  # [R]
        return batches_of_like_length(chosen, length, self._config.fit.rows_per_batch, rng)

    def batch(self, examples: NDArray[np.int64]) -> Pairs:
        """Sequences of tokens."""
        found = self._examples.before(examples, self._model.config.max_items)
        distinct, label = np.unique(found.target, return_inverse=True)  # [K], [R]
        read = self._model.sequences
        return Pairs(
            read(found.history), read(distinct[:, None]), torch.from_numpy(label), torch.from_numpy(found.target)
        )

    def loss(self, batch: Pairs, epoch: int) -> StepLoss:
        """Both tasks."""
        del epoch
        model = self._model
        users, items = model.vectors(batch.history), model.vectors(batch.target)  # [R, D], [K, D]
        loss = info_nce(users, items[batch.label], batch.item, model.temperature)  # []
        if self._config.word_weight:
            loss = loss + self._config.word_weight * self._guessing(batch.history)  # []
        return StepLoss(loss, len(batch.label))

    def _guessing(self, history: TokenBatch) -> Tensor:
        """Mean over the hidden words of -log p(word): []."""
        rows = torch.randperm(len(history.token))[: max(1, round(self._config.word_rows * len(history.token)))]  # [Q]
        part = history.rows(rows.to(history.token.device))
        masked = self._hidden.hide(part)
        guesses = self._model.guesses(masked.batch, masked.chosen)  # [W, V]
        wanted = part.token[masked.chosen]  # [W]
        return torch.nn.functional.cross_entropy(guesses, wanted, reduction="sum") / max(1, wanted.numel())  # []
