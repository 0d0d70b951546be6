"""The masked-language-model task (BERT's, as Recformer uses it: section 3.2.1), and the head that guesses words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from training.teachers.recformer.sentences import TokenBatch

MASKED, REPLACED = 0.8, 0.1
"""Of the chosen tokens: read as the mask token, read as any other word; the rest are read as they are."""


@dataclass(frozen=True, eq=False)
class Masked:
    """Sequences with words hidden, and where."""

    batch: TokenBatch
    chosen: Tensor
    """bool[B, T]"""


@dataclass(frozen=True)
class MaskedWords:
    """Which tokens are words, and what hides them."""

    words: Tensor
    """int64[W] all tokens that are no special ones"""
    special: Tensor
    """bool[V]"""
    mask: int
    share: float
    """How many of all words are chosen."""

    def hide(self, batch: TokenBatch) -> Masked:
        """Choose words, never special tokens, and hide most of them."""
        device = batch.token.device
        word = batch.present & ~self.special.to(device)[batch.token]  # [B, T]
        chosen = word & (torch.rand(word.shape, device=device) < self.share)  # [B, T]
        fate = torch.rand(word.shape, device=device)  # [B, T]
        other = self.words.to(device)[torch.randint(len(self.words), word.shape, device=device)]  # [B, T]
        token = torch.where(chosen & (fate < MASKED), self.mask, batch.token)  # [B, T]
        token = torch.where(chosen & (fate >= MASKED) & (fate < MASKED + REPLACED), other, token)  # [B, T]
        return Masked(replace(batch, token=token), chosen)


class WordHead(nn.Module):
    """Guesses words from states; its last layer is the table of word vectors."""

    def __init__(self, width: int, words: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(words))
        nn.init.eye_(self.dense.weight)  # states of a language model are near the words already
        nn.init.zeros_(self.dense.bias)

    def forward(self, states: Tensor, table: Tensor) -> Tensor:
        """Logits over all words: float[W, D], float[V, D] -> float[W, V]."""
        guessed = self.norm(nn.functional.gelu(self.dense(states)))  # [W, D]
        return nn.functional.linear(guessed, table, self.bias)  # [W, V]
