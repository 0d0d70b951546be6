"""Recformer (Li et al., "Text Is All You Need", KDD 2023): one language model reads items and histories alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.arithmetic import multiplies_bf16
from training.dropout import Dropout
from training.items import Item
from training.teachers.base import Teacher
from training.teachers.recformer.backbone import load_backbone
from training.teachers.recformer.config import RecformerConfig
from training.teachers.recformer.masked_words import WordHead
from training.teachers.recformer.sentences import ItemSentences, TokenBatch
from training.teachers.recformer.vocabulary import vocabulary


class Recformer(Teacher):
    """User and item vectors are states of `<s>`: in front of a history, or of one item alone (section 3.1.4).

    Sentences belong to the data set and are not saved. Item vectors are kept in `items` (and saved) once fine-tuning
    has filled it, for its second stage learns against vectors that the weights no longer give.
    """

    name = "recformer"
    config: RecformerConfig
    items: Tensor
    """float[N+1, D] of length 1, or float[0, D] where nothing is kept; not learnt"""

    def __init__(self, config: RecformerConfig, items: Sequence[Item]) -> None:
        """Build for these items, with the backbone's own weights.

        Raises:
            EncoderUnavailable: the backbone cannot be read.
            ConfigError: it has not what the configuration asks for.
        """
        super().__init__()
        self.config, self.max_history, self.temperature = config, config.max_items, config.temperature
        self.vocabulary = vocabulary(config.backbone, config.random.words)
        self.sentences = ItemSentences.of(items, self.vocabulary, config)
        loaded = load_backbone(config, self.vocabulary)
        self.embeddings, self.backbone = loaded.embeddings, loaded.backbone
        self.dropout = Dropout(config.dropout)
        self.head = WordHead(self.width, len(self.embeddings.words.weight))
        self.register_buffer("items", torch.zeros(0, self.width))

    @property
    def width(self) -> int:
        """D."""
        return int(self.embeddings.positions.embedding_dim)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.items.device

    def encode(self, history: Tensor) -> Tensor:
        """float[B, D], rows of length 1; passes of like length inside, `tokens_per_pass` tokens each."""
        config, given = self.config, history.cpu().numpy()  # [B, L]
        count = self.sentences.count(given, config.max_items, config.max_tokens)  # [B]
        order = np.argsort(count, kind="stable")  # [B]
        vectors = [
            self.vectors(self.sequences(given[part]).to(self.device))
            for part in _passes(count[order], order, config.tokens_per_pass)
        ]
        if not vectors:
            return torch.zeros(0, self.width, device=self.device)
        back = torch.from_numpy(np.argsort(order)).to(self.device)  # [B]
        return torch.cat(vectors)[back]  # [B, D]

    def item_matrix(self) -> Tensor:
        """float[N+1, D]: what is kept, or else every item read anew."""
        return self.items if len(self.items) else self.read_items()

    def read_items(self) -> Tensor:
        """Every item's sentence through the backbone: float[N+1, D], rows of length 1, zeros for PAD."""
        every = torch.arange(1, len(self.sentences.length))[:, None]  # [N, 1]
        return torch.cat([torch.zeros(1, self.width, device=self.device), self.encode(every)])  # [N+1, D]

    @torch.no_grad()
    def keep_items(self) -> None:
        """Read every item without dropout, and keep the vectors as `items`."""
        training = self.training
        self.eval()
        self.items = self.read_items()  # [N+1, D]
        self.train(training)

    def sequences(self, history: NDArray[np.int64]) -> TokenBatch:
        """Histories int64[B, L] as tokens."""
        return self.sentences.sequences(history, self.config.max_items, self.config.max_tokens)

    def vectors(self, batch: TokenBatch) -> Tensor:
        """One pass: float[B, D], rows of length 1."""
        with self._precision():
            embedded = self.dropout(self.embeddings(batch))  # [B, T, D]
            if self.config.pooling == "first":
                pooled = self.backbone.first(embedded, batch.present)  # [B, D]
            else:
                pooled = _mean(self.backbone(embedded, batch.present), batch.present)  # [B, D]
        return nn.functional.normalize(pooled.float(), dim=-1)  # [B, D]

    def guesses(self, batch: TokenBatch, chosen: Tensor) -> Tensor:
        """Logits over all words at the W chosen tokens bool[B, T]: float[W, V]."""
        with self._precision():
            states = self.backbone(self.dropout(self.embeddings(batch)), batch.present)  # [B, T, D]
            logits: Tensor = self.head(states[chosen], self.embeddings.words.weight)  # [W, V]
        return logits.float()

    def _precision(self) -> torch.autocast:
        wanted = self.config.precision
        short = wanted == "bf16" or (wanted == "auto" and multiplies_bf16(self.device))
        return torch.autocast(self.device.type, torch.bfloat16, enabled=short)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *others: Any) -> None:  # noqa: ANN401
        """Kept item vectors are there or not: take the shape of what is read, if it is of this catalogue."""
        found = state_dict.get(f"{prefix}items")
        if found is not None and len(found) in (0, len(self.sentences.length)):
            self.items = self.items.new_zeros(found.shape)
        super()._load_from_state_dict(state_dict, prefix, *others)


def _mean(states: Tensor, present: Tensor) -> Tensor:
    """Mean over the tokens that are there: float[B, T, D], bool[B, T] -> float[B, D]."""
    weight = present.to(states.dtype)[..., None]  # [B, T, 1]
    return (states * weight).sum(dim=1) / weight.sum(dim=1)  # [B, D]


def _passes(count: NDArray[np.int64], order: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Cut an order of ascending token counts so that each part, padded to its longest, stays within the budget."""
    parts, start = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * count[end] > budget:
            parts.append(order[start:end])
            start = end
    return parts
