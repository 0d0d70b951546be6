"""What the backbone is given for each token: word, place in the sequence, kind, and which item it belongs to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.teachers.recformer.sentences import TokenBatch, TokenType

_SPREAD = 0.02
"""Standard deviation of what begins at random, as in BERT."""


class SentenceEmbeddings(nn.Module):
    """E = LayerNorm(word + token position + token type + item position) (Recformer, section 3.1.2, equation 2)."""

    def __init__(self, words: nn.Embedding, positions: Tensor, norm: nn.LayerNorm, max_items: int) -> None:
        """Take what a language model has; types and item positions are new, and begin near nothing.

        Args:
            words: word vectors [V, D] of the backbone.
            positions: its position vectors [P, D].
            norm: its LayerNorm over their sum.
            max_items: item positions beside 0, which is `<s>`'s.
        """
        super().__init__()
        width = positions.shape[1]
        self.words = words
        self.positions = nn.Embedding.from_pretrained(positions, freeze=False)  # type: ignore[no-untyped-call]
        self.types = nn.Embedding(len(TokenType), width)
        self.items = nn.Embedding(1 + max_items, width)
        self.norm = norm
        for table in (self.types, self.items):
            nn.init.normal_(table.weight, std=_SPREAD)

    def forward(self, batch: TokenBatch) -> Tensor:
        """float[B, T, D]."""
        place = torch.arange(batch.token.shape[1], device=batch.token.device)  # [T]
        known = self.words(batch.token) + self.positions(place)  # [B, T, D]
        embedded: Tensor = self.norm(known + self.types(batch.kind) + self.items(batch.item))  # [B, T, D]
        return embedded


def stretched(table: Tensor, rows: int) -> Tensor:
    """Position vectors [P, D] as at least `rows` of them, the first ones repeated.

    Longformer was made out of RoBERTa in this way (Beltagy et al., 2020, section 5): nearby tokens stand to each other
    as the model has learnt it, wherever they are.
    """
    repeats = max(1, -(-rows // len(table)))
    return table if repeats == 1 else table.repeat(repeats, 1)[:rows]  # [max(P, rows), D]
